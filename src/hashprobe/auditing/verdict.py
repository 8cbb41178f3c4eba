"""What an audit comes to, in sentences: the verdict, what to do next, what was not tested."""

from __future__ import annotations

import numpy as np

from hashprobe.auditing.findings import AttackRow, BestThreshold, Findings, Rate

OFTEN = 0.5
"""From this share on, with its whole interval, an attack works."""


def percent(share: float) -> str:
    """Return a share as a person reads it: whole percents, more digits where it is small."""
    return f"{_number(share)}\u00a0%"


def _number(share: float) -> str:
    if 0 < share < 0.0005:
        return f"{100 * share:.2g}"
    return f"{100 * share:.0f}" if share == 0 or share >= 0.1 else f"{100 * share:.1f}"


def interval(rate: Rate) -> str:
    """Return the interval of a rate in percent."""
    return f"{_number(rate.low)} to {percent(rate.high)}"


def _counted(rate: Rate) -> str:
    return f"{rate.count} of {rate.of} ({interval(rate)})"


def verdict(found: Findings) -> str:
    """Say in a sentence or two how bad it is, beside what benign edits do."""
    evades, collides = (found.strongest(aim, found.headline) for aim in ("evasion", "collision"))
    tried = [row for row in (evades, collides) if row is not None]
    edit = found.worst_edit
    usual = float(np.median([own.rate.rate for own in found.edits]))
    half = f"{percent(usual)} or less" if usual else "none"
    benign = f"of the benign edits half lose {half}, and the worst ({edit.title}) {_counted(edit.rate)}"
    where = f"at the threshold of {found.threshold} bits"
    if not tried:
        return f"No attack was made, so nothing is known of attackers; {where} {benign}."
    within = f"with changes {_within(found.headline)}"
    said = []
    if evades is not None:
        said.append(
            f"{_called(evades)} hides {_counted(evades.rate)} stored pictures{_no_more(found, evades)}"
        )
    if collides is not None:
        same = evades is not None and _called(evades) == _called(collides)
        who = "" if same else f"{_called(collides)} "
        said.append(f"{who}passes off {_counted(collides.rate)} as a chosen other{_no_more(found, collides)}")
    return f"{_lead(found, tried)}: {where}, {within}, {' and '.join(said)}; {benign}."


def _called(row: AttackRow) -> str:
    if row.white_box:
        return f"an attacker who has the network ({row.name})"
    return f"one who sees {'codes' if row.access == 'codes' else 'answers'} alone ({row.name}, {row.questions or 0:,} questions)"


def _within(budget: str) -> str:
    return f"of at most {budget} a value" if "/" in budget or budget[0].isdigit() else f"within {budget}"


def _no_more(found: Findings, row: AttackRow) -> str:
    return "" if works(found, row) else f" (no more than {'noise' if row.aim == 'evasion' else 'chance'})"


def works(found: Findings, row: AttackRow) -> bool:
    """Say whether an attack does more than noise of its size, or than chance: its interval lies above theirs."""
    if row.aim == "collision":
        return row.rate.low > max(found.pairs.high, found.pairs.rate)
    noise = [other.rate.high for other in found.attacks if not other.is_attack and other.budget == row.budget]
    return row.rate.low > max(noise, default=0.0)


def _lead(found: Findings, tried: list[AttackRow]) -> str:
    names = {"evasion": "evaded", "collision": "deceived"}
    often = [names[row.aim] for row in tried if row.rate.low >= OFTEN]
    some = [names[row.aim] for row in tried if works(found, row)]
    if often:
        return f"This search is easily {' and '.join(often)}"
    if some:
        return f"This search can be {' and '.join(some)}"
    most = max(row.rate.high for row in tried)
    return f"No attack that was made works more often than noise or chance (at most {percent(most)} at the intervals' ends)"


def next_steps(found: Findings) -> list[str]:
    """Say what to do, one sentence each, the most useful first."""
    steps = []
    best = next((own for own in found.best if own.budget == found.headline), None)
    evades, collides = (found.strongest(aim, found.headline) for aim in ("evasion", "collision"))
    worst = max((row.rate.rate for row in (evades, collides) if row is not None), default=0.0)
    if not found.given and found.pairs.rate > found.limit:
        steps.append(
            f"No threshold keeps to {percent(found.limit)} of unrelated pairs; allow more (--false-positives), or longer codes."
        )
    steps += _of_threshold(found, best, worst)
    blind = found.strongest("evasion", found.headline, white_box=False)
    if evades is not None and evades.white_box and works(found, evades):
        if blind is not None and not works(found, blind):
            steps.append(
                f"Keep the network to yourself: without it {blind.name} hid {_counted(blind.rate)} with "
                f"{blind.questions:,} questions a picture, no more than noise does."
            )
        else:
            steps.append(
                "Harden the model (hashprobe train-hash --defence) and audit it again: whoever has the network evades it."
            )
    if blind is not None and works(found, blind):
        steps.append(
            f"Count questions: {blind.name} needs no network, and {blind.asked or 0:,.0f} questions a picture on average; "
            "refuse or slow down long series of nearly equal pictures."
        )
    mirrored = next((own for own in found.edits if own.name == "mirror"), None)
    if mirrored is not None and mirrored.rate.rate > OFTEN:
        steps.append(
            f"Search with the mirrored picture as well: {_counted(mirrored.rate)} mirrored copies are missed."
        )
    lost = [own.title for own in found.edits if own.rate.rate > OFTEN and own.name != "mirror"]
    if lost:
        steps.append(
            f"Mind ordinary copies before attackers: more than half are missed after {_listed(lost)}."
        )
    if found.queries < 100:
        steps.append(
            f"Attack more pictures (--queries): of {found.queries} the intervals are wide, and another hundred narrows them."
        )
    return steps


def _of_threshold(found: Findings, best: BestThreshold | None, worst: float) -> list[str]:
    """Say what another threshold would bring, to whoever is attacked or to benign copies."""
    if best is None or best.threshold is None or best.rate is None or best.missed is None:
        return []
    there = f"benign copies are missed at {percent(best.missed)} in place of {percent(found.missed)}"
    allowed = f"at most {percent(found.limit)} of unrelated pairs match"
    if best.rate >= OFTEN:
        return [
            f"Do not look for a better threshold: where {allowed}, the best attack succeeds on {percent(best.rate)} at every one "
            f"(least at {best.threshold} bits)."
        ]
    if best.threshold != found.threshold and best.rate < worst:
        return [
            f"Take a threshold of {best.threshold} bits: the best attack then succeeds on {percent(best.rate)} in place of "
            f"{percent(worst)}, {there}, and {allowed}."
        ]
    if best.threshold > found.threshold and best.rate <= worst and best.missed < found.missed:
        return [
            f"Consider a threshold of {best.threshold} bits: {there}, no attack that was made gains by it, and {allowed}; in a "
            "large store that may be many for each picture."
        ]
    return []


def _listed(titles: list[str]) -> str:
    quoted = [f"‘{title}’" for title in titles]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"


def not_tested(found: Findings) -> list[str]:
    """Say what was not tested, one sentence each."""
    gaps = [f"{own.name}: {own.why}." for own in found.skipped]
    gaps += [
        f"Only {found.queries} of {found.stored} stored pictures were attacked; 0 means below the end of its interval.",
        "Attackers who adapt: more steps or questions, a network of their own that resembles this one (transfer), or a change of "
        "another kind than a small one everywhere (patches, rotation, a photograph of a screen).",
        "The search's index: distances are exact here, and an approximate index finds less.",
    ]
    if not any(row.white_box for row in found.attacks):
        gaps.append(
            "An attacker who knows how codes are computed: no gradients were taken, and who has the program, or trains a network "
            "on its answers (hashprobe train-attack Surrogate), may do far better."
        )
    if found.size is not None:
        gaps.append(
            f"Another way to {found.size}×{found.size}: pictures were cropped to the middle square and resized (bicubic); where "
            "the search does otherwise, its codes are others."
        )
    if found.jpeg is None:
        gaps.append("Storage as JPEG: attacked pictures were scored as PNG files (--jpeg 85 scores both).")
    if found.unusable:
        gaps.append(
            f"{found.unusable} photographs that cannot be used, the first: {found.left_out[0].name} {found.left_out[0].why}."
        )
    return gaps


def threshold_sentence(found: Findings) -> str:
    """Say which threshold is spoken of, and what it costs in false positives."""
    pairs = found.pairs
    chosen = (
        "which was given"
        if found.given
        else f"the largest that keeps to {percent(found.limit)} of unrelated pairs"
        if pairs.rate <= found.limit
        else "the least there is, for none keeps to the limit"
    )
    return (
        f"A picture counts as found at {found.threshold} of {found.bits} bits or fewer, {chosen}; {pairs.count:,} of "
        f"{pairs.of:,} pairs of unrelated pictures match there ({interval(pairs)}), and {_counted(found.strangers)} pictures "
        "find some unrelated one."
    )
