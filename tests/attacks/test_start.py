"""Steps that begin at another attack's image: a grid over all attacks that they may begin at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from hashprobe.attacks import ATTACKS, PGD, PTA, Access, BorrowedAttack, FewStep, Noise, Strongest
from hashprobe.attacks.base import project
from hashprobe.errors import HashprobeError
from hashprobe.evaluation import CellSpec
from hashprobe.hashing import frozen
from hashprobe.identity import fingerprint
from hashprobe.targets import Goal, unique_labels
from hashprobe.trained import Trained
from helpers import SIZE, conv_model, random_codes, random_images, tiny_data

BITS, COUNT = 12, 3
IMAGES = random_images(COUNT)
LABELS = unique_labels(tiny_data().database.labels)[:COUNT]  # such as a trained attack has met
GOAL = Goal(
    codes=random_codes(COUNT, BITS),
    labels=LABELS,
    training=(random_codes(30, BITS, seed=2), np.eye(LABELS.shape[1], dtype=np.uint8)[np.arange(30) % LABELS.shape[1]]),
)  # fmt: skip
STARTS = [
    name
    for name, kind in ((name, ATTACKS[name]) for name in ATTACKS)
    if kind.access in (Access.NOTHING, Access.GRADIENTS) and not issubclass(kind, BorrowedAttack)
]
ASKING = [name for name in ATTACKS if ATTACKS[name].access not in (Access.NOTHING, Access.GRADIENTS)]


def drawn() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.fixture
def start(trained: Callable[[str], Trained]) -> Callable[[str], Any]:
    """Makes an attack by name, with few steps; one that is trained has been trained for a moment."""

    def make(name: str) -> Any:
        made: Any = trained(name) if issubclass(ATTACKS[name], Trained) else ATTACKS[name]()
        made = replace(made, epsilon=8 / 255)
        return replace(made, steps=2) if hasattr(made, "steps") else made

    return make


@pytest.mark.parametrize("name", STARTS)
class TestAnyStart:
    def test_the_steps_are_those_from_its_image(self, name: str, start: Callable[[str], Any]) -> None:
        model, own = conv_model(BITS), start(name)
        goal = replace(GOAL, objective=own.objectives[0])
        first = own.run(model, IMAGES, goal, generator=drawn())
        both = FewStep(start=own, steps=2).run(model, IMAGES, goal, generator=drawn())
        assert (both.images - IMAGES).abs().max() <= 8 / 255 + 1e-6
        assert both.cost.backward.tolist() == (first.cost.backward + 2).tolist()
        assert both.winners == ()
        assert both.restart_bits is None
        begun, wanted = first.images.requires_grad_(True), goal.direction(BITS, IMAGES)
        with frozen(model):  # the first of the steps, once more from the formula
            logits = model.attack_logits(begun)
            scaled = torch.tanh(0.1 * logits / logits.detach().abs().mean(dim=1, keepdim=True))
            (gradient,) = torch.autograd.grad(-(wanted * scaled).mean(dim=1).sum(), begun)
        once = project(begun.detach() - 4 / 255 * gradient.sign(), IMAGES, 8 / 255)
        one = FewStep(start=own, steps=1).run(model, IMAGES, goal, generator=drawn()).images
        torch.testing.assert_close(one, once)

    def test_a_row_names_both_and_its_draws_are_its_own(self, name: str, start: Callable[[str], Any]) -> None:
        spec, alone = CellSpec.read(f"FewStep:start={name},steps=2"), CellSpec.read("FewStep:steps=2")
        assert spec.title == f"{name} + FewStep"
        assert fingerprint(spec) != fingerprint(alone)
        built = spec.build({name: start(name)}) if issubclass(ATTACKS[name], Trained) else spec.build({})
        assert [type(stage).__name__ for stage in built.stages] == [ATTACKS[name].__name__, "FewStep"]
        assert built.stages[0].epsilon == 8 / 255
        assert spec.row_name(built, "paper").startswith(f"fewstep-from-{name.lower()}-8of255")
        assert "start=" in built.described()


class TestWhatItNeeds:
    def test_the_trained_start_and_its_code(self) -> None:
        spec = CellSpec.read("FewStep:start=ProS-GAN")
        assert (spec.code_name, spec.needs) == ("prototype", ("ProS-GAN",))
        spec = CellSpec.read("PTA:start=CodeGenerator,code=prototype")
        assert (spec.code_name, spec.needs) == ("prototype", ("prototype", "CodeGenerator"))
        assert CellSpec.read("PTA:start=CodeGenerator").code_name == "ap-search"
        assert CellSpec.read("PGD:start=Noise").code_name == "mainstay"

    def test_labels_and_training_codes_of_either(self, start: Callable[[str], Any]) -> None:
        codes = replace(GOAL, labels=None, training=None)
        for attack in (FewStep(start=PTA(steps=1), steps=1), PTA(start=FewStep(steps=1), steps=1)):
            with pytest.raises(HashprobeError, match="reads the labels of its goal"):
                attack.run(conv_model(BITS), IMAGES, codes)
            with pytest.raises(HashprobeError, match="reads codes and labels of training images"):
                attack.run(conv_model(BITS), IMAGES, replace(GOAL, training=None))

    def test_no_images(self, start: Callable[[str], Any]) -> None:
        none = Goal(codes=random_codes(0, BITS))
        found = FewStep(start=start("CodeGenerator"), steps=1).run(conv_model(BITS), IMAGES[:0], none)
        assert found.images.shape == (0, 3, SIZE, SIZE)


class TestRefused:
    @pytest.mark.parametrize("name", ASKING)
    def test_a_start_that_asks(self, name: str) -> None:
        with pytest.raises(HashprobeError, match="asks the attacked model questions"):
            FewStep(start=ATTACKS[name]())
        with pytest.raises(HashprobeError, match="asks the attacked model questions"):
            CellSpec.read(f"FewStep:start={name}").check()

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("FGSM:start=Noise", "FGSM does not begin at another attack's image"),
            ("Surrogate:start=Noise", "Surrogate does not begin at another attack's image"),
            ("FewStep:start=noise", "no attack is named 'noise'; did you mean 'Noise'"),
            ("FewStep:start=none", "no attack is named 'none'"),
            ("FewStep:start=ProS-GAN,goal=untargeted", "ProS-GAN has no untargeted form"),
        ],
    )
    def test_before_anything_is_computed(self, text: str, message: str) -> None:
        with pytest.raises(HashprobeError, match=message):
            CellSpec.read(text).check()

    def test_what_is_not_trained(self) -> None:
        with pytest.raises(HashprobeError, match="CodeGenerator has to be trained first"):
            CellSpec.read("FewStep:start=CodeGenerator").build({})

    def test_two_starts_at_once(self) -> None:
        with pytest.raises(HashprobeError, match="give random_start or start, not both"):
            FewStep(start=Noise(), random_start=True)

    def test_a_budget_of_another_norm(self, start: Callable[[str], Any]) -> None:
        with pytest.raises(HashprobeError, match="begin at an image within one; that of start is in linf"):
            PGD(start=Noise(), norm="l2", epsilon=1.0)
        with pytest.raises(HashprobeError, match="CodeGeneratorAttack keeps to a budget in the norm linf"):
            CellSpec.read("PGD:start=CodeGenerator,norm=l2,epsilon=1").build(
                {"CodeGenerator": start("CodeGenerator")}
            )
        both = CellSpec.read("PGD:start=strongest,norm=l2,epsilon=1").build({})
        assert isinstance(both, PGD)
        assert isinstance(both.start, Strongest)
        assert (both.start.norm, both.start.epsilon) == ("l2", 1.0)

    def test_no_budget_for_a_start_that_needs_one(self, start: Callable[[str], Any]) -> None:
        with pytest.raises(HashprobeError, match="has no unbounded form"):
            CellSpec.read("FewStep:start=CodeGenerator,epsilon=none").build(
                {"CodeGenerator": start("CodeGenerator")}
            )
