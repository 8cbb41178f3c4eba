"""Perceptual hashes by name: the packages ``pdqhash`` and ``ImageHash``, behind the seam of a hash model.

Bits are those of the packages exactly. An image in [0, 1] is rounded to 8 bit first, as a PNG would hold it; each hash then
resizes it in its own way, so images of any size are taken. Gradients are those of :mod:`perceptual_torch`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from hashprobe.errors import HashprobeError, check_whole_number, unknown_name
from hashprobe.hashing.models.hash_model import MODELS, HashModel
from hashprobe.hashing.models.outside.perceptual_torch import Differentiable, differentiable_hash
from hashprobe.images import to_uint8
from hashprobe.typed_values import check_fields, checked

Bits = npt.NDArray[np.bool_]
Hash = Callable[[npt.NDArray[np.uint8]], Bits]
"""An image, uint8 ``(h, w, 3)`` -> its bits in their order."""

IMAGE_HASHES = {"phash": "phash", "dhash": "dhash", "ahash": "average_hash", "whash": "whash"}
"""Functions of the package ImageHash by the names that people know them by."""
HASHES = ("pdq", *IMAGE_HASHES)
PDQ_SIDE = 16


@dataclass(frozen=True, kw_only=True)
class PerceptualSettings:
    """Settings of a perceptual hash.

    Attributes:
        hash_size: Side of the square of bits, 2 to 32; 8 gives the usual 64 bits. A power of two for ``whash``; ``pdq`` has 16
    alone."""

    hash_size: int | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        if self.hash_size is not None:
            check_whole_number("hash_size", self.hash_size, least=2, most=32)


class PerceptualHash(nn.Module):
    """Signs of the bits of a hash that is computed image by image; where a gradient is to be taken, what the hash compares.

    Args:
        bits: Of :func:`perceptual_hash`.
        differentiable: The same hash as a map that can be differentiated.
    """

    def __init__(self, bits: Hash, differentiable: Differentiable) -> None:
        super().__init__()
        self._bits, self._differentiable = bits, differentiable

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return ±1 ``(n, K)`` for images in [0, 1], or real numbers of these signs that lead back to them."""
        if images.requires_grad and torch.is_grad_enabled():
            return self._differentiable(images)
        # One by one: an image stays in the processor's caches on its way to its bits, a batch does not.
        arrays = (to_uint8(image).permute(1, 2, 0).contiguous().cpu().numpy() for image in images)
        rows = [np.where(self._bits(image), 1.0, -1.0) for image in arrays]
        return torch.from_numpy(np.array(rows, dtype=np.float32)).to(images.device)


class _AsGiven(HashModel):
    """A model whose network takes images in [0, 1] as they are: nothing is normalised, which would cost as much as a hash."""

    any_size = True

    def preprocess(self, images: torch.Tensor) -> torch.Tensor:
        """Return the images."""
        return images


@checked
def perceptual_hash(name: str, settings: PerceptualSettings | None = None) -> HashModel:
    """Return a perceptual hash as a hash model.

    Args:
        name: ``pdq`` (256 bits; Facebook, 2019), or ``phash``, ``dhash``, ``ahash`` or ``whash`` (64 bits, or ``hash_size``
            squared).
        settings: See :class:`PerceptualSettings`.

    Raises:
        HashprobeError: the package is not installed, or a size that the hash does not have.
    """
    if name not in HASHES:
        raise unknown_name("perceptual hash", name, HASHES)
    size = (settings or PerceptualSettings()).hash_size
    if name == "pdq":
        if size not in (None, PDQ_SIDE):
            raise HashprobeError(f"pdq has {PDQ_SIDE**2} bits; leave out hash_size={size}.")
        size, package, function = PDQ_SIDE, "pdqhash", partial(_pdq, _package(name, "pdqhash"))
    else:
        size = 8 if size is None else size
        if name == "whash" and size & (size - 1):
            raise HashprobeError(f"hash_size of whash must be a power of two; found {size}.")
        imagehash = _package(name, "imagehash")
        package = "ImageHash"
        function = partial(_image_hash, getattr(imagehash, IMAGE_HASHES[name]), size)
    model = _AsGiven.wrap(PerceptualHash(function, differentiable_hash(name, size)), bits=size * size)
    model.source = f"{name} of {package} {version(package)}"
    return model.eval()


def _package(name: str, package: str) -> Any:
    try:
        return import_module(package)
    except ImportError:
        raise HashprobeError(
            f"{name!r} is of the package {package}, which is not installed: pip install 'hashprobe[perceptual]'."
        ) from None


def _pdq(package: Any, image: npt.NDArray[np.uint8]) -> Bits:
    if min(image.shape[:2]) < 5:
        raise HashprobeError(
            f"pdq takes images of at least 5x5 pixels; found {image.shape[0]}x{image.shape[1]}."
        )
    bits, _ = package.compute(image)
    return np.asarray(bits, dtype=bool)


def _image_hash(function: Callable[..., Any], size: int, image: npt.NDArray[np.uint8]) -> Bits:
    from PIL import Image

    return np.asarray(function(Image.fromarray(image), hash_size=size).hash, dtype=bool).flatten()


def _registered(name: str, title: str) -> None:
    def build() -> HashModel:
        return perceptual_hash(name)

    build.__doc__ = title
    MODELS.register(name)(build)


_registered("pdq", "PDQ, 256 bits (extra perceptual).")
_registered("phash", "pHash: signs of low frequencies, 64 bits (extra perceptual).")
_registered("dhash", "dHash: signs of differences of neighbours, 64 bits (extra perceptual).")
_registered("ahash", "aHash: brighter than the mean or not, 64 bits (extra perceptual).")
_registered("whash", "wHash: signs of low Haar wavelets, 64 bits (extra perceptual).")
