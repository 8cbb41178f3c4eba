"""Measures the cells of an audit: benign edits and attacks; each picture as a file holds it, read again."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt

from hashprobe.auditing.edits import EDITS
from hashprobe.auditing.kept import Cell, Measured
from hashprobe.auditing.plan import Planned
from hashprobe.auditing.searches import Answers
from hashprobe.auditing.shards import answering
from hashprobe.auditing.similarity import ssim
from hashprobe.auditing.work import Audit
from hashprobe.evaluation.own_size import Picture, as_file, in_eight_bits
from hashprobe.files import replacing
from hashprobe.identity import version_of
from hashprobe.progress import progress_bar
from hashprobe.seeds import torch_generator

KEPT_PICTURES = 4
"""Of an attack: those that it succeeded on best."""


def measure_edit(audit: Audit, name: str, place: str = "") -> list[Measured]:
    """Return how far a benign edit moves the code of each query from its stored one; ``place`` goes before what a bar says."""
    edit = EDITS[name]
    cell = audit.cell(f"edit-{name}", edit.title, edit.VERSION, version_of(edit.change))
    with progress_bar(
        f"{place}edit {name}", cell.of, show=audit.progress and not cell.done, done=len(cell.rows)
    ) as advance:
        for block in audit.blocks[_block_of(audit, len(cell.rows)) :]:
            edited = [as_file(edit(audit.photograph(query))) for query in block]
            own = audit.queries[list(block)]
            found = audit.search.answers(edited, own, own, f"{audit.name(block[0])}, {edit.title}")
            cell.add(
                [
                    Measured(
                        query=query,
                        before=0,
                        **_answered(found, place),
                    )
                    for place, query in enumerate(block)
                ]
            )
            advance(len(block))
    return cell.rows


def _block_of(audit: Audit, done: int) -> int:
    return sum(block.stop <= done for block in audit.blocks)


def measure_attack(audit: Audit, planned: Planned, threshold: int, place: str = "") -> list[Measured]:
    """Return what an attack did to each query: evasion from its own stored code, collision with the chosen other's.

    Args:
        audit: The audit.
        planned: The attack.
        threshold: At which it asks whether a picture is found, where it asks that.
        place: What goes before what a progress bar says.
    """
    described = planned.build(1, audit.settings, threshold)
    name = "-".join(
        [
            planned.name,
            planned.aim,
            planned.budget.text,
            *([str(planned.questions)] if planned.questions else []),
        ]
    )
    name = re.sub(r"[^A-Za-z0-9]+", "-", name.replace("/", "of"))
    cell = audit.cell(
        f"attack-{name}", described.described(), version_of(type(described)), planned.budget.text
    )
    title = f"{place}{planned.name}, {planned.aim}, {planned.budget.text}"
    with progress_bar(title, cell.of, show=audit.progress and not cell.done, done=len(cell.rows)) as advance:
        for block in audit.blocks[_block_of(audit, len(cell.rows)) :]:
            pictures = [audit.photograph(query) for query in block]
            rows: dict[int, Measured] = {}
            made: dict[int, Picture] = {}
            for shape in dict.fromkeys(picture.shape for picture in pictures):
                chosen = [
                    query for query, picture in zip(block, pictures, strict=True) if picture.shape == shape
                ]
                clean = np.stack([picture for picture in pictures if picture.shape == shape])
                for query, picture, row in _attacked(audit, planned, threshold, chosen, clean):
                    rows[query], made[query] = row, picture
            cell.add(_keep_pictures(audit, cell, [rows[query] for query in block], made, planned))
            advance(len(block))
    return cell.rows


def _attacked(
    audit: Audit, planned: Planned, threshold: int, queries: list[int], clean: npt.NDArray[np.uint8]
) -> list[tuple[int, Picture, Measured]]:
    """Attack queries of one size together."""
    attack = planned.build(clean[0].size, audit.settings, threshold)
    own = audit.queries[queries]
    evades = planned.aim == "evasion"
    counting = own if evades else audit.others[queries]
    generator = torch_generator(
        audit.settings.seed, "audit", attack.described(), planned.aim, audit.name(queries[0])
    )
    with answering(audit.name(queries[0])):
        before = audit.search.before(clean, own, counting)
        goal, told = audit.search.goal(planned.aim, counting)
        result = attack.run(audit.search.victim, clean, goal, generator=generator, **told)
    pictures = in_eight_bits(result.images, clean, attack.epsilon, attack.norm)
    files, name, stored = [as_file(one) for one in pictures], audit.name(queries[0]), None
    found = audit.search.answers(files, own, counting, name)
    if audit.settings.jpeg is not None:
        again = [as_file(one, audit.settings.jpeg) for one in pictures]
        stored = audit.search.answers(again, own, counting, name).far
    change = (pictures.astype(np.float64) - clean) / 255
    return [
        (
            query,
            pictures[place],
            Measured(
                query=query,
                before=int(before[place]),
                jpeg=None if stored is None else int(stored[place]),
                **_answered(found, place),
                linf=float(np.abs(change[place]).max()),
                l2=float(np.linalg.norm(change[place])),
                rms=float(np.sqrt(np.square(change[place]).mean())),
                ssim=ssim(pictures[place], clean[place]),
                questions=int(result.cost.questions[place]) if planned.questions else None,
            ),
        )
        for place, query in enumerate(queries)
    ]


def _answered(found: Answers, place: int) -> dict[str, Any]:
    """Return what the search said of a picture as fields of :class:`Measured`."""
    return {
        "distance": int(found.far[place]),
        "first": float(found.first[place]),
        "precision": float(found.precision[place]),
        "code": None if found.codes is None else found.codes[place].tobytes().hex(),
    }


def _keep_pictures(
    audit: Audit, cell: Cell, rows: list[Measured], made: dict[int, Picture], planned: Planned
) -> list[Measured]:
    """Write the pictures of those that are among the attack's best so far, and forget those that no longer are."""
    sign = -1 if planned.aim == "evasion" else 1
    everybody = [*cell.rows, *rows]
    best = sorted(range(len(everybody)), key=lambda place: (sign * everybody[place].distance, place))[
        :KEPT_PICTURES
    ]
    for place, row in enumerate(everybody):
        file = f"pictures/{cell.path.stem}-{row.query:04d}.png"
        if place not in best and row.picture:
            (audit.folder / row.picture).unlink(missing_ok=True)
            row.picture = None
        elif place in best and row.query in made:
            with replacing(audit.folder / file) as temporary:
                temporary.write_bytes(as_file(made[row.query]))
            row.picture = file
    return rows
