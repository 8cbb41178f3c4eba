"""Settings that the training of every generator has."""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch
from pydantic import BaseModel, ConfigDict, Field

from hashprobe.devices import Precision, autocast


class GeneratorTrainingSettings(BaseModel):
    """How a generator is trained, whatever it looks like; the defaults are the paper's for FLICKR-25K (Section 4.2).

    Attributes:
        epochs: Passes over the training images; the learning rate is constant for the first half and falls linearly to 0.
        batch_size: Images a step.
        learning_rate: Of Adam, and of a discriminator's where there is one.
        betas: What Adam keeps of the mean of the gradients, and of their squares.
        warm_up: Steps in which the generator's learning rate rises evenly from 0.
        clip: Longest gradient, L2 over all of the generator's parameters; a longer one is shortened. ``None`` for any.
        average: Share of the running mean of the generator's weights that each step keeps; the mean is what is trained.
            It starts shorter, at ``t / (t + 10)`` after t steps; 0 for the last weights themselves.
        reconstruction: β, weight of the mean squared error between adversarial and original image in [−1, 1].
        hamming: α, weight of the Hamming term.
        sharpness: Scale of the tanh in the Hamming term; 1 is published. Below 1 a bit that is far on the wrong side
            still has a gradient.
        relative: Whether the outputs z of an image are divided by the mean of their absolute values in the Hamming term, which
            then does not hang on how loud the attacked network is.
        disjoint: Whether target labels are drawn that share no class with the image; of all labels (published) if not.
        mirror: Whether every second image, on average, is mirrored.
        crop: Side of the smallest square of an image that is learned in its place, as a share of its own; its size and place are
            drawn anew each time. 1 for whole images.
        diversity: Probability that the attacked network sees an adversarial image smaller and elsewhere, see
            :func:`hashprobe.attacks.framing.varied`; for what is to serve against other networks too.
        precision: What the networks that are trained compute in meanwhile; their weights, the attacked network and the
            losses stay in float32. bfloat16 takes half the time on processors that multiply in it (AVX-512 BF16, AMX), and longer
            on others.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: int = Field(100, ge=1)
    batch_size: int = Field(24, ge=1)
    learning_rate: float = Field(1e-4, gt=0)
    betas: tuple[float, float] = (0.5, 0.999)
    warm_up: int = Field(0, ge=0)
    clip: float | None = Field(None, gt=0)
    average: float = Field(0.0, ge=0, lt=1)
    reconstruction: float = Field(100.0, ge=0)
    hamming: float = Field(1.0, ge=0)
    sharpness: float = Field(1.0, gt=0)
    relative: bool = False
    disjoint: bool = False
    mirror: bool = False
    crop: float = Field(1.0, gt=0, le=1)
    diversity: float = Field(0.0, ge=0, le=1)
    precision: Precision = "float32"

    def passes(self, device: torch.device) -> AbstractContextManager[None]:
        """Return the context of the trained networks' passes."""
        return autocast(device, self.precision)
