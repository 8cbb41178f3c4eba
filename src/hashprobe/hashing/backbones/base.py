"""What a backbone is, and the registry of those that torchvision and timm do not have."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from torch import nn

from hashprobe.errors import HashprobeError
from hashprobe.registry import Registry

Triple = tuple[float, float, float]

IMAGENET_MEAN: Triple = (0.485, 0.456, 0.406)
IMAGENET_STD: Triple = (0.229, 0.224, 0.225)
# What weights from the time of Caffe take: 0 to 255 minus a mean, in RGB here. Give both to HashModel.build.
CAFFE_MEAN: Triple = (123 / 255, 117 / 255, 104 / 255)
CAFFE_STD: Triple = (1 / 255, 1 / 255, 1 / 255)


@dataclass(frozen=True)
class Backbone:
    """A network without its classifier.

    Attributes:
        network: ``(n, 3, h, w)`` normalised images -> ``(n, features)``.
        features: Width of the output.
        mean: Mean of the normalisation, per channel, in [0, 1] units.
        std: Standard deviation of the normalisation, per channel.
    """

    network: nn.Module
    features: int
    mean: Triple
    std: Triple


BACKBONES: Registry[Callable[[str], Backbone]] = Registry("backbone")
"""Builders by name. Each is called with ``"none"`` (random weights, drawn from torch's global generator, which a seed has set),
``"bundled"`` or ``"pretrained"``, and raises a HashprobeError for weights that it does not have. Files are read into what it
returns for ``"none"``."""


@contextmanager
def weights_that_may_be_missing(name: str, pretrained: bool) -> Iterator[None]:
    """Say in one sentence that pretrained weights could not be had."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        if not pretrained:
            raise
        reason = str(error).strip().splitlines()[0]
        raise HashprobeError(
            f"the pretrained weights of {name!r} are neither in the cache nor to be fetched ({reason}); "
            "give a safetensors file, or 'none'."
        ) from error
