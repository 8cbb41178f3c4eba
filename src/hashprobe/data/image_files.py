"""Where the images of a folder are: files in it, or members of the tar files that lie in it."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from hashprobe.errors import HashprobeError
from hashprobe.files import sha256_of


@dataclass(frozen=True)
class ImageFile:
    """The bytes of an image: a whole file, or a stretch of a tar file.

    Attributes:
        path: The file.
        start: Of the stretch, in bytes.
        length: Of the stretch, in bytes; -1 for a whole file.
    """

    path: Path
    start: int = 0
    length: int = -1

    def read(self) -> bytes:
        """Return the bytes.

        Raises:
            OSError: the file cannot be read.
        """
        with self.path.open("rb") as file:
            file.seek(self.start)
            return file.read(self.length)


class ImageFiles:
    """The images of a folder, found by their relative paths; a file goes before a member of a tar file.

    Args:
        folder: That holds image files, uncompressed tar files (``*.tar``), or both.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tars = sorted(folder.glob("*.tar"))

    def identity(self, names: Iterable[str]) -> str:
        """Return a hash that changes when one of the images is changed, added or removed.

        It covers size and time of change of every file, not the bytes, so that it costs no reading.
        """
        lines = []
        in_tar = False
        for name in names:
            try:
                lines.append(_size_and_time(self._folder / name))
            except (OSError, ValueError):  # not there, or a name that no file can have
                lines.append("in a tar file")
                in_tar = True
        if in_tar:
            lines += [f"{path.name} {_size_and_time(path)}" for path in self._tars]
        return sha256_of("\n".join(lines))

    def find(self, names: Iterable[str]) -> dict[str, ImageFile]:
        """Return where each image is; what is found nowhere is left out.

        Raises:
            HashprobeError: a tar file is needed that is damaged or compressed.
        """
        found = {}
        wanted = set()
        for name in names:
            path = self._folder / name
            if os.path.isfile(path):  # unlike Path.is_file, False for a name that no file can have
                found[name] = ImageFile(path)
            else:
                wanted.add(name)
        for tar in self._tars:
            if not wanted:
                break
            members = _members(tar, wanted)
            found.update(members)
            wanted -= members.keys()
        return found

    def searched(self) -> str:
        """Say where images were looked for."""
        return " and ".join([str(self._folder), ", ".join(path.name for path in self._tars) or "no tar file"])


def _members(tar: Path, wanted: set[str]) -> dict[str, ImageFile]:
    try:
        with tarfile.open(tar, "r:") as archive:
            names = ((str(PurePosixPath(member.name)), member) for member in archive if member.isreg())
            return {
                name: ImageFile(tar, member.offset_data, member.size)
                for name, member in names
                if name in wanted
            }
    except (tarfile.TarError, OSError) as error:
        raise HashprobeError(f"{tar} is not a whole, uncompressed tar file ({error}).") from None


def _size_and_time(path: Path) -> str:
    # The time of modification travels with a copied file (cp -p, rsync, tar); the time of change does not.
    status = os.stat(path)
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"
