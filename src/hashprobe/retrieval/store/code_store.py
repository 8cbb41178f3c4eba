"""The code store: codes, labels and ids of a database in one file that is memory-mapped when read.

Layout: a header of 4096 bytes (magic, version, JSON, zeros, SHA-256 of all these), then codes, labels and ids,
each at a multiple of 64 bytes. The JSON holds the sizes, from which all positions follow, and the SHA-256 of what
follows the header.
"""

from __future__ import annotations

import hashlib
import json
import math
import struct
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from hashprobe.errors import HashprobeError
from hashprobe.files import replacing, user_path
from hashprobe.retrieval.codes import MAX_BITS, PackedCodes, as_array, check_codes, check_spare_bits
from hashprobe.retrieval.labels import PackedLabels, check_labels, class_count, packed_rows
from hashprobe.retrieval.store.ids import ENCODING, id_blocks
from hashprobe.typed_values import checked

MAGIC = b"hashcode"
VERSION = 2
HEADER_BYTES = 4096  # a model of 200 characters takes at most 2400 of them
DIGEST_BYTES = 32
ALIGNMENT = 64
ROWS_AT_ONCE = 1 << 16
_FIXED = struct.Struct("<8sI")  # magic, version

# Where a section begins, its dtype and its shape.
Section = tuple[int, str, tuple[int, ...]]


@dataclass(frozen=True)
class _Header:
    bits: int
    classes: int
    items: int
    model: str
    ids: str  # "rows" (none were given), "numbers" or "texts"
    text_bytes: int
    sha256: str

    def __post_init__(self) -> None:
        sizes = (self.bits, self.classes, self.items, self.text_bytes)
        if (
            any(type(size) is not int or size < 0 for size in sizes)
            or not 1 <= self.bits <= MAX_BITS
            or not isinstance(self.model, str)
            or not isinstance(self.sha256, str)
            or self.ids not in ("rows", "numbers", "texts")
        ):
            raise ValueError("not a header of a code store")

    def sections(self) -> tuple[dict[str, Section], int]:
        """Return where each section lies, and how long the file is."""
        shapes: dict[str, tuple[str, tuple[int, ...]]] = {
            "codes": ("u1", (self.items, -(-self.bits // 8))),
            "labels": ("u1", (self.items, -(-self.classes // 8))),
        }
        if self.ids == "numbers":
            shapes["ids"] = ("<i8", (self.items,))
        if self.ids == "texts":
            shapes |= {"id_ends": ("<i8", (self.items,)), "id_text": ("u1", (self.text_bytes,))}
        sections, start = {}, HEADER_BYTES
        for name, (dtype, shape) in shapes.items():
            sections[name] = (start, dtype, shape)
            start += math.prod(shape) * int(dtype[-1])
            start += -start % ALIGNMENT
        return sections, start


@dataclass(frozen=True)
class CodeStore:
    """A code store that has been opened; its arrays are memory-mapped and read-only.

    Attributes:
        path: The file.
        codes: uint8 ``(N, ceil(K / 8))``.
        labels: Packed labels of the N items.
        bits: K.
        model: Hash of the model that made the codes.
        sha256: Of everything behind the header.
    """

    path: Path
    codes: PackedCodes
    labels: PackedLabels
    bits: int
    model: str
    sha256: str
    _ids: npt.NDArray[np.int64] | None
    _id_ends: npt.NDArray[np.int64] | None
    _id_text: npt.NDArray[np.uint8] | None

    def __len__(self) -> int:
        return len(self.codes)

    def ids(self, rows: Any) -> list[Any]:
        """Return the ids of some rows, as they were written: numbers or texts.

        Args:
            rows: Whole numbers ``(n,)`` or ``(n, k)``, such as the indices of :func:`top_k`.

        Returns:
            A list of n ids, or n lists of k ids; ``None`` for a row -1, where a
            :class:`SearchIndex` found nothing.

        Raises:
            HashprobeError: rows that are not in the store, or ids that are damaged.
        """
        try:
            wanted = as_array(rows)
        except ValueError:  # lists of different lengths
            wanted = np.zeros(())
        if wanted.ndim not in (1, 2) or (
            wanted.size and (wanted.dtype.kind not in "iu" or wanted.min() < -1 or wanted.max() >= len(self))
        ):
            raise HashprobeError(
                f"rows must be whole numbers of shape (n,) or (n, k), each below {len(self)}, or -1 for nothing found."
            )
        found, there = np.full(wanted.shape, None, dtype=object), wanted >= 0
        found[there] = self._ids_of(wanted[there].astype(np.int64))
        listed: list[Any] = found.tolist()
        return listed

    def _ids_of(self, rows: npt.NDArray[np.int64]) -> list[int] | list[str]:
        if self._ids is not None:
            return [int(number) for number in self._ids[rows]]
        if self._id_ends is None or self._id_text is None:
            return [int(row) for row in rows]
        ends = self._id_ends[rows]
        starts = np.where(rows > 0, self._id_ends[rows - 1], 0)
        if (starts < 0).any() or (ends < starts).any() or (ends > len(self._id_text)).any():
            raise self._damaged()
        try:
            return [
                bytes(self._id_text[start:end]).decode(*ENCODING)
                for start, end in zip(starts, ends, strict=True)
            ]
        except UnicodeDecodeError:
            raise self._damaged() from None

    def _damaged(self) -> HashprobeError:
        return HashprobeError(f"{self.path} does not match its checksum; it is damaged. Write it again.")

    def verify(self) -> None:
        """Read the whole file and compare it with its checksum.

        Raises:
            HashprobeError: the contents have changed since they were written, or cannot be read.
        """
        digest = hashlib.sha256()
        try:
            with self.path.open("rb") as file:
                file.seek(HEADER_BYTES)
                while chunk := file.read(1 << 20):
                    digest.update(chunk)
        except OSError as error:
            raise HashprobeError(f"could not read {self.path}: {error.strerror}.") from None
        if digest.hexdigest() != self.sha256:
            raise self._damaged()


@checked
def write_code_store(
    path: str | Path,
    codes: Any,
    labels: Any,
    *,
    bits: int,
    model: str,
    ids: Sequence[int] | Sequence[str] | npt.NDArray[np.int64] | None = None,
) -> None:
    """Write a code store, whole or not at all; arrays may be memory-mapped, a block is worked on at a time.

    Args:
        path: The file.
        codes: Packed codes, uint8 ``(N, ceil(K / 8))``.
        labels: Multi-hot ``(N, C)``, or :class:`PackedLabels`.
        bits: K, 1 to 1024.
        model: Hash of the model that made the codes, at most 200 characters.
        ids: A whole number of 64 bits or a text for each item; ``None`` means its row.

    Raises:
        HashprobeError: parts that do not fit each other, or the operating system refused to write.
    """
    rows, source = check_codes("codes", codes, bits), check_labels("labels", labels)
    if len(rows) != len(source):
        raise HashprobeError(
            f"codes has {len(rows)} rows but labels has {len(source)}; each code needs its labels."
        )
    check_model_name(model)
    sections = {"codes": _code_blocks(rows, bits), "labels": _label_blocks(source)}
    sections |= id_blocks(ids, len(rows))
    write_sections(path, sections, bits=int(bits), classes=int(class_count(source)), model=model)


@checked
def open_code_store(path: str | Path, *, bits: int | None = None, model: str | None = None) -> CodeStore:
    """Open a code store without reading its arrays.

    Args:
        path: The file.
        bits: K that is expected, or ``None``.
        model: Hash of the model that is expected, or ``None``.

    Raises:
        HashprobeError: the file is missing, truncated, of another kind or version, has a damaged header, or
            holds other codes than expected.
    """
    path = user_path(path)
    header, sections = _read_header(path)
    if bits is not None and header.bits != bits:
        raise HashprobeError(f"{path} holds codes of {header.bits} bits, but {bits} bits are wanted.")
    if model is not None and header.model != model:
        raise HashprobeError(
            f"{path} was made by model {header.model}, not by {model}; codes of different models cannot be "
            "compared. Encode the database again, or use that model."
        )
    arrays: dict[str, npt.NDArray[Any]] = {
        name: np.memmap(path, dtype, mode="r", offset=start, shape=shape)
        if all(shape)
        else np.zeros(shape, dtype)
        for name, (start, dtype, shape) in sections.items()
    }
    return CodeStore(
        path,
        arrays["codes"],
        PackedLabels(arrays["labels"], header.classes),
        header.bits,
        header.model,
        header.sha256,
        arrays.get("ids"),
        arrays.get("id_ends"),
        arrays.get("id_text"),
    )


def check_model_name(model: str) -> None:
    """Say that a model's hash is none that a header holds."""
    if not isinstance(model, str) or not 1 <= len(model) <= 200:
        raise HashprobeError(
            f"model must be the model's hash, a text of 1 to 200 characters; found {model!r}."
        )


def write_sections(
    path: str | Path, sections: dict[str, Iterator[npt.NDArray[Any]]], *, bits: int, classes: int, model: str
) -> None:
    """Write a code store from its sections, each block by block, whole or not at all.

    Args:
        path: The file.
        sections: Blocks of ``codes`` and ``labels``, and of ``ids``, or of ``id_ends`` and ``id_text``, in this order.
        bits: K.
        classes: C.
        model: Hash of the model.

    Raises:
        HashprobeError: sections that do not fit each other, or the operating system refused to write.
    """
    with replacing(user_path(path)) as temporary, temporary.open("r+b") as file:
        file.write(b"\0" * HEADER_BYTES)
        lengths, digest = _write_sections(file, sections)
        header = _Header(
            bits=bits,
            classes=classes,
            items=lengths["codes"] // -(-bits // 8),
            model=model,
            ids="numbers" if "ids" in lengths else "texts" if "id_text" in lengths else "rows",
            text_bytes=lengths.get("id_text", 0),
            sha256=digest,
        )
        shapes = {
            name: math.prod(shape) * int(dtype[-1])
            for name, (_, dtype, shape) in header.sections()[0].items()
        }
        if lengths != shapes:
            raise HashprobeError(
                f"{path} is not written: codes, labels and ids are of different numbers of items."
            )
        head = _FIXED.pack(MAGIC, VERSION) + json.dumps(asdict(header)).encode()
        head = head.ljust(HEADER_BYTES - DIGEST_BYTES, b"\0")
        file.seek(0)
        file.write(head + hashlib.sha256(head).digest())


def _read_header(path: Path) -> tuple[_Header, dict[str, Section]]:
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(HEADER_BYTES)
    except OSError as error:
        raise HashprobeError(f"could not read {path}: {error.strerror}.") from None
    if head[: len(MAGIC)] != MAGIC[: len(head)] or not head:
        raise HashprobeError(
            f"{path} is not a code store; write one with hashprobe.retrieval.write_code_store."
        )
    version = _FIXED.unpack_from(head)[1] if len(head) >= _FIXED.size else VERSION
    if version != VERSION:
        raise HashprobeError(
            f"{path} is a code store of version {version}; this hashprobe reads version {VERSION}. Write it again."
        )
    if len(head) < HEADER_BYTES:
        raise HashprobeError(f"{path} is truncated: {size} bytes, not even a header. Write it again.")
    head, digest = head[:-DIGEST_BYTES], head[-DIGEST_BYTES:]
    try:
        if hashlib.sha256(head).digest() != digest:
            raise ValueError("digest")
        header = _Header(**json.loads(head[_FIXED.size :].rstrip(b"\0")))
    except (ValueError, TypeError, RecursionError):
        raise HashprobeError(f"{path} has a damaged header. Write it again.") from None
    sections, expected = header.sections()
    if size != expected:
        what = "is truncated" if size < expected else "has something behind its end"
        raise HashprobeError(f"{path} {what}: {size} bytes instead of {expected}. Write it again.")
    return header, sections


def _write_sections(
    file: BinaryIO, sections: dict[str, Iterator[npt.NDArray[Any]]]
) -> tuple[dict[str, int], str]:
    """Write the sections one behind the other; return the bytes of each, and the checksum."""
    digest = hashlib.sha256()

    def write(data: bytes) -> None:
        file.write(data)
        digest.update(data)

    lengths = {}
    for name, blocks in sections.items():
        start = file.tell()
        for block in blocks:
            write(block.tobytes())
        lengths[name] = file.tell() - start
        write(b"\0" * (-file.tell() % ALIGNMENT))
    return lengths, digest.hexdigest()


def _code_blocks(codes: PackedCodes, bits: int) -> Iterator[npt.NDArray[Any]]:
    for start in range(0, len(codes), ROWS_AT_ONCE):
        rows = codes[start : start + ROWS_AT_ONCE]
        check_spare_bits("codes", rows, bits)
        yield rows


def _label_blocks(labels: Any) -> Iterator[npt.NDArray[Any]]:
    for start in range(0, len(labels), ROWS_AT_ONCE):
        yield packed_rows("labels", labels, start, start + ROWS_AT_ONCE)
