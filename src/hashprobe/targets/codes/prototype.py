"""PrototypeNet: a target label -> its semantic representation and its prototype code (paper, Section 3.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from pydantic import BaseModel, Field
from torch import nn
from torch.nn import functional

from hashprobe.targets.codes.base import CODES
from hashprobe.targets.codes.label_network import (
    SEMANTIC_WIDTH,
    LabelNetwork,
    LabelNetworkCode,
    LabelNetworkSettings,
    quantisation,
)
from hashprobe.trained import TRAINED


class PrototypeNet(LabelNetwork):
    """P: the label's semantic representation r_t -> code head and label head; see :class:`LabelNetwork`."""

    def __init__(self, classes: int, bits: int, hidden: int = 4096) -> None:
        super().__init__(classes, bits, hidden)
        self.label_head = nn.Linear(SEMANTIC_WIDTH, classes)

    def forward(self, labels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return ``(r_t, h_t, ŷ)``: semantic representation, relaxed prototype code in (−1, 1), predicted label."""
        semantics, relaxed = super().forward(labels)
        return semantics, relaxed, torch.sigmoid(self.label_head(semantics))


class PrototypeSettings(LabelNetworkSettings):
    """How PrototypeNet is trained; the defaults are the authors'.

    Attributes:
        classification: Weight of the mean squared error between predicted and target label.
    """

    classification: float = Field(1.0, ge=0)


@TRAINED.register("prototype")
@CODES.register("prototype")
@dataclass(frozen=True, kw_only=True)
class PrototypeCode(LabelNetworkCode):
    """The prototype code of a label: the sign of a trained PrototypeNet's h_t (paper, Section 3.2).

    Attributes:
        network: The trained PrototypeNet.
        settings: How it was trained.
        attacked_model: Fingerprint of the model whose codes it was trained on.
    """

    name = "prototype"
    heading = "Prototype code"
    Network = PrototypeNet
    Settings = PrototypeSettings
    presets: ClassVar[Mapping[str, BaseModel]] = {"cpu": PrototypeSettings(steps=1000, learning_rate=5e-4)}

    network: PrototypeNet = field(repr=False)
    settings: PrototypeSettings = field(default_factory=PrototypeSettings)

    @classmethod
    def loss(
        cls,
        settings: Any,
        labels: torch.Tensor,
        outputs: tuple[torch.Tensor, ...],
        codes: torch.Tensor,
        similar: torch.Tensor,
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Return the loss of a batch; see :meth:`LabelNetworkCode.loss`.

        It is the mean over (target labels × training images) of ``softplus(θ) − S θ`` with ``θ = h·bᵀ / 2``, plus the two terms
        that :class:`PrototypeSettings` weighs (paper, Equation 3).
        """
        _, relaxed, predicted = outputs
        theta = relaxed @ codes.T / 2
        likelihood = (functional.softplus(theta) - similar * theta).mean()
        classification = functional.mse_loss(predicted, labels)
        return (
            likelihood
            + settings.quantisation * quantisation(relaxed)
            + settings.classification * classification,
            {"likelihood": likelihood},
        )
