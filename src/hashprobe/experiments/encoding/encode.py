"""Encodes the shards that are missing, and joins all of them into one store."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

from hashprobe.auditing.shards import still_gives
from hashprobe.data import RetrievalData
from hashprobe.devices import resolve_device
from hashprobe.errors import HashprobeError
from hashprobe.evaluation.kept_codes import CODE_STORE
from hashprobe.experiments.encoding.shard_task import ModelOpening, ShardTask
from hashprobe.experiments.encoding.sources import sources_of
from hashprobe.experiments.engine import Engine, Outcome, open_engine, run_tasks
from hashprobe.experiments.tasks import how_made
from hashprobe.files import user_path, write_json_lines
from hashprobe.folders import recording
from hashprobe.hashing import HashModel, open_model, service_of
from hashprobe.processes import processes
from hashprobe.progress import progress_bar
from hashprobe.retrieval import CodePart, CodeStore, open_code_store, write_code_store_in_parts
from hashprobe.typed_values import checked

LEFT_OUT_FILE = "left_out.jsonl"


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
        sources, identity, facts = sources_of(images, attacked, image_size)
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
            _check_same(tasks, attacked)
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


def _check_same(tasks: Sequence[ShardTask], model: HashModel) -> None:
    """Say that a model no longer gives the codes that were made before: two models in one store would be of no use."""
    made = ((task.source.opened(), task.read()) for task in tasks if task.path.exists())
    if not still_gives(model, made):
        raise HashprobeError(
            f"the model no longer gives the codes that {tasks[0].folder} holds; encode everything into another folder."
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


def _left_out(task: ShardTask) -> list[tuple[str, str]]:
    why = task.read().left_out
    names = task.source.opened().names if why else ()
    return [(names[int(row)], reason) for row, reason in why.items()]


def _parts(tasks: Sequence[ShardTask]) -> Iterator[CodePart]:
    for task in tasks:
        shard, names, labels = task.read(), task.source.opened().names, task.source.labels()
        usable, codes = shard.usable, shard.packed(task.width)
        yield CodePart(codes, None if labels is None else labels[usable], [names[row] for row in usable])
