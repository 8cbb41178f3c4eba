"""How much is read from a file that somebody gave, at most: looked at before memory is taken for it.

The bounds are settings: ``hashprobe --bound image_pixels=200000000 …``, or an assignment to a field of ``BOUNDS``.
"""

from __future__ import annotations

import dataclasses
import errno
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hashprobe.errors import check_whole_number, unknown_name

_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


@dataclass
class Bounds:
    """The largest of each kind that is read.

    Attributes:
        image_pixels: Width times height of a picture as its file declares it. One of the default takes 0.3 GiB while it
            is decoded; 1 GiB, if transparent.
        image_bytes: Of a picture's file, or of a member of a tar file.
        text_bytes: Of a list, a table, a file of settings or of results.
        annotation_bytes: Of a file of annotations of an official archive; MS-COCO's has 450 MB.
        weight_bytes: Of a file of tensors.
        index_bytes: Of a search index in a file.
    """

    image_pixels: int = 64_000_000
    image_bytes: int = 1 << 28
    text_bytes: int = 1 << 28
    annotation_bytes: int = 1 << 30
    weight_bytes: int = 1 << 32
    index_bytes: int = 1 << 32


BOUNDS = Bounds()
"""What holds in this process."""


def set_bounds(values: Mapping[str, Any]) -> None:
    """Set bounds by name.

    Raises:
        HashprobeError: an unknown name, or no whole number of at least 1; then none is set.
    """
    known = [field.name for field in dataclasses.fields(Bounds)]
    for name, value in values.items():
        if name not in known:
            raise unknown_name("bound", name, known)
        check_whole_number(f"the bound {name}", value, least=1, most=1 << 60)
    for name, value in values.items():
        setattr(BOUNDS, name, value)


def check_readable(path: str | Path, bound: str | None) -> None:
    """Check that a path is a file of bytes that come to an end, and that there are not too many.

    Args:
        path: The file.
        bound: A field of :class:`Bounds`; ``None`` for a file of our own, which may be of any length.

    Raises:
        OSError: it is a pipe, a device, a folder, or longer than the bound; ``strerror`` says so.
    """
    status = os.stat(path)
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(status.st_mode):
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "something else")
        raise OSError(errno.EINVAL, f"it is {kind}, not a file")
    if bound is not None:
        check_length(status.st_size, bound)


def check_length(length: int, bound: str) -> None:
    """Raise the same where so many bytes are too many."""
    most = getattr(BOUNDS, bound)
    if length > most:
        raise OSError(
            errno.EFBIG,
            f"it has {length:,} bytes, and at most {most:,} are read; --bound {bound}={length} lets it in",
        )


def read_bytes(path: str | Path, bound: str) -> bytes:
    """Return the bytes of a file; see :func:`check_readable`."""
    check_readable(path, bound)
    return Path(path).read_bytes()
