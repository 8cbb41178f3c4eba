"""The smaller sections: what the audit found, how attacks transfer, the settings of the run."""

from __future__ import annotations

from typing import Any

import pytest
from test_report_run import minimal_row

from hashprobe.errors import HashprobeError
from hashprobe.report import RunRecord
from hashprobe.report.sections import audit_counts, audit_findings, made_of, transfer_tables


def test_the_audit_shows_the_gravest_first_and_counts() -> None:
    findings = audit_findings(
        {
            "findings": [
                {"severity": "ok", "message": "no empty split"},
                {"severity": "error", "message": "queries in the database", "rows": [3, 5]},
            ],
            "images": {"query": 64},
        }
    )
    assert findings is not None
    assert [finding.severity for finding in findings] == ["error", "note", "ok"]
    assert findings[0].details == ("rows: 3, 5",)
    assert findings[1].text == "images.query: 64"
    assert audit_counts(findings) == [("error", 1), ("note", 1), ("ok", 1)]
    assert audit_findings(None) is None


@pytest.mark.parametrize(
    ("audit", "said"),
    [
        ([], "a list named findings"),
        ({"findings": [{"severity": "bad", "message": "x"}]}, "finding 1 must have a message and a severity"),
        ({"findings": [{"severity": "ok"}]}, "finding 1 must have a message"),
    ],
)
def test_an_audit_of_another_shape_is_named(audit: Any, said: str) -> None:
    with pytest.raises(HashprobeError, match=said):
        audit_findings(audit)


def transfer_row(source: str, target: str, **changes: Any) -> dict[str, Any]:
    return {"from": source, "to": target, "t_map": 0.6, "chance": 0.5, "protocol": "disjoint"} | changes


def test_each_attack_and_protocol_has_its_own_matrix() -> None:
    tables = transfer_tables(
        [
            transfer_row("a", "b", attack="DHTA", code="anchor", epsilon=8 / 255),
            transfer_row("a", "b", attack="ProS-GAN", code="prototype", epsilon=None, t_map=0.9),
            transfer_row("b", "a", attack="ProS-GAN", code="prototype", epsilon=None, bits_to=16),
        ]
    )
    assert [table["attack"] for table in tables] == [
        "DHTA, anchor (8/255)",
        "ProS-GAN, prototype (unbounded)",
    ]
    assert tables[1]["from"] == ["a", "b"]
    assert tables[1]["to"] == ["b", "a, 16 bits"]
    assert tables[1]["cells"] == [[[0.9, 0.5], None], [None, [0.6, 0.5]]]


def test_an_untargeted_transfer_is_a_matrix_of_map() -> None:
    scores = {
        "goal": "untargeted",
        "protocol": None,
        "t_map": None,
        "chance": None,
        "map": 0.4,
        "map_chance": 0.3,
    }
    targeted, away = transfer_tables([transfer_row("a", "b"), transfer_row("a", "b", **scores)])
    assert (targeted["protocol"], targeted["untargeted"]) == ("disjoint", False)
    assert (away["protocol"], away["untargeted"], away["cells"]) == ("untargeted", True, [[[0.4, 0.3]]])


def test_two_rows_for_one_cell_are_refused() -> None:
    with pytest.raises(HashprobeError, match=r"two rows from a to b \(disjoint\)"):
        transfer_tables([transfer_row("a", "b"), transfer_row("a", "b", t_map=0.7)])


def test_settings_are_one_table_a_level() -> None:
    run = RunRecord(
        rows=RunRecord.from_rows([minimal_row()]).rows,
        experiment={
            "settings": {
                "epochs": 3,
                "attacks": [{"attack": "Noise"}, {"attack": "P2P"}],
                "model": {"bits": 32},
            }
        },
    )
    tables = dict(made_of(run).tables)
    assert tables["Settings"] == [("epochs", ["3"]), ("attacks", ["attack Noise", "attack P2P"])]
    assert tables["Settings: model"] == [("bits", ["32"])]
