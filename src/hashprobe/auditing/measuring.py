"""Measures the cells of an audit: unrelated pairs, benign edits, attacks; each picture as a file holds it, read again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hashprobe import retrieval
from hashprobe.auditing.edits import EDITS
from hashprobe.auditing.kept import Cell, Measured
from hashprobe.auditing.photos import Labels, Photos
from hashprobe.auditing.plan import Planned
from hashprobe.auditing.settings import AuditSettings
from hashprobe.auditing.similarity import ssim
from hashprobe.auditing.stored import Stored, answering
from hashprobe.data.images.decoding import decode_image
from hashprobe.evaluation.own_size import Picture, Pipeline, as_file, in_eight_bits
from hashprobe.files import replacing
from hashprobe.identity import fingerprint, version_of
from hashprobe.progress import progress_bar
from hashprobe.seeds import numpy_generator, torch_generator
from hashprobe.targets import Codes, Goal

AT_ONCE = 32
PIXELS_AT_ONCE = 4_000_000
"""Of photographs that are attacked together."""
KEPT_PICTURES = 4
"""Of an attack: those that it succeeded on best."""
PAIR_QUERIES = 1000
"""Photographs that are compared with all others, at most, to count false positives."""


@dataclass(frozen=True)
class Audit:
    """What the measuring works with.

    Attributes:
        folder: Of the results.
        pipeline: The audited search's way from a file to a code.
        photos: The photographs.
        stored: The codes of those that can be used.
        labels: What they show, of all photographs, where somebody says so.
        settings: What is measured.
        key: Fingerprint of model, photographs and labels.
        progress: Whether progress bars are shown.
    """

    folder: Path
    pipeline: Pipeline
    photos: Photos
    stored: Stored
    labels: Labels | None
    settings: AuditSettings
    key: str
    progress: bool = False

    @property
    def bits(self) -> int:
        """K."""
        return self.pipeline.model.bits

    @cached_property
    def queries(self) -> npt.NDArray[np.intp]:
        """The pictures that are attacked and edited, as places among the stored ones, in the order of their sizes."""
        count = len(self.stored.rows)
        drawn = numpy_generator(self.settings.seed, "audit", "queries").permutation(count)
        chosen = drawn[: self.settings.queries]
        sizes = {own: self.photos.size(int(self.stored.rows[own])) for own in chosen}
        return np.array(sorted(chosen, key=lambda own: (sizes[own], own)), dtype=np.intp)

    @cached_property
    def others(self) -> npt.NDArray[np.intp]:
        """Of each query, the unrelated stored picture that it is to be taken for; -1 where there is none."""
        return np.array([self._other(int(own)) for own in self.queries], dtype=np.intp)

    def _other(self, own: int) -> int:
        everybody = np.arange(len(self.stored.rows))
        draws = numpy_generator(self.settings.seed, "audit", "other", self._name(own)).permutation(everybody)
        unrelated = draws[draws != own]
        if self.labels is not None:
            unrelated = unrelated[
                self.labels.unrelated(int(self.stored.rows[own]), self.stored.rows[unrelated])
            ]
        return int(unrelated[0]) if len(unrelated) else -1

    @cached_property
    def blocks(self) -> list[range]:
        """Runs of queries that are attacked together: of one size as their files say, and few where they are large."""
        runs, start, sizes = list[range](), 0, [self.size(query) for query in range(len(self.queries))]
        for end in range(1, len(sizes) + 1):
            height, width = sizes[start]
            many = (end - start) * height * width >= PIXELS_AT_ONCE or end - start == AT_ONCE
            if end == len(sizes) or sizes[end] != sizes[start] or many:
                runs.append(range(start, end))
                start = end
        return runs

    def size(self, query: int) -> tuple[int, int]:
        """Return height and width of a query as its file says them."""
        return self.photos.size(int(self.stored.rows[self.queries[query]]))

    def photograph(self, query: int) -> Picture:
        """Return a query at its own size, upright."""
        return decode_image(self.photos.read(int(self.stored.rows[self.queries[query]])), None, still=True)

    def name(self, query: int) -> str:
        """Return the name of a query's file."""
        return self._name(int(self.queries[query]))

    def _name(self, own: int) -> str:
        return self.photos.names[int(self.stored.rows[own])]

    def unrelated_levels(self) -> npt.NDArray[np.int64]:
        """Return how many unrelated stored pictures lie at each distance of some of them, int64 ``(n, K + 1)``."""
        count = len(self.stored.rows)
        drawn = numpy_generator(self.settings.seed, "audit", "pairs").permutation(count)
        chosen = np.sort(drawn[:PAIR_QUERIES])
        labels = self.stored_labels
        counts = retrieval.count_levels(
            self.stored.codes[chosen],
            self.stored.codes,
            labels[chosen],
            labels,
            bits=self.bits,
            progress=self.progress,
        )
        levels = counts.items - counts.relevant if self.labels is not None else counts.items.copy()
        if self.labels is None:
            levels[:, 0] -= 1  # itself
        found: npt.NDArray[np.int64] = levels
        return found

    @cached_property
    def stored_labels(self) -> npt.NDArray[np.uint8]:
        """Labels of the stored pictures ``(N, C)``; one empty column where nothing is known."""
        if self.labels is None:
            return np.zeros((len(self.stored.rows), 1), dtype=np.uint8)
        return self.labels.labels[self.stored.rows]

    def cell(self, name: str, *depends: object) -> Cell:
        """Return the cell of a name, with what is kept of it."""
        key = fingerprint(
            self.key, self.settings.seed, self.settings.queries, self.settings.jpeg, name, *depends
        )
        return Cell(self.folder, name, key, len(self.queries))

    def codes(self, files: Sequence[bytes], what: str) -> Codes:
        """Return the codes of files, each brought to the model as a photograph is."""
        with answering(what):
            return np.stack([self.pipeline.code(data) for data in files])

    def ranks(
        self, codes: Codes, queries: Sequence[int]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return the chance that each query's own copy comes first, and its average precision; see :class:`Measured`."""
        rows = self.queries[list(queries)]
        labels, own = self.stored_labels, _distances(codes, self.stored.codes[rows])
        counts = retrieval.count_levels(codes, self.stored.codes, labels[rows], labels, bits=self.bits)
        places = np.arange(len(rows))
        ties = counts.items[places, own]
        nearer = np.cumsum(counts.items, axis=1)[places, own] - ties
        first = (nearer == 0) / ties
        if self.labels is not None:
            return first, retrieval.average_precision_from_counts(counts)
        # Of one relevant item the average precision is the mean of 1 / rank over the places that its ties may give it.
        ranks = [1 / np.arange(low + 1, low + tied + 1) for low, tied in zip(nearer, ties, strict=True)]
        return first, np.array([own.mean() for own in ranks])


def _distances(codes: Codes, others: Codes) -> npt.NDArray[np.int64]:
    differing: npt.NDArray[np.int64] = np.unpackbits(codes ^ others, axis=1).sum(axis=1, dtype=np.int64)
    return differing


def measure_edit(audit: Audit, name: str) -> list[Measured]:
    """Return how far a benign edit moves the code of each query from its stored one."""
    edit = EDITS[name]
    cell = audit.cell(f"edit-{name}", edit.title, edit.VERSION, version_of(edit.change))
    with progress_bar(
        f"edit {name}", cell.of, show=audit.progress and not cell.done, done=len(cell.rows)
    ) as advance:
        for block in audit.blocks[_block_of(audit, len(cell.rows)) :]:
            edited = [as_file(edit(audit.photograph(query))) for query in block]
            codes = audit.codes(edited, f"{audit.name(block[0])}, {edit.title}")
            far = _distances(codes, audit.stored.codes[audit.queries[list(block)]])
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


def measure_attack(audit: Audit, planned: Planned, threshold: int) -> list[Measured]:
    """Return what an attack did to each query: evasion from its own stored code, collision with the chosen other's.

    Args:
        audit: The audit.
        planned: The attack.
        threshold: At which it asks whether a picture is found, where it asks that.
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
    name = name.replace("/", "of").replace(" ", "")
    cell = audit.cell(
        f"attack-{name}", described.described(), version_of(type(described)), planned.budget.text
    )
    title = f"{planned.name}, {planned.aim}, {planned.budget.text}"
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
            cell.add(_keep_pictures(audit, cell, [rows[query] for query in block], made, planned, name))
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
    far, before = _distances(codes, aimed), _distances(audit.stored.codes[own], aimed)
    stored = None
    if audit.settings.jpeg is not None:
        again = [as_file(one, audit.settings.jpeg) for one in pictures]
        stored = _distances(audit.codes(again, audit.name(queries[0])), aimed)
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
    audit: Audit, cell: Cell, rows: list[Measured], made: dict[int, Picture], planned: Planned, name: str
) -> list[Measured]:
    """Write the pictures of those that are among the attack's best so far, and forget those that no longer are."""
    sign = -1 if planned.aim == "evasion" else 1
    everybody = [*cell.rows, *rows]
    best = sorted(range(len(everybody)), key=lambda place: (sign * everybody[place].distance, place))[
        :KEPT_PICTURES
    ]
    for place, row in enumerate(everybody):
        file = f"pictures/{name}-{row.query:04d}.png"
        if place not in best and row.picture:
            (audit.folder / row.picture).unlink(missing_ok=True)
            row.picture = None
        elif place in best and row.query in made:
            with replacing(audit.folder / file) as temporary:
                temporary.write_bytes(as_file(made[row.query]))
            row.picture = file
    return rows
