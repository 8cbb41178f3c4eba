"""How large the paper's grid is: on a GPU as published, or so that two CPU cores finish it; the same code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from hashprobe.attacks.prosgan import NARROW
from hashprobe.errors import HashprobeError, unknown_name
from hashprobe.experiments.models import AttackedModel
from hashprobe.experiments.scales import SCALES, Scale
from hashprobe.experiments.toml_file import read_based
from hashprobe.hashing import CAFFE_MEAN, CAFFE_STD
from hashprobe.registry import Registry
from hashprobe.targets import PrototypeSettings
from hashprobe.typed_values import checked

# The paper's data sets, by the names of ``hashprobe data build``, with its β for each.
PUBLISHED_BETAS = {"flickr25k": 100.0, "nus-wide": 50.0, "ms-coco": 50.0}


class GridSize(BaseModel):
    """Sizes, schedules and models of the grid.

    Attributes:
        scale: Image size, and how hash models and what is trained against them are trained.
        bits: Code lengths of Tables 1 and 4 and of Figure 4(a).
        transfer_bits: Code lengths of Table 3.
        headline_bits: Code length of Table 2 and Figures 2, 3 and 4(b).
        models: One hash model a backbone, with the default one first; loss and bits are set by each table.
        loss_settings: Arguments of each loss.
        steps: Iterations of P2P and DHTA in Tables 1, 3 and 4.
        long_steps: Iterations of DHTA in Table 2.
        iterated_steps: Iterations of I-FGSM in Table 2.
        betas: Weights of the reconstruction term in Figure 4(b).
        queries: Queries, where the data have more; all of them if not given.
        train: Training images, likewise.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    scale: Scale
    bits: tuple[int, ...]
    transfer_bits: tuple[int, ...] = (12, 32)
    headline_bits: int = 32
    models: tuple[AttackedModel, ...]
    loss_settings: Mapping[str, dict[str, float]] = {}
    steps: int
    long_steps: int
    iterated_steps: int = 100
    betas: tuple[float, ...]
    queries: int | None = None
    train: int | None = None

    @property
    def bits_by_need(self) -> list[int]:
        """The code lengths, the headline's first: most tables need that, and have it early then."""
        return sorted(self.bits, key=lambda bits: (bits != self.headline_bits, bits))

    def model(self, bits: int, loss: str = "dpsh", backbone: str | None = None) -> AttackedModel:
        """Return a hash model of the grid: the default backbone's, or a named one's."""
        base = next(model for model in self.models if backbone in (None, model.backbone))
        training = base.training.model_copy(
            update={"loss": loss, "loss_settings": dict(self.loss_settings.get(loss, {}))}
        )
        return base.model_copy(update={"bits": bits, "training": training})

    def with_weights(self, given: Mapping[str, Path]) -> GridSize:
        """Return the same with backbones that start from files.

        A file for a SqueezeNet is taken to be of Caffe's time, whose networks see 0 to 255 minus a mean.

        Args:
            given: Safetensors files by backbone.

        Raises:
            HashprobeError: the grid has no such backbone, or a file does not exist.
        """
        known = [model.backbone for model in self.models]
        for backbone, file in given.items():
            if backbone not in known:
                raise unknown_name("backbone of this grid", backbone, known)
            if not file.is_file():
                raise HashprobeError(f"--weights {backbone}: {file} is not a file.")
        models = []
        for model in self.models:
            if model.backbone in given:
                update: dict[str, Any] = {"weights": str(given[model.backbone].resolve())}
                if model.backbone.startswith("squeezenet"):
                    update |= {"mean": CAFFE_MEAN, "std": CAFFE_STD}
                model = model.model_copy(update=update)
            models.append(model)
        return self.model_copy(update={"models": tuple(models)})


@checked
def grid_size(name_or_file: str, data: str | None = None) -> GridSize:
    """Return a size by its name, or as a TOML file describes it; the size ``paper`` has the paper's β for the data.

    A file names the size that it starts from as ``base``, and gives the fields of :class:`GridSize` that differ, nested ones
    in tables: ``queries = 100``, or ``steps = 500`` under ``[scale.trained.prototype]``; see :func:`read_based`.

    Args:
        name_or_file: A name of ``GRID_SIZES``, or the path of a file that ends in ``.toml``.
        data: A name of ``PUBLISHED_BETAS``; for any other ``paper`` has that of FLICKR-25K.

    Raises:
        HashprobeError: an unknown name, a file that cannot be read, or a field or value in it that there is not.
    """
    if not name_or_file.endswith(".toml"):
        return _named(name_or_file, data)
    return read_based(name_or_file, lambda base: _named(base, data), kind="size", example="cpu")


def _named(name: str, data: str | None) -> GridSize:
    size = GRID_SIZES[name]
    if name != "paper" or data not in PUBLISHED_BETAS:
        return size
    trained = {"ProS-GAN": {"reconstruction": PUBLISHED_BETAS[data]}}
    return size.model_copy(update={"scale": size.scale.model_copy(update={"trained": trained})})


def weights_beside(source: Path, backbones: Iterable[str]) -> dict[str, Path]:
    """Return the safetensors files that lie in a folder ``weights`` beside a data folder or the folder above it.

    Args:
        source: The data folder.
        backbones: Names; a file belongs to the backbone that its name begins with.
    """
    found: dict[str, Path] = {}
    for above in list(source.resolve().parents)[:2]:
        for backbone in backbones:
            for file in sorted((above / "weights").glob(f"{backbone}[.-]*safetensors")):
                found.setdefault(backbone, file)
    return found


GRID_SIZES: Registry[GridSize] = Registry("grid size")

_PAPER = SCALES["paper"]
GRID_SIZES.register("paper")(
    GridSize(
        scale=_PAPER,
        bits=(12, 24, 32, 48),
        models=tuple(
            AttackedModel(backbone=backbone, weights="pretrained", training=_PAPER.training)
            for backbone in ("vgg11", "alexnet", "resnet18")
        ),
        steps=2000,
        long_steps=2000,
        betas=(5.0, 10.0, 25.0, 50.0, 100.0, 200.0),
    )
)

_CPU = SCALES["cpu"].model_copy(
    update={
        "training": SCALES["cpu"].training.model_copy(update={"epochs": 5, "learning_rate": 1e-3}),
        "trained": {
            "prototype": PrototypeSettings(steps=1500, learning_rate=5e-4).model_dump(),
            "circle": {"steps": 1500},
            "ProS-GAN": NARROW.model_copy(update={"epochs": 4}).model_dump(),
        },
    }
)
GRID_SIZES.register("cpu")(
    GridSize(
        scale=_CPU,
        bits=(12, 32),
        models=(
            AttackedModel(backbone="efficientnet_lite0", weights="bundled", training=_CPU.training),
            # The learning rate that suits the others makes its features collapse.
            AttackedModel(
                backbone="squeezenet1_0",
                weights="none",
                training=_CPU.training.model_copy(update={"backbone_rate": 0.05}),
            ),
            AttackedModel(
                backbone="resnet18", weights="none", training=_CPU.training.model_copy(update={"epochs": 10})
            ),
        ),
        loss_settings={
            "dpsh": {"eta": 50.0, "growth": 1.0},
            "dph": {},
            # A training of some hundred steps needs a faster growth than the published 0.005 to end near its scale of 13.
            "hashnet": {"growth": 0.5, "refresh": 20},
        },
        steps=20,
        long_steps=100,
        iterated_steps=20,
        betas=(6.0, 12.0, 24.0, 48.0),
        queries=300,
        train=2000,
    )
)
