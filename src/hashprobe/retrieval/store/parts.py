"""A code store written part by part: a list that grows beyond memory, of which one part is held at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hashprobe.errors import HashprobeError
from hashprobe.retrieval.codes import PackedCodes, check_codes, check_spare_bits
from hashprobe.retrieval.labels import PackedLabels, class_count, packed_rows
from hashprobe.retrieval.store.code_store import check_model_name, write_sections
from hashprobe.retrieval.store.ids import id_blocks
from hashprobe.typed_values import checked


class CodePart(NamedTuple):
    """Some items of a database.

    Attributes:
        codes: Packed codes, uint8 ``(n, ceil(K / 8))``.
        labels: Multi-hot ``(n, C)``, or :class:`PackedLabels`; ``None`` where nothing is known of what they show.
        ids: Of each item a text; ``None`` where its row is its id. The same for all parts.
    """

    codes: Any
    labels: Any = None
    ids: Any = None


@checked
def write_code_store_in_parts(
    path: str | Path, parts: Callable[[], Iterable[CodePart]], *, bits: int, model: str
) -> None:
    """Write a code store, whole or not at all, from parts of any number.

    Args:
        path: The file.
        parts: Returns the parts in their order. It is called up to four times, once for each section of the file, and must give
            the same ones each time.
        bits: K, 1 to 1024.
        model: Hash of the model that made the codes, at most 200 characters.

    Raises:
        HashprobeError: parts that do not fit each other, no item at all, or the operating system refused to write.
    """
    check_model_name(model)
    first = next((part for part in parts() if len(part.codes)), None)
    if first is None:
        raise HashprobeError("there is no code to write; give at least one.")
    classes = 1 if first.labels is None else class_count(_labels(first))
    sections: dict[str, Iterator[npt.NDArray[Any]]] = {
        "codes": _codes(parts(), bits),
        "labels": _packed_labels(parts(), classes),
    }
    if first.ids is not None:
        sections |= {"id_ends": _id_ends(parts()), "id_text": _id_text(parts())}
    write_sections(path, sections, bits=int(bits), classes=classes, model=model)


def _codes(parts: Iterable[CodePart], bits: int) -> Iterator[PackedCodes]:
    for part in parts:
        rows = check_codes("codes", part.codes, bits)
        check_spare_bits("codes", rows, bits)
        yield rows


def _labels(part: CodePart) -> Any:
    count = len(part.codes)
    labels = PackedLabels(np.zeros((count, 1), dtype=np.uint8), 1) if part.labels is None else part.labels
    if len(labels) != count:
        raise HashprobeError(
            f"a part has {count} codes but {len(labels)} labels; each code needs its labels."
        )
    return labels


def _packed_labels(parts: Iterable[CodePart], classes: int) -> Iterator[npt.NDArray[np.uint8]]:
    for part in parts:
        labels = _labels(part)
        if class_count(labels) != classes:
            raise HashprobeError(
                f"a part has labels of {class_count(labels)} classes, the first of {classes}; all need the same."
            )
        yield packed_rows("labels", labels, 0, len(labels))


def _id_ends(parts: Iterable[CodePart]) -> Iterator[npt.NDArray[np.int64]]:
    end = 0
    for part in parts:
        for ends in _id_sections(part)["id_ends"]:
            yield ends + end
            last = int(ends[-1])
        end += last if len(part.codes) else 0


def _id_text(parts: Iterable[CodePart]) -> Iterator[npt.NDArray[np.uint8]]:
    for part in parts:
        yield from _id_sections(part)["id_text"]


def _id_sections(part: CodePart) -> dict[str, Iterator[npt.NDArray[Any]]]:
    if not len(part.codes):
        return {"id_ends": iter(()), "id_text": iter(())}
    sections = id_blocks(part.ids, len(part.codes))
    if "id_ends" not in sections:
        raise HashprobeError("ids of parts must be texts, an id for each code.")
    return sections
