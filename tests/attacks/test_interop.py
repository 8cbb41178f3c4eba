"""Attacks of torchattacks and foolbox: on our goals in their own loops, and as attacks here."""

from __future__ import annotations

import dataclasses
import random
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hashprobe.attacks import (
    ATTACKS,
    FGSM,
    IFGSM,
    Access,
    Foolbox,
    GoalClassifier,
    Torchattacks,
    goal_reached,
)
from hashprobe.errors import HashprobeError
from hashprobe.evaluation import CellSpec
from hashprobe.hashing import HashModel
from hashprobe.retrieval import unpack
from hashprobe.targets import Goal
from helpers import conv_model, linear_model, random_codes, random_images

BITS, COUNT, EPSILON, STEP, STEPS = 12, 5, 8 / 255, 1 / 255, 6
OBJECTIVES = ["targeted", "untargeted"]
torchattacks = pytest.importorskip("torchattacks", reason="torchattacks is not installed (extra interop)")
foolbox = pytest.importorskip("foolbox", reason="foolbox is not installed (extra interop)")


def attacked(objective: str) -> tuple[HashModel, torch.Tensor, Goal]:
    """A model, images and a goal of their own, in float64, where no gradient's sign hangs on rounding."""
    model, images = conv_model(BITS).double(), random_images(COUNT).double()
    codes = random_codes(COUNT, BITS) if objective == "targeted" else model.codes(images)
    return model, images, Goal(objective=objective, codes=codes)  # type: ignore[arg-type]


def ours(name: str) -> Any:
    if name == "FGSM":
        return FGSM(epsilon=EPSILON, objective="tanh")
    return IFGSM(epsilon=EPSILON, steps=STEPS, step_size=STEP, objective="tanh")


def in_torchattacks(name: str, classifier: GoalClassifier, images: torch.Tensor) -> torch.Tensor:
    if name == "FGSM":
        attack = torchattacks.FGSM(classifier, eps=EPSILON)
    elif name == "BIM":
        attack = torchattacks.BIM(classifier, eps=EPSILON, alpha=STEP, steps=STEPS)
    else:
        attack = torchattacks.PGD(classifier, eps=EPSILON, alpha=STEP, steps=STEPS, random_start=False)
    return attack(images, classifier.labels)


def in_foolbox(name: str, classifier: GoalClassifier, images: torch.Tensor) -> torch.Tensor:
    numbers = {"abs_stepsize": STEP, "steps": STEPS, "random_start": False}
    attacks = {
        "FGSM": foolbox.attacks.LinfFastGradientAttack,
        "BIM": foolbox.attacks.LinfBasicIterativeAttack,
        "PGD": foolbox.attacks.LinfPGD,
    }
    attack = attacks[name](**({} if name == "FGSM" else numbers))
    model = foolbox.PyTorchModel(classifier, bounds=(0, 1), device=images.device)
    return attack(model, images, classifier.labels, epsilons=EPSILON)[1]


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("name", ["FGSM", "BIM", "PGD"])
@pytest.mark.parametrize("run", [in_torchattacks, in_foolbox])
def test_their_loops_on_our_goal_give_our_images(run: Any, name: str, objective: str) -> None:
    model, images, goal = attacked(objective)
    expected = ours(name).run(model, images, goal).images
    found = run(name, GoalClassifier(model, goal, objective="tanh"), images)
    assert (expected - images).abs().max() > STEP / 2
    torch.testing.assert_close(found, expected, atol=1e-12, rtol=0)
    other = Goal(objective=goal.objective, codes=goal.codes[::-1].copy())
    assert not torch.allclose(
        run(name, GoalClassifier(model, other, objective="tanh"), images), expected, atol=1e-3
    )


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize(
    ("attack", "name"),
    [
        (Torchattacks(name="FGSM", epsilon=EPSILON), "FGSM"),
        (Torchattacks(name="BIM", epsilon=EPSILON, steps=STEPS, step_size=STEP), "BIM"),
        (
            Torchattacks(epsilon=EPSILON, steps=STEPS, step_size=STEP, arguments="random_start=false"),
            "PGD",
        ),
        (Foolbox(name="FGSM", epsilon=EPSILON), "FGSM"),
        (Foolbox(name="LinfBasicIterativeAttack", epsilon=EPSILON, steps=STEPS, step_size=STEP), "BIM"),
        (Foolbox(epsilon=EPSILON, steps=STEPS, step_size=STEP, arguments="random_start=false"), "PGD"),
    ],
    ids=lambda value: value.described() if not isinstance(value, str) else "",
)
def test_their_attacks_here_give_our_images_and_cost_what_they_look(
    attack: Any, name: str, objective: str
) -> None:
    model, images, goal = attacked(objective)
    attack = dataclasses.replace(attack, objective="tanh")
    expected, found = ours(name).run(model, images, goal), attack.run(model, images, goal)
    torch.testing.assert_close(found.images, expected.images, atol=1e-12, rtol=0)
    assert found.cost.backward.tolist() == expected.cost.backward.tolist()
    looks_after = 1 if attack.package == "foolbox" else 0  # foolbox looks once more whether it succeeded
    assert (found.cost.forward - expected.cost.forward).tolist() == [looks_after] * COUNT


def test_in_single_precision_the_images_agree_but_for_gradients_of_the_size_of_rounding() -> None:
    model, images, goal = attacked("targeted")
    model, images = model.float(), images.float()
    expected = ours("PGD").run(model, images, goal).images
    found = in_torchattacks("PGD", GoalClassifier(model, goal, objective="tanh"), images)
    assert ((found - expected).abs() > 1e-6).float().mean() < 0.01


def test_the_cross_entropy_has_the_gradient_of_the_objective_times_a_positive_factor() -> None:
    model, images, goal = attacked("targeted")
    for threshold in (-0.5, 0.0, 1.0):
        classifier = GoalClassifier(model, goal, objective="tanh", threshold=threshold)
        pictures = images.clone().requires_grad_()
        direction = goal.direction(BITS, images)
        value = (direction * torch.tanh(model.eval().logits(pictures))).mean(dim=1)
        (wanted,) = torch.autograd.grad(value.sum(), pictures)
        outputs = classifier(pictures)
        assert torch.allclose(outputs[:, 0], value)
        assert (outputs[:, 1] == threshold).all()
        loss = torch.nn.functional.cross_entropy(outputs, classifier.labels, reduction="sum")
        (found,) = torch.autograd.grad(loss, pictures)
        factor = torch.sigmoid(value - threshold).detach().view(-1, 1, 1, 1)
        torch.testing.assert_close(found, factor * wanted)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_one_step_on_the_scaled_objective_is_ours(objective: str) -> None:
    """And it moves a model whose tanh is flat; see :func:`hashprobe.attacks.objectives.scaled`."""
    model, images, goal = attacked(objective)
    with torch.no_grad():
        model.network.hash_layer.weight.mul_(1000)
        model.network.hash_layer.bias.mul_(1000)
    expected = FGSM(epsilon=EPSILON).run(model, images, goal).images
    classifier = GoalClassifier(model, goal, objective="scaled", done=0.0)
    for run in (in_torchattacks, in_foolbox):
        torch.testing.assert_close(run("FGSM", classifier, images), expected, atol=1e-12, rtol=0)
    assert ((expected - images).flatten(1).abs().mean(dim=1) > EPSILON / 2).all()


def test_another_objective_is_attacked_where_it_is_given() -> None:
    model, images, goal = attacked("targeted")

    def hinge(logits: torch.Tensor, wanted: torch.Tensor, done: float) -> torch.Tensor:
        return (done - wanted * logits).clamp_min(0).sum(dim=1)

    expected = -hinge(model.eval().logits(images), goal.direction(BITS, images), 0.5)
    assert torch.allclose(GoalClassifier(model, goal, objective=hinge, done=0.5)(images)[:, 0], expected)
    with pytest.raises(HashprobeError, match="no objective is named 'tan'; did you mean 'tanh'"):
        GoalClassifier(model, goal, objective="tan")


def test_the_model_keeps_its_mode_and_parameters_whatever_a_library_does() -> None:
    model, images, goal = attacked("targeted")
    model.train()
    model.network.backbone[1].eval()
    modes = [module.training for module in model.modules()]
    state = {name: value.clone() for name, value in model.state_dict().items()}
    classifier = GoalClassifier(model, goal)
    in_torchattacks("PGD", classifier, images)
    classifier.train()
    in_torchattacks("FGSM", classifier, images)
    assert [module.training for module in model.modules()] == modes
    assert all(parameter.requires_grad and parameter.grad is None for parameter in model.parameters())
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize(
    "attack",
    [
        Torchattacks(name="UPGD", steps=STEPS),
        Torchattacks(name="PIFGSM", steps=STEPS),
        Torchattacks(name="APGD", steps=STEPS, threshold=0.02),
        Torchattacks(name="Square", steps=30, threshold=0.02),
    ],
    ids=lambda attack: attack.name,
)
def test_an_attack_that_leaves_the_order_of_the_batch_gets_one_image_at_a_time(attack: Torchattacks) -> None:
    model, images, goal = attacked("targeted")
    model, images, attack = (
        model.float(),
        images.float(),
        dataclasses.replace(attack, epsilon=0.1, objective="tanh"),
    )
    assert not attack.together
    found = attack.run(model, images, goal)
    before, after = (
        GoalClassifier(model, goal, objective="tanh")(one)[:, 0].detach() for one in (images, found.images)
    )
    assert (after >= before).all()
    assert (after > before).any()
    if attack.up_to_the_threshold:
        assert ((after > attack.threshold) | (after == before)).all()
    assert (found.images - images).abs().max() <= attack.epsilon + 1e-6
    assert found.cost.forward.min() >= 1


def test_pictures_of_whom_one_cannot_tell_the_goal_are_refused() -> None:
    model, images, goal = attacked("targeted")
    with pytest.raises(
        HashprobeError, match=r"asks for 3 pictures of 5 images, .*; attack one image at a time"
    ):
        GoalClassifier(model, goal)(images[:3])
    assert GoalClassifier(model, goal[:1])(images[:3]).shape == (3, 2)
    with pytest.raises(HashprobeError, match="its goal has none"):
        GoalClassifier(model, Goal(objective="targeted"))


@pytest.mark.parametrize("attack", [Torchattacks(norm="l2", epsilon=0.5), Foolbox(norm="l2", epsilon=0.5)])
def test_a_budget_in_l2_is_the_librarys_too(attack: Any) -> None:
    model, images, goal = attacked("targeted")
    found = attack.run(model, images, goal).images
    lengths = (found - images).flatten(1).norm(dim=1)
    assert (lengths > 0.1).all()
    assert (lengths <= 0.5 + 1e-9).all()
    alone = dataclasses.replace(attack, name=attack.own_name).run(model, images, goal).images
    assert torch.equal(found, alone)


def test_the_smallest_change_reaches_the_threshold_and_not_much_more() -> None:
    """On a linear model, where that is not hidden by a bend."""
    model, images = linear_model(BITS, std=0.2).double(), random_images(COUNT).double()
    goal = Goal(objective="targeted", codes=random_codes(COUNT, BITS))
    found = (
        Foolbox(name="L2DeepFoolAttack", threshold=0.3, epsilon=None, objective="tanh")
        .run(model, images, goal)
        .images
    )
    value = GoalClassifier(model, goal, objective="tanh")(found)[:, 0]
    assert ((value > 0.3) & (value < 0.35)).all()


def test_the_criterion_looks_at_codes() -> None:
    model, images, goal = attacked("targeted")
    distance = (unpack(model.codes(images), BITS) != unpack(goal.codes, BITS)).sum(axis=1)
    away = Goal(objective="untargeted", codes=goal.codes)
    for radius in (0, 4, int(distance[0]), BITS):
        near, far = (goal_reached(model, one, radius=radius)(images, None) for one in (goal, away))
        assert near.tolist() == (distance <= radius).tolist()
        assert far.tolist() == (distance > radius).tolist()
    with pytest.raises(HashprobeError, match=r"radius must be a whole number from 0 to 12"):
        goal_reached(model, goal, radius=13)
    with pytest.raises(HashprobeError, match=r"a goal without codes has no radius"):
        goal_reached(model, Goal(objective="targeted"), radius=1)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_foolbox_reports_success_by_the_criterion(objective: str) -> None:
    model, images, goal = attacked(objective)
    criterion = goal_reached(model, goal, radius=3)
    fooled = foolbox.PyTorchModel(GoalClassifier(model, goal), bounds=(0, 1), device=model.device)
    attack = foolbox.attacks.LinfBasicIterativeAttack(abs_stepsize=0.02, steps=20)
    _, found, success = attack(fooled, images, criterion, epsilons=[0.001, 0.5])
    for pictures, one in zip(found, success, strict=True):
        assert one.tolist() == criterion(pictures, None).tolist()
    assert success[1].sum() > success[0].sum()


def test_what_libraries_draw_comes_from_the_generator_and_is_kept_apart() -> None:
    model, images, goal = attacked("targeted")
    attack = Torchattacks(
        name="Pixle", arguments="restarts=2;max_iterations=3", epsilon=0.5
    )  # draws from numpy

    def run(seed: int) -> torch.Tensor:
        return attack.run(model, images, goal, generator=torch.Generator().manual_seed(seed)).images

    before = (torch.random.get_rng_state(), random.getstate(), np.random.get_state()[1].copy())  # noqa: NPY002
    first, other = run(1), run(2)
    assert torch.equal(before[0], torch.random.get_rng_state())
    assert before[1] == random.getstate()
    assert np.array_equal(before[2], np.random.get_state()[1])  # noqa: NPY002
    assert torch.equal(first, run(1))
    assert not torch.equal(first, other)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Torchattacks(name="PDG"), "no attack of torchattacks is named 'PDG'; did you mean 'PGD'?"),
        (lambda: Foolbox(name="Attack"), "no attack of foolbox is named 'Attack'"),
        (lambda: Torchattacks(name="MultiAttack"), "no attack of torchattacks is named 'MultiAttack'"),
        (lambda: Torchattacks(name="FGSM", steps=3), "torchattacks: FGSM has no steps; leave it out."),
        (lambda: Foolbox(name="FGSM", step_size=0.1), "foolbox: FGSM has no step_size; leave it out."),
        (
            lambda: Torchattacks(arguments="decay=1"),
            "torchattacks: PGD has no argument 'decay' (1 is given);",
        ),
        (lambda: Torchattacks(arguments="decay"), "torchattacks: PGD: arguments: expected NAME=VALUE"),
        (lambda: Foolbox(name="VirtualAdversarialAttack"), "needs the argument 'steps'"),
        (lambda: Foolbox(name="L2DeepFoolAttack"), "give threshold= below 1, as threshold=0.5."),
        (lambda: Torchattacks(name="CW"), "give threshold= below 1, as threshold=0.5."),
        (lambda: Torchattacks(threshold=1.5), "threshold must be in (-1, 1]; found 1.5."),
        (lambda: Torchattacks(objective="tan"), "no objective is named 'tan'"),
        (
            lambda: Torchattacks(name="PGDL2"),
            "torchattacks: PGDL2 keeps to a budget in l2, not linf; give norm=l2",
        ),
        (lambda: Foolbox(name="L2PGD"), "foolbox: L2PGD keeps to a budget in l2, not linf; give norm=l2"),
        (lambda: Foolbox(name="LinfPGD", norm="l2"), "keeps to a budget in linf, not l2; give norm=linf"),
        (lambda: Foolbox(name="L1PGD"), "keeps to a budget in l1, not linf; there is no such budget here."),
        (
            lambda: Torchattacks(name="APGD", threshold=0.5, arguments="norm=L2"),
            "keeps to a budget in l2, not",
        ),
        (lambda: Foolbox(steps=0), "steps must be a whole number of at least 1; found 0."),
    ],
)
def test_what_a_library_does_not_have_is_one_sentence(make: Any, message: str) -> None:
    with pytest.raises(HashprobeError) as raised:
        make()
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("attack", "message"),
    [
        (Torchattacks(name="AutoAttack", threshold=0.9), r"torchattacks: AutoAttack cannot attack this: "),
        (Foolbox(name="GenAttack", steps=2), r"foolbox: GenAttack cannot attack this: "),
    ],
)
def test_what_a_library_refuses_is_one_sentence(attack: Any, message: str) -> None:
    model, images, goal = attacked("targeted")
    with pytest.raises(HashprobeError, match=message) as raised:
        attack.run(model, images, goal)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", ["torchattacks", "foolbox"])
def test_a_missing_library_is_one_sentence(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(
        HashprobeError, match=rf"{name} cannot be imported .* pip install 'hashprobe\[interop\]'"
    ):
        ATTACKS[name]()
    assert ATTACKS[name].access is Access.GRADIENTS


def test_a_cell_reads_their_settings() -> None:
    spec = CellSpec.read("torchattacks:name=MIFGSM,steps=4,step_size=2/255,arguments=decay=0.5")
    spec.check()
    attack = spec.build({})
    assert attack == Torchattacks(name="MIFGSM", steps=4, step_size=2 / 255, arguments="decay=0.5")
    assert spec.title == "torchattacks MIFGSM"
    assert CellSpec.read("foolbox").title == "foolbox"
    assert spec.row_name(attack, "disjoint").startswith("torchattacks-8of255-nameMIFGSM-steps4-")


def test_the_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "interop.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```python\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL)
    exec(compile(block, "<docs/interop.md>", "exec"), {})
    printed = capsys.readouterr().out
    differing = re.findall(
        r"^(\d+\.\d)% of the values differ; \d of 4 codes are away$", printed, re.MULTILINE
    )
    assert len(differing) == 2
    assert all(float(share) < 2 for share in differing)
    for text in re.findall(r'--attack "?([^\s"]+)', page):
        CellSpec.read(text).build({})
    assert len(page.splitlines()) <= 60
