"""The ids of a code store as bytes: numbers, or texts and where each ends, a block at a time."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from hashprobe.errors import HashprobeError
from hashprobe.retrieval.codes import as_array

# How texts are written; names of files that are not UTF-8 hold surrogates.
ENCODING = ("utf-8", "surrogatepass")
IDS_AT_ONCE = 1 << 16


def id_blocks(ids: Any, items: int) -> dict[str, Iterator[npt.NDArray[Any]]]:
    """Return what a code store keeps of the ids, by section: none, numbers, or texts and where each ends.

    Args:
        ids: A whole number of 64 bits or a text for each item; ``None`` means its row, of which nothing is kept.
        items: How many items there are.

    Raises:
        HashprobeError: another number of ids, or ids of another kind; of those behind the first, when their block is reached.
    """
    if ids is None:
        return {}
    ids = as_array(ids) if hasattr(ids, "detach") else ids
    try:
        count = -1 if isinstance(ids, str | bytes) else len(ids)
    except TypeError:  # a generator, a single number
        count = -1
    if count < 0:
        raise HashprobeError(
            f"ids must be a list or an array, an id for each code; found {type(ids).__name__}."
        )
    if count != items:
        raise HashprobeError(f"ids has {count} entries but there are {items} codes; each code needs its id.")
    if isinstance(next(iter(ids), None), str):
        return {"id_ends": _text_ends(ids), "id_text": _text_blocks(ids)}
    return {"ids": _number_blocks(ids)}


def _number_blocks(ids: Any) -> Iterator[npt.NDArray[Any]]:
    for block in _lists(ids, int | np.integer):
        numbers = [int(one) for one in block]
        low, high = min(numbers), max(numbers)
        if low < -(2**63) or high >= 2**63:
            raise HashprobeError(
                f"ids must lie from -2**63 to 2**63 - 1; found {low} to {high}. Give such numbers as texts."
            )
        yield np.array(numbers, "<i8")


def _text_blocks(ids: Any) -> Iterator[npt.NDArray[Any]]:
    for block in _lists(ids, str):
        yield np.frombuffer(b"".join(_encoded(block)), np.uint8)


def _text_ends(ids: Any) -> Iterator[npt.NDArray[Any]]:
    end = 0
    for block in _lists(ids, str):
        ends = end + np.cumsum([len(text) for text in _encoded(block)], dtype="<i8")
        end = ends[-1]
        yield ends


def _encoded(texts: list[str]) -> list[bytes]:
    return [text.encode(*ENCODING) for text in texts]


def _lists(ids: Any, kind: Any) -> Iterator[list[Any]]:
    """Yield the ids a block at a time; refuse one that is not of the kind."""
    rest, start = iter(ids), 0
    while block := list(islice(rest, IDS_AT_ONCE)):
        for row, one in enumerate(block, start):
            if not isinstance(one, kind) or isinstance(one, bool):
                raise HashprobeError(f"ids must be all whole numbers or all texts; row {row} holds {one!r}.")
        start += len(block)
        yield block
