"""A command that is killed, or finds the disk full, at any touch of the disk gives the same rows when it is started again."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import killing
import pytest
import walks
from data_pictures import picture
from filelock import FileLock

from hashprobe.data import build_data_set, load, read_image
from hashprobe.errors import HashprobeError
from hashprobe.files import write_json
from hashprobe.folders import claimed
from hashprobe.hashing import open_model
from hashprobe.trained import load_trained

MOST = {"evaluation": 10, "recipe": 2}
"""Places in a walk that are tried; ``benchmarks/faults.py --kills`` tries all."""


@pytest.mark.parametrize("name", MOST)
def test_a_kill_or_a_full_disk_at_any_place_loses_nothing(name: str, tmp_path: Path) -> None:
    walk = getattr(walks, name)
    places, rows = killing.places_of(walk, tmp_path / "whole")
    assert places > 20
    assert rows
    for place in killing.spread(places, MOST[name]):
        assert killing.fault_of_kill(walk, tmp_path / f"killed-{place}", place, rows) == ""
        full = tmp_path / f"full-{place}"
        assert killing.fault_of_full_disk(walk, full, place, rows, HashprobeError) == ""


def test_what_a_full_disk_meets_stays(tmp_path: Path) -> None:
    path = tmp_path / "value.json"
    write_json(path, "old")
    with killing.Disk().watched() as counted:
        write_json(tmp_path / "other.json", "new")
    tried = 0
    for place in range(counted.done - 1):  # the last is the place behind the rename
        with killing.Disk(place, full=True).watched(), pytest.raises(HashprobeError, match="unchanged"):
            write_json(path, "new")
        assert path.read_text() == '"old"\n'
        assert sorted(own.name for own in tmp_path.iterdir()) == ["other.json", "value.json"]
        tried += 1
    assert tried == 4


@pytest.mark.parametrize("what", ["mkdir", "lock"])
def test_a_folder_that_cannot_be_written_is_one_sentence(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    owner, name = (Path, "mkdir") if what == "mkdir" else (FileLock, "acquire")
    monkeypatch.setattr(owner, name, refuse)
    with pytest.raises(HashprobeError, match=r"could not write .*out: Permission denied"):  # noqa: SIM117
        with claimed(tmp_path / "out", "same"):
            pytest.fail("the folder was taken")


def test_a_folder_in_which_a_command_was_killed_at_its_first_file_is_taken(tmp_path: Path) -> None:
    (tmp_path / ".lock").touch()
    (tmp_path / ".experiment.json.x3.part").write_text("{")
    with claimed(tmp_path, "same") as found:
        assert found == {}
        assert not list(tmp_path.glob(".*.part"))


@pytest.mark.parametrize("path", ["~nouser/x", "x" * 5000, "a\0b"])
def test_a_path_that_is_none_is_one_sentence(path: str) -> None:
    with pytest.raises(HashprobeError, match=r"is no path \(") as caught:  # noqa: SIM117
        with claimed(path, "same"):
            pytest.fail("the folder was taken")
    assert len(str(caught.value)) < 300


def test_a_path_of_links_in_a_circle_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    for call in (load, open_model, load_trained, read_image):
        with pytest.raises(HashprobeError, match=r"is no path \(Too many levels of symbolic links\)"):
            call(tmp_path / "loop")
    with pytest.raises(HashprobeError, match=r"is no path \(Too many levels of symbolic links\)"):
        build_data_set("flickr25k", tmp_path / "loop", tmp_path / "out")


@pytest.mark.parametrize("kind", ["pipe", "folder"])
def test_what_is_no_file_is_not_replaced(kind: str, tmp_path: Path) -> None:
    place = tmp_path / "place"
    os.mkfifo(place) if kind == "pipe" else place.mkdir()
    before = place.stat()
    with pytest.raises(HashprobeError, match="is a folder or a device, not a file"):
        write_json(place, "new")
    assert (place.stat().st_ino, place.stat().st_mode) == (before.st_ino, before.st_mode)
    assert [own.name for own in tmp_path.iterdir()] == ["place"]


def test_a_cache_that_vanishes_is_made_again(tmp_path: Path) -> None:
    lines = ["path,split,cat,dog"]
    for number, split in enumerate(("query", "database", "train")):
        picture(number).save(tmp_path / f"{number}.png")
        lines.append(f"{number}.png,{split},1,{number % 2}")
    (tmp_path / "table.csv").write_text("\n".join(lines) + "\n")
    cache = tmp_path / "cache"

    def opened() -> list[bytes]:
        data = load(str(tmp_path / "table.csv"), image_size=32, cache_dir=cache)
        held = [data.query.images[[0]], data.database.images[[0]]]
        shutil.rmtree(cache)
        assert [bytes(data.query.images[[0]]), bytes(data.database.images[[0]])] == list(map(bytes, held))
        return list(map(bytes, held))

    assert opened() == opened()
