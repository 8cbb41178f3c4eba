"""Target label protocols, and the codes of database images that stand for a label."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from hashprobe.errors import HashprobeError
from hashprobe.retrieval import pack, unpack
from hashprobe.targets import PROTOCOLS, AnchorCode, P2PCode, draw_target_labels, unique_labels

BITS = 12

DATABASE = np.array(
    [[1, 0, 0, 0]] * 50 + [[0, 1, 0, 0], [0, 1, 1, 0], [1, 0, 1, 0], [0, 0, 0, 0], [0, 1, 0, 0]],
    dtype=np.uint8,
)


def random_labels(count: int, classes: int, seed: int) -> np.ndarray:
    labels = (np.random.default_rng(seed).random((count, classes)) < 0.3).astype(np.uint8)
    labels[labels.sum(axis=1) == 0, 0] = 1
    return labels


class TestProtocols:
    def test_unique_labels_are_sorted_and_without_the_empty_one(self) -> None:
        assert unique_labels(DATABASE).tolist() == [[0, 1, 0, 0], [0, 1, 1, 0], [1, 0, 0, 0], [1, 0, 1, 0]]

    def test_paper_is_uniform_over_unique_vectors_however_many_images_have_them(self) -> None:
        queries = np.tile(DATABASE[:1], (4000, 1))
        drawn = draw_target_labels("paper", queries, DATABASE, seed=0)
        vectors, counts = np.unique(drawn, axis=0, return_counts=True)
        assert vectors.tolist() == unique_labels(DATABASE).tolist()
        assert ((counts - 1000) ** 2 / 1000).sum() < 16.3  # chi squared, 3 degrees of freedom, p = 0.001

    def test_disjoint_shares_no_label_and_reaches_every_allowed_vector(self) -> None:
        queries = np.tile(np.array([[0, 0, 1, 0]], dtype=np.uint8), (500, 1))
        drawn = draw_target_labels("disjoint", queries, DATABASE, seed=0)
        assert (drawn * queries).sum() == 0
        vectors, counts = np.unique(drawn, axis=0, return_counts=True)
        assert vectors.tolist() == [[0, 1, 0, 0], [1, 0, 0, 0]]
        assert abs(counts[0] - 250) < 4 * np.sqrt(125)

    @pytest.mark.parametrize("protocol", ["disjoint", "single"])
    def test_targets_on_random_labels_keep_their_promise(self, protocol: str) -> None:
        queries, database = random_labels(200, 10, 0), random_labels(300, 10, 1)
        drawn = draw_target_labels(protocol, queries, database, seed=3)
        assert drawn.shape == queries.shape
        assert drawn.dtype == np.uint8
        assert (drawn * queries).sum() == 0
        if protocol == "single":
            assert (drawn.sum(axis=1) == 1).all()
        else:
            known = {label.tobytes() for label in database}
            assert all(label.tobytes() in known for label in drawn)

    def test_single_leaves_out_classes_that_the_database_lacks(self) -> None:
        queries = np.tile(np.array([[1, 0, 0, 0]], dtype=np.uint8), (200, 1))
        drawn = draw_target_labels("single", queries, DATABASE, seed=0)
        assert np.unique(drawn, axis=0).tolist() == [[0, 0, 1, 0], [0, 1, 0, 0]]

    @pytest.mark.parametrize("protocol", list(PROTOCOLS))
    def test_the_seed_decides(self, protocol: str) -> None:
        queries, database = random_labels(100, 10, 0), random_labels(300, 10, 1)
        first = draw_target_labels(protocol, queries, database, seed=1)
        assert np.array_equal(
            first, draw_target_labels(protocol, queries.astype(float), database.astype(bool), seed=1)
        )
        assert not np.array_equal(first, draw_target_labels(protocol, queries, database, seed=2))

    @pytest.mark.parametrize("protocol", ["disjoint", "single"])
    def test_a_query_without_an_allowed_label_is_named(self, protocol: str) -> None:
        queries = np.array([[1, 0, 0, 0], [1, 1, 1, 0]], dtype=np.uint8)
        with pytest.raises(
            HashprobeError, match=f"protocol '{protocol}' allows no target label for query 1: every label"
        ):
            draw_target_labels(protocol, queries, DATABASE, seed=0)

    @pytest.mark.parametrize("protocol", list(PROTOCOLS))
    def test_a_database_without_labels_has_no_target(self, protocol: str) -> None:
        with pytest.raises(HashprobeError, match="allows no target label for query 0"):
            draw_target_labels(protocol, np.zeros((1, 4)), np.zeros((5, 4)), seed=0)

    def test_an_unknown_protocol_is_answered_with_the_nearest(self) -> None:
        with pytest.raises(
            HashprobeError, match="no target label protocol is named 'disjont'; did you mean 'disjoint'"
        ):
            draw_target_labels("disjont", DATABASE[:1], DATABASE, seed=0)


def database_of(labels: list[list[int]]) -> dict[str, object]:
    signs = np.random.default_rng(len(labels)).choice([-1, 1], size=(len(labels), BITS))
    return {"codes": pack(signs), "labels": np.array(labels, dtype=np.uint8), "bits": BITS, "seed": 0}


def signs_of(database: dict[str, object], rows: list[int]) -> np.ndarray:
    return unpack(database["codes"], BITS)[rows].astype(int)  # type: ignore[call-overload]


class TestSampledCodes:
    def test_p2p_is_the_code_of_an_image_with_exactly_the_label(self) -> None:
        database = database_of([[1, 0, 0]] * 5 + [[1, 1, 0]] * 5 + [[0, 0, 1]])
        codes = P2PCode(**database)(np.array([[1, 1, 0]] * 60))
        drawn = {code.tobytes() for code in codes}
        assert drawn == {code.tobytes() for code in database["codes"][5:10]}  # all of the five, and no other
        assert np.array_equal(P2PCode(**database)(np.array([[0, 0, 1]])), database["codes"][10:])

    def test_anchor_is_the_sign_of_the_sum_of_nine(self) -> None:
        database = database_of([[1, 0]] * 10 + [[1, 1]] * 10)
        signs = signs_of(database, list(range(10)))
        possible = {
            pack(signs[list(rows)].sum(axis=0, keepdims=True)).tobytes()
            for rows in combinations(range(10), 9)
        }
        drawn = {code.tobytes() for code in AnchorCode(**database)(np.array([[1, 0]] * 40))}
        assert drawn <= possible
        assert len(drawn) > 1

    @pytest.mark.parametrize("carriers", [1, 2, 9])
    def test_anchor_of_at_most_nine_images_uses_them_all(self, carriers: int) -> None:
        database = database_of([[1, 0]] * carriers + [[0, 1]] * 4)
        expected = signs_of(database, list(range(carriers))).sum(axis=0) >= 0  # a tie counts as +1
        for seed in (0, 1):
            code = AnchorCode(**{**database, "seed": seed})(np.array([[1, 0]]))
            assert np.array_equal(unpack(code, BITS)[0] > 0, expected)

    @pytest.mark.parametrize("kind", [P2PCode, AnchorCode])
    def test_a_label_that_no_image_has_exactly_falls_back_on_images_that_have_more(
        self, kind: type[P2PCode]
    ) -> None:
        database = database_of([[0, 1, 0], [1, 1, 0], [0, 1, 1]])
        code = kind(**database)(np.array([[1, 0, 0]]))
        assert np.array_equal(code, database["codes"][1:2])

    def test_a_label_that_no_image_covers_falls_back_on_those_that_share_most_of_it(self) -> None:
        database = database_of([[1, 0, 0, 0], [0, 1, 1, 0], [1, 1, 0, 1], [0, 0, 0, 1]])
        drawn = {code.tobytes() for code in P2PCode(**database)(np.array([[1, 1, 1, 0]] * 40))}
        assert drawn == {code.tobytes() for code in database["codes"][1:3]}

    @pytest.mark.parametrize("label", [[1, 0, 0], [0, 0, 0]])
    def test_a_label_of_which_no_image_has_a_class_is_an_error(self, label: list[int]) -> None:
        classes = str(np.flatnonzero(label).tolist()).replace("[", r"\[").replace("]", r"\]")
        with pytest.raises(
            HashprobeError, match=f"no database image shares a class with the label {classes}"
        ):
            P2PCode(**database_of([[0, 1, 0], [0, 1, 1]]))(np.array([label]))

    @pytest.mark.parametrize("labels", [np.ones((2, 4)), np.ones(3)])
    def test_labels_of_another_shape_are_refused(self, labels: np.ndarray) -> None:
        with pytest.raises(
            HashprobeError, match=r"target labels must have shape \(n, 3\), as the database's; found"
        ):
            P2PCode(**database_of([[0, 1, 0]]))(labels)

    @pytest.mark.parametrize("kind", [P2PCode, AnchorCode])
    def test_the_seed_and_the_row_decide(self, kind: type[P2PCode]) -> None:
        database = database_of([[1, 0]] * 40 + [[0, 1]] * 40)
        labels = np.array([[1, 0], [0, 1]] * 10)
        codes = kind(**database)(labels)
        assert np.array_equal(codes, kind(**database)(labels))
        assert np.array_equal(codes[:7], kind(**database)(labels[:7]))
        assert not np.array_equal(codes, kind(**{**database, "seed": 1})(labels))
