"""What an audit comes to: sentences that follow from the numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hashprobe.auditing.findings import Findings
from hashprobe.auditing.rates import wilson
from hashprobe.auditing.rows import AttackRow, BestThreshold, EditRow, LeftOut, Rate
from hashprobe.auditing.text import audit_lines
from hashprobe.auditing.verdict import next_steps, not_tested, percent, threshold_sentence, verdict
from hashprobe.errors import HashprobeError
from hashprobe.files import write_json


def rate(count: int, of: int = 100) -> Rate:
    low, high = (float(end) for end in wilson(count, of))
    return Rate(rate=count / of, low=low, high=high, count=count, of=of)


def attack(name: str, aim: str, count: int, access: str, budget: str = "8/255") -> AttackRow:
    asked = 1000 if access in ("codes", "found") else None
    return AttackRow(
        name=name,
        title="",
        access=access,
        aim=aim,
        budget=budget,
        questions=asked,
        rate=rate(count),
        jpeg=None,
        bits=(1.0, 2.0),
        asked=asked,
        linf=0.03,
        l2=1.0,
        rms=0.02,
        ssim=0.9,
        first=0.5,
        precision=0.5,
    )


def edit(name: str, count: int) -> EditRow:
    return EditRow(name=name, title=f"{name}ed", rate=rate(count), bits=1.0, first=1.0, precision=1.0)


def findings(*attacks: AttackRow, **changed: Any) -> Findings:
    given: dict[str, Any] = {
        "model": "m",
        "bits": 64,
        "images": "photos",
        "photographs": 100,
        "stored": 100,
        "copies": 0,
        "unusable": 0,
        "left_out": [],
        "queries": 100,
        "classes": [],
        "size": None,
        "jpeg": 85,
        "threshold": 10,
        "given": True,
        "limit": 0.001,
        "pairs": rate(2, 9900),
        "strangers": rate(3),
        "chance_precision": None,
        "attacks": list(attacks),
        "edits": [edit("jpeg", 0), edit("crop", 4), edit("mirror", 10)],
        "best": [BestThreshold(budget="8/255", threshold=10, rate=0.0, missed=0.05)],
        "skipped": [],
        "pictures": [],
    }
    return Findings(**given | changed)


WHITE, BLIND = attack("FewStep", "evasion", 97, "gradients"), attack("Square", "evasion", 2, "codes")
NOISE = attack("Noise", "evasion", 1, "nothing")


@pytest.mark.parametrize(
    ("attacks", "begins"),
    [
        (
            (WHITE, NOISE),
            "This search is easily evaded: at the threshold of 10 bits, with changes of at most 8/255 a value, an attacker",
        ),
        (
            (WHITE, attack("FewStep", "collision", 80, "gradients")),
            "This search is easily evaded and deceived:",
        ),
        ((attack("FewStep", "evasion", 30, "gradients"), NOISE), "This search can be evaded:"),
        ((attack("FewStep", "collision", 9, "gradients"),), "This search can be deceived:"),
        ((BLIND, NOISE), "No attack that was made works more often than noise or chance (at most 7.0\u00a0%"),
        ((NOISE,), "No attack was made, so nothing is known of attackers"),
    ],
)
def test_the_verdict_follows_the_intervals(attacks: tuple[AttackRow, ...], begins: str) -> None:
    said = verdict(findings(*attacks))
    assert said.startswith(begins)
    weak = any(row.is_attack and row.rate.count <= 2 for row in attacks)
    assert ("no attack hides more stored pictures than noise may (Square: 2 of 100" in said) == weak
    assert "and the worst (mirrored) 10 of 100 (5.5 to 17\u00a0%)" in said


def test_the_verdict_names_the_smallest_budget_at_which_something_works_and_what_was_not_tried() -> None:
    tried = [
        attack(name, aim, count, access, budget)
        for name, aim, access, counts in (
            ("Square", "evasion", "codes", (60, 3, 0)),
            ("Square", "collision", "codes", (0, 0, 0)),
            ("Noise", "evasion", "nothing", (0, 0, 0)),
        )
        for budget, count in zip(("16/255", "8/255", "4/255"), counts, strict=True)
    ]
    found = findings(*tried)
    assert (found.budgets, found.headline) == (["4/255", "8/255", "16/255"], "16/255")
    said = verdict(found)
    assert said.startswith(
        "This search is easily evaded: at the threshold of 10 bits, with changes of at most 16/255 a value, one"
    )
    assert (
        "hides 60 of 100 (50 to 69\u00a0%) stored pictures, and within 8/255 3 of 100 (1.0 to 8.5\u00a0%),"
        in said
    )
    assert "which noise may do as well; " in said
    assert "no attack passes off more as a chosen other than chance may (Square: 0 of 100" in said
    assert said.endswith(
        "Not tried: changes beyond 16/255, more than 1,000 questions a picture and attackers who have the network."
    )
    found = findings(*tried, attack("FewStep", "evasion", 20, "gradients", "4/255"), WHITE)
    assert found.headline == "4/255"
    said = verdict(found)
    assert (
        "an attacker who has the network (FewStep) hides 20 of 100 (13 to 29\u00a0%) stored pictures; 97 of 100"
        in said
    )
    assert said.endswith("Not tried: changes beyond 16/255 and more than 1,000 questions a picture.")


def test_of_a_perceptual_hash_it_speaks_of_a_formula_that_everyone_knows() -> None:
    found = findings(WHITE, attack("Square", "evasion", 60, "codes"), formula=True)
    assert "an attacker who knows the formula (FewStep) hides" in verdict(found)
    said = " ".join(next_steps(found))
    assert "Reckon with FewStep: everyone knows the formula of this hash" in said
    assert "Square needs no formula" in said
    assert "network" not in verdict(found) + said
    assert verdict(findings(WHITE, formula=True)).endswith("and attackers who ask questions alone.")
    asked = verdict(findings(attack("Square", "evasion", 60, "codes"), formula=True))
    assert asked.endswith("and attackers who know the formula.")


def test_budgets_of_another_norm_are_spoken_of_where_there_are_no_others() -> None:
    rows = [attack("PGD", "evasion", 97, "gradients", budget) for budget in ("RMS 0.02", "RMS 0.01")]
    assert findings(*rows).budgets == ["RMS 0.01", "RMS 0.02"]
    said = verdict(findings(*rows))
    assert "with changes within RMS 0.01, an attacker" in said
    assert said.endswith("Not tried: changes beyond RMS 0.02 and attackers without the network.")
    assert findings(*rows, WHITE).budgets == ["8/255"]


def test_what_to_do_follows_from_what_was_found() -> None:
    def steps(*attacks: AttackRow, **changed: Any) -> str:
        return " ".join(next_steps(findings(*attacks, **changed)))

    hidden = steps(WHITE, BLIND, NOISE)
    assert "Keep the network to yourself: without it Square hid 2 of 100" in hidden
    assert "Harden the model" in steps(WHITE, attack("Square", "evasion", 60, "codes"))
    assert "Count questions: Square needs no network, and 1,000 questions" in steps(
        attack("Square", "evasion", 60, "codes")
    )
    best = {"best": [BestThreshold(budget="8/255", threshold=14, rate=0.2, missed=0.01)]}
    assert "Take a threshold of 14 bits: the best attack then succeeds on 20\u00a0% in place of 97" in steps(
        WHITE, **best
    )
    lost = {"best": [BestThreshold(budget="8/255", threshold=14, rate=0.97, missed=0.01)]}
    assert "Do not look for a better threshold" in steps(WHITE, **lost)
    kind = {"best": [BestThreshold(budget="8/255", threshold=14, rate=0.02, missed=0.01)]}
    assert "Consider a threshold of 14 bits" in steps(BLIND, NOISE, **kind)
    assert steps(NOISE) == ""
    edits = [edit("mirror", 90), edit("crop", 80)]
    said = steps(NOISE, edits=edits)
    assert "Search with the mirrored picture as well: 90 of 100" in said
    assert "more than half are missed after ‘croped’" in said
    assert "No threshold keeps to 0.1\u00a0%" in steps(NOISE, given=False, pairs=rate(100, 9900))
    assert "Attack more pictures" in steps(NOISE, queries=10)


def test_what_was_not_tested_and_the_threshold_are_said() -> None:
    gaps = " ".join(not_tested(findings(BLIND, skipped=[LeftOut(name="NES", why="it was not asked for")])))
    assert gaps.startswith("NES: it was not asked for. Only 100 of 100")
    assert "no gradients were taken" in gaps
    assert "Storage as JPEG" not in gaps
    gaps = " ".join(
        not_tested(
            findings(WHITE, size=96, jpeg=None, unusable=1, left_out=[LeftOut(name="a.png", why="is cut")])
        )
    )
    assert "Another way to 96×96" in gaps
    assert "--jpeg 85" in gaps
    assert "the first: a.png is cut" in gaps
    said = threshold_sentence(findings())
    assert said.startswith(
        "A picture counts as found at 10 of 64 bits or fewer, which was given; 2 of 9,900 pairs"
    )
    assert "the largest that keeps to 0.1\u00a0%" in threshold_sentence(findings(given=False))


def test_small_shares_keep_their_digits() -> None:
    said = [percent(share).replace("\u00a0", " ") for share in (0, 0.00014, 0.001, 0.055, 0.1, 0.976, 1)]
    assert said == ["0 %", "0.014 %", "0.1 %", "5.5 %", "10 %", "98 %", "100 %"]
    assert any("FewStep" in line for line in audit_lines(findings(WHITE)))


def test_photographs_that_nobody_names_are_refused(tmp_path: Path) -> None:
    content = findings(WHITE).model_dump(mode="json") | {"unusable": 10**30}
    write_json(tmp_path / "findings.json", content)
    with pytest.raises(HashprobeError, match=r"findings\.json is damaged at left_out; give the command"):
        Findings.read(tmp_path)


def test_a_picture_that_is_taken_for_nothing_is_refused(tmp_path: Path) -> None:
    file = "pictures/a.png"
    picture = {
        "file": file,
        "photograph": "a.png",
        "photograph_file": file,
        "other": None,
        "other_file": None,
    }
    picture |= {"attack": "FewStep", "aim": "collision", "budget": "8/255", "distance": 3, "before": 9}
    picture |= {"rms": 0.01, "ssim": 0.9}
    content = findings(WHITE).model_dump(mode="json") | {"pictures": [picture]}
    write_json(tmp_path / "findings.json", content)
    with pytest.raises(HashprobeError, match=r"findings\.json is damaged at pictures\.0; give the command"):
        Findings.read(tmp_path)
    write_json(tmp_path / "findings.json", content | {"pictures": [picture | {"aim": "evasion"}]})
    assert Findings.read(tmp_path).pictures[0].other is None
