"""The trained parts of an experiment: each is made once in its folder, goes on after a kill, or is read back."""

from __future__ import annotations

from pathlib import Path

import torch

from hashprobe.attacks import ProSGAN
from hashprobe.attacks.prosgan import ProSGANSettings, train_generator
from hashprobe.data import RetrievalData
from hashprobe.hashing import HashModel, train_hash_model
from hashprobe.main_process import is_main
from hashprobe.processes import processes
from hashprobe.recipes.experiment import AttackedModel
from hashprobe.targets import Codes, PrototypeNet, PrototypeSettings, train_prototype_net

CHECKPOINT = "checkpoint.safetensors"


def hash_model(
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
    if processes(device).from_main((folder / "model.json").exists):
        return HashModel.load(folder, bits=settings.bits).to(device)
    model = HashModel.build(
        settings.backbone,
        bits=settings.bits,
        weights=settings.weights,
        seed=seed,
        mean=settings.mean,
        std=settings.std,
    ).to(device)
    checkpoint = folder / CHECKPOINT
    train_hash_model(
        model,
        data,
        settings.training,
        seed=seed,
        checkpoint=checkpoint,
        log=logs / "hash-model.jsonl",
        progress=progress,
    )
    if is_main():
        model.save(folder)
        checkpoint.unlink(missing_ok=True)
    return model


def prototype_net(
    folder: Path,
    settings: PrototypeSettings,
    data: RetrievalData,
    train_codes: Codes,
    *,
    bits: int,
    seed: int,
    device: torch.device,
    logs: Path,
    progress: bool = False,
) -> PrototypeNet:
    """Return the PrototypeNet of ``folder``; a finished training's checkpoint is its result.

    Args:
        folder: Where its checkpoint is, or will be.
        settings: How it is trained.
        data: Whose label vectors are the targets.
        train_codes: Packed codes of the training images.
        bits: Code length K.
        seed: Of weights and batches.
        device: Where it lives.
        logs: Folder of the training logs.
        progress: Whether a progress bar is shown.
    """
    network, _ = train_prototype_net(
        train_codes,
        data.train.labels,
        data.database.labels,
        settings,
        bits=bits,
        seed=seed,
        device=device,
        checkpoint=folder / CHECKPOINT,
        log=logs / "prototype.jsonl",
        progress=progress,
    )
    return network


def prosgan(
    folder: Path,
    settings: ProSGANSettings,
    model: HashModel,
    data: RetrievalData,
    prototypes: PrototypeNet,
    *,
    seed: int,
    logs: Path,
    progress: bool = False,
) -> ProSGAN:
    """Return the ProS-GAN of ``folder``, which is trained there first if it is not finished.

    Args:
        folder: Where it is, or will be.
        settings: How the generator is trained.
        model: The attacked model.
        data: Whose training images are used.
        prototypes: The trained PrototypeNet.
        seed: Of weights, batches and target labels.
        logs: Folder of the training logs.
        progress: Whether a progress bar is shown.
    """
    if processes(model.device).from_main((folder / "prosgan.json").exists):
        return ProSGAN.load(folder, bits=model.bits, classes=data.classes)
    checkpoint = folder / CHECKPOINT
    generator, _ = train_generator(
        model,
        data,
        prototypes,
        settings,
        seed=seed,
        checkpoint=checkpoint,
        log=logs / "prosgan.jsonl",
        progress=progress,
    )
    attack = ProSGAN(
        generator=generator, prototypes=prototypes, settings=settings, image_size=data.image_size
    )
    if is_main():
        attack.save(folder, attacked=model.sha256())
        checkpoint.unlink(missing_ok=True)
    return attack
