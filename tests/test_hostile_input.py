"""What comes in is bounded before memory is taken for it, and starts no other program."""

from __future__ import annotations

import io
import json
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hashprobe.bounds import BOUNDS
from hashprobe.data import read_image
from hashprobe.data.images.decoding import LARGEST_SIDE, check_image_size
from hashprobe.errors import HashprobeError
from hashprobe.files import read_json, read_json_lines
from hashprobe.report.pictures import data_uri
from hashprobe.retrieval import average_precision
from hashprobe.retrieval.bench import run_retrieval_benchmark
from helpers import png_that_declares


def png(width: int = 64, height: int = 64) -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    packed = io.BytesIO()
    Image.fromarray(noise).save(packed, "PNG")
    return packed.getvalue()


@pytest.mark.parametrize("offset", ["pixels", "checksum"])
def test_a_png_whose_checksum_does_not_fit_is_refused(offset: str, tmp_path: Path) -> None:
    whole = bytearray(png())
    start = whole.index(b"IDAT")
    (length,) = struct.unpack(">I", whole[start - 4 : start])
    file = tmp_path / "x.png"
    file.write_bytes(whole)
    assert read_image(file).shape == (3, 64, 64)
    whole[start + 4 + (length // 2 if offset == "pixels" else length)] ^= 1
    file.write_bytes(whole)
    with pytest.raises(HashprobeError, match=r"x\.png is not a whole JPEG, PNG"):
        read_image(file)


def test_a_picture_is_not_decoded_that_declares_too_many_pixels(tmp_path: Path) -> None:
    file = tmp_path / "large.png"
    file.write_bytes(png_that_declares(13_300, 13_300))
    with pytest.raises(HashprobeError, match=r"large\.png is 13300 x 13300 pixels; at most 64 million"):
        read_image(file)
    assert BOUNDS.image_pixels < 13_300**2


@pytest.mark.parametrize(
    ("size", "said"), [(0, "at least 32"), (-64, "at least 32"), (100_000, f"at most {LARGEST_SIDE}")]
)
def test_a_size_that_no_image_may_have_is_refused(size: int, said: str) -> None:
    with pytest.raises(HashprobeError, match=f"image_size must be {said} pixels; found {size}"):
        check_image_size(size)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n", "could not be read as a picture"),
        (png_that_declares(20_000, 40), "20000 x 40 pixels, of at most 4096 a side"),
        (png_that_declares(60_000, 60_000), "could not be read as a picture"),
        (png()[:200], "could not be read as a picture"),
    ],
    ids=["eps", "wide", "bomb", "cut"],
)
def test_a_report_refuses_what_is_no_picture_of_a_gallery(content: bytes, said: str, tmp_path: Path) -> None:
    file = tmp_path / "q0.png"
    file.write_bytes(content)
    with pytest.raises(HashprobeError, match=said):
        data_uri(file)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[" * 100_000, "nested too deeply"),
        (b"1" * 5_000, "is not a JSON file"),
        (b"NaN", "it holds the number NaN"),
        (b'{"a": Infinity}', "it holds the number Infinity"),
        (b'"\xff"', "is not a UTF-8 text file"),
        (b"{", "is not a JSON file"),
        (b'["\\ud800"]', "half a character"),
    ],
    ids=["deep", "long", "nan", "infinity", "bytes", "cut", "surrogate"],
)
def test_json_that_is_none_is_one_sentence(content: bytes, said: str, tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_bytes(content)
    with pytest.raises(HashprobeError, match=said) as found:
        read_json(file)
    assert "\n" not in str(found.value)
    file.write_bytes(json.dumps({"a": 1}).encode() + b"\n" + content)
    with pytest.raises(HashprobeError):
        read_json_lines(file)


def test_a_folder_in_place_of_a_file_is_one_sentence(tmp_path: Path) -> None:
    for read in (read_json, read_json_lines):
        with pytest.raises(HashprobeError, match="cannot be read"):
            read(tmp_path)
        with pytest.raises(HashprobeError, match="cannot be read"):
            read("a\0b")


def test_numbers_beyond_the_machine_are_refused_before_memory_is_taken() -> None:
    codes = np.zeros((1, 1), dtype=np.uint8)
    with pytest.raises(HashprobeError, match="threads must be a whole number from 1 to 4096"):
        average_precision(codes, codes, codes, codes, bits=8, threads=10**9)
    with pytest.raises(HashprobeError, match=r"would take 25000\.\d GB"):
        run_retrieval_benchmark(database=10**12)
