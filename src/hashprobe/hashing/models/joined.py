"""Several models as one: what is attacked or trained against it is made against all of them, as for transfer to another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import nn

from hashprobe.errors import HashprobeError
from hashprobe.hashing.models.hash_model import HashModel

AND = "+"
"""Between the models of one text: ``runs/a+runs/b``."""


class JoinedNetwork(nn.Module):
    """The outputs z of several hash models side by side.

    Args:
        models: Each with its own preprocessing.
    """

    def __init__(self, models: Sequence[HashModel]) -> None:
        super().__init__()
        self.models = nn.ModuleList(models)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return z for images in [0, 1], ``(n, ΣK)``."""
        return torch.cat([cast(HashModel, model).logits(images) for model in self.models], dim=1)


def joined(models: Sequence[HashModel]) -> HashModel:
    """Return one model whose code is the codes of several, one after the other.

    A distance to a code of it is the sum of the distances to theirs, and an attack's loss over its bits is one over all of them
    (an ensemble in logits, as in MI-FGSM, Dong et al., CVPR 2018, with the weights that the outputs' own sizes are). The models
    keep their parameters: they are held, not copied. Who looks at feature maps sees, of each size, those of the last model that
    has such.

    Args:
        models: Two or more.

    Raises:
        HashprobeError: fewer, one that is given twice, or one with a transform that attacks do not see.
    """
    if any(model.transform is not None and not model.seen_by_attacks for model in models):
        raise HashprobeError(
            "a model with a transform that attacks do not see cannot be joined; join those without."
        )
    fingerprints = [model.sha256() for model in models]
    if len(set(fingerprints)) < max(2, len(models)):
        raise HashprobeError(f"give at least two different models to join; found {len(set(fingerprints))}.")
    one = HashModel.wrap(
        JoinedNetwork(models),
        bits=sum(model.bits for model in models),
        gradients=all(model.gradients for model in models),
    )
    one.source = AND.join(fingerprints)
    one.training = any(model.training for model in models)
    return one
