"""What a step of a training sees: images, mirrored or cropped, and the target label of each."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from hashprobe.attacks.framing import framed
from hashprobe.attacks.teaching.settings import GeneratorTrainingSettings
from hashprobe.data import RetrievalData
from hashprobe.images import as_images
from hashprobe.processes import Processes
from hashprobe.seeds import numpy_generator, torch_generator


class Batch(NamedTuple):
    """This process's share of a step's images, with what each is to become.

    Attributes:
        images: In [−1, 1], ``(n, 3, s, s)``.
        labels: Of the images, float ``(n, C)``.
        drawn: Rows of their target labels.
        target: Those labels, ``(n, C)``.
        goal: Their codes as ±1, ``(n, K)``.
        weight: Share of the whole batch.
        draws: How each adversarial image may be varied, ``(4, n)``; see :func:`hashprobe.attacks.framing.varied`.
    """

    images: torch.Tensor
    labels: torch.Tensor
    drawn: npt.NDArray[np.intp]
    target: torch.Tensor
    goal: torch.Tensor
    weight: float
    draws: torch.Tensor


def batch_of(
    targets: torch.Tensor,
    goals: torch.Tensor,
    data: RetrievalData,
    settings: GeneratorTrainingSettings,
    seed: int,
    step: int,
    together: Processes,
) -> Batch:
    """Return this process's share of a step's batch.

    Args:
        targets: Label vectors that target labels are drawn from, float ``(M, C)``.
        goals: Their codes as ±1, ``(M, K)``.
        data: Whose ``train`` images are learned on.
        settings: See :class:`GeneratorTrainingSettings`.
        seed: Of all that is drawn.
        step: Which step it is.
        together: The processes that share it.
    """
    train, device = data.train, targets.device
    epoch, position = divmod(step, math.ceil(len(train) / settings.batch_size))
    order = numpy_generator(seed, "generator batches", epoch).permutation(len(train))
    rows = np.sort(order[position * settings.batch_size : (position + 1) * settings.batch_size])
    labels = torch.from_numpy(train.labels[rows].astype(np.float32)).to(device)
    drawn = draw_targets(targets, labels if settings.disjoint else None, seed, step, len(rows))
    share = together.share(len(rows))
    drawn = drawn[share.rows]
    images = as_images(train.images[rows[share.rows]], device) * 2 - 1
    framing = torch.rand((4, len(rows)), generator=torch_generator(seed, "generator pictures", step))
    images = pictures_of(images, settings, framing[:, share.rows])
    draws = torch.rand((4, len(rows)), generator=torch_generator(seed, "generator diversity", step))
    return Batch(
        images,
        labels[share.rows],
        drawn,
        targets[drawn],
        goals[drawn],
        share.weight,
        draws[:, share.rows],
    )


def pictures_of(
    images: torch.Tensor, settings: GeneratorTrainingSettings, draws: torch.Tensor
) -> torch.Tensor:
    """Return images as they are learned, mirrored or cropped, by numbers drawn from [0, 1), ``(4, n)``."""
    mirrored, size, left, top = draws.to(images)
    if settings.mirror:
        images = torch.where(mirrored.view(-1, 1, 1, 1) < 0.5, images.flip(3), images)
    if settings.crop == 1:
        return images
    return framed(images, settings.crop + (1 - settings.crop) * size, left, top)


def draw_targets(
    targets: torch.Tensor, labels: torch.Tensor | None, seed: int, step: int, count: int
) -> npt.NDArray[np.intp]:
    """Return the rows of target labels of so many images, drawn uniformly; of those that share no class with their ``labels``.

    An image all of whose classes every target label shares gets any.
    """
    generator = numpy_generator(seed, "generator targets", step)
    if labels is None:
        return generator.integers(len(targets), size=count)
    allowed = (labels @ targets.T == 0).cpu().numpy()
    allowed[~allowed.any(axis=1)] = True
    rank = (generator.random(count) * allowed.sum(axis=1)).astype(np.int64)
    drawn: npt.NDArray[np.intp] = (np.cumsum(allowed, axis=1) > rank[:, None]).argmax(axis=1)
    return drawn
