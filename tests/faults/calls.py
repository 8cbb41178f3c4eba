"""Public functions, called with what they cannot take in place of an argument."""

from __future__ import annotations

import contextlib
import dataclasses
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import fuzzing
import numpy as np
import torch
from data_pictures import picture
from hypothesis import strategies as st
from rich.console import Console
from synthetic import write_run

from hashprobe import data, retrieval, targets
from hashprobe.attacks import ATTACKS
from hashprobe.attacks.base import project
from hashprobe.errors import HashprobeError
from hashprobe.evaluation import CellSpec, target_label
from hashprobe.experiments import evaluate
from hashprobe.experiments.paper import grid_size
from hashprobe.hashing import (
    HashModel,
    build_backbone,
    open_file,
    open_model,
    open_service,
    perceptual_hash,
)
from hashprobe.images import as_images
from hashprobe.report import text_report, write_report
from hashprobe.results import ResultRow, epsilon_text
from hashprobe.targets import Goal
from hashprobe.trained import load_trained
from helpers import conv_model, linear_model, random_codes, random_images, tiny_data
from outside_files import onnx_net

BITS, CLASSES = 12, 3
STRANGE: dict[str, Callable[[], Any]] = {
    **{repr(value): lambda value=value: value for value in (None, True, False, -1, 0, 1, 2, 3, 1.5, -0.5)},
    **{
        repr(value): lambda value=value: value
        for value in (float("nan"), float("inf"), -float("inf"), 1e308, 2**31, 2**63, 10**30, -(10**30), 1j)
    },
    **{
        repr(value)[:30]: lambda value=value: value
        for value in (
            "",
            "x",
            "8/255",
            "none",
            "paper",
            "\0",
            "\ud800",
            "~nouser/x",
            "x" * 5000,
            "../..",
            "a\nb",
        )
    },
    "10^5000": lambda: 10**5000,
    "bytes": lambda: b"x",
    "path": lambda: Path("nowhere"),
    "list": list,
    "dict": dict,
    "set": lambda: {1},
    "list of texts": lambda: ["a", "b"],
    "uneven list": lambda: [[1], [1, 2]],
    "object": object,
    "type": lambda: int,
    "function": lambda: len,
    "slice": lambda: slice(2),
    "generator": lambda: (number for number in range(3)),
    "scalar": lambda: np.float64(0.5),
    "NumPy number": lambda: np.int64(2),
    "empty array": lambda: np.zeros((0,)),
    "no rows": lambda: np.zeros((0, CLASSES), dtype=np.uint8),
    "no columns": lambda: np.zeros((3, 0), dtype=np.uint8),
    "many axes": lambda: np.zeros((1,) * 9, dtype=np.uint8),
    "floats": lambda: np.full((4, 2), 0.5),
    "NaN": lambda: np.full((4, 2), np.nan),
    "whole numbers": lambda: np.full((4, 2), -7),
    "twos": lambda: np.full((4, CLASSES), 2, dtype=np.uint8),
    "masked array": lambda: np.ma.masked_array(np.ones((4, 2), dtype=np.uint8), mask=True),
    "texts in an array": lambda: np.array(["a", "b"]),
    "objects in an array": lambda: np.array([None, object()], dtype=object),
    "dates": lambda: np.array(["2020-01-01"], dtype="datetime64[D]"),
    "records": lambda: np.zeros(3, dtype=[("a", "u1")]),
    "complex numbers": lambda: np.ones((4, 2), dtype=complex),
    "codes": lambda: random_codes(4, BITS),
    "images": lambda: np.zeros((2, 3, 32, 32), dtype=np.uint8),
    "large images": lambda: np.zeros((1, 3, 40, 32), dtype=np.uint8),
    "images of NaN": lambda: np.full((1, 3, 32, 32), np.nan),
    "tensor": lambda: torch.zeros(4, 2),
    "sparse tensor": lambda: torch.zeros(4, 2).to_sparse(),
    "tensor of NaN": lambda: torch.full((1, 3, 32, 32), torch.nan),
    "tensor on no device": lambda: torch.zeros(1, 3, 32, 32, device="meta"),
}
"""By name, what makes a value that few arguments take."""


@dataclass(frozen=True)
class Call:
    """A public function and arguments that it takes."""

    function: Callable[..., Any]
    arguments: Callable[[], dict[str, Any]]


def _retrieval(folder: Path) -> dict[str, Call]:
    rng = np.random.default_rng(3)
    query_labels, labels = (rng.integers(0, 2, (count, CLASSES), dtype=np.uint8) for count in (4, 30))
    queries, database = random_codes(4, BITS), random_codes(30, BITS, seed=1)
    searched = {"queries": queries, "database": database, "bits": BITS, "threads": 1, "progress": False}
    labelled = searched | {"query_labels": query_labels, "database_labels": labels}
    without = {name: value for name, value in labelled.items() if name != "progress"}
    counts = retrieval.count_levels(**labelled)
    found = retrieval.top_k(**searched, k=5)
    store = folder / "store.codes"
    retrieval.write_code_store(store, database, labels, bits=BITS, model="m")
    index = folder / "own.faiss"
    flat = faiss.IndexBinaryFlat(16)
    flat.add(database)
    faiss.write_index_binary(flat, str(index))
    near = {"neighbours": found, "query_labels": query_labels, "database_labels": labels, "bits": BITS}
    table: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
        "average_precision": (
            retrieval.average_precision,
            without | {"ties": "expected", "empty": "skip", "top_k": 5, "mode": "exact", "device": None},
        ),
        "average_precision_from_counts": (
            retrieval.average_precision_from_counts,
            {"counts": counts, "ties": "expected", "empty": "skip", "top_k": 5},
        ),
        "average_precision_from_neighbours": (
            retrieval.average_precision_from_neighbours,
            near | {"empty": "skip", "threads": 1},
        ),
        "bootstrap_interval": (
            retrieval.bootstrap_interval,
            {"values": np.ones(5), "seed": 0, "confidence": 0.9, "resamples": 20},
        ),
        "chance_level": (
            retrieval.chance_level,
            {
                "query_labels": query_labels,
                "database_labels": labels,
                "empty": "skip",
                "top_k": 3,
                "threads": 1,
            },
        ),
        "count_levels": (retrieval.count_levels, labelled | {"device": None}),
        "count_levels_in_order": (retrieval.count_levels_in_order, labelled),
        "count_levels_of_sets": (
            retrieval.count_levels_of_sets,
            {
                "query_sets": {"a": (queries, query_labels)},
                "database": database,
                "database_labels": labels,
                "bits": BITS,
                "threads": 1,
            },
        ),
        "count_neighbours": (retrieval.count_neighbours, near | {"threads": 1}),
        "open_code_store": (retrieval.open_code_store, {"path": store, "bits": BITS, "model": "m"}),
        "check_index": (retrieval.check_index, {"name": "faiss-hnsw", "bits": BITS, "links": 4}),
        "read_faiss_codes": (retrieval.read_faiss_codes, {"path": index, "bits": BITS}),
        "open_index": (retrieval.open_index, {"name": "scan", "codes": database, "bits": BITS}),
        "open_index faiss-hnsw": (
            retrieval.open_index,
            {"name": "faiss-hnsw", "codes": database, "bits": 16, "links": 4, "search_width": 8},
        ),
        "SearchIndex.search": (
            retrieval.open_index("scan", database, bits=BITS).search,
            {"queries": queries, "k": 3},
        ),
        "pack": (retrieval.pack, {"signs": np.ones((4, BITS))}),
        "pack_labels": (retrieval.pack_labels, {"labels": labels}),
        "precision_at": (retrieval.precision_at, {"counts": counts, "ns": [1, 5], "ties": "expected"}),
        "precision_at_recall": (
            retrieval.precision_at_recall,
            {"counts": counts, "recall_grid": [0.5, 1.0], "ties": "expected", "empty": "skip"},
        ),
        "precision_recall_curve": (
            retrieval.precision_recall_curve,
            {"counts": counts, "recall_grid": [0.5]},
        ),
        "precision_within_radius": (retrieval.precision_within_radius, {"counts": counts, "radii": [2]}),
        "recall_at": (retrieval.recall_at, {"counts": counts, "ns": 3, "empty": "skip"}),
        "top_k": (retrieval.top_k, searched | {"k": 5}),
        "unpack": (retrieval.unpack, {"codes": queries, "bits": BITS}),
        "write_code_store": (
            retrieval.write_code_store,
            {
                "path": folder.with_name(folder.name + "-out") / "new.codes",
                "codes": database,
                "labels": labels,
                "bits": BITS,
                "model": "m",
                "ids": None,
            },
        ),
    }
    return {
        name: Call(function, lambda given=given: dict(given)) for name, (function, given) in table.items()
    }


def _data(folder: Path) -> dict[str, Call]:
    table, cache = folder / "table.csv", folder.with_name(folder.name + "-cache")
    names = ("query", "database", "train")
    for number, name in enumerate(names):
        picture(number).save(folder / f"{name}.png")
    table.write_text("path,split,cat\n" + "".join(f"{name}.png,{name},1\n" for name in names))
    drawn = folder / "drawn.csv"
    drawn.write_text("path,cat\n" + "".join(f"{name}.png,1\n" for name in names))
    options = {"image_size": 32, "seed": 0, "cache_dir": cache, "progress": False}
    opened = data.load(table, 32, cache_dir=cache)

    def build() -> dict[str, Any]:
        # No archive is there, so that nothing is built; a generated data set would take long.
        source, out = folder / "archive", folder / "built"
        source.mkdir(exist_ok=True)
        return {
            "name": "flickr25k",
            "source": source,
            "out": out,
            "seed": 0,
            "queries": 1,
            "train": 1,
            "lists": None,
        }

    return {
        "load": Call(data.load, lambda: {"name_or_path": str(table), **options}),
        "load_folder": Call(
            data.load_folder, lambda: {"path": drawn, **options, "workers": 1, "queries": 1, "train": 1}
        ),
        "audit_folder": Call(
            data.audit_folder,
            lambda: {"path": drawn, "image_size": 32, "seed": 0, "queries": 1, "train": 1, "workers": 1},
        ),
        "audit_data": Call(
            data.audit_data, lambda: {"name_or_path": str(table), "image_size": 32, "seed": 0}
        ),
        "build_data_set": Call(data.build_data_set, build),
        "read_image": Call(data.read_image, lambda: {"path": folder / "query.png", "size": 32}),
        "contact_sheet": Call(
            data.contact_sheet,
            lambda: {
                "split": opened.query,
                "columns": 2,
                "rows": 1,
                "class_names": opened.class_names,
                "zoom": 1,
            },
        ),
        "RetrievalData.sample": Call(
            opened.sample, lambda: {"query": 1, "database": 1, "train": 1, "seed": 0}
        ),
    }


def _models() -> dict[str, Call]:
    model, images = conv_model(BITS), random_images(3)
    rng = np.random.default_rng(3)
    labels, query_labels = (rng.integers(0, 2, (count, CLASSES), dtype=np.uint8) for count in (20, 3))
    attack = ATTACKS["I-FGSM"](steps=1)  # type: ignore[call-arg]
    goal = Goal(codes=random_codes(3, BITS), labels=query_labels)
    context = {"codes": random_codes(20, BITS), "labels": labels, "bits": BITS, "seed": 0}
    generator = torch.Generator().manual_seed(0)
    calls = {
        "HashModel.codes": Call(model.codes, lambda: {"images": images, "batch_size": 2}),
        "HashModel.wrap": Call(
            HashModel.wrap,
            lambda: {"module": model.network, "bits": BITS, "mean": (0.5,) * 3, "std": (0.5,) * 3},
        ),
        "build_backbone": Call(build_backbone, lambda: {"name": "squeezenet1_1", "weights": "nowhere"}),
        "as_images": Call(as_images, lambda: {"images": images, "device": "cpu"}),
        "Attack.run": Call(
            attack.run, lambda: {"model": model, "images": images, "goal": goal, "generator": generator}
        ),
        "project": Call(project, lambda: {"adversarial": images, "images": images, "epsilon": 0.1}),
        "Goal": Call(
            Goal, lambda: {"objective": "targeted", "codes": random_codes(3, BITS), "labels": query_labels}
        ),
        "draw_target_labels": Call(
            targets.draw_target_labels,
            lambda: {"protocol": "paper", "query_labels": query_labels, "database_labels": labels, "seed": 0},
        ),
        "unique_labels": Call(targets.unique_labels, lambda: {"database_labels": labels}),
        "AnchorCode": Call(targets.AnchorCode, lambda: {**context, "images": 3}),
        "P2PCode": Call(targets.P2PCode, lambda: dict(context)),
        "chance_by_protocol": Call(
            data.chance_by_protocol,
            lambda: {"query_labels": query_labels, "database_labels": labels, "seed": 0},
        ),
        "target_label": Call(target_label, lambda: {"names": ["a"], "class_names": ("a", "b")}),
    }
    for name in ("FGSM", "I-FGSM", "DHTA", "P2P", "HAG", "Noise", "RandomSearch"):
        kind = ATTACKS[name]
        given = {field.name: getattr(kind(), field.name) for field in dataclasses.fields(kind) if field.init}
        calls[f"{name}()"] = Call(kind, lambda given=given: dict(given))
    return calls


def _files(folder: Path) -> dict[str, Call]:
    run = write_run(folder / "run", queries=1, database=8, protocols=("paper",))
    model = linear_model(size=8)
    model.save(folder / "model")
    onnx_net(folder / "net.onnx")
    row = {"row": "a", "attack": "FGSM", "epsilon": 0.1, "protocol": "paper", "t_map": 0.5, "chance": 0.2}
    silent = Console(file=io.StringIO())
    return {
        "open_model": Call(open_model, lambda: {"name_or_folder": "nowhere", "bits": BITS}),
        "open_file": Call(open_file, lambda: {"file": folder / "net.onnx", "settings": None}),
        "open_service": Call(open_service, lambda: {"text": "command:", "names": ()}),
        "perceptual_hash": Call(perceptual_hash, lambda: {"name": "phash", "settings": None}),
        "HashModel.load": Call(
            HashModel.load, lambda: {"directory": folder / "model", "module": model.network}
        ),
        "load_trained": Call(load_trained, lambda: {"directory": folder, "kind": None}),
        "write_report": Call(write_report, lambda: {"directory": folder / "model", "figures": False}),
        "text_report": Call(text_report, lambda: {"directory": run, "console": silent}),
        "grid_size": Call(grid_size, lambda: {"name_or_file": "cpu", "data": "flickr25k"}),
        "ResultRow.read": Call(ResultRow.read, lambda: {"values": row, "where": "here", "number": 1}),
        "epsilon_text": Call(epsilon_text, lambda: {"epsilon": 0.1}),
        "CellSpec.read": Call(CellSpec.read, lambda: {"text": "I-FGSM:steps=3"}),
        "evaluate": Call(
            evaluate,
            lambda: {
                "model": linear_model(),
                "data": tiny_data(queries=2, database=8, train=4),
                "attacks": ("Noise",),
                "protocols": ("paper",),
                "out": run,  # another run's, so that nothing is measured
                "trained": (),
                "search": "scan",
                "transfer": False,
                "gallery": 0,
                "seed": 0,
                "command": "",
                "report": False,
                "progress": False,
            },
        ),
    }


def calls(folder: Path) -> dict[str, Call]:
    """All public functions that are tried, by name."""
    folder.mkdir(parents=True)
    return {**_retrieval(folder), **_data(folder), **_models(), **_files(folder)}


@st.composite
def strange_arguments(draw: st.DrawFn, call: Call) -> dict[str, str]:
    """Draw what stands in place of one argument or two: names of ``STRANGE`` by name of the argument."""
    names = draw(st.lists(st.sampled_from(sorted(call.arguments())), min_size=1, max_size=2, unique=True))
    return {name: draw(st.sampled_from(list(STRANGE))) for name in names}


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


def fault_of(call: Call, strange: dict[str, str], root: Path) -> str:
    """Call a function with strange arguments; return what is wrong with its answer, or nothing."""
    given = call.arguments() | {name: STRANGE[value]() for name, value in strange.items()}
    before = fuzzing.contents(root)
    try:
        with _quiet():
            call.function(**given)
    except HashprobeError as error:
        if problem := fuzzing.problem_of(str(error)):
            return problem
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:300]}"
    after = fuzzing.contents(root)
    return "" if all(after.get(name) == content for name, content in before.items()) else "files were changed"
