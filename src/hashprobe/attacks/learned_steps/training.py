"""Training of learned steps: each is taught on images that the steps before it made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import torch
from pydantic import BaseModel, Field

from hashprobe.attacks.code_generator import CodeGeneratorAttack
from hashprobe.attacks.code_generator.networks import MapSize, changed
from hashprobe.attacks.code_generator.seeing import OBJECTIVE, look_at, map_sizes, seen
from hashprobe.attacks.code_generator.settings import DrawingSettings
from hashprobe.attacks.code_generator.training import as_learned, lessons, teach_in
from hashprobe.attacks.learned_steps.network import StepNetwork
from hashprobe.attacks.objectives import OBJECTIVES
from hashprobe.attacks.teaching import Drawn
from hashprobe.errors import HashprobeError
from hashprobe.hashing import HashModel
from hashprobe.trained import TrainingRun


class LearnedStepsSettings(DrawingSettings):
    """How learned steps are trained; see :class:`DrawingSettings` as well. What they start from is not changed any more.

    The loss after each step is what the next descends, the ``scaled`` objective as it is after that share of the steps: its
    gradient is taken once, teaches the step before, and is shown to the one that follows. So ``sharpness`` is not used, the
    outputs are always ``relative``, and images are not varied.

    Attributes:
        learned: How many steps are told apart, and taught one after the other on the same images.
    """

    VERSION: ClassVar[int] = 2

    learning_rate: float = Field(1e-3, gt=0)
    batch_size: int = Field(32, ge=1)
    sharpness: float = Field(0.3, ge=0.3, le=0.3)
    relative: Literal[True] = True
    diversity: float = Field(0.0, ge=0, le=0)
    learned: int = Field(4, ge=1)


PRESETS: Mapping[str, BaseModel] = {"cpu": LearnedStepsSettings(epochs=10)}


def train_learned_steps(
    settings: LearnedStepsSettings, run: TrainingRun, name: str, start: CodeGeneratorAttack
) -> tuple[StepNetwork, list[MapSize]]:
    """Train the steps against the run's model, from a generator's images on, towards the codes of all of the database's labels.

    Returns:
        The network, frozen and in eval mode, and the feature maps that it sees.

    Raises:
        HashprobeError: a code that must itself be trained, or a code generator for images or codes of another size.
    """
    own, given = (run.data.image_size, run.model.bits), (start.image_size, start.network.bits)
    if own != given:
        raise HashprobeError(
            f"the given code generator draws for images of {given[0]}×{given[0]} and {given[1]} bits; these are of "
            f"{own[0]}×{own[0]} and {own[1]} bits. Train one for them, or give none."
        )
    learned, sizes = lessons(settings, run, name), map_sizes(run.model, run.data.image_size)
    first = start.network.to(run.model.device)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(run.seed)
        network = new_step_network(settings, run.model.bits, sizes)
    network.to(run.model.device)

    def draw(images: torch.Tensor, drawn: npt.NDArray[np.intp], model: HashModel) -> Drawn:
        images, wanted = as_learned(images), learned.goals[drawn]
        look, found = look_at(model), None
        if start.settings.sees != "code":
            found = seen(look, images, wanted, sizes=start.maps)
        with torch.no_grad():
            pattern = first(images, wanted, found)
            adversarial = changed(images, pattern, settings.epsilon)
        found = seen(look, adversarial, wanted, sizes=sizes, done=0.0)
        made, losses, bits = [], [], []
        for step in range(settings.learned):
            with settings.passes(images.device):
                pattern = network(images, wanted, pattern.detach(), found, step).float()
            adversarial = changed(images, pattern, settings.epsilon)
            done = (step + 1) / settings.learned
            found = seen(look, adversarial, wanted, sizes=sizes, done=done)
            loss = OBJECTIVES[OBJECTIVE](found.logits, wanted, done).mean()
            assert found.gradient is not None
            losses.append(1 + known_gradient(loss, found.gradient / len(images), adversarial))
            bits.append((found.logits * wanted >= 0).float().mean())
            made.append(adversarial)
        return Drawn(torch.cat(made) * 2 - 1, torch.stack(losses).mean(), torch.stack(bits).mean())

    trained = teach_in(name, network, draw, learned, settings, run, [start.sha256()])
    assert isinstance(trained, StepNetwork)
    return trained, sizes


def known_gradient(value: torch.Tensor, gradient: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
    """Return a number whose gradient with respect to ``at`` is known already."""
    first_order = (at * gradient).sum()
    return value.detach() + (first_order - first_order.detach())


def new_step_network(settings: LearnedStepsSettings, bits: int, maps: Sequence[MapSize]) -> StepNetwork:
    """Return a network of the settings' sizes, with fresh weights."""
    network = StepNetwork(bits, width=settings.width, maps=maps, steps=settings.learned)
    return network.to(memory_format=torch.channels_last)
