"""How the gradient of a step is taken: as it is, or averaged over what a transfer attack varies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from hashprobe.attacks.access import Victim
from hashprobe.attacks.framing import varied

Loss: TypeAlias = Callable[[torch.Tensor, npt.NDArray[np.intp], float], torch.Tensor]
"""Logits ``(m, K)`` of some of the images, which they are, and the share of the steps that is done -> their losses ``(m,)``."""

REACH = 1.5
"""Half the width of the box that variance tuning draws neighbours from, in budgets (Wang and He, CVPR 2021)."""


@dataclass(frozen=True, kw_only=True)
class GradientSettings:
    """What a gradient is averaged over; with the defaults it is the gradient at the image itself.

    Attributes:
        diversity: Probability that a step looks at a picture that was made smaller, by up to a tenth, and put at a random place
            (input diversity, Xie et al., CVPR 2019; they draw sizes of 299 to 330 pixels).
        translation: Side of the Gaussian kernel that smooths the gradient, an odd number of pixels, with a standard deviation of
            a third of its half (translation invariance, Dong et al., CVPR 2019); 0 for none.
        scales: Over how many copies ``x, x / 2, x / 4, …`` it is summed (scale invariance, Lin et al., ICLR 2020).
        variance: Over how many neighbours the variance is measured that tunes the next step (VMI-FGSM, Wang and He, CVPR 2021);
            0 for none.
    """

    diversity: float = 0.0
    translation: int = 0
    scales: int = 1
    variance: int = 0


class Gradients:
    """Gradients of an objective, step after step, for images that an attack changes.

    Args:
        victim: The attacked model.
        loss: What is descended.
        settings: What is averaged over.
        reach: Half the width of the box of variance tuning, in [0, 1] units.
        generator: Of what is drawn.
    """

    def __init__(
        self,
        victim: Victim,
        loss: Loss,
        settings: GradientSettings,
        *,
        reach: float,
        generator: torch.Generator,
    ) -> None:
        self._victim, self._loss = victim, loss
        self._settings, self._reach, self._generator = settings, reach, generator
        self._variance: torch.Tensor | None = None

    def __call__(
        self, images: torch.Tensor, rows: npt.NDArray[np.intp], done: float
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the gradient ``(m, c, h, w)`` of the loss of some of the images, and their logits ``(m, K)``.

        Args:
            images: Float ``(m, c, h, w)``.
            rows: Which of the n images they are.
            done: Share of the steps that is done.
        """
        gradient, logits = self._averaged(images, rows, done)
        if self._settings.variance:
            if self._variance is None:
                self._variance = images.new_zeros((len(self._victim.left), *images.shape[1:]))
            tuned = gradient + self._variance[rows]
            around = torch.zeros_like(gradient)
            for _ in range(self._settings.variance):
                draw = 2 * torch.rand(images.shape, generator=self._generator).to(images) - 1
                around += self._averaged(images + self._reach * draw, rows, done)[0]
            self._variance[rows] = around / self._settings.variance - gradient
            gradient = tuned
        if self._settings.translation:
            gradient = smoothed(gradient, self._settings.translation)
        return gradient, logits

    def _draws(self, count: int) -> torch.Tensor:
        drawn = count if self._settings.diversity else 0  # what is not used is not drawn
        return torch.rand((4, drawn), generator=self._generator)

    def _averaged(
        self, images: torch.Tensor, rows: npt.NDArray[np.intp], done: float
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the gradient summed over scales, each at a varied picture, and the logits at the first."""
        total, first = torch.zeros_like(images), None
        for scale in range(self._settings.scales):
            start = images.detach().requires_grad_(True)
            with torch.enable_grad():
                pictures = varied(start, self._settings.diversity, self._draws(len(start)))
                logits = self._victim.logits(pictures / 2**scale, rows)
                total += torch.autograd.grad(self._loss(logits, rows, done).sum(), start)[0]
            first = logits.detach() if first is None else first
        assert first is not None
        return total, first


def smoothed(gradient: torch.Tensor, side: int) -> torch.Tensor:
    """Return a gradient smoothed by a Gaussian kernel of ``side`` pixels, each channel by itself."""
    half = (side - 1) / 2
    line = torch.exp(-0.5 * ((torch.arange(side) - half) / (max(half, 1) / 3)).square()).to(gradient)
    line = line / line.sum()
    kernel = torch.outer(line, line).expand(gradient.shape[1], 1, side, side)
    return functional.conv2d(gradient, kernel, padding=side // 2, groups=gradient.shape[1])
