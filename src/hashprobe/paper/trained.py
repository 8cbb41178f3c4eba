"""Trained parts: hash models with the codes of their images, PrototypeNets and generators, which cells share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from safetensors.numpy import load_file, save_file

from hashprobe.attacks import ProSGAN
from hashprobe.attacks.prosgan import ProSGANSettings
from hashprobe.evaluation import Evaluator
from hashprobe.files import replacing
from hashprobe.grids import Task
from hashprobe.hashing import HashModel
from hashprobe.paper.tasks import PaperTask
from hashprobe.recipes import AttackedModel, parts
from hashprobe.targets import Codes, PrototypeNet, PrototypeSettings

CODES_FILE = "codes.safetensors"


class HashModelTask(PaperTask):
    """Trains a hash model and computes the codes of the three splits.

    Attributes:
        model: The hash model.
    """

    room: ClassVar[str] = "hash-models"

    model: AttackedModel

    @property
    def title(self) -> str:
        """Loss, backbone and bits."""
        return f"{self.model.training.loss} {self.model.backbone} {self.model.bits} bits"

    def needs(self) -> Sequence[Task]:
        """Need nothing."""
        return ()

    def work(self) -> dict[str, Any]:
        """Train it, and keep the codes of queries, database and training images."""
        data = self.place.load()
        model = parts.hash_model(
            self.path,
            self.model,
            data,
            seed=self.place.seed,
            device=self.device,
            logs=self.path / "training",
            progress=self.place.progress,
        )
        codes = {
            split: model.codes(getattr(data, split).images, progress=self.place.progress)
            for split in ("query", "database", "train")
        }
        with replacing(self.path / CODES_FILE) as temporary:
            save_file(codes, temporary)
        evaluator = Evaluator(
            model, data, protocol="paper", seed=self.place.seed, database_codes=codes["database"]
        )
        evaluator.query_codes = codes["query"]
        return {"map": evaluator.map_benign, "map_chance": evaluator.map_chance, "sha256": model.sha256()}

    def load(self) -> HashModel:
        """Return the trained model."""
        return HashModel.load(self.path, bits=self.model.bits).to(self.device)

    def codes(self) -> dict[str, Codes]:
        """Return the packed codes of ``query``, ``database`` and ``train``."""
        return load_file(self.path / CODES_FILE)


class OnModel(PaperTask):
    """A task on a hash model that another task trains.

    Attributes:
        model: The hash model.
    """

    model: AttackedModel

    @property
    def attacked(self) -> HashModelTask:
        """The task that trains the hash model."""
        return HashModelTask(place=self.place, model=self.model)


class PrototypeTask(OnModel):
    """Trains a PrototypeNet for a hash model.

    Attributes:
        prototype: How PrototypeNet is trained.
    """

    room: ClassVar[str] = "prototypes"

    prototype: PrototypeSettings

    @property
    def title(self) -> str:
        """The hash model's, and what this is."""
        return f"PrototypeNet of {self.attacked.title}"

    def needs(self) -> Sequence[Task]:
        """Need the hash model."""
        return (self.attacked,)

    def work(self) -> dict[str, Any]:
        """Train it; the finished training's checkpoint is the result."""
        self.load()
        return {}

    def load(self) -> PrototypeNet:
        """Return the trained PrototypeNet."""
        return parts.prototype_net(
            self.path,
            self.prototype,
            self.place.load(),
            self.attacked.codes()["train"],
            bits=self.model.bits,
            seed=self.place.seed,
            device=self.device,
            logs=self.path / "training",
            progress=self.place.progress,
        )


class GeneratorTask(OnModel):
    """Trains ProS-GAN's generator against a hash model.

    Attributes:
        prototype: How PrototypeNet is trained.
        prosgan: How the generator is trained.
    """

    room: ClassVar[str] = "generators"

    prototype: PrototypeSettings
    prosgan: ProSGANSettings

    @property
    def prototypes(self) -> PrototypeTask:
        """The task that trains PrototypeNet."""
        return PrototypeTask(place=self.place, model=self.model, prototype=self.prototype)

    @property
    def title(self) -> str:
        """The hash model's, and what this is: the published terms and weights that are left out are said."""
        kind = "ProS-GAN" if self.prosgan.class_outputs else "ProS-GAN without classes"
        if not self.prosgan.hamming:
            kind = "GAN without Hamming term"
        return f"{kind}, beta {self.prosgan.reconstruction:g}, on {self.attacked.title}"

    def needs(self) -> Sequence[Task]:
        """Need the hash model and PrototypeNet."""
        return (self.attacked, self.prototypes)

    def work(self) -> dict[str, Any]:
        """Train it."""
        parts.prosgan(
            self.path,
            self.prosgan,
            self.attacked.load(),
            self.place.load(),
            self.prototypes.load(),
            seed=self.place.seed,
            logs=self.path / "training",
            progress=self.place.progress,
        )
        return {}

    def load(self) -> ProSGAN:
        """Return the trained attack."""
        return ProSGAN.load(self.path, bits=self.model.bits, classes=self.place.load().classes)
