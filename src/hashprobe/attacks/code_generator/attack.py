"""The code generator as an attack: one pass for any image and target code, and further steps from there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch
from pydantic import BaseModel

from hashprobe.attacks.access import Victim
from hashprobe.attacks.base import ATTACKS, project
from hashprobe.attacks.code_generator.base import DrawingAttack
from hashprobe.attacks.code_generator.networks import CodeGenerator, MapSize
from hashprobe.attacks.code_generator.seeing import seen
from hashprobe.attacks.code_generator.settings import PRESETS, CodeGeneratorSettings
from hashprobe.attacks.code_generator.training import new_code_generator, train_code_generator
from hashprobe.attacks.gradients import Gradients, GradientSettings, Loss
from hashprobe.attacks.loop import descend
from hashprobe.attacks.objectives import OBJECTIVES, towards
from hashprobe.attacks.pta import ranking_loss
from hashprobe.errors import HashprobeError, shortened
from hashprobe.identity import optional
from hashprobe.targets import Goal
from hashprobe.trained import TRAINED, TrainingRun

RANKING = "average-precision"
"""The objective that is PTA's loss."""


@TRAINED.register("CodeGenerator")
@ATTACKS.register("CodeGenerator")
@dataclass(frozen=True, kw_only=True)
class CodeGeneratorAttack(DrawingAttack):
    """A generator of our own beside ProS-GAN's: bounded by construction, for any target *code*, by what the network computes.

    It sees, as it was trained, the code alone (one pattern for all images, which costs no pass of the attacked network) or the
    feature maps of the attacked network as well (a forward pass). Its own pass is counted as a forward pass. Of the attributes
    see :class:`DrawingAttack` as well.

    Attributes:
        steps: Sign steps from its image on; 0 for its image itself.
        step_size: Of the first of them, L∞ in [0, 1] units; the sizes fall evenly, as FewStep's.
        last_step_size: Of the last.
        objective: What the steps descend: a name of ``OBJECTIVES``, or ``average-precision``, PTA's loss, which looks at the
            labels of the goal and at codes of training images, and not at the target code any more.
        momentum: Share of the last step's direction that is kept.
        diversity: Probability that one of the steps looks at a varied image; see
            :class:`hashprobe.attacks.gradients.GradientSettings`.
    """

    name: ClassVar[str] = "CodeGenerator"
    file: ClassVar[str] = "generator"
    Settings = CodeGeneratorSettings
    presets: ClassVar[Mapping[str, BaseModel]] = PRESETS

    network: CodeGenerator = field(repr=False)
    settings: CodeGeneratorSettings
    steps: int = 0
    step_size: float = 4 / 255
    last_step_size: float = 1 / 255
    objective: str = "scaled"
    momentum: float = optional(0.0)
    diversity: float = optional(0.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.objective != RANKING:
            OBJECTIVES[self.objective]
        for name in ("step_size", "last_step_size"):
            if not 0 < getattr(self, name) < float("inf"):
                raise HashprobeError(f"{name} must be positive; found {getattr(self, name)}.")
        for name in ("momentum", "diversity"):
            if not 0 <= getattr(self, name) <= 1:
                raise HashprobeError(f"{name} must be in [0, 1]; found {shortened(getattr(self, name))}.")

    def perturb(
        self, victim: Victim, images: torch.Tensor, goal: Goal, generator: torch.Generator
    ) -> torch.Tensor:
        """Return what the generator makes of images and codes, and the steps of that; see :meth:`Attack.perturb`."""
        self.check_fits(images, victim)
        wanted = goal.direction(victim.bits, images)
        if len(images) == 0:
            return images
        drawn = self.changed(images.float(), self.pattern(victim, images, wanted)).to(images.dtype)
        start = project(drawn, images, self.epsilon)
        if not self.steps:
            return start
        return descend(
            images,
            Gradients(
                victim,
                self.loss(victim, images, goal, generator),
                GradientSettings(diversity=self.diversity),
                reach=0.0,
                generator=generator,
            ),
            step_sizes=[float(size) for size in np.linspace(self.step_size, self.last_step_size, self.steps)],
            epsilon=self.epsilon,
            direction="sign",
            momentum=self.momentum,
            start=start,
        )

    def loss(self, victim: Victim, images: torch.Tensor, goal: Goal, generator: torch.Generator) -> Loss:
        """Return what the steps descend."""
        if self.objective == RANKING:
            return ranking_loss(victim, images, goal, generator)
        return towards(self.objective, goal.direction(victim.bits, images))

    @property
    def needs_labels(self) -> bool:  # type: ignore[override]
        """Whether its steps rank."""
        return self.objective == RANKING

    @property
    def needs_training_codes(self) -> bool:  # type: ignore[override]
        """Likewise."""
        return self.objective == RANKING

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
