"""An attack, a goal and a model of one's own: hashprobe … --plugin own_plugin.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import nn

from hashprobe.attacks import ATTACKS, Access, Attack, Victim
from hashprobe.hashing import MODELS, HashModel
from hashprobe.retrieval import unpack
from hashprobe.targets import GOALS, Goal, Untargeted


@ATTACKS.register("Fade")
@dataclass(frozen=True, kw_only=True)
class Fade(Attack):
    """Fade the picture to black or to white, whichever brings its code nearer to what is wanted; two questions."""

    access: ClassVar[Access] = Access.CODES

    amount: float

    def perturb(
        self, victim: Victim, images: torch.Tensor, goal: Goal, generator: torch.Generator
    ) -> torch.Tensor:
        dark, bright = images * (1 - self.amount), images + (1 - images) * self.amount
        wanted = goal.direction(victim.bits, images).cpu().numpy()
        first, second = (
            (unpack(victim.codes(faded), victim.bits) * wanted).sum(axis=1) for faded in (dark, bright)
        )
        darker = torch.from_numpy(np.asarray(first >= second)).to(images.device)
        return torch.where(darker[:, None, None, None], dark, bright)


@GOALS.register("leave-class")
class LeaveClass(Untargeted):
    """Away from the anchor code of the query's own label."""

    code = "anchor"


@MODELS.register("own-net")
def own_net() -> HashModel:
    """One convolution and a linear layer, 8 bits."""
    layers = nn.Conv2d(3, 8, 5, stride=4), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32, 8)
    return HashModel.wrap(nn.Sequential(*layers), bits=8, mean=(0.5,) * 3, std=(0.25,) * 3)
