"""Data that answer another question than the one that is asked: leaking splits, and targets that a query already has."""

from __future__ import annotations

from hashprobe.results.checks.base import Evidence, Found, check, percent

SHARED = 0.01
"""Share of the queries whose target label may share a class with their own."""
PAPER = "paper"
"""The protocol that draws target labels without a look at the query's own."""


@check(
    "target shares with the query",
    when=f"The target label shares a class with the query's own for more than {SHARED:.0%} of the queries; where that "
    "was not "
    "measured, under the protocol paper.",
    why="Such a query retrieves its target before any attack: the score starts high, and differences between attacks shrink.",
    do="Report the protocol disjoint or single beside it, and the row of the unchanged queries.",
)
def shared_targets(evidence: Evidence) -> Found:
    """Look at each table's target labels."""
    for table in evidence.tables:
        shares = [row.target_shared for row in table.rows if row.target_shared is not None]
        if shares and max(shares) > SHARED:
            said = f"{percent(max(shares))} of the target labels share a class with the query's own ({table.name})."
            yield table.rows, said
        elif not shares and table.name == PAPER and table.attacks:
            yield table.rows, "Target labels were drawn without a look at the query's own (paper)."


@check(
    "leaking split",
    when="A query is, pixel by pixel, an image of the database or of the training images.",
    why="The query finds itself at distance 0, and the model was trained on it: MAP is too high, and so is what an "
    "attack takes "
    "from it.",
    do="Take such queries out of the split (hashprobe data check names them), and measure again.",
)
def leaking_split(evidence: Evidence) -> Found:
    """Look at each split's duplicates."""
    told = set()
    for table in evidence.tables:
        row = table.rows[0]
        split = (row.data, row.split_sha256)
        if row.duplicates and split not in told:
            told.add(split)
            share = f", {percent(row.duplicates / row.queries)} of them" if row.queries else ""
            said = f"{row.duplicates} queries of {row.data or 'the data'}{share}, lie in the database or the training images."
            yield [row], said
