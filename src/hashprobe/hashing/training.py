"""Training of a hash model with a memory bank: a loop that can be read from top to bottom, and resumes after a kill."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from accelerate import Accelerator
from pydantic import BaseModel, ConfigDict, Field
from torch import nn
from torch.nn import functional

from hashprobe.checkpoint import Checkpoint
from hashprobe.data import RetrievalData, Split
from hashprobe.files import sha256_of, write_json_lines
from hashprobe.hashing.batch_norm import synchronised_batch_norm
from hashprobe.hashing.losses import ScaledHashLoss, make_loss, scale_at
from hashprobe.hashing.model import HashModel
from hashprobe.hashing.start import start_hash_layer
from hashprobe.images import as_images
from hashprobe.main_process import is_main
from hashprobe.processes import Processes, processes
from hashprobe.progress import progress_bar
from hashprobe.seeds import derived_seed, numpy_generator, torch_generator


class HashTrainingSettings(BaseModel):
    """How a hash model is trained; the defaults are the paper's (Section 4.2 and the authors' program).

    Attributes:
        loss: A name of ``HASH_LOSSES``.
        loss_settings: Arguments of the loss.
        epochs: Passes over the training images.
        batch_size: Images a step.
        optimizer: ``sgd`` or ``adamw``.
        learning_rate: At the start.
        backbone_rate: Learning rate of the backbone as a share of ``learning_rate``; at 0 no gradient of it is computed.
        momentum: Of SGD.
        weight_decay: Of the optimizer.
        schedule: ``step`` (×0.1 after each third of the epochs) or ``cosine`` (to zero, after a warm-up).
        warm_up: Share of the training over which a cosine schedule rises from zero.
        start: Start of the hash layer: ``random`` or ``labels`` (closed form; see :mod:`hashprobe.hashing.start`).
        augment: Whether images are mirrored and shifted by up to a sixteenth of their size. The paper does not.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    loss: str = "dpsh"
    loss_settings: dict[str, float] = Field(default_factory=dict)
    epochs: int = Field(100, ge=1)
    batch_size: int = Field(32, ge=2)
    optimizer: Literal["sgd", "adamw"] = "sgd"
    learning_rate: float = Field(0.05, gt=0)
    backbone_rate: float = Field(1.0, ge=0)
    momentum: float = Field(0.9, ge=0, lt=1)
    weight_decay: float = Field(1e-5, ge=0)
    schedule: Literal["step", "cosine"] = "step"
    warm_up: float = Field(0.05, ge=0, lt=1)
    start: Literal["random", "labels"] = "random"
    augment: bool = False


def train_hash_model(
    model: HashModel,
    data: RetrievalData,
    settings: HashTrainingSettings,
    *,
    seed: int,
    checkpoint: Path | None = None,
    log: Path | None = None,
    progress: bool = False,
) -> list[dict[str, Any]]:
    """Train ``model`` in place on ``data.train``.

    Two images are similar when they share a label. The memory bank holds the newest relaxed code of every training
    image; it is filled before the first step (published programs start it at zero).

    Several processes share each batch. The loss is that of the whole batch, which may weigh pairs by how many there are, so
    each process computes it with the others' outputs as constants and the gradients are summed: up to summation order
    this is the training of one process, for every loss. (A ``DistributedDataParallel`` would average losses of parts.)
    Dropout draws differ by process. Batch normalisation spans the batch on GPUs; on CPUs, for which torch has no synchronised
    layer, it sees each process's own images, and the main process's running statistics are everyone's after each epoch.

    Args:
        model: A model made by :meth:`HashModel.build`, with the same weights when a training goes on; trained in place, left
            in eval mode.
        data: Whose ``train`` split is used.
        settings: See :class:`HashTrainingSettings`.
        seed: Of batch order, augmentation and the start of the hash layer.
        checkpoint: A file for the training's state, written after every epoch; if it is there, training goes on from it.
        log: A JSON-lines file for the log, rewritten after every epoch.
        progress: Whether a progress bar is shown.

    Returns:
        The log, a dictionary an epoch: ``epoch``, ``step``, ``loss``, ``learning_rate``, and ``scale`` for a loss that sets it.
    """
    train = data.train
    together = processes(model.device)
    accelerator = Accelerator(cpu=model.device.type == "cpu")
    together.as_on_main(model.network)
    labels = torch.from_numpy(train.labels.astype(np.float32)).to(model.device)
    loss = make_loss(settings.loss, settings.loss_settings)
    identity = sha256_of(
        settings.model_dump(), data.split_sha256, str(seed), str(train.images.shape), model.sha256()
    )
    bank = torch.zeros(len(train), model.bits, device=model.device)
    optimizer = _optimizer(model, settings)
    state = Checkpoint(
        checkpoint or Path(), identity, {"model": model.network}, {"optimizer": optimizer}, {"bank": bank}
    )
    facts = state.restore() if checkpoint else None
    records: list[dict[str, Any]] = facts["records"] if facts else []
    model.scale = float(facts.get("scale", 1.0)) if facts else scale_at(loss, 0)
    if facts is None:
        _fill_bank(model, train, bank, settings, seed, together)
    steps_an_epoch = math.ceil(len(train) / settings.batch_size)
    units = settings.epochs * len(train)
    with (
        _own_randomness(model),
        _no_gradient_of_a_still_backbone(model, settings),
        _batch_norm(model, together),
        progress_bar("hash model", units, show=progress, done=len(records) * len(train)) as advance,
    ):
        trained = accelerator.prepare_model(model, evaluation_mode=True)  # not wrapped; see above
        prepared_optimizer = accelerator.prepare_optimizer(optimizer)
        for epoch in range(len(records), settings.epochs):
            model.train()
            # Dropout draws from the global generator.
            torch.manual_seed(derived_seed(seed, "dropout", epoch) + together.index)
            order = numpy_generator(seed, "batches", epoch).permutation(len(train))
            total = 0.0
            for step, start in enumerate(range(0, len(train), settings.batch_size)):
                rows = np.sort(order[start : start + settings.batch_size])
                if len(rows) < 2:  # batch normalisation has no variance for one image
                    continue
                done = (epoch + step / steps_an_epoch) / settings.epochs
                rate = _set_learning_rate(optimizer, settings, done)
                images = as_images(train.images[rows], device=model.device)
                if settings.augment:
                    images = mirror_and_shift(images, torch_generator(seed, "augmentation", epoch, step))
                model.scale = scale_at(loss, epoch * steps_an_epoch + step)
                share = together.share(len(rows), least=2)
                relaxed = together.whole_batch(trained(images[share.rows]), share, len(rows))
                bank[rows] = relaxed.detach()
                value = loss(relaxed, bank, _similarity(labels[rows], labels), done)
                prepared_optimizer.zero_grad(set_to_none=True)
                accelerator.backward(value)
                together.sum_gradients(model)
                prepared_optimizer.step()
                total += float(value.detach()) * len(rows)
                advance(len(rows))
            together.as_on_main(model.network)
            record = {
                "epoch": epoch + 1,
                "step": (epoch + 1) * steps_an_epoch,
                "loss": total / len(train),
                "learning_rate": rate,
            }
            records.append(record | ({"scale": model.scale} if isinstance(loss, ScaledHashLoss) else {}))
            if checkpoint:
                state.save({"records": records, "scale": model.scale})
            if log and is_main():
                write_json_lines(log, records)
    model.eval()
    return records


def _own_randomness(model: HashModel) -> AbstractContextManager[None]:
    """Return a context after which torch's global generators are as they were before it."""
    return torch.random.fork_rng(devices=[model.device] if model.device.type == "cuda" else [])


def _batch_norm(model: HashModel, together: Processes) -> AbstractContextManager[None]:
    """Return a context in which batch normalisation spans the batch, where several GPUs share it."""
    synchronised = together.count > 1 and model.device.type != "cpu"
    return synchronised_batch_norm(model.network) if synchronised else nullcontext()


@contextmanager
def _no_gradient_of_a_still_backbone(model: HashModel, settings: HashTrainingSettings) -> Iterator[None]:
    """Freeze the backbone's parameters inside the block where their learning rate is 0: a step then costs a third."""
    backbone = model.network.backbone
    assert isinstance(backbone, nn.Module)
    still = [parameter for parameter in backbone.parameters() if parameter.requires_grad]
    for parameter in still:
        parameter.requires_grad_(settings.backbone_rate > 0)
    try:
        yield
    finally:
        for parameter in still:
            parameter.requires_grad_(True)


def mirror_and_shift(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Mirror half of the images and shift each by up to a sixteenth of its size, with reflected borders."""
    count, _, height, width = images.shape
    pad = max(height // 16, 1)
    mirrored = torch.rand(count, generator=generator) < 0.5
    images = torch.where(mirrored.to(images.device).view(-1, 1, 1, 1), images.flip(3), images)
    padded = functional.pad(images, (pad, pad, pad, pad), mode="reflect")
    shifts = torch.randint(0, 2 * pad + 1, (count, 2), generator=generator).tolist()
    return torch.stack(
        [image[:, y : y + height, x : x + width] for image, (y, x) in zip(padded, shifts, strict=True)]
    )


def _similarity(labels: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    return (labels @ others.T > 0).float()


@torch.no_grad()
def _fill_bank(
    model: HashModel,
    train: Split,
    bank: torch.Tensor,
    settings: HashTrainingSettings,
    seed: int,
    together: Processes,
) -> None:
    """Put the model's outputs for all training images into the bank, after the start of the hash layer."""
    model.eval()
    backbone, hash_layer = model.network.backbone, model.network.hash_layer
    assert isinstance(backbone, nn.Module)
    assert isinstance(hash_layer, nn.Linear)
    features = model.mean.new_zeros(len(train), hash_layer.in_features)
    for rows in together.batches(len(train), 64):
        images = as_images(train.images[rows], device=model.device)
        features[rows] = backbone((images - model.mean) / model.std)
    features = together.sum(features)
    if settings.start == "labels":
        start_hash_layer(hash_layer, features, train.labels, seed=seed)
    bank.copy_(torch.tanh(model.scale * hash_layer(features)))
    together.as_on_main(hash_layer, bank)


def _optimizer(model: HashModel, settings: HashTrainingSettings) -> torch.optim.Optimizer:
    backbone, hash_layer = model.network.backbone, model.network.hash_layer
    assert isinstance(backbone, nn.Module)
    assert isinstance(hash_layer, nn.Module)
    groups: list[dict[str, Any]] = [
        {"params": list(backbone.parameters()), "share": settings.backbone_rate},
        {"params": list(hash_layer.parameters()), "share": 1.0},
    ]
    if settings.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=settings.learning_rate, weight_decay=settings.weight_decay)
    return torch.optim.SGD(
        groups, lr=settings.learning_rate, momentum=settings.momentum, weight_decay=settings.weight_decay
    )


def _set_learning_rate(
    optimizer: torch.optim.Optimizer, settings: HashTrainingSettings, done: float
) -> float:
    if settings.schedule == "step":
        factor = 0.1 ** int(3 * done)
    elif done < settings.warm_up:
        factor = (done + 1e-3) / settings.warm_up
    else:
        factor = (1 + math.cos(math.pi * (done - settings.warm_up) / (1 - settings.warm_up))) / 2
    rate = settings.learning_rate * factor
    for group in optimizer.param_groups:
        group["lr"] = rate * group["share"]
    return rate
