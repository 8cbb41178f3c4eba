"""Attacks of the library foolbox (Rauber, Brendel and Bethge, 2017; Rauber et al., 2020)."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import torch

from hashprobe.attacks.base import ATTACKS, Norm
from hashprobe.attacks.interop.borrowed import BorrowedAttack
from hashprobe.attacks.interop.classifier import GoalClassifier
from hashprobe.attacks.interop.library import library, parameters, said


@ATTACKS.register("foolbox")
@dataclass(frozen=True, kw_only=True)
class Foolbox(BorrowedAttack):
    """An attack of foolbox by its name there, as ``name=LinfPGD``; needs the extra ``interop``.

    An attack that looks for the smallest change may measure it as it likes; the budget is enforced on what it finds. An image
    for which foolbox finds none comes back as foolbox leaves it.
    """

    package: ClassVar[str] = "foolbox"
    default_names: ClassVar[Mapping[Norm, str]] = {"linf": "LinfPGD", "l2": "L2PGD"}
    taken_as: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "steps": ("steps",),
        "step_size": ("abs_stepsize", "stepsize", "initial_stepsize"),
    }

    @classmethod
    def classes(cls) -> dict[str, type]:
        """Return what foolbox offers of attacks with a distance, under all its names."""
        own = library("foolbox").attacks
        distant = (own.base.FixedEpsilonAttack, own.base.MinimizationAttack)
        named = {name: value for name, value in vars(own).items() if isinstance(value, type)}
        return {
            name: value
            for name, value in named.items()
            if issubclass(value, distant) and not inspect.isabstract(value)
        }

    @property
    def up_to_the_threshold(self) -> bool:
        """Whether foolbox calls it a minimisation."""
        return issubclass(self.kind, library("foolbox").attacks.base.MinimizationAttack)

    @property
    def own_norm(self) -> str | None:
        """Of an attack with a fixed budget: that of its distance."""
        if self.up_to_the_threshold:
            return None
        return str(self.made(self.given).distance).partition(" ")[0].lower()

    def made(self, arguments: dict[str, Any]) -> Any:
        """Return foolbox's attack; one that may measure as it is told measures as the budget does."""
        if "distance" in parameters(self.kind):
            arguments.setdefault("distance", getattr(library("foolbox").distances, self.norm))
        with said(self.said_name):
            return self.kind(**arguments)

    def attacked(
        self, classifier: GoalClassifier, images: torch.Tensor, arguments: dict[str, Any]
    ) -> torch.Tensor:
        """Return what foolbox makes of images; see :meth:`BorrowedAttack.attacked`."""
        own, attack = library("foolbox"), self.made(arguments)
        same = attack.distance is getattr(own.distances, self.norm)
        budget = self.budget(images) if same else None
        model = own.PyTorchModel(classifier, bounds=(0, 1), device=images.device)
        criterion = own.criteria.Misclassification(classifier.labels)
        _, adversarial, _ = attack(model, images, criterion, epsilons=budget)
        return cast(torch.Tensor, adversarial)
