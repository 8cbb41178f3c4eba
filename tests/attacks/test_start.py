"""Steps that begin at another attack's image: a grid over all attacks that they may begin at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hashprobe.attacks import (
    ATTACKS,
    PGD,
    PTA,
    Access,
    BorrowedAttack,
    FewStep,
    IterativeAttack,
    Noise,
    Strongest,
)
from hashprobe.attacks.base import project
from hashprobe.errors import HashprobeError
from hashprobe.evaluation import CellSpec, Evaluator
from hashprobe.experiments import evaluate
from hashprobe.hashing import frozen
from hashprobe.identity import fingerprint
from hashprobe.results import ResultRow, lines_of
from hashprobe.results.checks import run_checks
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
STEPS = [
    name
    for name in ATTACKS
    if issubclass(ATTACKS[name], IterativeAttack) and not issubclass(ATTACKS[name], Trained)
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

    def test_the_code_of_the_steps_goes_before_that_of_the_start(self) -> None:
        for text, code in (
            ("PGD:start=CodeGenerator", "mainstay"),
            ("P2P:start=CodeGenerator", "p2p"),
            ("THA:start=ProS-GAN", "circle"),
            ("FewStep:start=Noise", "anchor"),
            ("PTA:start=Noise", "none"),
            ("PTA:start=FewStep", "anchor"),
        ):
            assert CellSpec.read(text).code_name == code, text

    def test_rows_of_two_codes_have_two_names(self, start: Callable[[str], Any]) -> None:
        own = {"ProS-GAN": start("ProS-GAN")}
        names = {
            text: CellSpec.read(text).row_name(CellSpec.read(text).build(own), "paper")
            for text in ("FewStep:start=ProS-GAN", "FewStep:start=ProS-GAN,code=anchor")
        }
        assert len(set(names.values())) == 2

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
            ("FewStep:start=CodeGenerator,random_start=true", "give random_start or start, not both"),
            (
                "PGD:start=CodeGenerator,norm=l2,epsilon=1",
                "CodeGeneratorAttack keeps to a budget in the norm linf",
            ),
            ("PTA:start=CodeGenerator,code=none", "PTA needs a code to reach or to leave"),
        ],
    )
    def test_before_anything_is_computed(self, text: str, message: str) -> None:
        with pytest.raises(HashprobeError, match=message):
            CellSpec.read(text).check()

    @pytest.mark.parametrize("given", ["Noise", Noise])
    def test_what_is_no_attack(self, given: Any) -> None:
        with pytest.raises(HashprobeError, match="start must be an attack"):
            FewStep(start=given)

    def test_a_start_that_learned_another_code(self, start: Callable[[str], Any]) -> None:
        made = start("Universal")
        other = replace(made, settings=made.settings.model_copy(update={"target_code": "mainstay"}))
        with pytest.raises(
            HashprobeError,
            match=r"Universal learned mainstay codes, and the steps .* go to anchor; give code=mainstay",
        ):
            CellSpec.read("FewStep:start=Universal").build({"Universal": other})
        with pytest.raises(HashprobeError, match="Universal learned mainstay codes"):
            CellSpec.read("FewStep:start=Universal").planned_row_name({"Universal": other.settings}, "paper")
        CellSpec.read("FewStep:start=Universal,code=mainstay").build({"Universal": other})

    def test_what_is_not_trained(self) -> None:
        with pytest.raises(HashprobeError, match="CodeGenerator has to be trained first"):
            CellSpec.read("FewStep:start=CodeGenerator").build({})

    def test_two_starts_at_once(self) -> None:
        with pytest.raises(HashprobeError, match="give random_start or start, not both"):
            FewStep(start=Noise(), random_start=True)

    def test_a_budget_of_another_norm(self) -> None:
        with pytest.raises(
            HashprobeError,
            match="Noise keeps to a budget in the norm linf, and the steps from it to one in l2",
        ):
            PGD(start=Noise(), norm="l2", epsilon=1.0)
        with pytest.raises(
            HashprobeError, match="start keeps to a budget in linf and the steps to one in l2"
        ):
            PGD(start=PGD(), norm="l2", epsilon=1.0)
        both = CellSpec.read("PGD:start=strongest,norm=l2,epsilon=1").build({})
        assert isinstance(both, PGD)
        assert isinstance(both.start, Strongest)
        assert (both.start.norm, both.start.epsilon) == ("l2", 1.0)

    def test_no_budget_for_a_start_that_needs_one(self, start: Callable[[str], Any]) -> None:
        with pytest.raises(HashprobeError, match="has no unbounded form"):
            CellSpec.read("FewStep:start=CodeGenerator,epsilon=none").build(
                {"CodeGenerator": start("CodeGenerator")}
            )


@pytest.mark.parametrize("steps", STEPS)
def test_all_gradient_steps_begin_there(steps: str) -> None:
    model, kind = conv_model(BITS), ATTACKS[steps]
    goal = replace(GOAL, objective=kind.objectives[0])
    given: Any = {"steps": 2}
    alone, both = (
        kind(**given, **own).run(model, IMAGES, goal, generator=drawn()) for own in ({}, {"start": Noise()})
    )
    assert not torch.equal(alone.images, both.images)
    twice = kind(**given, restarts=2, start=FewStep(steps=3)).run(model, IMAGES, goal, generator=drawn())
    assert (twice.cost.backward - 2 * alone.cost.backward).tolist() == [3] * COUNT  # the start is made once
    assert twice.restart_bits is not None or steps == "PTA"


def test_restarts_draw_one_by_one() -> None:
    model = conv_model(BITS)
    attack = PGD(steps=1, restarts=2, random_start=True, diversity=0.5)
    found = attack.run(model, IMAGES, GOAL, generator=drawn()).images
    draws = drawn()
    singles = [replace(attack, restarts=1).run(model, IMAGES, GOAL, generator=draws).images for _ in range(2)]
    assert all(any(torch.equal(own, one[row]) for one in singles) for row, own in enumerate(found))


class TestRows:
    def test_two_trainings_are_two_rows_and_one_line(
        self, tmp_path: Path, start: Callable[[str], Any]
    ) -> None:
        model, data, one = conv_model(BITS), tiny_data(), start("CodeGenerator")
        both = [replace(one).with_training_seed(seed) for seed in (1, 2)]
        attacks = ["CodeGenerator", "FewStep:start=CodeGenerator,steps=2"]
        rows = evaluate(
            model, data, attacks=attacks, protocols=["paper"], out=tmp_path, trained=both, gallery=2
        )
        made = [row for row in rows if row.attack == "CodeGenerator + FewStep"]
        assert [(row.training_seed, row.trained, row.code, row.backward_passes) for row in made] == [
            (seed, True, "ap-search", 2.0) for seed in (1, 2)
        ]
        assert [line.training_seeds for line in lines_of(rows, {})[0] if line.attack == made[0].attack] == [2]
        assert (
            evaluate(model, data, attacks=attacks, protocols=["paper"], out=tmp_path, trained=both, gallery=2)
            == rows
        )

    def test_steps_on_another_model_than_the_starts_are_of_that_model(
        self, tmp_path: Path, start: Callable[[str], Any]
    ) -> None:
        other, data, own = conv_model(BITS, seed=5), tiny_data(), start("CodeGenerator")
        attacks = ["FewStep:start=CodeGenerator,steps=1"]
        with pytest.raises(HashprobeError, match="trained"):
            evaluate(other, data, attacks=attacks, protocols=["paper"], out=tmp_path, trained=[own])
        rows = evaluate(
            other,
            data,
            attacks=[*attacks, "CodeGenerator"],
            protocols=["paper"],
            out=tmp_path,
            trained=[own],
            transfer=True,
        )
        seen = {row.attack: row.attacked_model for row in rows if row.is_attack}
        assert seen == {"CodeGenerator + FewStep": None, "CodeGenerator": own.attacked_model}

    def test_the_prototype_code_of_another_model_is_not_gone_to(
        self, tmp_path: Path, start: Callable[[str], Any]
    ) -> None:
        other, data, own = conv_model(BITS, seed=5), tiny_data(), start("ProS-GAN")
        with pytest.raises(HashprobeError, match="the code 'prototype' was trained on another model"):
            evaluate(
                other,
                data,
                attacks=["FewStep:start=ProS-GAN"],
                protocols=["paper"],
                out=tmp_path,
                trained=[own],
                transfer=True,
            )
        named = replace(own.prototype, attacked_model=other.sha256())
        evaluator = Evaluator(other, data, seed=0, trained=[own, named])
        attack = CellSpec.read("FewStep:start=ProS-GAN").build(evaluator.trained)
        assert evaluator.context("paper", attack).trained["prototype"] is named

    def test_steps_that_undo_the_start_are_found(self) -> None:
        def row(attack: str, t_map: float, passes: float) -> ResultRow:
            return ResultRow(
                row=attack,
                attack=attack,
                code="anchor",
                protocol="paper",
                chance=0.3,
                t_map=t_map,
                t_map_low=t_map - 0.01,
                t_map_high=t_map + 0.01,
                epsilon=8 / 255,
                forward_passes=passes,
                backward_passes=0.0,
            )

        found = run_checks([row("CodeGenerator", 0.7, 1), row("CodeGenerator + FewStep", 0.5, 3)])
        assert "more is weaker" in [one.check for one in found]
