"""Commands on files that would take all memory, or never end: each is to be refused with one sentence before that."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

from data_pictures import picture

from helpers import png_that_declares

SIX_GIB = 6 << 30
SIZE = ("--image-size", "32")


def sparse(path: Path) -> None:
    """Make a file of 6 GiB that takes no room."""
    path.touch()
    os.truncate(path, SIX_GIB)


def pipe(path: Path) -> None:
    """Make a pipe, of which a reader waits for ever."""
    os.mkfifo(path)


def device(path: Path) -> None:
    """Make a link to a device that never ends."""
    path.symlink_to("/dev/zero")


def folder(path: Path) -> None:
    """Make a folder in place of a file."""
    path.mkdir()


def _table(root: Path, *, images: int = 1) -> list[str]:
    names = [f"{split}{number}.png" for split in ("query", "database", "train") for number in range(images)]
    lines = ["path,split,cat", *(f"{name},{name.split('.')[0].rstrip('0123456789')},1" for name in names)]
    for number, name in enumerate(names):
        picture(number).save(root / name)
    (root / "table.csv").write_text("\n".join(lines) + "\n")
    return ["data", "show", str(root / "table.csv"), *SIZE, "--out", str(root / "sheet.png")]


def image(make: Callable[[Path], None]) -> Callable[[Path], list[str]]:
    """A data set with such a thing in place of an image."""

    def case(root: Path) -> list[str]:
        command = _table(root)
        (root / "query0.png").unlink()
        make(root / "query0.png")
        return command

    return case


def lists(make: Callable[[Path], None]) -> Callable[[Path], list[str]]:
    """A data set with such a thing in place of its list."""

    def case(root: Path) -> list[str]:
        make(root / "database_img.txt")
        return ["data", "show", str(root), *SIZE, "--out", str(root / "sheet.png")]

    return case


def results(make: Callable[[Path], None]) -> Callable[[Path], list[str]]:
    """A run with such a thing in place of its results."""

    def case(root: Path) -> list[str]:
        make(root / "results.jsonl")
        return ["report", str(root)]

    return case


def weights(make: Callable[[Path], None]) -> Callable[[Path], list[str]]:
    """A training that is to begin at such a thing."""

    def case(root: Path) -> list[str]:
        make(root / "own.safetensors")
        return ["train-hash", "--weights", str(root / "own.safetensors"), "--out", str(root / "out")]

    return case


def tar(make: Callable[[Path], None]) -> Callable[[Path], list[str]]:
    """A data set with such a thing in place of the archive of its images."""

    def case(root: Path) -> list[str]:
        command = _table(root)
        for path in root.glob("*.png"):
            path.unlink()
        make(root / "images.tar")
        return command

    return case


def _member(path: Path, kind: bytes) -> None:
    """Make a tar file whose first member declares 6 GiB, which the file has without taking room."""
    header = tarfile.TarInfo("query0.png")
    header.size, header.type = SIX_GIB, kind
    path.write_bytes(header.tobuf(tarfile.GNU_FORMAT))
    with path.open("r+b") as file:
        file.truncate(SIX_GIB + 10240)
        file.seek(SIX_GIB + 512)
        with tarfile.open(fileobj=file, mode="w") as rest:
            for number, name in enumerate(("database0.png", "train0.png")):
                packed = io.BytesIO()
                picture(number).save(packed, "PNG")
                member = tarfile.TarInfo(name)
                member.size = len(packed.getvalue())
                packed.seek(0)
                rest.addfile(member, packed)


def _link_loop(path: Path) -> None:
    path.symlink_to(path.name)


def _linked_members(path: Path) -> None:
    with tarfile.open(path, "w") as archive:
        for name, other in (
            ("query0.png", "database0.png"),
            ("database0.png", "query0.png"),
            ("train0.png", "train0.png"),
        ):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, other
            archive.addfile(member)


def _large_picture(path: Path) -> None:
    path.write_bytes(png_that_declares(13_300, 13_300))


def _four_large_pictures(root: Path) -> list[str]:
    command = _table(root, images=4)
    for path in root.glob("*.png"):
        _large_picture(path)
    return command


def _image_size(root: Path) -> list[str]:
    return ["data", "show", "openmoji", "--image-size", "100000", "--out", str(root / "sheet.png")]


def _plugin(root: Path) -> list[str]:
    device(root / "own.py")
    return ["list", "attacks", "--plugin", str(root / "own.py")]


def _bench(*options: str) -> Callable[[Path], list[str]]:
    return lambda root: ["bench", *options]


CASES: dict[str, tuple[Callable[[Path], list[str]], str]] = {
    "picture of 13,300 x 13,300 pixels": (image(_large_picture), "at most 64 million are decoded"),
    "twelve of them": (_four_large_pictures, "at most 64 million are decoded"),
    "image of 6 GiB": (image(sparse), "--bound image_bytes="),
    "image that is a pipe": (image(pipe), "does not exist"),
    "image that is /dev/zero": (image(device), "does not exist"),
    "image that is a folder": (image(folder), "does not exist"),
    "list of 6 GiB": (lists(sparse), "--bound text_bytes="),
    "list that is a pipe": (lists(pipe), "it is a pipe, not a file"),
    "list that is /dev/zero": (lists(device), "it is a device, not a file"),
    "list that is a folder": (lists(folder), "Is a directory"),
    "results of 6 GiB": (results(sparse), "--bound text_bytes="),
    "results that are a pipe": (results(pipe), "does not exist"),
    "results that are /dev/zero": (results(device), "does not exist"),
    "results that are a folder": (results(folder), "does not exist"),
    "weights of 6 GiB": (weights(sparse), "--bound weight_bytes="),
    "weights that are a pipe": (weights(pipe), "nor a file"),
    "weights that are /dev/zero": (weights(device), "nor a file"),
    "tar file of 6 GiB of zeros": (tar(sparse), "does not exist"),
    "tar file that is a pipe": (tar(pipe), "it is a pipe, not a file"),
    "tar file that is /dev/zero": (tar(device), "it is a device, not a file"),
    "tar file that links to itself": (tar(_link_loop), "Too many levels of symbolic links"),
    "tar member of 6 GiB": (tar(lambda path: _member(path, tarfile.REGTYPE)), "--bound image_bytes="),
    "tar member with a name of 6 GiB": (
        tar(lambda path: _member(path, tarfile.GNUTYPE_LONGNAME)),
        "a header of 64424",
    ),
    "tar member with a header of 6 GiB": (
        tar(lambda path: _member(path, tarfile.XHDTYPE)),
        "a header of 64424",
    ),
    "tar members that link to one another": (tar(_linked_members), "does not exist"),
    "plugin that is /dev/zero": (_plugin, "is no Python file"),
    "--image-size 100000": (_image_size, "image_size must be at most 4096"),
    "bench --threads 1000000000": (
        _bench("--threads", "1000000000"),
        "threads must be a whole number from 1 to 4096",
    ),
    "bench --database 1000000000000": (_bench("--database", "1000000000000"), "would take 25000.0 GB"),
}
"""By name: what makes the files and returns the command, and what is said."""
