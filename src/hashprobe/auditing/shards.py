"""Shards: the codes of some pictures in a file with a checksum, made once; one that was stopped in its middle goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from pydantic import BaseModel, ConfigDict, ValidationError

from hashprobe.data.images.decoding import UnusableImage
from hashprobe.data.images.parallel import in_order
from hashprobe.errors import HashprobeError
from hashprobe.files import read_json, sha256_of, write_json
from hashprobe.hashing import HashModel, service_of
from hashprobe.targets import Codes

SHARD, SHARD_OF_A_SERVICE = 1024, 64
"""Pictures of one file. A kill loses the one that is being made, and answers of a service are dear."""
PIXEL_BYTES = 8
CHECKED = 4
"""Pictures of a shard that are encoded anew to see whether the model still gives its codes."""
AT_ONCE = 64
PIXELS_AT_ONCE = 8_000_000
"""Of pictures of one size that the model is asked about together."""
FAILURES = (RuntimeError, ValueError, TypeError, LookupError, ArithmeticError, OSError)
"""What a network of somebody else's raises on pictures that it cannot take."""

Picture = npt.NDArray[np.uint8]


class Pictures(Protocol):
    """Pictures that are read when they are asked for."""

    @property
    def names(self) -> Sequence[str]:
        """Of each picture."""

    def picture(self, row: int) -> Picture:
        """Return a picture as the model gets it, uint8 ``(3, height, width)``; raise ``UnusableImage`` for one that is none."""


class Shard(BaseModel):
    """The codes of some pictures, as far as they are made.

    Attributes:
        codes: In hexadecimal; empty where the picture cannot be used, or was not reached.
        pixels: Of each a fingerprint of what the model sees of it.
        left_out: Why one cannot be used, by its place in the shard.
    """

    model_config = ConfigDict(strict=True, extra="forbid")

    codes: list[str]
    pixels: list[str]
    left_out: dict[str, str]

    @classmethod
    def empty(cls, count: int) -> Shard:
        """Return one of which nothing is made."""
        return cls(codes=[""] * count, pixels=[""] * count, left_out={})

    @property
    def missing(self) -> list[int]:
        """Places that were not reached."""
        return [row for row, code in enumerate(self.codes) if not code and str(row) not in self.left_out]

    @property
    def usable(self) -> list[int]:
        """Places of the pictures that have a code."""
        return [row for row, code in enumerate(self.codes) if code]

    def packed(self, width: int) -> Codes:
        """Return the codes of the usable ones, uint8 ``(n, width)``."""
        return np.frombuffer(bytes.fromhex("".join(self.codes)), dtype=np.uint8).reshape(-1, width)

    def write(self, path: Path) -> None:
        """Write it with its checksum, whole or not at all."""
        content = self.model_dump()
        write_json(path, {"sha256": sha256_of(content), **content})

    @classmethod
    def read(cls, path: Path, count: int, width: int) -> Shard:
        """Read a file.

        Args:
            path: The file.
            count: How many pictures it is to hold.
            width: Bytes of a code.

        Raises:
            HashprobeError: it is missing, damaged, or of other pictures or codes.
        """
        content = read_json(path)
        try:
            said = content.pop("sha256") if isinstance(content, dict) else None
            shard = cls.model_validate(content)
            lengths = {
                (len(bytes.fromhex(code)), len(bytes.fromhex(own)))
                for code, own in zip(shard.codes, shard.pixels, strict=True)
            }
        except (KeyError, ValidationError, ValueError):
            said, shard, lengths = None, cls.empty(0), set()
        unusable = {str(row) for row, code in enumerate(shard.codes) if not code}
        fits = len(shard.codes) == count and lengths <= {(0, 0), (width, PIXEL_BYTES)}
        if not fits or not set(shard.left_out) <= unusable or said != sha256_of(shard.model_dump()):
            raise HashprobeError(
                f"{path} is damaged, or holds other codes; delete it, and its {count} pictures are encoded again."
            )
        return shard


@contextmanager
def answering(what: str) -> Iterator[None]:
    """Make a sentence of whatever a model raises that is somebody else's, and of a picture that can no longer be used."""
    try:
        yield
    except HashprobeError:
        raise
    except UnusableImage as error:
        raise HashprobeError(
            f"{what} {error}; it cannot be asked about (was the file changed or removed meanwhile?). What was measured before is "
            "kept."
        ) from None
    except FAILURES as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:300].rstrip(".")
        raise HashprobeError(
            f"the model failed on {what} ({reason}); does it take pictures of this size (--image-size)? "
            "What was measured before is kept, and the same command goes on from there."
        ) from error


def fingerprint_of(picture: Picture) -> str:
    """Return a fingerprint of what a model sees of a picture, in hexadecimal."""
    shape = bytes(str(picture.shape), "ascii")
    return blake2b(shape + picture.tobytes(), digest_size=PIXEL_BYTES).hexdigest()


def shard_size(model: HashModel) -> int:
    """Return how many pictures a file of the codes of a model holds."""
    return SHARD if service_of(model) is None else SHARD_OF_A_SERVICE


def still_gives(model: HashModel, shards: Iterable[tuple[Pictures, Shard]]) -> bool:
    """Say whether a model still gives the codes that were made before, after a change that its fingerprint does not show.

    Asked are the first few codes of the first shard that holds any: it need not be the first one.

    Args:
        model: The hash model.
        shards: With the pictures of each.

    Raises:
        HashprobeError: the model fails, or a picture can no longer be used.
    """
    pictures, shard = next((pair for pair in shards if pair[1].usable), (None, Shard.empty(0)))
    for row in shard.usable[:CHECKED]:
        assert pictures is not None
        with answering(pictures.names[row]):
            code = model.codes(pictures.picture(row)[None])[0]
        if code.tobytes().hex() != shard.codes[row]:
            return False
    return True


def make_shard(
    path: Path, pictures: Pictures, model: HashModel, advance: Callable[[int], None] = lambda n: None
) -> Shard:
    """Encode the pictures of a shard and write it; what a model refuses to do further leaves what was done.

    Pictures are decoded a few at a time and forgotten once they have a code.

    Args:
        path: The file; one that is there already goes on where it was stopped.
        pictures: Of the shard, and of no other.
        model: The hash model.
        advance: Is told of each picture.

    Raises:
        HashprobeError: the model fails, its questions are used up, or the disk is full.
    """
    count = len(pictures.names)
    shard = Shard.read(path, count, -(-model.bits // 8)) if path.exists() else Shard.empty(count)
    advance(count - len(shard.missing))
    try:
        _encode(shard, pictures, model, advance)
    except (HashprobeError, KeyboardInterrupt):
        if len(shard.missing) < count:
            shard.write(path)
        raise
    shard.write(path)
    return shard


def _encode(shard: Shard, pictures: Pictures, model: HashModel, advance: Callable[[int], None]) -> None:
    names, waiting = pictures.names, list[tuple[int, Picture]]()
    most = AT_ONCE if service_of(model) is None else 1

    def read(row: int) -> tuple[int, Picture | UnusableImage]:
        try:
            return row, pictures.picture(row)
        except UnusableImage as error:
            return row, error

    def flush() -> None:
        if not waiting:
            return
        with answering(names[waiting[0][0]]):
            made = model.codes(np.stack([picture for _, picture in waiting]))
        for (row, picture), code in zip(waiting, made, strict=True):
            shard.codes[row] = code.tobytes().hex()
            shard.pixels[row] = fingerprint_of(picture)
        advance(len(waiting))
        waiting.clear()

    # As many threads decode as compute: of several processes each has its share.
    for row, found in in_order(read, shard.missing, torch.get_num_threads()):
        if isinstance(found, UnusableImage):
            shard.left_out[str(row)] = str(found)
            advance(1)
            continue
        many = len(waiting) * found.size >= PIXELS_AT_ONCE or len(waiting) == most
        if waiting and (many or waiting[0][1].shape != found.shape):
            flush()
        waiting.append((row, found))
    flush()
