"""One attack in sentences for anyone: whether it works, in numbers beside chance and the unchanged queries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hashprobe.report import terms
from hashprobe.report.rows import remarks, setting_names
from hashprobe.report.run import RunRecord
from hashprobe.results import UNBOUNDED, ResultRow, setting_of

PICTURES_RETURNED = 100
"""Up to this many returned pictures are counted in the headline."""

HARDLY = 0.05
"""Share of the pictures returned: an attack that gains less, though measurably, hardly works."""

Verdict = Literal["works", "hardly works", "does not work"]


@dataclass(frozen=True)
class Bar:
    """A bar beside a sentence: a fraction, what it is, and how it is written."""

    label: str
    fraction: float
    text: str
    kind: str


@dataclass(frozen=True)
class Part:
    """A part of a sentence; its kind, if it has one, is that of the bar that shows the same number, or ``"verdict"``."""

    text: str
    kind: str = ""


@dataclass(frozen=True)
class Finding:
    """Sentences about one attack.

    Attributes:
        role: Why this attack is spoken of: it is the strongest of which kind.
        verdict: Whether it works. It does where its 95 % interval lies above both chance and the unchanged queries and the
            number in the sentence does as well; of an untargeted attack, below the unchanged queries. A gain of less than
            five pictures of a hundred makes it one that hardly works.
        parts: What it did, in a sentence for anyone.
        further: How large the change is, and whether the query's own labels are still found.
        explained: What the attack is, and what counts where a target is several labels.
        measured: Protocol, number of queries, and the score with its interval.
        bars: The same as bars: after the attack, before it, by chance.
        row: The result row that it was read from.
        original: The row of the unchanged queries under the same protocol, if there is one.
    """

    role: str
    verdict: Verdict
    parts: list[Part]
    further: list[Part]
    explained: str
    measured: str
    bars: list[Bar]
    row: ResultRow
    original: ResultRow | None

    @property
    def works(self) -> bool:
        """Whether it reaches its goal measurably, if only by little."""
        return self.verdict != "does not work"

    @property
    def counted(self) -> str:
        """What the bars count."""
        label = "share a label with the query" if self.row.is_untargeted else "carry the target label"
        return f"Pictures returned that {label}"

    @property
    def sentence(self) -> str:
        """All of it as text."""
        return "".join(part.text for part in (*self.parts, *self.further))


def find(run: RunRecord, row: ResultRow, role: str) -> Finding:
    """Read the finding of one attack off its row, its curve and the row of the unchanged queries."""
    original = _unchanged(run, row)
    before = original.score if original else row.map_benign if row.is_untargeted else None
    measurable = _is_measurable(row, before)
    count, after = _precision(run, row)
    then = _precision(run, original, count)[1] if original else None
    if after is None or (row.is_untargeted and then is None):
        count, after = None, row.score
    else:
        before = then
    gain = _gain(row, after, before, count)
    verdict: Verdict = "works" if gain >= HARDLY else "hardly works"
    if not measurable or gain <= 0:
        verdict = "does not work"
    further = [Part(f" {change}")] if (change := _change(row)) else []
    if not measurable and gain > 0:
        further.append(Part(f" Over the whole ranking it has no measurable effect: {_scored(row)}."))
    return Finding(
        role=role,
        verdict=verdict,
        parts=_sentence(row, count, after, before, verdict),
        further=[*further, *_findability(row)],
        explained=_explained(run, row),
        measured=_measured(run, row, count),
        bars=_bars(row, count, after, before),
        row=row,
        original=original,
    )


def is_single_pass(row: ResultRow) -> bool:
    """Whether the attack is made in one forward pass, and so on the fly."""
    return row.forward_passes == 1 and not row.backward_passes and not row.questions


def _is_measurable(row: ResultRow, before: float | None) -> bool:
    """Whether the score's interval lies on the attack's side of the unchanged queries, and of chance if it is targeted."""
    if row.is_untargeted:
        return (row.score if row.score_high is None else row.score_high) < (1.0 if before is None else before)
    return (row.score if row.score_low is None else row.score_low) > max(row.score_chance, before or 0.0)


def _gain(row: ResultRow, after: float, before: float | None, count: int | None) -> float:
    """How much the sentence's number gains, as it is written: 0 where nobody who reads it sees a difference."""
    levels = [
        level for level in (before, None if row.is_untargeted else row.score_chance) if level is not None
    ]
    baseline = max(levels, default=1.0)
    if _of(after, count) == _of(baseline, count):
        return 0.0
    return baseline - after if row.is_untargeted else after - baseline


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
    row: ResultRow, count: int | None, after: float, before: float | None, verdict: Verdict
) -> list[Part]:
    how = " in a single forward pass" if is_single_pass(row) else ""
    done, chance = Part(_of(after, count), "after"), Part(_of(row.score_chance, count), "chance")
    parts = [Part(f"The attack {row.attack} {verdict}.", "verdict"), Part(f" It changes a query{how}, and ")]
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
    parts += [Part("in random order about "), chance, Part(" would.")]
    return parts


def _findability(row: ResultRow) -> list[Part]:
    """Say of a targeted attack whether pictures of the query's own labels are still found."""
    if row.is_untargeted or row.map is None or row.map_benign is None:
        return []
    low = row.map if row.map_low is None else row.map_low
    high = row.map if row.map_high is None else row.map_high
    how = (
        "worse than before"
        if high < row.map_benign
        else "better than before"
        if low > row.map_benign
        else "as before"
    )
    parts = [
        Part(f" What the query itself shows is found {how}: pictures with its own labels come as far up as "),
        Part(_of(row.map, None), "after"),
        Part(" of 100 (MAP); before the attack "),
        Part(_of(row.map_benign, None), "before"),
    ]
    if row.map_chance is not None:
        parts += [Part(", in random order "), Part(_of(row.map_chance, None), "chance")]
    return [*parts, Part(".")]


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


def _explained(run: RunRecord, row: ResultRow) -> str:
    words = terms.of_attack(row)
    sentences = [f"{row.attack}: {words}." if words else "", _several_labels(run, row)]
    return " ".join(sentence for sentence in sentences if sentence)


def _measured(run: RunRecord, row: ResultRow, count: int | None) -> str:
    if row.is_untargeted:
        sentences = ["Untargeted: a picture counts if it shares a label with the query"]
    else:
        known = terms.PROTOCOLS.get(row.protocol or "")
        sentences = [f"Protocol {row.protocol}" + (f": {known}" if known else "")]
    names = setting_names(run.rows)
    parts = [f"Mean over {row.queries:,} queries" if row.queries else "Mean over the queries"]
    parts += [names[setting_of(row)]] if len(names) > 1 else []
    parts += remarks(row, run.numbers[row.row])
    sentences.append("; ".join(parts))
    if count is not None:
        of = "a label of the query" if row.is_untargeted else "the target label"
        sentences.append(
            f"{row.score_name}, how far up all pictures with {of} come: {_scored(row).partition(' ')[2]}"
        )
    return ". ".join(sentences) + "."


def _scored(row: ResultRow) -> str:
    """Write the score with its interval and chance."""
    interval = ""
    if row.score_low is not None and row.score_high is not None:
        interval = f" (95 % interval {100 * row.score_low:.1f} to {100 * row.score_high:.1f})"
    return f"{row.score_name} {100 * row.score:.1f} %{interval}, chance {100 * row.score_chance:.1f} %"


def _several_labels(run: RunRecord, row: ResultRow) -> str:
    """Say that a target of several labels counts as reached by one of them, and in the gallery how often all are."""
    if row.is_untargeted or row.protocol == "single":
        return ""
    said = "A target may be several labels, of which one is enough to count"
    own = [entry for entry in run.gallery.entries if entry.row == row.row] if run.gallery else []
    several = [entry for entry in own if len(entry.target_labels) > 1]
    returned = [(entry, item) for entry in several for item in entry.after if item.labels]
    if not returned:
        return f"{said}." if len(several) == len(own) else ""
    some = sum(item.hit for _, item in returned) / len(returned)
    whole = sum(set(entry.target_labels) <= set(item.labels) for entry, item in returned) / len(returned)
    return (
        f"{said}: {len(several)} of the {len(own)} targets in the gallery are, and of the pictures returned first for those "
        f"{100 * some:.0f} % carry at least one of the labels and {100 * whole:.0f} % carry all."
    )


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
