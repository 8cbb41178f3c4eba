"""ProS-GAN's own generator and discriminator as the pupil of the shared training loop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from hashprobe.attacks.prosgan.networks import Discriminator, Generator
from hashprobe.attacks.prosgan.settings import ProSGANSettings
from hashprobe.attacks.teaching import Critic, Drawn, Pupil, teach
from hashprobe.data import RetrievalData
from hashprobe.errors import HashprobeError
from hashprobe.hashing import HashModel
from hashprobe.targets import PrototypeNet, unique_labels
from hashprobe.weights import weights_sha256


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
    """Train ProS-GAN's generator against ``model``; see :func:`teach`.

    Target labels are the unique label vectors of the database; what the generator reads of them, and their codes, come from
    the frozen PrototypeNet.

    Args:
        model: The attacked model; left as it was.
        data: Its ``train`` images and labels, and the label vectors of its ``database``.
        prototypes: A trained PrototypeNet of the same classes and bits.
        settings: See :class:`ProSGANSettings`.
        seed: Of weights, batches and target labels.
        checkpoint: A file for the state.
        log: A JSON-lines file for the log.
        progress: Whether a progress bar is shown.

    Returns:
        The generator, frozen and in eval mode, and the log.
    """
    if (prototypes.bits, prototypes.classes) != (model.bits, data.classes):
        raise HashprobeError(
            f"the PrototypeNet has {prototypes.bits} bits and {prototypes.classes} classes; "
            f"model and data have {model.bits} and {data.classes}."
        )
    device = model.device
    generator, critic = _networks(data, prototypes, settings, seed, device)
    targets = torch.from_numpy(unique_labels(data.database.labels).astype(np.float32)).to(device)
    with torch.no_grad():
        semantics, relaxed_prototypes, _ = prototypes.to(device)(targets)
    known = relaxed_prototypes if generator.linear else semantics

    def draw(images: torch.Tensor, drawn: npt.NDArray[np.intp], model: HashModel) -> Drawn:
        with settings.passes(device):
            return Drawn(generator(images, known[drawn]))

    pupil = Pupil(
        name="ProS-GAN",
        generator=generator,
        targets=targets,
        goals=torch.where(relaxed_prototypes >= 0, 1.0, -1.0),
        draw=draw,
        identity=(weights_sha256(prototypes),),
        critic=critic,
    )
    trained, records = teach(
        pupil, model, data, settings, seed=seed, checkpoint=checkpoint, log=log, progress=progress
    )
    assert isinstance(trained, Generator)
    return trained, records


def new_generator(image_size: int, settings: ProSGANSettings, prototypes: PrototypeNet) -> Generator:
    """Return a generator of the settings' sizes, with fresh weights."""
    return Generator(
        image_size,
        width=settings.width,
        semantic_width=prototypes.bits if settings.decoder == "linear" else prototypes.semantic_width,
        decoder=settings.decoder,
        decoder_width=settings.decoder_width,
        residual=settings.residual,
        epsilon=settings.epsilon,
    )


def _networks(
    data: RetrievalData,
    prototypes: PrototypeNet,
    settings: ProSGANSettings,
    seed: int,
    device: torch.device,
) -> tuple[Generator, Critic | None]:
    """Return both with fresh weights; no discriminator that is not heard, for it would learn for nothing."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        generator = new_generator(data.image_size, settings, prototypes).to(device)
        if not settings.adversarial:
            return generator, None
        outputs = data.classes + 1 if settings.class_outputs else 1
        discriminator = Discriminator(data.image_size, outputs=outputs, width=settings.discriminator_width)
    critic = Critic(
        discriminator=discriminator.to(device),
        weight=settings.adversarial,
        every=settings.discriminator_every,
        class_outputs=settings.class_outputs,
    )
    return generator, critic
