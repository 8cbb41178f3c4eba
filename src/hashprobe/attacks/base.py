"""What an attack is, and the one place where its input is checked and its budget enforced."""

from __future__ import annotations

import dataclasses
import math
from abc import ABC, abstractmethod
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import torch

from hashprobe.attacks.access import Access, Cost, Judge, Search, Victim
from hashprobe.errors import HashprobeError, shortened
from hashprobe.hashing import HashModel, RankedService, frozen, no_gradients
from hashprobe.identity import optional
from hashprobe.images import ImagesLike, as_images, check_values
from hashprobe.registry import Registry
from hashprobe.targets import Goal, Objective
from hashprobe.typed_values import check_fields, checked

ATTACKS: Registry[type[Attack]] = Registry("attack")

Norm: TypeAlias = Literal["linf", "l2"]
"""What a budget measures: the largest change of a value, or the Euclidean length of an image's change."""


def lengths(change: torch.Tensor) -> torch.Tensor:
    """Return the L2 length of each image's change ``(n, c, h, w)``, as ``(n, 1, 1, 1)``."""
    length: torch.Tensor = change.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
    return length


def check_bounded(name: str, epsilon: float | None, trained: float | None) -> None:
    """Refuse ``epsilon=None`` of an attack that was trained within a bound, to which its change keeps whatever a row says.

    Raises:
        HashprobeError: it is asked for.
    """
    if epsilon is None and trained is not None:
        raise HashprobeError(
            f"this {name} was trained within {round(255 * trained, 2):g}/255, so it has no unbounded form; give epsilon a number."
        )


@checked
def project(
    adversarial: torch.Tensor, images: torch.Tensor, epsilon: float | None, norm: Norm = "linf"
) -> torch.Tensor:
    """Return images within ``epsilon`` of ``images`` and in [0, 1], near ``adversarial``.

    For L∞ they are the nearest such images. For L2 a change that is too long is shortened, then clipped to [0, 1]; that makes no
    change longer, and they are the nearest ones wherever nothing is clipped.

    Args:
        adversarial: Float ``(n, c, h, w)``.
        images: Likewise, in [0, 1].
        epsilon: Budget in [0, 1] units; ``None`` for the range [0, 1] alone.
        norm: Of the budget.

    Raises:
        HashprobeError: images of another shape, or something else in place of an argument.
    """
    check_values(adversarial)
    check_values(images)
    if adversarial.shape != images.shape:
        found = f"{tuple(adversarial.shape)} and {tuple(images.shape)}"
        raise HashprobeError(f"adversarial and unchanged images must have one shape; found {found}.")
    if epsilon is not None and not 0 <= epsilon <= (1 if norm == "linf" else math.inf):
        raise HashprobeError(f"epsilon must be in [0, 1], or None for unbounded; found {shortened(epsilon)}.")
    if epsilon is not None:
        change = adversarial - images
        shorter = (
            change.clamp(-epsilon, epsilon)
            if norm == "linf"
            else change * (epsilon / lengths(change).clamp_min(epsilon))
        )
        adversarial = images + shorter
    return adversarial.clamp(0, 1)


@dataclass(frozen=True)
class AttackResult:
    """What an attack made of n images.

    Attributes:
        images: Float images in [0, 1], ``(n, 3, h, w)``, within the budget, on the model's device.
        cost: What it cost, counted for each image.
        winners: Of an attack that tries several: the name of the one that served each image best; else empty.
        restart_bits: Of an attack that starts several times: how many bits its results for each image lie apart, in their
            distance from the goal's code, float64 ``(n,)``; else ``None``.
    """

    images: torch.Tensor
    cost: Cost
    winners: tuple[str, ...] = ()
    restart_bits: npt.NDArray[np.float64] | None = None


@dataclass(frozen=True, kw_only=True)
class Attack(ABC):
    """An attack on a hash model: images and a goal in, adversarial images out.

    A subclass is a frozen dataclass of numbers with one method, :meth:`perturb`; it holds no device and no mode. Running it
    checks the input, freezes the model, gives it what it states as its access, counts what it costs, and holds the result to
    the budget. A field that is added later is :func:`hashprobe.identity.optional`, and a changed default raises ``VERSION``.

    Attributes:
        VERSION: Of what the attack computes; rows of another version are measured again.
        goal: The goal that it is published with, a name of ``GOALS``; used where nobody names one.
        objectives: Which objectives it can take; a goal of another is refused.
        code: The target code that it is published with, a name of ``CODES``; ``None`` for the goal's own, ``"none"`` if it looks
            at none.
        untargeted_code: Of an attack that is published with both goals, the code for the other: that which it leaves.
        access: What it may see; its victim refuses anything more.
        stochastic: Whether it draws from the generator.
        needs_labels: Whether it reads the labels of its goal, which then must be given; this and the next may hang on numbers.
        needs_training_codes: Whether it reads codes and labels of training images, which its goal then must carry.
        norms: Which budgets it can keep to.
        epsilon: Budget in [0, 1] units; ``None`` for unbounded.
        norm: What the budget measures: ``linf``, the largest change of a value, or ``l2``, the length of an image's change
            (a change of 1/255 everywhere is 0.43 long at 64×64, and 1.52 at 224×224).
    """

    VERSION: ClassVar[int] = 1
    goal: ClassVar[str] = "targeted"
    objectives: ClassVar[tuple[Objective, ...]] = ("targeted", "untargeted")
    code: ClassVar[str | None] = None
    untargeted_code: ClassVar[str | None] = None
    access: ClassVar[Access] = Access.GRADIENTS
    stochastic: ClassVar[bool] = False
    needs_labels: ClassVar[bool] = False
    needs_training_codes: ClassVar[bool] = False
    norms: ClassVar[tuple[Norm, ...]] = ("linf",)

    epsilon: float | None = 8 / 255
    norm: Norm = optional("linf")

    def __post_init__(self) -> None:
        check_fields(self)
        if not isinstance(self.norm, str) or self.norm not in self.norms:
            raise HashprobeError(
                f"{type(self).__name__} keeps to a budget in the norm {' or '.join(self.norms)}; found {shortened(self.norm)}."
            )
        if self.epsilon is not None and not 0 < self.epsilon <= (1 if self.norm == "linf" else float("inf")):
            most = "in (0, 1], as 8/255," if self.norm == "linf" else "a positive length, as 0.5,"
            raise HashprobeError(
                f"epsilon must be {most} or None for unbounded; found {shortened(self.epsilon)}."
            )

    def described(self) -> str:
        """Return ``repr`` without the :func:`hashprobe.identity.optional` fields that have their default; draws hang on it.

        So is an attack within it described.
        """
        shown = ((field, getattr(self, field.name)) for field in dataclasses.fields(self) if field.repr)
        numbers = ", ".join(
            f"{field.name}={value.described() if isinstance(value, Attack) else repr(value)}"
            for field, value in shown
            if not (field.metadata.get("optional") and value == field.default)
        )
        return f"{type(self).__name__}({numbers})"

    @property
    def questions(self) -> int | None:
        """How many questions it may ask for an image; ``None`` for any number. A black-box attack has a field of that name."""
        return None

    @property
    def stages(self) -> tuple[Attack, ...]:
        """The attacks that an image goes through, itself the last: one alone, but where it goes on from another's image."""
        return (self,)

    @property
    def members(self) -> tuple[str, ...]:
        """Names of the attacks that it tries on every image, where it tries several."""
        return ()

    def __call__(
        self,
        model: HashModel,
        images: ImagesLike,
        codes: npt.NDArray[np.uint8],
        *,
        generator: torch.Generator | None = None,
        labels: npt.NDArray[Any] | None = None,
    ) -> torch.Tensor:
        """Return adversarial images whose codes are to come near ``codes``: :meth:`run` with a targeted goal.

        Args:
            model: The attacked model; left as it was.
            images: ``(n, 3, h, w)``, uint8 or float in [0, 1]; not modified.
            codes: Packed target codes, uint8 ``(n, ceil(K / 8))``.
            generator: Source of randomness on the CPU, for attacks that draw; a fresh one with seed 0 if not given.
            labels: Target labels, multi-hot ``(n, C)``; only for attacks with ``needs_labels``.

        Returns:
            Float images in [0, 1], ``(n, 3, h, w)``, on the model's device, within ``epsilon`` of ``images``.

        Raises:
            HashprobeError: images outside [0, 1], or codes or labels of another shape than the images and model ask for.
        """
        goal = Goal(objective="targeted", codes=codes, labels=labels)
        return self.run(model, images, goal, generator=generator).images

    @checked
    def run(
        self,
        model: HashModel | RankedService,
        images: ImagesLike,
        goal: Goal,
        *,
        generator: torch.Generator | None = None,
        search: Search | None = None,
        database_labels: npt.NDArray[np.uint8] | None = None,
        judge: Judge | None = None,
    ) -> AttackResult:
        """Attack images.

        Args:
            model: The attacked model, left as it was; or a service that answers with lists, for attacks that see no more.
            images: ``(n, 3, h, w)``, uint8 or float in [0, 1]; not modified.
            goal: What is to be reached, for each image.
            generator: Source of randomness on the CPU, for attacks that draw; a fresh one with seed 0 if not given.
            search: What answers which items an image retrieves, for attacks with that access.
            database_labels: Labels of these items.
            judge: What answers how well codes retrieve labels, for an attack that chooses among results.

        Raises:
            HashprobeError: images outside [0, 1], a goal that the attack cannot take, codes or labels of another shape than
                images and model ask for, or a model that gives less than the attack needs.
        """
        if self.access is Access.GRADIENTS and isinstance(model, HashModel) and not model.gradients:
            raise no_gradients("it gives codes alone", type(self).__name__)
        if isinstance(model, RankedService):
            goal = dataclasses.replace(goal, codes=None)  # of which a list tells nothing
        clean = as_images(images, device=model.device).detach()
        goal = self._checked(goal, len(clean), model.bits)
        victim = Victim(
            model,
            len(clean),
            self.access,
            search=search,
            database_labels=database_labels,
            questions=self.questions,
            judge=judge,
        )
        with frozen(model) if isinstance(model, HashModel) else nullcontext():
            adversarial = self.perturb(victim, clean, goal, generator or torch.Generator().manual_seed(0))
        images = project(adversarial.detach(), clean, self.epsilon, self.norm)
        return AttackResult(images, victim.cost, victim.winners, victim.restart_bits)

    @abstractmethod
    def perturb(
        self, victim: Victim, images: torch.Tensor, goal: Goal, generator: torch.Generator
    ) -> torch.Tensor:
        """Return adversarial images, before the budget is enforced.

        Args:
            victim: The attacked model and search, which answer what ``access`` allows and count it.
            images: Float ``(n, 3, h, w)`` in [0, 1].
            goal: What is to be reached; ``goal.direction(victim.bits, images)`` are the signs that the codes are to take.
            generator: Source of randomness, on the CPU.
        """

    def _checked(self, goal: Goal, images: int, bits: int) -> Goal:
        """Return the goal with labels as uint8, or say what is wrong with it."""
        for stage in self.stages:
            if goal.objective not in stage.objectives:
                raise HashprobeError(
                    f"{type(stage).__name__} has no {goal.objective} form; its goal must be {stage.objectives[0]}."
                )
        if goal.codes is not None:
            packed, expected = np.asarray(goal.codes), (images, -(-bits // 8))
            if packed.dtype != np.uint8 or packed.shape != expected:
                raise HashprobeError(
                    f"target codes must be packed uint8 of shape {expected} ({images} images, {bits} bits); "
                    f"found {packed.dtype} of shape {packed.shape}. See hashprobe.retrieval.pack."
                )
        for stage in self.stages:
            name = type(stage).__name__
            if stage.needs_labels and (goal.labels is None or len(goal.labels) != images):
                found = "none" if goal.labels is None else len(goal.labels)
                raise HashprobeError(
                    f"{name} reads the labels of its goal: give labels=, one row an image ({images}; found {found})."
                )
            if stage.needs_training_codes and goal.training is None:
                raise HashprobeError(
                    f"{name} reads codes and labels of training images: give Goal(training=(codes, labels)), packed and "
                    "multi-hot."
                )
        if goal.labels is None:
            return goal
        labels = np.asarray(goal.labels)
        if labels.ndim != 2 or not np.isin(labels, (0, 1)).all():
            raise HashprobeError(f"labels must be multi-hot, of shape (n, C); found {labels.shape}.")
        return dataclasses.replace(goal, labels=labels.astype(np.uint8))
