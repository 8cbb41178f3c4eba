"""hashprobe and libraries of attacks on classifiers: our goals for their attacks, and their attacks as attacks here."""

from hashprobe.attacks.interop.classifier import GoalClassifier, GoalObjective, agreement
from hashprobe.attacks.interop.criterion import goal_reached
from hashprobe.attacks.interop.foolbox import Foolbox
from hashprobe.attacks.interop.torchattacks import Torchattacks

__all__ = ["Foolbox", "GoalClassifier", "GoalObjective", "Torchattacks", "agreement", "goal_reached"]
