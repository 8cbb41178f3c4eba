"""What the page's script works on: the run as compact JSON values."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from hashprobe.report import charts
from hashprobe.report.gallery import Entry, Gallery, Neighbour, example
from hashprobe.report.pictures import Pictures
from hashprobe.report.rows import differences, groups, row_names, setting_names
from hashprobe.report.run import RunRecord
from hashprobe.results import ResultRow, setting_of
from hashprobe.results.comparison import Setting
from hashprobe.text import plain

CHARTS_LIMIT = 1_000_000
"""Bytes of a page that charts may take, about: most of it is for pictures."""

_DERIVED = (
    "group",
    "budget",
    "score",
    "score_name",
    "score_low",
    "score_high",
    "score_chance",
    "score_png",
    "passes",
    "is_code",
    "is_attack",
    "is_noise",
)
"""What a row says of itself beside its fields."""

_FOR_CHECKS = {
    "norm",
    "access",
    "trained",
    "tanh_alpha",
    "tanh_scale",
    "mean_logit",
    "target_shared",
    "duplicates",
}
_LEFT_OUT = {"versions", "chance", "map_low", "map_high", "map_png", "goal_bits_before", *_FOR_CHECKS} | {
    name for name in ResultRow.model_fields if name.startswith("t_map")
}
"""Fields that the page does not show: what its scores and checks are made of, and the versions, which stand at its foot."""


def rounded(value: Any, digits: int = 5) -> Any:
    """Round every float within lists, tuples and mappings to so many significant digits; make names plain."""
    if isinstance(value, float):
        return float(f"{value:.{digits}g}") if math.isfinite(value) else None
    if isinstance(value, dict):
        return {plain(str(key)): rounded(item, digits) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(item, digits) for item in value]
    return plain(value) if isinstance(value, str) else value


def table(run: RunRecord) -> dict[str, Any]:
    """Return the rows by column; texts, which recur, as places in a list of the different ones.

    Behind the rows, whose places the gallery knows, stand the means over training seeds; ``shown`` are the places of the
    table's lines.
    """
    means = [line for line in run.lines if line.training_seeds is not None]
    rows = [*run.rows, *means]
    place_of = {row.row: place for place, row in enumerate(run.rows)}
    place_of |= {row.row: place for place, row in enumerate(means, start=len(run.rows))}
    shown = [place_of[line.row] for line in run.lines]
    columns: dict[str, Any] = {}
    for name in (*(name for name in ResultRow.model_fields if name not in _LEFT_OUT), *_DERIVED):
        values = [getattr(row, name) for row in rows]
        texts = any(isinstance(value, str) for value in values)
        # more digits than are shown, so that nothing rounds twice
        columns[name] = _interned(values) if texts else rounded(values, 7)
    names = row_names(run.rows) if len(rows) <= 1000 else [row.attack for row in run.rows]
    columns["numbers"] = _interned([run.numbers[row.row] for row in rows])
    columns["name"] = _interned([*names, *(row.attack for row in means)])
    return {
        "shown": shown,
        "columns": columns,
        "best": sorted(place_of[row] for row in run.best),
        "near": sorted(place_of[row] for row in run.not_weaker),
        "groups": groups(rows),
    }


def _interned(values: Sequence[Any]) -> dict[str, Any]:
    places: dict[Any, int] = {}
    index = [places.setdefault(value, len(places)) for value in values]
    return {"texts": ["" if value is None else plain(str(value)) for value in places], "index": index}


def chart_sets(run: RunRecord) -> dict[str, Any]:
    """Return, for each group and setting, the charts of its rows, in about ``CHARTS_LIMIT`` bytes.

    A grid of hundreds of models would fill the page with curves nobody opens; the first settings are drawn, each
    under all protocols, and the page says how many.
    """
    names = setting_names(run.rows)
    by_setting: dict[Setting, dict[str, list[ResultRow]]] = {}
    for row in run.rows:
        by_setting.setdefault(setting_of(row), {}).setdefault(row.group, []).append(row)
    sets: list[dict[str, Any]] = []
    size = drawn = 0
    for setting, by_group in by_setting.items():
        if size > CHARTS_LIMIT:
            break
        for group, rows in by_group.items():
            shown = [rounded(asdict(chart), 4) for chart in charts.of_rows(run, rows)]
            sets.append({"group": plain(group), "setting": plain(names[setting]), "charts": shown})
            size += len(json.dumps(sets[-1], separators=(",", ":")))
        drawn += 1
    return {"sets": sets, "settings": drawn, "all": len(by_setting)}


def training_sets(run: RunRecord) -> list[dict[str, Any]]:
    """Return the training charts by log."""
    sets = []
    for name, log in run.training.items():
        drawn = [rounded(asdict(chart), 4) for chart in charts.training(name, log)]
        if drawn:
            sets.append({"name": plain(name), "charts": drawn})
    return sets


def gallery(gallery: Gallery, pictures: Pictures, rows: Sequence[ResultRow]) -> dict[str, Any]:
    """Return the gallery's entries whose pictures are embedded; database pictures once, by place."""
    places = {row.row: place for place, row in enumerate(rows)}
    first = example(pictures.entries, rows)
    items: dict[str, int] = {}
    details: list[dict[str, Any]] = []

    def returned(neighbour: Neighbour) -> list[int]:
        if neighbour.image not in items:
            items[neighbour.image] = len(details)
            labels = [plain(label) for label in neighbour.labels]
            details.append(
                {"name": plain(neighbour.name), "picture": pictures.index[neighbour.image], "labels": labels}
            )
        return [items[neighbour.image], neighbour.distance, int(neighbour.hit), int(neighbour.relevant)]

    entries = [
        {
            "row": places[entry.row],
            "untargeted": entry.untargeted,
            "query": entry.query,
            "name": plain(entry.query_name),
            "labels": [plain(label) for label in entry.query_labels],
            "target": [plain(label) for label in entry.target_labels],
            "picture": pictures.index[entry.query_image],
            "adversarial": pictures.index[entry.adversarial_image],
            "code": entry.code_hex,
            "scores": rounded([entry.precision_before, entry.precision_after]),
            "before": [returned(neighbour) for neighbour in entry.before],
            "after": [returned(neighbour) for neighbour in entry.after],
        }
        for entry in pictures.entries
    ]
    return {
        "open": first,
        "names": {places[row]: name for row, name in _attack_names(pictures.entries, rows).items()},
        "entries": entries,
        "items": details,
        "pictures": pictures.uris,
        "imageSize": gallery.image_size,
        "compressed": pictures.database_compressed,
        "all": len(gallery.entries),
    }


def _attack_names(entries: Sequence[Entry], rows: Sequence[ResultRow]) -> dict[str, str]:
    """Name the attack of each row in a gallery: with its code and budget, and its setting if there are several."""
    wanted = {entry.row for entry in entries}
    shown = [row for row in rows if row.row in wanted]
    settings = differences(shown)
    names = {}
    for row in shown:
        parts = [row.attack, row.code if row.code != "none" else "", settings[setting_of(row)]]
        names[row.row] = plain(f"{', '.join(part for part in parts if part)} ({row.budget})")
    return names
