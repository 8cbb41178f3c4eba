"""Tasks of a grid: what their keys depend on, what they share, and defended models."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import BaseModel, create_model
from small import SMALL, TRAINING, run, without_times

from hashprobe.attacks import IFGSM
from hashprobe.attacks.prosgan import ProSGAN
from hashprobe.defences import DEFENCES, Defence
from hashprobe.errors import HashprobeError
from hashprobe.evaluation import CellSpec
from hashprobe.experiments import SCALES, AttackedModel, Grid
from hashprobe.experiments.cell_task import Cell
from hashprobe.experiments.engine import with_needs
from hashprobe.experiments.tasks import GridTask
from hashprobe.experiments.training_tasks import HashModelTask, TrainedTask
from hashprobe.files import read_json
from hashprobe.hashing import Batch
from hashprobe.targets import PROTOCOLS, PrototypeCode
from hashprobe.trained import load_trained

GRID = Grid(folder=Path("out"), data="openmoji", image_size=32)
MODEL = AttackedModel(bits=12, weights="none", training=TRAINING)
GENERATOR = CellSpec(attack="ProS-GAN", settings={"epsilon": None})


def cell(
    spec: CellSpec = GENERATOR,
    *,
    model: AttackedModel = MODEL,
    grid: Grid = GRID,
    protocol: str | None = "paper",
    changes: dict[str, Any] | None = None,
    **fields: Any,
) -> Cell:
    trained = SCALES["cpu"].settings_of(spec.needs, **(changes or {}))
    return Cell(grid=grid, model=model, spec=spec, protocol=protocol, trained=trained, **fields)


def keys(of: Cell) -> dict[str, str]:
    """The keys of a cell and of all that it needs, by part."""
    tasks = [task for task in with_needs([of]).values() if isinstance(task, GridTask)]
    return {task.part: task.key for task in tasks}


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    """The parts whose keys differ."""
    assert before.keys() == after.keys()
    return {part for part in before if before[part] != after[part]}


ALL = {"hash model", "prototype", "ProS-GAN", "attacks"}


@pytest.mark.parametrize(
    ("after", "parts"),
    [
        (cell(), set()),
        (cell(grid=GRID.model_copy(update={"folder": Path("elsewhere"), "progress": True})), set()),
        (cell(variant="β 100"), set()),
        (cell(changes={"epochs": SCALES["cpu"].settings("ProS-GAN").model_dump()["epochs"]}), set()),
        (cell(protocol="disjoint"), {"attacks"}),
        (cell(pictures=2), {"attacks"}),
        (cell(CellSpec(attack="ProS-GAN", settings={"epsilon": 8 / 255})), {"attacks"}),
        (cell(changes={"epochs": 1}), {"ProS-GAN", "attacks"}),
        (cell(model=MODEL.model_copy(update={"bits": 8})), ALL),
        (cell(model=MODEL.model_copy(update={"defence": "none-such"})), ALL),
    ],
)
def test_a_key_changes_with_what_the_result_depends_on(after: Cell, parts: set[str]) -> None:
    assert changed(keys(cell()), keys(after)) == parts


def test_a_cell_that_is_scored_on_more_models_is_another() -> None:
    other = MODEL.model_copy(update={"bits": 8})
    transfer = cell(others=(other,))
    assert transfer.key != cell().key
    assert [task.model for task in transfer.needs() if isinstance(task, HashModelTask)] == [MODEL, other]


@pytest.mark.parametrize(
    ("kind", "parts"),
    [
        (PrototypeCode, {"prototype", "ProS-GAN", "attacks"}),
        (ProSGAN, {"ProS-GAN", "attacks"}),
        (Cell, {"attacks"}),
        (PROTOCOLS["paper"], {"attacks"}),
    ],
)
def test_a_new_version_is_new_for_all_that_needs_it(
    kind: Any, parts: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = keys(cell())
    monkeypatch.setattr(kind, "VERSION", 2, raising=False)
    assert changed(before, keys(cell())) == parts


def test_a_new_optional_field_changes_no_key() -> None:
    def longer(settings: BaseModel) -> BaseModel:
        kind = type(settings)
        new = create_model(kind.__name__, __base__=kind, field_of_tomorrow=(float, 0.5))
        return new(**settings.model_dump())

    before = cell()
    model = MODEL.model_copy(update={"training": longer(MODEL.training)})
    trained = {name: longer(settings) for name, settings in before.trained.items()}
    after = Cell(grid=GRID, model=longer(model), spec=GENERATOR, protocol="paper", trained=trained)
    assert "field_of_tomorrow" in after.model_dump()["trained"]["ProS-GAN"]
    assert changed(keys(before), keys(after)) == set()


def test_files_of_weights_are_known_by_their_bytes(tmp_path: Path) -> None:
    def weights(name: str, content: bytes) -> Cell:
        (tmp_path / name).write_bytes(content)
        return cell(model=MODEL.model_copy(update={"weights": str(tmp_path / name)}))

    first = keys(weights("a.safetensors", b"one"))
    assert changed(first, keys(weights("b.safetensors", b"one"))) == set()
    assert changed(first, keys(weights("a.safetensors", b"three"))) == ALL
    with pytest.raises(HashprobeError, match=r"gone\.safetensors' are neither 'none', 'bundled'"):
        _ = cell(model=MODEL.model_copy(update={"weights": str(tmp_path / "gone.safetensors")})).key


def test_what_is_required_is_trained_once_for_all_that_need_it() -> None:
    specs = (
        GENERATOR,
        CellSpec(attack="ProS-GAN", settings={"epsilon": 8 / 255}),
        CellSpec(code="prototype"),
        CellSpec(attack="DHTA", code="prototype"),
        CellSpec(attack="FGSM"),
    )
    cells = [cell(spec, protocol=protocol) for spec in specs for protocol in ("paper", "disjoint")]
    cells.append(cell(changes={"reconstruction": 50.0}))
    tasks = list(with_needs(cells).values())
    trained = [task.name for task in tasks if isinstance(task, TrainedTask)]
    assert trained == ["prototype", "ProS-GAN", "ProS-GAN"]
    assert len([task for task in tasks if isinstance(task, HashModelTask)]) == 1
    assert [type(task) for task in tasks[:4]] == [HashModelTask, TrainedTask, TrainedTask, Cell]
    assert len({task.path for task in tasks if isinstance(task, TrainedTask)}) == 3


def test_a_trained_attack_holds_the_code_that_others_share(walked: tuple[Path, Any]) -> None:
    generator, prototype = (load_trained(walked[0] / name) for name in ("pros-gan", "prototype"))
    assert generator.parts()["prototype"].sha256() == prototype.sha256()
    assert read_json(walked[0] / "pros-gan" / "done.json")["sha256"] == generator.sha256()


def test_a_cell_of_two_names_is_one_file() -> None:
    plain, named = cell(), cell(variant="β 12")
    assert (plain.key, plain.done) == (named.key, named.done)
    assert named.title == "ProS-GAN (β 12) on dpsh efficientnet_lite0 12 bits, paper"


SEEN: list[float] = []


@dataclass(frozen=True, kw_only=True)
class Quiet(Defence):
    """Draws all outputs towards 0, by a loss that is added."""

    weight: float = 1.0

    def __call__(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor | None]:
        SEEN.append(self.weight)
        relaxed = batch.relaxed(batch.images)
        return relaxed, self.weight * relaxed.square().mean()


@pytest.fixture
def _defences(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DEFENCES, "_things", dict(DEFENCES._things))
    DEFENCES.register("quiet")(Quiet)
    SEEN.clear()


def defended(**settings: Any) -> Any:
    model = SMALL.model.model_copy(update={"defence": "quiet", "defence_settings": settings})
    attacks = (CellSpec(attack="FGSM"), CellSpec(attack="I-FGSM", settings={"steps": 2}, goal="untargeted"))
    return SMALL.model_copy(update={"model": model, "attacks": attacks, "codes": (), "protocols": ("paper",)})


@pytest.mark.usefixtures("_defences")
def test_a_defended_model_is_trained_with_its_defence_and_attacked(
    tmp_path: Path, walked: tuple[Path, Any]
) -> None:
    rows = run(tmp_path / "out", defended(weight=50.0))
    assert SEEN == [50.0] * 4
    assert [row.attack for row in rows] == ["Original", "FGSM", "Original", "Own code", "I-FGSM"]
    assert {row.model for row in rows}.isdisjoint({row.model for row in walked[1]})
    assert without_times(run(tmp_path / "out", defended(weight=50.0))) == without_times(rows)
    assert len(SEEN) == 4
    with pytest.raises(HashprobeError, match="holds another experiment"):
        run(tmp_path / "out", defended(weight=51.0))
    (made,) = (tmp_path / "out").glob("cells/fgsm-on-*.json")
    assert read_json(made)["title"] == "FGSM on dpsh squeezenet1_1 12 bits quiet, paper"


@pytest.mark.usefixtures("_defences")
@pytest.mark.parametrize(
    ("experiment", "message"),
    [
        (lambda: defended(wait=1.0), "the defence 'quiet' has no setting 'wait'; it has weight"),
        (
            lambda: SMALL.model_copy(update={"model": SMALL.model.model_copy(update={"defence": "quite"})}),
            "no defence is named 'quite'; did you mean 'quiet'",
        ),
    ],
)
def test_a_wrong_defence_is_said(experiment: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(HashprobeError, match=message):
        run(tmp_path / "out", experiment())


def test_only_settings_that_differ_from_an_attack_s_defaults_count() -> None:
    plain, said, other = (
        CellSpec(attack="I-FGSM", settings=settings)
        for settings in ({}, {"steps": IFGSM().steps}, {"steps": 3})
    )
    assert cell(plain).key == cell(said).key != cell(other).key
