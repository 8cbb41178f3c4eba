"""The stored pictures: the codes of all photographs, made in shards that are kept between calls."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, ValidationError

from hashprobe.auditing.photos import Photos
from hashprobe.data.images.decoding import UnusableImage, decode_image
from hashprobe.data.images.parallel import in_order
from hashprobe.data.images.store import cache_folder
from hashprobe.errors import HashprobeError
from hashprobe.evaluation.kept_codes import made_by
from hashprobe.evaluation.own_size import Picture, Pipeline
from hashprobe.files import read_json, write_json
from hashprobe.identity import fingerprint
from hashprobe.progress import Advance, progress_bar
from hashprobe.targets import Codes

SHARD = 1024
"""Photographs of one file of kept codes."""
CHECKED = 4
PIXEL_BYTES = 8
AT_ONCE = 64
PIXELS_AT_ONCE = 8_000_000
"""Of pictures of one size that the model is asked about together."""
FAILURES = (RuntimeError, ValueError, TypeError, LookupError, ArithmeticError, OSError)
"""What a network of somebody else's raises on pictures that it cannot take."""


@dataclass(frozen=True)
class Stored:
    """What the audited search holds: every photograph that can be used, once.

    Attributes:
        rows: Which of the photographs they are, ``(N,)``.
        codes: Their packed codes ``(N, ceil(K / 8))``.
        left_out: Photographs that cannot be used, each with why, as a sentence goes on.
        copies: How many were left out since another one shows the model the same pixels.
    """

    rows: npt.NDArray[np.intp]
    codes: Codes
    left_out: tuple[tuple[str, str], ...]
    copies: int


class _Shard(BaseModel):
    """A file of kept codes.

    Attributes:
        codes: In hexadecimal; empty where the photograph cannot be used.
        pixels: Of each a fingerprint of what the model sees of it.
        left_out: Why one cannot be used, by its place in the shard.
    """

    model_config = ConfigDict(strict=True, extra="forbid")

    codes: list[str]
    pixels: list[str]
    left_out: dict[str, str]


@contextmanager
def answering(what: str) -> Iterator[None]:
    """Make a sentence of whatever a model raises that is somebody else's."""
    try:
        yield
    except HashprobeError:
        raise
    except FAILURES as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:300].rstrip(".")
        raise HashprobeError(
            f"the model failed on {what} ({reason}); does it take pictures of this size (--image-size)? "
            "What was measured before is kept, and the same command goes on from there."
        ) from error


def encode(
    photos: Photos, pipeline: Pipeline, *, key: str, cache_dir: Path | None = None, progress: bool = False
) -> Stored:
    """Return the codes of photographs; those that are kept from an earlier call are not made again.

    The first few are made anew each time: where one differs, as after a change of a module or a service that its fingerprint does
    not show, all are.

    Args:
        photos: The photographs.
        pipeline: How they are brought to a code.
        key: Fingerprint of model, photographs and preprocessing.
        cache_dir: Where codes are kept; the user's cache folder by default.
        progress: Whether a progress bar is shown.

    Raises:
        HashprobeError: fewer than two can be used, the model fails, or the cache cannot be written.
    """
    folder = cache_folder(cache_dir) / f"photo-codes-{fingerprint(key, made_by())[:16]}"
    width, left_out, changed = -(-pipeline.model.bits // 8), list[tuple[str, str]](), False
    found: list[tuple[npt.NDArray[np.intp], Codes, npt.NDArray[np.uint64]]] = []
    with progress_bar("codes", len(photos.names), show=progress) as advance:
        for number, start in enumerate(range(0, len(photos.names), SHARD)):
            rows = range(start, min(start + SHARD, len(photos.names)))
            path = folder / f"{number:05d}.json"
            shard = None if changed else _read(path, len(rows), width)
            if number == 0 and shard is not None:
                changed = not _still(photos, pipeline, shard)
            if shard is None or changed:
                shard = _encode_shard(photos, rows, pipeline, advance)
                write_json(path, shard.model_dump())
            else:
                advance(len(rows))
            usable = [row for row, code in enumerate(shard.codes) if code]
            packed = np.frombuffer(bytes.fromhex("".join(shard.codes)), dtype=np.uint8)
            pixels = np.array([int(shard.pixels[row], 16) for row in usable], dtype=np.uint64)
            found.append((start + np.array(usable, dtype=np.intp), packed.reshape(-1, width), pixels))
            left_out += [(photos.names[start + int(row)], why) for row, why in shard.left_out.items()]
    rows_of, codes, pixels_of = (np.concatenate(own) for own in zip(*found, strict=True))
    return _once(photos, rows_of, codes, pixels_of, left_out)


def usable(photos: Photos, *, progress: bool = False) -> Stored:
    """Return which photographs can be used, each once, for a search that gives no codes: there are zero bytes of each.

    Raises:
        HashprobeError: fewer than two can be used.
    """
    rows, pixels, left_out = list[int](), list[int](), list[tuple[str, str]]()
    with progress_bar("photographs", len(photos.names), show=progress) as advance:
        for number in range(len(photos.names)):
            try:
                picture = decode_image(photos.read(number), None, still=True)
            except UnusableImage as error:
                left_out.append((photos.names[number], str(error)))
            else:
                rows.append(number)
                pixels.append(int(_pixels(picture), 16))
            advance(1)
    none = np.zeros((len(rows), 0), dtype=np.uint8)
    return _once(photos, np.array(rows, dtype=np.intp), none, np.array(pixels, dtype=np.uint64), left_out)


def _pixels(picture: Picture) -> str:
    return blake2b(
        bytes(str(picture.shape), "ascii") + picture.tobytes(), digest_size=PIXEL_BYTES
    ).hexdigest()


def cache_key(photos: Photos, pipeline: Pipeline, *facts: str) -> str:
    """Return the fingerprint under which codes are kept; facts are what else they hang on, as a plugin's bytes."""
    return fingerprint("photo codes 1", pipeline.model.sha256(), pipeline.size, photos.identity(), *facts)


def _once(
    photos: Photos,
    rows: npt.NDArray[np.intp],
    codes: Codes,
    pixels: npt.NDArray[np.uint64],
    left_out: list[tuple[str, str]],
) -> Stored:
    first = np.sort(np.unique(pixels, return_index=True)[1])
    if len(first) < 2:
        why = f" ({left_out[0][0]} {left_out[0][1]})" if left_out else ""
        raise HashprobeError(
            f"{photos.folder} holds {len(first)} photograph that can be used{why}; an audit needs two at least, better hundreds."
        )
    return Stored(rows[first], codes[first], tuple(left_out), len(rows) - len(first))


def _read(path: Path, count: int, width: int) -> _Shard | None:
    """Return a shard that is whole and fits, or ``None``; a cache that is damaged is made anew."""
    try:
        shard = _Shard.model_validate(read_json(path))
    except (HashprobeError, ValidationError):
        return None
    unusable = {str(row) for row, code in enumerate(shard.codes) if not code}
    fits = len(shard.codes) == len(shard.pixels) == count and unusable == set(shard.left_out)
    try:
        lengths = {
            (len(bytes.fromhex(code)), len(bytes.fromhex(own)))
            for code, own in zip(shard.codes, shard.pixels, strict=True)
        }
    except ValueError:
        return None
    return shard if fits and lengths <= {(0, 0), (width, PIXEL_BYTES)} else None


def _still(photos: Photos, pipeline: Pipeline, shard: _Shard) -> bool:
    """Say whether the model still gives the first codes of the first shard."""
    rows = [row for row, code in enumerate(shard.codes) if code][:CHECKED]
    with answering(photos.names[rows[0]] if rows else "a photograph"):
        return all(pipeline.code(photos.read(row)).tobytes().hex() == shard.codes[row] for row in rows)


def _encode_shard(photos: Photos, rows: Iterable[int], pipeline: Pipeline, advance: Advance) -> _Shard:
    def decode(row: int) -> Picture | UnusableImage:
        try:
            return pipeline.decode(photos.read(row))
        except UnusableImage as error:
            return error

    numbers = list(rows)
    shard = _Shard(codes=[""] * len(numbers), pixels=[""] * len(numbers), left_out={})
    waiting: list[tuple[int, Picture]] = []

    def flush() -> None:
        if waiting:
            first = photos.names[numbers[waiting[0][0]]]
            with answering(first):
                made = pipeline.model.codes(np.stack([picture for _, picture in waiting]))
            for (place, picture), code in zip(waiting, made, strict=True):
                shard.codes[place] = code.tobytes().hex()
                shard.pixels[place] = _pixels(picture)
            waiting.clear()

    for place, found in enumerate(in_order(decode, numbers)):
        if isinstance(found, UnusableImage):
            shard.left_out[str(place)] = str(found)
        else:
            many = len(waiting) * found[0].size >= PIXELS_AT_ONCE or len(waiting) == AT_ONCE
            if waiting and (many or waiting[0][1].shape != found.shape):
                flush()
            waiting.append((place, found))
        advance(1)
    flush()
    return shard
