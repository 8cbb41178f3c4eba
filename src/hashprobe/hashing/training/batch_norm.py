"""Batch normalisation over the whole batch where several GPUs share it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from timm import layers
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


@contextmanager
def synchronised_batch_norm(network: nn.Module) -> Iterator[None]:
    """Put torch's synchronised layers in the place of a network's batch normalisation inside the block, with the same tensors.

    Their statistics are those of the whole batch. They need a GPU.
    """
    own = [
        (parent, name, layer)
        for parent in network.modules()
        for name, layer in parent.named_children()
        if isinstance(layer, _BatchNorm)
    ]
    # Torch's own function passes by the layers of timm's networks.
    layers.convert_sync_batchnorm(network)  # type: ignore[attr-defined, no-untyped-call]
    try:
        yield
    finally:
        for parent, name, layer in own:
            layer.train(getattr(parent, name).training)
            setattr(parent, name, layer)
