"""An audit from a model and a folder of photographs to a folder of results, measured once and resumed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hashprobe import retrieval
from hashprobe.auditing.checks import check_answers, pipeline_of
from hashprobe.auditing.edits import EDITS
from hashprobe.auditing.findings import (
    FINDINGS_FILE,
    MOST_LEFT_OUT,
    AttackRow,
    BestThreshold,
    EditRow,
    Findings,
    LeftOut,
    PictureRow,
    Rate,
    means,
)
from hashprobe.auditing.kept import Measured
from hashprobe.auditing.measuring import measure_attack, measure_edit
from hashprobe.auditing.page import write_audit_report
from hashprobe.auditing.photos import find_photos, read_labels
from hashprobe.auditing.plan import AUDITED, Planned, plan
from hashprobe.auditing.rates import Curve, curve, hardest, largest_allowed, pair_curve
from hashprobe.auditing.settings import AuditSettings
from hashprobe.auditing.stored import cache_key, encode
from hashprobe.auditing.work import Audit
from hashprobe.devices import versions
from hashprobe.errors import HashprobeError
from hashprobe.evaluation.own_size import as_file
from hashprobe.files import replacing, sha256_of, write_json, write_json_lines
from hashprobe.folders import recording
from hashprobe.hashing import HashModel
from hashprobe.identity import fingerprint
from hashprobe.plugins import loaded_plugins
from hashprobe.processes import processes
from hashprobe.typed_values import checked

Say = Callable[[str], None]
POINTS_FILE = "operating_points.jsonl"


@checked
def audit(
    model: HashModel,
    images: str | Path,
    *,
    out: str | Path,
    labels: str | None = None,
    settings: AuditSettings | None = None,
    name: str = "the model",
    command: str = "",
    cache_dir: Path | None = None,
    progress: bool = False,
    say: Say = lambda line: None,
) -> Findings:
    """Audit a search: what an attacker can do to it at a threshold, beside what benign edits do.

    Args:
        model: The hash model.
        images: Folder of the photographs that the search stores.
        out: Folder of the results: new, empty, or of the same audit, which goes on; other attacks and budgets may be added to it.
        labels: A CSV file with what the photographs show, or ``"folders"``; without it what is relevant are own copies.
        settings: What is measured.
        name: Of the model, for the report.
        command: That was given, for the report.
        cache_dir: Where codes are kept between calls; the user's cache folder by default.
        progress: Whether progress bars are shown.
        say: Is told what was left out.

    Raises:
        HashprobeError: a folder, a file or a model that cannot be used; what was measured before is kept.
    """
    if processes(model.device).count > 1:
        raise HashprobeError("an audit works in one process; start it without torchrun.")
    settings = settings or AuditSettings()
    photos = find_photos(images)
    known = read_labels(photos, labels)
    pipeline = pipeline_of(model, settings.image_size)
    if settings.threshold is not None and settings.threshold > model.bits:
        raise HashprobeError(
            f"--threshold must be at most the {model.bits} bits of a code; found {settings.threshold}."
        )
    plan(settings, None if model.gradients else "the model gives codes alone")  # says what is wrong with it
    no_gradients = check_answers(pipeline, photos)
    plugins = {path.name: sha256_of(path.read_bytes()) for path in loaded_plugins() if path.is_file()}
    key = cache_key(photos, pipeline, *plugins.values())
    own = fingerprint(key, None if known is None else [known.class_names, sha256_of(known.labels.tobytes())])
    facts: dict[str, Any] = {
        "title": f"Audit of {name} on {len(photos.names)} photographs.",
        "command": command,
        "model": {"name": name, "bits": model.bits, "sha256": model.sha256()},
        "images": {"folder": str(photos.folder), "photographs": len(photos.names)},
        "settings": settings.model_dump(mode="json"),
        "seed": settings.seed,
        "versions": versions(),
        "device": str(model.device),
        **({"plugins": plugins} if plugins else {}),
    }
    folder = Path(out)
    with recording(folder, fingerprint("audit", own, settings.seed, settings.queries), facts, "audit"):
        stored = encode(photos, pipeline, key=key, cache_dir=cache_dir, progress=progress)
        for left, why in stored.left_out[:3]:
            say(f"left out: {left} {why}")
        if len(stored.left_out) > 3:
            say(f"left out: {len(stored.left_out) - 3} more, named in the report")
        work = Audit(folder, pipeline, photos, stored, known, settings, own, progress)
        found, curves = _measure(work, no_gradients, name)
        write_json_lines(folder / POINTS_FILE, [line for each in curves for line in each.lines()])
        write_json(folder / FINDINGS_FILE, found.model_dump(mode="json"))
        write_audit_report(folder)
    return found


def _measure(work: Audit, no_gradients: str | None, name: str) -> tuple[Findings, list[Curve]]:
    """Measure everything that is asked for, and put it together."""
    settings, bits, seed = work.settings, work.bits, work.settings.seed
    levels = work.unrelated_levels()
    pairs = pair_curve(levels, seed=seed)
    nearest = np.where(levels.any(axis=1), (levels > 0).argmax(axis=1), bits)
    strangers = curve("found unrelated", nearest, bits)
    threshold = settings.threshold
    if threshold is None:
        threshold = largest_allowed(pairs.rates, settings.false_positives) or 0
    planned, skipped = plan(settings, no_gradients, collisions=bool((work.others >= 0).all()))
    curves, edits, attacks = [pairs, strangers], list[EditRow](), list[AttackRow]()
    for edit in EDITS:
        rows = measure_edit(work, edit)
        curves.append(curve("miss", [row.distance for row in rows], bits, edit=edit))
        edits.append(
            EditRow(
                name=edit,
                title=EDITS[edit].title,
                rate=Rate.at(curves[-1], threshold),
                bits=float(np.median([row.distance for row in rows])),
                first=means(rows, "first"),
                precision=means(rows, "precision"),
            )
        )
    made: list[tuple[Planned, list[Measured], Curve]] = []
    for each in planned:
        rows = measure_attack(work, each, threshold)
        about = {"attack": each.name, "budget": each.budget.text, "questions": each.questions}
        curves.append(curve(each.aim, [row.distance for row in rows], bits, **about))
        made.append((each, rows, curves[-1]))
        jpeg = None
        if settings.jpeg is not None:
            stored = [row.jpeg for row in rows if row.jpeg is not None]
            curves.append(curve(each.aim, stored, bits, **about, jpeg=settings.jpeg))
            jpeg = Rate.at(curves[-1], threshold)
        attacks.append(_attack_row(each, rows, made[-1][2], threshold, jpeg))
    found = Findings(
        model=name,
        bits=bits,
        images=str(work.photos.folder),
        photographs=len(work.photos.names),
        stored=len(work.stored.rows),
        copies=work.stored.copies,
        unusable=len(work.stored.left_out),
        left_out=[LeftOut(name=own, why=why) for own, why in work.stored.left_out[:MOST_LEFT_OUT]],
        queries=len(work.queries),
        classes=list(work.labels.class_names) if work.labels else [],
        size=work.pipeline.size,
        jpeg=settings.jpeg,
        threshold=threshold,
        given=settings.threshold is not None,
        limit=settings.false_positives,
        pairs=Rate.at(pairs, threshold),
        strangers=Rate.at(strangers, threshold),
        chance_precision=_chance(work),
        attacks=attacks,
        edits=edits,
        best=_best(made, curves, settings.false_positives),
        skipped=[LeftOut(name=own.name, why=own.why) for own in skipped],
        pictures=[],
    )
    return found.model_copy(update={"pictures": _weakest(work, found, made)}), curves


def _chance(work: Audit) -> float | None:
    if work.labels is None:
        return None
    labels = work.stored_labels
    return float(retrieval.chance_level(labels[work.queries], labels).mean())


def _attack_row(
    planned: Planned, rows: Sequence[Measured], found: Curve, threshold: int, jpeg: Rate | None
) -> AttackRow:
    return AttackRow(
        name=planned.name,
        title=AUDITED[planned.name].title,
        access=planned.access.value,
        aim=planned.aim,
        budget=planned.budget.text,
        questions=planned.questions,
        rate=Rate.at(found, threshold),
        jpeg=jpeg,
        bits=(
            float(np.median([row.distance for row in rows])),
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


def _best(
    made: Sequence[tuple[Planned, list[Measured], Curve]], curves: Sequence[Curve], limit: float
) -> list[BestThreshold]:
    """Return the threshold that costs the attacker most, for each budget."""
    pairs = next(own for own in curves if own.measure == "false positive")
    missed = np.mean([own.rates for own in curves if own.measure == "miss"], axis=0)
    found = []
    for budget in dict.fromkeys(planned.budget.text for planned, _, _ in made):
        rates = [
            own.rates for planned, _, own in made if planned.budget.text == budget and planned.name != "Noise"
        ]
        best = hardest(pairs.rates, rates, limit)
        threshold, rate = best if best is not None else (None, None)
        lost = None if threshold is None else round(float(missed[threshold]), 9)
        found.append(BestThreshold(budget=budget, threshold=threshold, rate=rate, missed=lost))
    return found


def _weakest(
    work: Audit, found: Findings, made: Sequence[tuple[Planned, list[Measured], Curve]]
) -> list[PictureRow]:
    """Return the pictures that the strongest attack of each aim did best on, within the budget that sentences speak of."""
    shown = []
    for aim in ("evasion", "collision"):
        best = found.strongest(aim, found.headline)
        for planned, rows, _ in made:
            if best is None or (planned.name, planned.aim, planned.budget.text, planned.questions) != (
                best.name,
                aim,
                best.budget,
                best.questions,
            ):
                continue
            sign = -1 if aim == "evasion" else 1
            for row in sorted((row for row in rows if row.picture), key=lambda row: sign * row.distance):
                own, other = int(work.queries[row.query]), int(work.others[row.query])
                collides = aim == "collision"
                shown.append(
                    PictureRow(
                        file=str(row.picture),
                        photograph=work.name(row.query),
                        photograph_file=_copied(work, own),
                        other=work.photos.names[int(work.stored.rows[other])] if collides else None,
                        other_file=_copied(work, other) if collides else None,
                        attack=planned.name,
                        aim=aim,
                        budget=planned.budget.text,
                        distance=row.distance,
                        before=row.before,
                        rms=row.rms or 0.0,
                        ssim=row.ssim if row.ssim is not None else 1.0,
                    )
                )
    return shown


def _copied(work: Audit, own: int) -> str:
    """Copy a photograph into the folder and return its file there."""
    file = f"pictures/photograph-{own}.png"
    if not (work.folder / file).exists():
        with replacing(work.folder / file) as temporary:
            temporary.write_bytes(as_file(work.picture(own)))
    return file
