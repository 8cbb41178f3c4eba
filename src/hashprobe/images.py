"""Images as the library takes them: NCHW, three channels, uint8 or float in [0, 1]; checked where they enter."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch

from hashprobe.errors import HashprobeError, shortened
from hashprobe.typed_values import checked

ImagesLike: TypeAlias = torch.Tensor | npt.NDArray[Any] | Any


@checked
def as_images(images: ImagesLike, device: torch.device | str | None = None) -> torch.Tensor:
    """Return ``images`` as a float tensor in [0, 1], after checking that they are images.

    Args:
        images: ``(n, 3, height, width)``; uint8 in 0..255, or floating point in [0, 1]. A tensor, or anything
            that numpy reads as an array. Not modified.
        device: Where the result lives; that of ``images`` if not given.

    Raises:
        HashprobeError: another shape or type, NaN, or values outside [0, 1].
    """
    try:
        place = None if device is None else torch.device(device)
    except (RuntimeError, TypeError) as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise HashprobeError(f"device {shortened(device)} is none ({reason}).") from None
    tensor = images if isinstance(images, torch.Tensor) else _from_array(images)
    check_values(tensor)
    if tensor.ndim != 4 or tensor.shape[1] != 3:
        raise HashprobeError(f"images must have shape (n, 3, height, width); found {tuple(tensor.shape)}.")
    if tensor.dtype == torch.uint8:
        return tensor.to(device=place).to(torch.float32).div_(255)
    if not tensor.is_floating_point():
        raise HashprobeError(f"images must be uint8 or floating point; found {tensor.dtype}.")
    if tensor.numel():
        low, high = (float(value) for value in torch.aminmax(tensor.detach()))
        if low != low or high != high:
            raise HashprobeError("images must lie in [0, 1]; found NaN.")
        if low < 0 or high > 1:
            raise HashprobeError(
                f"images must lie in [0, 1]; found [{low:.3g}, {high:.3g}]. Normalised before the model, or 0 to 255 as float?"
            )
    return tensor.to(device=place)


def check_values(images: torch.Tensor) -> None:
    """Raise where a tensor does not hold a value at every pixel: a sparse one, or one without memory."""
    if images.is_meta or images.layout != torch.strided:
        raise HashprobeError(
            "images must have a value at every pixel; found a sparse tensor, or one without values."
        )


def check_side(images: torch.Tensor, side: int, taker: str) -> None:
    """Raise where images ``(n, 3, h, w)`` are not squares of the side that ``taker``, named so in the error, was made for."""
    height, width = images.shape[2:]
    if (height, width) != (side, side):
        raise HashprobeError(f"this {taker} takes images of {side}×{side}; found {height}×{width}.")


def _from_array(images: ImagesLike) -> torch.Tensor:
    if np.ma.isMaskedArray(images):
        raise HashprobeError("images must have a value at every pixel; found a masked array.")
    try:
        array = np.asarray(images)
    except (ValueError, OverflowError) as error:
        raise HashprobeError(f"images must be one array; {error}.") from None
    if array.dtype.kind not in "buif":
        raise HashprobeError(f"images must be uint8 or floating point; found {array.dtype}.")
    try:
        return torch.from_numpy(np.array(array))  # a copy: memory-mapped rows are read-only
    except TypeError:  # torch lacks some of numpy's types
        raise HashprobeError(f"images must be uint8 or floating point; found {array.dtype}.") from None


def to_uint8(images: torch.Tensor) -> torch.Tensor:
    """Round images in [0, 1] to 8 bit, as a PNG would hold them: ``round(255 x)``.

    Rounding keeps an L-infinity budget of k/255; truncating would turn it into (k + 1)/255.
    """
    return images.detach().mul(255).round_().clamp_(0, 255).to(torch.uint8)
