"""What the report claims: names, budgets, which row is best, and the sentences at its head."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashprobe.report import charts
from hashprobe.report.gallery import Entry, Gallery
from hashprobe.report.rows import groups, numbers_apart, remarks, row_names, score_heading
from hashprobe.report.run import Curve, RunRecord
from hashprobe.report.summary import summarise
from hashprobe.results import ResultRow, best_rows


def row(attack: str, t_map: float, **changes: Any) -> dict[str, Any]:
    values = {
        "row": f"{attack}-{t_map}-{len(changes)}",
        "attack": attack,
        "protocol": "disjoint",
        "epsilon": 8 / 255,
    }
    return (
        values
        | {"t_map": t_map, "t_map_low": t_map - 0.01, "t_map_high": t_map + 0.01, "chance": 0.5}
        | changes
    )


def untargeted(attack: str, score: float, **changes: Any) -> dict[str, Any]:
    values = {"row": f"{attack}-{score}-{len(changes)}", "attack": attack, "goal": "untargeted"}
    scores = {"map": score, "map_low": score - 0.01, "map_high": score + 0.01, "map_benign": 0.7}
    return values | {"epsilon": 8 / 255, "map_chance": 0.3} | scores | changes


ORIGINAL = row("Original", 0.52, epsilon=None)


def made(*rows: dict[str, Any]) -> list[ResultRow]:
    return RunRecord.from_rows(rows).rows


def test_best_is_chosen_among_equal_budgets_alone() -> None:
    rows = made(
        ORIGINAL,
        row("FGSM", 0.6),
        row("I-FGSM", 0.8),
        row("ProS-GAN", 0.95, epsilon=None),
        row("Prototype code", 0.99, epsilon=None),
        row("DHTA", 0.9, epsilon=4 / 255),
        row("DHTA", 0.97, protocol="paper"),
    )
    assert best_rows(rows) == {"I-FGSM-0.8-0"}


def test_equal_rows_to_the_shown_digit_are_all_best_or_none() -> None:
    rows = made(row("P2P", 0.70001), row("DHTA", 0.70002), row("FGSM", 0.6))
    assert best_rows(rows) == {"P2P-0.70001-0", "DHTA-0.70002-0"}
    assert best_rows(rows[:2]) == set()


def test_names_tell_rows_apart_and_say_unbounded() -> None:
    rows = made(
        row("ProS-GAN", 0.7, epsilon=None),
        row("I-FGSM", 0.7, code="anchor"),
        row("I-FGSM", 0.8, code="prototype", seed=0),
    )
    assert row_names(rows) == ["ProS-GAN (unbounded)", "I-FGSM, anchor", "I-FGSM, prototype"]


def test_attacks_of_one_name_are_told_apart_by_their_numbers() -> None:
    def drawn(step_size: float, steps: int, epochs: int, **changed: Any) -> dict[str, Any]:
        own = f"Attack(step_size={step_size}, settings=Settings(steps=9, epochs={epochs}, codes=('a', 'b, c')), steps={steps})"
        return row("CodeGenerator", 0.7, attack_settings=own, **changed)

    rows = made(
        drawn(4 / 255, 0, 3, row="a"),
        drawn(4 / 255, 1, 3, row="b"),
        drawn(2 / 255, 1, 3, row="c"),
        drawn(4 / 255, 0, 3, row="d", code="anchor"),
        row("FGSM", 0.5, row="e", attack_settings="FGSM(epsilon=8/255)"),
    )
    numbers = {
        "a": "step size 4/255, steps 0",
        "b": "step size 4/255, steps 1",
        "c": "step size 2/255, steps 1",
    }
    assert numbers_apart(rows) == numbers | {"d": "", "e": ""}
    assert row_names(rows)[1] == "CodeGenerator, step size 4/255, steps 1"
    assert remarks(rows[1], numbers["b"]) == ["step size 4/255, steps 1"]


def test_where_many_numbers_differ_or_none_are_known_nothing_is_said() -> None:
    many = [f"A(a={i}, b={i}, c={i}, d={i})" for i in range(2)]
    for settings in (many, ["", ""], ["A(", "a)"]):
        rows = made(
            *(row("A", 0.7, row=name, attack_settings=own) for name, own in zip("ab", settings, strict=True))
        )
        assert numbers_apart(rows) == {"a": "", "b": ""}
        assert row_names(rows) == ["A, a", "A, b"]


@given(st.lists(st.sampled_from([8 / 255, 4 / 255, None]), min_size=1, max_size=6))
def test_names_are_unique(budgets: list[float | None]) -> None:
    rows = made(*(row("ProS-GAN", 0.7, epsilon=epsilon, row=f"r{i}") for i, epsilon in enumerate(budgets)))
    assert len(set(row_names(rows))) == len(rows)


def test_the_headline_is_the_strongest_bounded_attack() -> None:
    run = RunRecord.from_rows(
        [
            ORIGINAL,
            row("FGSM", 0.6),
            row("I-FGSM", 0.8),
            row("ProS-GAN", 0.9, epsilon=None, linf=0.4, rms=0.06),
        ]
    )
    findings = summarise(run).findings
    assert [finding.row.attack for finding in findings] == ["I-FGSM", "ProS-GAN"]
    assert all(finding.works for finding in findings)
    assert "8 of 255" in findings[0].sentence
    assert "not bounded" in findings[1].sentence
    assert "102 of 255" in findings[1].sentence


def test_an_attack_within_chance_is_said_to_have_failed() -> None:
    finding = summarise(RunRecord.from_rows([ORIGINAL, row("FGSM", 0.525)])).findings[0]
    assert not finding.works
    assert finding.sentence.startswith("The attack FGSM does not work.")
    assert "in random order about 50 would" in finding.sentence


def with_shares(rows: list[dict[str, Any]], shares: list[float]) -> RunRecord:
    """Rows of which so large a share of the first hundred pictures counts."""
    curves = {
        line["row"]: Curve([], [], [10, 100], [share, share])
        for line, share in zip(rows, shares, strict=True)
    }
    return RunRecord(rows=made(*rows), curves=curves)


@pytest.mark.parametrize(
    ("share", "verdict"),
    [(0.373, "does not work"), (0.41, "hardly works"), (0.43, "works"), (0.30, "does not work")],
)
def test_a_headline_at_chance_is_of_an_attack_that_does_not_work(share: float, verdict: str) -> None:
    """Its t-MAP lies measurably above chance, which nobody sees among the first hundred pictures."""
    rows = [row("Original", 0.33, epsilon=None, chance=0.37), row("FGSM", 0.42, chance=0.37)]
    finding = summarise(with_shares(rows, [0.35, share])).findings[0]
    assert finding.verdict == verdict
    assert finding.sentence.startswith(f"The attack FGSM {verdict}.")
    assert f"{100 * share:.0f} of the first 100 pictures" in finding.sentence
    assert "in random order about 37 would" in finding.sentence


def test_a_rise_among_the_first_alone_is_said_to_be_no_effect_on_the_whole() -> None:
    rows = [row("Original", 0.5, epsilon=None), row("FGSM", 0.505)]
    finding = summarise(with_shares(rows, [0.5, 0.8])).findings[0]
    assert finding.verdict == "does not work"
    assert "Over the whole ranking it has no measurable effect: t-MAP 50.5 %" in finding.sentence


@pytest.mark.parametrize(("score", "how"), [(0.382, "worse than"), (0.655, "as"), (0.7, "better than")])
def test_the_summary_says_whether_the_query_s_own_labels_are_still_found(score: float, how: str) -> None:
    scores = {"map": score, "map_low": score - 0.01, "map_high": score + 0.01}
    attacked = row("FGSM", 0.8, map_benign=0.658, map_chance=0.44, **scores)
    sentence = summarise(RunRecord.from_rows([ORIGINAL, attacked])).findings[0].sentence
    assert f"What the query itself shows is found {how} before" in sentence
    assert (
        f"as far up as {100 * score:.0f} of 100 (MAP); before the attack 66, in random order 44." in sentence
    )


def entry(target: list[str], *returned: list[str]) -> Entry:
    neighbours = [
        {"image": "d.png", "distance": 0, "hit": bool(set(target) & set(labels)), "labels": labels}
        for labels in returned
    ]
    pictures = {"query_image": "q.png", "adversarial_image": "a.png"}
    values = {"row": "a", "query": 0, "query_labels": ["boat"], "target_labels": target}
    return Entry.model_validate(values | pictures | {"before": [], "after": neighbours})


def test_one_label_of_a_target_of_several_is_not_full_success_without_a_word() -> None:
    entries = (entry(["cat", "dog"], ["cat"], ["dog", "cat"], ["dog"], ["car"]), entry(["cat"], ["cat"]))
    run = RunRecord.from_rows([row("FGSM", 0.8, row="a")])
    said = "A target may be several labels, of which one is enough to count"
    assert f"{said}." in summarise(run).findings[0].explained
    shown = replace(run, gallery=Gallery(Path(), 64, entries))
    assert (
        f"{said}: 1 of the 2 targets in the gallery are, and of the pictures returned first for those "
        "75 % carry at least one of the labels and 25 % carry all."
    ) in summarise(shown).findings[0].explained
    for other in (
        replace(run, gallery=Gallery(Path(), 64, entries[1:])),
        RunRecord.from_rows([row("FGSM", 0.8, row="a", protocol="single")]),
    ):
        assert "several labels" not in summarise(other).findings[0].explained


def test_the_headline_counts_returned_pictures_where_the_curve_is_known() -> None:
    rows = [ORIGINAL, row("FGSM", 0.8)]
    curves = {
        line["row"]: Curve([], [], [1, 10, 100, 1000], [0.9, share, share, 0.5])
        for line, share in zip(rows, (0.53, 0.87), strict=True)
    }
    sentence = summarise(RunRecord(rows=made(*rows), curves=curves)).findings[0].sentence
    for said in ("87 of the first 100", "before the attack 53", "in random order about 50"):
        assert said in sentence


def test_a_run_without_attacks_claims_nothing() -> None:
    assert summarise(RunRecord.from_rows([ORIGINAL])).findings == []


@given(
    st.lists(
        st.tuples(st.integers(10, 90), st.sampled_from([4 / 255, 8 / 255, None])), min_size=1, max_size=8
    )
)
def test_the_lowest_map_is_best_where_the_highest_t_map_would_be(
    attacks: list[tuple[int, float | None]],
) -> None:
    """Turning every score round turns targeted rows into untargeted ones with the same winners."""
    up = [row("FGSM", n / 100, epsilon=e, row=str(place)) for place, (n, e) in enumerate(attacks)]
    down = [
        untargeted("FGSM", 1 - n / 100, epsilon=e, row=str(place)) for place, (n, e) in enumerate(attacks)
    ]
    assert best_rows(made(*up)) == best_rows(made(*down))


def test_goals_indexes_and_transfers_do_not_compete() -> None:
    rows = made(
        untargeted("FGSM", 0.5),
        untargeted("I-FGSM", 0.4),
        untargeted("FGSM", 0.1, index="faiss-ivf"),
        untargeted("FGSM", 0.2, attacked_model="b" * 64),
        untargeted("FGSM", 0.3, top_k=10),
        row("FGSM", 0.9),
    )
    assert best_rows(rows) == {"I-FGSM-0.4-0"}


def test_untargeted_rows_are_a_group_after_the_protocols() -> None:
    rows = made(untargeted("FGSM", 0.5), row("FGSM", 0.6, protocol="mine"), row("FGSM", 0.6))
    assert groups(rows) == ["disjoint", "mine", "untargeted"]
    assert score_heading(rows) == "t-MAP or MAP"
    assert score_heading(made(untargeted("FGSM", 0.5, top_k=5))) == "MAP@5"


def test_what_sets_a_row_apart_is_said() -> None:
    usual, unusual = made(
        untargeted("FGSM", 0.5, index_recall=None, questions=0.0),
        untargeted(
            "FGSM", 0.6, index="faiss-ivf", index_recall=0.973, questions=1000, attacked_model="b" * 64
        ),
    )
    assert remarks(usual) == []
    assert remarks(unusual) == [
        "transfer: made against another model, bbbbbbbb",
        "searched by faiss-ivf, recall 97.3 %",
        "1,000 questions an image",
    ]


def test_an_untargeted_headline_says_what_is_left() -> None:
    finding = summarise(RunRecord.from_rows([untargeted("FGSM", 0.5), untargeted("I-FGSM", 0.32)])).findings[
        0
    ]
    assert finding.works
    assert finding.sentence == (
        "The attack I-FGSM works. It changes a query, and the pictures that share a label with it still come as far up as "
        "32 of 100 (MAP); "
        "before the attack 70 did, and in random order about 30 would. "
        "No pixel value changes by more than 8 of 255."
    )
    assert "target" not in finding.counted


def test_an_untargeted_attack_at_the_unchanged_queries_is_said_to_have_failed() -> None:
    finding = summarise(RunRecord.from_rows([untargeted("FGSM", 0.695)])).findings[0]
    assert not finding.works
    assert finding.sentence.startswith("The attack FGSM does not work.")


def test_an_untargeted_headline_counts_relevant_pictures_where_both_curves_are_known() -> None:
    rows = [untargeted("Original", 0.7, epsilon=None), untargeted("FGSM", 0.4)]
    shares = zip(rows, (0.8, 0.35), strict=True)
    curves = {line["row"]: Curve([], [], [10, 100], [share, share]) for line, share in shares}
    run = RunRecord(rows=made(*rows), curves=curves)
    sentence = summarise(run).findings[0].sentence
    for said in (
        "35 of the first 100 pictures returned still share a label",
        "before the attack 80",
        "about 30",
    ):
        assert said in sentence
    del curves[rows[0]["row"]]
    assert "as far up as 40 of 100 (MAP); before the attack 70" in summarise(run).findings[0].sentence


def test_both_goals_have_their_findings_and_a_transfer_waits_behind() -> None:
    rows = [
        ORIGINAL,
        row("FGSM", 0.6),
        row("I-FGSM", 0.8, attacked_model="b" * 64),
        untargeted("I-FGSM", 0.4),
        untargeted("FGSM", 0.1, index="faiss-ivf"),
    ]
    found = [
        (finding.row.attack, finding.row.goal) for finding in summarise(RunRecord.from_rows(rows)).findings
    ]
    assert found == [("FGSM", "targeted"), ("I-FGSM", "untargeted")]
    transfer = summarise(RunRecord.from_rows([ORIGINAL, rows[2]])).findings[0]
    assert "transfer: made against another model, bbbbbbbb" in transfer.measured
    assert transfer.original is not None


def test_the_strongest_attack_of_a_single_pass_is_always_named() -> None:
    rows = [
        ORIGINAL,
        row("Slow", 0.9, forward_passes=20, backward_passes=20),
        row("Quick", 0.7, forward_passes=1),
    ]
    found = summarise(RunRecord.from_rows(rows)).findings
    assert [finding.row.attack for finding in found] == ["Slow", "Quick"]
    assert "It changes a query in a single forward pass" in found[1].sentence
    assert "in a single forward pass" in found[1].role


def test_a_row_of_map_at_k_is_not_compared_with_a_share_by_chance() -> None:
    """The MAP@k of a random order is not the share of wanted pictures in it."""
    values = {"attack": "DHTA", "protocol": "disjoint", "epsilon": 8 / 255, "t_map": 0.7, "chance": 0.1}
    curve = Curve(recall=[0.0, 1.0], precision=[0.8, 0.0], at=[100], precision_at=[0.77])
    for top_k, said in ((None, "77 of the first 100 pictures"), (100, "as far up as 70 of 100")):
        run = RunRecord.from_rows([{**values, "row": "a", "top_k": top_k, "queries": 10}])
        run = replace(run, curves={"a": curve})
        assert said in summarise(run).findings[0].sentence
        assert (charts.precision_at(run, run.rows).chance is None) is (top_k is not None)
