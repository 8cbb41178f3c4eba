"""Training of learned steps: each is taught on images that the steps before it made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from pydantic import BaseModel, Field

from hashprobe.attacks.code_generator.networks import MapSize
from hashprobe.attacks.code_generator.seeing import look_at, map_sizes, seen
from hashprobe.attacks.code_generator.settings import PatternSettings
from hashprobe.attacks.code_generator.training import given_pattern, lessons, take_over, teach_in
from hashprobe.attacks.learned_steps.network import StepNetwork, changed
from hashprobe.attacks.teaching import Pupil
from hashprobe.trained import TrainingRun


class LearnedStepsSettings(PatternSettings):
    """How learned steps are trained; see :class:`PatternSettings` as well. The pattern of the code is not changed any more.

    Attributes:
        learned: How many steps are told apart, and taught one after the other on the same images.
        last_sharpness: Scale of the tanh in the loss after the last of them, towards which it rises evenly from ``sharpness``
            after the first: late, only bits that are nearly turned count.
    """

    learning_rate: float = Field(1e-3, gt=0)
    batch_size: int = Field(32, ge=1)
    learned: int = Field(4, ge=1)
    last_sharpness: float = Field(1.5, gt=0)


PRESETS: Mapping[str, BaseModel] = {"cpu": LearnedStepsSettings(epochs=10)}


def train_learned_steps(
    settings: LearnedStepsSettings, run: TrainingRun, name: str
) -> tuple[StepNetwork, list[MapSize]]:
    """Train the steps against the run's model, towards the codes of all label vectors of the database.

    Returns:
        The network, frozen and in eval mode, and the feature maps that it sees.

    Raises:
        HashprobeError: a code that must itself be trained, or a given code generator of other sizes.
    """
    start, learned = given_pattern(settings, run), lessons(settings, run)
    sizes = map_sizes(run.model, run.data.image_size)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(run.seed)
        network = new_step_network(settings, run.model.bits, run.data.image_size, sizes)
    network.to(run.model.device)
    take_over(network.pattern, start)
    network.pattern.requires_grad_(False)
    look = look_at(run.model)

    def draw(images: torch.Tensor, drawn: npt.NDArray[np.intp]) -> torch.Tensor:
        images, wanted = (images + 1) / 2, learned.goals[drawn]
        pattern, made = network.pattern(wanted), []
        for step in range(settings.learned):
            adversarial = changed(images, pattern.detach(), settings.epsilon)
            found = seen(look, adversarial, wanted, sizes=sizes, done=step / settings.learned)
            pattern = network(images, wanted, pattern.detach(), found, step)
            made.append(changed(images, pattern, settings.epsilon))
        return torch.cat(made) * 2 - 1

    pupil = Pupil(
        name=name,
        generator=network,
        discriminator=None,
        targets=learned.targets,
        goals=learned.goals,
        draw=draw,
        identity=(learned.identity, start.sha256()),
        sharpness=tuple(
            float(one) for one in np.linspace(settings.sharpness, settings.last_sharpness, settings.learned)
        ),
    )
    trained = teach_in(pupil, settings, run)
    assert isinstance(trained, StepNetwork)
    return trained, sizes


def new_step_network(
    settings: LearnedStepsSettings, bits: int, image_size: int, maps: Sequence[MapSize]
) -> StepNetwork:
    """Return a network of the settings' sizes, with fresh weights."""
    sizes: dict[str, Any] = {"hidden": settings.hidden, "width": settings.width, "steps": settings.learned}
    return StepNetwork(bits, image_size, maps=maps, **sizes)
