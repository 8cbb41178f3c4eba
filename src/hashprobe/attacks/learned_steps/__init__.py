"""Gradient steps whose direction and size a network draws, trained against the attacked model."""

from hashprobe.attacks.learned_steps.attack import LearnedSteps
from hashprobe.attacks.learned_steps.network import StepNetwork
from hashprobe.attacks.learned_steps.training import LearnedStepsSettings

__all__ = ["LearnedSteps", "LearnedStepsSettings", "StepNetwork"]
