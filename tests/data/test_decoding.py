"""Decoding: every kind of picture becomes RGB of one size; what is no picture is refused."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
from data_pictures import jpeg, picture
from PIL import Image

from hashprobe.data.images.decoding import UnusableImage, decode_image

QUADRANTS = Image.fromarray(
    np.kron(
        np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 255]]], dtype=np.uint8),
        np.ones((32, 32, 1), dtype=np.uint8),
    )
)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def corners(pixels: np.ndarray) -> list[list[int]]:
    """Colours in the middle of the four quadrants, in reading order."""
    size = pixels.shape[1]
    low, high = size // 4, 3 * size // 4
    return [pixels[:, y, x].tolist() for y, x in ((low, low), (low, high), (high, low), (high, high))]


def test_the_shorter_side_is_resized_and_the_middle_cut_out() -> None:
    wide = np.zeros((64, 192, 3), dtype=np.uint8)
    wide[:, 64:128] = QUADRANTS
    for array in (wide, wide.transpose(1, 0, 2)):
        square = np.asarray(QUADRANTS) if array is wide else np.asarray(QUADRANTS).transpose(1, 0, 2)
        found = decode_image(encoded(Image.fromarray(np.ascontiguousarray(array)), "PNG"), 64)
        assert found.dtype == np.uint8
        np.testing.assert_array_equal(found, square.transpose(2, 0, 1))


def test_reducing_is_antialiased() -> None:
    board = Image.fromarray(np.indices((256, 256)).sum(axis=0).astype(np.uint8) % 2 * 255).convert("RGB")
    found = decode_image(encoded(board, "PNG"), 32)
    assert np.abs(found.astype(int) - 127).max() <= 2


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_upright(orientation: int) -> None:
    stored = {
        1: QUADRANTS,
        2: QUADRANTS.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        3: QUADRANTS.transpose(Image.Transpose.ROTATE_180),
        4: QUADRANTS.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
        5: QUADRANTS.transpose(Image.Transpose.TRANSPOSE),
        6: QUADRANTS.transpose(Image.Transpose.ROTATE_90),
        7: QUADRANTS.transpose(Image.Transpose.TRANSVERSE),
        8: QUADRANTS.transpose(Image.Transpose.ROTATE_270),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    found = decode_image(encoded(stored, "PNG", exif=exif), 64)
    assert corners(found) == [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_damaged_exif_data_does_not_matter() -> None:
    data = encoded(QUADRANTS, "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff garbage")
    assert decode_image(data, 64).shape == (3, 64, 64)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16"])
@pytest.mark.parametrize("value", [0, 255])
def test_every_mode_becomes_rgb(mode: str, value: int) -> None:
    flat = Image.new("RGB", (40, 40), (value, value, value))
    if mode == "I;16":
        flat16 = Image.fromarray(np.full((40, 40), value * 257, dtype=np.uint16))
        data = encoded(flat16, "PNG")
    else:
        data = encoded(flat.convert(mode), "TIFF" if mode == "CMYK" else "PNG")
    np.testing.assert_array_equal(decode_image(data, 32), np.full((3, 32, 32), value, dtype=np.uint8))


def test_colours_of_palettes_and_cmyk_are_kept() -> None:
    expected = corners(np.asarray(QUADRANTS).transpose(2, 0, 1))
    assert corners(decode_image(encoded(QUADRANTS.quantize(8), "GIF"), 64)) == expected
    assert corners(decode_image(encoded(QUADRANTS.convert("CMYK"), "TIFF"), 64)) == expected
    in_jpeg = corners(decode_image(encoded(QUADRANTS.convert("CMYK"), "JPEG", quality=95), 64))
    assert np.abs(np.array(in_jpeg) - np.array(expected)).max() < 12


def test_what_is_transparent_becomes_white() -> None:
    clear = Image.new("RGBA", (40, 40), (10, 20, 30, 0))
    assert decode_image(encoded(clear, "PNG"), 32).min() == 255
    palette = Image.new("P", (40, 40), 0)
    palette.putpalette([10, 20, 30] * 256)
    assert decode_image(encoded(palette, "PNG", transparency=0), 32).min() == 255


def test_the_first_frame_of_an_animation_is_taken() -> None:
    frames = [picture(1).quantize(), picture(2).quantize()]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(decode_image(data, 32), decode_image(encoded(frames[0], "PNG"), 32))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is not a whole JPEG, PNG, WebP, GIF, BMP, TIFF or PPM image (unknown format)"),
        (b"\xff\xd8\xff\xe0 no picture", "is truncated"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "is not a whole JPEG"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n", "is not a whole JPEG"),
        (jpeg(picture(0, 200, 200))[:-2000], "is truncated"),
        (encoded(picture(0, 200, 200), "PNG")[:-60], "is truncated"),
        (jpeg(picture(0, 31, 90)), "is 31 x 90 pixels; at least 32 x 32 are needed"),
        (jpeg(picture(0, 90, 8)), "is 90 x 8 pixels"),
        (encoded(Image.new("F", (40, 40)), "TIFF"), "floating point"),
    ],
)
def test_what_cannot_be_used_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(UnusableImage, match=re.escape(message)):
        decode_image(data, 32)


def test_the_smallest_picture_is_taken() -> None:
    assert decode_image(jpeg(picture(0, 32, 32)), 64).shape == (3, 64, 64)


def test_a_picture_of_absurd_size_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 40 * 40)
    with pytest.raises(UnusableImage, match="decompression bomb"):
        decode_image(jpeg(picture(0, 200, 200)), 32)
