"""The code generator as an attack: one pass for any image and target code, and further steps from there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch
from pydantic import BaseModel
from torch import nn

from hashprobe.attacks.access import Access, Victim
from hashprobe.attacks.base import ATTACKS, Attack, project
from hashprobe.attacks.code_generator.networks import CodeGenerator, MapSize
from hashprobe.attacks.code_generator.seeing import seen
from hashprobe.attacks.code_generator.settings import PRESETS, CodeGeneratorSettings
from hashprobe.attacks.code_generator.training import new_code_generator, train_code_generator
from hashprobe.attacks.gradients import Gradients, GradientSettings
from hashprobe.attacks.loop import descend
from hashprobe.attacks.objectives import OBJECTIVES, towards
from hashprobe.errors import HashprobeError, check_whole_number, shortened
from hashprobe.identity import optional
from hashprobe.targets import Goal
from hashprobe.trained import TRAINED, Trained, TrainingRun


@TRAINED.register("CodeGenerator")
@ATTACKS.register("CodeGenerator")
@dataclass(frozen=True, kw_only=True)
class CodeGeneratorAttack(Attack, Trained):
    """A generator of our own beside ProS-GAN's: bounded by construction, for any target *code*, by what the network computes.

    It sees, as it was trained, the code alone (one pattern for all images, which costs no pass of the attacked network) or the
    feature maps of the attacked network as well (a forward pass). Its own pass is counted as a forward pass. It serves codes of
    any kind, also untargeted.

    Attributes:
        generator: The trained network.
        settings: How it was trained.
        image_size: Side of the images that it takes.
        maps: The feature maps that it sees.
        classes: Of the data that it was trained on.
        epsilon: L∞ budget that its change is scaled to; that of the training if not given.
        steps: Sign steps from its image on; 0 for its image itself.
        step_size: Of the first of them, L∞ in [0, 1] units; the sizes fall evenly, as FewStep's.
        last_step_size: Of the last.
        objective: What the steps descend, a name of ``OBJECTIVES``.
        momentum: Share of the last step's direction that is kept.
        attacked_model: Fingerprint of the model that it was trained against.
    """

    name: ClassVar[str] = "CodeGenerator"
    code: ClassVar[str | None] = "ap-search"
    access: ClassVar[Access] = Access.GRADIENTS
    Settings = CodeGeneratorSettings
    presets: ClassVar[Mapping[str, BaseModel]] = PRESETS

    generator: CodeGenerator = field(repr=False)
    settings: CodeGeneratorSettings
    image_size: int
    maps: tuple[MapSize, ...]
    classes: int
    steps: int = 0
    step_size: float = 4 / 255
    last_step_size: float = 1 / 255
    objective: str = "scaled"
    momentum: float = optional(0.0)
    attacked_model: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        OBJECTIVES[self.objective]
        check_whole_number("steps", self.steps, least=0)
        for name in ("step_size", "last_step_size"):
            if not 0 < getattr(self, name) < float("inf"):
                raise HashprobeError(f"{name} must be positive; found {getattr(self, name)}.")
        if not 0 <= self.momentum <= 1:
            raise HashprobeError(f"momentum must be in [0, 1]; found {shortened(self.momentum)}.")

    def perturb(
        self, victim: Victim, images: torch.Tensor, goal: Goal, generator: torch.Generator
    ) -> torch.Tensor:
        """Return what the generator makes of images and codes, and the steps of that; see :meth:`Attack.perturb`."""
        check_fits(self.name, self.image_size, self.generator.pattern.bits, images, victim)
        wanted = goal.direction(victim.bits, images)
        if len(images) == 0:
            return images
        start = project(self._drawn(victim, images, wanted), images, self.epsilon)
        if not self.steps:
            return start
        return descend(
            images,
            Gradients(
                victim, towards(self.objective, wanted), GradientSettings(), reach=0.0, generator=generator
            ),
            step_sizes=[float(size) for size in np.linspace(self.step_size, self.last_step_size, self.steps)],
            epsilon=self.epsilon,
            direction="sign",
            momentum=self.momentum,
            start=start,
        )

    def _drawn(self, victim: Victim, images: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        found, own = None, self.generator.to(images.device)
        if self.settings.sees != "code":
            found = seen(victim.feature_maps, images, wanted, sizes=self.maps)
        epsilon = self.settings.epsilon if self.epsilon is None else self.epsilon
        with torch.no_grad(), victim.counting(own):
            drawn: torch.Tensor = own(images.float(), wanted.float(), found, epsilon)
        return drawn.to(images.dtype)

    @classmethod
    def train(cls, settings: Any, run: TrainingRun) -> CodeGeneratorAttack:
        """Train the generator against the run's model."""
        generator, maps = train_code_generator(settings, run)
        return cls(
            epsilon=settings.epsilon,
            generator=generator,
            settings=settings,
            image_size=run.data.image_size,
            maps=tuple(maps),
            classes=run.data.classes,
            attacked_model=run.model.sha256(),
        )

    def networks(self) -> Mapping[str, nn.Module]:
        """Return the generator."""
        return {"generator": self.generator}

    def facts(self) -> dict[str, Any]:
        """Return code length, classes, image size and the feature maps."""
        maps = [list(size) for size in self.maps]
        return {
            "bits": self.generator.pattern.bits,
            "classes": self.classes,
            "image_size": self.image_size,
            "maps": maps,
        }

    @classmethod
    def assemble(
        cls, settings: Any, facts: dict[str, Any], parts: Mapping[str, Trained], attacked_model: str
    ) -> CodeGeneratorAttack:
        """Build a generator of those settings."""
        maps = tuple(MapSize(side, channels) for side, channels in facts["maps"])
        return cls(
            epsilon=settings.epsilon,
            generator=new_code_generator(settings, facts["bits"], facts["image_size"], maps),
            settings=settings,
            image_size=facts["image_size"],
            maps=maps,
            classes=facts["classes"],
            attacked_model=attacked_model,
        )


def check_fits(name: str, image_size: int, bits: int, images: torch.Tensor, victim: Victim) -> None:
    """Say that a network was trained for images or codes of another size.

    Raises:
        HashprobeError: it was.
    """
    if images.shape[2:] != (image_size, image_size):
        raise HashprobeError(
            f"this {name} takes images of {image_size}×{image_size}; found {images.shape[2]}×{images.shape[3]}."
        )
    if victim.bits != bits:
        raise HashprobeError(
            f"this {name} draws for codes of {bits} bits; the attacked model has {victim.bits}."
        )
