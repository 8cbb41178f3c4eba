"""Puts together what an audit measured: rates at the threshold, the hardest one, the weakest pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hashprobe import retrieval
from hashprobe.auditing.edits import EDITS
from hashprobe.auditing.findings import MOST_LEFT_OUT, Findings
from hashprobe.auditing.kept import Measured
from hashprobe.auditing.made import Made, MadeAttack, MadeEdit, far_of
from hashprobe.auditing.plan import AUDITED, Planned
from hashprobe.auditing.rates import Curve, hardest
from hashprobe.auditing.rows import (
    AttackRow,
    BestThreshold,
    EditRow,
    IndexRow,
    LeftOut,
    PictureRow,
    Rate,
    means,
)
from hashprobe.auditing.work import Audit
from hashprobe.evaluation.own_size import as_file
from hashprobe.files import replacing


def gather(work: Audit, made: Made, name: str) -> Findings:
    """Return what an audit found.

    Args:
        work: What it worked with.
        made: What was measured.
        name: Of the model.
    """
    settings, stored = work.settings, work.stored
    found = Findings(
        model=name,
        bits=work.bits,
        images=str(work.photos.folder),
        photographs=len(work.photos.names),
        stored=len(stored.rows),
        copies=stored.copies,
        unusable=len(stored.left_out),
        left_out=[LeftOut(name=own, why=why) for own, why in stored.left_out[:MOST_LEFT_OUT]],
        queries=len(work.queries),
        classes=list(work.labels.class_names) if work.labels else [],
        size=work.search.size,
        formula=work.search.formula,
        listed=None if made.pairs else made.threshold + 1,
        jpeg=settings.jpeg,
        threshold=made.threshold,
        given=settings.threshold is not None,
        limit=settings.false_positives,
        pairs=_at(made.pairs, made.threshold),
        strangers=_at(made.strangers, made.threshold),
        chance_precision=_chance(work),
        attacks=[_attack_row(own, made.threshold) for own in made.attacks],
        edits=[_edit_row(own, made.threshold) for own in made.edits],
        index=_index_row(work, made),
        best=_best(made, made.pairs, settings.false_positives) if made.pairs else [],
        skipped=[LeftOut(name=own.name, why=own.why) for own in made.skipped],
        pictures=[],
    )
    return found.model_copy(update={"pictures": _weakest(work, found, made.attacks)})


def _chance(work: Audit) -> float | None:
    if work.labels is None:
        return None
    labels = work.stored_labels
    return float(retrieval.chance_level(labels[work.queries], labels).mean())


def _at(curve: Curve | None, threshold: int) -> Rate | None:
    return None if curve is None else Rate.at(curve, threshold)


def _edit_row(made: MadeEdit, threshold: int) -> EditRow:
    return EditRow(
        name=made.name,
        title=EDITS[made.name].title,
        rate=Rate.at(made.curve, threshold),
        indexed=_at(made.indexed, threshold),
        bits=float(np.median(far_of(made.rows))),
        first=means(made.rows, "first"),
        precision=means(made.rows, "precision"),
    )


def _index_row(work: Audit, made: Made) -> IndexRow | None:
    if made.index is None or work.settings.search is None:
        return None
    settings = work.settings.search.wherever()["settings"]
    return IndexRow(
        name=made.index.name,
        settings={name: str(value) for name, value in settings.items()},
        top_k=made.index.top_k,
        recall=made.index.recall,
        lost=Rate.at(made.index.lost, made.threshold),
    )


def _attack_row(made: MadeAttack, threshold: int) -> AttackRow:
    planned, rows = made.planned, made.rows
    return AttackRow(
        name=planned.name,
        title=AUDITED[planned.name].title,
        access=planned.access.value,
        aim=planned.aim,
        budget=planned.budget.text,
        questions=planned.questions,
        rate=Rate.at(made.curve, threshold),
        jpeg=_at(made.jpeg, threshold),
        indexed=_at(made.indexed, threshold),
        bits=(
            float(np.median(far_of(rows))),
            float(np.median([row.before for row in rows])),
        ),
        asked=None if planned.questions is None else means(rows, "questions"),
        linf=max(row.linf or 0.0 for row in rows),
        l2=means(rows, "l2"),
        rms=means(rows, "rms"),
        ssim=means(rows, "ssim"),
        first=means(rows, "first"),
        precision=means(rows, "precision"),
    )


def _best(made: Made, pairs: Curve, limit: float) -> list[BestThreshold]:
    """Return the threshold that costs the attacker most, for each budget."""
    missed = np.mean([own.curve.rates for own in made.edits], axis=0)
    attacks, found = [own for own in made.attacks if own.planned.name != "Noise"], []
    for budget in dict.fromkeys(own.planned.budget.text for own in attacks):
        rates = [own.curve.rates for own in attacks if own.planned.budget.text == budget]
        threshold, rate = hardest(pairs.rates, rates, limit) or (None, None)
        lost = None if threshold is None else round(float(missed[threshold]), 9)
        found.append(BestThreshold(budget=budget, threshold=threshold, rate=rate, missed=lost))
    return found


def _weakest(work: Audit, found: Findings, made: Sequence[MadeAttack]) -> list[PictureRow]:
    """Return the pictures that the strongest attack of each aim did best on, within the budget that sentences speak of."""
    shown: list[PictureRow] = []
    for aim, sign in (("evasion", -1), ("collision", 1)):
        best = found.strongest(aim, found.headline)
        known = best and (best.name, best.aim, best.budget, best.questions)
        for own in made:
            planned = own.planned
            if known == (planned.name, planned.aim, planned.budget.text, planned.questions):
                kept = sorted((row for row in own.rows if row.picture), key=lambda row: sign * row.distance)
                shown += [_picture_row(work, planned, row) for row in kept]
    return shown


def _picture_row(work: Audit, planned: Planned, row: Measured) -> PictureRow:
    other = int(work.others[row.query]) if planned.aim == "collision" else None
    return PictureRow(
        file=str(row.picture),
        photograph=work.name(row.query),
        photograph_file=_copied(work, int(work.queries[row.query])),
        other=None if other is None else work.photos.names[int(work.stored.rows[other])],
        other_file=None if other is None else _copied(work, other),
        attack=planned.name,
        aim=planned.aim,
        budget=planned.budget.text,
        distance=row.distance,
        before=row.before,
        rms=row.rms or 0.0,
        ssim=1.0 if row.ssim is None else row.ssim,
    )


def _copied(work: Audit, own: int) -> str:
    """Copy a photograph into the folder and return its file there."""
    file = f"pictures/photograph-{own}.png"
    if not (work.folder / file).exists():
        with replacing(work.folder / file) as temporary:
            temporary.write_bytes(as_file(work.picture(own)))
    return file
