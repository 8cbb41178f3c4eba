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
from hashprobe.data.images.decoding import UnusableImage
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
    width, codes = -(-pipeline.model.bits // 8), list[str]()
    pixels, left_out, changed = list[str](), list[tuple[str, str]](), False
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
            codes += shard.codes
            pixels += shard.pixels
            left_out += [(photos.names[start + int(row)], why) for row, why in shard.left_out.items()]
    return _once(photos, codes, pixels, left_out, width)


def cache_key(photos: Photos, pipeline: Pipeline, *facts: str) -> str:
    """Return the fingerprint under which codes are kept; facts are what else they hang on, as a plugin's bytes."""
    return fingerprint("photo codes 1", pipeline.model.sha256(), pipeline.size, photos.identity(), *facts)


def _once(
    photos: Photos, codes: list[str], pixels: list[str], left_out: list[tuple[str, str]], width: int
) -> Stored:
    seen, rows, copies = set[str](), list[int](), 0
    for row, (code, own) in enumerate(zip(codes, pixels, strict=True)):
        if code and own in seen:
            copies += 1
        elif code:
            seen.add(own)
            rows.append(row)
    if len(rows) < 2:
        why = f" ({left_out[0][0]} {left_out[0][1]})" if left_out else ""
        raise HashprobeError(
            f"{photos.folder} holds {len(rows)} photograph that can be used{why}; an audit needs two at least, better hundreds."
        )
    packed = np.frombuffer(bytes.fromhex("".join(codes[row] for row in rows)), dtype=np.uint8)
    return Stored(np.array(rows, dtype=np.intp), packed.reshape(-1, width), tuple(left_out), copies)


def _read(path: Path, count: int, width: int) -> _Shard | None:
    """Return a shard that is whole and fits, or ``None``; a cache that is damaged is made anew."""
    try:
        shard = _Shard.model_validate(read_json(path))
        lengths = {len(bytes.fromhex(code)) for code in shard.codes}
        usable = lengths <= {0, width} and all(row.isdigit() for row in shard.left_out)
        whole = all((code == "") == (str(row) in shard.left_out) for row, code in enumerate(shard.codes))
        return (
            shard if usable and whole and len(shard.codes) == count and len(shard.pixels) == count else None
        )
    except (HashprobeError, ValidationError, ValueError):
        return None


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
                shard.pixels[place] = blake2b(
                    bytes(str(picture.shape), "ascii") + picture.tobytes(), digest_size=8
                ).hexdigest()
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
