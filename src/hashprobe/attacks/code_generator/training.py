"""Training of a code generator: the pupil that the shared loop teaches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from hashprobe.attacks.code_generator.networks import CodeGenerator, MapSize
from hashprobe.attacks.code_generator.seeing import look_at, map_sizes, seen
from hashprobe.attacks.code_generator.settings import CodeGeneratorSettings
from hashprobe.attacks.learned_codes import learned_codes
from hashprobe.attacks.prosgan.training import Pupil, teach
from hashprobe.errors import HashprobeError
from hashprobe.files import sha256_of
from hashprobe.retrieval import unpack
from hashprobe.targets import unique_labels
from hashprobe.trained import TRAINED, Trained, TrainingRun, train_into

PATTERN_FOLDER = "pattern"
"""Folder within that of a code generator, where its pattern of the code is learned first."""


def train_code_generator(
    settings: CodeGeneratorSettings, run: TrainingRun, name: str
) -> tuple[CodeGenerator, list[MapSize]]:
    """Train a code generator against the run's model, towards the codes of all label vectors of the database.

    Where it looks at the network, its pattern of the code is learned first, alone, or lent by a code generator that the run
    was given.

    Returns:
        The generator, frozen and in eval mode, and the feature maps that it sees.

    Raises:
        HashprobeError: a code that must itself be trained, or a given generator of other sizes.
    """
    if settings.sees != "code" and name not in run.trained:
        run = replace(
            run,
            known_train_codes=run.train_codes,
            trained={**run.trained, name: _pattern_alone(settings, run, name)},
        )
    model, device = run.model, run.model.device
    labels = unique_labels(run.data.database.labels)
    codes = np.concatenate([learned_codes(code, labels, run, "code generator") for code in settings.codes])
    goals = torch.from_numpy(unpack(codes, model.bits).astype(np.float32)).to(device)
    targets = torch.from_numpy(np.tile(labels, (len(settings.codes), 1)).astype(np.float32)).to(device)
    sizes = [] if settings.sees == "code" else map_sizes(model, run.data.image_size)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(run.seed)
        generator = new_code_generator(settings, model.bits, run.data.image_size, sizes).to(device)
    identity = sha256_of(labels.tobytes(), codes.tobytes())
    if name in run.trained:
        _start_from(generator, run.trained[name].networks()["generator"])
        identity = sha256_of(identity, run.trained[name].sha256())
    look = look_at(model)

    def draw(images: torch.Tensor, drawn: npt.NDArray[np.intp]) -> torch.Tensor:
        images, wanted = (images + 1) / 2, goals[drawn]
        found = None
        if settings.sees != "code":
            found = seen(look, images, wanted, sizes=sizes, gradient=settings.sees == "gradient")
        adversarial: torch.Tensor = generator(images, wanted, found, settings.epsilon) * 2 - 1
        return adversarial

    pupil = Pupil(
        name=name,
        generator=generator,
        discriminator=None,
        targets=targets,
        goals=goals,
        draw=draw,
        identity=(identity,),
        rates=_rates(settings, generator),
    )
    trained, _ = teach(
        pupil,
        model,
        run.data,
        settings,
        seed=run.seed,
        checkpoint=run.checkpoint,
        log=run.log(name),
        progress=run.progress,
    )
    assert isinstance(trained, CodeGenerator)
    return trained, sizes


def new_code_generator(
    settings: CodeGeneratorSettings, bits: int, image_size: int, maps: Sequence[MapSize]
) -> CodeGenerator:
    """Return a generator of the settings' sizes, with fresh weights."""
    return CodeGenerator(
        bits,
        image_size,
        hidden=settings.hidden,
        width=None if settings.sees == "code" else settings.width,
        maps=maps,
        gradient=settings.sees == "gradient",
    )


def _pattern_alone(settings: CodeGeneratorSettings, run: TrainingRun, name: str) -> Trained:
    """Return a code generator that sees the code alone, trained in a folder within the run's."""
    alone = settings.model_copy(update={"sees": "code", "epochs": settings.pattern_epochs})
    logs = run.logs / PATTERN_FOLDER if run.logs else None
    within = replace(run, known_train_codes=run.train_codes, logs=logs)
    if run.folder is None:
        return TRAINED[name].train(alone, within)
    return train_into(name, alone, within, run.folder / PATTERN_FOLDER)


def _rates(settings: CodeGeneratorSettings, generator: CodeGenerator) -> tuple[tuple[nn.Module, float], ...]:
    if generator.decoder is None:
        return ()
    return (generator.decoder, settings.decoder_rate), (generator.pattern, settings.pattern_rate)


def _start_from(generator: CodeGenerator, given: nn.Module) -> None:
    """Take over the pattern of the code that another generator has learned."""
    assert isinstance(given, CodeGenerator)
    own, other = ([tuple(one.shape) for one in each.pattern.parameters()] for each in (generator, given))
    if own != other:
        raise HashprobeError(
            f"the given code generator has a pattern of the sizes {other}, this one of {own}; give hidden= the same number."
        )
    generator.pattern.load_state_dict(given.pattern.state_dict())
