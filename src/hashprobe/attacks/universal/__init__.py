"""What is trained once for each target label and works on any image: perturbations and patches."""

from hashprobe.attacks.universal.patch import Patch, PatchSettings
from hashprobe.attacks.universal.universal import Universal, UniversalSettings

__all__ = ["Patch", "PatchSettings", "Universal", "UniversalSettings"]
