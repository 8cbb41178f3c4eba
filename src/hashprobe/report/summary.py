"""What the results say, in sentences that need no knowledge of the field, each with the row it was read from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hashprobe.report.rows import UNBOUNDED, Row, protocols, setting_of
from hashprobe.report.run import Run

PICTURES_RETURNED = 100
"""Up to this many returned pictures are counted in the headline."""

_PROTOCOL_WORDS = {
    "disjoint": "shares no label with the picture",
    "paper": "was drawn from all label sets of the database",
    "single": "is one class that the picture does not show",
}


@dataclass(frozen=True)
class Finding:
    """A sentence about one attack.

    Attributes:
        sentence: For anyone.
        row: The result row that it was read from.
        original: The row of the unchanged queries under the same protocol, if there is one.
        works: Whether the attack's 95 % interval lies above both chance and the unchanged queries.
    """

    sentence: str
    row: Row
    original: Row | None
    works: bool


@dataclass(frozen=True)
class Summary:
    """The findings, the strongest bounded attack first, and a sentence on what was tested."""

    tested: str
    findings: list[Finding]


def summarise(run: Run) -> Summary:
    """Read the headline off the results: the strongest attack within a budget, and the strongest without one.

    The headline protocol is ``disjoint`` where it was run, because under it no picture carries the target label
    before the attack. An attack that did not get above chance and above the unchanged queries is said to have failed.
    """
    protocol = protocols(run.rows)[0]
    rows = [row for row in run.rows if row.protocol == protocol]
    attacks = [row for row in rows if row.is_attack]
    bounded = [row for row in attacks if row.budget != UNBOUNDED]
    unbounded = [row for row in attacks if row.budget == UNBOUNDED]
    generators = [row for row in attacks if row.attack == "ProS-GAN"]
    chosen: list[Row] = []
    for group in (bounded, unbounded, generators):
        if group:
            top = max(group, key=lambda row: row.t_map)
            if top not in chosen and not (
                group is generators and any(row.attack == "ProS-GAN" for row in chosen)
            ):
                chosen.append(top)
    return Summary(tested=_tested(run), findings=[_finding(run, row, rows) for row in chosen])


def _finding(run: Run, row: Row, rows: list[Row]) -> Finding:
    original = next((r for r in rows if r.is_original and setting_of(r) == setting_of(row)), None)
    floor = max(row.chance, original.t_map if original else 0.0)
    works = (row.t_map_low if row.t_map_low is not None else row.t_map) > floor
    return Finding(_sentence(run, row, original, works), row, original, works)


def _sentence(run: Run, row: Row, original: Row | None, works: bool) -> str:
    target = f"a label that the attacker chose{_clause(row)}"
    count, after = _precision(run, row)
    if count is None or after is None:
        said = (
            f"After {row.attack}, pictures that carry {target} score {100 * row.t_map:.0f} of 100 in the ranking (t-MAP)"
            f"; a random ranking scores {100 * row.chance:.0f}"
        )
        if original:
            said += f", and the unchanged picture {100 * original.t_map:.0f}"
    else:
        _, before = _precision(run, original, count) if original else (None, None)
        said = (
            f"After {row.attack}, {_of(after, count)} of the first {count} pictures returned carry {target}"
            f"; chance alone would give {_of(row.chance, count)}"
        )
        if before is not None:
            said += f", and before the attack there were {_of(before, count)}"
    verdict = "" if works else " The attack did not get measurably above that."
    return f"{said}. {_change(row)}{verdict}"


def _clause(row: Row) -> str:
    return f" (it {_PROTOCOL_WORDS[row.protocol]})" if row.protocol in _PROTOCOL_WORDS else ""


def _change(row: Row) -> str:
    if row.budget == UNBOUNDED:
        said = "The change is not bounded"
        parts = []
        if row.linf is not None:
            parts.append(f"no value of a pixel moved by more than {_levels(row.linf)} of 255")
        if row.rms is not None:
            parts.append(f"by {_levels(row.rms, digits=1)} in the root mean square")
        return f"{said}{': ' + ', '.join(parts) if parts else ''}."
    largest = row.epsilon if row.epsilon is not None else row.linf
    return "" if largest is None else f"No value of any pixel changed by more than {_levels(largest)} of 255."


def _levels(value: float, digits: int = 0) -> str:
    levels = value * 255
    return f"{round(levels)}" if digits == 0 and abs(levels - round(levels)) < 0.05 else f"{levels:.1f}"


def _of(fraction: float, count: int) -> str:
    return f"{fraction * count:.0f}" if count >= 20 else f"{fraction * count:.1f}"


def _precision(run: Run, row: Row, count: int | None = None) -> tuple[int | None, float | None]:
    """Precision at ``count`` pictures, or at the largest known number up to a hundred."""
    curve = run.curves.get(row.row)
    if curve is None:
        return None, None
    known = (
        [n for n in curve.at if n <= PICTURES_RETURNED]
        if count is None
        else [n for n in curve.at if n == count]
    )
    if not known:
        return None, None
    return int(max(known)), curve.precision_at[curve.at.index(max(known))]


def _tested(run: Run) -> str:
    """Say what was attacked: model, code length, pictures, and how well the search works when left alone."""
    row = run.rows[0]
    data: dict[str, Any] = run.experiment.get("data") or {}
    model: dict[str, Any] = run.experiment.get("model") or {}
    name = data.get("name") or row.data or "a picture collection"
    searched = f"{data['database']:,} pictures" if isinstance(data.get("database"), int) else "pictures"
    queries = row.queries or data.get("queries")
    bits = model.get("bits") or row.bits
    said = f"Tested: search by {f'{bits}-bit ' if bits else ''}hash codes"
    if model.get("backbone"):
        said += f" of a {model['backbone']} network"
    said += f" over {searched} ({name})"
    if queries:
        said += f", with {queries:,} query pictures"
    if row.map_benign is not None and row.map_chance is not None:
        said += (
            f". Left alone, the search scores {100 * row.map_benign:.0f} of 100 (MAP)"
            f", where a random order scores {100 * row.map_chance:.0f}"
        )
    return said + "."
