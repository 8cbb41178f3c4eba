"""ProS-GAN: networks, losses, training that resumes, and what the attack takes and makes."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from hashprobe.attacks import ProSGAN
from hashprobe.attacks.prosgan import (
    Discriminator,
    Generator,
    ProSGANSettings,
    published,
    train_generator,
)
from hashprobe.attacks.teaching import Critic, loop
from hashprobe.attacks.teaching.losses import (
    discriminator_loss,
    discriminator_target,
    hamming_loss,
)
from hashprobe.data import ImageRows
from hashprobe.errors import HashprobeError
from hashprobe.files import read_json_lines
from hashprobe.targets import PrototypeCode, PrototypeNet
from hashprobe.trained import TrainingRun, load_trained, train_with_required
from helpers import (
    SIZE,
    Interrupted,
    conv_model,
    interrupt_after,
    random_codes,
    random_images,
    same_tensors,
    tiny_data,
    tiny_settings,
)

BITS = 12
CLASSES = 3


def networks(**changes: Any) -> tuple[Generator, PrototypeNet]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Generator(SIZE, width=8, **changes), PrototypeNet(CLASSES, BITS, hidden=16)


def semantics(count: int) -> torch.Tensor:
    return torch.randn(count, 512, generator=torch.Generator().manual_seed(0))


class TestGenerator:
    @pytest.mark.parametrize("size", [32, 64, 224])
    def test_returns_images_of_the_size_it_took(self, size: int) -> None:
        images = random_images(2, size=size) * 2 - 1
        with torch.no_grad():
            output = Generator(size, width=8)(images, semantics(2))
        assert output.shape == images.shape
        assert output.abs().max() < 1

    def test_the_published_one_has_21_and_a_half_million_parameters(self) -> None:
        with torch.device("meta"):
            generator = Generator(224, width=64)
        assert sum(parameter.numel() for parameter in generator.parameters()) == pytest.approx(
            21.5e6, rel=0.01
        )

    def test_a_residual_one_starts_as_the_identity(self) -> None:
        images = random_images(2) * 2 - 1
        assert torch.equal(networks(residual=True)[0](images, semantics(2)), images)

    @pytest.mark.parametrize("epsilon", [8 / 255, 0.3])
    def test_a_bounded_one_stays_within_its_budget(self, epsilon: float) -> None:
        generator, images = networks(residual=True, epsilon=epsilon)[0], random_images(2) * 2 - 1
        torch.nn.init.normal_(generator.output.weight, std=10, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            moved = (generator(images, semantics(2)) - images).abs().max() / 2  # in [0, 1] units
        assert float(moved) == pytest.approx(epsilon, rel=1e-3)
        assert moved <= epsilon + 1e-6

    def test_the_label_reaches_the_output(self) -> None:
        generator, images = networks()[0], random_images(1) * 2 - 1
        assert not torch.allclose(generator(images, semantics(2)[:1]), generator(images, semantics(2)[1:]))

    def test_the_decoder_has_a_width_of_its_own(self) -> None:
        narrow, wide = (Generator(32, width=8, decoder_width=width) for width in (None, 16))
        first, second = (sum(p.numel() for p in one.transform.parameters()) for one in (narrow, wide))
        assert first == second
        assert narrow.decoder[0].out_features == 2 * 8 * 2 * 2
        assert wide.decoder[0].out_features == 2 * 16 * 2 * 2

    def test_a_residual_generator_shows_the_decoders_image_to_its_last_layer(self) -> None:
        assert Generator(32, width=8).output.in_channels == 8 + 3
        assert Generator(32, width=8, residual=True).output.in_channels == 8 + 6

    def test_a_linear_decoder_adds_its_pattern(self) -> None:
        given: dict[str, Any] = {"width": 8, "decoder_width": 16, "residual": True, "epsilon": 0.1}
        own, images = Generator(32, decoder="linear", semantic_width=BITS, **given), torch.zeros(2, 3, 32, 32)
        codes = torch.randn(2, BITS).sign()
        torch.testing.assert_close(own(images, codes), 0.2 * torch.tanh(own.decoder(codes)))

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"image_size": 32, "decoder": "linear"}, "a linear decoder needs residual=True"),
            ({"image_size": 40}, "multiple of 16, at least 32; found 40"),
            ({"image_size": 16}, "multiple of 16, at least 32; found 16"),
            ({"image_size": 32, "width": 12}, "widths must be multiples of 8; found 12 and 12"),
            ({"image_size": 32, "decoder_width": 12}, "widths must be multiples of 8; found 64 and 12"),
            ({"image_size": 32, "epsilon": 0.1}, "needs residual=True"),
        ],
    )
    def test_what_cannot_be_built_is_refused(self, arguments: dict[str, Any], message: str) -> None:
        with pytest.raises(HashprobeError, match=message):
            Generator(**arguments)


class TestDiscriminator:
    @pytest.mark.parametrize(("size", "width"), [(64, 4), (224, 8)])
    @pytest.mark.parametrize("outputs", [1, 5])
    def test_returns_one_row_an_image(self, size: int, width: int, outputs: int) -> None:
        with torch.no_grad():
            assert Discriminator(size, outputs=outputs, width=width)(random_images(2, size=size)).shape == (
                2,
                outputs,
            )

    def test_an_odd_size_is_refused(self) -> None:
        with pytest.raises(HashprobeError, match="multiple of 32; found 48"):
            Discriminator(48, outputs=1)


class TestLosses:
    def test_the_hamming_terms(self) -> None:
        logits, goal = torch.tensor([[0.2, -3.0], [0.0, 1.0]]), torch.tensor([[1.0, 1.0], [-1.0, 1.0]])
        inner = 1 - (np.tanh(0.2) - np.tanh(3.0) - 0 + np.tanh(1.0)) / 4
        assert float(hamming_loss(logits, goal)) == pytest.approx(inner)
        soft = 1 - (np.tanh(0.06) - np.tanh(0.9) - 0 + np.tanh(0.3)) / 4
        assert float(hamming_loss(logits, goal, sharpness=0.3)) == pytest.approx(soft)

    def test_the_hamming_term_rewards_no_shrinking_that_ignores_the_target(self) -> None:
        """Over a goal and its opposite the loss is 1 whatever the outputs are: only knowing the target lowers it."""
        logits, goal = torch.randn(4, 8, generator=torch.Generator().manual_seed(0)), torch.ones(4, 8)
        for size in (0.0, 0.1, 1.0, 10.0):
            both = hamming_loss(size * logits, goal) + hamming_loss(size * logits, -goal)
            assert float(both) / 2 == pytest.approx(1)

    def test_the_discriminators_targets_and_loss(self) -> None:
        labels = torch.tensor([[1.0, 0.0], [1.0, 1.0]])
        with_classes = discriminator_target(labels, generated=1, class_outputs=True)
        assert with_classes.tolist() == [[1, 0, 1], [1, 1, 1]]
        assert discriminator_target(labels, generated=0, class_outputs=False).tolist() == [[0], [0]]
        wrong = discriminator_loss(torch.zeros(2, 3), torch.ones(2, 3), labels, labels, class_outputs=True)
        assert float(wrong) == pytest.approx((3 / 6 + 1 / 6) / 2)
        alone = discriminator_loss(torch.zeros(2, 1), torch.zeros(2, 1), labels, labels, class_outputs=False)
        assert float(alone) == pytest.approx((0 + 1) / 2)


class TestSettings:
    def test_the_named_ones(self) -> None:
        assert ProSGAN.Settings is ProSGANSettings
        assert ProSGAN.presets["released"] == ProSGANSettings(hamming=5.0)
        assert (ProSGANSettings().reconstruction, ProSGANSettings().epochs, ProSGANSettings().batch_size) == (
            100,
            100,
            24,
        )

    def test_a_bounded_generator_must_be_residual(self) -> None:
        with pytest.raises(ValueError, match="needs residual=True"):
            ProSGANSettings(epsilon=0.1)
        with pytest.raises(ValueError, match="a linear decoder needs residual=True"):
            ProSGANSettings(decoder="linear")

    def test_an_unknown_setting_is_refused(self) -> None:
        with pytest.raises(ValidationError, match="epoch"):
            ProSGANSettings(epoch=3)  # type: ignore[call-arg]


SMALL = ProSGANSettings(
    width=8, discriminator_width=2, epochs=2, batch_size=4, reconstruction=1.0, learning_rate=1e-3
)


class TestTraining:
    @pytest.fixture(autouse=True)
    def _often(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(loop, "SECONDS_BETWEEN_CHECKPOINTS", -1.0)
        monkeypatch.setattr(loop, "LOG_EVERY", 2)

    @pytest.mark.parametrize(
        "changes",
        [
            {},
            {"residual": True, "epsilon": 0.1, "class_outputs": False, "sharpness": 0.3},
            {"adversarial": 0.0},
        ],
        ids=["published", "bounded", "alone"],
    )
    def test_goes_on_after_a_kill_as_if_it_had_not_stopped(
        self, changes: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        model, data, settings = conv_model(BITS), tiny_data(train=14), SMALL.model_copy(update=changes)
        prototypes = networks()[1]
        whole, expected = train_generator(model, data, prototypes, settings, seed=1)
        with monkeypatch.context() as patch:
            interrupt_after(
                patch, torch.optim.Adam, 6
            )  # of eight steps of G, and three of D where it is heard
            with pytest.raises(Interrupted):
                train_generator(model, data, prototypes, settings, seed=1, checkpoint=tmp_path / "state")
        assert (tmp_path / "state").exists()
        assert model.training
        assert all(parameter.requires_grad for parameter in model.parameters())
        resumed, records = train_generator(
            model,
            data,
            prototypes,
            settings,
            seed=1,
            checkpoint=tmp_path / "state",
            log=tmp_path / "log.jsonl",
        )
        assert same_tensors(whole, resumed)
        assert records == expected == read_json_lines(tmp_path / "log.jsonl")
        assert [record["step"] for record in records] == [2, 4, 6, 8]
        again, _ = train_generator(model, data, prototypes, settings, seed=1, checkpoint=tmp_path / "state")
        assert same_tensors(whole, again)

    def test_a_discriminator_that_is_not_heard_is_not_trained_and_is_not_missed(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        given = (
            conv_model(BITS),
            tiny_data(train=14),
            networks()[1],
            SMALL.model_copy(update={"adversarial": 0.0}),
        )
        found, _ = train_generator(*given, seed=1)
        judged = Discriminator(32, outputs=4, width=2)
        before, teach = judged.state_dict()["0.bias"].clone(), published.teach

        def with_one(pupil: loop.Pupil, *own: Any, **more: Any) -> Any:
            assert pupil.critic is None
            critic = Critic(discriminator=judged, weight=0.0, every=3, class_outputs=True)
            return teach(dataclasses.replace(pupil, critic=critic), *own, **more)

        monkeypatch.setattr(published, "teach", with_one)
        again, _ = train_generator(*given, seed=1)
        assert not torch.equal(judged.state_dict()["0.bias"], before)
        assert same_tensors(found, again)

    def test_images_that_only_the_discriminator_could_not_take_are_learned_where_there_is_none(self) -> None:
        data = tiny_data(train=4)
        pictures = np.pad(data.train.images[:], ((0, 0), (0, 0), (0, 16), (0, 16)))  # 48, no multiple of 32
        query = dataclasses.replace(data.query, images=ImageRows(pictures))
        wide = dataclasses.replace(
            data, query=query, train=dataclasses.replace(data.train, images=ImageRows(pictures))
        )
        given = (conv_model(BITS), wide, networks()[1])
        alone = SMALL.model_copy(update={"adversarial": 0.0})
        assert len(train_generator(*given, alone, seed=0)[1]) == 1
        with pytest.raises(HashprobeError, match=r"the discriminator needs images .* found 48"):
            train_generator(*given, SMALL, seed=0)

    @pytest.mark.parametrize("decoder", ["convolutions", "linear"])
    def test_bfloat16_computes_nearly_the_same_and_keeps_weights_and_images_in_float32(
        self, decoder: Any
    ) -> None:
        changes = {"epochs": 1, "residual": True, "epsilon": 0.1, "decoder": decoder}
        made = {}
        for precision in ("float32", "bfloat16"):
            settings = SMALL.model_copy(update={**changes, "precision": precision})
            given = (conv_model(BITS), tiny_data(train=8), networks()[1], settings)
            generator, records = train_generator(*given, seed=0)
            assert {parameter.dtype for parameter in generator.parameters()} == {torch.float32}
            made[precision] = generator, records[-1]["hamming"]
        assert not same_tensors(made["float32"][0], made["bfloat16"][0])
        assert made["bfloat16"][1] == pytest.approx(made["float32"][1], abs=0.02)
        images = torch.full((1, 3, SIZE, SIZE), 0.5, dtype=torch.float32)
        with torch.autocast("cpu", torch.bfloat16):
            known = semantics(1) if decoder == "convolutions" else torch.ones(1, BITS)
            drawn = made["bfloat16"][0](images, known)
        assert drawn.dtype == torch.float32

    def test_a_linear_decoder_comes_back_from_its_folder(self, tmp_path: Path) -> None:
        settings = SMALL.model_copy(
            update={"decoder": "linear", "decoder_width": 8, "residual": True, "epsilon": 0.1, "average": 0.9}
        )
        model, data, prototypes = conv_model(BITS), tiny_data(train=8), networks()[1]
        run = TrainingRun(
            model=model, data=data, seed=0, trained={"prototype": PrototypeCode(network=prototypes)}
        )
        made = ProSGAN.train(settings, run)
        assert made.generator.decoder.layers[0].in_features == BITS  # type: ignore[union-attr]
        made.save(tmp_path / "saved")
        loaded: Any = load_trained(tmp_path / "saved")
        assert same_tensors(loaded.generator, made.generator)

    def test_learns_to_turn_bits_and_leaves_model_and_prototypes(self) -> None:
        model, data, prototypes = conv_model(BITS), tiny_data(train=8), networks()[1]
        before, prototypes_before = (
            model.sha256(),
            {key: value.clone() for key, value in prototypes.state_dict().items()},
        )
        settings = SMALL.model_copy(update={"epochs": 12, "reconstruction": 0.0, "residual": True})
        generator, records = train_generator(model, data, prototypes, settings, seed=0)
        assert records[-1]["hamming"] < records[0]["hamming"]
        assert records[-1]["bits"] > records[0]["bits"]
        assert not generator.training
        assert not any(parameter.requires_grad for parameter in generator.parameters())
        assert model.sha256() == before
        assert all(
            torch.equal(value, prototypes_before[key]) for key, value in prototypes.state_dict().items()
        )

    def test_the_seed_alone_decides(self) -> None:
        model, data, prototypes = conv_model(BITS), tiny_data(train=4), networks()[1]
        settings = SMALL.model_copy(update={"epochs": 1})
        state = torch.random.get_rng_state()
        first, second, third = (
            train_generator(model, data, prototypes, settings, seed=seed)[0] for seed in (0, 0, 1)
        )
        assert same_tensors(first, second)
        assert not same_tensors(first, third)
        assert torch.equal(state, torch.random.get_rng_state())

    def test_a_prototype_net_of_other_bits_or_classes_is_refused(self) -> None:
        with pytest.raises(
            HashprobeError, match="PrototypeNet has 16 bits and 3 classes; model and data have 12 and 3"
        ):
            train_generator(conv_model(BITS), tiny_data(), PrototypeNet(CLASSES, 16, hidden=8), SMALL, seed=0)

    @pytest.mark.parametrize("changed", ["model", "prototypes"])
    def test_a_checkpoint_against_other_networks_is_refused(self, changed: str, tmp_path: Path) -> None:
        settings, data, prototypes = SMALL.model_copy(update={"epochs": 1}), tiny_data(train=4), networks()[1]
        train_generator(conv_model(BITS), data, prototypes, settings, seed=0, checkpoint=tmp_path / "state")
        if changed == "prototypes":
            prototypes = PrototypeNet(CLASSES, BITS, hidden=16)
        other = conv_model(BITS, seed=int(changed == "model"))
        with pytest.raises(HashprobeError, match="belongs to a training with other settings, data or model"):
            train_generator(other, data, prototypes, settings, seed=0, checkpoint=tmp_path / "state")


def prosgan(*, epsilon: float | None = None, bound: float | None = None) -> ProSGAN:
    generator, prototypes = networks(residual=bound is not None, epsilon=bound)
    torch.nn.init.normal_(generator.output.weight, generator=torch.Generator().manual_seed(0))
    return ProSGAN(
        epsilon=epsilon or bound,
        generator=generator.eval(),
        prototype=PrototypeCode(network=prototypes),
        settings=SMALL.model_copy(update={"residual": bound is not None, "epsilon": bound}),
        image_size=SIZE,
    )


class TestAttack:
    def test_is_what_the_generator_makes_of_the_label_clipped_to_the_budget(self, tmp_path: Path) -> None:
        prosgan(epsilon=0.05, bound=0.2).save(tmp_path / "saved")
        loaded: Any = load_trained(tmp_path / "saved", kind="ProS-GAN")
        assert (loaded.epsilon, loaded.image_size, loaded.settings.epsilon) == (0.2, SIZE, 0.2)
        with pytest.raises(
            HashprobeError, match=r"this ProS-GAN was trained within 51/255, so it has no unbounded"
        ):
            dataclasses.replace(loaded, epsilon=None)
        images, labels, own = random_images(2), np.eye(CLASSES)[:2], prosgan(bound=0.2)
        with torch.no_grad():
            semantics, _, _ = own.prototype.network(torch.from_numpy(labels).float())
            expected = ((own.generator(images * 2 - 1, semantics) + 1) / 2).clamp(0, 1)
        given = (conv_model(BITS), images, random_codes(2, BITS))
        torch.testing.assert_close(loaded(*given, labels=labels), expected)
        assert 0.05 < (expected - images).abs().max() <= 0.2 + 1e-6
        clipped = prosgan(epsilon=0.05, bound=0.2)(*given, labels=labels)
        torch.testing.assert_close(clipped, (images + (expected - images).clamp(-0.05, 0.05)).clamp(0, 1))

    def test_the_target_code_is_not_looked_at_and_the_label_is(self) -> None:
        attack, labels, codes = prosgan(), np.eye(CLASSES)[:2], random_codes(2, BITS)
        given = (conv_model(BITS), random_images(2))
        adversarial = attack(*given, codes, labels=labels)
        assert torch.equal(adversarial, attack(*given, ~codes & 0xF0, labels=labels))
        assert not torch.equal(adversarial, attack(*given, codes, labels=1 - labels))

    def test_other_classes_or_another_image_size_are_refused(self) -> None:
        attack, model, codes = prosgan(), conv_model(BITS), random_codes(2, BITS)
        with pytest.raises(HashprobeError, match="this ProS-GAN knows 3 classes; the target labels have 5"):
            attack(model, random_images(2), codes, labels=np.eye(5)[:2])
        with pytest.raises(HashprobeError, match="this ProS-GAN takes images of 32×32; found 64×64"):
            attack(model, random_images(2, size=64), codes, labels=np.eye(CLASSES)[:2])


def test_a_killed_training_goes_on_in_its_folder_and_its_prototype_is_not_trained_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "SECONDS_BETWEEN_CHECKPOINTS", -1.0)
    monkeypatch.setattr(loop, "LOG_EVERY", 2)
    settings = {**tiny_settings("ProS-GAN"), "ProS-GAN": SMALL}  # 2 epochs of 4 batches
    run = TrainingRun(model=conv_model(BITS), data=tiny_data(train=14), seed=0)
    whole = train_with_required("ProS-GAN", settings, run, tmp_path / "whole")
    of_prototype, of_generator = 3, 8 + math.ceil(8 / SMALL.discriminator_every)
    with monkeypatch.context() as patch:
        interrupt_after(patch, torch.optim.Adam, of_prototype + of_generator - 2)
        with pytest.raises(Interrupted):
            train_with_required("ProS-GAN", settings, run, tmp_path / "killed")
    left = sorted(path.name for path in (tmp_path / "killed").iterdir())
    assert left == ["checkpoint.safetensors", "prototype"]
    with monkeypatch.context() as patch:
        interrupt_after(patch, torch.optim.Adam, 3)  # steps 7 and 8 of G, and 7 of D: no more are left
        resumed = train_with_required("ProS-GAN", settings, run, tmp_path / "killed")
    assert resumed.sha256() == whole.sha256()
    left = sorted(path.name for path in (tmp_path / "killed").iterdir())
    assert left == ["generator.safetensors", "prototype", "trained.json"]
