"""The memory bank: the newest relaxed code of every training image."""

from __future__ import annotations

import torch

from hashprobe.data import Split
from hashprobe.hashing.models import HashModel
from hashprobe.hashing.training.init import init_hash_layer
from hashprobe.hashing.training.parameters import halves
from hashprobe.hashing.training.settings import HashTrainingSettings
from hashprobe.images import as_images
from hashprobe.processes import Processes


@torch.no_grad()
def fill_bank(
    model: HashModel,
    train: Split,
    bank: torch.Tensor,
    settings: HashTrainingSettings,
    seed: int,
    together: Processes,
) -> None:
    """Put the model's outputs for all training images into the bank, after the start of the hash layer."""
    model.eval()
    parts = halves(model.network)
    network, width = (parts.backbone, parts.hash_layer.in_features) if parts else (model.network, model.bits)
    outputs = model.mean.new_zeros(len(train), width)
    for rows in together.batches(len(train), 64):
        outputs[rows] = network(model.preprocess(as_images(train.images[rows], device=model.device)))
    outputs = together.sum(outputs)
    if parts:
        if settings.start == "labels":
            init_hash_layer(parts.hash_layer, outputs, train.labels, seed=seed)
        outputs = parts.hash_layer(outputs)
    bank.copy_(torch.tanh(model.scale * outputs))
    together.broadcast_from_main(model.network, bank)
