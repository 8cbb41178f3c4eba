"""A copy of a model for many passes: its batch norms are part of the convolutions before them."""

from __future__ import annotations

import copy
from collections import Counter
from typing import Any

import torch
from timm.layers.norm_act import BatchNormAct2d
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from hashprobe.hashing.models.frozen import frozen
from hashprobe.hashing.models.hash_model import HashModel

CLOSE = 1e-3
"""How far a folded model's outputs may be from the model's own, by their mean size; rounding is a hundredth of it."""
NORMS = (nn.BatchNorm2d, BatchNormAct2d)
"""What is folded; a subclass may do anything else."""


def folded(model: HashModel, image_size: int) -> HashModel:
    """Return a copy of a model, frozen and in eval mode, that gives the same z by fewer operations, up to rounding.

    A batch norm in eval mode is a multiplication and an addition of each channel, which the convolution before it can do: a
    forward and a backward pass of EfficientNet-Lite0 take two thirds of the time. What follows what is seen in one pass. A model
    without such pairs, or that then gives other outputs, is returned itself.

    Args:
        model: Left as it was; frozen by the caller.
        image_size: Side of the images that it will see.
    """
    if not any(type(module) in NORMS for module in model.modules()):
        return model
    copied = copy.deepcopy(model).eval().requires_grad_(False)
    image = torch.linspace(0, 1, 3 * image_size**2, device=model.device).view(1, 3, image_size, image_size)
    with torch.no_grad():
        pairs = _pairs(copied, image)
        for convolution, norm in pairs:
            assert norm.running_mean is not None
            assert norm.running_var is not None
            convolution.weight, convolution.bias = fuse_conv_bn_weights(
                convolution.weight, convolution.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
            )  # fmt: skip
        _replace(copied, {id(norm): _without(norm) for _, norm in pairs})
        copied.requires_grad_(False)
        with frozen(model):
            wanted = model.attack_logits(image)
        same = (copied.attack_logits(image) - wanted).abs().max() <= CLOSE * wanted.abs().mean()
    return copied if same else model


def _pairs(model: HashModel, image: torch.Tensor) -> list[tuple[nn.Conv2d, nn.BatchNorm2d]]:
    """Return each convolution, used once, with the batch norm that takes its output."""
    made: list[tuple[nn.Conv2d, torch.Tensor]] = []
    took: list[tuple[nn.BatchNorm2d, torch.Tensor]] = []

    def after(module: nn.Module, given: Any, output: Any) -> None:
        if isinstance(module, nn.Conv2d):
            made.append((module, output))

    def before(module: nn.Module, given: Any) -> None:
        if isinstance(module, nn.BatchNorm2d) and type(module) in NORMS and module.running_mean is not None:
            took.append((module, given[0]))

    hooks = [module.register_forward_hook(after) for module in model.modules()]
    hooks += [module.register_forward_pre_hook(before) for module in model.modules()]
    try:
        model.attack_logits(image)
    finally:
        for hook in hooks:
            hook.remove()
    uses = Counter(id(module) for module, _ in (*made, *took))
    return [
        (convolution, norm)
        for norm, taken in took
        for convolution, output in made
        if output is taken and uses[id(convolution)] == uses[id(norm)] == 1
    ]


def _without(norm: nn.BatchNorm2d) -> nn.Module:
    """Return what a batch norm does beside normalising: timm's are followed by an activation."""
    return nn.Sequential(norm.drop, norm.act) if isinstance(norm, BatchNormAct2d) else nn.Identity()


def _replace(network: nn.Module, others: dict[int, nn.Module]) -> None:
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if id(child) in others:
                setattr(module, name, others[id(child)])
