"""Result rows as the report shows them: checked when read, named apart, and compared only at equal budget."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from hashprobe.errors import HashprobeError

PROTOCOL_ORDER = ("disjoint", "single", "paper")
"""Headline first: a target that shares nothing with the query is the question a user asks."""

NO_CHANGE, NO_PICTURE, UNBOUNDED = "none", "no picture", "unbounded"

_FRACTIONS = ("map", "map_benign", "map_chance", "t_map", "t_map_low", "t_map_high", "chance", "t_map_png")
_NUMBERS = ("epsilon", "linf", "rms", "seconds_per_image", "forward_passes", "backward_passes")
_TEXTS = ("row", "data", "split_sha256", "model", "attack", "code", "protocol", "device", "attack_settings")
_REQUIRED = ("attack", "protocol", "t_map", "chance", "epsilon")


@dataclass(frozen=True)
class Row:
    """One line of ``results.jsonl``. MAPs are fractions; ``epsilon`` is in [0, 1], ``None`` for unbounded."""

    row: str
    attack: str
    protocol: str
    t_map: float
    chance: float
    epsilon: float | None
    data: str = ""
    split_sha256: str = ""
    model: str = ""
    bits: int | None = None
    code: str = ""
    seed: int | None = None
    queries: int | None = None
    map: float | None = None
    map_benign: float | None = None
    map_chance: float | None = None
    t_map_low: float | None = None
    t_map_high: float | None = None
    t_map_png: float | None = None
    linf: float | None = None
    rms: float | None = None
    seconds_per_image: float | None = None
    forward_passes: float | None = None
    backward_passes: float | None = None
    device: str = ""
    threads: int | None = None
    attack_settings: str = ""

    @classmethod
    def read(cls, values: Mapping[str, Any], where: str, number: int) -> Row:
        """Check one JSON object and return it as a row; fields that the report does not use are passed over.

        Args:
            values: The object, in the fields of the result row.
            where: The place to name in an error, such as ``"results.jsonl, line 3"``.
            number: Its number, from 1; names the row if it has no ``row``.

        Raises:
            HashprobeError: a field that every row needs is missing, or one has another type or range.
        """
        missing = [name for name in _REQUIRED if name not in values]
        if missing:
            raise HashprobeError(f"{where} lacks {', '.join(missing)}; every result row must have it.")
        known = {field.name for field in fields(cls)}
        given = {name: value for name, value in values.items() if name in known}
        for name in _TEXTS:
            if name in given:
                given[name] = "" if given[name] is None else str(given[name])
        for name in (*_FRACTIONS, *_NUMBERS):
            needed = name in _REQUIRED and name != "epsilon"
            _check_number(given.get(name), name, where, needed=needed, fraction=name in _FRACTIONS)
        for name in ("bits", "seed", "queries", "threads"):
            if not isinstance(given.get(name), int | None):
                raise HashprobeError(f"{where}: {name} must be a whole number; found {given[name]!r}.")
        return cls(**{"row": f"row-{number}", **given})

    @property
    def is_code(self) -> bool:
        """Whether the target code itself was the query: a yardstick for attacks, not an attack."""
        return self.attack.endswith(" code")

    @property
    def is_original(self) -> bool:
        """Whether the picture was left as it was."""
        return self.attack.lower() == "original"

    @property
    def is_attack(self) -> bool:
        """Whether a picture was changed towards a target (noise counts: it is what a change alone does)."""
        return not (self.is_code or self.is_original)

    @property
    def budget(self) -> str:
        """The budget in words: ``"8/255"``, ``"unbounded"``, ``"none"`` (unchanged) or ``"no picture"``."""
        if self.is_code:
            return NO_PICTURE
        if self.is_original or self.epsilon == 0:
            return NO_CHANGE
        return UNBOUNDED if self.epsilon is None else epsilon_text(self.epsilon)

    @property
    def passes(self) -> float | None:
        """Forward plus backward passes per image."""
        if self.forward_passes is None and self.backward_passes is None:
            return None
        return (self.forward_passes or 0) + (self.backward_passes or 0)


def _check_number(value: Any, name: str, where: str, *, needed: bool, fraction: bool) -> None:
    if value is None and not needed:
        return
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise HashprobeError(f"{where}: {name} must be a number; found {value!r}.")
    if fraction and not -1e-9 <= value <= 1 + 1e-9:
        raise HashprobeError(f"{where}: {name} must be a fraction in [0, 1]; found {value!r}. A percentage?")
    if value < 0 and not fraction:
        raise HashprobeError(f"{where}: {name} must not be negative; found {value!r}.")


def epsilon_text(epsilon: float) -> str:
    """Write a budget as the field does: ``8/255`` when it is a whole number of grey levels."""
    levels = epsilon * 255
    if abs(levels - round(levels)) < 1e-3:
        return f"{round(levels)}/255"
    return f"{epsilon:.4g}"


def in_reading_order(rows: Iterable[Row]) -> list[Row]:
    """Sort rows by protocol, the headline first, and keep their order within one."""
    return sorted(rows, key=lambda row: protocol_rank(row.protocol))


def protocol_rank(protocol: str) -> tuple[int, str]:
    """Return the key that sorts protocols, the headline first and unknown ones last."""
    known = protocol in PROTOCOL_ORDER
    return (PROTOCOL_ORDER.index(protocol) if known else len(PROTOCOL_ORDER), protocol)


def protocols(rows: Iterable[Row]) -> list[str]:
    """Return the protocols that occur, the headline first."""
    return sorted({row.protocol for row in rows}, key=protocol_rank)


def short(value: Any) -> Any:
    """Cut a fingerprint to its first eight digits; return anything else as it is."""
    return value[:8] if isinstance(value, str) and re.fullmatch(r"[0-9a-f]{40,}", value) else value


Setting = tuple[str, str, str, int | None, int | None]


def setting_of(row: Row) -> Setting:
    """Return what must be equal before two rows may be compared: data, split, model, bits, seed."""
    return (row.data, row.split_sha256, row.model, row.bits, row.seed)


def setting_names(rows: Iterable[Row]) -> dict[Setting, str]:
    """Name each setting by what tells it from the others (``"dpsh, 32 bits, seed 1"``)."""
    settings = list(dict.fromkeys(setting_of(row) for row in rows))
    differs = [len({setting[i] for setting in settings}) > 1 for i in range(5)]
    if not any(differs):
        differs = [True, False, True, True, False]
    shapes = ("{}", "split {}", "{}", "{} bits", "seed {}")
    names = {}
    for setting in settings:
        parts = [
            shape.format(short(value))
            for shape, value, shown in zip(shapes, setting, differs, strict=True)
            if shown and value not in (None, "")
        ]
        names[setting] = ", ".join(parts) or "all rows"
    return names


def best_rows(rows: Iterable[Row]) -> set[str]:
    """Return the ids of the rows with the highest t-MAP among the attacks of equal budget.

    Only rows of one setting, protocol and budget compete. A lone row wins nothing, nor does a row that
    equals the others to the tenth of a percent shown (then all of the highest are named).
    """
    groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in rows:
        if row.is_attack:
            groups[(*setting_of(row), row.queries, row.protocol, row.budget)].append(row)
    best: set[str] = set()
    for group in groups.values():
        top = max(round(row.t_map, 3) for row in group)
        winners = [row.row for row in group if round(row.t_map, 3) == top]
        if len(winners) < len(group):
            best.update(winners)
    return best


def row_names(rows: Sequence[Row]) -> list[str]:
    """Name each row by its attack, with as much of code, budget and setting as tells it from the others.

    Unbounded attacks are always named so, because they must not be compared with bounded ones by oversight.
    """
    settings = setting_names(rows)
    plain = [f"{row.attack} ({UNBOUNDED})" if row.budget == UNBOUNDED else row.attack for row in rows]
    names = plain
    for detail in (
        lambda row: row.code,
        lambda row: row.budget if row.budget not in (UNBOUNDED, NO_CHANGE, NO_PICTURE) else "",
        lambda row: row.protocol,
        lambda row: settings[setting_of(row)],
        lambda row: row.row,
    ):
        names = _told_apart(rows, names, detail)
    return names


def _told_apart(rows: Sequence[Row], names: list[str], detail: Any) -> list[str]:
    """Add a detail to names that occur more than once, if that detail differs among them."""
    details: dict[str, set[str]] = defaultdict(set)
    for row, name in zip(rows, names, strict=True):
        details[name].add(detail(row))
    count = Counter(names)
    return [
        f"{name}, {detail(row)}" if count[name] > 1 and len(details[name]) > 1 and detail(row) else name
        for row, name in zip(rows, names, strict=True)
    ]
