"""Pictures at their own size: how files are brought to a model, as a map that can be differentiated, and back to a file."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import nn

from hashprobe.attacks import Norm
from hashprobe.data.images.decoding import decode_image
from hashprobe.hashing import HashModel

Picture = npt.NDArray[np.uint8]
"""uint8 ``(3, height, width)``."""


@lru_cache(maxsize=32)
def resizing(length: int, start: float, stop: float, size: int) -> torch.Tensor:
    """Return the weights ``(size, length)`` with which a line of pixels, from ``start`` to ``stop`` of it, is resized.

    Bicubic with a = −1/2 (Keys, 1981), widened where a line gets shorter, as Pillow resizes with antialiasing.
    """
    scale = (stop - start) / size
    centres = start + (np.arange(size) + 0.5) * scale
    far = np.abs(np.arange(length) + 0.5 - centres[:, None]) / max(scale, 1.0)
    near, further = 1.5 * far**3 - 2.5 * far**2 + 1, -0.5 * far**3 + 2.5 * far**2 - 4 * far + 2
    weights = np.where(far < 1, near, np.where(far < 2, further, 0.0))
    return torch.from_numpy((weights / weights.sum(axis=1, keepdims=True)).astype(np.float32))


def squared(images: torch.Tensor, size: int) -> torch.Tensor:
    """Return the middle squares of images, resized as files are when they are decoded; differentiable.

    Lines are resized first and columns then, each rounded to 8 bit as Pillow does; the gradient passes the rounding as if it were
    not there.

    Args:
        images: Float ``(n, 3, h, w)`` in [0, 1].
        size: Height and width of the result.
    """
    height, width = images.shape[2:]
    side = min(height, width)
    for dimension, length in ((3, width), (2, height)):
        start = (length - side) / 2
        if (length, side) == (size, size):
            continue
        weights = resizing(length, start, start + side, size).to(images)
        resized = images @ weights.T if dimension == 3 else weights @ images
        resized = resized.clamp(0, 1)
        images = resized + (resized.mul(255).round().div(255) - resized).detach()
    return images


class Preprocessed(HashModel):
    """A model that takes pictures of any size: their middle square is cut out and resized for it, as :func:`squared` does.

    Args:
        model: That takes ``(n, 3, size, size)``.
        size: Height and width.
    """

    def __init__(self, model: HashModel, size: int) -> None:
        super().__init__(nn.Identity(), bits=model.bits, mean=(0.0,) * 3, std=(1.0,) * 3, scale=model.scale)
        self.model, self.size = model, size
        self.gradients = model.gradients
        self.to(model.device)
        self.training = model.training

    def logits(self, images: torch.Tensor) -> torch.Tensor:
        """Return the outputs of the model for pictures ``(n, 3, h, w)``."""
        return self.model.logits(squared(images, self.size))

    def attack_logits(self, images: torch.Tensor) -> torch.Tensor:
        """Return its outputs as an attack sees them."""
        return self.model.attack_logits(squared(images, self.size))

    def sha256(self) -> str:
        """Return the fingerprint of the model."""
        return self.model.sha256()


@dataclass(frozen=True)
class Pipeline:
    """How a search brings a file to a code.

    Attributes:
        model: The hash model.
        size: Height and width of the square that is cut out and resized for the model; ``None`` where it takes pictures of any
            size, and resizes by itself.
    """

    model: HashModel
    size: int | None

    @cached_property
    def at_own_size(self) -> HashModel:
        """The model as one that takes pictures at their own size."""
        return self.model if self.size is None else Preprocessed(self.model, self.size)

    def decode(self, data: bytes) -> Picture:
        """Return what the model gets of the bytes of a file.

        Raises:
            UnusableImage: they are no picture, a damaged one, an animated one, or too large.
        """
        return decode_image(data, self.size, still=True)

    def code(self, data: bytes) -> npt.NDArray[np.uint8]:
        """Return the packed code ``(ceil(K / 8),)`` of the bytes of a file."""
        code: npt.NDArray[np.uint8] = self.model.codes(self.decode(data)[None])[0]
        return code


def as_file(picture: Picture, jpeg: int | None = None) -> bytes:
    """Return a picture as the bytes of a PNG, or of a JPEG of some quality, 1 to 95."""
    written, image = io.BytesIO(), Image.fromarray(picture.transpose(1, 2, 0))
    if jpeg is None:
        image.save(written, "PNG", compress_level=1)
    else:
        image.save(written, "JPEG", quality=jpeg)
    return written.getvalue()


def in_eight_bits(
    adversarial: torch.Tensor, clean: npt.NDArray[np.uint8], epsilon: float | None, norm: Norm
) -> npt.NDArray[np.uint8]:
    """Return adversarial images as a file holds them, still within the budget, which rounding alone may leave.

    Under L∞ a change is rounded and held to whole steps within epsilon; under L2 one that rounding made too long is shortened
    until it is not, at last by rounding towards the image.

    Args:
        adversarial: Float ``(n, 3, h, w)`` in [0, 1], within the budget.
        clean: uint8 ``(n, 3, h, w)``.
        epsilon: The budget in [0, 1] units, or ``None``.
        norm: Of the budget.
    """
    change = adversarial.detach().cpu().double().numpy() * 255 - clean
    whole = np.rint(change)
    if epsilon is not None and norm == "linf":
        most = np.floor(255 * epsilon + 1e-4)
        whole = whole.clip(-most, most)
    elif epsilon is not None:
        for row in range(len(change)):
            whole[row] = _shortened(change[row], 255 * epsilon)
    made: npt.NDArray[np.uint8] = (clean + whole).clip(0, 255).astype(np.uint8)
    return made


def _shortened(change: npt.NDArray[np.float64], most: float) -> npt.NDArray[np.float64]:
    for share in (1.0, 0.98, 0.95, 0.9, 0.8):
        whole = np.rint(share * change)
        if float(np.linalg.norm(whole)) <= most * (1 + 1e-9):
            return whole
    return np.trunc(change)
