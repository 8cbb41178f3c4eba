"""A start for the hash layer that already sorts images by label, computed in closed form from features.

A random hash layer spends most of a short training on finding the classes. Ridge regression from features to labels
finds them at once; a random frame spreads the C class scores over K bits so that Hamming distance follows the distance
between score vectors (random hyperplanes; Charikar, STOC 2002).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from hashprobe.seeds import torch_generator


@torch.no_grad()
def init_hash_layer(
    layer: nn.Linear, features: torch.Tensor, labels: npt.NDArray[np.uint8], *, seed: int
) -> None:
    """Set the weights of a linear hash layer so that its outputs have mean 0, variance about 1 and follow the labels.

    Args:
        layer: The layer, ``features -> K``; changed in place.
        features: ``(n, d)``, the backbone's outputs for training images.
        labels: Multi-hot ``(n, C)``.
        seed: Of the random frame.
    """
    features, wanted = features.double(), torch.from_numpy(np.asarray(labels).astype(np.float64))
    mean = features.mean(0)
    centred = features - mean
    covariance = centred.T @ centred
    # Of the ridge: a tenth of the mean sum of squares of a centred feature, times the square root of n.
    penalty = covariance.diagonal().mean() * len(features) ** 0.5 / 10
    penalised = covariance + penalty * torch.eye(len(covariance), dtype=torch.float64)
    to_labels = torch.linalg.solve(penalised, centred.T @ (wanted - wanted.mean(0)))
    scores = centred @ to_labels
    frame = torch.randn(
        wanted.shape[1], layer.out_features, generator=torch_generator(seed, "hash layer frame")
    )
    weight = to_labels / scores.std(0).mean().clamp_min(1e-12) @ frame.double()
    weight = weight / (centred @ weight).std(0).clamp_min(1e-12)
    layer.weight.copy_(weight.T)
    layer.bias.copy_(-(mean @ weight))
