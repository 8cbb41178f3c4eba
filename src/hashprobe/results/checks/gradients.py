"""Attacks that had no gradient to follow: what reads as robust, and is not."""

from __future__ import annotations

from hashprobe.results.checks.base import Evidence, Found, at_least, called, check, each
from hashprobe.results.rows import ResultRow

MOVED_SHARE = 0.02
"""Of its bits a code must move at least, on average: one of 48."""
PROGRESS = 0.05
"""Of the way to the goal's code an attack with gradients must go at least."""
SMALL = 4 / 255
"""With a smaller budget a code may stay where it is."""
SATURATED = 2.0
"""Of ``α·|z|``: there the slope of the tanh is 0.07 of what it is at 0, and most bits have no say."""


@check(
    "codes did not move",
    when=f"An attack of at least {SMALL * 255:.0f}/255 moves less than {MOVED_SHARE:.0%} of the bits, or, with "
    "gradients, goes less "
    f"than {PROGRESS:.0%} of the way to its goal's code.",
    why="No bit that moves is no answer of the model to an attack: it looks the same whether the model is robust or "
    "the attack "
    "had no gradient to follow.",
    do="Attack with a much larger budget, which must succeed; with an objective that does not depend on the scale of "
    "the outputs; "
    "and without gradients (RandomSearch).",
)
def codes_did_not_move(evidence: Evidence) -> Found:
    """Look at the bits that each attack moved."""
    for table, row in each(evidence):
        if row.bits_moved is None or row.bits is None or row.attacked_model or not at_least(row, SMALL):
            continue
        if row.bits_moved < MOVED_SHARE * row.bits:
            yield [row], f"{called(row)} moved {row.bits_moved:.2g} of {row.bits} bits ({table.name})."
            continue
        before, after = row.goal_bits_before, row.goal_bits
        if row.backward_passes and before and after is not None and before - after < PROGRESS * before:
            went = f"from {before:.1f} to {after:.1f} bits away"
            yield (
                [row],
                f"{called(row)} moved {row.bits_moved:.1f} bits, but not to its goal's code: {went} ({table.name}).",
            )


@check(
    "vanishing gradients",
    when=f"An attack differentiates tanh(α z), and the smallest α times the mean |z| of the model is at least {SATURATED:g}.",
    why="The tanh is flat there: bits that must be turned have no gradient, and the attack goes where the few outputs "
    "near 0 point.",
    do="Take an objective that does not depend on the scale of z, or a smaller α; compare the two.",
)
def vanishing_gradients(evidence: Evidence) -> Found:
    """Compare the α of each attack with the size of the model's outputs."""
    alike: dict[tuple[object, ...], list[ResultRow]] = {}
    for _, row in each(evidence):
        if row.tanh_alpha is None or row.mean_logit is None or row.attacked_model:
            continue
        if row.tanh_alpha * row.mean_logit >= SATURATED:
            alike.setdefault((row.model, called(row), row.tanh_alpha), []).append(row)
    for rows in alike.values():
        at = f"α {rows[0].tanh_alpha:g}, mean |z| {rows[0].mean_logit:.3g}"
        yield rows, f"{called(rows[0])} differentiates a saturated tanh ({at})."


@check(
    "saturated output",
    when=f"The model's tanh was given a scale above 1 (HashNet), and scale times mean |z| is at least {SATURATED:g}.",
    why="Whoever differentiates the model's own output, tanh(scale · z), finds no gradient and takes the model for "
    "robust; the "
    "attacks of hashprobe see z without that scale.",
    do="With attacks of your own or of another library, differentiate model.logits or model.relaxed(images, alpha), not the "
    "model's output.",
)
def saturated_output(evidence: Evidence) -> Found:
    """Look at the scale of each model's tanh."""
    told = set()
    for row in evidence.rows:
        if row.tanh_scale is None or row.mean_logit is None or row.model in told:
            continue
        if row.tanh_scale > 1 and row.tanh_scale * row.mean_logit >= SATURATED:
            told.add(row.model)
            of = f"its scale is {row.tanh_scale:.3g}, its mean |z| {row.mean_logit:.3g}"
            yield [row], f"The output of the {row.bits}-bit model {row.model[:8]} is saturated: {of}."
