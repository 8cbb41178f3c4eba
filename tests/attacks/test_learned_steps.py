"""Learned steps: bounded by construction, where they begin, what they cost, and their training."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from hashprobe.attacks import CodeGeneratorAttack, LearnedSteps
from hashprobe.attacks.code_generator import CodeGeneratorSettings
from hashprobe.attacks.code_generator.networks import MapSize, Seen, changed
from hashprobe.attacks.code_generator.seeing import look_at, seen
from hashprobe.attacks.learned_codes import learned_codes
from hashprobe.attacks.learned_steps import LearnedStepsSettings, StepNetwork
from hashprobe.attacks.learned_steps.training import known_gradient
from hashprobe.attacks.objectives import OBJECTIVES
from hashprobe.attacks.teaching import loop
from hashprobe.data import ImageRows
from hashprobe.errors import HashprobeError
from hashprobe.files import read_json_lines
from hashprobe.hashing import frozen
from hashprobe.retrieval import unpack
from hashprobe.targets import Goal
from hashprobe.trained import TrainingRun, load_trained, train_into, train_with_required
from helpers import (
    SIZE,
    Interrupted,
    conv_model,
    interrupt_after,
    linear_model,
    random_codes,
    random_images,
    same_tensors,
    tiny_data,
)

BITS, COUNT = 12, 3
SMALL = LearnedStepsSettings(epochs=2, batch_size=4, width=4, codes=("mainstay",), learned=2)
FIRST = CodeGeneratorSettings(
    epochs=1, pattern_epochs=1, batch_size=4, hidden=8, width=4, codes=("mainstay",)
)
SEES: Any = pytest.mark.parametrize("sees", ["code", "features"])


@cache
def start(sees: Any = "code") -> CodeGeneratorAttack:
    run = TrainingRun(model=conv_model(BITS), data=tiny_data(train=14), seed=0)
    return CodeGeneratorAttack.train(FIRST.model_copy(update={"sees": sees}), run)


def run_of(**changes: Any) -> TrainingRun:
    trained = {"CodeGenerator": start()}
    given: dict[str, Any] = {"model": conv_model(BITS), "data": tiny_data(train=14), "trained": trained}
    return TrainingRun(seed=0, **given | changes)


def goal(count: int = COUNT) -> Goal:
    return Goal(codes=random_codes(count, BITS))


def signs(count: int = COUNT) -> torch.Tensor:
    return goal(count).direction(BITS, torch.zeros(0))


def network(maps: Any = ()) -> StepNetwork:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return StepNetwork(BITS, width=4, maps=maps, steps=2)


def attack_of(own: StepNetwork, **numbers: Any) -> LearnedSteps:
    given: dict[str, Any] = {"settings": SMALL, "image_size": SIZE, "maps": (), "start": start()}
    return LearnedSteps(network=own.eval(), classes=3, **given, **numbers)


class TestNetwork:
    def test_before_it_learns_it_steps_along_the_gradient_and_its_sign(self) -> None:
        own, gradient = network(), torch.randn(2, 3, SIZE, SIZE)
        gradient[0] *= 1e6  # only its shape counts
        pattern = torch.zeros(2, 3, SIZE, SIZE)
        seen = Seen(torch.randn(2, BITS), [], gradient)
        drawn = own(torch.rand(2, 3, SIZE, SIZE), signs(2), pattern, seen, 0)
        relative = gradient / gradient.abs().mean(dim=(1, 2, 3), keepdim=True)
        torch.testing.assert_close(drawn, -0.5 * gradient.sign() - 0.25 * relative.clamp(-4, 4))

    def test_a_firm_pattern_can_be_brought_back(self) -> None:
        own = network()
        pattern = torch.full((1, 3, SIZE, SIZE), 50.0)
        seen = Seen(torch.randn(1, BITS), [], torch.ones(1, 3, SIZE, SIZE))
        drawn = own(torch.rand(1, 3, SIZE, SIZE), signs(1), pattern, seen, 5)
        torch.testing.assert_close(drawn, torch.full_like(drawn, 2 - 0.5 - 0.25))

    def test_which_step_it_is_and_what_was_seen_change_what_it_draws(self) -> None:
        own = network([MapSize(8, 8)])
        with torch.no_grad():
            for parameter in own.parameters():
                parameter.normal_(std=0.3, generator=torch.Generator().manual_seed(0))
        images, pattern = torch.rand(1, 3, SIZE, SIZE), torch.randn(1, 3, SIZE, SIZE)
        seen = Seen(torch.randn(1, BITS), [torch.rand(1, 8, 8, 8)], torch.randn(1, 3, SIZE, SIZE))
        drawn = own(images, signs(1), pattern, seen, 0)
        others = [
            own(images, signs(1), pattern, seen, 1),
            own(1 - images, signs(1), pattern, seen, 0),
            own(images, -signs(1), pattern, seen, 0),
            own(images, signs(1), -pattern, seen, 0) + 2 * pattern.clamp(-2, 2),
            own(images, signs(1), pattern, seen._replace(maps=[seen.maps[0].flip(2)]), 0),
        ]
        assert not any(torch.allclose(other, drawn) for other in others)
        torch.testing.assert_close(
            own(images, signs(1), pattern, seen, 7), own(images, signs(1), pattern, seen, 1)
        )


class TestAttack:
    @SEES
    @pytest.mark.parametrize("steps", [0, 1, 3])
    def test_costs_its_steps_and_stays_within_the_budget(self, steps: int, sees: str) -> None:
        run = run_of(trained={"CodeGenerator": start(sees)})
        attack = replace(LearnedSteps.train(SMALL, run), steps=steps)
        images = random_images(COUNT)
        result = attack.run(conv_model(BITS), images, goal())
        assert result.cost.forward.tolist() == [2 * steps + (2 if sees == "features" else 1)] * COUNT
        assert result.cost.backward.tolist() == [steps] * COUNT
        assert 0 < (result.images - images).abs().max() <= 8 / 255 + 1e-6

    def test_without_training_it_goes_down_towards_the_code(self) -> None:
        model, images, wanted = linear_model(BITS, scale=8), random_images(COUNT), signs()
        agreed = []
        for steps in (0, 1, 3):
            adversarial = attack_of(network(), steps=steps).run(model, images, goal()).images
            agreed.append(float((unpack(model.codes(adversarial), BITS) * wanted.numpy()).sum()))
        assert agreed[0] < agreed[1] <= agreed[2]

    def test_another_budget_scales_its_change(self) -> None:
        images = torch.full((1, 3, SIZE, SIZE), 0.5)
        small, large = (
            attack_of(network(), epsilon=epsilon, steps=0).run(conv_model(BITS), images, goal(1)).images
            - images
            for epsilon in (2 / 255, 8 / 255)
        )
        torch.testing.assert_close(4 * small, large)

    def test_what_it_was_not_trained_for_is_refused(self) -> None:
        with pytest.raises(HashprobeError, match="steps must be a whole number of at least 0; found -1"):
            attack_of(network(), steps=-1)
        with pytest.raises(HashprobeError, match=r"LearnedSteps draws .* no unbounded form"):
            attack_of(network(), epsilon=None)
        with pytest.raises(HashprobeError, match="this LearnedSteps takes images of 32×32; found 64×64"):
            attack_of(network()).run(conv_model(BITS), random_images(COUNT, size=64), goal())
        with pytest.raises(HashprobeError, match="draws for codes of 12 bits; the attacked model has 16"):
            attack_of(network()).run(conv_model(16), random_images(1), Goal(codes=random_codes(1, 16)))


class TestTraining:
    def test_goes_on_after_a_kill_as_if_it_had_not_stopped(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(loop, "SECONDS_BETWEEN_CHECKPOINTS", -1.0)
        monkeypatch.setattr(loop, "LOG_EVERY", 2)
        given = (SMALL, run_of(logs=tmp_path))
        whole: Any = train_into("LearnedSteps", *given, tmp_path / "whole")
        expected = read_json_lines(tmp_path / "learnedsteps.jsonl")
        with monkeypatch.context() as patch:
            interrupt_after(patch, torch.optim.Adam, 5)
            with pytest.raises(Interrupted):
                train_into("LearnedSteps", *given, tmp_path / "killed")
        resumed: Any = train_into("LearnedSteps", *given, tmp_path / "killed")
        assert same_tensors(whole.network, resumed.network)
        assert read_json_lines(tmp_path / "learnedsteps.jsonl") == expected
        again: Any = load_trained(tmp_path / "killed")
        assert same_tensors(again.network, resumed.network)
        assert again.maps == whole.maps

    @SEES
    def test_without_a_step_it_is_the_code_generator_that_is_given(self, sees: str) -> None:
        run, images = run_of(trained={"CodeGenerator": start(sees)}), random_images(COUNT)
        own = replace(LearnedSteps.train(SMALL, run), steps=0)
        torch.testing.assert_close(
            own.run(run.model, images, goal()).images, start(sees).run(run.model, images, goal()).images
        )

    def test_trains_a_code_generator_first_where_none_is_given(self, tmp_path: Path) -> None:
        settings = {"LearnedSteps": SMALL, "CodeGenerator": FIRST}
        train_with_required("LearnedSteps", settings, run_of(trained={}), tmp_path)
        again: Any = load_trained(tmp_path)
        assert again.start.network.decoder is not None
        assert same_tensors(again.start.network, load_trained(tmp_path / "CodeGenerator").network)  # type: ignore[attr-defined]

    @pytest.mark.parametrize(("size", "bits"), [(16, BITS), (SIZE, 16)])
    def test_a_code_generator_for_others_is_refused(self, size: int, bits: int) -> None:
        data = tiny_data(train=14)
        query = ImageRows(np.ascontiguousarray(data.query.images[:][:, :, :size, :size]))
        data = replace(data, query=replace(data.query, images=query))
        other = run_of(model=conv_model(bits), data=data)
        with pytest.raises(HashprobeError, match=r"draws for images of 32×32 and 12 bits; these are of"):
            LearnedSteps.train(SMALL, other)

    def test_a_network_without_maps_is_stepped_against_too(self) -> None:
        run = run_of(model=linear_model(BITS))
        first = CodeGeneratorAttack.train(FIRST.model_copy(update={"sees": "features"}), run)
        assert first.maps == ()
        own = LearnedSteps.train(SMALL, replace(run, trained={"CodeGenerator": first}))
        assert own.run(run.model, random_images(COUNT), goal()).images.shape == (COUNT, 3, SIZE, SIZE)

    def test_bfloat16_computes_nearly_the_same(self) -> None:
        images = random_images(COUNT)
        settings = SMALL.model_copy(update={"precision": "bfloat16"})
        one, other = (LearnedSteps.train(each, run_of()) for each in (SMALL, settings))
        assert not same_tensors(one.network, other.network)
        first, second = (each.run(conv_model(BITS), images, goal()).images for each in (one, other))
        assert (first - second).abs().mean() < 0.2 * (first - images).abs().mean()

    def test_what_it_does_not_use_is_refused(self) -> None:
        for given in ({"diversity": 0.5}, {"relative": False}, {"sharpness": 0.5}, {"class_outputs": False}):
            with pytest.raises(ValidationError, match=next(iter(given))):
                LearnedStepsSettings(**given)  # type: ignore[arg-type]

    def test_the_gradient_of_its_loss_is_that_of_the_network(self) -> None:
        """The gradient that is taken once, and shown to the next step, is the one that autograd finds through the model."""
        run = run_of()
        model, own, images = run.model, network(), torch.rand(2, 3, SIZE, SIZE)
        with frozen(model):
            seen_first = seen(look_at(model), images, signs(2), sizes=(), done=0.0)
            adversarial = changed(images, own(images, signs(2), 0 * images, seen_first, 0), 8 / 255)
            found = seen(look_at(model), adversarial, signs(2), sizes=(), done=0.5)
            value = OBJECTIVES["scaled"](found.logits, signs(2), 0.5).mean()
            known_gradient(value, found.gradient / 2, adversarial).backward()  # type: ignore[operator]
            once = own.gain.grad.clone()  # type: ignore[union-attr]
            own.gain.grad = None
            adversarial = changed(images, own(images, signs(2), 0 * images, seen_first, 0), 8 / 255)
            loss = OBJECTIVES["scaled"](model.attack_logits(adversarial), signs(2), 0.5).mean()
            loss.backward()
        torch.testing.assert_close(value, loss.detach())
        torch.testing.assert_close(once, own.gain.grad)

    def test_turns_more_bits_the_longer_it_is_trained(self) -> None:
        """On the images that it is trained on, towards codes of other images' labels, with a budget that lets bits turn."""
        run, changes = run_of(), {"epsilon": 0.1, "learning_rate": 1e-2, "warm_up": 0, "average": 0.0}
        codes = learned_codes("mainstay", run.data.train.labels[::-1].copy(), run, "test")
        images = torch.from_numpy(np.asarray(run.data.train.images[:])) / 255
        agreed = []
        for epochs in (1, 25):
            own = LearnedSteps.train(SMALL.model_copy(update={**changes, "epochs": epochs}), run)
            made = run.model.codes(own.run(run.model, images, Goal(codes=codes)).images)
            agreed.append(float((unpack(made, BITS) == unpack(codes, BITS)).mean()))
        assert agreed[1] > agreed[0]
