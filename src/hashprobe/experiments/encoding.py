"""A growing list of pictures to a store of their codes: in shards, each made once, in one process or in many.

What is held in memory does not grow with the pictures but for their names, which are packed, about 10 bytes each.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from hashprobe.auditing.checks import pipeline_of
from hashprobe.auditing.photos import PhotoPictures, Photos, listing_sha256, walk
from hashprobe.auditing.shards import Pictures, Shard, make_shard, shard_size
from hashprobe.auditing.stored import CHECKED, SHARDS, encoded_identity, shard_path
from hashprobe.data import RetrievalData, Split
from hashprobe.data.images.store import StoredImages
from hashprobe.devices import resolve_device
from hashprobe.errors import HashprobeError
from hashprobe.evaluation.kept_codes import CODE_STORE, made_by
from hashprobe.experiments.engine import Engine, Outcome, Task, open_engine, run_tasks
from hashprobe.experiments.tasks import how_made
from hashprobe.files import sha256_of, user_path, write_json_lines
from hashprobe.folders import recording
from hashprobe.hashing import HashModel, open_model, service_of, share_service
from hashprobe.identity import fingerprint
from hashprobe.processes import processes
from hashprobe.progress import progress_bar
from hashprobe.retrieval import CodePart, CodeStore, open_code_store, write_code_store_in_parts
from hashprobe.targets import Codes
from hashprobe.typed_values import checked

LEFT_OUT_FILE = "left_out.jsonl"


class Source(Protocol):
    """The pictures of a shard, as they travel to another process."""

    def opened(self) -> Pictures:
        """Return them."""

    def labels(self) -> npt.NDArray[np.uint8] | None:
        """Return what they show, multi-hot ``(n, C)``, where it is known."""


@dataclass(frozen=True)
class PhotoSource:
    """Photographs of a folder; their names are compressed, since a task is held for every shard.

    Attributes:
        folder: The folder.
        packed: The names.
        size: As for :class:`PhotoPictures`.
    """

    folder: Path
    packed: bytes
    size: int | None

    def opened(self) -> PhotoPictures:
        """Return the photographs."""
        names = zlib.decompress(self.packed).decode().split("\0")
        return PhotoPictures(Photos(self.folder, tuple(names)), self.size)

    def labels(self) -> None:
        """Nobody says what they show."""
        return None


@dataclass(frozen=True)
class SplitSource:
    """Rows of the database of a data set.

    Attributes:
        split: The rows.
    """

    split: Split

    @property
    def names(self) -> tuple[str, ...]:
        """Of each image."""
        return self.split.names

    def picture(self, row: int) -> npt.NDArray[np.uint8]:
        """Return an image."""
        return self.split.images[row]

    def opened(self) -> SplitSource:
        """Return itself: images are read from their file when they are asked for."""
        return self

    def labels(self) -> npt.NDArray[np.uint8]:
        """Return their labels."""
        return self.split.labels


@dataclass(frozen=True)
class ModelOpening:
    """How each process opens the model, once.

    Attributes:
        model: As for :func:`hashprobe.hashing.open_model`.
        device: Where it computes.
        workers: How many processes ask it.
        asked: Questions that were asked of it before, where it is a service.
    """

    model: str | Path
    device: str
    workers: int
    asked: int

    def open(self) -> HashModel:
        """Return the model."""
        if self not in _OPEN:
            model = open_model(self.model).to(resolve_device(self.device))
            share_service(model, self.workers, self.asked)
            self.is_open(model)
        return _OPEN[self]

    def is_open(self, model: HashModel) -> None:
        """Say that this process has opened it."""
        _OPEN.clear()
        _OPEN[self] = model


_OPEN: dict[ModelOpening, HashModel] = {}


@dataclass(frozen=True)
class ShardTask:
    """A task that encodes a shard.

    Attributes:
        folder: Of the results.
        number: Of the shard.
        count: How many pictures it holds.
        source: The pictures.
        width: Bytes of a code.
        opening: The model.
    """

    folder: Path
    number: int
    count: int
    source: Source
    width: int
    opening: ModelOpening

    @property
    def key(self) -> str:
        """Its number."""
        return str(self.number)

    @property
    def title(self) -> str:
        """Its number, in words."""
        return f"shard {self.number}"

    @property
    def path(self) -> Path:
        """Its file."""
        return shard_path(self.folder / SHARDS, self.number)

    def needs(self) -> Sequence[Task]:
        """Need nothing."""
        return ()

    def finished(self) -> bool:
        """Say whether it is there, whole; a damaged one is an error."""
        return self.path.exists() and not self.read().missing

    def make(self) -> None:
        """Encode what is missing of it."""
        make_shard(self.path, self.source.opened(), self.opening.open())

    def read(self) -> Shard:
        """Return it."""
        return Shard.read(self.path, self.count, self.width)


@dataclass(frozen=True)
class Encoded:
    """What :func:`encode` left.

    Attributes:
        store: The codes; see :class:`hashprobe.retrieval.CodeStore`.
        left_out: Pictures that could not be used, with why.
        made: How many were encoded now.
        kept: How many were encoded before.
    """

    store: CodeStore
    left_out: tuple[tuple[str, str], ...]
    made: int
    kept: int


@checked
def encode(
    model: str | Path,
    images: str | Path | RetrievalData,
    *,
    out: str | Path,
    image_size: int | None = None,
    device: str = "auto",
    engine: str = "here",
    workers: int | None = None,
    command: str = "",
    progress: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> Encoded:
    """Encode a folder of photographs, or the database of a data set, into a code store that audits and evaluations take.

    Shards that are there are not made again, and the store has the same bytes however many processes made it. A service is
    asked by all of them together no faster and no more often than its ``per_second`` and ``questions`` say.

    Args:
        model: What opens the model in each process, as for :func:`hashprobe.hashing.open_model`.
        images: A folder, or a data set whose decoded images are in a file of the cache.
        out: Folder for the codes: new, empty, or of the same ones, where it goes on.
        image_size: Of a folder the square that photographs are cropped and resized to, as an audit takes it.
        device: Where codes are computed.
        engine: ``here``, ``processes`` or ``ray``.
        workers: How many processes; as :func:`hashprobe.experiments.engine.open_engine` takes it.
        command: That was given.
        progress: Whether a progress bar with the time left is shown.
        say: Is told what is kept where an error ends the work.

    Raises:
        HashprobeError: a folder, a model or a shard that cannot be used; what was encoded before is kept.
    """
    place, folder = resolve_device(device), user_path(out)
    if processes(place).count > 1:
        raise HashprobeError(
            "encode starts its processes by itself (--engine processes); start it without torchrun."
        )
    with open_engine(engine, workers) as opened:
        attacked = open_model(model).to(place)
        service, here = service_of(attacked), engine == "here"
        asked = 0 if here or service is None else service.asked
        opening = ModelOpening(model, str(place), opened.workers, asked)
        if here:
            opening.is_open(attacked)
        sources, identity, facts = _sources(images, attacked, image_size)
        described = {
            "title": f"Codes of {facts['name']}.",
            "command": command,
            "model": {"bits": attacked.bits, "sha256": attacked.sha256()},
            "images": facts,
            **how_made(0, place),
        }
        with recording(folder, identity, described, "encode"):
            width = -(-attacked.bits // 8)
            tasks = [
                ShardTask(folder, number, count, source, width, opening)
                for number, (count, source) in enumerate(sources)
            ]
            left = [task for task in tasks if not task.finished()]
            _check_first(tasks[0], attacked)
            made, total = sum(task.count for task in left), sum(task.count for task in tasks)
            _make(left, opened, total, progress, say)
            left_out = _join(folder, tasks, attacked, renew=bool(left))
            store = open_code_store(folder / CODE_STORE, bits=attacked.bits, model=attacked.sha256())
    return Encoded(store, left_out, made, total - made)


def _make(
    left: Sequence[ShardTask], engine: Engine, total: int, progress: bool, say: Callable[[str], None]
) -> None:
    """Encode the shards that are left of ``total`` pictures."""
    counts = {task.key: task.count for task in left}
    done = total - sum(counts.values())
    with progress_bar("encoding", total, show=progress, done=done) as advance:

        def after(outcome: Outcome) -> None:
            nonlocal done
            if outcome.made:
                own = counts.pop(next(reversed(outcome.made)), 0)
                done += own
                advance(own)

        try:
            run_tasks(left, engine, after=after, stop_at_failure=True)
        except (HashprobeError, BrokenProcessPool) as error:
            say(f"{done:,} of {total:,} pictures are encoded and kept; the same command goes on from there")
            if isinstance(error, HashprobeError):
                raise
            raise HashprobeError(
                "a process that encoded was ended twice in the middle of a shard (was there too little memory?); give fewer "
                "--workers, and the same command goes on."
            ) from None


def _sources(
    images: str | Path | RetrievalData, model: HashModel, image_size: int | None
) -> tuple[Iterator[tuple[int, Source]], str, dict[str, str]]:
    """Return the pictures of each shard with their number, what they are known by, and what is said of them."""
    size = shard_size(model)
    if isinstance(images, RetrievalData):
        split, store = images.database, images.database.images.store
        if not isinstance(store, StoredImages):
            raise HashprobeError(
                "encode takes a data set whose images are in a file of the cache, and these are in memory."
            )
        names = sha256_of("\n".join(split.names), split.labels.tobytes(), split.images.rows.tobytes())
        starts = [np.arange(start, min(start + size, len(split))) for start in range(0, len(split), size)]
        sources: Iterator[tuple[int, Source]] = (
            (len(rows), SplitSource(split.take(rows))) for rows in starts
        )
        identity = fingerprint("encoded data 1", model.sha256(), store.name, names, made_by())
        return sources, identity, {"name": f"the database of {images.name}"}
    place = user_path(images)
    if not place.is_dir():
        raise HashprobeError(f"{place} is no folder; give --images a folder with photographs.")
    pipeline = pipeline_of(model, image_size)
    if next(walk(place), None) is None:
        raise HashprobeError(f"{place} holds no photograph; give --images a folder with photographs.")
    listing = listing_sha256(place, walk(place))

    def packed() -> Iterator[tuple[int, Source]]:
        names = walk(place)
        while some := list(islice(names, size)):
            yield len(some), PhotoSource(place, zlib.compress("\0".join(some).encode()), pipeline.size)

    identity = encoded_identity(model, pipeline.size, listing)
    return packed(), identity, {"name": f"the photographs of {place}", "folder": str(place)}


def _check_first(task: ShardTask, model: HashModel) -> None:
    """Say that a model no longer gives the codes that were made before: two models in one store would be of no use."""
    if not task.path.exists():
        return
    shard, pictures = task.read(), task.source.opened()
    for row in shard.usable[:CHECKED]:
        if model.codes(pictures.picture(row)[None])[0].tobytes().hex() != shard.codes[row]:
            raise HashprobeError(
                f"the model no longer gives the codes that {task.folder} holds; encode everything into another folder."
            )


def _join(
    folder: Path, tasks: Sequence[ShardTask], model: HashModel, *, renew: bool
) -> tuple[tuple[str, str], ...]:
    """Write the shards as one store, one at a time in memory, and what was left out; return that."""
    left_out = tuple(pair for task in tasks for pair in _left_out(task))
    if renew or not (folder / CODE_STORE).exists():
        if sum(task.count for task in tasks) == len(left_out):
            name, why = left_out[0]
            raise HashprobeError(f"no picture can be used ({name} {why}).")
        write_json_lines(folder / LEFT_OUT_FILE, [{"name": name, "why": why} for name, why in left_out])
        write_code_store_in_parts(
            folder / CODE_STORE, lambda: _parts(tasks), bits=model.bits, model=model.sha256()
        )
    return left_out


def _left_out(task: ShardTask) -> Iterable[tuple[str, str]]:
    why = task.read().left_out
    names = task.source.opened().names if why else ()
    return [(names[int(row)], reason) for row, reason in why.items()]


def _parts(tasks: Sequence[ShardTask]) -> Iterator[CodePart]:
    for task in tasks:
        shard, names, labels = task.read(), task.source.opened().names, task.source.labels()
        usable, codes = shard.usable, _codes(shard, task.width)
        yield CodePart(codes, None if labels is None else labels[usable], [names[row] for row in usable])


def _codes(shard: Shard, width: int) -> Codes:
    return np.ascontiguousarray(shard.packed(width))
