"""Rankings and the numbers of a result row, each against what is measured by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hashprobe import retrieval
from hashprobe.attacks import FGSM, Noise
from hashprobe.errors import HashprobeError
from hashprobe.evaluation import CellSpec, Evaluator, Ranking, SearchSettings, measure
from hashprobe.retrieval import levels, unpack
from hashprobe.targets import GOALS, NO_CODE, AnchorCode, P2PCode
from hashprobe.trained import Trained
from helpers import conv_model, linear_model, tiny_data

BITS = 12
TARGETED, UNTARGETED = GOALS["targeted"](), GOALS["untargeted"]()


def by_hand(ranked: list[bool], relevant: int, k: int) -> float:
    """AP@k of what was found, of so many relevant items in the database."""
    hits = np.flatnonzero(ranked[:k])
    return (
        sum((rank + 1) / (place + 1) for rank, place in enumerate(hits)) / min(relevant, k)
        if relevant
        else 0.0
    )


class TestRanking:
    """A query at every distance from 0 to 39 of 64 bits from one item: no ties, so that there is one ranking."""

    ITEMS, WIDE = 40, 64

    @pytest.fixture
    def case(self) -> dict[str, np.ndarray]:
        rng = np.random.default_rng(0)
        query, order = rng.choice([-1, 1], self.WIDE), rng.permutation(self.ITEMS)
        flips = np.where(np.arange(self.WIDE) < order[:, None], -1, 1)
        labels = (rng.random((self.ITEMS, 3)) < 0.4).astype(np.uint8)
        return {
            "queries": retrieval.pack(query[None]),
            "wanted": np.array([[1, 1, 0]], dtype=np.uint8),
            "codes": retrieval.pack(query * flips),
            "labels": labels,
            "nearest": np.argsort(order),
        }

    def ranking(self, case: dict[str, np.ndarray], index: str, top_k: int | None, **settings: Any) -> Ranking:
        search = SearchSettings(index=index, settings=settings, top_k=top_k)
        return Ranking(search, case["codes"], case["labels"], self.WIDE)

    @pytest.mark.parametrize("top_k", [None, 1, 7, 500])
    @pytest.mark.parametrize("index", ["scan", "faiss-flat", "faiss-hnsw"])
    def test_precision_is_that_of_the_ranking_by_hand(
        self, index: str, top_k: int | None, case: dict[str, np.ndarray]
    ) -> None:
        ranking = self.ranking(case, index, top_k)
        relevant = (case["labels"] & case["wanted"]).any(axis=1)
        k = min(top_k or self.ITEMS, self.ITEMS)
        found = ranking.measure(
            {"one": (case["queries"], case["wanted"]), "none": (case["queries"], 0 * case["wanted"])}
        )
        expected = by_hand(relevant[case["nearest"]].tolist(), relevant.sum(), k)
        assert found["one"].precision.tolist() == pytest.approx([expected])
        assert found["none"].precision.tolist() == [0.0]
        assert ranking.ids(case["queries"], 3).tolist() == [case["nearest"][:3].tolist()]
        chance = retrieval.chance_level(case["wanted"], case["labels"], top_k=k).mean()
        assert ranking.chance(case["wanted"]) == pytest.approx(chance)
        assert ranking.recall(case["queries"]) == (None if index == "scan" else 1.0)
        assert ranking.top_k == (None if index == "scan" and top_k is None else k)

    def test_what_an_index_misses_costs_what_it_would_have_added(self, case: dict[str, np.ndarray]) -> None:
        ranking = self.ranking(case, "faiss-ivf", 20, lists=8, probes=1)
        ids = ranking.ids(case["queries"], 20)[0]
        found = ids[ids >= 0]
        assert 0 < len(found) < 20, "the index must miss some for this to say anything"
        relevant = (case["labels"] & case["wanted"]).any(axis=1)
        measured = ranking.measure({"one": (case["queries"], case["wanted"])})["one"]
        assert measured.precision[0] == pytest.approx(by_hand(relevant[found].tolist(), relevant.sum(), 20))
        share = np.isin(case["nearest"][:20], found).mean()
        assert ranking.recall(case["queries"]) == pytest.approx(share)

    def test_an_index_that_cannot_be_is_said_before_anything_is_computed(self) -> None:
        for search, message in (
            (SearchSettings(index="scam"), "no search index is named 'scam'; did you mean 'scan'"),
            (
                SearchSettings(index="faiss-hnsw", settings={"width": 3}),
                "has no setting 'width'; it has links",
            ),
            (
                SearchSettings(index="faiss-hnsw", settings={"links": 1}),
                "links must be a whole number from 2 to 1024",
            ),
        ):
            with pytest.raises(HashprobeError, match=message):
                search.check(BITS)
        SearchSettings(index="faiss-hnsw", settings={"links": 2}).check(BITS)


def precision(evaluator: Evaluator, codes: np.ndarray, labels: np.ndarray) -> np.ndarray:
    data = evaluator.data.database
    return retrieval.average_precision(codes, evaluator.database_codes, labels, data.labels, bits=BITS)


class TestRow:
    @pytest.mark.parametrize("protocol", ["paper", None])
    def test_is_counted_in_one_pass_and_equals_single_measurements(
        self, protocol: str | None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        evaluator = Evaluator(linear_model(BITS), tiny_data(queries=9), seed=0)
        kind = TARGETED if protocol else UNTARGETED
        own = evaluator.data.query.labels
        scored = evaluator.target_labels(protocol) if protocol else own
        attack = Noise()
        attacked = evaluator.attack(attack, evaluator.goal(kind, NO_CODE, protocol))
        given: dict[str, Any] = {"kind": kind, "code": NO_CODE, "protocol": protocol}
        evaluator.row("before", attacked.codes, attack="Noise", **given)  # what all rows share
        passes, once = [], levels.pass_over

        def counted(*arguments: Any, **named: Any) -> None:
            passes.append(named["queries"])
            once(*arguments, **named)

        monkeypatch.setattr(levels, "pass_over", counted)
        row, score = evaluator.row(
            "noise", attacked.codes, attack="Noise", by=attack, attacked=attacked, **given
        )
        assert passes == [27]
        by_score = precision(evaluator, attacked.codes, scored)
        np.testing.assert_array_equal(score.average_precision, by_score)
        assert row.score == score.mean == by_score.mean()
        assert (row.score_low, row.score_high) == retrieval.bootstrap_interval(by_score, seed=0)
        assert row.map == precision(evaluator, attacked.codes, own).mean()
        assert row.score_png == precision(evaluator, attacked.codes_uint8, scored).mean()
        assert row.map_benign == precision(evaluator, evaluator.query_codes, own).mean()
        assert row.score_chance == retrieval.chance_level(scored, evaluator.data.database.labels).mean()
        assert row.map_chance == retrieval.chance_level(own, evaluator.data.database.labels).mean()
        assert score.curve["at"] == [1, 2, 5, 10, 20]
        assert len(score.curve["precision"]) == len(score.curve["recall"]) == 101
        absent = [row.protocol, row.t_map, row.t_map_low, row.t_map_high, row.chance, row.t_map_png]
        assert (absent == [None] * 6) == (protocol is None)

    def test_a_goal_is_blind_for_an_attack_that_sees_nothing(self) -> None:
        evaluator = Evaluator(linear_model(BITS), tiny_data(), seed=0)
        assert evaluator.goal(TARGETED, "anchor", "paper", Noise()).codes is None
        assert evaluator.goal(TARGETED, "anchor", "paper", FGSM()).codes is not None

    def test_a_batch_more_or_less_changes_nothing(self) -> None:
        evaluator = Evaluator(linear_model(BITS), tiny_data(queries=7), seed=0)
        goal = evaluator.goal(TARGETED, "anchor", "paper")
        keep = np.array([5, 1])
        one, other = (evaluator.attack(FGSM(), goal, batch_size=size, keep=keep) for size in (7, 3))
        assert np.array_equal(one.codes, other.codes)
        assert np.array_equal(one.kept, other.kept)
        assert one.kept.shape == (2, 3, 32, 32)
        assert (one.linf, one.rms) == (other.linf, pytest.approx(other.rms))
        assert one.linf == pytest.approx(8 / 255)
        assert np.array_equal(one.cost.forward, other.cost.forward)
        assert one.cost.backward.tolist() == [1] * 7
        clean = evaluator.data.query.images[[1, 5]]
        assert np.abs(one.kept.astype(int) - clean.astype(int)).max() == 8
        assert np.array_equal(one.codes_uint8[[1, 5]], evaluator.model.codes(one.kept))


@pytest.fixture
def evaluator() -> Evaluator:
    return Evaluator(conv_model(BITS).eval(), tiny_data(queries=6), seed=2)


class TestMeasure:
    def test_targeted(self, evaluator: Evaluator) -> None:
        measured = measure(CellSpec.read("FGSM:code=p2p,epsilon=0.1"), "disjoint", evaluator)
        (row,) = measured.rows
        targets = evaluator.target_labels("disjoint")
        goal = P2PCode.of(evaluator.context("disjoint"))(targets)
        attacked = evaluator.attack(
            FGSM(epsilon=0.1), replace(evaluator.goal(TARGETED, "p2p", "disjoint"), codes=goal)
        )
        assert np.array_equal(measured.codes, attacked.codes)
        assert row.t_map == precision(evaluator, measured.codes, targets).mean()
        assert (row.row, row.attack, row.goal, row.code) == (
            "fgsm-p2p-25.5of255-disjoint",
            "FGSM",
            "targeted",
            "p2p",
        )
        assert (row.protocol, row.epsilon, row.attack_settings) == ("disjoint", 0.1, "FGSM(epsilon=0.1)")
        assert (row.forward_passes, row.backward_passes, row.questions) == (1.0, 1.0, 0.0)
        assert (row.index, row.index_recall, row.top_k) == ("scan", None, None)
        assert (row.model, row.attacked_model) == (evaluator.model.sha256(), None)
        assert (row.queries, row.bits, row.seed) == (6, BITS, 2)
        assert measured.curves[0]["row"] == row.row
        assert not measured.links

    def test_untargeted(self) -> None:
        evaluator = Evaluator(linear_model(BITS), tiny_data(queries=6), seed=2)
        own = evaluator.data.query.labels
        (original,) = measure(CellSpec(goal="untargeted"), None, evaluator).rows
        assert original.row == "original-untargeted"
        assert original.map == evaluator.map_benign
        attacked = measure(CellSpec(attack="I-FGSM", goal="untargeted"), None, evaluator)
        (row,) = attacked.rows
        assert (row.row, row.goal, row.code) == ("i-fgsm-8of255-untargeted", "untargeted", "own")
        moved = unpack(attacked.codes, BITS) != unpack(evaluator.query_codes, BITS)
        assert moved.mean() > 0.5, "it leads away from the query's own code"
        assert row.map == row.score == precision(evaluator, attacked.codes, own).mean()
        assert row.t_map is None

    def test_the_end_of_an_untargeted_attack_is_the_opposite_code(self, evaluator: Evaluator) -> None:
        measured = measure(CellSpec(goal="untargeted", code="own"), None, evaluator)
        (row,) = measured.rows
        assert (row.row, row.attack, row.code) == ("own-code-untargeted", "Own code", "own")
        assert np.array_equal(unpack(measured.codes, BITS), -unpack(evaluator.query_codes, BITS))
        assert row.map == precision(evaluator, measured.codes, evaluator.data.query.labels).mean()

    def test_a_target_code_is_ranked_itself_and_has_no_own_label(self, evaluator: Evaluator) -> None:
        measured = measure(CellSpec(code="anchor"), "paper", evaluator)
        (row,) = measured.rows
        targets = evaluator.target_labels("paper")
        assert np.array_equal(measured.codes, AnchorCode.of(evaluator.context("paper"))(targets))
        assert (row.row, row.attack, row.map, row.epsilon, row.linf) == (
            "anchor-code-paper",
            "Anchor code",
            None,
            None,
            None,
        )
        assert row.t_map == precision(evaluator, measured.codes, targets).mean()

    def test_on_an_index_what_it_found_counts(self) -> None:
        settings = SearchSettings(index="faiss-hnsw", top_k=5)
        evaluator = Evaluator(conv_model(BITS).eval(), tiny_data(queries=6), seed=2, search=settings)
        (row,) = measure(CellSpec(attack="FGSM"), "paper", evaluator).rows
        assert (row.index, row.top_k, row.score_name) == ("faiss-hnsw", 5, "t-MAP@5")
        assert row.index_recall is not None
        assert row.index_recall > 0.9
        labels = evaluator.target_labels("paper")
        assert row.chance == retrieval.chance_level(labels, evaluator.data.database.labels, top_k=5).mean()

    def test_other_models_are_scored_on_the_same_images(self, evaluator: Evaluator) -> None:
        other = Evaluator(linear_model(16), evaluator.data, seed=2)
        spec = CellSpec(attack="FGSM")
        measured = measure(spec, "paper", evaluator, others={"b": other}, name="a")
        own, there = measured.rows
        assert [own.row, there.row] == ["fgsm-8of255-a-to-a-paper", "fgsm-8of255-a-to-b-paper"]
        assert (own.attacked_model, there.attacked_model) == (None, evaluator.model_sha256)
        assert (there.model, there.bits) == (other.model_sha256, 16)
        assert own.t_map == measure(spec, "paper", evaluator).rows[0].t_map
        assert [(link["from"], link["to"], link["t_map"]) for link in measured.links] == [
            ("a", "a", own.t_map),
            ("a", "b", there.t_map),
        ]

    def test_what_was_trained_against_another_model_is_refused_unless_it_is_a_transfer(
        self, trained: Callable[[str], Trained]
    ) -> None:
        attack, data, spec = trained("ProS-GAN"), tiny_data(), CellSpec(attack="ProS-GAN")
        own, other = (
            Evaluator(conv_model(BITS, seed=seed), data, seed=0, trained=[attack]) for seed in (0, 1)
        )
        (row,) = measure(spec, "paper", own).rows
        assert (row.row, row.attacked_model, row.epsilon) == ("pros-gan-unbounded-paper", None, None)
        assert (row.forward_passes, row.backward_passes) == (1.0, 0.0)
        with pytest.raises(HashprobeError, match="this ProS-GAN was trained against another model"):
            measure(spec, "paper", other)
        (row,) = measure(spec, "paper", other, transfer=True).rows
        assert row.attacked_model == own.model_sha256
