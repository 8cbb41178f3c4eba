"""Kinds of goals by name: each makes the goal of a set of queries from a context and the name of a code."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from hashprobe.errors import HashprobeError
from hashprobe.registry import Registry
from hashprobe.targets.codes import CODES
from hashprobe.targets.context import Codes, Context, Labels
from hashprobe.targets.goals.goal import Goal, Objective

NO_CODE = "none"
"""The name of no code, for an attack that looks at none."""


class GoalKind(ABC):
    """A kind of goal. A subclass without arguments is registered in ``GOALS``; its instances make the goals of sets of queries.

    Attributes:
        objective: Whether codes are approached or left; decides how a row is scored: by t-MAP, or by MAP.
        code: The target code that is taken where nobody names one.
    """

    objective: ClassVar[Objective]
    code: ClassVar[str]

    @abstractmethod
    def build(self, context: Context, code: str) -> Goal:
        """Return the goal of the context's queries.

        Args:
            context: The queries, and what is known around them.
            code: A name of ``CODES``, or ``none``.
        """


GOALS: Registry[type[GoalKind]] = Registry("goal")


def codes_of(context: Context, code: str, labels: Labels) -> Codes | None:
    """Return the codes that stand for labels; ``None`` for the code ``none``."""
    return None if code == NO_CODE else CODES[code].of(context)(labels)


def known(labels: Labels | None, what: str) -> Labels:
    """Return labels that must be known."""
    if labels is None:
        raise HashprobeError(f"this goal needs {what}, which are not known here.")
    return labels
