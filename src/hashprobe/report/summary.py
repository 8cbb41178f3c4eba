"""What the results say, in sentences for anyone, each with the row it was read from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hashprobe.report.rows import UNBOUNDED, Row, protocols, setting_names, setting_of
from hashprobe.report.run import RunRecord

PICTURES_RETURNED = 100
"""Up to this many returned pictures are counted in the headline."""

_PROTOCOL_WORDS = {
    "disjoint": "the label shares none with the query",
    "paper": "labels drawn from all label sets of the database, the query's own among them",
    "single": "the label is one class that the query does not show",
}


@dataclass(frozen=True)
class Bar:
    """A bar beside a sentence: a fraction, what it is, and how it is written."""

    label: str
    fraction: float
    text: str
    kind: str


@dataclass(frozen=True)
class Finding:
    """A sentence about one attack.

    Attributes:
        sentence: For anyone.
        detail: What it was measured on.
        bars: The same as bars: after the attack, before it, by chance.
        row: The result row that it was read from.
        original: The row of the unchanged queries under the same protocol, if there is one.
        works: Whether the attack's 95 % interval lies above both chance and the unchanged queries.
    """

    sentence: str
    detail: str
    bars: list[Bar]
    row: Row
    original: Row | None
    works: bool


@dataclass(frozen=True)
class Summary:
    """The findings, the strongest bounded attack first, and a sentence on what was tested."""

    tested: str
    findings: list[Finding]


def summarise(run: RunRecord) -> Summary:
    """Read the headline off the results: the strongest attack within a budget, and the strongest without one.

    The headline protocol is ``disjoint`` where it was run, because under it no query carries its target label
    before the attack. An attack that stays at chance or at the unchanged queries is said to have failed.
    ProS-GAN is always among the findings where it was run.
    """
    protocol = protocols(run.rows)[0]
    attacks = [row for row in run.rows if row.protocol == protocol and row.is_attack]
    bounded = [row for row in attacks if row.budget != UNBOUNDED]
    unbounded = [row for row in attacks if row.budget == UNBOUNDED]
    chosen = [max(group, key=lambda row: row.t_map) for group in (bounded, unbounded) if group]
    generators = [row for row in attacks if row.attack == "ProS-GAN"]
    if generators and not any(row.attack == "ProS-GAN" for row in chosen):
        chosen.append(max(generators, key=lambda row: row.t_map))
    return Summary(tested=_tested(run), findings=[_finding(run, row) for row in chosen])


def _finding(run: RunRecord, row: Row) -> Finding:
    original = next(
        (
            other
            for other in run.rows
            if other.is_original and other.protocol == row.protocol and setting_of(other) == setting_of(row)
        ),
        None,
    )
    floor = max(row.chance, original.t_map if original else 0.0)
    works = (row.t_map if row.t_map_low is None else row.t_map_low) > floor
    count, after = _precision(run, row)
    before = _precision(run, original, count)[1] if original else None
    if after is None:
        after, before = row.t_map, original.t_map if original else None
    return Finding(
        sentence=_sentence(row, count, after, before, works),
        detail=_detail(run, row, count),
        bars=_bars(row, count, after, before),
        row=row,
        original=original,
        works=works,
    )


def _sentence(row: Row, count: int | None, after: float, before: float | None, works: bool) -> str:
    how = " in a single forward pass" if row.forward_passes == 1 and not row.backward_passes else ""
    if count is None:
        done = f"{row.attack} lifts the pictures with a label of the attacker's choice{how}"
        done += f" to {_of(after, None)} of 100 in the ranking (t-MAP)"
    else:
        done = f"{row.attack} makes {_of(after, count)} of the first {count} pictures returned carry"
        done += f" a label of the attacker's choice{how}"
    chance = f"in random order about {_of(row.chance, count)} would"
    done += (
        f"; {chance}." if before is None else f"; before the attack {_of(before, count)} did, and {chance}."
    )
    if not works:
        done = f"The attack does not get measurably above chance and the unchanged queries: {done}"
    return f"{done} {_change(row)}".strip()


def _change(row: Row) -> str:
    """Say how large the change is, in grey levels."""
    if row.budget != UNBOUNDED:
        largest = row.epsilon if row.epsilon is not None else row.linf
        return (
            "" if largest is None else f"No value of any pixel changes by more than {levels(largest)} of 255."
        )
    if row.linf is None:
        return "The change is not bounded."
    mean = "" if row.rms is None else f", and by {255 * row.rms:.1f} in the root mean square"
    return f"The change is not bounded: values of pixels move by up to {levels(row.linf)} of 255{mean}."


def levels(value: float) -> str:
    """Write a change in [0, 1] in grey levels of 255, whole where it is whole."""
    scaled = value * 255
    return f"{round(scaled)}" if abs(scaled - round(scaled)) < 0.05 else f"{scaled:.1f}"


def _of(fraction: float, count: int | None) -> str:
    if count is None:
        return f"{100 * fraction:.0f}"
    return f"{fraction * count:.0f}" if count >= 20 else f"{fraction * count:.1f}"


def _bars(row: Row, count: int | None, after: float, before: float | None) -> list[Bar]:
    whole = 100 if count is None else count
    bars = [Bar(f"after {row.attack}", after, f"{_of(after, count)} of {whole}", "after")]
    if before is not None:
        bars.append(Bar("before", before, f"{_of(before, count)} of {whole}", "before"))
    return [*bars, Bar("random order", row.chance, f"{_of(row.chance, count)} of {whole}", "chance")]


def _detail(run: RunRecord, row: Row, count: int | None) -> str:
    queries = f"{row.queries:,} queries" if row.queries else "the queries"
    parts = [f"Mean over {queries}"]
    names = setting_names(run.rows)
    if len(names) > 1:
        parts.append(names[setting_of(row)])
    words = _PROTOCOL_WORDS.get(row.protocol)
    parts.append(f"protocol {row.protocol}" + (f": {words}" if words else ""))
    if count is not None:
        interval = ""
        if row.t_map_low is not None and row.t_map_high is not None:
            interval = f" (95 % interval {100 * row.t_map_low:.1f} to {100 * row.t_map_high:.1f})"
        parts.append(f"t-MAP {100 * row.t_map:.1f} %{interval}, chance {100 * row.chance:.1f} %")
    return "; ".join(parts) + "."


def _precision(run: RunRecord, row: Row, count: int | None = None) -> tuple[int | None, float | None]:
    """Precision at ``count`` pictures, or at the largest known number up to a hundred."""
    curve = run.curves.get(row.row)
    if curve is None:
        return None, None
    known = [n for n in curve.at if (n == count if count is not None else n <= PICTURES_RETURNED)]
    if not known:
        return None, None
    return int(max(known)), curve.precision_at[curve.at.index(max(known))]


def _tested(run: RunRecord) -> str:
    """Say what was attacked: model, code length, pictures, and how well the search works when left alone."""
    row = run.rows[0]
    data, model = _mapping(run.experiment.get("data")), _mapping(run.experiment.get("model"))
    bits = model.get("bits") or row.bits
    said = f"Tested: a search by {f'{bits}-bit ' if bits else ''}hash codes"
    if model.get("backbone"):
        said += f" from {model['backbone']}"
    database = data.get("database")
    said += f" over {database:,} pictures" if isinstance(database, int) else ""
    said += f" ({data.get('name') or row.data or 'unnamed'})"
    queries = row.queries or data.get("queries")
    if isinstance(queries, int):
        said += f", with {queries:,} queries"
    if row.map_benign is not None and row.map_chance is not None:
        said += (
            f". Left alone, it scores {100 * row.map_benign:.0f} of 100 (MAP);"
            f" a random order scores {100 * row.map_chance:.0f}"
        )
    return said + "."


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
