"""Goals: what an attack is to reach. One file a kind; importing this package registers them."""

from hashprobe.targets.goals.base import GOALS, NO_CODE, GoalKind, codes_of
from hashprobe.targets.goals.goal import Goal, Objective
from hashprobe.targets.goals.targeted import Targeted
from hashprobe.targets.goals.untargeted import Untargeted

__all__ = ["GOALS", "NO_CODE", "Goal", "GoalKind", "Objective", "Targeted", "Untargeted", "codes_of"]
