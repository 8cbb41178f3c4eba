"""What judges a generator's images while it learns: a discriminator, and how it is trained and heard."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from hashprobe.attacks.teaching.batches import Batch
from hashprobe.attacks.teaching.losses import discriminator_loss, discriminator_target
from hashprobe.attacks.teaching.settings import GeneratorTrainingSettings


@dataclass(frozen=True, kw_only=True)
class Critic:
    """A discriminator, and all that the training loop needs to know of it.

    Attributes:
        discriminator: Images in [−1, 1] ``(n, 3, s, s)`` -> ``(n, outputs)``; on the attacked model's device.
        weight: γ, of its term in the generator's loss.
        every: It is updated in every so many-th step.
        class_outputs: Whether it names classes: C + 1 outputs, or 1.
    """

    discriminator: nn.Module
    weight: float
    every: int
    class_outputs: bool

    def loss(
        self, batch: Batch, adversarial: torch.Tensor, settings: GeneratorTrainingSettings
    ) -> torch.Tensor:
        """Return the discriminator's own loss (Equation 13)."""
        with settings.passes(adversarial.device):
            real, fake = self.discriminator(batch.images), self.discriminator(adversarial.detach())
        return discriminator_loss(
            real.float(), fake.float(), batch.labels, batch.target, class_outputs=self.class_outputs
        )

    def term(
        self, batch: Batch, adversarial: torch.Tensor, settings: GeneratorTrainingSettings
    ) -> torch.Tensor:
        """Return its term in the generator's loss, weighted: its images are to be taken for real ones of the target label."""
        wanted = discriminator_target(batch.target, generated=0, class_outputs=self.class_outputs)
        with settings.passes(adversarial.device):
            outputs = self.discriminator(adversarial)
        return self.weight * functional.mse_loss(outputs.float(), wanted)
