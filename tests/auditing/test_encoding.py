"""Encoding many pictures: the same bytes by any number of processes, after a kill, and within the budget of a service."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from photographs import photograph, photographs

from hashprobe import hashing
from hashprobe.auditing import AuditSettings, audit, shards, stored
from hashprobe.auditing.photos import find_photos
from hashprobe.auditing.shards import Shard
from hashprobe.bounds import BOUNDS
from hashprobe.data import load, read_image
from hashprobe.errors import HashprobeError
from hashprobe.evaluation import encoded_codes
from hashprobe.evaluation.own_size import Pipeline
from hashprobe.experiments import encode, evaluate
from hashprobe.experiments.engine.engines import _end_with_parent
from hashprobe.files import read_json_lines
from hashprobe.hashing import HashModel, open_model, service_of, share_service
from hashprobe.plugins import load_plugins
from hashprobe.retrieval import open_code_store
from helpers import SIZE, Interrupted, linear_model
from loopback import hexed, serving

PLUGIN = '''
import time
from pathlib import Path

import torch
from torch import nn

from hashprobe.hashing import MODELS, HashModel


class Slow(nn.Sequential):
    """A network that takes its time while there is a file that says so."""

    def forward(self, images):
        if (Path(__file__).parent / "slow").exists():
            time.sleep(0.3)
        return super().forward(images)


@MODELS.register("mine")
def mine():
    return HashModel.wrap(Slow(nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(48, 20)), bits=20, mean=(0.5,) * 3)
'''


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shards of few pictures."""
    monkeypatch.setattr(shards, "SHARD", 3)
    monkeypatch.setattr(shards, "SHARD_OF_A_SERVICE", 4)


@pytest.fixture
def plugin(tmp_path: Path, _no_plugins: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(hashing.MODELS, "_things", dict(hashing.MODELS._things))
    path = tmp_path / "plugin.py"
    path.write_text(PLUGIN)
    load_plugins([path])
    return path


def made(folder: Path) -> dict[str, bytes]:
    """The bytes of the store and of all shards."""
    files = [folder / "codes.store", folder / "left_out.jsonl", *sorted((folder / "shards").iterdir())]
    return {path.name: path.read_bytes() for path in files}


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(condition: Callable[[], object], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.01)
    assert condition()


def in_a_fork(work: Callable[[], object]) -> int:
    """Start work in a process that is like this one, without a second to begin; return its number."""
    if (process := os.fork()) == 0:
        try:
            work()
        finally:
            os._exit(0)
    return process


@pytest.mark.usefixtures("small")
def test_what_was_killed_and_goes_on_in_three_processes_has_the_bytes_of_one(
    plugin: Path, tmp_path: Path
) -> None:
    images, slow, out = photographs(tmp_path / "images", 26), tmp_path / "slow", tmp_path / "three"
    (images / "even" / "00.png").write_bytes(b"not a picture")
    alone = encode("mine", images, out=tmp_path / "one", image_size=SIZE)
    assert (alone.made, alone.kept, len(alone.store)) == (26, 0, 25)
    assert alone.left_out[0][0] == "even/00.png"
    assert [row["name"] for row in read_json_lines(tmp_path / "one" / "left_out.jsonl")] == ["even/00.png"]
    alone.store.verify()
    names = [name for name in find_photos(images).names if name != "even/00.png"]
    assert alone.store.ids(range(25)) == names
    pictures = np.stack([read_image(images / name, SIZE) for name in names])
    np.testing.assert_array_equal(alone.store.codes, open_model("mine").codes(pictures))
    slow.touch()
    process = in_a_fork(lambda: encode("mine", images, out=out, image_size=SIZE))
    wait_until(lambda: len(list((out / "shards").glob("*.json"))) > 1)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    slow.unlink()
    before = {path: path.stat().st_mtime_ns for path in (out / "shards").glob("*.json")}
    assert not (out / "codes.store").exists()
    again = encode("mine", images, out=out, image_size=SIZE, engine="processes", workers=3)
    assert again.kept > 0
    assert again.made > 0
    assert {path: path.stat().st_mtime_ns for path in before} == before, "what is made is not made again"
    assert made(out) == made(tmp_path / "one")
    assert encode("mine", images, out=out, image_size=SIZE).made == 0


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="Linux says who is alive")
def test_a_process_of_a_pool_ends_with_the_one_that_was_killed(tmp_path: Path) -> None:
    said = tmp_path / "child"

    def start() -> None:
        child = get_context("fork").Process(target=_end_with_parent)
        child.start()
        said.write_text(f"{child.pid} ")
        time.sleep(60)

    process = in_a_fork(start)
    wait_until(lambda: said.exists() and said.read_text().endswith(" "))
    child = int(said.read_text())
    assert is_alive(child)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    wait_until(lambda: not is_alive(child))


@pytest.mark.usefixtures("small")
def test_a_damaged_shard_is_one_sentence(plugin: Path, tmp_path: Path) -> None:
    images, out = photographs(tmp_path / "images", 7), tmp_path / "codes"
    encode("mine", images, out=out, image_size=SIZE)
    whole, shard = made(out), out / "shards" / "00001.json"
    content = json.loads(shard.read_text())
    content["codes"][1] = f"{int(content['codes'][1], 16) ^ 16:06x}"
    for damaged in (json.dumps(content), shard.read_text()[:-40], "[]"):
        shard.write_text(damaged)
        with pytest.raises(
            HashprobeError, match=r"00001\.json is (damaged, or holds other codes; delete it|not a JSON)"
        ):
            encode("mine", images, out=out, image_size=SIZE)
        with pytest.raises(HashprobeError, match=r"00001\.json is (damaged|not a JSON)"):
            audit(
                open_model("mine"),
                images,
                out=tmp_path / "audit",
                codes=out,
                settings=AuditSettings(image_size=SIZE),
            )
    shard.unlink()
    assert encode("mine", images, out=out, image_size=SIZE).made == 3
    assert made(out) == whole


@pytest.mark.usefixtures("small")
def test_an_audit_takes_what_was_encoded(
    plugin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = photographs(tmp_path / "images", 8)
    for number in range(3):  # a shard
        (images / f"broken-{number}.png").write_bytes(b"")
    codes = HashModel.codes
    (images / "broken.png").write_bytes(b"")
    (images / "copy.png").write_bytes((images / "odd" / "03.png").read_bytes())
    settings = AuditSettings(attacks=("Noise",), budgets=("8/255",), queries=3, image_size=SIZE)
    encode("mine", images, out=tmp_path / "codes", image_size=SIZE)
    without = audit(
        open_model("mine"), images, out=tmp_path / "a", settings=settings, cache_dir=tmp_path / "cache"
    )
    monkeypatch.setattr("hashprobe.auditing.asked.encode", None)
    given = {"out": tmp_path / "b", "codes": tmp_path / "codes"}
    found = audit(open_model("mine"), images, settings=settings, **given)  # type: ignore[arg-type]
    assert found == without
    assert (found.stored, found.copies, found.unusable) == (8, 1, 4)
    with pytest.raises(
        HashprobeError, match="holds no codes that are finished; write them with hashprobe encode"
    ):
        audit(open_model("mine"), images, out=tmp_path / "c", codes=tmp_path / "nowhere", settings=settings)
    with monkeypatch.context() as patch:
        patch.setattr(BOUNDS, "image_pixels", 10**9)  # with which others can be used
        with pytest.raises(HashprobeError, match=r"was encoded from other photographs than .* or --bound"):
            audit(open_model("mine"), images, out=tmp_path / "c", codes=tmp_path / "codes", settings=settings)
        with pytest.raises(HashprobeError, match="holds another experiment"):
            encode("mine", images, out=tmp_path / "codes", image_size=SIZE)
    with monkeypatch.context() as patch:
        patch.setattr(HashModel, "codes", lambda self, images: ~codes(self, images))
        with pytest.raises(HashprobeError, match="no longer gives the codes"):
            audit(open_model("mine"), images, out=tmp_path / "c", codes=tmp_path / "codes", settings=settings)
    for name, size in (("d", 40), ("e", SIZE)):
        if size == SIZE:
            photograph(90).save(images / "another.png")
        other = settings.model_copy(update={"image_size": size})
        with pytest.raises(HashprobeError, match=r"was encoded from other photographs than .* at another"):
            audit(open_model("mine"), images, out=tmp_path / name, codes=tmp_path / "codes", settings=other)


@pytest.mark.usefixtures("small")
def test_an_evaluation_takes_the_database_that_was_encoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = load("openmoji", 32, cache_dir=tmp_path, queries=4, database=20, train=4)
    model = HashModel.build("squeezenet1_1", bits=12)
    model.save(tmp_path / "model")
    model = HashModel.load(tmp_path / "model")
    found = encode(str(tmp_path / "model"), data, out=tmp_path / "codes")
    np.testing.assert_array_equal(found.store.codes, model.codes(data.database.images))
    np.testing.assert_array_equal(found.store.labels.unpack(), data.database.labels)
    assert isinstance(encoded_codes(model, data.database, tmp_path / "codes"), np.memmap)
    rows = np.array([11, 3, 17])
    some = encoded_codes(model, data.database.take(rows), tmp_path / "codes")
    np.testing.assert_array_equal(some, found.store.codes[rows])
    wanted = {"attacks": ["Noise"], "protocols": ["paper"], "gallery": 0, "report": False}
    plain = evaluate(model, data, out=tmp_path / "plain", **wanted)  # type: ignore[arg-type]
    codes = HashModel.codes

    def few(self: HashModel, images: object, **options: object) -> object:
        assert len(images) < 20, "the database is not encoded again"  # type: ignore[arg-type]
        return codes(self, images, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(HashModel, "codes", few)
    taken = evaluate(model, data, out=tmp_path / "taken", codes=tmp_path / "codes", **wanted)  # type: ignore[arg-type]
    assert [row.without_times() for row in taken] == [row.without_times() for row in plain]
    with pytest.raises(HashprobeError, match=r"holds no code of .*, of the database \(4 are missing\)"):
        encoded_codes(model, data.query, tmp_path / "codes")
    other = HashModel.build("squeezenet1_1", bits=12, seed=1)
    with pytest.raises(HashprobeError, match="was made by model"):
        encoded_codes(other, data.database, tmp_path / "codes")
    monkeypatch.setattr(model, "logits", lambda images: -model.network(images))
    with pytest.raises(
        HashprobeError, match="holds other codes than the model gives of the database's images"
    ):
        encoded_codes(model, data.database, tmp_path / "codes")


@pytest.mark.usefixtures("small")
def test_the_questions_of_a_service_are_a_budget_and_no_answer_is_lost(tmp_path: Path) -> None:
    images, said = photographs(tmp_path / "images", 11), list[str]()
    with serving(lambda picture: (200, hexed(picture))) as server:
        whole = encode(server.address, images, out=tmp_path / "whole")
        found = []
        for _ in range(3):
            before = server.asked
            with pytest.raises(HashprobeError, match=r"was asked the 9 questions that it may be asked"):
                encode(f"{server.address},questions=9", images, out=tmp_path / "some", say=said.append)
            assert server.asked - before == 9
            shard_files = sorted((tmp_path / "some" / "shards").iterdir())
            codes = [code for path in shard_files for code in json.loads(path.read_text())["codes"] if code]
            found.append(len(codes))
        # Three are asked about noise to begin with, and four about pictures that have a code, whether they still have it.
        assert found == [6, 8, 10]
        assert said[0] == "4 of 11 pictures are encoded and kept; the same command goes on from there"
        encode(server.address, images, out=tmp_path / "some")
    assert made(tmp_path / "some") == made(tmp_path / "whole")
    assert len(whole.store) == 11


@pytest.mark.usefixtures("small")
def test_an_encoding_anew_that_is_stopped_leaves_codes_of_one_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos, model = find_photos(photographs(tmp_path / "images", 9)), linear_model(16)

    def codes() -> np.ndarray:
        return stored.encode(photos, Pipeline(model, SIZE), key="mine", cache_dir=tmp_path / "cache").codes

    def stop_at_the_second(path: Path, *arguments: object) -> Shard:
        if path.stem == "00001":
            raise Interrupted
        return shards.make_shard(path, *arguments)  # type: ignore[arg-type]

    before, logits = codes(), model.logits
    monkeypatch.setattr(model, "logits", lambda images: -logits(images))
    with monkeypatch.context() as patch:
        patch.setattr(stored, "make_shard", stop_at_the_second)
        with pytest.raises(Interrupted):
            codes()
    np.testing.assert_array_equal(codes(), ~before)


@pytest.mark.usefixtures("small")
def test_a_service_that_changed_is_noticed_by_the_first_shard_that_is_there(tmp_path: Path) -> None:
    images, out, changed = photographs(tmp_path / "images", 9), tmp_path / "codes", False

    def reply(picture: np.ndarray) -> tuple[int, bytes]:
        return 200, hexed(255 - picture if changed else picture)

    with serving(reply) as server:
        encode(server.address, images, out=out)
        (out / "shards" / "00000.json").unlink()
        changed = True
        with pytest.raises(HashprobeError, match=r"no longer gives the codes that .* holds"):
            encode(server.address, images, out=out)


def test_processes_share_what_a_service_may_be_asked() -> None:
    with serving(lambda picture: (200, hexed(picture))) as server:
        model = open_model(f"{server.address},questions=60,per_second=3000")
        asked = server.asked
        share_service(model, 3, asked)
        service = service_of(model)
        assert service is not None
        assert (service.settings.questions, service.settings.per_second) == ((60 - asked) // 3, 1000)
        with pytest.raises(
            HashprobeError, match="questions=19 is too little for 3 processes, each of which asks"
        ):
            share_service(model, 3, 19 - 3)
    share_service(HashModel.build("squeezenet1_1", bits=8), 3, 0)


def test_a_shard_that_is_not_whole_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "shard.json"
    shard = Shard(codes=["ab", "", ""], pixels=["00" * 8, "", ""], left_out={"2": "is truncated"})
    shard.write(path)
    read = Shard.read(path, 3, 1)
    assert (read.missing, read.usable, read.packed(1).tolist()) == ([1], [0], [[0xAB]])
    for count, width in ((4, 1), (3, 2)):
        with pytest.raises(HashprobeError, match=r"shard\.json is damaged, or holds other codes"):
            Shard.read(path, count, width)


def test_photographs_are_listed_in_the_order_of_their_paths(tmp_path: Path) -> None:
    names = ["a/b.png", "a-c.png", "a.png", "ab/x.png", "a/b/c.png", "b.PNG", "z/ü.jpg", "a/b-d.png"]
    for name in (*names, ".hidden.png", ".git/x.png", "a/notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "link.png").symlink_to(tmp_path / "a.png")
    assert find_photos(tmp_path).names == tuple(sorted([*names, "link.png"]))


@pytest.mark.usefixtures("plugin")
def test_what_cannot_be_encoded_is_one_sentence(tmp_path: Path) -> None:
    images = photographs(tmp_path / "images", 2)
    for path in images.rglob("*.png"):
        path.write_bytes(b"")
    with pytest.raises(HashprobeError, match=r"^no picture can be used \(even/00\.png is not a whole"):
        encode("mine", images, out=tmp_path / "codes", image_size=SIZE)
    for folder, sentence in (
        (tmp_path / "nowhere", "is no folder"),
        (tmp_path / "codes", "holds no photograph"),
    ):
        with pytest.raises(HashprobeError, match=sentence):
            encode("mine", folder, out=tmp_path / "other")
    with pytest.raises(HashprobeError, match=r"could not read .*codes\.store"):
        open_code_store(tmp_path / "codes" / "codes.store")
