"""The hash model of an experiment: what it is and how it is trained, once a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, Field

from hashprobe.data import RetrievalData
from hashprobe.defences import DEFENCES, Defence, make_defence
from hashprobe.files import user_path
from hashprobe.hashing import (
    BACKBONES,
    HASH_LOSSES,
    MODELS,
    HashModel,
    HashTrainingSettings,
    train_hash_model,
)
from hashprobe.identity import settings_identity, version_of
from hashprobe.main_process import is_main
from hashprobe.processes import processes
from hashprobe.weights import weights_identity

CHECKPOINT_FILE = "checkpoint.safetensors"


class AttackedModel(BaseModel):
    """The hash model that is attacked.

    Attributes:
        named: A name of ``MODELS``, in place of a backbone with a hash layer.
        backbone: A name of :func:`hashprobe.hashing.build_backbone`.
        weights: Where its weights come from; a file is known by its bytes.
        mean: Normalisation of the images where the weights want another than the backbone's own, per channel, in [0, 1] units.
        std: The same for the standard deviation.
        bits: Code length K.
        training: How it is trained.
        defence: A name of ``DEFENCES``, if it is trained with one.
        defence_settings: Its numbers.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    named: str | None = None
    backbone: str = "efficientnet_lite0"
    weights: str = "bundled"
    mean: tuple[float, float, float] | None = None
    std: tuple[float, float, float] | None = None
    bits: int = Field(32, ge=1, le=1024)
    training: HashTrainingSettings = HashTrainingSettings()
    defence: str | None = None
    defence_settings: dict[str, Any] = Field(default_factory=dict)

    @property
    def title(self) -> str:
        """Loss, backbone, bits and defence."""
        against = f" {self.defence}" if self.defence else ""
        return f"{self.training.loss} {self.named or self.backbone} {self.bits} bits{against}"

    def identity(self) -> dict[str, Any]:
        """Return what identifies it: weights by their bytes, and what is found by name with its version."""
        found = [
            version_of(registry[name])
            for registry, name in ((MODELS, self.named), (BACKBONES, self.backbone), (DEFENCES, self.defence))
            if name is not None and name in registry
        ]
        loss = version_of(HASH_LOSSES[self.training.loss])
        return {**settings_identity(self, weights=weights_identity(self.weights)), "found": [*found, loss]}

    def build(self, seed: int) -> HashModel:
        """Return the model before its training."""
        if self.named is not None:
            return HashModel.named(self.named, bits=self.bits, seed=seed)
        return HashModel.build(
            self.backbone, bits=self.bits, weights=self.weights, seed=seed, mean=self.mean, std=self.std
        )

    def hook(self) -> Defence | None:
        """Return what is done to each batch of its training, if it is defended."""
        return make_defence(self.defence, self.defence_settings) if self.defence else None


def train_model_into(
    folder: Path,
    settings: AttackedModel,
    data: RetrievalData,
    *,
    seed: int,
    device: torch.device,
    logs: Path,
    progress: bool = False,
) -> HashModel:
    """Return the hash model of ``folder``, which is trained there first if it is not finished.

    Args:
        folder: Where the model is, or will be.
        settings: What it is and how it is trained.
        data: Whose training images are used.
        seed: Of its fresh layers and the training.
        device: Where it lives.
        logs: Folder of the training logs.
        progress: Whether a progress bar is shown.
    """
    folder = user_path(folder)
    if processes(device).from_main((folder / "model.json").exists):
        return HashModel.load(folder, bits=settings.bits).to(device)
    model = settings.build(seed).to(device)
    checkpoint = folder / CHECKPOINT_FILE
    train_hash_model(
        model,
        data,
        settings.training,
        seed=seed,
        checkpoint=checkpoint,
        log=logs / "hash-model.jsonl",
        progress=progress,
        hook=settings.hook(),
    )
    if is_main():
        model.save(folder)
        checkpoint.unlink(missing_ok=True)
    return model
