"""The gallery: for some queries, what they retrieve before and after an attack, with the pictures as they were scored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from hashprobe import retrieval
from hashprobe.evaluation.evaluator import Attacked, Evaluator
from hashprobe.files import replacing
from hashprobe.main_process import is_main
from hashprobe.results import ResultRow

RETRIEVED = 10


def choose_queries(evaluator: Evaluator, count: int) -> npt.NDArray[np.intp]:
    """Return ``count`` queries, spread evenly over the query split, so that they are chosen before any result is known."""
    total = len(evaluator.data.query)
    return np.unique(np.linspace(0, total - 1, min(count, total)).astype(np.intp))


def gallery_entries(
    evaluator: Evaluator, row: ResultRow, attacked: Attacked, queries: npt.NDArray[np.intp], directory: Path
) -> list[dict[str, Any]]:
    """Write the pictures of one row's gallery below ``directory`` and return its entries.

    The adversarial picture is the 8-bit one, and its code, distances and average precision are those of that picture.

    Args:
        evaluator: That measured the row.
        row: The row.
        attacked: Its attack, with ``kept`` images for ``queries``.
        queries: Rows of the query split.
        directory: The gallery's folder; pictures go to ``images/`` in it.
    """
    data, bits = evaluator.data, evaluator.model.bits
    before = _retrieved(evaluator, evaluator.query_codes[queries], queries, directory)
    after = _retrieved(evaluator, attacked.codes_png[queries], queries, directory)
    precision = [
        retrieval.average_precision(
            codes[queries],
            evaluator.database_codes,
            evaluator.target_labels[queries],
            data.database.labels,
            bits=bits,
        )
        for codes in (evaluator.query_codes, attacked.codes_png)
    ]
    entries = []
    for place, query in enumerate(queries):
        query_image, adversarial_image = f"images/q{query}.png", f"images/{row.row}-q{query}.png"
        _write_png(directory / query_image, data.query.images[int(query)])
        _write_png(directory / adversarial_image, attacked.kept[place])
        entries.append(
            {
                "row": row.row,
                "attack": row.attack,
                "goal": row.goal,
                "code": row.code,
                "protocol": row.protocol,
                "epsilon": row.epsilon,
                "query": int(query),
                "query_name": data.query.names[query],
                "query_labels": _names(data.class_names, data.query.labels[query]),
                "target_labels": _names(data.class_names, evaluator.target_labels[query]),
                "query_image": query_image,
                "adversarial_image": adversarial_image,
                "code_hex": attacked.codes_png[query].tobytes().hex(),
                "target_average_precision_before": float(precision[0][place]),
                "target_average_precision": float(precision[1][place]),
                "before": before[place],
                "after": after[place],
            }
        )
    return entries


def _retrieved(
    evaluator: Evaluator, codes: npt.NDArray[np.uint8], queries: npt.NDArray[np.intp], directory: Path
) -> list[list[dict[str, Any]]]:
    data = evaluator.data
    indices, distances = retrieval.top_k(
        codes, evaluator.database_codes, RETRIEVED, bits=evaluator.model.bits
    )
    lists = []
    for query, found, far in zip(queries, indices, distances, strict=True):
        entries = []
        for item, distance in zip(found, far, strict=True):
            image, labels = f"images/d{item}.png", data.database.labels[item]
            _write_png(directory / image, data.database.images[int(item)])
            entries.append(
                {
                    "name": data.database.names[item],
                    "image": image,
                    "distance": int(distance),
                    "hit": bool((labels & evaluator.target_labels[query]).any()),
                    "relevant": bool((labels & data.query.labels[query]).any()),
                    "labels": _names(data.class_names, labels),
                }
            )
        lists.append(entries)
    return lists


def _names(class_names: tuple[str, ...], labels: npt.NDArray[np.uint8]) -> list[str]:
    return [class_names[index] for index in np.flatnonzero(labels)]


def _write_png(path: Path, image: npt.NDArray[np.uint8]) -> None:
    if path.exists() or not is_main():
        return
    with replacing(path) as temporary:
        Image.fromarray(image.transpose(1, 2, 0)).save(temporary, format="PNG")
