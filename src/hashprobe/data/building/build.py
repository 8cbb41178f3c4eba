"""``build_data_set``: from an official archive, or from generated scenes, to a folder that ``load`` reads."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from hashprobe.data.building.archive import OFFICIAL_DATA_SETS, Archive, OfficialDataSet
from hashprobe.data.building.writing import Rows, built_already, write_folder, write_lists
from hashprobe.data.formats.drawing import draw_splits
from hashprobe.data.formats.reading import read_listing
from hashprobe.data.images.image_files import SOURCE_FILE, ImageFiles, image_folder, source_text
from hashprobe.data.loading import load
from hashprobe.data.registry import DATA_SETS
from hashprobe.data.retrieval_data import Split
from hashprobe.errors import HashprobeError, unknown_name
from hashprobe.files import user_path, write_text
from hashprobe.progress import progress_bar
from hashprobe.typed_values import checked


@dataclass(frozen=True)
class BuiltDataSet:
    """What was built.

    Attributes:
        name: Of the data set.
        out: The folder; ``load(out)`` reads it.
        queries: How many queries.
        database: How many database images.
        train: How many training images.
        classes: How many classes.
        warnings: What is not as in the official archive or the paper; one sentence each.
    """

    name: str
    out: Path
    queries: int
    database: int
    train: int
    classes: int
    warnings: tuple[str, ...] = ()


def names_to_build() -> tuple[str, ...]:
    """Return what :func:`build_data_set` can build: official archives, then generated data sets."""
    return (*OFFICIAL_DATA_SETS, *DATA_SETS)


@checked
def build_data_set(
    name: str,
    source: str | Path | None,
    out: str | Path,
    *,
    seed: int = 0,
    queries: int | None = None,
    train: int | None = None,
    lists: str | Path | None = None,
    image_size: int = 64,
    progress: bool = False,
) -> BuiltDataSet:
    """Write a data set as a folder in list format 1.

    From an official archive only lists are written, and ``source.txt``, which says where the images are. The
    queries are drawn uniformly from a seed, the rest is the database, and the training images are drawn from it,
    in the paper's numbers; or the splits are those of given lists. Of a generated data set the images are
    written too, as PNG files. The same build again changes nothing.

    Args:
        name: ``flickr25k``, ``nus-wide``, ``ms-coco``, or a generated data set (``openmoji``).
        source: The folder in which the official archives were unpacked; ``None`` for a generated data set.
        out: A new or empty folder.
        seed: Of the draw, or of the generated data set.
        queries: How many; the paper's number by default, in proportion if the archive is not whole.
        train: How many training images; likewise.
        lists: A folder of lists in any format, or a table, whose splits are taken; labels are the archive's.
        image_size: Of a generated data set, in pixels.
        progress: Whether a progress bar is shown.

    Raises:
        HashprobeError: an unknown name, an archive that lacks something, numbers that cannot be drawn, or a
            folder that holds something else.
    """
    out = user_path(out)
    if name not in OFFICIAL_DATA_SETS and name not in DATA_SETS:
        raise unknown_name("data set to build", name, names_to_build())
    folder = _folder(name, source) if name in OFFICIAL_DATA_SETS else None
    request = {
        "name": name,
        "source": str(folder) if folder else None,
        "seed": seed,
        "queries": queries,
        "train": train,
        "lists": str(user_path(lists).resolve()) if lists else None,
        "image_size": None if folder else image_size,
    }
    record = built_already(out, request)
    if record is not None:
        return BuiltDataSet(**{**record["built"], "out": out, "warnings": tuple(record["built"]["warnings"])})
    if folder is None:
        if source is not None or lists is not None:
            raise HashprobeError(f"{name} is generated; it takes neither a source nor lists.")
        return _build_generated(name, out, request, progress)
    official = OFFICIAL_DATA_SETS[name]
    archive = official.read(folder)
    if lists is not None:
        splits, warnings = _given(archive, user_path(lists), folder)
    else:
        splits, warnings = _drawn(name, official, archive, seed, queries, train)
    if len(archive.names) != official.images:
        found = f"{len(archive.names)} images were found, in the official archive are {official.images:,}."
        warnings = [found, *warnings]

    def fill(temporary: Path) -> None:
        write_lists(temporary, archive.class_names, splits)
        write_text(temporary / SOURCE_FILE, source_text(folder))

    return _write(name, out, request, archive.class_names, splits, [*archive.warnings, *warnings], fill)


def _folder(name: str, source: str | Path | None) -> Path:
    if source is None:
        raise HashprobeError(f"{name} needs --source, the folder in which its archives were unpacked.")
    folder = user_path(source).resolve()
    if not folder.is_dir():
        raise HashprobeError(f"the folder {folder} does not exist; expected the unpacked archives of {name}.")
    return folder


def _drawn(
    name: str,
    official: OfficialDataSet,
    archive: Archive,
    seed: int,
    queries: int | None,
    train: int | None,
) -> tuple[dict[str, Rows], list[str]]:
    """Draw queries and training images; every list is in the archive's order."""
    images, warnings = len(archive.names), []
    share = images / official.images
    if share < 1 and (queries is None or train is None):
        warnings.append(
            f"the archive is not whole, so the paper's {official.queries:,} queries and {official.train:,} "
            "training images are reduced in proportion, where no other number was asked for."
        )
    queries = max(1, round(official.queries * min(share, 1.0))) if queries is None else queries
    train = max(1, round(official.train * min(share, 1.0))) if train is None else train
    drawn = draw_splits(images, queries, train, seed, name)
    splits: dict[str, Rows] = {
        split: ([archive.names[row] for row in rows], archive.labels[rows]) for split, rows in drawn.items()
    }
    return splits, warnings


class _FileNamesAlone(ImageFiles):
    """Lets all folders that listed paths share be left out, since only the file names are looked at."""

    def first_found(self, names: Collection[str]) -> str | None:
        return list(names)[-1] if names else None


def _given(archive: Archive, lists: Path, source: Path) -> tuple[dict[str, Rows], list[str]]:
    """Take the splits of given lists; images are matched by file name, labels are the archive's."""
    if not lists.exists():
        raise HashprobeError(f"the given lists {lists} do not exist.")
    listing = read_listing(lists, _FileNamesAlone(image_folder(lists, elsewhere=True)))
    by_file = {name.rsplit("/", 1)[-1]: row for row, name in enumerate(archive.names)}
    splits: dict[str, Rows] = {}
    others = 0
    for split_name, split in listing.splits():
        rows = [by_file.get(name.rsplit("/", 1)[-1], -1) for name in split.names]
        if -1 in rows:
            first = rows.index(-1)
            raise HashprobeError(
                f"{split.at[first]}: {split.names[first]} is no image of the archive in {source}, or one without "
                f"a label there ({rows.count(-1)} such in this split)."
            )
        labels = archive.labels[rows]
        if split.labels.shape == labels.shape:
            others += int((split.labels != labels).any(axis=1).sum())
        splits[split_name] = ([archive.names[row] for row in rows], labels)
    if listing.query.labels.shape[1] != len(archive.class_names):
        classes = f"{listing.query.labels.shape[1]} classes, the archive {len(archive.class_names)}"
        return splits, [f"the given lists have {classes}; the archive's labels are written."]
    warning = (
        f"in {others} rows the given lists have other labels (or another order of classes) than the archive"
    )
    return splits, [f"{warning}; the archive's are written."] if others else []


def _build_generated(name: str, out: Path, request: dict[str, Any], progress: bool) -> BuiltDataSet:
    options = {"queries": request["queries"], "train": request["train"]}
    options = {option: count for option, count in options.items() if count is not None}
    data = load(name, image_size=request["image_size"], seed=request["seed"], progress=progress, **options)
    first: dict[str, tuple[str, Split, int]] = {}  # of each image: its file, and where it is listed first
    for split, part in data.splits():
        for row, image in enumerate(part.names):
            first.setdefault(image, (f"images/{split}/{row:06d}.png", part, row))
    splits: dict[str, Rows] = {
        split: ([first[image][0] for image in part.names], part.labels) for split, part in data.splits()
    }

    def fill(temporary: Path) -> None:
        with progress_bar("writing images", len(first), show=progress) as advance:
            for name, part, row in first.values():
                path = temporary / name
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(part.images[row].transpose(1, 2, 0)).save(path, format="PNG")
                advance(1)
        write_lists(temporary, data.class_names, splits)

    return _write(name, out, request, data.class_names, splits, [], fill)


def _write(
    name: str,
    out: Path,
    request: dict[str, Any],
    class_names: tuple[str, ...],
    splits: dict[str, Rows],
    warnings: list[str],
    fill: Callable[[Path], None],
) -> BuiltDataSet:
    counts = {split: len(names) for split, (names, _) in splits.items()}
    built = BuiltDataSet(
        name, out, counts["query"], counts["database"], counts["train"], len(class_names), tuple(warnings)
    )
    record = {"request": request, "built": {**asdict(built), "out": str(out), "warnings": warnings}}
    write_folder(out, record, fill)
    return built
