"""What every attack promises: one grid over all registered ones, and ProS-GAN with random networks."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch

import hashprobe.attacks
from hashprobe.attacks import ATTACKS, DHTA, FGSM, IFGSM, Attack, Noise, ProSGAN
from hashprobe.attacks.prosgan import Generator, ProSGANSettings
from hashprobe.errors import HashprobeError
from hashprobe.targets import PrototypeNet
from helpers import SIZE, conv_model, random_codes, random_images

BITS = 12
CLASSES = 4
COUNT = 3


def of_numbers(name: str, **changes: Any) -> Attack:
    """A registered attack with few steps."""
    kind = ATTACKS[name]
    if "steps" in {field.name for field in dataclasses.fields(kind)}:
        changes = {"steps": 4, **changes}
    return kind(**changes)


def prosgan(*, epsilon: float | None = 8 / 255, seed: int = 0) -> ProSGAN:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        generator, prototypes = Generator(SIZE, width=8), PrototypeNet(CLASSES, BITS, hidden=16)
    settings = ProSGANSettings(width=8)
    return ProSGAN(
        epsilon=epsilon, generator=generator, prototypes=prototypes, settings=settings, image_size=SIZE
    )


EVERY = [*ATTACKS, "ProS-GAN"]
OF_GRADIENTS = [name for name in ATTACKS if name != "Noise"]


def made(name: str, **changes: Any) -> Attack:
    return prosgan(**changes) if name == "ProS-GAN" else of_numbers(name, **changes)


@pytest.fixture
def arguments() -> dict[str, Any]:
    labels = np.eye(CLASSES, dtype=np.uint8)[:COUNT]
    return {"images": random_images(COUNT), "codes": random_codes(COUNT, BITS), "labels": labels}


def test_all_are_there() -> None:
    assert {"Noise", "P2P", "DHTA", "FGSM", "I-FGSM"} <= set(ATTACKS)


@pytest.mark.parametrize("name", EVERY)
class TestEveryAttack:
    @pytest.mark.parametrize("epsilon", [8 / 255, 0.5])
    def test_holds_its_budget_and_leaves_its_input(
        self, name: str, epsilon: float, arguments: dict[str, Any]
    ) -> None:
        images, before = arguments["images"], arguments["images"].clone()
        codes_before = arguments["codes"].copy()
        adversarial = made(name, epsilon=epsilon)(conv_model(BITS), **arguments)
        assert adversarial.shape == images.shape
        assert adversarial.dtype == images.dtype
        assert (adversarial - images).abs().max() <= epsilon + 1e-6
        assert adversarial.min() >= 0
        assert adversarial.max() <= 1
        assert torch.equal(images, before)
        assert np.array_equal(arguments["codes"], codes_before)
        assert not torch.equal(adversarial, images)

    def test_restores_mode_parameters_and_weights(self, name: str, arguments: dict[str, Any]) -> None:
        model = conv_model(BITS)
        model.network.backbone[1].eval()
        model.network.hash_layer.bias.requires_grad_(False)
        state = {key: value.clone() for key, value in model.state_dict().items()}
        modes = [module.training for module in model.modules()]
        wanted = [parameter.requires_grad for parameter in model.parameters()]
        made(name)(model, **arguments)
        assert [module.training for module in model.modules()] == modes
        assert [parameter.requires_grad for parameter in model.parameters()] == wanted
        assert all(parameter.grad is None for parameter in model.parameters())
        assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())

    def test_the_generator_decides(self, name: str, arguments: dict[str, Any]) -> None:
        model, attack = conv_model(BITS), made(name)
        first, second = (
            attack(model, **arguments, generator=torch.Generator().manual_seed(5)) for _ in range(2)
        )
        assert torch.equal(first, second)
        assert torch.equal(attack(model, **arguments), attack(model, **arguments))

    def test_uint8_and_arrays_are_taken(self, name: str, arguments: dict[str, Any]) -> None:
        model, attack = conv_model(BITS), made(name)
        images = (arguments.pop("images") * 255).round().to(torch.uint8)
        expected = attack(model, images.float() / 255, **arguments)
        assert torch.equal(attack(model, images, **arguments), expected)
        assert torch.equal(attack(model, images.numpy(), **arguments), expected)

    def test_float64_images_are_taken(self, name: str, arguments: dict[str, Any]) -> None:
        images = arguments.pop("images").double()
        adversarial = made(name)(conv_model(BITS), images, **arguments)
        assert adversarial.dtype == torch.float64
        assert (adversarial - images).abs().max() <= 8 / 255 + 1e-9

    def test_no_gradient_leaves_or_is_needed(self, name: str, arguments: dict[str, Any]) -> None:
        model, attack = conv_model(BITS), made(name)
        expected = attack(model, **arguments)
        images = arguments.pop("images").clone().requires_grad_(True)
        adversarial = attack(model, images, **arguments)
        assert not adversarial.requires_grad
        assert images.grad is None
        with torch.no_grad():
            assert torch.equal(attack(model, images, **arguments), expected)

    def test_no_image_gives_no_image(self, name: str) -> None:
        empty = {
            "images": torch.zeros(0, 3, SIZE, SIZE),
            "codes": np.zeros((0, 2), np.uint8),
            "labels": np.zeros((0, CLASSES)),
        }
        assert made(name)(conv_model(BITS), **empty).shape == (0, 3, SIZE, SIZE)

    @pytest.mark.parametrize(
        ("images", "message"),
        [
            (torch.full((COUNT, 3, SIZE, SIZE), 1.5), r"images must lie in \[0, 1\]; found \[1\.5, 1\.5\]"),
            (torch.full((COUNT, 3, SIZE, SIZE), float("nan")), r"images must lie in \[0, 1\]; found NaN"),
            (torch.zeros(COUNT, 1, SIZE, SIZE), r"images must have shape \(n, 3, height, width\); found"),
        ],
        ids=["range", "nan", "shape"],
    )
    def test_what_is_no_image_is_refused(
        self, name: str, images: torch.Tensor, message: str, arguments: dict[str, Any]
    ) -> None:
        with pytest.raises(HashprobeError, match=message):
            made(name)(conv_model(BITS), **{**arguments, "images": images})

    @pytest.mark.parametrize(
        "codes",
        [
            random_codes(COUNT, BITS).astype(np.int64),
            random_codes(COUNT, 16)[:, :1],
            random_codes(COUNT + 1, BITS),
            np.ones((COUNT, BITS)),
        ],
        ids=["type", "bits", "count", "signs"],
    )
    def test_codes_of_another_form_are_refused(
        self, name: str, codes: np.ndarray, arguments: dict[str, Any]
    ) -> None:
        with pytest.raises(
            HashprobeError,
            match=r"target codes must be packed uint8 of shape \(3, 2\) \(3 images, 12 bits\); found",
        ):
            made(name)(conv_model(BITS), **{**arguments, "codes": codes})

    def test_restores_the_model_after_an_error(self, name: str, arguments: dict[str, Any]) -> None:
        model = conv_model(BITS)
        with pytest.raises(HashprobeError):
            made(name)(model, **{**arguments, "images": torch.full((COUNT, 3, SIZE, SIZE), 2.0)})
        assert model.training
        assert all(parameter.requires_grad for parameter in model.parameters())

    @pytest.mark.parametrize("epsilon", [0.0, -0.1, 1.5, float("nan")])
    def test_a_budget_out_of_range_is_refused(self, name: str, epsilon: float) -> None:
        with pytest.raises(
            HashprobeError, match=r"epsilon must be in \(0, 1\], as 8/255, or None for unbounded; found"
        ):
            made(name, epsilon=epsilon)

    def test_is_frozen(self, name: str) -> None:
        with pytest.raises(dataclasses.FrozenInstanceError):
            made(name).epsilon = 1.0  # type: ignore[misc]


@pytest.mark.parametrize("name", [*OF_GRADIENTS, "ProS-GAN"])
def test_an_image_is_attacked_alike_in_a_batch_of_any_size(name: str, arguments: dict[str, Any]) -> None:
    """In float64, where no gradient's sign hangs on the order of a sum."""
    model, attack = conv_model(BITS).double(), made(name)
    if isinstance(attack, ProSGAN):
        attack.generator.double()
        attack.prototypes.float()
    images, codes, labels = arguments["images"].double(), arguments["codes"], arguments["labels"]
    together = attack(model, images, codes, labels=labels)
    alone = [
        attack(model, images[row : row + 1], codes[row : row + 1], labels=labels[row : row + 1])
        for row in range(COUNT)
    ]
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", list(ATTACKS))
def test_repr_is_the_attack(name: str) -> None:
    for attack in (ATTACKS[name](), of_numbers(name, epsilon=0.25)):
        assert eval(repr(attack), vars(hashprobe.attacks)) == attack


@pytest.mark.parametrize("name", [name for name in ATTACKS if name != "FGSM"])
def test_unbounded_stays_an_image(name: str, arguments: dict[str, Any]) -> None:
    changes = (
        {"step_size": 0.2} if name == "I-FGSM" else {"step_size": 20.0} if name in ("DHTA", "P2P") else {}
    )
    adversarial = of_numbers(name, epsilon=None, **changes)(conv_model(BITS), **arguments)
    assert (adversarial - arguments["images"]).abs().max() > 8 / 255
    assert adversarial.min() >= 0
    assert adversarial.max() <= 1


def test_fgsm_has_no_unbounded_form() -> None:
    with pytest.raises(HashprobeError, match="FGSM steps by epsilon, so it has no unbounded form"):
        FGSM(epsilon=None)


@pytest.mark.parametrize(
    ("attack", "passes"),
    [(Noise(), 0), (FGSM(), 1), (IFGSM(steps=7), 7), (DHTA(), 2000)],
    ids=["noise", "fgsm", "ifgsm", "dhta"],
)
def test_passes_are_counted(
    attack: Attack, passes: int, monkeypatch: pytest.MonkeyPatch, arguments: dict[str, Any]
) -> None:
    assert (attack.forward_passes, attack.backward_passes) == (passes, passes)
    if passes <= 7:
        model, calls = conv_model(BITS), []
        model.network.register_forward_hook(lambda *_: calls.append(1))
        attack(model, **arguments)
        assert len(calls) == passes


class TestProSGANInput:
    @pytest.mark.parametrize("labels", [None, np.eye(CLASSES)[:2]])
    def test_labels_must_be_given(self, labels: np.ndarray | None, arguments: dict[str, Any]) -> None:
        found = "none" if labels is None else 2
        with pytest.raises(
            HashprobeError,
            match=rf"ProSGAN reads target labels: give labels=, one row an image \(3; found {found}\)",
        ):
            prosgan()(conv_model(BITS), **{**arguments, "labels": labels})

    def test_other_classes_are_refused(self, arguments: dict[str, Any]) -> None:
        with pytest.raises(HashprobeError, match="this ProS-GAN knows 4 classes; the target labels have 5"):
            prosgan()(conv_model(BITS), **{**arguments, "labels": np.eye(5)[:COUNT]})

    def test_class_numbers_are_refused(self, arguments: dict[str, Any]) -> None:
        with pytest.raises(HashprobeError, match=r"labels must be multi-hot.*found \(3,\)"):
            prosgan()(conv_model(BITS), **{**arguments, "labels": np.arange(COUNT)})

    def test_another_image_size_is_refused(self, arguments: dict[str, Any]) -> None:
        with pytest.raises(HashprobeError, match="this ProS-GAN takes images of 32×32; found 64×64"):
            prosgan()(conv_model(BITS), **{**arguments, "images": random_images(COUNT, size=64)})

    def test_the_target_code_is_not_looked_at_and_the_label_is(self, arguments: dict[str, Any]) -> None:
        attack, model = prosgan(epsilon=None), conv_model(BITS)
        adversarial = attack(model, **arguments)
        assert torch.equal(adversarial, attack(model, **{**arguments, "codes": ~arguments["codes"] & 0xF0}))
        assert not torch.equal(adversarial, attack(model, **{**arguments, "labels": 1 - arguments["labels"]}))


@pytest.mark.parametrize("name", ["P2P", "DHTA", "I-FGSM"])
@pytest.mark.parametrize("wrong", [{"steps": 0}, {"step_size": 0.0}, {"step_size": -1.0}])
def test_steps_that_go_nowhere_are_refused(name: str, wrong: dict[str, float]) -> None:
    with pytest.raises(HashprobeError, match="steps must be at least 1 and step_size positive"):
        ATTACKS[name](**wrong)
