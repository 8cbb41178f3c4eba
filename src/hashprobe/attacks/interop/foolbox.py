"""Attacks of the library foolbox (Rauber, Brendel and Bethge, 2017; Rauber et al., 2020)."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import torch

from hashprobe.attacks.base import ATTACKS
from hashprobe.attacks.interop.borrowed import BorrowedAttack
from hashprobe.attacks.interop.classifier import GoalClassifier
from hashprobe.attacks.interop.library import library, parameters
from hashprobe.errors import HashprobeError


@ATTACKS.register("foolbox")
@dataclass(frozen=True, kw_only=True)
class Foolbox(BorrowedAttack):
    """An attack of foolbox by its name there, as ``name=LinfPGD``; needs the extra ``interop``.

    An attack within another distance than L∞ has the budget ``own_epsilon`` in it; one that looks for the smallest change may
    do without. An image for which foolbox finds none comes back as foolbox leaves it.
    """

    package: ClassVar[str] = "foolbox"
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

    def attacked(
        self, classifier: GoalClassifier, images: torch.Tensor, arguments: dict[str, Any]
    ) -> torch.Tensor:
        """Return what foolbox makes of images; see :meth:`BorrowedAttack.attacked`."""
        own, linf = library("foolbox"), library("foolbox").distances.linf
        if "distance" in parameters(self.kind):
            arguments.setdefault("distance", linf)
        attack = self.kind(**arguments)
        budget = (self.epsilon or 1.0) if attack.distance is linf else self.own_epsilon
        if budget is None and not self.up_to_the_threshold:
            raise HashprobeError(
                f"{self.said_name} keeps to a budget in {attack.distance}; give it as own_epsilon=."
            )
        model = own.PyTorchModel(classifier, bounds=(0, 1), device=images.device)
        criterion = own.criteria.Misclassification(classifier.labels)
        _, adversarial, _ = attack(model, images, criterion, epsilons=budget)
        return cast(torch.Tensor, adversarial)
