"""Result rows as the report shows them: in reading order, named apart, and compared only with their like."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

from hashprobe.results import NO_CHANGE, NO_PICTURE, SCAN, UNBOUNDED, UNTARGETED, ResultRow, setting_of
from hashprobe.results.comparison import Setting

PROTOCOL_ORDER = ("disjoint", "single", "paper")
"""Headline first: a target that shares nothing with the query is the question a user asks."""

NOT_WEAKER = "≈"
"""Marks the score of a row that is not significantly weaker than the strongest of its group."""

_SETTING = {
    "data": "{}",
    "split_sha256": "split {}",
    "model": "{}",
    "bits": "{} bits",
    "seed": "seed {}",
    "attacked_model": "made on {}",
    "index": "index {}",
    "top_k": "first {}",
}
"""How it is said what must be equal before two rows may be compared: the fields of ``comparison.SETTING``."""

_USUAL = (None, "", SCAN)
MOST_NUMBERS = 3
"""That are named to tell attacks of one name apart; where more differ, the settings themselves say it better."""
_SAID_OF_ONE = ("data", "model", "bits")


def group_rank(group: str) -> tuple[int, str]:
    """Return the key that sorts groups of rows: the headline protocol first, unknown ones last, then untargeted."""
    if group == UNTARGETED:
        return (len(PROTOCOL_ORDER) + 1, "")
    known = group in PROTOCOL_ORDER
    return (PROTOCOL_ORDER.index(group) if known else len(PROTOCOL_ORDER), group)


def in_reading_order(rows: Iterable[ResultRow]) -> list[ResultRow]:
    """Sort rows by group, the headline first, and keep their order within one."""
    return sorted(rows, key=lambda row: group_rank(row.group))


def groups(rows: Iterable[ResultRow]) -> list[str]:
    """Return the protocols that occur, the headline first, and ``untargeted`` last where there are such rows."""
    return sorted({row.group for row in rows}, key=group_rank)


def score_heading(rows: Iterable[ResultRow]) -> str:
    """Name the score of rows that share a column: ``"t-MAP"``, ``"MAP@100"`` or ``"t-MAP or MAP"``."""
    names = dict.fromkeys(row.score_name for row in rows)
    return " or ".join(names if len(names) == 1 else dict.fromkeys(name.partition("@")[0] for name in names))


def short(value: Any) -> Any:
    """Cut a fingerprint to its first eight digits; return anything else as it is."""
    return value[:8] if isinstance(value, str) and re.fullmatch(r"[0-9a-f]{40,}", value) else value


def remarks(row: ResultRow, numbers: str = "") -> list[str]:
    """Say what sets a row apart from a white-box attack on an exact search: transfer, another index, fewer places, questions.

    Args:
        row: The row.
        numbers: What tells it from others of its name; see :func:`numbers_apart`.
    """
    said = [numbers] if numbers else []
    if row.attacked_model is not None:
        said.append(f"transfer: made against another model, {short(row.attacked_model)}")
    if row.index != SCAN:
        recall = "" if row.index_recall is None else f", recall {100 * row.index_recall:.1f} %"
        said.append(f"searched by {row.index}{recall}")
    if row.top_k is not None:
        said.append(f"the first {row.top_k:,} places count")
    if row.questions:
        said.append(f"{round(row.questions):,} questions an image")
    if row.training_seeds is not None:
        spread = f"{100 * (row.score_low or 0):.1f} to {100 * (row.score_high or 0):.1f}"
        said.append(f"mean of {row.training_seeds} training seeds, which lie from {spread}")
    if row.training_seed is not None:
        said.append(f"trained with seed {row.training_seed}")
    return said


def numbers_apart(rows: Iterable[ResultRow]) -> dict[str, str]:
    """Say which of its numbers tell an attack from others of the same name, code and budget (``"steps 1"``), by id of the row.

    Nothing (``""``) is said of a row that is alone with its name, code and budget, and where more than ``MOST_NUMBERS`` differ.
    """
    alike: dict[tuple[Any, ...], list[ResultRow]] = defaultdict(list)
    for row in rows:
        seeds = (row.training_seed, row.training_seeds is None)
        alike[(setting_of(row), row.group, row.attack, row.code, row.budget, *seeds)].append(row)
    said: dict[str, str] = {}
    for same in alike.values():
        numbers = [_numbers(row.attack_settings) if len(same) > 1 else {} for row in same]
        names = [
            name for name in dict.fromkeys(chain(*numbers)) if len({own.get(name) for own in numbers}) > 1
        ]
        for row, own in zip(same, numbers, strict=True):
            parts = [f"{name.replace('_', ' ')} {_written(own[name])}" for name in names if name in own]
            said[row.row] = ", ".join(parts) if len(names) <= MOST_NUMBERS else ""
    return said


def _numbers(settings: str) -> dict[str, str]:
    """Read the numbers of ``Name(a=1, b=Other(c=2))`` by name, those within as well."""
    within = re.fullmatch(r"\w+\((.*)\)", settings, re.DOTALL)
    own: dict[str, str] = {}
    inner: dict[str, str] = {}
    for part in _parts(within[1]) if within else ():
        name, _, value = part.partition("=")
        if re.match(r"\w+\(", value):
            inner |= _numbers(value)
        else:
            own[name] = value
    return own | {name: value for name, value in inner.items() if name not in own}


def _parts(text: str) -> list[str]:
    """Split at the commas that are in no brackets."""
    parts, depth = [""], 0
    for sign in text:
        depth += (sign in "([{") - (sign in ")]}")
        if sign == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += sign
    return [part.strip() for part in parts]


def _written(value: str) -> str:
    """Write a number as people do: a change in [0, 1] that is whole grey levels as a share of 255."""
    try:
        levels = 255 * float(value)
    except ValueError:
        return value.strip("'")
    whole = "." in value and 0 < levels <= 255 and abs(levels - round(levels)) < 1e-6
    return f"{round(levels)}/255" if whole else value


def differences(rows: Iterable[ResultRow]) -> dict[Setting, str]:
    """Say what tells each setting from the others (``"seed 1, index faiss-ivf"``); nothing for what is as usual."""
    settings = list(dict.fromkeys(setting_of(row) for row in rows))
    varies = [len(set(values)) > 1 for values in zip(*settings, strict=True)]
    return {
        setting: ", ".join(
            shape.format(short(value))
            for shape, value, apart in zip(_SETTING.values(), setting, varies, strict=True)
            if apart and value not in _USUAL
        )
        for setting in settings
    }


def setting_names(rows: Iterable[ResultRow]) -> dict[Setting, str]:
    """Name each setting by what tells it from the others, or by data, model and bits where nothing does."""
    return {
        setting: said or ", ".join(_general(setting)) or "all rows"
        for setting, said in differences(rows).items()
    }


def _general(setting: Setting) -> list[str]:
    known = dict(zip(_SETTING, setting, strict=True))
    return [_SETTING[name].format(short(known[name])) for name in _SAID_OF_ONE if known[name] not in _USUAL]


def row_names(rows: Sequence[ResultRow]) -> list[str]:
    """Name each row by its attack, with as much of code, budget and setting as tells it from the others.

    Unbounded attacks are always named so, because they must not be compared with bounded ones by oversight.
    """
    settings, numbers = differences(rows), numbers_apart(rows)
    plain = [f"{row.attack} ({UNBOUNDED})" if row.budget == UNBOUNDED else row.attack for row in rows]
    names = plain
    for detail in (
        lambda row: row.code,
        lambda row: row.budget if row.budget not in (UNBOUNDED, NO_CHANGE, NO_PICTURE) else "",
        lambda row: row.group,
        lambda row: settings[setting_of(row)],
        lambda row: numbers[row.row],
        lambda row: row.row,
    ):
        names = _told_apart(rows, names, detail)
    return names


def _told_apart(rows: Sequence[ResultRow], names: list[str], detail: Any) -> list[str]:
    """Add a detail to names that occur more than once, if that detail differs among them."""
    details: dict[str, set[str]] = defaultdict(set)
    for row, name in zip(rows, names, strict=True):
        details[name].add(detail(row))
    count = Counter(names)
    return [
        f"{name}, {detail(row)}" if count[name] > 1 and len(details[name]) > 1 and detail(row) else name
        for row, name in zip(rows, names, strict=True)
    ]
