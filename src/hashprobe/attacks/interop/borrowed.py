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
from hashprobe.attacks.base import Attack
from hashprobe.attacks.interop.classifier import GoalClassifier
from hashprobe.attacks.interop.library import check_arguments, parameters, said, seeded
from hashprobe.errors import HashprobeError, check_whole_number, shortened, unknown_name
from hashprobe.settings_text import read_pairs
from hashprobe.targets import Goal


@dataclass(frozen=True, kw_only=True)
class BorrowedAttack(Attack):
    """An attack of a library, by its name there, on the classifier of the goal (:class:`GoalClassifier`).

    The library does what it does to a classifier; passes are counted and the budget is enforced here. What it draws comes from
    the generator. What is not given has the library's default.

    Attributes:
        epsilon: L∞ budget in [0, 1] units, given to the library where its attack is one within L∞, and enforced in any case;
            ``None``, unbounded, is 1 to the library.
        name: The attack's name in the library.
        steps: Steps.
        step_size: Length of a step, in the attack's own distance.
        own_epsilon: Budget in the attack's own distance, where that is not L∞; an L2 length, as a rule.
        threshold: From which objective, −1 to 1, an image counts as having reached its goal; see :class:`GoalClassifier`. An
            attack that looks for the smallest change, or gives back only what has reached its goal, needs one below 1.
        arguments: Further ones of the library's, as ``decay=0.5;random_start=false``.
    """

    package: ClassVar[str]
    stochastic: ClassVar[bool] = True
    taken_as: ClassVar[Mapping[str, tuple[str, ...]]]
    """What the library calls the steps and their size; the first that an attack has is meant."""

    name: str = "PGD"
    steps: int | None = None
    step_size: float | None = None
    own_epsilon: float | None = None
    threshold: float = 1.0
    arguments: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.steps is not None:
            check_whole_number("steps", self.steps, least=1)
        for name in ("step_size", "own_epsilon"):
            if (value := getattr(self, name)) is not None and not 0 < value < float("inf"):
                raise HashprobeError(f"{name} must be positive; found {shortened(value)}.")
        if not -1 < self.threshold <= 1:
            raise HashprobeError(f"threshold must be in (-1, 1]; found {shortened(self.threshold)}.")
        taken = parameters(self.kind)
        check_arguments(self.said_name, self._given(), taken)
        if self.up_to_the_threshold and self.threshold == 1:
            raise HashprobeError(
                f"{self.said_name} stops where the goal is reached, so it must be told when that is: give threshold= below 1, "
                "as threshold=0.8."
            )

    @property
    def said_name(self) -> str:
        """The attack as a sentence names it."""
        return (
            f"{self.package}' {self.name}" if self.package.endswith("s") else f"{self.package}'s {self.name}"
        )

    @property
    def kind(self) -> type:
        """The library's class.

        Raises:
            HashprobeError: the library is not installed, or has no such attack.
        """
        classes = self.classes()
        if self.name not in classes:
            raise unknown_name(f"attack of {self.package}", self.name, classes)
        return classes[self.name]

    @classmethod
    @abstractmethod
    def classes(cls) -> dict[str, type]:
        """Return the library's attacks that can be run here, by name."""

    @property
    @abstractmethod
    def up_to_the_threshold(self) -> bool:
        """Whether it looks for the smallest change that reaches the goal, or gives back only what has reached it."""

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

        classifier = GoalClassifier.of_logits(logits, direction, threshold=self.threshold)
        try:
            return self.attacked(classifier, images, self._given())
        finally:
            # A library may keep what it attacked for as long as it is loaded (torchattacks does); the victim is not to stay too.
            classifier.forget()

    def _given(self) -> dict[str, Any]:
        """Return the arguments of the library's class that are given by this attack's numbers and texts."""
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
