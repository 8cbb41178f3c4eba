"""The strongest of a fixed set of attacks, chosen for each query: what a claim of robustness has to stand against."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch

from hashprobe.attacks.access import Victim
from hashprobe.attacks.base import ATTACKS, Attack, Norm, project
from hashprobe.attacks.pgd import PGD
from hashprobe.attacks.pta import PTA
from hashprobe.errors import HashprobeError, check_whole_number
from hashprobe.identity import optional
from hashprobe.retrieval import unpack
from hashprobe.targets import Goal


@ATTACKS.register("strongest")
@dataclass(frozen=True, kw_only=True)
class Strongest(Attack):
    """Version 1 of a fixed set: each member attacks every query, and the worst result counts, as AutoAttack does for classifiers.

    The worst is the image with the best average precision for the goal's labels over the database; where no database is
    searched, the one whose code is nearest to the goal's. Members, with steps of an eighth of the budget unless said:

    - ``scaled``: PGD on the objective that does not hang on the scale of the outputs, from the image and from random starts;
    - ``falling``: the same, in steps that fall from a half to an eighth of the budget;
    - ``momentum``: the same with momentum 1;
    - ``logits``: PGD on the outputs without a tanh;
    - ``sharpening``: PGD on DHTA's objective;
    - ``pta``: steps along SmoothAP, where the goal's labels are known (L∞ alone).

    All go to the goal's code. A member is added or changed only with a new ``VERSION``. The cost is that of all members.

    Attributes:
        steps: Steps of each member but ``pta``, which has its own 20.
        restarts: Starts of ``scaled``, the first at the image.
    """

    code: ClassVar[str | None] = "ap-search"
    stochastic: ClassVar[bool] = True
    needs_training_codes: ClassVar[bool] = True
    norms: ClassVar[tuple[Norm, ...]] = ("linf", "l2")

    steps: int = 100
    restarts: int = optional(2)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole_number("steps", self.steps, least=1)
        check_whole_number("restarts", self.restarts, least=1)
        if self.epsilon is None:
            raise HashprobeError(
                "strongest steps by shares of epsilon, so it has no unbounded form; give epsilon a number, as 8/255."
            )

    @property
    def members(self) -> tuple[str, ...]:
        """Names of the attacks of the set."""
        return tuple(self.attacks)

    @property
    def attacks(self) -> dict[str, Attack]:
        """The attacks of the set, by name."""
        assert self.epsilon is not None
        eighth = self.epsilon / 8
        base = PGD(epsilon=self.epsilon, norm=self.norm, steps=self.steps, step_size=eighth)
        members: dict[str, Attack] = {
            "scaled": dataclasses.replace(base, restarts=self.restarts),
            "falling": dataclasses.replace(base, step_size=4 * eighth, last_step_size=eighth),
            "momentum": dataclasses.replace(base, momentum=1.0),
            "logits": dataclasses.replace(base, objective="logits"),
            "sharpening": dataclasses.replace(base, objective="sharpening"),
        }
        if self.norm == "linf":
            members["pta"] = PTA(epsilon=self.epsilon, step_size=eighth)
        return members

    def perturb(
        self, victim: Victim, images: torch.Tensor, goal: Goal, generator: torch.Generator
    ) -> torch.Tensor:
        """Return of each image the result of the member that served it best; see :meth:`Attack.perturb`."""
        best = images.clone()
        strength = np.full(len(images), -np.inf)
        winners = np.full(len(images), "", dtype=object)
        for name, member in self.attacks.items():
            if member.needs_labels and goal.labels is None:
                continue
            found = project(member.perturb(victim, images, goal, generator), images, self.epsilon, self.norm)
            reached = strength_of(victim, found.detach(), goal)
            better = reached > strength
            best[torch.from_numpy(better).to(images.device)] = found[better].detach()
            strength[better], winners[better] = reached[better], name
        victim.winners, victim.restart_bits = tuple(winners.tolist()), None  # which is one member's alone
        return best


def strength_of(victim: Victim, images: torch.Tensor, goal: Goal) -> npt.NDArray[np.float64]:
    """Return how well each image serves its goal, more is better: a question an image; see :class:`Strongest`."""
    if goal.labels is not None and victim.can_judge:
        precision = victim.average_precision(images, goal.labels)
        return precision if goal.objective == "targeted" else -precision
    wanted = goal.direction(victim.bits, images).cpu().numpy()
    agreement: npt.NDArray[np.float64] = np.einsum(
        "nk,nk->n", unpack(victim.codes(images), victim.bits), wanted
    )
    return agreement.astype(np.float64)
