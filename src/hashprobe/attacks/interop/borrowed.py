"""What the attacks of other libraries share when they are run as attacks here."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch

from hashprobe.attacks.access import Victim
from hashprobe.attacks.base import Attack, Norm
from hashprobe.attacks.interop.classifier import GoalClassifier
from hashprobe.attacks.interop.library import check_arguments, parameters, said, seeded
from hashprobe.attacks.objectives import OBJECTIVES
from hashprobe.errors import HashprobeError, check_whole_number, shortened, unknown_name
from hashprobe.settings_text import read_pairs
from hashprobe.targets import Goal


@dataclass(frozen=True, kw_only=True)
class BorrowedAttack(Attack):
    """An attack of a library, by its name there, on the classifier of the goal (:class:`GoalClassifier`).

    The library does what it does to a classifier; passes are counted and the budget is enforced here. What it draws comes from
    the generator. What is not given has the library's default.

    Attributes:
        epsilon: Budget; the library gets it where its attack has one. Unbounded is to the library the largest that there is.
        norm: What the budget measures; an attack that keeps to another one is refused.
        name: The attack's name in the library; its PGD within ``norm`` if not given.
        steps: Steps.
        step_size: Length of a step, as the library measures it.
        objective: What is descended, a name of ``OBJECTIVES``; as at the end of an attack's steps, since a library does not say
            how many are done.
        threshold: From which objective on, −1 to 1, an image counts as having reached its goal; see :class:`GoalClassifier`. An
            attack that looks for the smallest change, or gives back only what has reached its goal, needs one below 1.
        arguments: Further ones of the library's, as ``decay=0.5;random_start=false``.
    """

    package: ClassVar[str]
    stochastic: ClassVar[bool] = True
    norms: ClassVar[tuple[Norm, ...]] = ("linf", "l2")
    default_names: ClassVar[Mapping[Norm, str]]
    """What is meant where no name is given."""
    taken_as: ClassVar[Mapping[str, tuple[str, ...]]]
    """What the library calls the steps and their size; the first that an attack has is meant."""

    name: str | None = None
    steps: int | None = None
    step_size: float | None = None
    objective: str = "scaled"
    threshold: float = 1.0
    arguments: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        OBJECTIVES[self.objective]
        if self.steps is not None:
            check_whole_number("steps", self.steps, least=1)
        if self.step_size is not None and not 0 < self.step_size < float("inf"):
            raise HashprobeError(f"step_size must be positive; found {shortened(self.step_size)}.")
        if not -1 < self.threshold <= 1:
            raise HashprobeError(f"threshold must be in (-1, 1]; found {shortened(self.threshold)}.")
        check_arguments(self.said_name, self.given, parameters(self.kind))
        if self.up_to_the_threshold and self.threshold == 1:
            raise HashprobeError(
                f"{self.said_name} stops where the goal is reached, so it must be told when that is: give threshold= below 1, "
                "as threshold=0.5."
            )
        if self.own_norm not in (None, self.norm):
            known = self.own_norm in self.norms
            remedy = f"give norm={self.own_norm} and its epsilon" if known else "there is no such budget here"
            raise HashprobeError(
                f"{self.said_name} keeps to a budget in {self.own_norm}, not {self.norm}; {remedy}."
            )

    @property
    def own_name(self) -> str:
        """The attack's name in the library."""
        return self.default_names[self.norm] if self.name is None else self.name

    @property
    def said_name(self) -> str:
        """The attack as a sentence names it."""
        return f"{self.package}: {self.own_name}"

    @property
    def kind(self) -> type:
        """The library's class.

        Raises:
            HashprobeError: the library is not installed, or has no such attack.
        """
        classes = self.classes()
        if self.own_name not in classes:
            raise unknown_name(f"attack of {self.package}", self.own_name, classes)
        return classes[self.own_name]

    @classmethod
    @abstractmethod
    def classes(cls) -> dict[str, type]:
        """Return the library's attacks that can be run here, by name."""

    @property
    @abstractmethod
    def up_to_the_threshold(self) -> bool:
        """Whether it looks for the smallest change that reaches the goal, or gives back only what has reached it."""

    @property
    @abstractmethod
    def own_norm(self) -> str | None:
        """What the budget measures that the library's attack keeps to; ``None`` if it has none."""

    @property
    def together(self) -> bool:
        """Whether it asks for all images of a batch at once, in their order; else it gets one image at a time."""
        return True

    @abstractmethod
    def attacked(
        self, classifier: GoalClassifier, images: torch.Tensor, arguments: dict[str, Any]
    ) -> torch.Tensor:
        """Return what the library makes of images.

        Args:
            classifier: What it attacks, on the classifier's ``labels``.
            images: Float ``(n, 3, h, w)`` in [0, 1].
            arguments: Of the library's class.
        """

    @torch.enable_grad()
    def perturb(
        self, victim: Victim, images: torch.Tensor, goal: Goal, generator: torch.Generator
    ) -> torch.Tensor:
        """Return what the library makes of the images; see :meth:`Attack.perturb`."""
        direction, adversarial = goal.direction(victim.bits, images), images.clone()
        every = np.arange(len(images))
        parts = [every] if self.together else [every[row : row + 1] for row in every]
        with seeded(generator, images.device), said(self.said_name):
            for rows in parts:
                if len(rows):
                    adversarial[rows] = self._part(victim, images[rows], direction[rows], rows).detach()
        return adversarial

    def _part(
        self, victim: Victim, images: torch.Tensor, direction: torch.Tensor, rows: npt.NDArray[np.intp]
    ) -> torch.Tensor:
        def logits(pictures: torch.Tensor) -> torch.Tensor:
            return victim.logits(pictures, rows if len(rows) > 1 else rows.repeat(len(pictures)))

        classifier = GoalClassifier.of_logits(
            logits, direction, objective=self.objective, threshold=self.threshold
        )
        try:
            return self.attacked(classifier, images, self.given)
        finally:
            # A library may keep what it attacked for as long as it is loaded (torchattacks does); the victim is not to stay too.
            classifier.forget()

    def budget(self, images: torch.Tensor) -> float:
        """Return the budget for the library: the longest change of such images that there is, where it is unbounded."""
        longest = 1.0 if self.norm == "linf" else images[0].numel() ** 0.5
        return longest if self.epsilon is None else self.epsilon

    @property
    def given(self) -> dict[str, Any]:
        """The arguments of the library's class that this attack's numbers and texts give."""
        taken, values = parameters(self.kind), {"steps": self.steps, "step_size": self.step_size}
        given: dict[str, Any] = {}
        for field, value in values.items():
            if value is None:
                continue
            names = [name for name in self.taken_as[field] if name in taken]
            if not names:
                raise HashprobeError(f"{self.said_name} has no {field}; leave it out.")
            given[names[0]] = value
        parts = [part for part in self.arguments.split(";") if part]
        return given | read_pairs(parts, f"{self.said_name}: arguments")
