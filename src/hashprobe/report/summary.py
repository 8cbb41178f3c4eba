"""What the results say, in sentences for anyone, each with the row it was read from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hashprobe.report.rows import groups, remarks, setting_names
from hashprobe.report.run import RunRecord
from hashprobe.results import SCAN, UNBOUNDED, UNTARGETED, ResultRow, setting_of

PICTURES_RETURNED = 100
"""Up to this many returned pictures are counted in the headline."""

_GROUP_WORDS = {
    UNTARGETED: "a picture counts if it shares a label with the query",
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
class Part:
    """A part of a sentence; its kind, if it has one, is that of the bar that shows the same number."""

    text: str
    kind: str = ""


@dataclass(frozen=True)
class Finding:
    """A sentence about one attack.

    Attributes:
        parts: The sentence, for anyone; :attr:`sentence` is their text.
        detail: What it was measured on.
        bars: The same as bars: after the attack, before it, by chance.
        row: The result row that it was read from.
        original: The row of the unchanged queries under the same protocol, if there is one.
        works: Whether the attack's 95 % interval lies above both chance and the unchanged queries; of an untargeted
            attack, below the unchanged queries.
    """

    parts: list[Part]
    detail: str
    bars: list[Bar]
    row: ResultRow
    original: ResultRow | None
    works: bool

    @property
    def counted(self) -> str:
        """What the bars count."""
        label = "share a label with the query" if self.row.is_untargeted else "carry the target label"
        return f"Pictures returned that {label}"

    @property
    def sentence(self) -> str:
        """The sentence as text."""
        return "".join(part.text for part in self.parts)


@dataclass(frozen=True)
class Summary:
    """The findings, the strongest bounded attack first, and a sentence on what was tested."""

    tested: str
    findings: list[Finding]


def summarise(run: RunRecord) -> Summary:
    """Read the headline off the results: the strongest attack within a budget, and the strongest without one.

    The headline protocol is ``disjoint`` where it was run, because under it no query carries its target label
    before the attack; untargeted attacks follow. An attack that stays at chance or at the unchanged queries is said to
    have failed. The strongest attack of a single forward pass is always among the findings: it can be made on the fly.
    """
    found = groups(run.rows)
    chosen: list[ResultRow] = []
    for group in dict.fromkeys((found[0], *(UNTARGETED for name in found if name == UNTARGETED))):
        attacks = [row for row in run.rows if row.group == group and row.is_attack]
        # What an attack does to the model it saw, on an exact search, is said first; a transfer where there is nothing else.
        usual = [r for r in attacks if (r.attacked_model, r.index, r.top_k) == (None, SCAN, None)]
        attacks = usual or attacks
        bounded = [row for row in attacks if row.budget != UNBOUNDED]
        unbounded = [row for row in attacks if row.budget == UNBOUNDED]
        strongest = [max(rows, key=lambda row: row.strength) for rows in (bounded, unbounded) if rows]
        quick = [row for row in attacks if _is_single_pass(row)]
        if quick and not any(_is_single_pass(row) for row in strongest):
            strongest.append(max(quick, key=lambda row: row.strength))
        chosen += strongest
    return Summary(tested=_tested(run), findings=[_finding(run, row) for row in chosen])


def _is_single_pass(row: ResultRow) -> bool:
    return row.forward_passes == 1 and not row.backward_passes and not row.questions


def _finding(run: RunRecord, row: ResultRow) -> Finding:
    original = _unchanged(run, row)
    before = original.score if original else row.map_benign if row.is_untargeted else None
    if row.is_untargeted:
        works = (row.score if row.score_high is None else row.score_high) < (
            1.0 if before is None else before
        )
    else:
        works = (row.score if row.score_low is None else row.score_low) > max(row.score_chance, before or 0.0)
    count, after = _precision(run, row)
    then = _precision(run, original, count)[1] if original else None
    if after is None or (row.is_untargeted and then is None):
        count, after = None, row.score
    else:
        before = then
    return Finding(
        parts=_sentence(row, count, after, before, works),
        detail=_detail(run, row, count),
        bars=_bars(row, count, after, before),
        row=row,
        original=original,
        works=works,
    )


def _unchanged(run: RunRecord, row: ResultRow) -> ResultRow | None:
    """Return the row of the unchanged queries on the model that ``row`` is scored on, if there is one."""
    setting = setting_of(row.model_copy(update={"attacked_model": None}))
    return next(
        (
            other
            for other in run.rows
            if other.is_original and other.group == row.group and setting_of(other) == setting
        ),
        None,
    )


def _sentence(
    row: ResultRow, count: int | None, after: float, before: float | None, works: bool
) -> list[Part]:
    how = " in a single forward pass" if _is_single_pass(row) else ""
    done, chance = Part(_of(after, count), "after"), Part(_of(row.score_chance, count), "chance")
    failed = "below" if row.is_untargeted else "above chance and"
    parts = [
        Part("" if works else f"The attack does not get measurably {failed} the unchanged queries. "),
        Part(f"{row.attack} changes a query{how}, and "),
    ]
    if count is None:
        what = (
            "that share a label with it still"
            if row.is_untargeted
            else "with a label of the attacker's choice"
        )
        parts += [Part(f"the pictures {what} come as far up as "), done, Part(f" of 100 ({row.score_name})")]
    else:
        what = (
            "still share a label with it" if row.is_untargeted else "carry a label of the attacker's choice"
        )
        parts += [done, Part(f" of the first {count} pictures returned {what}")]
    parts.append(Part("; "))
    if before is not None:
        parts += [Part("before the attack "), Part(_of(before, count), "before"), Part(" did, and ")]
    parts += [Part("in random order about "), chance, Part(f" would. {_change(row)}".rstrip())]
    return [part for part in parts if part.text]


def _change(row: ResultRow) -> str:
    """Say how large the change is, in grey levels."""
    if row.budget != UNBOUNDED:
        largest = row.epsilon if row.epsilon is not None else row.linf
        return "" if largest is None else f"No pixel value changes by more than {levels(largest)} of 255."
    if row.linf is None:
        return "The size of the change is not bounded."
    mean = "" if row.rms is None else f", typically {255 * row.rms:.0f} (root mean square)"
    return f"The size of the change is not bounded: pixel values move by up to {255 * row.linf:.0f} of 255{mean}."


def levels(value: float) -> str:
    """Write a change in [0, 1] in grey levels of 255, whole where it is whole."""
    scaled = value * 255
    return f"{round(scaled)}" if abs(scaled - round(scaled)) < 0.05 else f"{scaled:.1f}"


def _of(fraction: float, count: int | None) -> str:
    if count is None:
        return f"{100 * fraction:.0f}"
    return f"{fraction * count:.0f}" if count >= 20 else f"{fraction * count:.1f}"


def _bars(row: ResultRow, count: int | None, after: float, before: float | None) -> list[Bar]:
    whole = 100 if count is None else count
    bars = [Bar(f"after {row.attack}", after, f"{_of(after, count)} of {whole}", "after")]
    if before is not None:
        bars.append(Bar("before", before, f"{_of(before, count)} of {whole}", "before"))
    return [
        *bars,
        Bar("random order", row.score_chance, f"{_of(row.score_chance, count)} of {whole}", "chance"),
    ]


def _detail(run: RunRecord, row: ResultRow, count: int | None) -> str:
    queries = f"{row.queries:,} queries" if row.queries else "the queries"
    parts = [f"Mean over {queries}"]
    names = setting_names(run.rows)
    if len(names) > 1:
        parts.append(names[setting_of(row)])
    words = _GROUP_WORDS.get(row.group)
    protocol = row.group if row.is_untargeted else f"protocol {row.group}"
    parts.append(protocol + (f": {words}" if words else ""))
    parts += remarks(row)
    if count is not None:
        interval = ""
        if row.score_low is not None and row.score_high is not None:
            interval = f" (95 % interval {100 * row.score_low:.1f} to {100 * row.score_high:.1f})"
        parts.append(
            f"{row.score_name} {100 * row.score:.1f} %{interval}, chance {100 * row.score_chance:.1f} %"
        )
    return "; ".join(parts) + "."


def _precision(run: RunRecord, row: ResultRow, count: int | None = None) -> tuple[int | None, float | None]:
    """Precision at ``count`` pictures, or at the largest known number up to a hundred.

    Nothing for a row of MAP@k, whose chance level is not that of a precision.
    """
    curve = run.curves.get(row.row)
    if curve is None or row.top_k is not None:
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
