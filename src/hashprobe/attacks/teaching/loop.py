"""Training of generators, ProS-GAN's and others: one loop, read from top to bottom, that resumes after a kill."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from accelerate import Accelerator
from torch import nn
from torch.nn import functional

from hashprobe.attacks.framing import varied
from hashprobe.attacks.teaching.batches import Batch, batch_of
from hashprobe.attacks.teaching.critic import Critic
from hashprobe.attacks.teaching.losses import hamming_loss
from hashprobe.attacks.teaching.settings import GeneratorTrainingSettings
from hashprobe.checkpoint import Checkpoint
from hashprobe.data import RetrievalData
from hashprobe.files import sha256_of, write_json_lines
from hashprobe.hashing import HashModel, folded, frozen
from hashprobe.identity import fingerprint
from hashprobe.main_process import is_main
from hashprobe.processes import processes
from hashprobe.progress import progress_bar

SECONDS_BETWEEN_CHECKPOINTS = 30.0
LOG_EVERY = 20


@dataclass
class _Mean:
    """Mean of each logged value since the last record; values are read only then, for a GPU is waited for when one is."""

    values: dict[str, list[torch.Tensor]] = field(default_factory=dict)

    def add(self, **values: torch.Tensor) -> None:
        for name, value in values.items():
            self.values.setdefault(name, []).append(value.detach())

    def take(self) -> dict[str, float]:
        means = {name: sum(map(float, values)) / len(values) for name, values in self.values.items()}
        self.values = {}
        return means


class Drawn(NamedTuple):
    """What a pupil made of n images.

    Attributes:
        adversarial: Adversarial images in [−1, 1], ``(n, 3, s, s)``, with their gradient; or several of each image, the first of
            all images, then the second of all, and so on.
        hamming: Their Hamming term, with its gradient, where it was found on the way; by the settings if not given.
        bits: The share of bits that agree with the target codes, likewise.
    """

    adversarial: torch.Tensor
    hamming: torch.Tensor | None = None
    bits: torch.Tensor | None = None


Draw: TypeAlias = Callable[[torch.Tensor, npt.NDArray[np.intp], HashModel], Drawn]
"""Images in [−1, 1] ``(n, 3, s, s)``, the row of each one's target label, the attacked model, frozen -> what is made of them."""

Rates: TypeAlias = tuple[tuple[nn.Module, float], ...]
"""Parts of a generator, each with the share of the learning rate at which it learns."""


@dataclass(frozen=True, kw_only=True)
class Pupil:
    """A generator, and all that the training loop needs to know of its kind.

    Attributes:
        name: Of the attack.
        generator: What is trained, on the attacked model's device.
        targets: Label vectors that target labels are drawn from, float ``(M, C)``.
        goals: Their codes as ±1, ``(M, K)``.
        draw: See :data:`Draw`.
        identity: Fingerprints of whatever else the training depends on.
        rates: See :data:`Rates`; the whole at all of the learning rate if not given.
        critic: What judges its images; none if not given.
    """

    name: str
    generator: nn.Module
    targets: torch.Tensor
    goals: torch.Tensor
    draw: Draw
    identity: tuple[str, ...]
    rates: Rates = ()
    critic: Critic | None = None


def teach(
    pupil: Pupil,
    model: HashModel,
    data: RetrievalData,
    settings: GeneratorTrainingSettings,
    *,
    seed: int,
    checkpoint: Path | None = None,
    log: Path | None = None,
    progress: bool = False,
) -> tuple[nn.Module, list[dict[str, Any]]]:
    """Train a generator against ``model`` on ``data.train``; each image of each step gets a target label.

    Several processes share each batch: each weighs the mean losses of its rows by their share of the batch, and the gradients are
    summed, which up to summation order is the training of one process. The networks are not wrapped in
    ``DistributedDataParallel``, which would weigh unequal shares the same and does not bear a discriminator that is used
    twice a step and frozen in between.

    Args:
        pupil: The generator.
        model: The attacked model; left as it was.
        data: Whose ``train`` images it learns on.
        settings: See :class:`GeneratorTrainingSettings`.
        seed: Of batches and target labels.
        checkpoint: A file for the state, written every half minute; training goes on from it if it is there.
        log: A JSON-lines file for the log.
        progress: Whether a progress bar is shown.

    Returns:
        The generator, frozen and in eval mode, and the log: means of the losses over every 20 steps, and ``bits``, the
        share of bits that agree with the target code.
    """
    device, train = model.device, data.train
    together = processes(device)
    accelerator = Accelerator(cpu=device.type == "cpu")
    generator, critic = pupil.generator, pupil.critic
    average = copy.deepcopy(generator).requires_grad_(False) if settings.average else None
    networks = {"generator": generator} | ({"discriminator": critic.discriminator} if critic else {})
    optimizers = _optimizers(pupil, settings, accelerator)
    known = (model.sha256(), *pupil.identity)
    state = Checkpoint(
        checkpoint or Path(),
        sha256_of(fingerprint(settings), data.sha256, str(seed), *known),
        networks | ({"average": average} if average else {}),
        {name: optimizer.optimizer for name, optimizer in optimizers.items()},
    )
    facts = state.restore() if checkpoint else None
    first, records = (facts["step"], facts["records"]) if facts else (0, [])

    steps_an_epoch = math.ceil(len(train) / settings.batch_size)
    steps = settings.epochs * steps_an_epoch
    means, saved_at = _Mean(), time.monotonic()
    looked_at = folded(model, data.image_size)
    with frozen(model), progress_bar(pupil.name, steps, show=progress, done=first) as advance:
        for step in range(first, steps):
            batch = batch_of(pupil.targets, pupil.goals, data, settings, seed, step, together)
            _set_learning_rate(optimizers, settings, step, steps)
            made = pupil.draw(batch.images, batch.drawn, looked_at)
            if critic:
                if step % critic.every == 0:
                    optimizers["discriminator"].zero_grad(set_to_none=True)
                    accelerator.backward(batch.weight * critic.loss(batch, made.adversarial, settings))
                    together.sum_gradients(critic.discriminator)
                    optimizers["discriminator"].step()
                critic.discriminator.requires_grad_(False)
            losses = _losses(pupil, looked_at, batch, made, settings)
            optimizers["generator"].zero_grad(set_to_none=True)
            accelerator.backward(batch.weight * losses["loss"])
            together.sum_gradients(generator)
            if settings.clip is not None:
                nn.utils.clip_grad_norm_(generator.parameters(), settings.clip)
            optimizers["generator"].step()
            if critic:
                critic.discriminator.requires_grad_(True)
            if average:
                _follow(average, generator, min(settings.average, (step + 1) / (step + 11)))

            parts = together.sum(batch.weight * torch.stack([one.detach() for one in losses.values()]))
            logged = dict(zip(losses, parts, strict=True))
            logged["rms"] = logged.pop("error").sqrt() / 2
            means.add(**logged)
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
    return (average or generator).requires_grad_(False).eval(), records


def _optimizers(
    pupil: Pupil, settings: GeneratorTrainingSettings, accelerator: Accelerator
) -> dict[str, Any]:
    """Return Adam for the generator, each part of it at its own rate, and for the discriminator; prepare the networks."""
    learned: dict[str, Any] = {
        "generator": [
            {"params": list(part.parameters()), "share": share}
            for part, share in pupil.rates or ((pupil.generator, 1.0),)
        ]
    }
    accelerator.prepare_model(pupil.generator, evaluation_mode=True)  # in place and not wrapped; see teach
    if pupil.critic:
        learned["discriminator"] = pupil.critic.discriminator.parameters()
        accelerator.prepare_model(pupil.critic.discriminator, evaluation_mode=True)
    return {
        name: accelerator.prepare(
            torch.optim.Adam(parameters, lr=settings.learning_rate, betas=settings.betas)
        )
        for name, parameters in learned.items()
    }


def _losses(
    pupil: Pupil,
    model: HashModel,
    batch: Batch,
    made: Drawn,
    settings: GeneratorTrainingSettings,
) -> dict[str, torch.Tensor]:
    """Return the generator's ``loss``, its Hamming term, the mean squared error, and the share of right bits."""
    adversarial, hamming, bits = made
    images = batch.images.repeat(len(adversarial) // len(batch.images), 1, 1, 1)
    error = functional.mse_loss(adversarial, images)
    if hamming is None or bits is None:
        logits = model.attack_logits(varied((adversarial + 1) / 2, settings.diversity, batch.draws))
        hamming = hamming_loss(logits, batch.goal, settings.sharpness, relative=settings.relative)
        bits = (logits.detach() * batch.goal >= 0).float().mean()
    loss = settings.reconstruction * error + settings.hamming * hamming
    if pupil.critic:
        loss = loss + pupil.critic.term(batch, adversarial, settings)
    return {"loss": loss, "hamming": hamming, "error": error, "bits": bits}


@torch.no_grad()
def _follow(average: nn.Module, generator: nn.Module, kept: float) -> None:
    """Move the running mean of the weights towards the last ones."""
    for mean, last in zip(average.parameters(), generator.parameters(), strict=True):
        mean.lerp_(last, 1 - kept)


def _set_learning_rate(
    optimizers: dict[str, torch.optim.Optimizer], settings: GeneratorTrainingSettings, step: int, steps: int
) -> None:
    """Constant for the first half, then linear to zero; the generator's after a warm-up."""
    for name, optimizer in optimizers.items():
        warm = min(1.0, (step + 1) / settings.warm_up) if settings.warm_up and name == "generator" else 1.0
        for group in optimizer.param_groups:
            share = group.get("share", 1.0)
            group["lr"] = share * settings.learning_rate * warm * min(1.0, 2 * (1 - step / steps))
