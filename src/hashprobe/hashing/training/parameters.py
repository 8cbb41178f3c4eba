"""What of a network is trained, and how fast."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import nn

from hashprobe.errors import HashprobeError
from hashprobe.hashing.training.settings import HashTrainingSettings


class Halves(NamedTuple):
    """The two parts of a network that :meth:`HashModel.build` made."""

    backbone: nn.Module
    hash_layer: nn.Linear


def halves(network: nn.Module) -> Halves | None:
    """Return the ``backbone`` and the linear ``hash_layer`` of a network that is these two in a row, or ``None``."""
    if isinstance(network, nn.Sequential) and [*network._modules] == ["backbone", "hash_layer"]:
        backbone, hash_layer = network
        if isinstance(hash_layer, nn.Linear) and hash_layer.bias is not None:
            return Halves(backbone, hash_layer)
    return None


def parameter_groups(network: nn.Module, settings: HashTrainingSettings) -> list[dict[str, Any]]:
    """Return the optimizer's groups, each with its share of the learning rate.

    Raises:
        HashprobeError: nothing can be trained, or the settings speak of two parts that the network does not have.
    """
    parts = halves(network)
    if parts is not None:
        return [
            {"params": list(parts.backbone.parameters()), "share": settings.backbone_rate},
            {"params": list(parts.hash_layer.parameters()), "share": 1.0},
        ]
    for setting, found, neutral in (
        ("start", settings.start, "random"),
        ("backbone_rate", settings.backbone_rate, 1.0),
    ):
        if found != neutral:
            raise HashprobeError(
                f"{setting} = {found!r} needs a network that is a backbone and a linear hash layer, as HashModel.build makes it; "
                f"train this one with {setting} = {neutral!r}, or give it the form "
                "nn.Sequential(OrderedDict(backbone=…, hash_layer=nn.Linear(…)))."
            )
    if not any(parameter.requires_grad for parameter in network.parameters()):
        raise HashprobeError("the model's network has no parameter that could be trained.")
    return [{"params": list(network.parameters()), "share": 1.0}]


def make_optimizer(network: nn.Module, settings: HashTrainingSettings) -> torch.optim.Optimizer:
    """Return the optimizer that the settings ask for."""
    groups = parameter_groups(network, settings)
    if settings.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=settings.learning_rate, weight_decay=settings.weight_decay)
    return torch.optim.SGD(
        groups, lr=settings.learning_rate, momentum=settings.momentum, weight_decay=settings.weight_decay
    )


@contextmanager
def no_gradient_of_a_still_backbone(network: nn.Module, settings: HashTrainingSettings) -> Iterator[None]:
    """Freeze the backbone's parameters inside the block where their learning rate is 0: a step then costs a third."""
    parts = halves(network)
    candidates = parts.backbone.parameters() if parts and settings.backbone_rate == 0 else ()
    still = [parameter for parameter in candidates if parameter.requires_grad]
    for parameter in still:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in still:
            parameter.requires_grad_(True)


def set_learning_rate(optimizer: torch.optim.Optimizer, settings: HashTrainingSettings, done: float) -> float:
    """Set every group's learning rate after a share ``done`` of the training, and return the full one."""
    if settings.schedule == "step":
        factor = 0.1 ** int(3 * done)
    elif done < settings.warm_up:
        factor = (done + 1e-3) / settings.warm_up
    else:
        factor = (1 + math.cos(math.pi * (done - settings.warm_up) / (1 - settings.warm_up))) / 2
    rate = settings.learning_rate * factor
    for group in optimizer.param_groups:
        group["lr"] = rate * group["share"]
    return rate
