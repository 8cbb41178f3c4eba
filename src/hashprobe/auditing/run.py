"""An audit from a model and a folder of photographs to a folder of results, measured once and resumed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from hashprobe.auditing.asked import Asked, AskedForCodes, AskedForLists
from hashprobe.auditing.checks import pipeline_of
from hashprobe.auditing.edits import EDITS
from hashprobe.auditing.findings import FINDINGS_FILE, Findings
from hashprobe.auditing.gathering import gather
from hashprobe.auditing.indexed import through_index
from hashprobe.auditing.made import Made, MadeAttack, MadeEdit, far_of
from hashprobe.auditing.measuring import measure_attack, measure_edit
from hashprobe.auditing.page import write_audit_report
from hashprobe.auditing.photos import Photos, find_photos, read_labels
from hashprobe.auditing.plan import plan
from hashprobe.auditing.rates import curve, largest_allowed, pair_curve
from hashprobe.auditing.settings import AuditSettings
from hashprobe.auditing.work import Audit
from hashprobe.devices import versions
from hashprobe.errors import HashprobeError
from hashprobe.files import sha256_of, user_path, write_json, write_json_lines
from hashprobe.folders import recording
from hashprobe.hashing import HashModel, RankedService
from hashprobe.identity import fingerprint
from hashprobe.plugins import executed_plugins
from hashprobe.processes import processes
from hashprobe.typed_values import checked

Say = Callable[[str], None]
POINTS_FILE = "operating_points.jsonl"


@checked
def audit(
    model: HashModel | RankedService,
    images: str | Path,
    *,
    out: str | Path,
    labels: str | None = None,
    codes: str | Path | None = None,
    settings: AuditSettings | None = None,
    name: str = "the model",
    command: str = "",
    cache_dir: Path | None = None,
    progress: bool = False,
    say: Say = lambda line: None,
) -> Findings:
    """Audit a search: what an attacker can do to it at a threshold, beside what benign edits do.

    Args:
        model: The hash model, or a service that answers with ranked ids: names of the photographs, or their numbers in order.
        images: Folder of the photographs that the search stores.
        out: Folder of the results: new, empty, or of the same audit, which goes on; other attacks and budgets may be added to it.
        labels: A CSV file with what the photographs show, or ``"folders"``; without it what is relevant are own copies.
        codes: Folder that ``hashprobe encode`` wrote of the same photographs: its codes are taken.
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
    asked = _asked_of(model, photos, settings, codes)
    plugins = executed_plugins()
    key = asked.key(*plugins.values())
    own = fingerprint(key, None if known is None else [known.class_names, sha256_of(known.labels.tobytes())])
    facts: dict[str, Any] = {
        "title": f"Audit of {name} on {len(photos.names)} photographs.",
        "command": command,
        "model": {"name": name, **asked.facts},
        "images": {"folder": str(photos.folder), "photographs": len(photos.names)},
        "settings": settings.model_dump(mode="json"),
        "seed": settings.seed,
        "versions": versions(),
        "device": str(model.device),
        **({"plugins": plugins} if plugins else {}),
    }
    folder = user_path(out)
    with recording(folder, fingerprint("audit", own, settings.seed, settings.queries), facts, "audit"):
        search = asked.opened(key, known, cache_dir, progress)
        left_out = search.stored.left_out
        for left, why in left_out[:3]:
            say(f"left out: {left} {why}")
        if len(left_out) > 3:
            say(f"left out: {len(left_out) - 3} more, named in the report")
        work = Audit(folder, search, photos, known, settings, own, progress)
        made = _measure(work, asked, say)
        found = gather(work, made, name)
        write_json_lines(folder / POINTS_FILE, [line for each in made.curves for line in each.lines()])
        write_json(folder / FINDINGS_FILE, found.model_dump(mode="json"))
        write_audit_report(folder)
    return found


def _asked_of(
    model: HashModel | RankedService, photos: Photos, settings: AuditSettings, codes: str | Path | None
) -> Asked:
    """Say what is wrong with the settings and the search before anything is measured, and return what was asked of it."""
    if isinstance(model, RankedService):
        plan(settings, None, lists=True)
        if codes is not None:
            raise HashprobeError("--codes: the service gives no codes, and stores what it finds by itself.")
        return AskedForLists(model, photos, settings)
    pipeline = pipeline_of(model, settings.image_size)
    if settings.threshold is not None and settings.threshold > model.bits:
        raise HashprobeError(
            f"--threshold must be at most the {model.bits} bits of a code; found {settings.threshold}."
        )
    plan(settings, None if model.gradients else "the model gives codes alone")
    if settings.search is not None:
        settings.search.check(model.bits)
    return AskedForCodes(pipeline, photos, codes)


def _measure(work: Audit, asked: Asked, say: Say) -> Made:
    """Measure everything that is asked for."""
    settings, bits = work.settings, work.bits
    pairs, nearest, threshold = None, None, bits
    if not asked.lists:
        levels = work.unrelated_levels()
        pairs = pair_curve(levels, seed=settings.seed)
        nearest = (levels > 0).argmax(axis=1)[levels.any(axis=1)]
        threshold = largest_allowed(pairs.rates, settings.false_positives) or 0
        threshold = threshold if settings.threshold is None else settings.threshold
    planned, skipped = plan(
        settings, asked.no_gradients, lists=asked.lists, collisions=bool((work.others >= 0).all())
    )
    cells, questions = len(EDITS) + len(planned), sum(each.questions or 0 for each in planned)
    many = f"{len(planned)} attack{'s' * (len(planned) != 1)}"
    up_to = f", with up to {questions * len(work.queries):,} questions in all" if questions else ""
    say(f"{len(EDITS)} edits and {many} on {len(work.queries)} of {len(work.stored.rows):,} pictures{up_to}")
    edits = []
    for number, edit in enumerate(EDITS, start=1):
        rows = measure_edit(work, edit, f"{number} of {cells}: ")
        edits.append(MadeEdit(edit, rows, curve("miss", far_of(rows), bits, edit=edit)))
    attacks = []
    for number, each in enumerate(planned, start=len(EDITS) + 1):
        rows = measure_attack(work, each, threshold, f"{number} of {cells}: ")
        about = {"attack": each.name, "budget": each.budget.text, "questions": each.questions}
        own = curve(each.aim, far_of(rows), bits, **about)
        stored = [row.jpeg for row in rows if row.jpeg is not None]
        jpeg = curve(each.aim, stored, bits, **about, jpeg=settings.jpeg) if stored else None
        attacks.append(MadeAttack(each, rows, own, jpeg))
    strangers = None if nearest is None else curve("found unrelated", nearest, bits)
    made = Made(threshold, pairs, strangers, edits, attacks, skipped)
    return made if work.index is None else through_index(work, work.index, made)
