"""What attacks share that draw a bounded change for a target code: what they are trained for, and their files."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import torch
from torch import nn

from hashprobe.attacks.access import Access, Victim
from hashprobe.attacks.base import Attack
from hashprobe.attacks.code_generator.networks import BoundedNetwork, MapSize, changed
from hashprobe.attacks.code_generator.settings import DrawingSettings
from hashprobe.errors import HashprobeError
from hashprobe.images import check_side
from hashprobe.trained import Trained, TrainingRun


@dataclass(frozen=True, kw_only=True)
class DrawingAttack(Attack, Trained):
    """A network, trained against the attacked model, that draws a change for any target code, also untargeted.

    Its change is bounded by construction. It serves images of the size and codes of the length that it was trained for.

    Attributes:
        network: The trained network.
        settings: How it was trained.
        image_size: Side of the images that it takes.
        maps: The feature maps of the attacked network that it sees.
        classes: Of the data that it was trained on.
        epsilon: L∞ budget in [0, 1] units that its change is scaled to, that of the training at first; never unbounded.
        attacked_model: Fingerprint of the model that it was trained against.
    """

    code: ClassVar[str | None] = "ap-search"
    access: ClassVar[Access] = Access.GRADIENTS
    file: ClassVar[str] = "network"

    network: BoundedNetwork = field(repr=False)
    settings: DrawingSettings
    image_size: int
    maps: tuple[MapSize, ...]
    classes: int
    attacked_model: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.epsilon is None:
            raise HashprobeError(
                f"{self.name} draws a change that is scaled to epsilon, so it has no unbounded form; give epsilon a number."
            )

    @classmethod
    @abstractmethod
    def new_network(
        cls, settings: Any, bits: int, image_size: int, maps: Sequence[MapSize]
    ) -> BoundedNetwork:
        """Return a network of the settings' sizes, with fresh weights."""

    @classmethod
    @abstractmethod
    def taught(cls, settings: Any, run: TrainingRun) -> tuple[BoundedNetwork, Sequence[MapSize]]:
        """Train the network against the run's model; return it with the feature maps that it sees."""

    @classmethod
    def held(cls, trained: Mapping[str, Trained]) -> dict[str, Any]:
        """Return the fields that hold what it requires."""
        return {}

    def changed(self, images: torch.Tensor, pattern: torch.Tensor) -> torch.Tensor:
        """Return images changed by a pattern, as far as the budget goes; see :func:`changed`."""
        assert self.epsilon is not None
        return changed(images, pattern, self.epsilon)

    def check_fits(self, images: torch.Tensor, victim: Victim) -> None:
        """Say that it was trained for images or codes of another size.

        Raises:
            HashprobeError: it was.
        """
        check_side(images, self.image_size, self.name)
        if victim.bits != self.network.bits:
            raise HashprobeError(
                f"this {self.name} draws for codes of {self.network.bits} bits; the attacked model has {victim.bits}."
            )

    @classmethod
    def train(cls, settings: Any, run: TrainingRun) -> Self:
        """Train the network against the run's model."""
        network, maps = cls.taught(settings, run)
        return cls(
            epsilon=settings.epsilon,
            network=network,
            settings=settings,
            image_size=run.data.image_size,
            maps=tuple(maps),
            classes=run.data.classes,
            attacked_model=run.model.sha256(),
            **cls.held(run.trained),
        )

    def networks(self) -> Mapping[str, nn.Module]:
        """Return the network."""
        return {self.file: self.network}

    def facts(self) -> dict[str, Any]:
        """Return code length, classes, image size and the feature maps."""
        return {
            "bits": self.network.bits,
            "classes": self.classes,
            "image_size": self.image_size,
            "maps": [list(size) for size in self.maps],
        }

    @classmethod
    def assemble(
        cls, settings: Any, facts: dict[str, Any], parts: Mapping[str, Trained], attacked_model: str
    ) -> Self:
        """Build a network of those settings."""
        maps = tuple(MapSize(side, channels) for side, channels in facts["maps"])
        return cls(
            epsilon=settings.epsilon,
            network=cls.new_network(settings, facts["bits"], facts["image_size"], maps),
            settings=settings,
            image_size=facts["image_size"],
            maps=maps,
            classes=facts["classes"],
            attacked_model=attacked_model,
            **cls.held(parts),
        )
