"""What the results say, in sentences for anyone, each with the row it was read from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hashprobe.report.finding import Finding, find, is_single_pass
from hashprobe.report.rows import groups
from hashprobe.report.run import RunRecord
from hashprobe.results import SCAN, UNBOUNDED, UNTARGETED, ResultRow


@dataclass(frozen=True)
class Summary:
    """The findings, the strongest bounded attack first, and a sentence on what was tested."""

    tested: str
    findings: list[Finding]


def summarise(run: RunRecord) -> Summary:
    """Read the headline off the results: the strongest attack within a budget, and the strongest without one.

    The headline protocol is ``disjoint`` where it was run, because under it no query carries its target label
    before the attack; untargeted attacks follow. An attack that stays at chance or at the unchanged queries is said not
    to work. The strongest attack of a single forward pass is always among the findings: it can be made on the fly.
    """
    found = groups(run.rows)
    chosen: list[tuple[str, ResultRow]] = []
    for group in dict.fromkeys((found[0], *(UNTARGETED for name in found if name == UNTARGETED))):
        attacks = [row for row in run.rows if row.group == group and row.is_attack]
        # What an attack does to the model it saw, on an exact search, is said first; a transfer where there is nothing else.
        usual = [r for r in attacks if (r.attacked_model, r.index, r.top_k) == (None, SCAN, None)]
        attacks = usual or attacks
        kinds = {
            "within a budget": [row for row in attacks if row.budget != UNBOUNDED],
            "without a budget": [row for row in attacks if row.budget == UNBOUNDED],
        }
        strongest = [(kind, max(rows, key=lambda row: row.strength)) for kind, rows in kinds.items() if rows]
        quick = [row for row in attacks if is_single_pass(row)]
        if quick and not any(is_single_pass(row) for _, row in strongest):
            strongest.append(("in a single forward pass", max(quick, key=lambda row: row.strength)))
        aim = (
            "away from the query's own labels"
            if group == UNTARGETED
            else "towards a label of the attacker's choice"
        )
        chosen += [(f"Strongest attack {kind}, {aim}", row) for kind, row in strongest]
    return Summary(tested=_tested(run), findings=[find(run, row, role) for role, row in chosen])


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
