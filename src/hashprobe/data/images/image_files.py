"""Where the images of a folder are: files in it, members of tar files that lie in it, or records of CIFAR-10."""

from __future__ import annotations

import errno
import io
import os
import re
import tarfile
import uuid
from collections.abc import Collection, Container, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from hashprobe.bounds import check_length, check_readable, read_bytes
from hashprobe.data.faults import STRICT, Faults
from hashprobe.errors import HashprobeError, shortened
from hashprobe.files import sha256_of, user_path
from hashprobe.progress import progress_bar

SOURCE_FILE = "source.txt"
MARKED_BY = "hashprobe data build"
CIFAR_SIDE = 32
CIFAR_PIXELS = 3 * CIFAR_SIDE * CIFAR_SIDE
CIFAR_RECORD = 1 + CIFAR_PIXELS
NAMES_AT_ONCE = 4096
LONGEST_HEADER = 1 << 20
"""Of a member of a tar file, which may be preceded by its long name, in bytes."""
_MARK = re.compile("[0-9a-f]{64}")
_CIFAR_NAME = re.compile(r"(.+_batch(?:_\d)?\.bin)/(\d+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class ImageFile:
    """The bytes of an image: a whole file, or a byte range of a tar file.

    Attributes:
        path: The file.
        start: Of the range.
        length: Of the range; -1 for a whole file.
    """

    path: str
    start: int = 0
    length: int = -1

    def read(self) -> bytes:
        """Return the bytes.

        Raises:
            OSError: the file cannot be read, or is longer than the bound ``image_bytes``.
        """
        if self.length < 0:
            return read_bytes(self.path, "image_bytes")
        check_length(self.length, "image_bytes")
        with open(self.path, "rb") as file:
            file.seek(self.start)
            return file.read(self.length)


class CifarImage(ImageFile):
    """The pixels of one record of CIFAR-10's binary version: its red, then green, then blue ones, row by row."""

    def read(self) -> bytes:
        """Return the image as a PPM file.

        Raises:
            OSError: the file cannot be read.
        """
        planes = np.frombuffer(ImageFile.read(self), dtype=np.uint8)
        if len(planes) != CIFAR_PIXELS:
            raise OSError(0, "its record is truncated")
        pixels = planes.reshape(3, CIFAR_SIDE, CIFAR_SIDE).transpose(1, 2, 0)
        return f"P6 {CIFAR_SIDE} {CIFAR_SIDE} 255\n".encode() + pixels.tobytes()


class _Headers(io.FileIO):
    """A tar file of which headers are read, and no long ones: a header of its own kind may declare any length."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Read as usual."""
        if size is None or not 0 <= size <= LONGEST_HEADER:
            raise OSError(errno.EFBIG, f"a header of {size} bytes")
        return super().read(size)


class ImageFiles:
    """The images of a folder, found by their relative paths; a file goes before a member of a tar file.

    Args:
        folder: That holds image files, uncompressed tar files (``*.tar``), or both.
        faults: Where a tar file that is damaged or compressed is reported.
    """

    def __init__(self, folder: Path, faults: Faults = STRICT) -> None:
        self._folder = folder
        self._faults = faults
        self._tars = sorted(folder.glob("*.tar"))
        self._folder_slash = os.path.join(folder, "")
        self._there: dict[str, bool] = {}

    def identity(self, names: Iterable[str]) -> str:
        """Return a hash that changes when one of the images is changed, added or removed.

        It covers size and time of change of every file, not the bytes, so that it costs no reading.
        """
        lines = []
        in_tar = False
        for name in names:
            record = _CIFAR_NAME.fullmatch(name)
            try:
                lines.append(_size_and_time(self._folder / (record[1] if record else name)))
            except (OSError, ValueError):  # not there, or a name that no file can have
                lines.append("in a tar file")
                in_tar = True
        if in_tar:
            lines += [f"{path.name} {_size_and_time(path)}" for path in self._tars if path.is_file()]
        return sha256_of("\n".join(lines))

    def find(self, names: Collection[str], *, progress: bool = False) -> dict[str, ImageFile]:
        """Return where each image is; what is found nowhere is left out.

        Args:
            names: Of the images.
            progress: Whether a progress bar is shown.

        Raises:
            HashprobeError: a tar file is needed that is damaged or compressed, if faults are not collected.
        """
        found = {}
        wanted = set()
        with progress_bar("finding images", len(names), show=progress) as advance:
            for number, name in enumerate(names, start=1):
                here = self._in_folder(name)
                if here is not None:
                    found[name] = here
                elif self._tars:
                    wanted.add(name)
                if number % NAMES_AT_ONCE == 0:
                    advance(NAMES_AT_ONCE)
            advance(len(names) % NAMES_AT_ONCE)
        for tar in self._tars:
            if not wanted:
                break
            members = dict(self._members(tar, wanted))
            found.update(members)
            wanted -= members.keys()
        return found

    def first_found(self, names: Collection[str]) -> str | None:
        """Return the first name that is a file, else the first member of a tar file that is one of them."""
        for name in names:
            if self._in_folder(name) is not None:
                return name
        for tar in self._tars:
            for name, _ in self._members(tar, names):
                return name
        return None

    def searched(self) -> str:
        """Say where images were looked for."""
        return " and ".join([str(self._folder), ", ".join(path.name for path in self._tars) or "no tar file"])

    def _in_folder(self, name: str) -> ImageFile | None:
        # A list may have a million names, and folders that are on another machine: each is asked for once.
        subfolder = name.rpartition("/")[0]
        there = self._there.get(subfolder)
        if there is None:
            there = self._there[subfolder] = os.path.lexists(f"{self._folder_slash}{subfolder}")
        if not there:
            return None
        path = f"{self._folder_slash}{name}"
        if os.path.isfile(path):  # unlike Path.is_file, False for a name that no file can have
            return ImageFile(path)
        record = _CIFAR_NAME.fullmatch(name)
        if record and os.path.isfile(batch := f"{self._folder_slash}{record[1]}"):
            return CifarImage(batch, int(record[2]) * CIFAR_RECORD + 1, CIFAR_PIXELS)
        return None

    def _members(self, tar: Path, wanted: Container[str]) -> Iterator[tuple[str, ImageFile]]:
        """Yield the wanted members of a tar file, in its order."""
        try:
            check_readable(tar, None)
            with _Headers(tar) as file, tarfile.open(tar, "r:", fileobj=file) as archive:
                for member in archive:
                    name = str(PurePosixPath(member.name))
                    if member.isreg() and name in wanted:
                        yield name, ImageFile(str(tar), member.offset_data, member.size)
        except (tarfile.TarError, OSError) as error:
            reason = getattr(error, "strerror", None) or error
            self._faults.add(
                "tar files that are damaged", f"{tar} is not a whole, uncompressed tar file ({reason})."
            )


def image_folder(lists: Path, *, elsewhere: bool = False) -> Path:
    """Return the folder of the images of a folder of lists, or of a table: its own, or what ``source.txt`` says.

    ``source.txt`` holds a path, which a relative one begins at the folder of the lists; and, where ``data build`` wrote it, a
    second line that no other machine or user has (:func:`source_text`). A list that came from elsewhere may name any folder of
    this machine, whose pictures would then be decoded, cached and shown; so it is not followed out of its own folder unless
    that is allowed.

    Args:
        lists: The folder of the lists, or the table.
        elsewhere: Whether ``source.txt`` may name a folder that is not within that of the lists, whoever wrote it.

    Raises:
        HashprobeError: ``source.txt`` does not name a folder, or one elsewhere.
    """
    folder = lists if lists.is_dir() else lists.parent
    source = folder / SOURCE_FILE
    try:
        written = read_bytes(source, "text_bytes").decode("utf-8-sig").strip()
    except FileNotFoundError:
        return folder
    except (OSError, UnicodeDecodeError) as error:
        raise HashprobeError(f"{source} cannot be read ({error}).") from None
    named, _, more = written.partition("\n")
    made_here = more == _mark(named)
    path = None if not named or (more and not _MARK.fullmatch(more)) else _usable(folder, named)
    if path is None:
        raise HashprobeError(
            f"{source} names {shortened(named or 'nothing')}, which is no folder; "
            f"write into it where the images are, or remove it if they are in {folder}."
        )
    if not (elsewhere or made_here or path.resolve().is_relative_to(folder.resolve())):
        raise HashprobeError(
            f"{source} names {shortened(named)}, a folder elsewhere, and was not written by hashprobe data build on this "
            "machine; if you trust who wrote it, allow that by the data set's option elsewhere=true."
        )
    return path


def source_text(folder: Path) -> str:
    """Return the content of a ``source.txt`` that is followed on this machine, by this user, without asking."""
    return f"{folder}\n{_mark(str(folder))}\n"


def _mark(named: str) -> str:
    """Return what this machine and user alone put behind the name of a folder."""
    try:
        machine = Path("/etc/machine-id").read_text().strip()
    except (OSError, UnicodeDecodeError):
        machine = ""
    return sha256_of(f"{MARKED_BY} {machine or uuid.getnode()} {os.getuid()}", named)


def _usable(folder: Path, written: str) -> Path | None:
    try:
        path = folder / user_path(written)
        return path if path.is_dir() else None
    except (HashprobeError, OSError):
        return None


def _size_and_time(path: Path) -> str:
    # The time of modification travels with a copied file (cp -p, rsync, tar); the time of change does not.
    status = os.stat(path)
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"
