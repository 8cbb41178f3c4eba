"""Rows compared: by the same queries and targets, with Holm's correction, and training seeds as one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hashprobe.errors import HashprobeError
from hashprobe.files import write_json_lines
from hashprobe.results import (
    QueryScores,
    ResultRow,
    beside_the_best,
    compare,
    holm,
    lines_of,
    not_weaker,
    paired_bootstrap,
    read_query_scores,
)

KEY = {"split_sha256": "5", "queries": "6", "targets": "7"}
RNG = np.random.default_rng(0)
BASE = RNG.uniform(0.3, 0.7, 200)


def made(name: str, values: np.ndarray, **changes: Any) -> tuple[ResultRow, QueryScores]:
    fields = {"epsilon": 8 / 255, "protocol": "disjoint", "chance": 0.3, "queries": len(values)}
    row = ResultRow(row=name, attack=name, t_map=float(values.mean()), **{**fields, **changes})
    return row, QueryScores.of(name, values, **KEY)


def table(*pairs: tuple[ResultRow, QueryScores]) -> tuple[list[ResultRow], dict[str, QueryScores]]:
    return [row for row, _ in pairs], {row.row: scores for row, scores in pairs}


BEST = made("best", BASE + 0.1)
NEAR = made("near", BASE + 0.1 + RNG.normal(0, 0.15, 200).clip(-0.3, 0.3) - 0.002)
FAR = made("far", BASE + 0.05 + RNG.normal(0, 0.02, 200))
OTHER = made("other budget", BASE, epsilon=4 / 255)
CODE = made("Anchor code", BASE + 0.3, epsilon=None)


def test_two_rows_are_compared_query_by_query() -> None:
    rows, scores = table(BEST, FAR)
    found = compare(rows[0], rows[1], scores)
    assert found.mean == pytest.approx(rows[0].score - rows[1].score, abs=1e-6)
    assert found == paired_bootstrap(scores["best"].values - scores["far"].values)[0]
    assert found.low <= found.mean <= found.high
    assert found.p < 0.01


def test_a_table_marks_what_is_not_significantly_weaker_than_the_best() -> None:
    rows, scores = table(FAR, NEAR, BEST, OTHER, CODE)
    compared = beside_the_best(rows, scores)
    assert compared.keys() == {"near", "far"}
    assert all(best.row == "best" for best, _ in compared.values())
    plain = {name: compare(row, BEST[0], scores).p for name, row in (("near", NEAR[0]), ("far", FAR[0]))}
    assert [compared[name][1].p for name in plain] == pytest.approx(holm(list(plain.values())))
    assert not_weaker(rows, scores) == {"near"}


def test_without_scores_nothing_is_marked() -> None:
    rows, scores = table(FAR, NEAR, BEST)
    assert not_weaker(rows, {}) == set()
    assert beside_the_best(rows, {"best": scores["best"], "far": scores["far"]}).keys() == {"far"}


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("targets", r"'best' and 'far' are not paired: they have other target labels; compare rows of one"),
        ("queries", "they have other queries"),
        ("split_sha256", "they have other splits of the data"),
    ],
)
def test_rows_that_are_not_paired_are_refused(field: str, message: str) -> None:
    rows, scores = table(BEST, FAR)
    scores["far"] = scores["far"].model_copy(update={field: "another"})
    with pytest.raises(HashprobeError, match=message):
        compare(rows[0], rows[1], scores)
    assert beside_the_best(rows, scores) == {}


def test_other_scores_other_numbers_and_unknown_ones_are_refused() -> None:
    rows, scores = table(BEST, FAR)
    with pytest.raises(HashprobeError, match=r"one is scored by t-MAP, the other by t-MAP@100"):
        compare(rows[0], rows[1].model_copy(update={"top_k": 100}), scores)
    with pytest.raises(HashprobeError, match="one has 200 queries, the other 150"):
        compare(rows[0], rows[1], scores | {"far": QueryScores.of("far", BASE[:150], **KEY)})
    with pytest.raises(HashprobeError, match="the scores of the queries of 'far' are not known"):
        compare(rows[0], rows[1], {"best": scores["best"]})


def test_scores_come_back_from_their_file_and_damage_is_named(tmp_path: Path) -> None:
    assert read_query_scores(tmp_path) == {}
    line = BEST[1].model_dump()
    write_json_lines(tmp_path / "queries.jsonl", [line])
    assert read_query_scores(tmp_path) == {"best": BEST[1]}
    assert max(abs(BEST[1].values - (BASE + 0.1))) <= 0.5e-6 + 1e-12
    for damage, message in (
        ({"ap": [0.5, 50.0]}, r"line 2: ap\.1 must be a fraction in \[0, 1\]; found 50.0"),
        ({"ap": "high"}, "line 2: ap must be"),
        ({"targets": 7}, "line 2: targets must be text; found 7"),
        ({}, "line 2: there is another line of 'best'"),
    ):
        write_json_lines(tmp_path / "queries.jsonl", [line, {**line, **damage}])
        with pytest.raises(HashprobeError, match=message):
            read_query_scores(tmp_path)


class TestSeeds:
    def seeds(self) -> list[tuple[ResultRow, QueryScores]]:
        made_of = {"attack": "ProS-GAN", "trained": True, "t_map_low": 0.1, "t_map_high": 0.9}
        found = []
        for seed, shift in ((None, 0.0), (1, 0.03), (2, 0.06)):
            row, scores = made(f"gan-{seed}", BASE + shift, rms=0.01 * (1 + shift), linf=0.02 + shift)
            found.append((row.model_copy(update={**made_of, "training_seed": seed}), scores))
        return found

    def test_become_one_line_with_mean_and_spread(self) -> None:
        own = self.seeds()
        rows, scores = table(BEST, *own)
        lines, merged = lines_of(rows, scores)
        assert [line.row for line in lines] == ["best", "gan-None"]
        line = lines[1]
        assert (line.training_seeds, line.training_seed, line.attack) == (3, None, "ProS-GAN")
        assert line.t_map == pytest.approx(np.mean([row.t_map for row, _ in own if row.t_map is not None]))
        assert (line.t_map_low, line.t_map_high) == (own[0][0].t_map, own[2][0].t_map)
        assert line.linf == pytest.approx(0.08)
        assert merged["gan-None"].values == pytest.approx(BASE + 0.03, abs=2e-6)
        assert beside_the_best(lines, merged).keys() == {"gan-None"}

    def test_other_settings_and_untrained_rows_stay_apart(self) -> None:
        own = self.seeds()
        rows, scores = table(*own)
        apart = [
            rows[0],
            rows[1].model_copy(update={"epsilon": 0.1}),
            rows[2].model_copy(update={"code": "p2p"}),
        ]
        assert lines_of(apart, scores)[0] == apart
        untrained = [row.model_copy(update={"trained": False}) for row in rows]
        assert lines_of(untrained, scores)[0] == untrained
        twice = [rows[1], rows[1].model_copy(update={"row": "again"})]
        assert lines_of(twice, scores)[0] == twice
