"""The report of an audit as lines of plain text."""

from __future__ import annotations

from hashprobe.auditing.findings import Findings
from hashprobe.auditing.rows import Rate
from hashprobe.auditing.verdict import (
    index_sentences,
    interval,
    next_steps,
    not_tested,
    percent,
    threshold_sentence,
    verdict,
)


def audit_lines(found: Findings, *, whole: bool = True) -> list[str]:
    """Return an audit as text: the verdict and what to do; where it is wanted whole, all rates and what was not tested too."""
    lines = [verdict(found), "", " ".join([threshold_sentence(found), *index_sentences(found)]), ""]
    if whole:
        lines += _tables(found)
    lines += ["Next:", *(f"  - {step}" for step in next_steps(found)), ""]
    if whole:
        lines += ["Not tested:", *(f"  - {gap}" for gap in not_tested(found)), ""]
    return lines


def _tables(found: Findings) -> list[str]:
    lines = [f"Attacks, share of {found.queries} pictures {found.where} (95 % interval):"]
    for row in found.attacks:
        asked = f", {row.questions:,} questions" if row.questions else ""
        jpeg = f"; as JPEG {percent(row.jpeg.rate)}" if row.jpeg else ""
        jpeg += f"; by the index {percent(row.indexed.rate)}" if row.indexed else ""
        lines.append(
            f"  {row.aim:9}  {row.budget:>9}  {_rate(row.rate)}  {row.name}{asked}"
            f" (RMS {row.rms:.4f}, SSIM {row.ssim:.3f}{jpeg})"
        )
    lines += ["", "Benign edits, share that is missed:"]
    lines += [
        f"  {_rate(row.rate)}  {row.title}{f'; by the index {percent(row.indexed.rate)}' if row.indexed else ''}"
        for row in found.edits
    ]
    if not found.best:
        return [*lines, ""]
    lines += ["", f"The threshold that costs the attacker most, at {percent(found.limit)} false positives:"]
    lines += [
        f"  {own.budget:>9}  {own.threshold} bits: the best attack succeeds on {percent(own.rate)}"
        if own.threshold is not None and own.rate is not None
        else f"  {own.budget:>9}  none keeps to it"
        for own in found.best
    ]
    return [*lines, ""]


def _rate(rate: Rate) -> str:
    return f"{percent(rate.rate):>6} ({interval(rate)})".ljust(24)
