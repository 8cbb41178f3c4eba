"""Measures the cells of an audit: benign edits and attacks; each picture as a file holds it, read again."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt

from hashprobe.auditing.edits import EDITS
from hashprobe.auditing.kept import Cell, Measured
from hashprobe.auditing.plan import Planned
from hashprobe.auditing.shards import answering
from hashprobe.auditing.similarity import ssim
from hashprobe.auditing.work import Audit, distances
from hashprobe.evaluation.own_size import Picture, as_file, in_eight_bits
from hashprobe.files import replacing
from hashprobe.identity import version_of
from hashprobe.progress import progress_bar
from hashprobe.seeds import torch_generator
from hashprobe.targets import Goal

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
            codes = audit.codes(edited, f"{audit.name(block[0])}, {edit.title}")
            far = distances(codes, audit.stored.codes[audit.queries[list(block)]])
            first, precision = audit.ranks(codes, block)
            cell.add(
                [
                    Measured(
                        query=query,
                        distance=int(far[place]),
                        before=0,
                        first=float(first[place]),
                        precision=float(precision[place]),
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
    aimed = audit.stored.codes[own if evades else audit.others[queries]]
    generator = torch_generator(
        audit.settings.seed, "audit", attack.described(), planned.aim, audit.name(queries[0])
    )
    with answering(audit.name(queries[0])):
        result = attack.run(
            audit.pipeline.at_own_size,
            clean,
            Goal(objective="untargeted" if evades else "targeted", codes=aimed),
            generator=generator,
        )
    pictures = in_eight_bits(result.images, clean, attack.epsilon, attack.norm)
    codes = audit.codes([as_file(one) for one in pictures], audit.name(queries[0]))
    far, before = distances(codes, aimed), distances(audit.stored.codes[own], aimed)
    stored = None
    if audit.settings.jpeg is not None:
        again = [as_file(one, audit.settings.jpeg) for one in pictures]
        stored = distances(audit.codes(again, audit.name(queries[0])), aimed)
    first, precision = audit.ranks(codes, queries)
    change = (pictures.astype(np.float64) - clean) / 255
    return [
        (
            query,
            pictures[place],
            Measured(
                query=query,
                distance=int(far[place]),
                before=int(before[place]),
                jpeg=None if stored is None else int(stored[place]),
                first=float(first[place]),
                precision=float(precision[place]),
                linf=float(np.abs(change[place]).max()),
                l2=float(np.linalg.norm(change[place])),
                rms=float(np.sqrt(np.square(change[place]).mean())),
                ssim=ssim(pictures[place], clean[place]),
                questions=int(result.cost.questions[place]) if planned.questions else None,
            ),
        )
        for place, query in enumerate(queries)
    ]


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
