"""Targeted: what the queries retrieve is to carry a label of the attacker's choice."""

from __future__ import annotations

from hashprobe.targets.context import Context
from hashprobe.targets.goals.base import GOALS, GoalKind, codes_of, known
from hashprobe.targets.goals.goal import Goal


@GOALS.register("targeted")
class Targeted(GoalKind):
    """Towards the code that stands for a target label."""

    objective = "targeted"
    code = "anchor"

    def build(self, context: Context, code: str) -> Goal:
        """Return the codes of the target labels."""
        labels = known(context.target_labels, "target labels")
        return Goal(objective="targeted", codes=codes_of(context, code, labels), labels=labels)
