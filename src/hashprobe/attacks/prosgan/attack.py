"""ProS-GAN as an attack: a trained generator that needs one pass and never looks at the attacked model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from pydantic import BaseModel
from torch import nn

from hashprobe.attacks.access import Access, Victim
from hashprobe.attacks.base import ATTACKS, Attack, check_bounded
from hashprobe.attacks.prosgan.networks import Generator
from hashprobe.attacks.prosgan.published import new_generator, train_generator
from hashprobe.attacks.prosgan.settings import PRESETS, ProSGANSettings
from hashprobe.errors import HashprobeError
from hashprobe.images import check_side
from hashprobe.targets import Goal, Objective, PrototypeCode
from hashprobe.trained import TRAINED, Trained, TrainingRun


@TRAINED.register("ProS-GAN")
@ATTACKS.register("ProS-GAN")
@dataclass(frozen=True, kw_only=True)
class ProSGAN(Attack, Trained):
    """Prototype-supervised adversarial network (Wang et al., CVPR 2021): any image and target label, in one pass.

    It reads the target labels of its goal, not the codes: what stands for a label was learned.

    Attributes:
        generator: The trained generator.
        prototype: The prototype code, with the PrototypeNet that the generator was trained with.
        settings: How the generator was trained.
        image_size: Side of the images that the generator takes.
        epsilon: L∞ budget that the output is clipped to; ``None`` (published) for unbounded. That of the training at first.
        attacked_model: Fingerprint of the model that it was trained against.
    """

    name: ClassVar[str] = "ProS-GAN"
    objectives: ClassVar[tuple[Objective, ...]] = ("targeted",)
    code: ClassVar[str | None] = "prototype"
    access: ClassVar[Access] = Access.NOTHING
    needs_labels: ClassVar[bool] = True
    Settings = ProSGANSettings
    presets: ClassVar[Mapping[str, BaseModel]] = PRESETS
    requires: ClassVar[tuple[str, ...]] = ("prototype",)

    epsilon: float | None = None
    generator: Generator = field(repr=False)
    prototype: PrototypeCode = field(repr=False)
    settings: ProSGANSettings
    image_size: int
    attacked_model: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_bounded(self.name, self.epsilon, self.settings.epsilon)

    @torch.no_grad()
    def perturb(
        self, victim: Victim, images: torch.Tensor, goal: Goal, generator: torch.Generator
    ) -> torch.Tensor:
        """Return what the generator makes of images and labels; see :meth:`Attack.perturb`."""
        assert goal.labels is not None
        check_side(images, self.image_size, self.name)
        classes = self.prototype.network.classes
        if goal.labels.shape[1] != classes:
            raise HashprobeError(
                f"this ProS-GAN knows {classes} classes; the target labels have {goal.labels.shape[1]}."
            )
        labels = torch.from_numpy(goal.labels).to(images.device, torch.float32)
        precision = self.generator.output.weight.dtype  # whatever that of the images is
        semantics, relaxed, _ = self.prototype.network.to(images.device)(labels)
        known = relaxed if self.generator.linear else semantics
        with victim.counting(self.generator.to(images.device)):
            output = self.generator((images * 2 - 1).to(precision), known.to(precision))
        return ((output + 1) / 2).to(images.dtype)  # type: ignore[no-any-return]

    @classmethod
    def train(cls, settings: ProSGANSettings, run: TrainingRun) -> ProSGAN:
        """Train the generator against the run's model, with the prototype code that was trained before."""
        prototype = run.trained["prototype"]
        assert isinstance(prototype, PrototypeCode)
        generator, _ = train_generator(
            run.model,
            run.data,
            prototype.network,
            settings,
            seed=run.seed,
            checkpoint=run.checkpoint,
            log=run.log("prosgan"),
            progress=run.progress,
        )
        return cls(
            epsilon=settings.epsilon,
            generator=generator,
            prototype=prototype,
            settings=settings,
            image_size=run.data.image_size,
            attacked_model=run.model.sha256(),
        )

    def networks(self) -> Mapping[str, nn.Module]:
        """Return the generator."""
        return {"generator": self.generator}

    def parts(self) -> Mapping[str, Trained]:
        """Return the prototype code."""
        return {"prototype": self.prototype}

    def facts(self) -> dict[str, Any]:
        """Return code length, classes and image size."""
        network = self.prototype.network
        return {"bits": network.bits, "classes": network.classes, "image_size": self.image_size}

    @classmethod
    def assemble(
        cls,
        settings: ProSGANSettings,
        facts: dict[str, Any],
        parts: Mapping[str, Trained],
        attacked_model: str,
    ) -> ProSGAN:
        """Build a generator of those settings."""
        prototype, image_size = parts["prototype"], facts["image_size"]
        assert isinstance(prototype, PrototypeCode)
        generator = new_generator(image_size, settings, prototype.network)
        return cls(
            epsilon=settings.epsilon,
            generator=generator,
            prototype=prototype,
            settings=settings,
            image_size=image_size,
            attacked_model=attacked_model,
        )
