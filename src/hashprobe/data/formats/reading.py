"""From a path to its lists: which format they are in, told by the files; a new one is a reader and a line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from hashprobe.data.faults import STRICT, Faults
from hashprobe.data.formats.cifar import has_cifar, read_cifar
from hashprobe.data.formats.csv_lists import has_splits, read_only_table, read_table, tables
from hashprobe.data.formats.drawing import Draw
from hashprobe.data.formats.line_lists import has_line_lists, has_shards, read_line_lists
from hashprobe.data.formats.listing import Listing, check_listing
from hashprobe.data.formats.lists import has_pairs, has_triples, read_pairs, read_triples
from hashprobe.data.formats.paths import relative_names
from hashprobe.data.formats.voc import read_voc, voc_folder
from hashprobe.data.images.image_files import ImageFiles
from hashprobe.data.registry import DATA_SETS
from hashprobe.errors import HashprobeError, unknown_name
from hashprobe.files import user_path


@dataclass(frozen=True)
class ListFormat:
    """A way to write down three splits.

    Attributes:
        title: For messages.
        is_in: Says whether a folder looks like it.
        read: Reads it; paths stay as they are written.
    """

    title: str
    is_in: Callable[[Path], bool]
    read: Callable[[Path, Faults], Listing]


FORMATS = (
    ListFormat("database_img.txt and database_label.txt (list format 1)", has_pairs, read_pairs),
    ListFormat("database.txt (list format 2)", has_line_lists, read_line_lists),
    ListFormat("database_img.txt and database_label_onehot.txt (list format 3)", has_triples, read_triples),
    ListFormat("database0.txt, database1.txt … (list format 4)", has_shards, read_line_lists),
    ListFormat(
        "a CSV file with the columns path and split", lambda folder: bool(tables(folder)), read_only_table
    ),
    ListFormat("VOCdevkit/VOC2007", lambda folder: voc_folder(folder) is not None, read_voc),
    ListFormat("cifar-10-batches-bin", has_cifar, read_cifar),
)


def given_path(path: str | Path) -> Path:
    """Return the path of a folder of lists or of a table, ``~`` expanded.

    Raises:
        HashprobeError: nothing is there.
    """
    given = user_path(path)
    if given.exists():
        return given
    if len(given.parts) > 1 or given.suffix:
        raise HashprobeError(f"{given} does not exist; expected a folder of lists or a CSV table.")
    raise unknown_name("data set or folder", str(path), DATA_SETS)


def data_name(path: Path) -> str:
    """Return what the data of a folder of lists or of a table are called: as the path, without the ending of a file."""
    return path.resolve().stem if path.is_file() else path.resolve().name


def format_of(folder: Path) -> ListFormat:
    """Return the list format of a folder.

    Raises:
        HashprobeError: the folder is in none, or in more than one.
    """
    found = [known for known in FORMATS if known.is_in(folder)]
    if not found:
        raise HashprobeError(
            f"{folder} holds no lists; expected one of: {'; '.join(known.title for known in FORMATS)}. "
            "For an official archive as it unpacks, write lists first with hashprobe data build."
        )
    if len(found) > 1:
        raise HashprobeError(
            f"{folder} holds lists in {len(found)} formats: {'; '.join(known.title for known in found)}; "
            "move all but one of them to another folder."
        )
    return found[0]


def read_listing(path: Path, files: ImageFiles, faults: Faults = STRICT, draw: Draw | None = None) -> Listing:
    """Read the lists of a folder, in whichever format, or a table; of the images it is looked only where they are.

    Args:
        path: The folder, or a CSV file.
        files: Where the images are, which tells what to leave out of listed paths.
        faults: Where is reported what is wrong. If they are collected, the faulty rows are left out and the splits
            are not compared with each other.
        draw: How the splits of a table without a column ``split`` are drawn.

    Raises:
        HashprobeError: no format or more than one, or a draw where the splits are given; if ``faults`` is strict, also
            a list that is missing, a line that is wrong, or splits that contradict each other (the message names file
            and line).
    """
    is_table = path.is_file()
    asked = draw is not None and (draw.queries, draw.train) != (None, None)
    if asked and (not is_table or has_splits(path)):
        raise HashprobeError(
            f"{path} says which images each split has; leave the options queries and train out."
        )
    written = read_table(path, faults, draw) if is_table else format_of(path).read(path, faults)
    query, database = (relative_names(split, files, faults) for split in (written.query, written.database))
    train = database if written.train is written.database else relative_names(written.train, files, faults)
    listing = replace(written, query=query, database=database, train=train)
    if faults is STRICT:
        check_listing(listing)
    return listing
