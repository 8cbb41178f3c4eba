"""The smaller sections of a report: how it was made, what the audit found, how attacks transfer."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hashprobe.report.gallery import Gallery, Neighbour, example
from hashprobe.report.payload import plain
from hashprobe.report.pictures import data_uri
from hashprobe.report.rows import Row
from hashprobe.report.run import RunRecord

_SEVERITY = {
    "error": "error",
    "fault": "error",
    "warning": "warning",
    "warn": "warning",
    "ok": "ok",
    "pass": "ok",
}


@dataclass(frozen=True)
class Made:
    """How a run was made.

    Attributes:
        command: The command that repeats it, or empty.
        tables: Titled lists of names and values: settings, data, model, versions, machine.
        times: Parts and the seconds that they took.
    """

    command: str
    tables: list[tuple[str, list[tuple[str, str]]]]
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
    sections: list[tuple[str, Any]] = [("Run", general), ("Data", data), ("Hash model", model)]
    sections += [
        (plain(name.replace("_", " ").capitalize()), value)
        for name, value in others.items()
        if isinstance(value, Mapping)
    ]
    tables = [(title, pairs) for title, value in sections if (pairs := _pairs(value))]
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


def _pairs(value: Any, prefix: str = "") -> list[tuple[str, str]]:
    """Flatten nested settings into dotted names and texts; nothing for absent values."""
    if value is None or value in ({}, [], ""):
        return []
    if not isinstance(value, Mapping):
        return [(prefix or "value", _text(value))]
    pairs: list[tuple[str, str]] = []
    for key, item in value.items():
        name = f"{prefix}.{key}" if prefix else str(key)
        pairs += (
            _pairs(item, name)
            if isinstance(item, Mapping)
            else []
            if item is None
            else [(plain(name), _text(item))]
        )
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
        target: The target label in words.
        lines: What was sent, its picture, and what came back: picture, labels, whether it is a hit.
    """

    attack: str
    target: str
    lines: list[tuple[str, str, list[tuple[str, str, bool]]]]


def still_example(gallery: Gallery, rows: Sequence[Row]) -> Still | None:
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


@dataclass(frozen=True)
class AuditFinding:
    """One finding of ``data check``: how grave (``error``, ``warning``, ``ok`` or ``note``), and what."""

    severity: str
    text: str
    details: tuple[str, ...] = ()


def audit_findings(audit: Any) -> list[AuditFinding] | None:
    """Read ``audit.json``: its findings, then whatever else it counts; ``None`` if there is no audit."""
    if audit is None:
        return None
    listed = audit.get("findings", []) if isinstance(audit, Mapping) else audit
    findings = (
        [_finding(item) for item in listed]
        if isinstance(listed, Sequence) and not isinstance(listed, str)
        else []
    )
    if isinstance(audit, Mapping):
        rest = {name: value for name, value in audit.items() if name != "findings"}
        findings += [AuditFinding("note", f"{name}: {value}") for name, value in _pairs(rest)]
    return findings


def _finding(item: Any) -> AuditFinding:
    if not isinstance(item, Mapping):
        return AuditFinding("note", _text(item))
    severity = str(item.get("severity") or item.get("level") or "note").lower()
    text = next(
        (item[key] for key in ("message", "text", "sentence", "summary", "what", "name") if item.get(key)), ""
    )
    shown = ("message", "text", "sentence", "summary", "severity", "level") if text else ("severity", "level")
    rest = {key: value for key, value in item.items() if key not in shown and value != text}
    details = tuple(f"{name}: {value}" for name, value in _pairs(rest))
    return AuditFinding(_SEVERITY.get(severity, "note"), _text(text), details)


def transfer_tables(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Arrange transfer rows as one matrix a protocol: attacked-for models down, evaluated models across.

    A cell is ``None`` where that pair was not run.
    """
    tables = []
    for protocol in dict.fromkeys(str(row.get("protocol", "")) for row in rows):
        own = [row for row in rows if str(row.get("protocol", "")) == protocol]
        down = list(dict.fromkeys(_model(row, "from") for row in own))
        across = list(dict.fromkeys(_model(row, "to") for row in own))
        cells: dict[tuple[str, str], list[float]] = {
            (_model(row, "from"), _model(row, "to")): [row["t_map"], row["chance"]] for row in own
        }
        matrix = [[cells.get((source, target)) for target in across] for source in down]
        tables.append({"protocol": protocol, "from": down, "to": across, "cells": matrix})
    return tables


def _model(row: Mapping[str, Any], side: str) -> str:
    bits = row.get(f"bits_{side}")
    name = str(row[side])
    return f"{name}, {bits} bits" if bits is not None and f"{bits}" not in name else name
