"""Untargeted: what the queries retrieve is no longer to be relevant to them."""

from __future__ import annotations

from hashprobe.targets.context import Context
from hashprobe.targets.goals.base import GOALS, NO_CODE, GoalKind, codes_of, known
from hashprobe.targets.goals.goal import Goal


@GOALS.register("untargeted")
class Untargeted(GoalKind):
    """Away from the query's own code, or from the code of its own label."""

    objective = "untargeted"
    code = "own"

    def build(self, context: Context, code: str) -> Goal:
        """Return the queries' own codes, or those of their labels, which then must be known."""
        labels = context.query_labels
        if code == "own":
            return Goal(objective="untargeted", codes=context.query_codes, labels=labels)
        if code == NO_CODE:
            return Goal(objective="untargeted", labels=labels)
        labels = known(labels, "the labels of the queries")
        return Goal(objective="untargeted", codes=codes_of(context, code, labels), labels=labels)
