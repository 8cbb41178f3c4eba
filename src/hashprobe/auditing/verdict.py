"""What an audit comes to, in sentences: the verdict, what to do next, what was not tested."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hashprobe.auditing.findings import Findings
from hashprobe.auditing.rows import AttackRow, BestThreshold, Rate

OFTEN = 0.5
"""From this share on, with its whole interval, an attack works."""


class _Aim(NamedTuple):
    """Words for what an attack is after: what was done to the search, what the attacker does, to what, and what else does it."""

    name: str
    verb: str
    what: str
    alone: str


AIMS = {
    "evasion": _Aim("evaded", "hides", "stored pictures", "noise"),
    "collision": _Aim("deceived", "passes off", "as a chosen other", "chance"),
}


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
    """Say in a few sentences how bad it is, from which budget on, beside what benign edits do, and what nobody tried."""
    edit = found.worst_edit
    usual = float(np.median([own.rate.rate for own in found.edits]))
    half = f"{percent(usual)} or less" if usual else "none"
    benign = f"of the benign edits half lose {half}, and the worst ({edit.title}) {_counted(edit.rate)}"
    aims = [aim for aim in AIMS if any(found.strongest(aim, own) for own in found.budgets)]
    if not aims:
        return f"No attack was made, so nothing is known of attackers; {found.where}, {benign}."
    said = "; ".join(_of_aim(found, aim) for aim in aims)
    return f"{_lead(found)}: {found.where}, {said}; {benign}. {_beyond(found)}"


def _of_aim(found: Findings, aim: str) -> str:
    """Say from which budget on an aim is reached, and for what share; the most that was reached where that is more."""
    does = AIMS[aim]
    first, tried = found.first(aim), [row for own in found.budgets if (row := found.strongest(aim, own))]
    best = max(tried, key=lambda row: row.rate.rate)
    if first is None:
        return (
            f"with changes {_within(tried[-1].budget)}, no attack {does.verb} more {does.what} than {does.alone} may "
            f"({best.name}: {_counted(best.rate)})"
        )
    said = f"with changes {_within(first.budget)}, {_called(found, first)} {does.verb} {_counted(first.rate)} {does.what}"
    if first is not tried[0]:
        smaller = tried[tried.index(first) - 1]
        said += f", and within {smaller.budget} {_counted(smaller.rate)}, which {does.alone} may do as well"
    return (
        said if best.rate.rate <= first.rate.rate else f"{said}; {_counted(best.rate)} within {best.budget}"
    )


def _beyond(found: Findings) -> str:
    """Say what nobody tried, in a few words; :func:`not_tested` says it in full."""
    asked = [row.questions for row in found.attacks if row.questions]
    beyond = [f"changes beyond {found.budgets[-1]}"]
    without = "attackers who ask questions alone" if found.formula else "attackers without the network"
    beyond += [f"more than {max(asked):,} questions a picture"] if asked else [without]
    if not any(row.white_box for row in found.attacks):
        beyond.append(f"attackers who {_knows(found)}")
    return f"Not tried: {_listing(beyond)}."


def _knows(found: Findings) -> str:
    return "know the formula" if found.formula else "have the network"


def _called(found: Findings, row: AttackRow) -> str:
    if row.white_box:
        return f"an attacker who {'knows the formula' if found.formula else 'has the network'} ({row.name})"
    sees = {"codes": "codes", "ranking": "ranked lists"}.get(row.access, "answers")
    return f"one who sees {sees} alone ({row.name}, {row.questions or 0:,} questions)"


def _within(budget: str) -> str:
    return f"of at most {budget} a value" if "/" in budget or budget[0].isdigit() else f"within {budget}"


def _lead(found: Findings) -> str:
    firsts = [row for aim in AIMS if (row := found.first(aim)) is not None]
    often = [AIMS[row.aim].name for row in firsts if row.rate.low >= OFTEN]
    if often:
        return f"This search is easily {' and '.join(often)}"
    if firsts:
        return f"This search can be {' and '.join(AIMS[row.aim].name for row in firsts)}"
    tried = [row for aim in AIMS for own in found.budgets if (row := found.strongest(aim, own))]
    most = max(row.rate.high for row in tried)
    return f"No attack that was made works more often than noise or chance (at most {percent(most)} at the intervals' ends)"


def next_steps(found: Findings) -> list[str]:
    """Say what to do, one sentence each, the most useful first."""
    steps = []
    at_headline = next((own for own in found.best if own.budget == found.headline), None)
    tried = [row for aim in AIMS if (row := found.strongest(aim, found.headline)) is not None]
    worst = max((row.rate.rate for row in tried), default=0.0)
    if not found.given and found.pairs is not None and found.pairs.rate > found.limit:
        steps.append(
            f"No threshold keeps to {percent(found.limit)} of unrelated pairs; allow more (--false-positives), or longer codes."
        )
    steps += _of_threshold(found, at_headline, worst)
    evades, blind = found.first("evasion"), found.first("evasion", white_box=False)
    guesses = [row for own in found.budgets if (row := found.strongest("evasion", own, white_box=False))]
    if evades is not None and evades.white_box:
        if found.formula:
            steps.append(
                f"Reckon with {evades.name}: everyone knows the formula of this hash, and nobody has to ask the search for it."
            )
        elif guesses and blind is None:
            best = max(guesses, key=lambda row: row.rate.rate)
            steps.append(
                f"Keep the network to yourself: without it {best.name} hid {_counted(best.rate)} with "
                f"{best.questions or 0:,} questions a picture, no more than noise does."
            )
        else:
            steps.append(
                "Harden the model (hashprobe train-hash --defence) and audit it again: whoever has the network evades it."
            )
    if blind is not None:
        steps.append(
            f"Count questions: {blind.name} needs no {'formula' if found.formula else 'network'}, and "
            f"{blind.asked or 0:,.0f} questions a picture on average within {blind.budget}; refuse or slow down long series of "
            "nearly equal pictures."
        )
    mirrored = next((own for own in found.edits if own.name == "mirror"), None)
    if mirrored is not None and mirrored.rate.rate > OFTEN:
        steps.append(
            f"Search with the mirrored picture as well: {_counted(mirrored.rate)} mirrored copies are missed."
        )
    lost = [own.title for own in found.edits if own.rate.rate > OFTEN and own.name != "mirror"]
    if lost:
        steps.append(
            "Mind ordinary copies before attackers: more than half are missed after "
            f"{_listing([f'‘{title}’' for title in lost])}."
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


def _listing(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def not_tested(found: Findings) -> list[str]:
    """Say what was not tested, one sentence each."""
    gaps = [f"{own.name}: {own.why}." for own in found.skipped]
    gaps += [
        f"Only {found.queries} of {found.stored} stored pictures were attacked; 0 means below the end of its interval.",
        "Attackers who adapt: more steps or questions, a network of their own that resembles this one (transfer), or a change of "
        "another kind than a small one everywhere (patches, rotation, a photograph of a screen).",
    ]
    if found.listed is not None:
        gaps.append(
            "Distances, thresholds and false positives: the search tells none of them, and nothing that needs a code was made."
        )
    elif found.index is None:
        gaps.append(
            "The search's index: distances are exact here, and an approximate index finds less (--index faiss-hnsw)."
        )
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
    """Say which threshold is spoken of, and what it costs in false positives; of a list, how much of it counts."""
    pairs, strangers = found.pairs, found.strangers
    if pairs is None or strangers is None:
        asked = max((row.questions for row in found.attacks if row.questions), default=0)
        return (
            f"A picture counts as found when its own stored copy is among the first {found.listed} that the search lists. It "
            f"answers with ranked ids alone, so attackers were allowed these lists, {asked:,} questions a picture, and no more."
        )
    chosen = (
        "which was given"
        if found.given
        else f"the largest that keeps to {percent(found.limit)} of unrelated pairs"
        if pairs.rate <= found.limit
        else "the least there is, for none keeps to the limit"
    )
    return (
        f"A picture counts as found at {found.threshold} of {found.bits} bits or fewer, {chosen}; {pairs.count:,} of "
        f"{pairs.of:,} pairs of unrelated pictures match there ({interval(pairs)}), and {_counted(strangers)} pictures "
        "find some unrelated one."
    )


def index_sentences(found: Findings) -> list[str]:
    """Say what the index loses, and what of an attack's success it adds or takes: within the budget that sentences speak of."""
    index = found.index
    if index is None:
        return []
    share = "" if index.recall is None else f", and returns {percent(index.recall)} of the nearest"
    settings = ",".join(f"{name}={value}" for name, value in index.settings.items())
    said = [
        f"Through the index {index.name}{settings and ':' + settings}, which is asked for {index.top_k:,} items{share}, "
        f"{_counted(index.lost)} pictures that nobody touched are not found."
    ]
    for aim in AIMS:
        row = found.strongest(aim, found.headline)
        if row is not None and row.indexed is not None:
            more = row.indexed.count - row.rate.count
            does = f"{abs(more)} {'more' if more > 0 else 'fewer'}" if more else "as many"
            said.append(
                f"{row.name} {AIMS[aim].verb} {_counted(row.indexed)} by what it returns, and {row.rate.count} by exact "
                f"distances: {does}."
            )
    return said
