"""Prints several audits as one table: ``python docs/make_audits.py photographs:PDQ=FOLDER[,FOLDER…] … scenes:PDQ=FOLDER …``.

A column a search, a block of rows a set of images; of several folders of one search the first that measured a row counts.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from hashprobe.auditing import Findings
from hashprobe.auditing.rows import Rate

ATTACKS = (
    ("white box", ("FewStep", None)),
    ("1,000 questions", ("Square", 1000)),
    ("10,000 questions", ("Square", 10_000)),
    ("1,000 answers, found or not", ("RayS", 1000)),
    ("noise", ("Noise", None)),
)
BUDGETS = ("4/255", "8/255", "16/255")
EDITS = {
    "jpeg-30": "JPEG of quality 30",
    "resize-50": "half its sides",
    "crop-90": "cropped to 90 %",
    "blur-strong": "blurred by 1 %",
    "mirror": "mirrored",
    "caption": "a caption below",
}


def shown(rate: Rate | None) -> str:
    """Return a rate as a cell."""
    if rate is None:
        return "–"
    return f"{rate.count} of {rate.of} ({100 * rate.low:.0f} to {100 * rate.high:.0f} %)"


def attacked(audits: Sequence[Findings], key: tuple[str, int | None], aim: str, budget: str) -> Rate | None:
    """Return how often an attack succeeded, in the first audit that made it."""
    rows = [row for found in audits for row in found.attacks if (row.aim, row.budget) == (aim, budget)]
    return next((row.rate for row in rows if (row.name, row.questions) == key), None)


def table(columns: dict[str, list[Findings]], images: str) -> list[list[str]]:
    """Return the rows of one set of images."""
    rows = [
        [
            f"**{images}**: threshold, bits",
            *(f"{own[0].threshold} of {own[0].bits}" for own in columns.values()),
        ]
    ]
    for aim in ("evasion", "collision"):
        for title, key in ATTACKS:
            for budget in BUDGETS:
                cells = [shown(attacked(own, key, aim, budget)) for own in columns.values()]
                if set(cells) != {"–"}:
                    rows.append([f"{aim}, {title}, {budget}", *cells])
    for name, title in EDITS.items():
        found = [next(row.rate for row in own[0].edits if row.name == name) for own in columns.values()]
        rows.append([f"missed: {title}", *map(shown, found)])
    pairs = [own[0].pairs for own in columns.values()]
    rows.append(
        ["unrelated pairs that match", *("–" if own is None else f"{100 * own.rate:.2g} %" for own in pairs)]
    )
    rows.append(["find some unrelated one", *(shown(own[0].strangers) for own in columns.values())])
    return rows


def main(texts: Sequence[str]) -> None:
    """Print the table."""
    sets: dict[str, dict[str, list[Findings]]] = {}
    for text in texts:
        images, _, rest = text.partition(":")
        name, _, folders = rest.partition("=")
        sets.setdefault(images, {})[name] = [Findings.read(Path(own)) for own in folders.split(",")]
    names = list(next(iter(sets.values())))
    print("| " + " | ".join(["", *names]) + " |")
    print("| " + " | ".join(["---", *["---:"] * len(names)]) + " |")
    for images, columns in sets.items():
        for row in table({name: columns[name] for name in names}, images):
            print("| " + " | ".join(row) + " |")


if __name__ == "__main__":
    main(sys.argv[1:])
