"""The smaller sections of a report: how it was made, what the audit found, how attacks transfer."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hashprobe.errors import HashprobeError
from hashprobe.report.gallery import Gallery, Neighbour, example
from hashprobe.report.pictures import data_uri
from hashprobe.report.run import RunRecord
from hashprobe.results import UNTARGETED, Finding, ResultRow, epsilon_text
from hashprobe.text import plain

SEVERITIES = ("error", "warning", "note", "ok")
"""Of a finding of the audit, the gravest first."""


@dataclass(frozen=True)
class Made:
    """How a run was made.

    Attributes:
        command: The command that repeats it, or empty.
        tables: Titled lists of names and the lines of their values: settings, data, model, versions, machine.
        times: Parts and the seconds that they took.
    """

    command: str
    tables: list[tuple[str, list[tuple[str, list[str]]]]]
    times: list[tuple[str, float]] = field(default_factory=list)


def made_of(run: RunRecord) -> Made:
    """Read ``experiment.json``; what it does not hold is taken from the first result row."""
    experiment = run.experiment
    row = run.rows[0]
    general = {
        "recipe": experiment.get("recipe"),
        "seed": experiment.get("seed", row.seed),
        "device": experiment.get("device") or row.device,
        "threads": experiment.get("threads", row.threads),
    }
    known = {*general, "command", "data", "model", "seconds"}
    others = {name: value for name, value in experiment.items() if name not in known}
    general |= {name: value for name, value in others.items() if not isinstance(value, Mapping)}
    data = experiment.get("data") or {
        "name": row.data,
        "split_sha256": row.split_sha256,
        "queries": row.queries,
    }
    model = experiment.get("model") or {"sha256": row.model, "bits": row.bits}
    named = {name: value for name, value in others.items() if isinstance(value, Mapping)}
    sections = {"Run": general, "Data": data, "Hash model": model} | {
        name.replace("_", " ").capitalize(): value for name, value in named.items()
    }
    tables = [table for title, value in sections.items() for table in _tables(title, value)]
    seconds = experiment.get("seconds")
    times = (
        [
            (plain(str(part)), float(value))
            for part, value in seconds.items()
            if isinstance(value, int | float)
        ]
        if isinstance(seconds, Mapping)
        else []
    )
    return Made(command=plain(str(experiment.get("command") or "")), tables=tables, times=times)


def _tables(title: str, value: Any) -> list[tuple[str, list[tuple[str, list[str]]]]]:
    """Arrange nested settings as one table a level, titled with the way to it; absent values are left out."""
    if not isinstance(value, Mapping):
        return [] if value in (None, "") else [(plain(title), [("value", _lines(value))])]
    tables = [(plain(title), own)] if (own := _own(value)) else []
    for name, item in value.items():
        if isinstance(item, Mapping):
            tables += _tables(f"{title}: {name}", item)
    return tables


def _own(value: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    empty: tuple[Any, ...] = (None, "", [], {})
    pairs = ((name, item) for name, item in value.items() if not isinstance(item, Mapping))
    return [(plain(str(name)), _lines(item)) for name, item in pairs if item not in empty]


def _lines(value: Any) -> list[str]:
    """Write a value; a list of mappings one a line."""
    if isinstance(value, Sequence) and value and all(isinstance(item, Mapping) for item in value):
        return [", ".join(f"{name} {text}" for name, text in _pairs(item)) for item in value]
    return [_text(value)]


def _pairs(value: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Flatten nested values into dotted names and texts; nothing for absent values."""
    pairs: list[tuple[str, str]] = []
    for key, item in value.items():
        name = f"{prefix}{key}"
        if isinstance(item, Mapping):
            pairs += _pairs(item, f"{name}.")
        elif item is not None:
            pairs.append((plain(name), _text(item)))
    return pairs


def _text(value: Any) -> str:
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, Sequence) and all(isinstance(item, str | int | float) for item in value):
        return plain(", ".join(str(item) for item in value))
    return plain(json.dumps(value, ensure_ascii=False))


@dataclass(frozen=True)
class Still:
    """One example of the gallery that needs no script.

    Attributes:
        attack: Its name and budget.
        target: The target label in words; empty where it is untargeted.
        lines: What was sent, its picture, and what came back: picture, labels, whether it carries the target label.
    """

    attack: str
    target: str
    lines: list[tuple[str, str, list[tuple[str, str, bool]]]]


def still_example(gallery: Gallery, rows: Sequence[ResultRow]) -> Still | None:
    """Return the example that the gallery opens with, with the first five pictures returned."""
    place = example(gallery.entries, rows)
    if place is None:
        return None
    entry = gallery.entries[place]
    row = next(row for row in rows if row.row == entry.row)

    def line(
        title: str, sent: str, returned: tuple[Neighbour, ...]
    ) -> tuple[str, str, list[tuple[str, str, bool]]]:
        found = [
            (data_uri(gallery.folder / item.image, lossless=False), plain(", ".join(item.labels)), item.hit)
            for item in returned[:5]
        ]
        return title, data_uri(gallery.folder / sent), found

    lines = [
        line("Query", entry.query_image, entry.before),
        line("Adversarial", entry.adversarial_image, entry.after),
    ]
    return Still(plain(f"{row.attack} ({row.budget})"), plain(", ".join(entry.target_labels)), lines)


def by_check(findings: Sequence[Finding]) -> list[tuple[Finding, list[str]]]:
    """Arrange what checks found: of each check one finding, which says why and what to do, and the sentences of all."""
    said: dict[str, list[Finding]] = {}
    for finding in findings:
        said.setdefault(finding.check, []).append(finding)
    return [(own[0], [plain(finding.said) for finding in own]) for own in said.values()]


@dataclass(frozen=True)
class AuditFinding:
    """One finding of ``data check``: how grave (one of ``SEVERITIES``), what, and the particulars."""

    severity: str
    text: str
    details: tuple[str, ...] = ()


def audit_findings(audit: Any) -> list[AuditFinding] | None:
    """Read ``audit.json``: its findings, the gravest first, then what else it holds as notes.

    Args:
        audit: ``{"findings": [{"severity": …, "message": …, …}], …}``, or ``None``: there is no audit.

    Raises:
        HashprobeError: it has another shape (the finding is numbered).
    """
    if audit is None:
        return None
    if not isinstance(audit, Mapping) or not isinstance(audit.get("findings"), list):
        raise HashprobeError("audit.json must hold an object with a list named findings.")
    findings = [_finding(item, number) for number, item in enumerate(audit["findings"], start=1)]
    rest = {name: value for name, value in audit.items() if name != "findings"}
    findings += [AuditFinding("note", f"{name}: {value}") for name, value in _pairs(rest)]
    return sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))


def _finding(item: Any, number: int) -> AuditFinding:
    if not isinstance(item, Mapping) or item.get("severity") not in SEVERITIES or not item.get("message"):
        raise HashprobeError(
            f"audit.json, finding {number} must have a message and a severity: {', '.join(SEVERITIES)}."
        )
    rest = {name: value for name, value in item.items() if name not in ("severity", "message")}
    details = tuple(f"{name}: {value}" for name, value in _pairs(rest))
    return AuditFinding(item["severity"], _text(item["message"]), details)


def audit_counts(findings: Sequence[AuditFinding] | None) -> list[tuple[str, int]]:
    """Count findings by severity, the gravest first; those that do not occur are left out."""
    found = [finding.severity for finding in findings or ()]
    return [(severity, found.count(severity)) for severity in SEVERITIES if severity in found]


def transfer_tables(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Arrange transfer rows as one matrix a protocol and attack: made-on models down, evaluated models across.

    A cell is the score and what a random ranking scores; ``None`` where that pair was not run. Under ``protocol``,
    untargeted rows stand as ``untargeted``.

    Raises:
        HashprobeError: two rows are for one cell.
    """
    groups: dict[tuple[bool, str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        untargeted = row.get("goal") == UNTARGETED
        group = UNTARGETED if untargeted else str(row.get("protocol") or "")
        groups.setdefault((untargeted, group, _attack(row)), []).append(row)
    tables = []
    for (untargeted, protocol, attack), own in groups.items():
        score, chance = ("map", "map_chance") if untargeted else ("t_map", "chance")
        cells: dict[tuple[str, str], list[float]] = {}
        for row in own:
            pair = (_model(row, "from"), _model(row, "to"))
            if pair in cells:
                said = ", ".join(part for part in (attack, protocol) if part) or "no attack or protocol named"
                raise HashprobeError(
                    f"transfer.jsonl has two rows from {pair[0]} to {pair[1]} ({said}); a cell holds one."
                )
            cells[pair] = [row[score], row[chance]]
        down, across = (list(dict.fromkeys(pair[side] for pair in cells)) for side in (0, 1))
        matrix = [[cells.get((source, target)) for target in across] for source in down]
        table = {"protocol": protocol, "untargeted": untargeted, "attack": attack}
        tables.append({**table, "from": down, "to": across, "cells": matrix})
    return tables


def _attack(row: Mapping[str, Any]) -> str:
    """Name the attack of a transfer row with its code and budget; empty where the row names none."""
    if not row.get("attack"):
        return ""
    code = row.get("code")
    name = f"{row['attack']}, {code}" if code and code != "none" else str(row["attack"])
    return f"{name} ({epsilon_text(row.get('epsilon'))})"


def _model(row: Mapping[str, Any], side: str) -> str:
    bits = row.get(f"bits_{side}")
    name = str(row[side])
    return f"{name}, {bits} bits" if bits is not None and f"{bits}" not in name else name
