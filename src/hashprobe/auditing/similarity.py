"""How much of an adversarial picture a person may see: SSIM."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from hashprobe.evaluation.own_size import Picture


def ssim(picture: Picture, other: Picture) -> float:
    """Return the structural similarity of two pictures ``(3, h, w)``, at most 1, the mean over pixels and channels.

    Wang, Bovik, Sheikh and Simoncelli, IEEE TIP 2004: a Gaussian window of 11 pixels with a standard deviation of 1.5, K1 = 0.01
    and K2 = 0.03, without the places where it leaves the picture. They take grey pictures; here it is the mean over red, green
    and blue.
    """
    line = np.exp(-0.5 * np.square((np.arange(11) - 5) / 1.5))
    window = torch.from_numpy(line / line.sum())
    first, second = (torch.from_numpy(one.astype(np.float64) / 255)[:, None] for one in (picture, other))

    def mean(values: torch.Tensor) -> torch.Tensor:
        rows = functional.conv2d(values, window.view(1, 1, 1, 11))
        return functional.conv2d(rows, window.view(1, 1, 11, 1))

    one, two = mean(first), mean(second)
    variances = mean(first * first) - one * one + mean(second * second) - two * two
    shared = mean(first * second) - one * two
    alike = (2 * one * two + 0.01**2) / (one * one + two * two + 0.01**2)
    return float((alike * (2 * shared + 0.03**2) / (variances + 0.03**2)).mean())
