"""Which attacks an audit makes: what the model gives and what the attacker is let see decide, and the report says so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from hashprobe.attacks import NES, PGD, Access, Attack, FewStep, Noise, RandomSearch, RayS, Square
from hashprobe.auditing.settings import AuditSettings, Budget
from hashprobe.errors import HashprobeError, unknown_name

Aim = Literal["evasion", "collision"]
Build = Callable[[float, int, int, int], Attack]
"""Epsilon, questions, steps and threshold -> the attack."""


@dataclass(frozen=True)
class Audited:
    """An attack as an audit makes it.

    Attributes:
        build: With the numbers of a budget.
        access: What it sees.
        norms: Which budgets it keeps to.
        aims: What it can be after.
        title: What it does, in a few words.
    """

    build: Build
    access: Access
    norms: tuple[str, ...]
    aims: tuple[Aim, ...]
    title: str


BOTH: tuple[Aim, ...] = ("evasion", "collision")

AUDITED = {
    "FewStep": Audited(
        lambda epsilon, questions, steps, threshold: FewStep(
            epsilon=epsilon, steps=steps, step_size=epsilon / 2, last_step_size=epsilon / 8
        ),
        Access.GRADIENTS,
        ("linf",),
        BOTH,
        "white box: sign steps that get smaller",
    ),
    "PGD": Audited(
        lambda epsilon, questions, steps, threshold: PGD(
            epsilon=epsilon, norm="l2", steps=steps, step_size=2.5 * epsilon / steps
        ),
        Access.GRADIENTS,
        ("l2",),
        BOTH,
        "white box: steps along the gradient",
    ),
    "Square": Audited(
        lambda epsilon, questions, steps, threshold: Square(epsilon=epsilon, questions=questions),
        Access.CODES,
        ("linf",),
        BOTH,
        "black box: random squares, by the distance of codes",
    ),
    "NES": Audited(
        lambda epsilon, questions, steps, threshold: NES(
            epsilon=epsilon, questions=questions, sigma=epsilon, step_size=epsilon / 4
        ),
        Access.CODES,
        ("linf",),
        BOTH,
        "black box: estimated gradients, by the distance of codes",
    ),
    "RayS": Audited(
        lambda epsilon, questions, steps, threshold: RayS(
            epsilon=epsilon, questions=questions, threshold=threshold
        ),
        Access.FOUND,
        ("linf",),
        ("evasion",),
        "black box: by found or not found alone",
    ),
    "RandomSearch": Audited(
        lambda epsilon, questions, steps, threshold: RandomSearch(
            epsilon=epsilon, questions=questions, length=threshold + 1
        ),
        Access.RANKING,
        ("linf",),
        BOTH,
        "black box: random squares, by the ranked list alone",
    ),
    "Noise": Audited(
        lambda epsilon, questions, steps, threshold: Noise(epsilon=epsilon),
        Access.NOTHING,
        ("linf",),
        ("evasion",),
        "no attack: random noise of the same size, for comparison",
    ),
}
"""By name: of what is cheap, the strongest, as measured in docs/results; NES is made where it is named."""

USUAL = ("FewStep", "PGD", "Square", "RayS", "RandomSearch", "Noise")
LISTS_ALONE = "the service answers with ranked lists alone"


@dataclass(frozen=True)
class Planned:
    """An attack that is made.

    Attributes:
        name: A name of ``AUDITED``.
        aim: What it is after.
        budget: How far it may go.
        questions: How many it may ask for a picture; ``None`` of a white box.
    """

    name: str
    aim: Aim
    budget: Budget
    questions: int | None

    @property
    def access(self) -> Access:
        """What it sees."""
        return AUDITED[self.name].access

    def build(self, values: int, settings: AuditSettings, threshold: int) -> Attack:
        """Return the attack for pictures of so many values."""
        epsilon = self.budget.epsilon(values)
        return AUDITED[self.name].build(epsilon, self.questions or 1, settings.steps, threshold)


@dataclass(frozen=True)
class Skipped:
    """An attack that is not made, and why, as a sentence."""

    name: str
    why: str


def plan(
    settings: AuditSettings, no_gradients: str | None, *, lists: bool = False, collisions: bool = True
) -> tuple[list[Planned], list[Skipped]]:
    """Return the attacks that are made, and those that are not.

    Args:
        settings: What is asked for.
        no_gradients: Why the model gives none; ``None`` where it does.
        lists: Whether the search answers with ranked lists and no codes.
        collisions: Whether there are unrelated pictures to be taken for.

    Raises:
        HashprobeError: an unknown attack, or an access that the search does not give.
    """
    for name in settings.attacks:
        if name not in AUDITED:
            raise unknown_name("audited attack", name, AUDITED)
    wanted = settings.attacks or USUAL
    sees = Access(settings.access or ("ranking" if lists else "codes" if no_gradients else "gradients"))
    if lists and sees is not Access.RANKING:
        raise HashprobeError(f"--access {sees.value}: {LISTS_ALONE}; leave it out.")
    if no_gradients and sees is Access.GRADIENTS:
        raise HashprobeError(
            f"--access gradients: the model gives none ({no_gradients}); leave it out, or give codes."
        )
    budgets = [Budget.read(text) for text in settings.budgets]
    planned, skipped = list[Planned](), list[Skipped]()
    for name, attack in AUDITED.items():
        why = None
        if attack.access is Access.RANKING and not lists:
            if name not in settings.attacks:
                continue
            why = "it reads ranked lists, and this search gives codes, of which Square sees more"
        elif name not in wanted:
            why = f"it was not asked for (--attack {name})"
        elif lists and not sees.allows(attack.access):
            why = f"it needs {attack.access.value}, and {LISTS_ALONE}"
        elif attack.access is Access.GRADIENTS and no_gradients:
            why = f"it needs gradients, and {no_gradients}"
        elif not sees.allows(attack.access):
            why = f"it needs {attack.access.value}, and the attacker sees {sees.value} alone (--access)"
        elif not any(budget.norm in attack.norms for budget in budgets):
            kind = (
                "the largest change (--budget 8/255)" if "linf" in attack.norms else "L2 (--budget rms:0.01)"
            )
            why = f"it keeps to a budget of {kind}, and none was given"
        if why:
            skipped.append(Skipped(name, why))
            continue
        asks = attack.access in (Access.CODES, Access.FOUND, Access.RANKING)
        planned += [
            Planned(name, aim, budget, questions)
            for budget in budgets
            if budget.norm in attack.norms
            for questions in (settings.questions if asks else (None,))
            for aim in attack.aims
            if aim == "evasion" or collisions
        ]
    if not collisions:
        skipped.append(
            Skipped("collisions", "all pictures share a label, so none is to be taken for another")
        )
    return planned, skipped
