"""Training of ProS-GAN's generator and discriminator: one loop, read from top to bottom, that resumes after a kill."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch.nn import functional

from hashprobe.attacks.prosgan.losses import discriminator_loss, discriminator_target, hamming_loss
from hashprobe.attacks.prosgan.networks import Discriminator, Generator
from hashprobe.attacks.prosgan.settings import ProSGANSettings
from hashprobe.checkpoint import Checkpoint
from hashprobe.data import RetrievalData
from hashprobe.errors import HashprobeError
from hashprobe.files import sha256_of, write_json_lines
from hashprobe.hashing import HashModel, frozen
from hashprobe.identity import fingerprint
from hashprobe.images import as_images
from hashprobe.main_process import is_main
from hashprobe.processes import processes
from hashprobe.progress import progress_bar
from hashprobe.seeds import numpy_generator
from hashprobe.targets import PrototypeNet, unique_labels
from hashprobe.weights import weights_sha256

SECONDS_BETWEEN_CHECKPOINTS = 30.0
LOG_EVERY = 20


@dataclass
class _Mean:
    """Mean of each logged value since the last record."""

    sums: dict[str, float] = field(default_factory=dict)
    count: int = 0

    def add(self, **values: torch.Tensor) -> None:
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0.0) + float(value.detach())
        self.count += 1

    def take(self) -> dict[str, float]:
        means = {name: total / self.count for name, total in self.sums.items()}
        self.sums, self.count = {}, 0
        return means


def train_generator(
    model: HashModel,
    data: RetrievalData,
    prototypes: PrototypeNet,
    settings: ProSGANSettings,
    *,
    seed: int,
    checkpoint: Path | None = None,
    log: Path | None = None,
    progress: bool = False,
) -> tuple[Generator, list[dict[str, Any]]]:
    """Train a generator against ``model`` on ``data.train``.

    Each image of each step gets a target label, uniform over the unique label vectors of the database, whose semantic
    representation and prototype code come from the frozen PrototypeNet.

    Several processes share each batch: each weighs the mean losses of its rows by their share of the batch, and the gradients are
    summed, which up to summation order is the training of one process. The networks are not wrapped in
    ``DistributedDataParallel``, which would weigh unequal shares the same and does not bear a discriminator that is used
    twice a step and frozen in between.

    Args:
        model: The attacked model; left as it was.
        data: Its ``train`` images and labels, and the label vectors of its ``database``.
        prototypes: A trained PrototypeNet of the same classes and bits.
        settings: See :class:`ProSGANSettings`.
        seed: Of weights, batches and target labels.
        checkpoint: A file for the state, written every half minute; training goes on from it if it is there.
        log: A JSON-lines file for the log.
        progress: Whether a progress bar is shown.

    Returns:
        The generator, frozen and in eval mode, and the log: means of the losses over every 20 steps, and ``bits``, the
        share of bits that agree with the prototype code.
    """
    if (prototypes.bits, prototypes.classes) != (model.bits, data.classes):
        raise HashprobeError(
            f"the PrototypeNet has {prototypes.bits} bits and {prototypes.classes} classes; "
            f"model and data have {model.bits} and {data.classes}."
        )
    device, train = model.device, data.train
    together = processes(device)
    accelerator = Accelerator(cpu=device.type == "cpu")
    generator, discriminator = _networks(data, prototypes, settings, seed)
    rates: dict[str, Any] = {"lr": settings.learning_rate, "betas": (0.5, 0.999)}
    optimizer = torch.optim.Adam(generator.parameters(), **rates)
    discriminator_optimizer = torch.optim.Adam(discriminator.parameters(), **rates)
    generator, discriminator = (
        accelerator.prepare_model(network, evaluation_mode=True)  # not wrapped; see above
        for network in (generator, discriminator)
    )
    optimizer, discriminator_optimizer = accelerator.prepare(optimizer, discriminator_optimizer)
    attacked = (model.sha256(), weights_sha256(prototypes))
    state = Checkpoint(
        checkpoint or Path(),
        sha256_of(fingerprint(settings), data.split_sha256, str(train.images.shape), str(seed), *attacked),
        {
            "generator": accelerator.unwrap_model(generator),
            "discriminator": accelerator.unwrap_model(discriminator),
        },
        {"generator": optimizer.optimizer, "discriminator": discriminator_optimizer.optimizer},
    )
    facts = state.restore() if checkpoint else None
    first, records = (facts["step"], facts["records"]) if facts else (0, [])

    label_vectors = unique_labels(data.database.labels)
    targets = torch.from_numpy(label_vectors.astype(np.float32)).to(device)
    with torch.no_grad():
        semantics, relaxed_prototypes, _ = prototypes.to(device)(targets)
    goals = torch.where(relaxed_prototypes >= 0, 1.0, -1.0)
    train_labels = torch.from_numpy(train.labels.astype(np.float32)).to(device)
    steps_an_epoch = math.ceil(len(train) / settings.batch_size)
    steps = settings.epochs * steps_an_epoch
    means, saved_at = _Mean(), time.monotonic()
    with frozen(model), progress_bar("ProS-GAN", steps, show=progress, done=first) as advance:
        for step in range(first, steps):
            epoch, position = divmod(step, steps_an_epoch)
            order = numpy_generator(seed, "generator batches", epoch).permutation(len(train))
            rows = np.sort(order[position * settings.batch_size : (position + 1) * settings.batch_size])
            drawn = numpy_generator(seed, "generator targets", step).integers(len(targets), size=len(rows))
            share = together.share(len(rows))
            rows, drawn = rows[share.rows], drawn[share.rows]
            images = as_images(train.images[rows], device) * 2 - 1
            labels, target, goal = train_labels[rows], targets[drawn], goals[drawn]
            _set_learning_rate((optimizer, discriminator_optimizer), settings, step / steps)

            adversarial = generator(images, semantics[drawn])
            if step % settings.discriminator_every == 0:
                seen = discriminator(images), discriminator(adversarial.detach())
                wrong = discriminator_loss(*seen, labels, target, class_outputs=settings.class_outputs)
                discriminator_optimizer.zero_grad(set_to_none=True)
                accelerator.backward(share.weight * wrong)
                together.sum_gradients(discriminator)
                discriminator_optimizer.step()

            reconstruction = functional.mse_loss(adversarial, images)
            logits = model.attack_logits((adversarial + 1) / 2)
            hamming = hamming_loss(logits, goal, settings.sharpness)
            loss = settings.reconstruction * reconstruction + settings.hamming * hamming
            if settings.adversarial:
                discriminator.requires_grad_(False)
                wanted = discriminator_target(target, generated=0, class_outputs=settings.class_outputs)
                fooled = functional.mse_loss(discriminator(adversarial), wanted)
                loss = loss + settings.adversarial * fooled
            optimizer.zero_grad(set_to_none=True)
            accelerator.backward(share.weight * loss)
            together.sum_gradients(generator)
            optimizer.step()
            discriminator.requires_grad_(True)

            bits = (logits.detach() * goal >= 0).float().mean()
            parts = share.weight * torch.stack([loss, hamming, reconstruction, bits])
            loss, hamming, reconstruction, bits = together.sum(parts)
            means.add(loss=loss, hamming=hamming, rms=reconstruction.sqrt() / 2, bits=bits)
            advance(1)
            if (step + 1) % LOG_EVERY == 0 or step + 1 == steps:
                records.append({"step": step + 1, "epoch": (step + 1) / steps_an_epoch, **means.take()})
                # Only here, where no mean is under way, does a checkpoint hold all that a record depends on.
                if checkpoint and (
                    time.monotonic() - saved_at > SECONDS_BETWEEN_CHECKPOINTS or step + 1 == steps
                ):
                    state.save({"step": step + 1, "records": records})
                    saved_at = time.monotonic()
    if log and is_main():
        write_json_lines(log, records)
    trained: Generator = accelerator.unwrap_model(generator)
    return trained.requires_grad_(False).eval(), records


def new_generator(image_size: int, settings: ProSGANSettings, prototypes: PrototypeNet) -> Generator:
    """Return a generator of the settings' sizes, with fresh weights."""
    return Generator(
        image_size,
        width=settings.width,
        semantic_width=prototypes.semantic_width,
        decoder_width=settings.decoder_width,
        residual=settings.residual,
        epsilon=settings.epsilon,
    )


def _networks(
    data: RetrievalData, prototypes: PrototypeNet, settings: ProSGANSettings, seed: int
) -> tuple[Generator, Discriminator]:
    outputs = data.classes + 1 if settings.class_outputs else 1
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        generator = new_generator(data.image_size, settings, prototypes)
        return generator, Discriminator(data.image_size, outputs=outputs, width=settings.discriminator_width)


def _set_learning_rate(
    optimizers: tuple[torch.optim.Optimizer, ...], settings: ProSGANSettings, done: float
) -> None:
    """Constant for the first half, then linear to zero."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * min(1.0, 2 * (1 - done))
