"""The photographs of a folder: where they are, how large, and what they show, where somebody says so."""

from __future__ import annotations

import csv
import hashlib
import io
import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from hashprobe.bounds import check_readable, read_bytes
from hashprobe.data.images.decoding import EXTENSIONS, FORMATS, UnusableImage, decode_image
from hashprobe.data.images.image_files import ImageFiles
from hashprobe.errors import HashprobeError, shortened
from hashprobe.files import sha256_of, user_path

SUB_FOLDERS = "folders"
"""In place of a file of labels: the folder that a photograph lies in is its label."""


@dataclass(frozen=True)
class Photos:
    """The photographs of a folder, and of the folders in it.

    Attributes:
        folder: The folder.
        names: Of each file its path within the folder, in order.
    """

    folder: Path
    names: tuple[str, ...]

    def read(self, number: int) -> bytes:
        """Return the bytes of a file.

        Raises:
            UnusableImage: it cannot be read.
        """
        try:
            return read_bytes(self.folder / self.names[number], "image_bytes")
        except OSError as error:
            raise UnusableImage(f"cannot be read ({error.strerror})") from None

    def size(self, number: int) -> tuple[int, int]:
        """Return height and width as the file's header says them, or zeros; nothing is decoded."""
        try:
            path = self.folder / self.names[number]
            check_readable(path, "image_bytes")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", Image.DecompressionBombWarning)
                with Image.open(path, formats=FORMATS) as image:
                    return image.height, image.width
        except Exception:  # it is said when the file is decoded
            return 0, 0

    def identity(self) -> str:
        """Return a hash of all names, sizes and times of change; no file is read for it."""
        return sha256_of("\n".join(self.names), ImageFiles(self.folder).identity(self.names))


def find_photos(folder: str | Path) -> Photos:
    """Find the photographs of a folder by the ends of their names; hidden files and folders are passed over.

    Raises:
        HashprobeError: it is no folder, or there is none in it.
    """
    place = user_path(folder)
    if not place.is_dir():
        raise HashprobeError(f"{place} is no folder; give --images a folder with photographs.")
    names = tuple(walk(place))
    if not names:
        raise HashprobeError(
            f"{place} holds no photograph; expected files that end in {', '.join(EXTENSIONS)}, there or in folders within."
        )
    return Photos(place, names)


def walk(place: Path, inside: str = "") -> Iterator[str]:
    """Yield the paths of a folder's photographs within it, sorted, of which only those of one folder are held at a time.

    Raises:
        HashprobeError: a name that is not UTF-8.
    """
    try:
        with os.scandir(place / inside) as entries:
            # With its slash a folder is sorted as the paths in it are.
            found = sorted(
                (f"{own.name}/" if _is_folder(own) else own.name, own.is_symlink()) for own in entries
            )
    except OSError:  # what cannot be looked into holds nothing for us
        return
    for name, is_link in found:
        if name.startswith("."):
            continue
        if not name.endswith("/"):
            if name.lower().endswith(EXTENSIONS):
                _check_name(inside + name)
                yield inside + name
        elif not is_link:
            yield from walk(place, inside + name)


def listing_sha256(place: Path, names: Iterable[str]) -> str:
    """Return a hash of the names, sizes and times of change of photographs; no file is read for it, and no list is held."""
    digest = hashlib.sha256()
    for name in names:
        try:
            status = os.stat(place / name)
            said = f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"
        except OSError:
            said = "cannot be read"
        digest.update(f"{name}\0{said}\n".encode())
    return digest.hexdigest()


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # of a link to where nobody may look
        return False


def _check_name(name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError:
        raise HashprobeError(f"{shortened(name)} is a file whose name is not UTF-8; rename it.") from None


@dataclass(frozen=True)
class PhotoPictures:
    """Photographs as a model gets them.

    Attributes:
        photos: The photographs.
        size: Height and width of the square that is cut out of them; their own size where it is ``None``.
    """

    photos: Photos
    size: int | None

    @property
    def names(self) -> tuple[str, ...]:
        """Of each photograph."""
        return self.photos.names

    def picture(self, row: int) -> npt.NDArray[np.uint8]:
        """Return a photograph, uint8 ``(3, height, width)``.

        Raises:
            UnusableImage: it cannot be used.
        """
        return decode_image(self.photos.read(row), self.size, still=True)


@dataclass(frozen=True)
class Labels:
    """What each photograph shows.

    Attributes:
        class_names: The C classes.
        labels: Multi-hot, uint8 ``(N, C)``.
    """

    class_names: tuple[str, ...]
    labels: npt.NDArray[np.uint8]

    def unrelated(self, number: int, others: npt.NDArray[np.intp]) -> npt.NDArray[np.bool_]:
        """Say of some photographs whether they share no label with another one."""
        shared: npt.NDArray[np.bool_] = (self.labels[others] & self.labels[number]).any(axis=1)
        return ~shared


def read_labels(photos: Photos, given: str | None) -> Labels | None:
    """Return the labels of photographs: of a CSV file, or by the folders they lie in; ``None`` where nothing is given.

    A CSV file has a line for each photograph under a header: ``path,label``, where a path may stand in several lines, or ``path``
    and a column a class of 0 and 1. Paths are as in the folder of the photographs.

    Raises:
        HashprobeError: another header, a photograph without a line, or a line that cannot be read.
    """
    if given is None:
        return None
    if given == SUB_FOLDERS:
        pairs = [(name, name.rpartition("/")[0]) for name in photos.names]
        if bare := [name for name, folder in pairs if not folder]:
            raise HashprobeError(
                f"{photos.folder / bare[0]} lies in no folder within {photos.folder}, so it has no label; "
                "move it, or leave --labels out."
            )
        return _of_pairs(photos, pairs)
    path = user_path(given)
    header, rows = _read_table(path)
    known = set(photos.names)
    for line, row in rows:
        if len(row) != len(header):
            raise HashprobeError(f"{path}, line {line} has {len(row)} columns; expected {len(header)}.")
        if row[0] not in known:
            raise HashprobeError(
                f"{path}, line {line} names {shortened(row[0])}, and there is no such photograph in {photos.folder}."
            )
    if header[1:] == ["label"]:
        labels = _of_pairs(photos, [(row[0], row[1]) for _, row in rows])
    else:
        labels = _of_columns(photos, path, header[1:], rows)
    if len(bare_rows := np.flatnonzero(~labels.labels.any(axis=1))):
        name = photos.names[bare_rows[0]]
        raise HashprobeError(f"{path} gives {name} no label; give each photograph at least one.")
    return labels


def _read_table(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    try:
        text = read_bytes(path, "text_bytes").decode("utf-8-sig")
        reader = csv.reader(io.StringIO(text, newline=""))
        rows = [
            (reader.line_num, [cell.strip() for cell in row])
            for row in reader
            if any(cell.strip() for cell in row)
        ]
    except FileNotFoundError:
        raise HashprobeError(
            f"{path} does not exist; give --labels a CSV file, or {SUB_FOLDERS!r} for the folders that photographs lie in."
        ) from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise HashprobeError(f"{path} cannot be read as CSV ({reason}).") from None
    header = rows[0][1] if rows else []
    if len(header) < 2 or header[0] != "path" or len(set(header)) < len(header) or "" in header:
        raise HashprobeError(
            f"{path} must begin with the line path,label, or path and the names of the classes; "
            f"found {shortened(','.join(header))}."
        )
    return header, rows[1:]


def _of_pairs(photos: Photos, pairs: Sequence[tuple[str, str]]) -> Labels:
    class_names = tuple(sorted({label for _, label in pairs}))
    rows, columns = (
        {name: at for at, name in enumerate(photos.names)},
        {name: at for at, name in enumerate(class_names)},
    )
    labels = np.zeros((len(rows), len(columns)), dtype=np.uint8)
    for name, label in pairs:
        labels[rows[name], columns[label]] = 1
    return Labels(class_names, labels)


def _of_columns(
    photos: Photos, path: Path, class_names: Sequence[str], rows: Sequence[tuple[int, list[str]]]
) -> Labels:
    at = {name: row for row, name in enumerate(photos.names)}
    labels = np.zeros((len(at), len(class_names)), dtype=np.uint8)
    for line, row in rows:
        if wrong := next((cell for cell in row[1:] if cell not in ("0", "1")), None):
            raise HashprobeError(f"{path}, line {line} holds {shortened(wrong)}; expected 0 or 1.")
        labels[at[row[0]]] |= np.array(row[1:]).astype(np.uint8)
    return Labels(tuple(class_names), labels)
