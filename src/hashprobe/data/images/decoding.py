"""From the bytes of an image file to uint8 RGB of one size."""

from __future__ import annotations

import io
import threading
import warnings
from contextlib import nullcontext
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from hashprobe.bounds import BOUNDS, read_bytes
from hashprobe.data.retrieval_data import UInt8Array
from hashprobe.errors import HashprobeError
from hashprobe.files import user_path
from hashprobe.typed_values import checked

DECODING = 1  # raised whenever the same file would give other pixels; caches of older ones are then not used
SMALLEST_SIDE = 32
LARGEST_SIDE = 4096
"""Of the images that a model takes, in pixels."""
MANY_PIXELS = 16_000_000
"""Of pictures with more, one is decoded at a time, however many threads there are."""
_one_at_a_time = threading.Lock()
# Others may start programs (EPS) or be no pictures at all. Multi-picture JPEG files (MPO) count as JPEG.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM")
EXTENSIONS = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm")


@checked
def check_image_size(size: int) -> None:
    """Check that images may have ``size`` pixels a side.

    Raises:
        HashprobeError: they are too small for networks, or too large for memory.
    """
    if size < SMALLEST_SIDE:
        raise HashprobeError(f"image_size must be at least {SMALLEST_SIDE} pixels; found {size}.")
    if size > LARGEST_SIDE:
        raise HashprobeError(f"image_size must be at most {LARGEST_SIDE} pixels; found {size}.")


class UnusableImage(Exception):
    """An image cannot be used; the message continues a sentence that begins with its name."""


def decode_image(data: bytes, size: int | None, *, still: bool = False) -> UInt8Array:
    """Decode an image, turn it upright, resize its shorter side to ``size`` and cut out the middle.

    Resizing is bicubic with antialiasing. Grey, palette and CMYK images become RGB; what is transparent
    becomes white.

    Args:
        data: The bytes of its file.
        size: In pixels; ``None`` to leave it at its own size, upright.
        still: Whether an animated picture is refused; of others the first frame is taken.

    Returns:
        ``(3, size, size)`` uint8, or ``(3, height, width)``.

    Raises:
        UnusableImage: not an image, a damaged one, or one smaller than 32 pixels or of more than :data:`BOUNDS` allows.
    """
    frames = 1
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the bound below is stricter
            image = Image.open(io.BytesIO(data), formats=FORMATS)
        with image:
            width, height = image.size
            # The further pictures of a JPEG are previews or the other eye's view.
            frames = getattr(image, "n_frames", 1) if still and image.format not in ("JPEG", "MPO") else 1
            if frames == 1 and min(image.size) >= SMALLEST_SIDE and width * height <= BOUNDS.image_pixels:
                with _one_at_a_time if width * height > MANY_PIXELS else nullcontext():
                    _check_sums(data, image.format)
                    upright = _to_rgb(_turn_upright(image))
                    return _as_rows(upright) if size is None else _to_square(upright, size)
    except Exception as error:  # on damaged bytes, decoders raise errors of nearly every kind
        if "truncated" in str(error).lower():
            raise UnusableImage("is truncated; copy it again") from None
        kinds = "JPEG, PNG, WebP, GIF, BMP, TIFF or PPM"
        raise UnusableImage(f"is not a whole {kinds} image ({_reason(error)})") from None
    if frames > 1:
        raise UnusableImage(f"is animated or has several pages ({frames}); give each as a picture of its own")
    if width * height > BOUNDS.image_pixels:
        raise UnusableImage(
            f"is {width} x {height} pixels; at most {BOUNDS.image_pixels / 1e6:g} million are decoded "
            f"(--bound image_pixels={width * height} lets it in)"
        )
    raise UnusableImage(
        f"is {width} x {height} pixels; at least {SMALLEST_SIDE} x {SMALLEST_SIDE} are needed"
    )


@checked
def read_image(path: str | Path, size: int | None = 64) -> UInt8Array:
    """Read an image file as :func:`decode_image` does; ``(3, size, size)`` uint8, or at its own size where ``None`` is given.

    Raises:
        HashprobeError: it cannot be read or used; the message names it.
    """
    try:
        return decode_image(read_bytes(user_path(path), "image_bytes"), size)
    except OSError as error:
        raise HashprobeError(f"{path} cannot be read ({error.strerror}).") from None
    except UnusableImage as error:
        raise HashprobeError(f"{path} {error}.") from None


def _check_sums(data: bytes, kind: str | None) -> None:
    """Raise where a PNG's checksums do not fit its bytes: decoding alone passes over those of the pixels."""
    if kind == "PNG":
        with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
            image.verify()


def _turn_upright(image: Image.Image) -> Image.Image:
    try:
        turned = image.getexif().get(ExifTags.Base.Orientation, 1) != 1
    except Exception:  # damaged EXIF data does not make the picture unusable
        return image
    return ImageOps.exif_transpose(image) if turned else image


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16-bit grey, which convert() would cut off at 255
        return Image.fromarray((np.asarray(image) >> 8).clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        raise ValueError("its pixels are floating point, of unknown range")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    if image.mode == "RGB":  # convert() would make a copy
        image.load()
        return image
    return image.convert("RGB")


def _to_square(image: Image.Image, size: int) -> UInt8Array:
    side = min(image.size)
    left, top = (image.width - side) / 2, (image.height - side) / 2
    box = (left, top, left + side, top + side)
    resized = image.resize((size, size), Image.Resampling.BICUBIC, box=box)
    return _as_rows(resized)


def _as_rows(image: Image.Image) -> UInt8Array:
    return np.ascontiguousarray(np.asarray(image).transpose(2, 0, 1))


def _reason(error: Exception) -> str:
    """Return what a decoder said, without the address of the buffer that Pillow names for a file."""
    return (
        "unknown format" if isinstance(error, UnidentifiedImageError) else str(error) or type(error).__name__
    )
