"""THA's code of a label: PrototypeNet without a label head, trained by a circle loss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from pydantic import BaseModel
from torch.nn import functional

from hashprobe.targets.codes.base import CODES
from hashprobe.targets.codes.label_network import LabelNetworkCode, LabelNetworkSettings, quantisation
from hashprobe.trained import TRAINED

LEFT_OUT = -1e4
"""Stands for an image that is not of a side; −∞ would leave a side without images no gradient that is a number."""


class CircleSettings(LabelNetworkSettings):
    """How the network is trained; steps, batches and rates are PrototypeNet's. See :class:`LabelNetworkSettings`."""


@TRAINED.register("circle")
@CODES.register("circle")
@dataclass(frozen=True, kw_only=True)
class CircleCode(LabelNetworkCode):
    """The prototype code of THA: the sign of h of a network from labels to codes that a circle loss has trained.

    Source: THA (2022).

    Attributes:
        network: The trained network.
        settings: How it was trained.
        attacked_model: Fingerprint of the model whose codes it was trained on.
    """

    name = "circle"
    heading = "Circle code"
    Settings = CircleSettings
    presets: ClassVar[Mapping[str, BaseModel]] = {"cpu": CircleSettings(steps=1000, learning_rate=5e-4)}

    settings: CircleSettings = field(default_factory=CircleSettings)

    @classmethod
    def loss(
        cls,
        settings: Any,
        labels: torch.Tensor,
        outputs: tuple[torch.Tensor, ...],
        codes: torch.Tensor,
        similar: torch.Tensor,
        generator: torch.Generator,
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Return the loss of a batch; see :meth:`LabelNetworkCode.loss`.

        With the similarities ``s = h·b / K`` it is the mean over labels of ``softplus(LSE(a_n s_n) + LSE(−a_p s_p))``, n over the
        irrelevant training images and p over the relevant ones, LSE the logarithm of the sum of exponentials; plus the weighted
        ``Σ (sign(h) − h)²``. The weights ``a_n = max(0, 2 + s_n)`` and ``a_p = max(0, 2 − s_p)``, larger for what lies farther
        from where it should, are constants to the gradient. A label without images on one side asks for nothing.
        """
        relaxed = outputs[1]
        similarity = relaxed @ codes.T / codes.shape[1]
        constant = similarity.detach()
        away = ((2 + constant).clamp_min(0) * similarity).masked_fill(similar > 0, LEFT_OUT)
        near = (-(2 - constant).clamp_min(0) * similarity).masked_fill(similar == 0, LEFT_OUT)
        circle = functional.softplus(away.logsumexp(dim=1) + near.logsumexp(dim=1)).mean()
        return circle + settings.quantisation * quantisation(relaxed), {"circle": circle}
