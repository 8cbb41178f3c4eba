"""The paper's grid on a few small scenes: pages, files, what is shared, what a kill leaves, and engines that agree."""

from __future__ import annotations

import csv
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from hashprobe import retrieval
from hashprobe.attacks import ATTACKS
from hashprobe.cli import main
from hashprobe.data import load
from hashprobe.errors import HashprobeError
from hashprobe.experiments import AttackedModel, Grid, Scale
from hashprobe.experiments.cell_task import Cell
from hashprobe.experiments.engine import Outcome, open_engine, run_tasks, with_needs
from hashprobe.experiments.paper import (
    EXHIBITS,
    GRID_SIZES,
    PROTOCOLS,
    Catalogue,
    GridSize,
    Results,
    grid_size,
    reproduce,
    saat_table,
    weights_beside,
)
from hashprobe.experiments.paper.records import markdown_table, pivot, published, to_csv
from hashprobe.experiments.paper.table1 import measured_otherwise
from hashprobe.experiments.training_tasks import HashModelTask
from hashprobe.files import read_json, read_json_lines
from hashprobe.hashing import HashTrainingSettings
from hashprobe.plugins import load_plugins
from hashprobe.report import RunRecord
from hashprobe.targets import draw_target_labels

TRAINING = HashTrainingSettings(epochs=1, batch_size=12, optimizer="adamw", learning_rate=1e-3)
TINY = GridSize(
    scale=Scale(
        name="paper",
        image_size=32,
        training=TRAINING,
        trained={
            "prototype": {"steps": 5, "hidden": 16},
            "circle": {"steps": 5, "hidden": 16},
            "ProS-GAN": {
                "width": 8,
                "discriminator_width": 8,
                "epochs": 1,
                "batch_size": 12,
                "residual": True,
            },
        },
    ),
    bits=(8, 12),
    transfer_bits=(12,),
    headline_bits=12,
    models=tuple(
        AttackedModel(backbone=backbone, weights="none", training=TRAINING)
        for backbone in ("squeezenet1_1", "squeezenet1_0")
    ),
    steps=2,
    long_steps=3,
    iterated_steps=2,
    betas=(50.0, 100.0),
    queries=6,
    train=24,
)


def catalogue(folder: Path, published: str | None = "flickr25k") -> Catalogue:
    options = {"queries": 8, "database": 40, "train": 30}
    grid = Grid(
        folder=folder, data="openmoji", data_options=options, image_size=32, queries=6, train=24, seed=1
    )
    return Catalogue(grid, TINY, published)


def run(names: list[str], folder: Path, engine: str = "here") -> Outcome:
    with open_engine(engine, 1 if engine == "here" else 2) as opened:
        return reproduce(names, catalogue(folder), opened, command="hashprobe reproduce all")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("grid") / "out"
    outcome = run(list(EXHIBITS), folder)
    assert not outcome.failed
    return folder


def done_in(folder: Path) -> dict[Path, int]:
    """The file that each finished task wrote last, and when."""
    files = [*folder.rglob("done.json"), *folder.glob("cells/*.json")]
    return {path: path.stat().st_mtime_ns for path in files}


def table_below(page: Path, heading: str) -> list[list[str]]:
    """The first Markdown table after a heading."""
    text = page.read_text(encoding="utf-8").split(heading, 1)[1]
    lines = re.search(r"(^\|.*\n)+", text, flags=re.MULTILINE)
    assert lines
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines.group().splitlines()]


def lines_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("name", list(EXHIBITS))
def test_each_exhibit_has_its_page_and_numbers(name: str, finished: Path) -> None:
    page = (finished / f"{name}.md").read_text(encoding="utf-8")
    assert page.startswith(f"# {EXHIBITS[name].title}\n\n`hashprobe reproduce all`\n")
    assert "6 queries, database of 40, 24 training images of 32×32, seed 1" in page
    assert "Not measured" not in page
    assert len(lines_of(finished / f"{name}.csv")) > 1
    pictures = re.findall(r"!\[.*?\]\((.*?)\)", page)
    assert bool(pictures) == (name.startswith("figure") or name == "table3")
    for picture in pictures:
        with Image.open(finished / picture) as image:
            assert len(np.unique(np.asarray(image.convert("L")))) > 10
        assert (finished / picture).with_suffix(".svg").read_text(encoding="utf-8").startswith("<?xml")


def test_table_1_shows_the_methods_of_the_paper_beside_the_papers_numbers(finished: Path) -> None:
    table = table_below(finished / "table1.md", "the paper's protocol")
    theirs = [f"*paper's, {bits} bits*" for bits in (12, 24, 32, 48)]
    assert table[0] == ["t-MAP, %", "8 bits", "12 bits", *theirs]
    methods = ["Original", "Noise", "P2P", "DHTA", "ProS-GAN", "Anchor code", "Prototype code"]
    assert [row[0] for row in table[2:]] == [*methods, "**Chance**", "Original, MAP", "its chance"]
    rows = {row["row"]: row for row in read_json_lines(finished / "results.jsonl")}
    shown = {row[0]: row[2] for row in table[2:]}
    for cell in catalogue(finished).methods(TINY.model(12), "paper"):
        row = rows[cell.slug]
        assert shown[cell.method].startswith(f"{100 * row['t_map']:.1f} ± ")
    assert [row[5] for row in table[2:]][4] == "91.1"  # paper, Table 1: ProS-GAN, FLICKR-25K, 32 bits
    assert table[-2][5] == "80.8"  # and the MAP of its model


def test_the_paper_s_numbers_are_those_it_prints() -> None:
    assert {
        name: len(published(name)) for name in ("table1", "table2", "table3", "table4", "saat-table")
    } == {
        "table1": 3 * 7 * 4,
        "table2": 3 * 4,
        "table3": 2 * 36 + 6,
        "table4": 2 * 7 * 4,
        "saat-table": 3 * (1 + 3 + 5),
    }
    dhta = [r for r in published("table2", "ms-coco") if r["method"] == "DHTA"]
    assert [(r["iterations"], r["t_map"], r["rms"], r["seconds_per_image"]) for r in dhta] == [
        (2000, 0.6322, 0.0063, 5.685)
    ]
    alex_to_vgg = [
        r["t_map"]
        for r in published("table3")
        if (r.get("attacked_backbone"), r.get("attacked_bits"), r["backbone"], r["bits"], r["method"])
        == ("alexnet", 32, "vgg11", 12, "ProS-GAN")
    ]
    assert alex_to_vgg == [0.6435]


def test_models_are_shared_and_nothing_is_done_twice(finished: Path) -> None:
    tables = catalogue(finished)
    tasks = with_needs(cell for name in EXHIBITS for cell in EXHIBITS[name].cells(tables))
    models = [task for task in tasks.values() if isinstance(task, HashModelTask)]
    # DPSH at two lengths, another backbone at one, two other losses at two: no model is trained for a table of its own.
    assert len(models) == 2 + 1 + 2 * 2
    before = done_in(finished)
    assert len(before) == len(tasks)
    outcome = run(["table2", "figure4a"], finished)
    assert (outcome.made, outcome.failed) == ({}, {})
    assert done_in(finished) == before


def test_a_transfer_matrix_has_the_attacked_model_s_own_value_on_its_diagonal(finished: Path) -> None:
    table = table_below(finished / "table3.md", "ProS-GAN. Target label that shares nothing")
    assert [row[0] for row in table[2:4]] == table[0][1:]
    own = catalogue(finished).generator(TINY.model(12), "disjoint").rows()[0]
    assert table[2][1] == f"{100 * own.t_map:.1f}"
    across = [row for row in lines_of(finished / "table3.csv") if row["source"] == "hashprobe"]
    assert len(across) == len(PROTOCOLS) * (2 + 2 * 2 * 2)


def test_measuring_otherwise_reads_the_same_codes(finished: Path) -> None:
    cell = catalogue(finished).attack(TINY.model(12), "disjoint", "DHTA", steps=2)
    row = cell.rows()[0]
    found = {r["variant"]: r["t_map"] for r in measured_otherwise(cell, {"t_map": row.t_map})}
    assert found["ties expected"] == pytest.approx(row.t_map, abs=1e-12)
    assert found["ties pessimistic"] <= found["ties as published"] <= found["ties optimistic"]
    data = cell.grid.load()
    targets = draw_target_labels("disjoint", data.query.labels, data.database.labels, seed=1)
    codes = cell.query_codes(), cell.attacked.codes()["database"]
    plain = retrieval.average_precision(
        *codes, targets, data.database.labels, bits=12, ties="order", mode="as_published"
    )
    assert found["ties as published"] == pytest.approx(plain.mean(), abs=1e-12)


def test_saat_s_table_measures_the_first_5000_beside_its_authors_numbers(
    finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = finished / "saat-table.md"
    away, towards = (table_below(page, heading) for heading in ("## Untargeted", "## Targeted"))
    assert [(row[0], row[3]) for row in away[2:]] == [
        ("Unchanged", "82.3"),
        ("HAG", "21.7"),
        ("SDHA", "19.4"),
        ("SAAT", "14.5"),
        ("*Own code*", "–"),
        ("*Mainstay code*", "–"),
    ]
    theirs = {row[0]: row[3] for row in towards[2:]}
    assert list(theirs)[:7] == [
        "Unchanged",
        "P2P",
        "DHTA",
        "ProS-GAN",
        "ProS-GAN within 8/255",
        "THA",
        "SAAT",
    ]
    assert [theirs[name] for name in ("P2P", "DHTA", "ProS-GAN", "THA", "SAAT")] == [
        "81.8",
        "83.5",
        "66.4",
        "87.8",
        "88.9",
    ]
    # The scenes have 40 database images: the first 5,000 are all of them, and exact MAP is that of the cells' rows.
    tables = catalogue(finished)
    rows = {method.title: method.cell.rows()[0] for method in saat_table.methods(tables)[:6]}
    for line in away[2:]:
        assert line[1].startswith(f"{100 * rows[line[0]].map:.1f} ± ")
    assert rows["SAAT"].goal == "untargeted"
    assert (rows["SAAT"].attack, rows["SAAT"].code) == ("PGD", "mainstay")
    monkeypatch.setattr(saat_table, "TOP_K", 3)
    of_three = saat_table.show(Results(tables)).records
    data, cell = tables.grid.load(), saat_table.methods(tables)[6].cell
    targets = draw_target_labels("disjoint", data.query.labels, data.database.labels, seed=1)
    given = cell.query_codes(), cell.attacked.codes()["database"], targets, data.database.labels
    for variant, how in (("exact", {}), ("as published", {"mode": "as_published"})):
        (found,) = [
            r["t_map"]
            for r in of_three
            if (r["method"], r.get("variant")) == ("Unchanged", variant) and "t_map" in r
        ]
        assert found == pytest.approx(retrieval.average_precision(*given, bits=12, top_k=3, **how).mean())


def test_ablations_are_trainings_of_their_own(finished: Path) -> None:
    lines = lines_of(finished / "figure4a.csv")
    assert {line["variant"] for line in lines} == {"GAN", "ProS-GAN−", "ProS-GAN"}
    at_12 = {
        line["variant"]: line["rms"]
        for line in lines
        if (line["bits"], line["protocol"]) == ("12", "disjoint")
    }
    assert len(set(at_12.values())) == 3


def test_the_report_reads_the_grid_s_rows(finished: Path) -> None:
    record = RunRecord.read(finished)
    assert len(record.rows) == len(read_json_lines(finished / "results.jsonl"))
    assert all(row.row in record.curves for row in record.rows)


def test_a_failed_cell_is_named_on_the_page_that_shows_the_rest(finished: Path, tmp_path: Path) -> None:
    tables, weights = catalogue(tmp_path / "out"), tmp_path / "torn.safetensors"
    weights.write_bytes(b"no tensors")
    models = (TINY.models[0], TINY.models[1].model_copy(update={"weights": str(weights)}))
    broken = Catalogue(tables.grid, TINY.model_copy(update={"models": models}))
    with open_engine("here") as engine:
        outcome = reproduce(["table3"], broken, engine)
    page = (tmp_path / "out" / "table3.md").read_text(encoding="utf-8")
    assert "## Not measured" in page
    assert (
        "- Original on dpsh squeezenet1_0 12 bits, paper: needs dpsh squeezenet1_0 12 bits, which failed"
        in page
    )
    (failed,) = [why for why in outcome.failed.values() if not why.startswith("needs ")]
    assert failed.startswith(f"{weights} is not a whole safetensors file")
    assert "| squeezenet1_1, 12 bits |" in page


SCRIPT = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from hashprobe.evaluation import CellStore
from test_paper import run

keep, kept = CellStore.keep, []

def keep_until_killed(*arguments, **facts):
    kept.append(arguments)
    if len(kept) == 4:
        os.kill(os.getpid(), signal.SIGKILL)  # the fourth has measured everything and kept nothing
    keep(*arguments, **facts)

CellStore.keep = keep_until_killed
run(["table1"], Path(sys.argv[1]))
"""


def test_a_killed_grid_goes_on_without_doing_a_finished_cell_again(finished: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    script = SCRIPT.format(tests=str(Path(__file__).parent))
    killed = subprocess.run(
        [sys.executable, "-c", script, str(folder)], env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    before = done_in(folder)
    cells = EXHIBITS["table1"].cells(catalogue(folder))
    assert len([path for path in before if path.parent.name == "cells"]) == 3 < len(cells)
    outcome = run(["table1"], folder)
    assert not outcome.failed
    assert len(outcome.kept) == len(before)
    assert {path: at for path, at in done_in(folder).items() if path in before} == before
    # Killed or not, the rows are the same.
    assert rows_of(cells) == rows_of(EXHIBITS["table1"].cells(catalogue(finished)))


def rows_of(cells: list[Cell]) -> list[dict[str, Any]]:
    return [row.without_times() for cell in cells for row in cell.rows()]


PLUGIN = '''
"""An attack of a user's."""

from dataclasses import dataclass

from hashprobe.attacks import ATTACKS, Access, Attack


@ATTACKS.register("Tint")
@dataclass(frozen=True, kw_only=True)
class Tint(Attack):
    """Reddens every image."""

    access = Access.NOTHING
    epsilon: float | None = 8 / 255

    def perturb(self, victim, images, goal, generator):
        red = images.clone()
        red[:, 0] += 1
        return red
'''


@pytest.mark.usefixtures("_no_plugins")
@pytest.mark.parametrize("engine", ["processes", "ray"])
def test_every_engine_gives_the_same_rows_and_knows_the_plugins(
    engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if engine == "ray":
        pytest.importorskip("ray", reason="the extra ray is not installed")
    monkeypatch.setattr(ATTACKS, "_things", dict(ATTACKS._things))
    (tmp_path / "tint.py").write_text(PLUGIN, encoding="utf-8")
    load_plugins([tmp_path / "tint.py"])
    rows = []
    threads = torch.get_num_threads()
    torch.set_num_threads(max(1, len(os.sched_getaffinity(0)) // 2))  # as each of two workers has
    try:
        for name in ("here", engine):
            tables = catalogue(tmp_path / name)
            model = TINY.model(12)
            cells = [*tables.methods(model, "disjoint"), tables.attack(model, "disjoint", "Tint")]
            with open_engine(name, 1 if name == "here" else 2) as opened:
                outcome = run_tasks(cells, opened)
            assert not outcome.failed
            rows.append(rows_of(cells))
    finally:
        torch.set_num_threads(threads)
    assert rows[0] == rows[1]
    assert rows[0][-1]["linf"] == pytest.approx(8 / 255)


def test_weights_that_are_gone_are_said_before_anything_is_done(tmp_path: Path) -> None:
    model = TINY.models[0].model_copy(update={"weights": str(tmp_path / "gone.safetensors")})
    broken = Catalogue(catalogue(tmp_path / "out").grid, TINY.model_copy(update={"models": (model,)}))
    sentence = (
        f"weights '{tmp_path / 'gone.safetensors'}' are neither 'none', 'bundled', 'pretrained' nor a file."
    )
    with open_engine("here") as engine, pytest.raises(HashprobeError, match=re.escape(sentence)):
        reproduce(["table2"], broken, engine)


def test_a_folder_of_another_grid_is_refused(finished: Path) -> None:
    other = catalogue(finished)
    other = Catalogue(other.grid.model_copy(update={"seed": 2}), TINY)
    with open_engine("here") as engine, pytest.raises(HashprobeError, match="holds another experiment"):
        reproduce(["table1"], other, engine)


def test_a_damaged_cell_of_another_exhibit_is_named(tmp_path: Path) -> None:
    run([], tmp_path)
    (tmp_path / "cells").mkdir()
    (tmp_path / "cells" / "other-0.json").write_text("{}", encoding="utf-8")
    with pytest.raises(
        HashprobeError, match=r"other-0\.json is damaged; delete it, and the cell is measured"
    ):
        run([], tmp_path)


@pytest.mark.parametrize("scale", list(GRID_SIZES))
def test_every_scale_has_every_exhibit(scale: str, tmp_path: Path) -> None:
    grid = Grid(folder=tmp_path, data="openmoji", image_size=GRID_SIZES[scale].scale.image_size)
    tables = Catalogue(grid, grid_size(scale, "nus-wide"), "nus-wide")
    for exhibit in EXHIBITS:
        cells = EXHIBITS[exhibit].cells(tables)
        assert {cell.protocol for cell in cells if cell.spec.goal != "untargeted"} <= set(PROTOCOLS)
        assert all(cell.model.bits in (*tables.size.bits, *tables.size.transfer_bits) for cell in cells)
    wanted = {"paper": 50.0, "cpu": 12.0}[scale]  # the paper's β for NUS-WIDE
    settings = tables.size.scale.settings("ProS-GAN")
    assert settings.model_dump()["reconstruction"] == wanted
    cell = tables.generator(tables.size.model(32), "paper")
    assert cell.trained == {"prototype": tables.size.scale.settings("prototype"), "ProS-GAN": settings}


def test_weights_are_found_beside_the_data_and_checked(tmp_path: Path) -> None:
    data = tmp_path / "data" / "mine"
    data.mkdir(parents=True)
    (tmp_path / "weights").mkdir()
    file = tmp_path / "weights" / "squeezenet1_0-imagenet.safetensors"
    file.touch()
    assert weights_beside(data, ["squeezenet1_0", "squeezenet1_1"]) == {"squeezenet1_0": file}
    size = TINY.with_weights({"squeezenet1_0": file})
    assert [model.weights for model in size.models] == ["none", str(file)]
    assert size.models[1].std == pytest.approx((1 / 255,) * 3)
    with pytest.raises(HashprobeError, match="no backbone of this grid is named 'vgg11'"):
        TINY.with_weights({"vgg11": file})
    with pytest.raises(HashprobeError, match=r"--weights squeezenet1_0: .* is not a file"):
        TINY.with_weights({"squeezenet1_0": tmp_path / "none"})


def test_a_sample_is_part_of_the_data_and_repeats() -> None:
    data = load("openmoji", 32, 0, queries=8, database=40, train=30)
    some = data.sample(query=3, train=10, seed=5)
    assert (len(some.query), len(some.database), len(some.train)) == (3, 40, 10)
    assert some.query.names == data.sample(query=3, seed=5).query.names
    rows = [data.query.names.index(name) for name in some.query.names]
    assert rows == sorted(set(rows))
    np.testing.assert_array_equal(some.query.images[:], data.query.images[rows])
    np.testing.assert_array_equal(some.query.labels, data.query.labels[rows])
    with pytest.raises(HashprobeError, match="openmoji has 8 query images; 9 of them cannot be taken"):
        data.sample(query=9)


def test_tables_of_texts() -> None:
    records = [{"a": "x", "b": 1, "v": "1|2"}, {"a": "y", "b": 2, "v": "3"}]
    table = pivot(records, lambda r: r["a"], lambda r: r["b"], lambda r: r["v"], corner="a")
    assert markdown_table(table) == "| a | 1 | 2 |\n| --- | ---: | ---: |\n| x | 1\\|2 | – |\n| y | – | 3 |"
    assert to_csv([{"bits": 8, "n": 1, "rms": None}, {"bits": 9}]) == "bits,n\n8,1\n9,\n"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["table9"], "no recipe, table or figure is named 'table9'; did you mean 'table"),
        (["table1"], "table1 needs data: --data flickr25k --source FOLDER, or --data openmoji."),
        (
            ["all", "--data", "flickr25k"],
            "'flickr25k' needs pictures of yours; name their folder with --source.",
        ),
        (["table1", "--data", "openmoji", "--scale", "gpu"], "no grid size is named 'gpu'"),
        (
            ["table1", "--data", "openmoji", "--engine", "raye"],
            "no engine is named 'raye'; did you mean 'ray'?",
        ),
        (
            ["table1", "--data", "openmoji", "--weights", "vgg11=x"],
            "no backbone of this grid is named 'vgg11'",
        ),
    ],
)
def test_wrong_arguments_are_said(
    arguments: list[str],
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["hashprobe", "reproduce", *arguments])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2
    assert sentence in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


SIZE = """
base = "cpu"
bits = [8]
headline_bits = 8
queries = 6
train = 24

[scale]
image_size = 32
[scale.trained.prototype]
steps = 5
hidden = 16
[scale.trained."ProS-GAN"]
width = 8
decoder_width = 8
epochs = 1

[[models]]
backbone = "squeezenet1_1"
weights = "none"
training = { epochs = 1, batch_size = 12, optimizer = "adamw", learning_rate = 1e-3 }
"""


def test_a_size_may_be_a_file_that_says_what_differs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("small.toml").write_text(SIZE, encoding="utf-8")
    options = [o for pair in ("queries=8", "database=40", "train=30") for o in ("--data-option", pair)]
    command = ["hashprobe", "reproduce", "figure3", "--data", "openmoji", "--scale", "small.toml", *options]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 0
    out = tmp_path / "runs" / "paper-openmoji-small"
    assert "wrote runs/paper-openmoji-small/figure3.md" in capsys.readouterr().out
    described = read_json(out / "experiment.json")
    assert described["command"].startswith("hashprobe reproduce figure3 --data openmoji")
    own, given = GRID_SIZES["cpu"].scale.trained, described["settings"]["scale"]["trained"]
    assert given["circle"] == own["circle"]
    assert given["prototype"] == own["prototype"] | {"steps": 5, "hidden": 16}
    changed = {name: given["ProS-GAN"][name] for name in ("width", "decoder_width", "epochs")}
    assert changed == {"width": 8, "decoder_width": 8, "epochs": 1}
    assert (given["ProS-GAN"]["decoder"], given["ProS-GAN"]["reconstruction"]) == ("convolutions", 12.0)
    assert len(lines_of(out / "figure3.csv")) == 3


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "cannot be read (No such file or directory)"),
        ("base = cpu", "is not a TOML file (Invalid value"),
        ("queries = 3", 'must name the size it starts from: base = "cpu".'),
        ('base = "cpo"', "no grid size is named 'cpo'; did you mean 'cpu'?"),
    ],
)
def test_a_wrong_size_file_is_said(text: str | None, sentence: str, tmp_path: Path) -> None:
    file = tmp_path / "size.toml"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    with pytest.raises(HashprobeError, match=re.escape(sentence)):
        grid_size(str(file))


def test_an_unknown_field_of_a_size_file_is_said(tmp_path: Path) -> None:
    file = tmp_path / "size.toml"
    file.write_text('base = "cpu"\nquerys = 3', encoding="utf-8")
    with pytest.raises(HashprobeError, match="querys"):
        grid_size(str(file))
