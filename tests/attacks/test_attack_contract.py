"""What every attack promises: a grid over all that are registered, which chooses by properties and never by name.

A plugin's attacks are tested by ``pytest tests/attacks/test_attack_contract.py --plugin FILE.py``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from hashprobe.attacks import ATTACKS, Access, Attack, AttackResult, IterativeAttack
from hashprobe.errors import HashprobeError
from hashprobe.hashing import HashModel
from hashprobe.retrieval import open_index
from hashprobe.targets import CODES, GOALS, NO_CODE, Goal, unique_labels
from hashprobe.trained import TRAINED, Trained
from helpers import SIZE, conv_model, random_codes, random_images, tiny_data

BITS, CLASSES, COUNT = 12, 3, 3
IMAGES = random_images(COUNT)
LABELS = unique_labels(tiny_data().database.labels)[:COUNT]  # such as a trained attack has met
DATABASE = open_index("scan", random_codes(40, BITS, seed=1), bits=BITS)
SEARCH = {
    "search": lambda codes, k: DATABASE.search(codes, k).ids,
    "database_labels": np.eye(CLASSES, dtype=np.uint8)[np.arange(40) % CLASSES],
}
TRAINING = (
    random_codes(30, BITS, seed=2),
    np.eye(LABELS.shape[1], dtype=np.uint8)[np.arange(30) % LABELS.shape[1]],
)
FEW = {"steps": 4, "questions": 24}
"""What makes an attack short, where it has such a number."""


def of(**wanted: Any) -> list[str]:
    """Names of the attacks that have certain properties."""
    return [
        name for name in ATTACKS if all(getattr(ATTACKS[name], own) == value for own, value in wanted.items())
    ]


def required(kind: type[Attack]) -> list[str]:
    """Names of the settings that have no default."""
    missing, fields = dataclasses.MISSING, dataclasses.fields(kind)
    return [own.name for own in fields if own.default is missing and own.default_factory is missing]


@pytest.fixture
def made(trained: Callable[[str], Trained]) -> Callable[..., Any]:
    """Makes an attack by name, with few steps or questions; one that is trained has been trained for a moment."""

    def make(name: str, **changes: Any) -> Attack:
        kind = ATTACKS[name]
        if package := getattr(kind, "package", None):
            pytest.importorskip(package, reason=f"{name} is an attack of {package}, which is not installed")
        numbers = {field.name for field in dataclasses.fields(kind)}
        changes = {own: value for own, value in FEW.items() if own in numbers} | changes
        if issubclass(kind, Trained):
            return dataclasses.replace(trained(name), **changes)
        if needed := sorted(set(required(kind)) - set(changes)):
            pytest.skip(f"{name} needs the setting {needed[0]}")
        return kind(**changes)

    return make


def goal_of(attack: Attack | type[Attack], model: HashModel, objective: str = "") -> Goal:
    """A goal that the attack can take: random codes to reach, or the images' own to leave."""
    objective = objective or attack.objectives[0]
    codes = random_codes(COUNT, BITS) if objective == "targeted" else model.codes(IMAGES)
    return Goal(objective=objective, codes=codes, labels=LABELS, training=TRAINING)


def run(attack: Attack, model: HashModel, images: Any = IMAGES, **given: Any) -> AttackResult:
    goal = given.pop("goal", None) or goal_of(attack, model)
    return attack.run(model, images, goal, **{**SEARCH, **given})


class Watch:
    """Counts the images that a network sees, those that a gradient comes back for, and the outputs that could have one."""

    def __init__(self, *networks: nn.Module) -> None:
        self.forward = self.backward = self.differentiable = 0
        for network in networks:
            network.register_forward_hook(self)

    def __call__(self, module: nn.Module, given: Any, outputs: torch.Tensor) -> None:
        self.forward += len(outputs)
        if outputs.requires_grad:
            self.differentiable += len(outputs)
            outputs.register_hook(self.came_back)

    def came_back(self, gradient: torch.Tensor) -> None:
        self.backward += len(gradient)


def test_the_published_ones_are_there() -> None:
    assert {"Noise", "P2P", "DHTA", "FGSM", "I-FGSM", "ProS-GAN"} <= set(ATTACKS)


@pytest.mark.parametrize("name", ATTACKS)
class TestEveryAttack:
    def test_says_what_it_is(self, name: str) -> None:
        kind = ATTACKS[name]
        assert kind.objectives
        assert set(kind.objectives) <= {"targeted", "untargeted"}
        assert GOALS[kind.goal].objective in kind.objectives
        assert kind.code is None or kind.code == NO_CODE or kind.code in CODES
        assert isinstance(kind.access, Access)
        assert kind.VERSION >= 1
        assert len(ATTACKS.describe(name)) > 20
        if issubclass(kind, Trained):
            assert TRAINED[name] is kind
            assert kind.name == name
            assert set(kind.requires) <= set(TRAINED)

    @pytest.mark.parametrize("epsilon", [8 / 255, 0.5])
    def test_holds_its_budget_under_each_objective_and_leaves_its_input(
        self, name: str, epsilon: float, made: Callable[..., Any]
    ) -> None:
        for objective in ATTACKS[name].objectives:
            attack, model = made(name, epsilon=epsilon), conv_model(BITS)
            images, goal = IMAGES.clone(), goal_of(attack, model, objective)
            before = goal.codes.copy(), goal.labels.copy()
            adversarial = run(attack, model, images, goal=goal).images
            assert adversarial.shape == images.shape
            assert adversarial.dtype == images.dtype
            assert (adversarial - images).abs().max() <= epsilon + 1e-6
            assert adversarial.min() >= 0
            assert adversarial.max() <= 1
            assert torch.equal(images, IMAGES)
            assert np.array_equal(goal.codes, before[0])
            assert np.array_equal(goal.labels, before[1])
            if attack.questions is None:  # so few answers may not lead anywhere
                assert not torch.equal(adversarial, images)

    def test_holds_an_l2_budget_or_says_that_it_has_none(self, name: str, made: Callable[..., Any]) -> None:
        if "l2" not in ATTACKS[name].norms:
            with pytest.raises(HashprobeError, match="keeps to a budget in the norm linf; found 'l2'"):
                made(name, norm="l2")
            return
        result = run(made(name, norm="l2", epsilon=0.5), conv_model(BITS))
        change = (result.images - IMAGES).flatten(1).norm(dim=1)
        assert (change <= 0.5 + 1e-5).all()
        assert (change > 0).all()

    def test_an_objective_that_it_lacks_is_refused(self, name: str, made: Callable[..., Any]) -> None:
        attack, model = made(name), conv_model(BITS)
        for objective in {"targeted", "untargeted"} - set(attack.objectives):
            with pytest.raises(HashprobeError, match=f"has no {objective} form; its goal must be "):
                run(attack, model, goal=goal_of(attack, model, objective))

    def test_restores_mode_parameters_and_weights(self, name: str, made: Callable[..., Any]) -> None:
        model = conv_model(BITS)
        model.network.backbone[1].eval()
        model.network.hash_layer.bias.requires_grad_(False)
        state = {key: value.clone() for key, value in model.state_dict().items()}
        modes = [module.training for module in model.modules()]
        wanted = [parameter.requires_grad for parameter in model.parameters()]

        def is_restored() -> bool:
            return (
                [module.training for module in model.modules()] == modes
                and [parameter.requires_grad for parameter in model.parameters()] == wanted
                and all(parameter.grad is None for parameter in model.parameters())
                and all(torch.equal(value, state[key]) for key, value in model.state_dict().items())
            )

        goal = goal_of(ATTACKS[name], model)
        run(made(name), model, goal=goal)
        assert is_restored()
        failing = model.network.register_forward_hook(lambda *_: 1 / 0)
        if ATTACKS[name].access is not Access.NOTHING:
            with pytest.raises(ZeroDivisionError):
                run(made(name), model, goal=goal)
        failing.remove()
        assert is_restored()

    def test_the_generator_alone_decides(self, name: str, made: Callable[..., Any]) -> None:
        model, attack = conv_model(BITS), made(name)
        generators = [torch.Generator().manual_seed(seed) for seed in (5, 5, 6)]
        start = [generator.get_state() for generator in generators]
        torch.manual_seed(0)
        everywhere = torch.random.get_rng_state()
        first, again, other = (run(attack, model, generator=one).images for one in generators)
        assert torch.equal(first, again)
        drew = not torch.equal(generators[0].get_state(), start[0])
        assert attack.stochastic == (drew or not torch.equal(first, other))
        assert torch.equal(run(attack, model).images, run(attack, model).images)
        assert torch.equal(torch.random.get_rng_state(), everywhere)

    def test_uint8_arrays_and_float64_are_taken(self, name: str, made: Callable[..., Any]) -> None:
        model, attack = conv_model(BITS), made(name, epsilon=8 / 255)
        images = (IMAGES * 255).round().to(torch.uint8)
        expected = run(attack, model, images.float() / 255).images
        assert torch.equal(run(attack, model, images).images, expected)
        assert torch.equal(run(attack, model, images.numpy()).images, expected)
        precise = run(attack, model, IMAGES.double()).images
        assert precise.dtype == torch.float64
        assert (precise - IMAGES).abs().max() <= 8 / 255 + 1e-9

    def test_no_gradient_leaves_or_is_needed(self, name: str, made: Callable[..., Any]) -> None:
        model, attack = conv_model(BITS), made(name)
        expected, images = run(attack, model).images, IMAGES.clone().requires_grad_(True)
        adversarial = run(attack, model, images).images
        assert not adversarial.requires_grad
        assert images.grad is None
        with torch.no_grad():
            assert torch.equal(run(attack, model, images).images, expected)

    def test_no_image_gives_no_image(self, name: str, made: Callable[..., Any]) -> None:
        nothing = goal_of(ATTACKS[name], conv_model(BITS))[:0]
        for norm in ATTACKS[name].norms:
            attack = made(name, norm=norm)
            result = run(attack, conv_model(BITS), torch.zeros(0, 3, SIZE, SIZE), goal=nothing)
            assert result.images.shape == (0, 3, SIZE, SIZE)
            assert result.cost.questions.shape == (0,)

    def test_what_it_cost_is_what_the_networks_saw(self, name: str, made: Callable[..., Any]) -> None:
        """No pass is forgotten, none is counted twice, and nothing is seen that its access does not allow."""
        model, attack = conv_model(BITS), made(name)
        goal = goal_of(attack, model)
        trained = [attack, *attack.parts().values()] if isinstance(attack, Trained) else []
        networks = [one for part in trained if isinstance(part, Attack) for one in part.networks().values()]
        attacked, own = Watch(model.network), Watch(*networks)
        cost = run(attack, model, goal=goal).cost
        assert attacked.forward + own.forward == cost.forward.sum() + cost.questions.sum()
        assert attacked.backward + own.backward == cost.backward.sum()
        assert [counts.shape for counts in (cost.forward, cost.backward, cost.questions)] == [(COUNT,)] * 3
        if attack.access is Access.NOTHING:
            assert attacked.forward == 0
        elif attack.access is not Access.GRADIENTS:
            assert attacked.forward == cost.questions.sum() > 0
            assert attacked.differentiable == 0

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
        self, name: str, images: torch.Tensor, message: str, made: Callable[..., Any]
    ) -> None:
        with pytest.raises(HashprobeError, match=message):
            run(made(name), conv_model(BITS), images)

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"codes": random_codes(COUNT, BITS).astype(np.int64)}, "found int64 of shape (3, 2)"),
            ({"codes": random_codes(COUNT, 16)[:, :1]}, "found uint8 of shape (3, 1)"),
            ({"codes": random_codes(COUNT + 1, BITS)}, "found uint8 of shape (4, 2)"),
            ({"codes": np.ones((COUNT, BITS))}, "found float64 of shape (3, 12)"),
            ({"labels": np.arange(COUNT)}, "labels must be multi-hot, of shape (n, C); found (3,)"),
            ({"labels": 2 * LABELS}, "labels must be multi-hot, of shape (n, C)"),
        ],
        ids=["type", "bits", "count", "signs", "class numbers", "twos"],
    )
    def test_codes_and_labels_of_another_form_are_refused(
        self, name: str, changes: dict[str, Any], message: str, made: Callable[..., Any]
    ) -> None:
        goal = dataclasses.replace(goal_of(ATTACKS[name], conv_model(BITS)), **changes)
        with pytest.raises(HashprobeError) as raised:
            run(made(name), conv_model(BITS), goal=goal)
        assert message in str(raised.value)
        if "codes" in changes:
            assert "must be packed uint8 of shape (3, 2) (3 images, 12 bits)" in str(raised.value)

    @pytest.mark.parametrize("epsilon", [0.0, -0.1, 1.5, float("nan")])
    def test_a_budget_out_of_range_is_refused(
        self, name: str, epsilon: float, made: Callable[..., Any]
    ) -> None:
        with pytest.raises(HashprobeError, match=r"epsilon must be in \(0, 1\], as 8/255, or None for unbou"):
            made(name, epsilon=epsilon)

    def test_unbounded_it_stays_an_image_or_says_that_it_cannot(
        self, name: str, made: Callable[..., Any]
    ) -> None:
        def adversarial_or_error() -> torch.Tensor | str:
            try:
                return run(made(name, epsilon=None), conv_model(BITS)).images
            except HashprobeError as error:
                return str(error)

        adversarial = adversarial_or_error()
        if isinstance(adversarial, str):
            assert "unbounded" in adversarial
            return
        assert adversarial.min() >= 0
        assert adversarial.max() <= 1

    def test_is_frozen_and_says_what_it_is(self, name: str, made: Callable[..., Any]) -> None:
        attack, kind = made(name), ATTACKS[name]
        with pytest.raises(dataclasses.FrozenInstanceError):
            attack.epsilon = 1.0
        assert attack.described().startswith(f"{kind.__name__}(epsilon=")
        if not issubclass(kind, Trained):
            for one in (attack, *([] if required(kind) else [kind()])):
                assert eval(repr(one), {kind.__name__: kind}) == one


@pytest.mark.parametrize("name", of(stochastic=False))
def test_an_image_is_attacked_alike_in_a_batch_of_any_size(name: str, made: Callable[..., Any]) -> None:
    """In float64, where no gradient's sign hangs on the order of a sum."""
    model, attack, images = conv_model(BITS).double(), made(name), IMAGES.double()
    goal = goal_of(attack, model)
    together = run(attack, model, images, goal=goal)
    alone = [run(attack, model, images[[row]], goal=goal[row : row + 1]) for row in range(COUNT)]
    torch.testing.assert_close(together.images, torch.cat([one.images for one in alone]), atol=1e-5, rtol=0)
    for counts in ("forward", "backward", "questions"):
        whole = getattr(together.cost, counts)
        assert np.array_equal(whole, np.concatenate([getattr(one.cost, counts) for one in alone]))


@pytest.mark.parametrize("name", of(needs_training_codes=True))
def test_training_codes_must_be_given(name: str, made: Callable[..., Any]) -> None:
    goal = dataclasses.replace(goal_of(ATTACKS[name], conv_model(BITS)), training=None)
    with pytest.raises(HashprobeError, match=r"give Goal\(training=\(codes, labels\)\)"):
        run(made(name), conv_model(BITS), goal=goal)


@pytest.mark.parametrize("name", of(needs_labels=True))
class TestNeedsLabels:
    @pytest.mark.parametrize("labels", [None, LABELS[:2]])
    def test_labels_must_be_given(
        self, name: str, labels: np.ndarray | None, made: Callable[..., Any]
    ) -> None:
        goal = dataclasses.replace(goal_of(ATTACKS[name], conv_model(BITS)), labels=labels)
        found = "none" if labels is None else 2
        with pytest.raises(HashprobeError, match=rf"give labels=, one row an image \(3; found {found}\)"):
            run(made(name), conv_model(BITS), goal=goal)


ASKING = [
    name for name in ATTACKS if "questions" in {field.name for field in dataclasses.fields(ATTACKS[name])}
]


@pytest.mark.parametrize("questions", [10, 40])
@pytest.mark.parametrize("name", ASKING)
def test_no_image_is_asked_about_more_often_than_allowed(
    name: str, questions: int, made: Callable[..., Any]
) -> None:
    cost = run(made(name, questions=questions), conv_model(BITS)).cost
    assert 0 < cost.questions.max() <= questions
    assert cost.backward.sum() == 0 or ATTACKS[name].access is Access.GRADIENTS


@pytest.mark.parametrize("name", of(access=Access.RANKING))
def test_without_a_database_there_is_nothing_to_look_at(name: str, made: Callable[..., Any]) -> None:
    with pytest.raises(HashprobeError, match=r"give run\(search=…\) a database to search"):
        run(made(name), conv_model(BITS), search=None)


@pytest.mark.parametrize("name", [name for name in ATTACKS if issubclass(ATTACKS[name], IterativeAttack)])
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"steps": 0}, "steps must be a whole number of at least 1; found 0"),
        ({"steps": 2.5}, "steps must be a whole number; found 2.5"),
        ({"step_size": 0.0}, "step_size must be positive; found 0.0"),
        ({"step_size": float("nan")}, "step_size must be positive; found nan"),
    ],
)
def test_steps_that_go_nowhere_are_refused(
    name: str, wrong: dict[str, float], message: str, made: Callable[..., Any]
) -> None:
    with pytest.raises(HashprobeError, match=message):
        made(name, **wrong)
