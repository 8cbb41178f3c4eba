"""A surrogate: what it asks the service, what it learns from the answers, and what it aims at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hashprobe.attacks import IFGSM, Access, Surrogate, surrogate
from hashprobe.attacks.surrogate import Answers, SurrogateSettings
from hashprobe.errors import HashprobeError
from hashprobe.files import read_json_lines
from hashprobe.hashing import HashModel
from hashprobe.retrieval import unpack
from hashprobe.targets import AnchorCode, Goal
from hashprobe.trained import TrainingRun, train_into
from helpers import (
    Interrupted,
    conv_model,
    interrupt_after,
    linear_model,
    random_codes,
    random_images,
    tiny_data,
)

BITS = 12


def hand_made(model: HashModel, **numbers: Any) -> Surrogate:
    """A surrogate that has learned the service without a fault."""
    answers, data = Answers(14, BITS, 3), tiny_data()
    answers.codes.copy_(torch.from_numpy(model.codes(data.train.images)))
    answers.labels.copy_(torch.from_numpy(data.train.labels))
    return Surrogate(surrogate=model, answers=answers, settings=SurrogateSettings(), **numbers)


class TestTraining:
    def test_asks_about_so_many_training_images_and_learns_their_codes(self, tmp_path: Path) -> None:
        service, data = conv_model(BITS), tiny_data(train=20)
        settings = SurrogateSettings(questions=16, epochs=12, batch_size=8)
        run = TrainingRun(model=service, data=data, seed=0, logs=tmp_path)
        trained = Surrogate.train(settings, run)
        assert trained.asked == 16
        known = {own.tobytes() for own in service.codes(data.train.images)}
        assert {own.tobytes() for own in trained.answers.codes.numpy()} <= known
        log = read_json_lines(tmp_path / "surrogate.jsonl")
        assert [record["epoch"] for record in log] == list(range(1, 13))
        assert {record["questions"] for record in log} == {16}
        assert log[-1]["bits"] > max(0.9, log[0]["bits"] + 0.1)

    def test_no_more_questions_than_there_are_images(self) -> None:
        run = TrainingRun(model=conv_model(BITS), data=tiny_data(train=5), seed=0)
        assert Surrogate.train(SurrogateSettings(epochs=1), run).asked == 5

    def test_asks_about_no_other_image_and_after_a_kill_about_none_again(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(surrogate, "ASKED_AT_ONCE", 4)
        service, asked, most = conv_model(BITS), 0, 8

        def count(module: Any, given: Any) -> None:
            nonlocal asked
            if asked + len(given[0]) > most:
                raise Interrupted
            asked += len(given[0])

        service.network.register_forward_pre_hook(count)
        run = TrainingRun(model=service, data=tiny_data(train=50), seed=0)
        settings = SurrogateSettings(questions=10, epochs=1, batch_size=8)
        with pytest.raises(Interrupted):
            train_into("Surrogate", settings, run, tmp_path)
        assert asked == 8
        most = 20
        with monkeypatch.context() as patch:
            interrupt_after(patch, torch.optim.AdamW, 1)
            with pytest.raises(Interrupted):
                train_into("Surrogate", settings, run, tmp_path)
        assert asked == 10, "those that had not been answered"
        again: Any = train_into("Surrogate", settings, run, tmp_path)
        assert (asked, again.asked) == (10, 10)
        whole = Surrogate.train(settings, run)
        assert asked == 20
        assert again.sha256() == whole.sha256()

    def test_codes_that_are_known_are_not_asked_for(self) -> None:
        service, data = conv_model(BITS), tiny_data(train=6)
        known = ~service.codes(data.train.images) & 0xF0
        run = TrainingRun(model=service, data=data, seed=0, known_train_codes=known)
        made = Surrogate.train(SurrogateSettings(questions=6, epochs=1), run)
        assert np.array_equal(made.answers.codes.numpy(), known)


class TestAttack:
    def test_without_a_fault_it_does_what_the_white_box_does_and_asks_nothing(self) -> None:
        model, images, codes = linear_model(BITS), random_images(3), random_codes(3, BITS)
        attack = hand_made(linear_model(BITS), steps=6)
        result = attack.run(model, images, Goal(codes=codes))
        assert torch.equal(result.images, IFGSM(steps=6)(model, images, codes))
        assert attack.access is Access.NOTHING
        assert result.cost.questions.tolist() == [0] * 3
        assert result.cost.forward.tolist() == result.cost.backward.tolist() == [6] * 3

    def test_an_image_that_has_reached_its_code_stops_early_and_costs_no_more(self) -> None:
        model, images, codes = linear_model(BITS), random_images(3), random_codes(3, BITS)
        codes[0] = model.codes(images[:1])[0]
        attack = hand_made(linear_model(BITS), steps=6, early_stop=True)
        result = attack.run(model, images, Goal(codes=codes))
        expected = IFGSM(steps=6, early_stop=True).run(model, images, Goal(codes=codes))
        assert torch.equal(result.images, expected.images)
        assert result.cost.forward.tolist() == expected.cost.forward.tolist()
        assert result.cost.backward.tolist() == expected.cost.backward.tolist()
        assert result.cost.forward[0] == 1 < result.cost.forward[1:].max()

    def test_a_look_at_the_image_that_it_leaves_is_counted(self) -> None:
        attack, goal = hand_made(linear_model(BITS), steps=6), Goal(objective="untargeted")
        cost = attack.run(linear_model(BITS), random_images(2), goal).cost
        assert (cost.forward.tolist(), cost.backward.tolist()) == ([7, 7], [6, 6])

    def test_told_no_code_it_aims_at_the_anchor_of_the_answers_or_away_from_what_it_sees(self) -> None:
        model, images, data = linear_model(BITS), random_images(3), tiny_data()
        attack, labels = hand_made(linear_model(BITS)), np.eye(3, dtype=np.uint8)
        anchor = AnchorCode(
            codes=model.codes(data.train.images), labels=data.train.labels, bits=BITS, seed=0
        )(labels)
        told, found = (attack.run(model, images, Goal(codes=own, labels=labels)) for own in (anchor, None))
        assert torch.equal(told.images, found.images)
        left = attack.run(model, images, Goal(objective="untargeted")).images
        moved = unpack(model.codes(left), BITS) != unpack(model.codes(images), BITS)
        assert moved.mean() > 0.5

    def test_targeted_without_codes_and_labels_is_refused(self) -> None:
        with pytest.raises(HashprobeError, match="Surrogate makes the code that it aims at from target lab"):
            hand_made(linear_model(BITS)).run(linear_model(BITS), random_images(1), Goal())
