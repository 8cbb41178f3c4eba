"""Learned steps as an attack: few gradients, each put to more use than a sign step puts it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from pydantic import BaseModel

from hashprobe.attacks.access import Victim
from hashprobe.attacks.base import ATTACKS, project
from hashprobe.attacks.code_generator import CodeGeneratorAttack
from hashprobe.attacks.code_generator.base import DrawingAttack
from hashprobe.attacks.code_generator.networks import MapSize
from hashprobe.attacks.code_generator.seeing import seen
from hashprobe.attacks.learned_steps.network import StepNetwork
from hashprobe.attacks.learned_steps.training import (
    PRESETS,
    LearnedStepsSettings,
    new_step_network,
    train_learned_steps,
)
from hashprobe.errors import check_whole_number
from hashprobe.targets import Goal
from hashprobe.trained import TRAINED, Trained, TrainingRun


@TRAINED.register("LearnedSteps")
@ATTACKS.register("LearnedSteps")
@dataclass(frozen=True, kw_only=True)
class LearnedSteps(DrawingAttack):
    """Gradient steps that a network draws, from a code generator's image on: for few gradients, our own.

    A sign step keeps one bit of each entry of a gradient. Here a network, trained against the attacked model, sees the gradient,
    the feature maps of the pass that it was taken from, the image and what was changed so far, and draws the next change; the
    loss is that after each step. Each step is a forward and a backward pass of the attacked model, and a pass of its own, which
    is counted as a forward pass; the code generator's image costs what it costs alone. Of the attributes see
    :class:`DrawingAttack` as well.

    Attributes:
        start: The code generator.
        steps: Steps; those beyond the ones that were learned are drawn as the last of these.
    """

    VERSION: ClassVar[int] = 2
    name: ClassVar[str] = "LearnedSteps"
    Settings = LearnedStepsSettings
    presets: ClassVar[Mapping[str, BaseModel]] = PRESETS
    requires: ClassVar[tuple[str, ...]] = (CodeGeneratorAttack.name,)

    network: StepNetwork = field(repr=False)
    settings: LearnedStepsSettings
    start: CodeGeneratorAttack = field(repr=False)
    steps: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole_number("steps", self.steps, least=0)

    def perturb(
        self, victim: Victim, images: torch.Tensor, goal: Goal, generator: torch.Generator
    ) -> torch.Tensor:
        """Return images after all steps; see :meth:`Attack.perturb`."""
        self.check_fits(images, victim)
        own, wanted = self.network.to(images.device), goal.direction(victim.bits, images)
        if len(images) == 0:
            return images
        clean, signs = images.float(), wanted.float()
        pattern = self.start.pattern(victim, images, wanted)
        for step in range(self.steps):
            current = self.changed(clean, pattern).to(images.dtype)
            done = min(step, own.steps - 1) / own.steps
            found = seen(victim.feature_maps, current, wanted, sizes=self.maps, done=done)
            with torch.no_grad(), victim.counting(own):
                pattern = own(clean, signs, pattern, found, step)
        return project(self.changed(clean, pattern).to(images.dtype), images, self.epsilon)

    @classmethod
    def taught(cls, settings: Any, run: TrainingRun) -> tuple[StepNetwork, list[MapSize]]:
        """See :meth:`DrawingAttack.taught`."""
        return train_learned_steps(settings, run, cls.name, **cls.held(run.trained))

    @classmethod
    def new_network(cls, settings: Any, bits: int, image_size: int, maps: Sequence[MapSize]) -> StepNetwork:
        """See :meth:`DrawingAttack.new_network`."""
        return new_step_network(settings, bits, maps)

    @classmethod
    def held(cls, trained: Mapping[str, Trained]) -> dict[str, Any]:
        """See :meth:`DrawingAttack.held`."""
        return {"start": trained[CodeGeneratorAttack.name]}

    def parts(self) -> Mapping[str, Trained]:
        """Return the code generator."""
        return {CodeGeneratorAttack.name: self.start}
