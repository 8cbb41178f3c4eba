"""Files that hashprobe reads, damaged in every way that a drawing finds, and what is held to be a right answer to that."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from data_pictures import CLASSES, LABELS, LISTED, picture
from hypothesis import strategies as st
from synthetic import write_run

from hashprobe import retrieval
from hashprobe.auditing import AuditSettings, audit
from hashprobe.auditing.kept import Cell
from hashprobe.auditing.page import render as page
from hashprobe.auditing.photos import PhotoPictures, find_photos, read_labels
from hashprobe.auditing.shards import Shard, make_shard
from hashprobe.data import audit_data, load
from hashprobe.errors import HashprobeError
from hashprobe.evaluation import CellStore
from hashprobe.evaluation.cells.measured import Measured
from hashprobe.experiments import find_recipe
from hashprobe.experiments.paper import grid_size
from hashprobe.files import write_json
from hashprobe.folders import LOCK_FILE, recording
from hashprobe.hashing import HashModel, open_model
from hashprobe.report.page import render
from hashprobe.report.run import RunRecord
from hashprobe.results import ResultRow
from hashprobe.text import plain
from hashprobe.trained import load_trained
from helpers import linear_model, random_codes, train_tiny
from outside_files import onnx_net, small_net, torchscript

DIRECTORY = None
"""In place of a file's bytes: a folder of its name."""
DEEP = "[" * 100_000
STRANGE = (
    *(
        "null",
        "true",
        "-1",
        "0",
        "1.5",
        '""',
        '"x"',
        "[]",
        "{}",
        "[[]]",
        "[{}]",
        '{"a": 1}',
        "NaN",
        "-Infinity",
    ),
    *("1e400", "1e300", "9" * 30, "9" * 400, "9" * 5000, '"' + "x" * 9000 + '"', '"\\u0000"', '"\\ud800"'),
    *('"\\n\\n"', '"../../x"', DEEP),
)
"""JSON in place of JSON, most of it of another type."""
TEXTS = (
    *(b"\xff\xfe", b"\0", b"", b"\n", b"\r", b" ", b",", b'"', b"-", b"nan", b"9" * 5000),
    *(b"~nouser/x", b"x" * 5000, b"[" * 3000),
)
"""Bytes in place of bytes."""


@dataclass(frozen=True)
class Read:
    """A file that is read.

    Attributes:
        name: What a test calls it.
        path: Where it is.
        read: Reads it, and whatever goes with it.
    """

    name: str
    path: Path
    read: Callable[[], object]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place of a JSON value, as the keys that lead to it."""
    yield path
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, own in pairs:
        yield from places(own, (*path, key))


def with_value(document: Any, path: tuple[Any, ...], text: str | None) -> str:
    """The text of a document with other JSON at a place, or without the place where there is none."""
    if not path:
        return text or ""
    document = copy.deepcopy(document)
    within = document
    for key in path[:-1]:
        within = within[key]
    if text is None:
        del within[path[-1]]
        return json.dumps(document)
    within[path[-1]] = "@here@"
    return json.dumps(document).replace('"@here@"', text)


@st.composite
def damaged(draw: st.DrawFn, whole: bytes, suffix: str) -> bytes | None:
    """Draw what is there in place of a whole file."""
    kind = draw(st.sampled_from(["value"] * 6 + ["cut", "bytes", "swap", "folder"]))
    if kind == "folder":
        return DIRECTORY
    if kind == "value" and suffix in (".json", ".jsonl"):
        lines = whole.decode().splitlines() if suffix == ".jsonl" else [whole.decode()]
        number = draw(st.integers(0, len(lines) - 1))
        document = json.loads(lines[number])
        path = draw(st.sampled_from(list(places(document))))
        lines[number] = with_value(document, path, draw(st.sampled_from((None, *STRANGE))))
        return "\n".join(lines).encode()
    start = draw(st.integers(0, len(whole)))
    if kind == "cut":
        return whole[:start]
    if kind == "swap":
        return whole[start:] + whole[:start]
    end = draw(st.integers(start, min(len(whole), start + 12)))
    return whole[:start] + draw(st.sampled_from(TEXTS)) + whole[end:]


def contents(folder: Path) -> dict[str, bytes | None]:
    """All that is in a folder, but for locks and the reports and descriptions that a command writes again."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
        if path.name != LOCK_FILE
    }


def problem_of(said: str) -> str:
    """Say that an error is not one sentence, or nothing."""
    sentence = "\n" not in plain(said) and len(said) <= 1500 and said.endswith((".", "?"))
    return "" if sentence else f"not one sentence: {said[:300]!r}"


def fault_of(target: Read, replacement: bytes | None, root: Path) -> str:
    """Read a damaged file; return what is wrong with the answer, or nothing, and put the whole file back."""
    whole = target.path.read_bytes()
    target.path.unlink()
    if replacement is DIRECTORY:
        target.path.mkdir()
    else:
        target.path.write_bytes(replacement)
    before = contents(root)
    try:
        target.read()
    except HashprobeError as error:
        if problem := problem_of(str(error)):
            return problem
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:300]}"
    finally:
        after = contents(root)
        shutil.rmtree(target.path) if target.path.is_dir() else target.path.unlink()
        target.path.write_bytes(whole)
    return "" if after == before else "files were changed"


def files_that_are_read(root: Path) -> list[Read]:
    """Make one of each file that hashprobe reads."""
    run = write_run(root / "run", queries=1, database=8, protocols=("paper",), untargeted=True)
    (run / "experiment.json").unlink(missing_ok=True)
    write_json(run / "experiment.json", _experiment())

    def report() -> str:
        page = render(RunRecord.read(run))
        page.encode()
        return page

    files = [
        Read(name, run / name, report)
        for name in (
            "results.jsonl",
            "curves.jsonl",
            "queries.jsonl",
            "transfer.jsonl",
            "gallery/gallery.json",
            "audit.json",
            "experiment.json",
            "training/hash-model.jsonl",
        )
        if (run / name).is_file()
    ]
    return files + _models(root) + _folders(root) + _audit(root) + _lists(root)


def _experiment() -> dict[str, Any]:
    return {
        "format": "hashprobe.experiment/2",
        "identity": "same",
        "title": "A run.",
        "command": "hashprobe quickstart",
        "settings": {"epochs": 3, "attacks": [{"attack": "FGSM"}]},
        "model": {"bits": 32, "backbone": "squeezenet1_1", "sha256": "ab" * 32},
        "data": {"name": "openmoji", "classes": 5, "query": 4, "database": 60, "train": 24},
        "seconds": {"data": 1.5, "attacks": 3.0},
        "seed": 3,
        "versions": {"torch": "2.9"},
        "threads": 2,
        "device": "cpu",
    }


def _models(root: Path) -> list[Read]:
    model = linear_model(size=8)
    model.save(root / "model")

    def load_model() -> object:
        loaded = HashModel.load(root / "model", module=linear_model(size=8).network)
        assert loaded.sha256() == model.sha256()
        return loaded

    files = [Read("model.json", root / "model" / "model.json", load_model)]
    trained = train_tiny("prototype", root / "prototype")

    def load_prototype() -> object:
        loaded = load_trained(root / "prototype")
        assert loaded.sha256() == trained.sha256()
        return loaded

    files.append(Read("trained.json", root / "prototype" / "trained.json", load_prototype))
    return files + [
        Read(path.name, path, lambda path=path: open_model(str(path)))  # type: ignore[misc]
        for path in (onnx_net(root / "net.onnx"), torchscript(root / "net.pt", small_net()))
    ]


def _folders(root: Path) -> list[Read]:
    store = CellStore(root / "cells-of")
    row = ResultRow(row="a", attack="FGSM", epsilon=0.1, protocol="paper", t_map=0.5, chance=0.2, queries=3)
    curve = {"row": "a", "recall": [0.5, 1.0], "precision": [1.0, 0.5]}
    store.keep("a", "0" * 12, Measured([row], [curve], random_codes(3, 12)))

    def cell() -> None:
        found = store.find("a", "0" * 12)
        assert found is not None
        assert found.rows
        assert len(found.codes) == found.rows[0].queries

    held = root / "held"
    write_json(held / "experiment.json", _experiment())

    def hold() -> None:
        path = held / "experiment.json"
        whole = path.read_bytes() if path.is_file() else b""
        try:
            with recording(held, "same", {"title": "A run."}, "attacks"):
                pass
        finally:
            if path.is_file():
                path.write_bytes(whole)

    codes = random_codes(40, 12)
    index = root / "own.faiss"
    graph = faiss.IndexBinaryHNSW(16, 4)
    graph.add(codes)
    faiss.write_index_binary(graph, str(index))

    def search() -> None:
        found = retrieval.open_index("faiss-file", codes, bits=12, path=str(index)).search(codes, 5)
        np.testing.assert_array_equal(
            found.distances, np.unpackbits(codes[:, None] ^ codes[found.ids], axis=2).sum(axis=2)
        )

    toml = root / "own.toml"
    toml.write_text('base = "cpu"\nqueries = 10\n[scale.trained.prototype]\nsteps = 20\n')
    own_recipe = root / "recipe.toml"
    own_recipe.write_text('base = "quickstart"\ntraining_seeds = [0, 1]\n[trained.ProS-GAN]\nepochs = 2\n')
    return [
        Read("cells/*.json", store.path("a", "0" * 12), cell),
        Read("experiment.json, held", held / "experiment.json", hold),
        Read("settings TOML", toml, lambda: grid_size(str(toml))),
        Read("recipe TOML", own_recipe, lambda: find_recipe(str(own_recipe))),
        Read("*.faiss", index, search),
    ]


def _audit(root: Path) -> list[Read]:
    images, out = root / "photographs", root / "audited"
    images.mkdir()
    for number in range(3):
        picture(number).save(images / f"{number}.png")
    table = root / "labels.csv"
    table.write_text("path,label\n" + "".join(f"{number}.png,{number % 2}\n" for number in range(3)))
    settings = AuditSettings(attacks=("FewStep",), budgets=("8/255",), queries=2, image_size=32, steps=1)
    cache = root.with_name(root.name + "-codes")
    audit(linear_model(), images, out=out, settings=settings, cache_dir=cache)
    (cell,) = (out / "cells").glob("attack-FewStep-evasion-*.json")

    shard = root / "shard.json"
    make_shard(shard, PhotoPictures(find_photos(images), 32), linear_model())

    def rows() -> None:
        assert len(Cell(out, cell.stem.rpartition("-")[0], cell.stem.rpartition("-")[2], 2).rows) <= 2

    return [
        *(
            Read(f"audit/{name}", out / name, lambda: page(out))
            for name in ("findings.json", "operating_points.jsonl")
        ),
        Read("audit/cells/*.json", cell, rows),
        Read("audit/labels.csv", table, lambda: read_labels(find_photos(images), str(table))),
        Read("shards/*.json", shard, lambda: Shard.read(shard, 3, 2)),
    ]


def _lists(root: Path) -> list[Read]:
    folder = root / "lists"
    (folder / "img").mkdir(parents=True)
    for number, name in enumerate(LABELS):
        picture(number).save(folder / "img" / f"{name}.png")
    for split, names in LISTED.items():
        rows = [LABELS[name] for name in names]
        (folder / f"{split}_img.txt").write_text("".join(f"img/{name}.png\n" for name in names))
        (folder / f"{split}_label.txt").write_text("".join(f"{row}\n" for row in rows))
    (folder / "classes.txt").write_text("".join(f"{name}\n" for name in CLASSES))
    (folder / "source.txt").write_text(".\n")
    table = root / "table.csv"
    lines = ["path,split,cat,dog,sun"]
    for split, names in {
        "query": LISTED["test"],
        "database": LISTED["database"],
        "train": LISTED["train"],
    }.items():
        lines += [f"lists/img/{name}.png,{split},{LABELS[name].replace(' ', ',')}" for name in names]
    table.write_text("\n".join(lines) + "\n")
    cache = root.with_name(root.name + "-cache")

    def opened(path: Path) -> Callable[[], object]:
        return lambda: load(str(path), image_size=32, cache_dir=cache)

    names = (
        "database_img.txt",
        "database_label.txt",
        "test_img.txt",
        "test_label.txt",
        "classes.txt",
        "source.txt",
    )
    files = [Read(f"lists/{name}", folder / name, opened(folder)) for name in names]
    files.append(
        Read("lists, audited", folder / "database_label.txt", lambda: audit_data(str(folder), image_size=32))
    )
    return [*files, Read("table.csv", table, opened(table))]
