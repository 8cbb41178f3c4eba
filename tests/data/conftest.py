"""A small folder in list format 1, made anew for each test that spoils it."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from data_pictures import CLASSES, LABELS, LISTED, jpeg, picture


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two queries, four database images, two training images; three classes; images in ``images/``."""
    root = tmp_path / "pets"
    (root / "images").mkdir(parents=True)
    for number, name in enumerate(LABELS):
        (root / "images" / f"{name}.jpg").write_bytes(jpeg(picture(number)))
    for prefix, names in LISTED.items():
        (root / f"{prefix}_img.txt").write_text("".join(f"images/{name}.jpg\n" for name in names))
        (root / f"{prefix}_label.txt").write_text("".join(f"{LABELS[name]}\n" for name in names))
    (root / "classes.txt").write_text("".join(f"{name}\n" for name in CLASSES))
    return root


@pytest.fixture
def into_tar() -> Callable[[Path, str, list[str]], None]:
    """Move images of a folder into a tar file beside its lists."""

    def move(root: Path, tar: str, names: list[str]) -> None:
        with tarfile.open(root / tar, "w") as archive:
            for name in names:
                archive.add(root / name, arcname=f"./{name}")
                (root / name).unlink()

    return move
