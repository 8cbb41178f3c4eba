"""PrototypeNet: a target label -> its semantic representation and its prototype code (paper, Section 3.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

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

LEAST = 1e-9
"""Weight of what is not relevant where a relevant item is drawn: a label without any then has something to draw."""


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
        objective: What h_t is trained by: the published ``likelihood`` of similar pairs, or the ``average-precision`` that it
            ranks the training codes with, made smooth; see :func:`smooth_average_precision`.
        positives: Relevant training images a label at which the smooth precision is taken; for that objective alone.
        sharpness: Of the sigmoid in it, per ``h·b / K``; likewise.
    """

    classification: float = Field(1.0, ge=0)
    objective: Literal["likelihood", "average-precision"] = "likelihood"
    positives: int = Field(16, ge=1)
    sharpness: float = Field(32.0, gt=0)


# Ranking is what the codes are for: a third of the time, and better codes, above all of labels with few classes
# (docs/results/generator-experiments.md).
PRESETS: Mapping[str, BaseModel] = {
    "cpu": PrototypeSettings(
        objective="average-precision", fewer=0.5, steps=600, batch_size=32, learning_rate=1e-3
    )
}


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
    presets: ClassVar[Mapping[str, BaseModel]] = PRESETS

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
        generator: torch.Generator,
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Return the loss of a batch; see :meth:`LabelNetworkCode.loss`.

        It is the mean over (target labels × training images) of ``softplus(θ) − S θ`` with ``θ = h·bᵀ / 2``, plus the two terms
        that :class:`PrototypeSettings` weighs (paper, Equation 3); or 1 less the smooth average precision in its place.
        """
        _, relaxed, predicted = outputs
        if settings.objective == "likelihood":
            theta = relaxed @ codes.T / 2
            main = (functional.softplus(theta) - similar * theta).mean()
            shown = {"likelihood": main}
        else:
            how = settings.positives, settings.sharpness, generator
            precision = smooth_average_precision(relaxed, codes, similar, *how).mean()
            main, shown = 1 - precision, {"average_precision": precision}
        classification = functional.mse_loss(predicted, labels)
        return (
            main + settings.quantisation * quantisation(relaxed) + settings.classification * classification,
            shown,
        )


def smooth_average_precision(
    relaxed: torch.Tensor,
    codes: torch.Tensor,
    similar: torch.Tensor,
    positives: int,
    sharpness: float,
    generator: torch.Generator,
) -> torch.Tensor:
    """Return about the average precision with which relaxed codes rank others, ``(n,)``, differentiable.

    Average precision is the mean, over relevant items, of the share of relevant ones among those that rank as high; here the
    mean is over some of them, drawn anew, and "ranks higher" is a sigmoid of how much larger ``h·b / K`` is (Smooth-AP, Brown et
    al., ECCV 2020; they take all of a batch, cosines, and count an item itself by 1, where it is the sigmoid's ½ here).

    Args:
        relaxed: In (−1, 1), ``(n, K)``.
        codes: What is ranked, −1 and +1, ``(N, K)``.
        similar: 1 where it is relevant, else 0, ``(n, N)``; a row without any has average precision near 0, and no gradient.
        positives: How many relevant items are drawn for each, with replacement.
        sharpness: Of the sigmoid.
        generator: Of the draw.
    """
    similarity = relaxed @ codes.T / codes.shape[1]
    weights = similar.cpu() + LEAST
    drawn = torch.multinomial(weights, positives, replacement=True, generator=generator).to(similarity.device)
    above = torch.sigmoid(sharpness * (similarity[:, None, :] - similarity.gather(1, drawn)[:, :, None]))
    relevant = torch.einsum("npi,ni->np", above, similar)
    return (relevant / above.sum(dim=2)).mean(dim=1)
