"""Training of a code generator: the pupil that the shared loop teaches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from hashprobe.attacks.code_generator.networks import BoundedNetwork, CodeGenerator, MapSize, changed
from hashprobe.attacks.code_generator.seeing import look_at, map_sizes, seen
from hashprobe.attacks.code_generator.settings import CodeGeneratorSettings, DrawingSettings
from hashprobe.attacks.learned_codes import learned_codes
from hashprobe.attacks.pattern import LinearPattern
from hashprobe.attacks.teaching import Draw, Drawn, Pupil, Rates, teach
from hashprobe.errors import HashprobeError
from hashprobe.files import sha256_of
from hashprobe.hashing import HashModel
from hashprobe.retrieval import unpack
from hashprobe.targets import unique_labels
from hashprobe.trained import TRAINED, Trained, TrainingRun, train_into

NAME = "CodeGenerator"
PATTERN_FOLDER = "pattern"
"""Folder within that of what starts from a pattern of the code, where that is learned first."""


class Lessons(NamedTuple):
    """What is learned: label vectors, and the codes of them.

    Attributes:
        targets: Label vectors of the database, once for each kind of code, float ``(M, C)``.
        goals: Their codes as ±1, ``(M, K)``.
        identity: Fingerprint of both.
    """

    targets: torch.Tensor
    goals: torch.Tensor
    identity: str


def lessons(settings: DrawingSettings, run: TrainingRun, learner: str) -> Lessons:
    """Return what is learned.

    Raises:
        HashprobeError: a code that must itself be trained.
    """
    labels, device = unique_labels(run.data.database.labels), run.model.device
    codes = np.concatenate([learned_codes(code, labels, run, learner) for code in settings.codes])
    return Lessons(
        targets=torch.from_numpy(np.tile(labels, (len(settings.codes), 1)).astype(np.float32)).to(device),
        goals=torch.from_numpy(unpack(codes, run.model.bits).astype(np.float32)).to(device),
        identity=sha256_of(labels.tobytes(), codes.tobytes()),
    )


def train_code_generator(
    settings: CodeGeneratorSettings, run: TrainingRun
) -> tuple[CodeGenerator, list[MapSize]]:
    """Train a code generator against the run's model, towards the codes of all label vectors of the database.

    Returns:
        The generator, frozen and in eval mode, and the feature maps that it sees.

    Raises:
        HashprobeError: a code that must itself be trained, or a given generator of other sizes.
    """
    blind = settings.sees == "code"
    start = run.trained.get(NAME) if blind else _given_pattern(settings, run)
    learned = lessons(settings, run, "code generator")
    sizes = [] if blind else map_sizes(run.model, run.data.image_size)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(run.seed)
        generator = new_code_generator(settings, run.model.bits, run.data.image_size, sizes)
    generator.to(run.model.device)
    if start is not None:
        _take_over(generator.pattern, start)
    rates: Rates = ()
    if generator.decoder is not None:
        rates = (generator.decoder, settings.decoder_rate), (generator.pattern, settings.pattern_rate)

    def draw(images: torch.Tensor, drawn: npt.NDArray[np.intp], model: HashModel) -> Drawn:
        images, wanted = as_learned(images), learned.goals[drawn]
        found = None if blind else seen(look_at(model), images, wanted, sizes=sizes)
        with settings.passes(images.device):
            pattern = generator(images, wanted, found)
        return Drawn(changed(images, pattern.float(), settings.epsilon) * 2 - 1)

    known = [start.sha256()] if start else []
    trained = teach_in(NAME, generator, draw, learned, settings, run, known, rates)
    assert isinstance(trained, CodeGenerator)
    return trained, sizes


def _given_pattern(settings: CodeGeneratorSettings, run: TrainingRun) -> Trained:
    """Return the code generator whose pattern is started from: a given one, or one that sees the code alone, trained first."""
    if NAME in run.trained:
        return run.trained[NAME]
    alone = settings.model_copy(update={"sees": "code", "epochs": settings.pattern_epochs})
    logs = run.logs / PATTERN_FOLDER if run.logs else None
    within = replace(run, known_train_codes=run.train_codes, logs=logs)
    if run.folder is None:
        return TRAINED[NAME].train(alone, within)
    return train_into(NAME, alone, within, run.folder / PATTERN_FOLDER)


def _take_over(pattern: LinearPattern, given: Trained) -> None:
    """Give a pattern the weights that a code generator has learned.

    Raises:
        HashprobeError: it has other sizes.
    """
    other = given.networks()["generator"].pattern
    assert isinstance(other, LinearPattern)
    own, others = ([tuple(one.shape) for one in each.parameters()] for each in (pattern, other))
    if own != others:
        raise HashprobeError(
            f"the given code generator has a pattern of the sizes {others}, this one of {own}; give hidden= the same number."
        )
    pattern.load_state_dict(other.state_dict())


def as_learned(images: torch.Tensor) -> torch.Tensor:
    """Return images of the training loop in [0, 1], in the order of memory in which convolutions are faster."""
    return ((images + 1) / 2).contiguous(memory_format=torch.channels_last)


def teach_in(
    name: str,
    network: BoundedNetwork,
    draw: Draw,
    learned: Lessons,
    settings: DrawingSettings,
    run: TrainingRun,
    known: Sequence[str] = (),
    rates: Rates = (),
) -> nn.Module:
    """Return a network that was taught its lessons, without a discriminator, with the checkpoint and the log of a run.

    Args:
        name: Of the attack.
        network: What is taught.
        draw: How it draws.
        learned: The lessons.
        settings: Of the training.
        run: The training run.
        known: Fingerprints of what it starts from.
        rates: Of its parts.
    """
    pupil = Pupil(
        name=name,
        generator=network,
        targets=learned.targets,
        goals=learned.goals,
        draw=draw,
        identity=(learned.identity, *known),
        rates=rates,
    )
    trained, _ = teach(
        pupil,
        run.model,
        run.data,
        settings,
        seed=run.seed,
        checkpoint=run.checkpoint,
        log=run.log(name),
        progress=run.progress,
    )
    return trained


def new_code_generator(
    settings: CodeGeneratorSettings, bits: int, image_size: int, maps: Sequence[MapSize]
) -> CodeGenerator:
    """Return a generator of the settings' sizes, with fresh weights."""
    generator = CodeGenerator(
        bits,
        image_size,
        hidden=settings.hidden,
        width=None if settings.sees == "code" else settings.width,
        maps=maps,
    )
    return generator.to(memory_format=torch.channels_last)
