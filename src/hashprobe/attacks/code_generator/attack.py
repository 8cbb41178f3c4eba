"""The code generator as an attack: one pass for any image and target code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from pydantic import BaseModel

from hashprobe.attacks.access import Victim
from hashprobe.attacks.base import ATTACKS, project
from hashprobe.attacks.code_generator.base import DrawingAttack
from hashprobe.attacks.code_generator.networks import CodeGenerator, MapSize
from hashprobe.attacks.code_generator.seeing import seen
from hashprobe.attacks.code_generator.settings import PRESETS, CodeGeneratorSettings
from hashprobe.attacks.code_generator.training import new_code_generator, train_code_generator
from hashprobe.targets import Goal
from hashprobe.trained import TRAINED, TrainingRun


@TRAINED.register("CodeGenerator")
@ATTACKS.register("CodeGenerator")
@dataclass(frozen=True, kw_only=True)
class CodeGeneratorAttack(DrawingAttack):
    """A generator of our own beside ProS-GAN's: bounded by construction, for any target *code*, by what the network computes.

    It sees, as it was trained, the code alone (one pattern for all images, which costs no pass of the attacked network) or the
    feature maps of the attacked network as well (a forward pass). Its own pass is counted as a forward pass. Of the attributes
    see :class:`DrawingAttack`. Steps go on from its image with ``FewStep(start=…)`` or any other
    :class:`hashprobe.attacks.IterativeAttack`.
    """

    name: ClassVar[str] = "CodeGenerator"
    file: ClassVar[str] = "generator"
    Settings = CodeGeneratorSettings
    presets: ClassVar[Mapping[str, BaseModel]] = PRESETS

    network: CodeGenerator = field(repr=False)
    settings: CodeGeneratorSettings

    def perturb(
        self, victim: Victim, images: torch.Tensor, goal: Goal, generator: torch.Generator
    ) -> torch.Tensor:
        """Return what the generator makes of images and codes; see :meth:`Attack.perturb`."""
        self.check_fits(images, victim)
        wanted = goal.direction(victim.bits, images)
        if len(images) == 0:
            return images
        drawn = self.changed(images.float(), self.pattern(victim, images, wanted)).to(images.dtype)
        return project(drawn, images, self.epsilon)

    def pattern(self, victim: Victim, images: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        """Return what the generator draws for images ``(n, 3, s, s)`` and signs ``(n, K)``, and count its passes."""
        found, own = None, self.network.to(images.device)
        if self.settings.sees != "code":
            found = seen(victim.feature_maps, images, wanted, sizes=self.maps)
        with torch.no_grad(), victim.counting(own):
            drawn: torch.Tensor = own(images.float(), wanted.float(), found)
        return drawn

    @classmethod
    def taught(cls, settings: Any, run: TrainingRun) -> tuple[CodeGenerator, list[MapSize]]:
        """See :meth:`DrawingAttack.taught`."""
        return train_code_generator(settings, run)

    @classmethod
    def new_network(cls, settings: Any, bits: int, image_size: int, maps: Sequence[MapSize]) -> CodeGenerator:
        """See :meth:`DrawingAttack.new_network`."""
        return new_code_generator(settings, bits, image_size, maps)
