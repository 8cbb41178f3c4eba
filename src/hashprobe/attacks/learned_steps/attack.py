"""Learned steps as an attack: few gradients, each put to more use than a sign step puts it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from pydantic import BaseModel
from torch import nn

from hashprobe.attacks.access import Access, Victim
from hashprobe.attacks.base import ATTACKS, Attack, project
from hashprobe.attacks.code_generator.attack import check_fits
from hashprobe.attacks.code_generator.networks import MapSize
from hashprobe.attacks.code_generator.seeing import seen
from hashprobe.attacks.learned_steps.network import StepNetwork, changed
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
class LearnedSteps(Attack, Trained):
    """Gradient steps that a network draws, from a pattern for the target code on: for few gradients, our own.

    A sign step keeps one bit of each entry of a gradient. Here a network, trained against the attacked model, sees the gradient,
    the feature maps of the pass that it was taken from, the image and what was changed so far, and draws the next change; the
    loss is that after each step. It is bounded by construction. Each step is a forward and a backward pass of the attacked
    model, and a pass of its own, which is counted as a forward pass; the pattern, two linear layers, is not.

    Attributes:
        network: The trained network.
        settings: How it was trained.
        image_size: Side of the images that it takes.
        maps: The feature maps that it sees.
        classes: Of the data that it was trained on.
        epsilon: L∞ budget that its change is scaled to; that of the training if not given.
        steps: Steps; those beyond the ones that were learned are drawn as the last of these.
        attacked_model: Fingerprint of the model that it was trained against.
    """

    name: ClassVar[str] = "LearnedSteps"
    code: ClassVar[str | None] = "ap-search"
    access: ClassVar[Access] = Access.GRADIENTS
    Settings = LearnedStepsSettings
    presets: ClassVar[Mapping[str, BaseModel]] = PRESETS

    network: StepNetwork = field(repr=False)
    settings: LearnedStepsSettings
    image_size: int
    maps: tuple[MapSize, ...]
    classes: int
    steps: int = 2
    attacked_model: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole_number("steps", self.steps, least=0)

    def perturb(
        self, victim: Victim, images: torch.Tensor, goal: Goal, generator: torch.Generator
    ) -> torch.Tensor:
        """Return images after all steps; see :meth:`Attack.perturb`."""
        check_fits(self.name, self.image_size, self.network.pattern.bits, images, victim)
        own, wanted = self.network.to(images.device), goal.direction(victim.bits, images)
        if len(images) == 0:
            return images
        epsilon = self.settings.epsilon if self.epsilon is None else self.epsilon
        clean, signs = images.float(), wanted.float()
        with torch.no_grad():
            pattern = own.pattern(signs)
        for step in range(self.steps):
            current = changed(clean, pattern, epsilon).to(images.dtype)
            done = min(step, own.steps - 1) / own.steps
            found = seen(victim.feature_maps, current, wanted, sizes=self.maps, done=done)
            with torch.no_grad(), victim.counting(own):
                pattern = own(clean, signs, pattern, found, step)
        return project(changed(clean, pattern, epsilon).to(images.dtype), images, self.epsilon)

    @classmethod
    def train(cls, settings: Any, run: TrainingRun) -> LearnedSteps:
        """Train the steps against the run's model."""
        network, maps = train_learned_steps(settings, run, cls.name)
        return cls(
            epsilon=settings.epsilon,
            network=network,
            settings=settings,
            image_size=run.data.image_size,
            maps=tuple(maps),
            classes=run.data.classes,
            attacked_model=run.model.sha256(),
        )

    def networks(self) -> Mapping[str, nn.Module]:
        """Return the network."""
        return {"network": self.network}

    def facts(self) -> dict[str, Any]:
        """Return code length, classes, image size and the feature maps."""
        return {
            "bits": self.network.pattern.bits,
            "classes": self.classes,
            "image_size": self.image_size,
            "maps": [list(size) for size in self.maps],
        }

    @classmethod
    def assemble(
        cls, settings: Any, facts: dict[str, Any], parts: Mapping[str, Trained], attacked_model: str
    ) -> LearnedSteps:
        """Build a network of those settings."""
        maps = tuple(MapSize(side, channels) for side, channels in facts["maps"])
        return cls(
            epsilon=settings.epsilon,
            network=new_step_network(settings, facts["bits"], facts["image_size"], maps),
            settings=settings,
            image_size=facts["image_size"],
            maps=maps,
            classes=facts["classes"],
            attacked_model=attacked_model,
        )
