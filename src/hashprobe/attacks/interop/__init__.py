"""hashprobe and libraries of attacks on classifiers: our goals for their attacks, and their attacks as attacks here."""

from hashprobe.attacks.interop.borrowed import BorrowedAttack
from hashprobe.attacks.interop.classifier import GoalClassifier
from hashprobe.attacks.interop.criterion import goal_reached
from hashprobe.attacks.interop.foolbox import Foolbox
from hashprobe.attacks.interop.torchattacks import Torchattacks

__all__ = ["BorrowedAttack", "Foolbox", "GoalClassifier", "Torchattacks", "goal_reached"]
