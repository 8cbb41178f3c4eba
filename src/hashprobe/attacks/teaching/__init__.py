"""How generators are taught, ProS-GAN's and our own: one loop, its losses and settings."""

from hashprobe.attacks.teaching.critic import Critic
from hashprobe.attacks.teaching.loop import Draw, Drawn, Pupil, Rates, teach
from hashprobe.attacks.teaching.settings import GeneratorTrainingSettings

__all__ = ["Critic", "Draw", "Drawn", "GeneratorTrainingSettings", "Pupil", "Rates", "teach"]
