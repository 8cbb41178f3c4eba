"""What a network computes on its way to z: the last map of each size."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

SMALLEST_SIDE = 2
"""A map of one pixel says nothing of where; z has what it says."""


@contextmanager
def feature_maps(network: nn.Module) -> Iterator[dict[int, torch.Tensor]]:
    """Collect the last square map of each size that a network's modules return inside the block.

    Maps are known by their side: side -> ``(n, channels, side, side)``, of the last pass. They are as the network made them,
    with their gradient; one that a module then changes in place is changed here too. A network without maps, as one of linear
    layers, gives none.
    """
    found: dict[int, torch.Tensor] = {}

    def keep(module: nn.Module, given: Any, output: Any) -> None:
        if not isinstance(output, torch.Tensor) or output.ndim != 4:
            return
        height, width = output.shape[2:]
        if height == width >= SMALLEST_SIDE:
            found[width] = output

    hooks = [module.register_forward_hook(keep) for module in network.modules()]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()
