"""Training of a hash model with a memory bank: a loop that can be read from top to bottom, and resumes after a kill."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from accelerate import Accelerator

from hashprobe.checkpoint import Checkpoint
from hashprobe.data import RetrievalData, Split
from hashprobe.described import described
from hashprobe.errors import HashprobeError
from hashprobe.files import sha256_of, write_json_lines
from hashprobe.hashing.losses import HASH_LOSSES, HashLoss, ScaledHashLoss, scale_at
from hashprobe.hashing.models import HashModel
from hashprobe.hashing.training.augmentation import mirror_and_shift
from hashprobe.hashing.training.bank import fill_bank
from hashprobe.hashing.training.batch_norm import synchronised_batch_norm
from hashprobe.hashing.training.hook import Batch, BatchHook
from hashprobe.hashing.training.parameters import (
    make_optimizer,
    no_gradient_of_a_still_backbone,
    set_learning_rate,
)
from hashprobe.hashing.training.settings import HashTrainingSettings
from hashprobe.identity import fingerprint, version_of
from hashprobe.images import as_images
from hashprobe.main_process import is_main
from hashprobe.processes import Processes, processes
from hashprobe.progress import Advance, progress_bar
from hashprobe.seeds import derived_seed, numpy_generator, torch_generator
from hashprobe.weights import check_finite


def train_hash_model(
    model: HashModel,
    data: RetrievalData,
    settings: HashTrainingSettings,
    *,
    seed: int,
    hook: BatchHook | None = None,
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
        model: Any hash model, with the same weights when a training goes on; trained in place, left in eval mode. A
            ``backbone_rate`` and a ``start`` by labels need one that is made as :meth:`HashModel.build` makes it.
        data: Whose ``train`` split is used.
        settings: See :class:`HashTrainingSettings`.
        seed: Of batch order, augmentation and the start of the hash layer.
        hook: What a defence does to every batch; see :class:`BatchHook`. Nothing if not given.
        checkpoint: A file for the training's state, written after every epoch; if it is there, training goes on from it.
        log: A JSON-lines file for the log, rewritten after every epoch.
        progress: Whether a progress bar is shown.

    Returns:
        The log, a dictionary an epoch: ``epoch``, ``step``, ``loss``, ``learning_rate``, and ``scale`` for a loss that sets it.

    Raises:
        HashprobeError: settings that the network cannot follow, or a loss or weights that are not finite any more; the
            checkpoint of the last whole epoch stays.
    """
    train, together = data.train, processes(model.device)
    accelerator = Accelerator(cpu=model.device.type == "cpu")
    together.broadcast_from_main(model.network)
    loss = HASH_LOSSES.make(settings.loss, settings.loss_settings)
    identity = sha256_of(
        fingerprint(settings, version_of(type(loss))),
        data.sha256,
        str(seed),
        model.sha256(),
        *(() if hook is None else (described(hook),)),
    )
    bank = torch.zeros(len(train), model.bits, device=model.device)
    optimizer = make_optimizer(model.network, settings)
    state = Checkpoint(
        checkpoint or Path(), identity, {"model": model.network}, {"optimizer": optimizer}, {"bank": bank}
    )
    facts = state.restore() if checkpoint else None
    records: list[dict[str, Any]] = facts["records"] if facts else []
    model.scale = float(facts.get("scale", 1.0)) if facts else scale_at(loss, 0)
    if facts is None:
        fill_bank(model, train, bank, settings, seed, together)
    units, done = settings.epochs * len(train), len(records) * len(train)
    with (
        _own_randomness(model),
        no_gradient_of_a_still_backbone(model.network, settings),
        _batch_norm(model, together),
        progress_bar("hash model", units, show=progress, done=done) as advance,
    ):
        accelerator.prepare_model(model, evaluation_mode=True)  # not wrapped; see above
        steps = _Steps(model, train, settings, seed, hook, loss, bank, optimizer, accelerator, together)
        for epoch in range(len(records), settings.epochs):
            records.append(steps.epoch(epoch, advance))
            if checkpoint:
                state.save({"records": records, "scale": model.scale})
            if log and is_main():
                write_json_lines(log, records)
    model.eval()
    return records


class _Steps:
    """The steps of a training, an epoch at a time; see :func:`train_hash_model`."""

    def __init__(
        self,
        model: HashModel,
        train: Split,
        settings: HashTrainingSettings,
        seed: int,
        hook: BatchHook | None,
        loss: HashLoss,
        bank: torch.Tensor,
        optimizer: torch.optim.Optimizer,
        accelerator: Accelerator,
        together: Processes,
    ) -> None:
        self.model, self.train, self.settings, self.seed, self.hook = model, train, settings, seed, hook
        self.loss, self.bank, self.together, self.accelerator = loss, bank, together, accelerator
        self.optimizer, self.prepared = optimizer, accelerator.prepare_optimizer(optimizer)
        self.labels = torch.from_numpy(train.labels.astype(np.float32)).to(model.device)
        self.steps_an_epoch = math.ceil(len(train) / settings.batch_size)
        self.rate = settings.learning_rate

    def epoch(self, epoch: int, advance: Advance) -> dict[str, Any]:
        """Take the steps of an epoch, and return its record."""
        self.model.train()
        # Dropout draws from the global generator.
        torch.manual_seed(derived_seed(self.seed, "dropout", epoch) + self.together.index)
        size, count, total = self.settings.batch_size, len(self.train), 0.0
        order = numpy_generator(self.seed, "batches", epoch).permutation(count)
        for step, start in enumerate(range(0, count, size)):
            rows = np.sort(order[start : start + size])
            if len(rows) < 2:  # batch normalisation has no variance for one image
                continue
            total += self.step(self.batch(rows, epoch, step), epoch) * len(rows)
            advance(len(rows))
        self.together.broadcast_from_main(self.model.network)
        advice = f"try a lower learning_rate than {self.settings.learning_rate:g}"
        check_finite(self.model.network.state_dict(), f"epoch {epoch + 1} left no usable model ({advice})")
        record = {
            "epoch": epoch + 1,
            "step": (epoch + 1) * self.steps_an_epoch,
            "loss": total / count,
            "learning_rate": self.rate,
        }
        return record | ({"scale": self.model.scale} if isinstance(self.loss, ScaledHashLoss) else {})

    def batch(self, rows: npt.NDArray[np.int64], epoch: int, step: int) -> Batch:
        """Return the batch of some rows, and set the learning rate and the scale that hold at its step."""
        done = (epoch + step / self.steps_an_epoch) / self.settings.epochs
        self.rate = set_learning_rate(self.optimizer, self.settings, done)
        images = as_images(self.train.images[rows], device=self.model.device)
        if self.settings.augment:
            images = mirror_and_shift(images, torch_generator(self.seed, "augmentation", epoch, step))
        number = epoch * self.steps_an_epoch + step
        self.model.scale = scale_at(self.loss, number)
        share = self.together.share(len(rows), least=2)
        return Batch(
            model=self.model,
            images=images[share.rows],
            share=share,
            rows=rows,
            labels=self.labels[rows],
            similarity=_similarity(self.labels[rows], self.labels),
            bank=self.bank,
            progress=done,
            step=number,
            generator=torch_generator(self.seed, "defence", number),
            processes=self.together,
        )

    def step(self, batch: Batch, epoch: int) -> float:
        """Take a step along the gradient of a batch, and return its loss."""
        relaxed, added = (batch.relaxed(batch.images), None) if self.hook is None else self.hook(batch)
        self.bank[batch.rows] = relaxed.detach()
        value = self.loss(relaxed, self.bank, batch.similarity, batch.progress)
        if added is not None:
            value = value + added
        lost = float(value.detach())
        if not math.isfinite(lost):
            raise HashprobeError(
                f"the loss is {lost} at step {batch.step + 1}, in epoch {epoch + 1}; "
                f"try a lower learning_rate than {self.settings.learning_rate:g}."
            )
        self.prepared.zero_grad(set_to_none=True)
        self.accelerator.backward(value)
        self.together.sum_gradients(self.model)
        self.prepared.step()
        return lost


def _own_randomness(model: HashModel) -> AbstractContextManager[None]:
    """Return a context after which torch's global generators are as they were before it."""
    return torch.random.fork_rng(devices=[model.device] if model.device.type == "cuda" else [])


def _batch_norm(model: HashModel, together: Processes) -> AbstractContextManager[None]:
    """Return a context in which batch normalisation spans the batch, where several GPUs share it."""
    synchronised = together.count > 1 and model.device.type != "cpu"
    return synchronised_batch_norm(model.network) if synchronised else nullcontext()


def _similarity(labels: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    return (labels @ others.T > 0).float()
