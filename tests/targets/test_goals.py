"""Codes and goals from a context: what they are made of, which way they lead, and what they say where something is missing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from hashprobe.attacks import FGSM
from hashprobe.errors import HashprobeError
from hashprobe.retrieval import unpack
from hashprobe.targets import (
    CODES,
    GOALS,
    NO_CODE,
    AnchorCode,
    Codes,
    Context,
    Goal,
    OwnCode,
    P2PCode,
    codes_of,
)
from hashprobe.trained import Trained, by_name
from helpers import linear_model, random_codes, random_images

BITS, CLASSES, QUERIES = 12, 3, 5
EYE = np.eye(CLASSES, dtype=np.uint8)
OWN, TARGETS = EYE[np.arange(QUERIES) % CLASSES], EYE[(np.arange(QUERIES) + 1) % CLASSES]
DATABASE, DATABASE_LABELS = random_codes(30, BITS, seed=1), EYE[np.arange(30) % CLASSES]


def context(**changes: Any) -> Context:
    given = {
        "bits": BITS,
        "seed": 3,
        "database_codes": DATABASE,
        "database_labels": DATABASE_LABELS,
        "query_codes": random_codes(QUERIES, BITS),
        "query_labels": OWN,
        "target_labels": TARGETS,
    }
    return Context(**{**given, **changes})


class TestContext:
    def test_codes_of_training_images_are_computed_when_they_are_asked_for(self) -> None:
        asked = []
        codes = random_codes(4, BITS)
        given = context(training=lambda: (asked.append(1) or codes, EYE[[0, 1, 2, 0]]))
        assert not asked
        assert given.training_set()[0] is codes
        with pytest.raises(
            HashprobeError, match="needs the codes of training images, and none are known here"
        ):
            context().training_set()


class TestCodes:
    @pytest.mark.parametrize("kind", [P2PCode, AnchorCode])
    def test_sampled_ones_are_of_the_contexts_database_and_seed(self, kind: type[P2PCode]) -> None:
        by_hand = kind(codes=DATABASE, labels=DATABASE_LABELS, bits=BITS, seed=3)
        assert np.array_equal(CODES[kind.name].of(context())(TARGETS), by_hand(TARGETS))
        assert not np.array_equal(kind.of(context(seed=4))(TARGETS), by_hand(TARGETS))

    def test_own_is_the_querys_whatever_the_label(self) -> None:
        own = OwnCode.of(context())
        assert np.array_equal(own(TARGETS), context().query_codes)
        with pytest.raises(HashprobeError, match="there are 5 queries; found 4 labels"):
            own(TARGETS[:4])

    def test_prototype_is_the_one_that_was_trained(self, trained: Callable[[str], Trained]) -> None:
        prototype: Any = trained("prototype")
        assert CODES["prototype"].of(context(trained=by_name([prototype]))) is prototype
        part: Any = trained("ProS-GAN")
        assert CODES["prototype"].of(context(trained=by_name([part]))) is part.prototype
        with pytest.raises(
            HashprobeError,
            match=r"'prototype' has to be trained first; give the folder that train-attack wrote \(--trained\)",
        ):
            CODES["prototype"].of(context())

    @pytest.mark.parametrize("name", CODES)
    def test_every_code_is_made_from_a_context_and_gives_a_row_a_label(
        self, name: str, trained: Callable[[str], Trained]
    ) -> None:
        kind = CODES[name]
        parts = by_name([trained(name)] if issubclass(kind, Trained) else [])
        given = context(trained=parts, training=lambda: (DATABASE, DATABASE_LABELS))
        codes = kind.of(given)(TARGETS)
        assert (codes.shape, codes.dtype) == ((QUERIES, 2), np.dtype(np.uint8))
        assert not (codes & 0x0F)[:, 1].any(), "spare bits are 0"
        assert np.array_equal(kind.of(given)(TARGETS.astype(float)), codes)
        assert kind.name == name
        assert kind.heading.endswith(" code")
        assert len(CODES.describe(name)) > 20

    def test_no_code_is_none_and_an_unknown_one_is_answered_with_the_nearest(self) -> None:
        assert codes_of(context(), NO_CODE, TARGETS) is None
        with pytest.raises(HashprobeError, match="no target code is named 'ancor'; did you mean 'anchor'"):
            codes_of(context(), "ancor", TARGETS)


def opposite(codes: Codes) -> np.ndarray:
    return -unpack(codes, BITS).astype(np.float32)


class TestGoals:
    def test_targeted_is_towards_the_code_of_the_target_label(self) -> None:
        goal = GOALS["targeted"]().build(context(), "anchor")
        assert goal.objective == "targeted"
        assert np.array_equal(goal.labels, TARGETS)
        assert np.array_equal(goal.codes, AnchorCode.of(context())(TARGETS))
        direction = goal.direction(BITS, torch.zeros(1, dtype=torch.float64))
        assert direction.dtype == torch.float64
        assert np.array_equal(direction.numpy(), unpack(goal.codes, BITS))

    def test_untargeted_is_away_from_the_querys_own_code_or_that_of_its_label(self) -> None:
        own, of_label = (GOALS["untargeted"]().build(context(), code) for code in ("own", "p2p"))
        assert np.array_equal(own.codes, context().query_codes)
        assert np.array_equal(of_label.codes, P2PCode.of(context())(OWN))
        for goal in (own, of_label):
            assert goal.objective == "untargeted"
            assert np.array_equal(goal.labels, OWN)
            direction = goal.direction(BITS, torch.zeros(1))
            assert np.array_equal(direction.numpy(), opposite(goal.codes))

    @pytest.mark.parametrize("kind", GOALS)
    def test_every_goal_has_codes_by_itself_and_none_for_an_attack_that_looks_at_none(
        self, kind: str
    ) -> None:
        goal_kind = GOALS[kind]()
        assert goal_kind.build(context(), goal_kind.code).codes.shape == (QUERIES, 2)
        blind = goal_kind.build(context(), NO_CODE)
        assert blind.codes is None
        assert blind.objective == goal_kind.objective
        with pytest.raises(
            HashprobeError, match="needs the code that it is to reach or to leave; its goal has none"
        ):
            FGSM().run(linear_model(BITS), random_images(QUERIES), blind)

    def test_labels_that_are_not_known_are_said_only_where_they_are_needed(self) -> None:
        nothing = context(query_labels=None, target_labels=None)
        with pytest.raises(HashprobeError, match="this goal needs target labels, which are not known here"):
            GOALS["targeted"]().build(nothing, "anchor")
        with pytest.raises(HashprobeError, match="needs the labels of the queries, which are not known here"):
            GOALS["untargeted"]().build(nothing, "anchor")
        own = GOALS["untargeted"]().build(nothing, "own")
        assert own.labels is None
        with pytest.raises(HashprobeError, match="needs the labels of its goal; they are not known here"):
            own.wanted(DATABASE_LABELS[None, :2])

    def test_some_rows_are_the_goal_of_those_images(self) -> None:
        goal = GOALS["untargeted"]().build(context(), "own")
        part = goal[1:3]
        assert part.objective == "untargeted"
        assert np.array_equal(part.codes, goal.codes[1:3])
        assert np.array_equal(part.labels, goal.labels[1:3])
        assert Goal()[1:3] == Goal()

    def test_what_shares_a_label_with_it_is_wanted(self) -> None:
        goal = Goal(labels=np.array([[1, 1, 0], [0, 0, 1]], dtype=np.uint8))
        items = np.array(
            [[[1, 0, 0], [0, 0, 1], [0, 0, 0]], [[1, 1, 1], [0, 1, 0], [0, 0, 1]]], dtype=np.uint8
        )
        assert goal.wanted(items).tolist() == [[True, False, False], [True, False, True]]
