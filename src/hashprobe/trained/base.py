"""What is trained against a hash model: an attack or a target code. Found by name, saved in a folder, known by its bytes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, ValidationError
from torch import nn

from hashprobe.data import RetrievalData
from hashprobe.errors import HashprobeError
from hashprobe.files import read_json, sha256_of, user_path, write_json
from hashprobe.hashing import HashModel
from hashprobe.identity import version_of
from hashprobe.main_process import is_main
from hashprobe.processes import processes
from hashprobe.registry import Registry
from hashprobe.typed_values import checked
from hashprobe.weights import load_weights, save_weights, weights_sha256

FORMAT: Literal["hashprobe.trained/1"] = "hashprobe.trained/1"
SPEC_FILE = "trained.json"
CHECKPOINT_FILE = "checkpoint.safetensors"


@dataclass(frozen=True, kw_only=True)
class TrainingRun:
    """All that a training needs beside its settings: the attacked model, the data, a seed, and where it is kept.

    Attributes:
        model: The attacked model; left as it was.
        data: Whose training images, and whose database's label vectors, are used.
        seed: Of weights, batches and whatever else is drawn.
        folder: Where a checkpoint is kept, from which a killed training goes on; none if not given.
        logs: Folder of the training logs; none if not given.
        trained: What has been trained before, by name.
        progress: Whether progress bars are shown.
        known_train_codes: Packed codes of the training images, where they are known already.
    """

    model: HashModel
    data: RetrievalData
    seed: int
    folder: Path | None = None
    logs: Path | None = None
    trained: Mapping[str, Trained] = field(default_factory=dict)
    progress: bool = False
    known_train_codes: npt.NDArray[np.uint8] | None = None

    @cached_property
    def train_codes(self) -> npt.NDArray[np.uint8]:
        """Packed codes of the training images."""
        if self.known_train_codes is not None:
            return self.known_train_codes
        return self.model.codes(self.data.train.images, progress=self.progress, distributed=True)

    @property
    def checkpoint(self) -> Path | None:
        """The checkpoint's file."""
        return self.folder / CHECKPOINT_FILE if self.folder else None

    def log(self, name: str) -> Path | None:
        """Return the file of a log."""
        return self.logs / f"{name.lower()}.jsonl" if self.logs else None


class Trained(ABC):
    """An attack or a target code that is trained against one hash model.

    A subclass is registered in ``TRAINED``, and in ``ATTACKS`` or ``CODES``, under one name. Instances are made by :meth:`train`
    or by :func:`load_trained`.

    Attributes:
        name: What it is registered as.
        Settings: Its training settings, a frozen pydantic model; its own defaults are the published ones. A changed default, or a
            training that computes something else, raises its ``VERSION``.
        presets: Settings by the name of a scale, where they differ from the defaults.
        requires: Names of what must be trained before it; :meth:`train` finds them in its run.
        settings: How this one was trained.
        attacked_model: Fingerprint of the model that it was trained against.
        training_seed: Seed that it was trained with; ``None`` where that is not known. It is no part of what it computes.
    """

    name: ClassVar[str]
    Settings: ClassVar[type[BaseModel]]
    presets: ClassVar[Mapping[str, BaseModel]] = {}
    requires: ClassVar[tuple[str, ...]] = ()

    settings: Any
    attacked_model: str
    training_seed: int | None = None

    @classmethod
    @abstractmethod
    def train(cls, settings: Any, run: TrainingRun) -> Self:
        """Train one; go on from the run's checkpoint, if one was left there."""

    @abstractmethod
    def networks(self) -> Mapping[str, nn.Module]:
        """Return its networks by the name of their file."""

    @abstractmethod
    def facts(self) -> dict[str, Any]:
        """Return what :meth:`assemble` needs beside the settings, as JSON holds it.

        ``classes`` and ``image_size``, where they are among it, must be those of the data that it is used on.
        """

    @classmethod
    @abstractmethod
    def assemble(
        cls, settings: Any, facts: dict[str, Any], parts: Mapping[str, Trained], attacked_model: str
    ) -> Self:
        """Build one from its settings, facts and loaded parts; the tensors of its networks are loaded into it afterwards."""

    def parts(self) -> Mapping[str, Trained]:
        """Return what it requires and holds, by name."""
        return {}

    def identity(self) -> dict[str, Any]:
        """Return what identifies it beside other trainings of its kind: its bytes, and the numbers that it is used with."""
        numbers = {
            field.name: getattr(self, field.name)
            for field in fields(self)  # type: ignore[arg-type]
            if isinstance(getattr(self, field.name), int | float | None)
            and not (field.metadata.get("optional") and getattr(self, field.name) == field.default)
        }
        return {"kind": self.name, "version": version_of(type(self)), "sha256": self.sha256(), **numbers}

    def sha256(self) -> str:
        """Return the fingerprint of what it computes: its kind, facts, tensors, and those of its parts."""
        own = [weights_sha256(network) for _, network in sorted(self.networks().items())]
        return sha256_of(
            self.name, self.facts(), *own, *(part.sha256() for _, part in sorted(self.parts().items()))
        )

    def with_training_seed(self, seed: int | None) -> Self:
        """Set the training seed, which a frozen dataclass that a subclass is has no field for, and return itself."""
        object.__setattr__(self, "training_seed", seed)
        return self

    def save(self, directory: Path | str) -> None:
        """Write the networks, the parts and ``trained.json``, which comes last, into a folder."""
        directory = Path(directory)
        for name, part in self.parts().items():
            part.save(directory / name)
        for name, network in self.networks().items():
            save_weights(network, directory / f"{name}.safetensors")
        description = _Description(
            kind=self.name,
            facts=self.facts(),
            settings=self.settings.model_dump(mode="json"),
            parts=sorted(self.parts()),
            attacked_model_sha256=self.attacked_model,
            sha256=self.sha256(),
            training_seed=self.training_seed,
        )
        write_json(directory / SPEC_FILE, description.model_dump())


TRAINED: Registry[type[Trained]] = Registry("trained attack or code")


class _Description(BaseModel):
    """What ``trained.json`` holds."""

    model_config = ConfigDict(strict=True)

    format: Literal["hashprobe.trained/1"] = FORMAT
    kind: str
    facts: dict[str, Any]
    settings: dict[str, Any]
    parts: list[str]
    attacked_model_sha256: str
    sha256: str
    training_seed: int | None = None

    @classmethod
    def read(cls, path: Path) -> Self:
        found = read_json(path)
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            raise HashprobeError(f"{path} does not describe a trained attack or code ({FORMAT!r}).")
        try:
            said = cls.model_validate(found)
        except ValidationError as error:
            name = error.errors()[0]["loc"][0]
            lacks = "lacks" if name not in found else "is damaged at"
            raise HashprobeError(f"{path} {lacks} {name}; train it again.") from None
        if said.kind in TRAINED and not set(said.parts) <= set(TRAINED[said.kind].requires):
            raise HashprobeError(f"{path} is damaged at parts; train it again.")
        return said


@checked
def load_trained(directory: Path | str, *, kind: str | None = None) -> Trained:
    """Load what :meth:`Trained.save` wrote.

    Args:
        directory: The folder.
        kind: The name that is expected; another one is an error.

    Raises:
        HashprobeError: files missing, damaged, of another kind or of an earlier version.
    """
    directory = user_path(directory)
    path = directory / SPEC_FILE
    if not path.exists():
        raise HashprobeError(
            f"{directory} holds nothing that was trained ({SPEC_FILE} is missing); give a folder that train-attack wrote "
            "(what an earlier version wrote has to be trained again)."
        )
    said = _Description.read(path)
    if kind is not None and said.kind != kind:
        raise HashprobeError(f"{directory} holds {said.kind}; {kind} was expected.")
    own = TRAINED[said.kind]
    parts = {name: load_trained(directory / name, kind=name) for name in said.parts}
    try:
        settings = own.Settings(**said.settings)
        trained = own.assemble(settings, said.facts, parts, said.attacked_model_sha256)
    except (ValueError, KeyError, TypeError, OverflowError, RuntimeError) as error:
        raise HashprobeError(f"{path} is not of this version of {own.name}; train it again.") from error
    for name, network in trained.networks().items():
        load_weights(network, directory / f"{name}.safetensors", fits="description")
        network.requires_grad_(False).eval()
    if trained.sha256() != said.sha256:
        raise HashprobeError(f"{directory} is damaged: its tensors are not those that {SPEC_FILE} names.")
    return trained.with_training_seed(said.training_seed)


def seeds_of(trained: Iterable[Trained]) -> dict[str, list[int | None]]:
    """Return the training seeds of trained things by their name, in the order given."""
    seeds: dict[str, list[int | None]] = {}
    for one in trained:
        seeds.setdefault(one.name, []).append(one.training_seed)
    return seeds


def seeded_name(name: str, seed: int | None) -> str:
    """Return what one of several trained things of a name is found by."""
    return name if seed is None else f"{name}@{seed}"


def by_name(trained: Iterable[Trained]) -> dict[str, Trained]:
    """Return trained things and the parts that they hold, by name; what is given goes before a part of its name.

    Several of one name are told apart by their training seeds, as ``"ProS-GAN@1"``; the first also has the plain name.

    Raises:
        HashprobeError: two of one name whose training seeds are not known, or are the same.
    """
    given, own = list(trained), dict[str, Trained]()
    for name, seeds in seeds_of(given).items():
        of_name = [one for one in given if one.name == name]
        own[name] = of_name[0]
        if len(of_name) > 1 and (None in seeds or len(set(seeds)) < len(seeds)):
            raise HashprobeError(
                f"{name} is given twice; give one trained {name}, or several of different training seeds."
            )
        if len(of_name) > 1:
            own |= {seeded_name(name, seed): one for seed, one in zip(seeds, of_name, strict=True)}
    return {name: part for one in own.values() for name, part in one.parts().items()} | own


def train_into(name: str, settings: BaseModel, run: TrainingRun, folder: Path) -> Trained:
    """Return the trained attack or code of a folder, which is trained there first if it is not finished.

    Args:
        name: A name of ``TRAINED``; what it requires is in ``run.trained``.
        settings: How it is trained.
        run: Against what and from what; its folder is ``folder``.
        folder: Where it is, or will be.

    Raises:
        HashprobeError: something that it requires has not been trained.
    """
    folder = user_path(folder)
    if processes(run.model.device).from_main((folder / SPEC_FILE).exists):
        return load_trained(folder, kind=name)
    kind = TRAINED[name]
    for needed in kind.requires:
        if needed not in run.trained:
            raise HashprobeError(f"{name} needs {needed}, which has to be trained first.")
    trained = kind.train(settings, replace(run, folder=folder)).with_training_seed(run.seed)
    if is_main():
        trained.save(folder)
        (folder / CHECKPOINT_FILE).unlink(missing_ok=True)
    return trained


def train_with_required(
    name: str, settings: Mapping[str, BaseModel], run: TrainingRun, folder: Path
) -> Trained:
    """Return the trained attack or code of a folder; what it requires and the run does not hold is trained in folders within.

    Args:
        name: A name of ``TRAINED``.
        settings: How it and what it requires is trained, by name.
        run: Against what and from what.
        folder: Where it is, or will be.
    """
    known = dict(run.trained)
    for needed in TRAINED[name].requires:
        if needed not in known:
            within = replace(run, trained=known)
            known[needed] = train_with_required(needed, settings, within, folder / needed)
    return train_into(name, settings[name], replace(run, trained=known), folder)


def check_against(trained: Trained, model: str) -> None:
    """Say that something was trained against another model than the one of a fingerprint.

    Raises:
        HashprobeError: it was.
    """
    if trained.attacked_model != model:
        raise HashprobeError(
            f"this {trained.name} was trained against another model ({trained.attacked_model[:12]}, not {model[:12]}); train one "
            "against this model, or evaluate it as a transfer (evaluate --transfer)."
        )
