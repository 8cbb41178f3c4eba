"""The code generator: bounded by construction, what it sees and costs, its training, and the steps from its image on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from hashprobe.attacks import PTA, CodeGeneratorAttack, FewStep
from hashprobe.attacks.code_generator import CodeGenerator, CodeGeneratorSettings
from hashprobe.attacks.code_generator.networks import MapSize, Seen, changed
from hashprobe.attacks.code_generator.seeing import look_at, map_sizes, seen
from hashprobe.attacks.teaching import batches, loop
from hashprobe.errors import HashprobeError
from hashprobe.files import read_json_lines
from hashprobe.hashing import feature_maps, frozen
from hashprobe.retrieval import average_precision, unpack
from hashprobe.targets import Goal
from hashprobe.trained import TrainingRun, train_into
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
SMALL = CodeGeneratorSettings(
    epochs=2, pattern_epochs=1, batch_size=4, hidden=8, width=4, codes=("mainstay",)
)
SEES: Any = pytest.mark.parametrize("sees", ["code", "features"])


def run_of(**changes: Any) -> TrainingRun:
    return TrainingRun(model=conv_model(BITS), data=tiny_data(train=14), seed=0, **changes)


def goal(count: int = COUNT) -> Goal:
    return Goal(codes=random_codes(count, BITS))


def signs(count: int = COUNT) -> torch.Tensor:
    return goal(count).direction(BITS, torch.zeros(0))


def generator(**changes: Any) -> CodeGenerator:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return CodeGenerator(BITS, SIZE, hidden=8, **changes)


def trained_to(sees: Any, **changes: Any) -> CodeGeneratorAttack:
    return CodeGeneratorAttack.train(SMALL.model_copy(update={"sees": sees, **changes}), run_of())


def attack_of(own: CodeGenerator, **numbers: Any) -> CodeGeneratorAttack:
    given: dict[str, Any] = {
        "settings": SMALL.model_copy(update={"sees": "code"}),
        "image_size": SIZE,
        "maps": (),
    }
    return CodeGeneratorAttack(network=own.eval(), classes=3, **given, **numbers)


class TestNetwork:
    @pytest.mark.parametrize("epsilon", [8 / 255, 0.3])
    def test_no_weights_leave_the_budget(self, epsilon: float) -> None:
        own, images = (
            generator(width=4, maps=[MapSize(8, 8)]),
            torch.full((2, 3, SIZE, SIZE), 0.5),
        )
        with torch.no_grad():
            for parameter in own.parameters():
                parameter.normal_(std=3, generator=torch.Generator().manual_seed(0))
            looked = Seen(torch.randn(2, BITS), [torch.randn(2, 8, 8, 8)])
            change = changed(images, own(images, signs(2), looked), epsilon) - images
        assert float(change.abs().max()) == pytest.approx(epsilon, rel=1e-3)
        assert change.abs().max() <= epsilon + 1e-6

    def test_what_it_saw_changes_what_it_draws_and_maps_of_any_side_fit(self) -> None:
        """Sides need not double: 7 from 3, and 16 from 7."""
        own = generator(width=4, maps=[MapSize(3, 8), MapSize(7, 6)])
        with torch.no_grad():
            for parameter in own.parameters():
                parameter.normal_(std=0.3, generator=torch.Generator().manual_seed(0))
        images = torch.full((1, 3, SIZE, SIZE), 0.5)
        maps = [torch.rand(1, 8, 3, 3), torch.rand(1, 6, 7, 7)]
        logits = torch.randn(1, BITS)
        drawn = own(images, signs(1), Seen(logits, maps))
        for other in (
            Seen(logits, [maps[0], maps[1].flip(3)]),
            Seen(logits, [maps[0].flip(3), maps[1]]),
            Seen(-logits, maps),
        ):
            assert not torch.allclose(own(images, signs(1), other), drawn)
        louder = own(images, signs(1), Seen(2 * logits, [3 * one for one in maps]))
        torch.testing.assert_close(louder, drawn, rtol=1e-3, atol=1e-3)

    def test_before_it_learns_it_draws_the_pattern_of_the_code(self) -> None:
        own = generator(width=4, maps=[MapSize(8, 8)])
        images = torch.full((2, 3, SIZE, SIZE), 0.5)
        drawn = own(images, signs(2), Seen(torch.randn(2, BITS), [torch.rand(2, 8, 8, 8)]))
        torch.testing.assert_close(drawn, own.pattern(signs(2)))

    def test_an_odd_size_is_refused(self) -> None:
        with pytest.raises(HashprobeError, match="whose side is even; found 31"):
            CodeGenerator(BITS, 31, hidden=8)


class TestSeen:
    def test_maps_are_the_last_of_each_size_and_leave_no_hook(self) -> None:
        model, images = conv_model(BITS), random_images(2)
        with frozen(model), feature_maps(model.network) as maps:
            model.logits(images)
        assert sorted(maps) == [2, 8]
        backbone = model.network.backbone.eval()
        assert torch.equal(maps[8], backbone[:4](model.preprocess(images)))
        assert torch.equal(maps[2], backbone[:5](model.preprocess(images)))
        assert not any(module._forward_hooks for module in model.modules())
        assert map_sizes(model, SIZE) == [MapSize(2, 8), MapSize(8, 8)]
        assert map_sizes(linear_model(BITS), SIZE) == []

    def test_the_gradient_goes_down_towards_the_code(self) -> None:
        model, images = linear_model(BITS), random_images(2)
        with frozen(model):
            looked = seen(look_at(model), images, signs(2), sizes=[], done=0.0)
            assert looked.gradient is not None
            moved = model.logits(images - 0.01 * looked.gradient.sign())
        assert (((moved - looked.logits) * signs(2)).mean(dim=1) > 0).all()


class TestAttack:
    @SEES
    def test_costs_what_it_sees(self, sees: str) -> None:
        cost = trained_to(sees).run(conv_model(BITS), random_images(COUNT), goal()).cost
        assert cost.forward.tolist() == [{"code": 1, "features": 2}[sees]] * COUNT
        assert cost.backward.tolist() == [0] * COUNT

    def test_the_code_alone_is_one_pattern_for_all_images(self) -> None:
        images = torch.full((2, 3, SIZE, SIZE), 0.5) + torch.tensor([0.0, 0.1]).view(2, 1, 1, 1)
        same = Goal(codes=random_codes(1, BITS).repeat(2, axis=0))
        change = attack_of(generator()).run(conv_model(BITS), images, same).images - images
        torch.testing.assert_close(change[0], change[1])
        other = attack_of(generator()).run(conv_model(BITS), images, Goal(codes=~same.codes & 0xF0)).images
        assert not torch.allclose(other - images, change)

    def test_another_budget_scales_its_change(self) -> None:
        images = torch.full((1, 3, SIZE, SIZE), 0.5)
        small, large = (
            attack_of(generator(), epsilon=epsilon).run(conv_model(BITS), images, goal(1)).images - images
            for epsilon in (2 / 255, 8 / 255)
        )
        torch.testing.assert_close(4 * small, large)

    def test_steps_go_on_from_its_image_within_the_budget(self) -> None:
        model, images, wanted = linear_model(BITS, scale=8), random_images(COUNT), signs()
        agreed, own = [], attack_of(generator())
        for attack in (own, FewStep(start=own, steps=1), FewStep(start=own, steps=3)):
            adversarial = attack.run(model, images, goal()).images
            assert (adversarial - images).abs().max() <= 8 / 255 + 1e-6
            agreed.append(float((unpack(model.codes(adversarial), BITS) * wanted.numpy()).sum()))
        assert agreed[0] < agreed[1] <= agreed[2]

    def test_steps_that_rank_go_on_from_it(self) -> None:
        model, images = linear_model(BITS, scale=8), random_images(COUNT)
        labels = np.eye(3, dtype=np.uint8)
        training = random_codes(40, BITS, seed=4), labels[np.arange(40) % 3]
        ranking = replace(goal(), labels=labels, training=training)
        own = attack_of(generator())

        def precision(pictures: torch.Tensor) -> np.ndarray:
            return average_precision(model.codes(pictures), training[0], labels, training[1], bits=BITS)

        before = own.run(model, images, ranking)
        after = PTA(start=own, steps=6).run(model, images, ranking)
        assert precision(after.images).mean() > precision(before.images).mean() + 0.1
        assert after.cost.backward.tolist() == [6] * COUNT
        assert (after.images - images).abs().max() <= 8 / 255 + 1e-6

    def test_it_has_no_unbounded_form(self) -> None:
        with pytest.raises(
            HashprobeError,
            match="CodeGenerator draws a change that is scaled to epsilon, so it has no unbounded form",
        ):
            attack_of(generator(), epsilon=None)

    def test_another_image_size_is_refused(self) -> None:
        with pytest.raises(HashprobeError, match="takes images of 32×32; found 64×64"):
            attack_of(generator()).run(conv_model(BITS), random_images(COUNT, size=64), goal())

    def test_a_model_of_other_bits_or_maps_is_refused(self) -> None:
        with pytest.raises(HashprobeError, match="draws for codes of 12 bits; the attacked model has 16"):
            attack_of(generator()).run(
                conv_model(16), random_images(COUNT), Goal(codes=random_codes(COUNT, 16))
            )
        with pytest.raises(
            HashprobeError, match="reads a feature map of 2×2 with 8 channels, which the attacked"
        ):
            trained_to("features", epochs=1).run(linear_model(BITS), random_images(COUNT), goal())


class TestTraining:
    @pytest.mark.parametrize(("sees", "average"), [("code", 0.0), ("features", 0.9)])
    def test_goes_on_after_a_kill_as_if_it_had_not_stopped(
        self, sees: str, average: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(loop, "SECONDS_BETWEEN_CHECKPOINTS", -1.0)
        monkeypatch.setattr(loop, "LOG_EVERY", 2)
        settings = SMALL.model_copy(update={"sees": sees, "average": average})
        given = (settings, run_of(logs=tmp_path))
        whole: Any = train_into("CodeGenerator", *given, tmp_path / "whole")
        expected = read_json_lines(tmp_path / "codegenerator.jsonl")
        with monkeypatch.context() as patch:
            interrupt_after(patch, torch.optim.Adam, 5 if sees == "code" else 9)
            with pytest.raises(Interrupted):
                train_into("CodeGenerator", *given, tmp_path / "killed")
        resumed: Any = train_into("CodeGenerator", *given, tmp_path / "killed")
        assert same_tensors(whole.network, resumed.network)
        assert read_json_lines(tmp_path / "codegenerator.jsonl") == expected
        assert (tmp_path / "killed" / "pattern" / "trained.json").exists() == (sees != "code")
        assert [record["step"] for record in expected] == [2, 4, 6, 8]

    def test_turns_more_bits_than_it_starts_with(self, tmp_path: Path) -> None:
        changes = {"epochs": 10, "epsilon": 0.3, "sees": "features", "learning_rate": 1e-2, "warm_up": 0}
        train_into("CodeGenerator", SMALL.model_copy(update=changes), run_of(logs=tmp_path), tmp_path / "own")
        records = read_json_lines(tmp_path / "codegenerator.jsonl")
        assert records[-1]["bits"] > records[0]["bits"] + 0.02

    def test_one_that_is_given_lends_its_pattern(self) -> None:
        first = trained_to("code")
        given = run_of(trained={"CodeGenerator": first})
        still = SMALL.model_copy(update={"epochs": 1, "learning_rate": 1e-12, "average": 0.0})
        own: Any = CodeGeneratorAttack.train(still, given)
        torch.testing.assert_close(own.network.pattern.state_dict(), first.network.pattern.state_dict())
        with pytest.raises(HashprobeError, match="give hidden= the same number"):
            CodeGeneratorAttack.train(still.model_copy(update={"hidden": 4}), given)

    def test_the_mean_of_the_weights_is_what_is_trained(self) -> None:
        last, mean = (trained_to("code", average=average).network for average in (0.0, 0.9))
        assert not same_tensors(last, mean)
        ones, average = torch.nn.Linear(1, 1), torch.nn.Linear(1, 1)
        torch.nn.init.ones_(ones.weight)
        torch.nn.init.zeros_(average.weight)
        loop._follow(average, ones, 0.9)
        assert average.weight.item() == pytest.approx(0.1)

    @pytest.mark.parametrize("name", ["adversarial", "discriminator_every", "class_outputs"])
    def test_what_a_discriminator_would_need_is_no_setting(self, name: str) -> None:
        with pytest.raises(ValidationError, match=name):
            CodeGeneratorSettings(**{name: 1})

    def test_parts_learn_at_rates_of_their_own(self) -> None:
        still = trained_to("features", decoder_rate=1e-12, pattern_rate=0.0, average=0.0).network
        alone = trained_to("code", epochs=1, average=0.0).network
        assert same_tensors(still.pattern, alone.pattern)
        moved = trained_to("features", decoder_rate=1.0, pattern_rate=0.0, average=0.0).network
        assert same_tensors(moved.pattern, alone.pattern)
        assert not same_tensors(moved.decoder, still.decoder)

    def test_mirrored_images_are_other_images(self) -> None:
        assert not same_tensors(trained_to("code").network, trained_to("code", mirror=False).network)

    def test_pictures_are_mirrored_and_cropped_one_by_one(self) -> None:
        ramp = torch.linspace(-1, 1, SIZE).expand(1, 3, SIZE, SIZE)  # brighter to the right
        images = ramp.repeat(200, 1, 1, 1)
        draws = torch.rand((4, 200), generator=torch.Generator().manual_seed(0))
        plain = batches.pictures_of(images, SMALL.model_copy(update={"mirror": False}), draws)
        assert torch.equal(plain, images)
        mirrored = batches.pictures_of(images, SMALL, draws)
        turned = mirrored[:, 0, 0, 0] > 0
        assert 60 < int(turned.sum()) < 140
        assert torch.equal(mirrored[turned], images[turned].flip(3))
        assert torch.equal(mirrored[~turned], images[~turned])
        cropped = batches.pictures_of(images, SMALL.model_copy(update={"mirror": False, "crop": 0.5}), draws)
        spans = (cropped[:, 0, 0, -1] - cropped[:, 0, 0, 0]) / 2
        assert 0.45 < float(spans.min()) < 0.6 < 0.9 < float(spans.max()) <= 1
        assert float(cropped[:, 0, 0, 0].min()) < -0.9 < 0.5 < float(cropped[:, 0, 0, -1].max())

    @SEES
    def test_bfloat16_computes_nearly_the_same(self, sees: str) -> None:
        one, other = (trained_to(sees, precision=precision).network for precision in ("float32", "bfloat16"))
        assert not same_tensors(one, other)
        assert {parameter.dtype for parameter in other.parameters()} == {torch.float32}
        for first, second in zip(one.parameters(), other.parameters(), strict=True):
            assert (first - second).abs().mean() <= 0.02 + 0.2 * first.abs().mean()

    def test_the_attacked_network_may_see_varied_images(self) -> None:
        varied_all, none = (trained_to("code", diversity=share).network for share in (1.0, 0.0))
        assert not same_tensors(varied_all, none)
        assert same_tensors(trained_to("code", diversity=1.0).network, varied_all)

    def test_a_code_that_must_be_trained_is_refused(self) -> None:
        with pytest.raises(HashprobeError, match="prototype has to be trained itself"):
            trained_to("code", codes=("prototype",))

    def test_there_is_no_discriminator_to_weigh(self) -> None:
        with pytest.raises(ValidationError, match="adversarial"):
            CodeGeneratorSettings(adversarial=1.0)


class TestDraws:
    def test_disjoint_targets_are_drawn_evenly_among_those_allowed(self) -> None:
        targets, labels = torch.eye(4), torch.tensor([[1.0, 0, 0, 0], [1, 1, 1, 0], [1, 1, 1, 1]])
        drawn = np.stack([batches.draw_targets(targets, labels, 0, step, 3) for step in range(600)])
        assert np.bincount(drawn[:, 0], minlength=4)[1:].min() > 150
        assert 0 not in drawn[:, 0]
        assert set(drawn[:, 1]) == {3}
        assert len(set(drawn[:, 2])) == 4

    def test_the_learning_rate_warms_up_and_falls(self) -> None:
        settings = SMALL.model_copy(update={"warm_up": 4, "learning_rate": 1.0})
        optimizer = torch.optim.Adam([torch.zeros(1, requires_grad=True)])
        rates = []
        for step in range(20):
            loop._set_learning_rate({"generator": optimizer}, settings, step, 20)
            rates.append(optimizer.param_groups[0]["lr"])
        assert rates[:5] == [0.25, 0.5, 0.75, 1.0, 1.0]
        assert rates[10] == 1.0
        assert rates[-1] == pytest.approx(0.1)
