"""Rates over all thresholds as one drawing, in SVG that needs no script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape

from hashprobe.auditing.findings import Findings

WIDTH, HEIGHT = 720, 320
LEFT, RIGHT, TOP, BOTTOM = 44, 12, 12, 40
INSIDE = 0.999
"""The axis ends where every rate has come this near to its last value."""


@dataclass(frozen=True)
class Line:
    """One line of the drawing.

    Attributes:
        title: For the legend.
        kind: Class of its style: ``white``, ``black``, ``other``, ``pairs``, ``benign``.
        rates: At each threshold.
        low: Lower ends of the intervals.
        high: Upper ends.
    """

    title: str
    kind: str
    rates: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]


def lines_of(found: Findings, points: Sequence[Mapping[str, Any]]) -> list[Line]:
    """Return what is drawn: the strongest attacks within the budget that sentences speak of, false positives, the worst edit.

    Args:
        found: What the audit found.
        points: Lines of ``operating_points.jsonl``.
    """
    budget, wanted = found.headline, list[tuple[str, str, dict[str, Any]]]()
    for aim, white_box, kind in (
        ("evasion", True, "white"),
        ("evasion", False, "black"),
        ("collision", True, "other"),
        ("collision", False, "guess"),
    ):
        row = found.strongest(aim, budget, white_box=white_box)
        if row is not None:
            asked = f", {row.questions:,} questions" if row.questions else ""
            about = {"measure": aim, "attack": row.name, "budget": row.budget, "questions": row.questions}
            wanted.append((f"{aim}: {row.name}{asked}", kind, {**about, "jpeg": None}))
    edit = found.worst_edit
    if found.pairs is not None:
        wanted.append(("false positives: unrelated pairs that match", "pairs", {"measure": "false positive"}))
    wanted.append((f"missed: {edit.title}", "benign", {"measure": "miss", "edit": edit.name}))
    return [_line(title, kind, points, about) for title, kind, about in wanted]


def _line(title: str, kind: str, points: Sequence[Mapping[str, Any]], about: Mapping[str, Any]) -> Line:
    about = {**about, "index": None}  # lines are of exact distances
    own = [point for point in points if all(point.get(name) == value for name, value in about.items())]
    rates, low, high = ([float(point[name]) for point in own] for name in ("rate", "low", "high"))
    return Line(title, kind, rates, low, high)


def draw(lines: Sequence[Line], threshold: int, bits: int, *, lists: bool = False) -> Markup:
    """Return a drawing of rates over the threshold, or over places in a list, with a line at the one that is spoken of."""
    axis, here = ("places before it", f"{threshold}") if lists else ("threshold, bits", f"{threshold} bits")
    last = max(threshold + 1, min(bits, _settled(lines)))

    def at(place: float, share: float) -> tuple[float, float]:
        across = LEFT + place / last * (WIDTH - LEFT - RIGHT)
        return round(across, 1), round(TOP + (1 - share) * (HEIGHT - TOP - BOTTOM), 1)

    parts = []
    for share in (0, 0.25, 0.5, 0.75, 1):
        (left, down), (right, _) = at(0, share), at(last, share)
        parts.append(f'<line class="grid" x1="{left}" y1="{down}" x2="{right}" y2="{down}"/>')
        parts.append(f'<text x="{left - 6}" y="{down + 4}" text-anchor="end">{share:.0%}</text>')
    step = max(1, round(last / 8))
    for place in range(0, last + 1, step):
        across, down = at(place, 0)
        parts.append(f'<text x="{across}" y="{down + 17}" text-anchor="middle">{place}</text>')
    across, down = at(last / 2, 0)
    parts.append(f'<text x="{across}" y="{down + 34}" text-anchor="middle">{axis}</text>')
    for line in lines:
        ends = [at(place, share) for place, share in enumerate(line.high[: last + 1])]
        ends += [at(place, share) for place, share in reversed(list(enumerate(line.low[: last + 1])))]
        parts.append(f'<polygon class="band {line.kind}" points="{_joined(ends)}"/>')
    for line in lines:
        places = [at(place, share) for place, share in enumerate(line.rates[: last + 1])]
        parts.append(
            f'<polyline class="{line.kind}" points="{_joined(places)}"><title>{escape(line.title)}</title></polyline>'
        )
    (across, top), (_, down) = at(threshold, 1), at(threshold, 0)
    parts.append(f'<line class="here" x1="{across}" y1="{top}" x2="{across}" y2="{down}"/>')
    parts.append(f'<text class="here" x="{across + 5}" y="{top + 11}">{here}</text>')
    said = escape(", ".join(line.title for line in lines))
    return Markup(
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="Rates over the threshold: {said}">{"".join(parts)}</svg>'
    )


def _settled(lines: Sequence[Line]) -> int:
    """Return the threshold from which on no rate changes any more, by a thousandth."""
    ends = [1]
    for line in lines:
        moving = [place for place, rate in enumerate(line.rates) if abs(rate - line.rates[-1]) > 1 - INSIDE]
        ends.append(moving[-1] + 2 if moving else 1)
    return max(ends)


def _joined(places: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{across},{down}" for across, down in places)
