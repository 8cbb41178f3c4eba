"""What the names in a report mean, in words for someone who has never met them."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path

from hashprobe.results import AND_ON, ResultRow

_WORDS: dict[str, dict[str, str]] = tomllib.loads(
    (Path(__file__).parent / "terms.toml").read_text(encoding="utf-8")
)
ATTACKS, CODES, PROTOCOLS, SCORES = (_WORDS[kind] for kind in ("attacks", "codes", "protocols", "scores"))
YARDSTICK = "a yardstick and no attack: as if the query had this code exactly, {}"
GOES_ON = "what {} makes of the query, and from there the steps of {}"


def of_attack(row: ResultRow) -> str:
    """Say what the attack of a row does, or what code stood in its place; empty for a name that is not known here."""
    if row.is_code:
        return YARDSTICK.format(CODES[row.code]) if row.code in CODES else ""
    start, goes_on, steps = row.attack.partition(AND_ON)
    return GOES_ON.format(start, steps) if goes_on else ATTACKS.get(row.attack, "")


def of_rows(rows: Iterable[ResultRow]) -> dict[str, str]:
    """Return what the names in a table of rows mean, in order of appearance: scores, protocols, attacks, codes."""
    rows = list(rows)
    untargeted = all(row.is_untargeted for row in rows)
    found = {name: words for name, words in SCORES.items() if not (untargeted and name == "t-MAP")}
    for row in rows:
        if row.protocol in PROTOCOLS:
            found.setdefault(row.protocol, PROTOCOLS[row.protocol])
    for row in rows:
        if words := of_attack(row):
            found.setdefault(row.attack, words)
        if AND_ON in row.attack:
            found |= {own: ATTACKS[own] for own in row.attack.split(AND_ON) if own in ATTACKS}
    aimed = {row.code: CODES[row.code] for row in rows if row.is_attack and row.code in CODES}
    yardsticks = {row.code for row in rows if row.is_code}
    return found | {code: words for code, words in aimed.items() if code not in yardsticks}
