"""The gallery: for some queries, what they retrieve before and after an attack, with the pictures as they were scored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from hashprobe.evaluation.attacked import Attacked
from hashprobe.evaluation.evaluator import Evaluator
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
    data = evaluator.data
    targets = evaluator.target_labels(row.protocol) if row.protocol else None
    scored = data.query.labels if targets is None else targets
    codes = (evaluator.query_codes[queries], attacked.codes_uint8[queries])
    before, after = (_retrieved(evaluator, own, queries, scored, directory) for own in codes)
    found = evaluator.ranking.measure(
        {name: (own, scored[queries]) for name, own in zip(("before", "after"), codes, strict=True)}
    )
    entries = []
    for number, query in enumerate(queries):
        query_image, adversarial_image = f"images/q{query}.png", f"images/{row.row}-q{query}.png"
        _write_once(directory / query_image, data.query.images[int(query)])
        _write_png(directory / adversarial_image, attacked.kept[number])
        entries.append(
            {
                "row": row.row,
                "attack": row.attack,
                "code": row.code,
                "goal": row.goal,
                "protocol": row.protocol,
                "epsilon": row.epsilon,
                "query": int(query),
                "query_name": data.query.names[query],
                "query_labels": _names(data.class_names, data.query.labels[query]),
                "target_labels": [] if targets is None else _names(data.class_names, targets[query]),
                "query_image": query_image,
                "adversarial_image": adversarial_image,
                "code_hex": attacked.codes_uint8[query].tobytes().hex(),
                "target_average_precision_before": float(found["before"].precision[number]),
                "target_average_precision": float(found["after"].precision[number]),
                "before": before[number],
                "after": after[number],
            }
        )
    return entries


def _retrieved(
    evaluator: Evaluator,
    codes: npt.NDArray[np.uint8],
    queries: npt.NDArray[np.intp],
    scored: npt.NDArray[np.uint8],
    directory: Path,
) -> list[list[dict[str, Any]]]:
    data = evaluator.data
    neighbours = evaluator.ranking.index.search(codes, RETRIEVED)
    lists = []
    for query, found, far in zip(queries, neighbours.ids, neighbours.distances, strict=True):
        entries = []
        for item, distance in zip(found[found >= 0], far[found >= 0], strict=True):
            image, labels = f"images/d{item}.png", data.database.labels[item]
            _write_once(directory / image, data.database.images[int(item)])
            entries.append(
                {
                    "name": data.database.names[item],
                    "image": image,
                    "distance": int(distance),
                    "hit": bool((labels & scored[query]).any()),
                    "relevant": bool((labels & data.query.labels[query]).any()),
                    "labels": _names(data.class_names, labels),
                }
            )
        lists.append(entries)
    return lists


def _names(class_names: tuple[str, ...], labels: npt.NDArray[np.uint8]) -> list[str]:
    return [class_names[index] for index in np.flatnonzero(labels)]


def _write_once(path: Path, image: npt.NDArray[np.uint8]) -> None:
    """Write a picture of the data, which is the same in every row."""
    if not path.exists():
        _write_png(path, image)


def _write_png(path: Path, image: npt.NDArray[np.uint8]) -> None:
    if is_main():
        with replacing(path) as temporary:
            Image.fromarray(image.transpose(1, 2, 0)).save(temporary, format="PNG")
