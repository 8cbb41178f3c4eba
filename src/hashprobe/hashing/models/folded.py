"""A copy of a model for many passes: its batch norms are part of the convolutions before them."""

from __future__ import annotations

import copy
from collections import Counter
from typing import Any

import torch
from timm.layers.norm_act import BatchNormAct2d
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from hashprobe.devices import autocast
from hashprobe.hashing.models.frozen import frozen
from hashprobe.hashing.models.hash_model import HashModel
from hashprobe.seeds import torch_generator

CLOSE = 1e-3
"""How far a folded model's outputs may be from the model's own, by their mean size; rounding is a hundredth of it."""
NORMS = (nn.BatchNorm2d, BatchNormAct2d)
"""What is folded; a subclass may do anything else."""


def folded(model: HashModel, image_size: int) -> HashModel:
    """Return a copy of a model, frozen and in eval mode, that gives the same z by fewer operations, up to rounding.

    A batch norm in eval mode is a multiplication and an addition of each channel, which the convolution before it can do: a
    forward and a backward pass of EfficientNet-Lite0 take two thirds of the time. What follows what is seen in one pass. A model
    without such pairs, that cannot be copied, or that then gives other outputs for noise, is returned itself.

    Args:
        model: Left as it was; frozen by the caller.
        image_size: Side of the images that it will see.
    """
    if not any(type(module) in NORMS for module in model.modules()):
        return model
    images = _noise(image_size).to(model.device)
    exact = torch.backends.cudnn.flags(allow_tf32=False)
    with torch.no_grad(), torch.random.fork_rng(devices=[]), exact, autocast(model.device, "float32"):
        try:
            copied = copy.deepcopy(model).eval().requires_grad_(False)
            if not _fold(copied, images):
                return model
            with frozen(model):
                wanted = model.attack_logits(images)
            same = (copied.attack_logits(images) - wanted).abs().max() <= CLOSE * wanted.abs().mean()
        except (
            Exception
        ):  # a module of somebody's own may do anything when it is copied, changed or run; it stays as it is
            return model
    return copied if same else model


def _noise(image_size: int) -> torch.Tensor:
    """Return noise of five brightnesses, from nearly black to nearly white, ``(5, 3, s, s)`` in [0, 1]."""
    drawn = torch.rand(5, 3, image_size, image_size, generator=torch_generator(0, "folding"))
    return drawn ** torch.tensor([8.0, 3.0, 1.0, 1 / 3, 1 / 8]).view(5, 1, 1, 1)


def _fold(model: HashModel, images: torch.Tensor) -> bool:
    """Fold what can be, in place; say whether anything could."""
    pairs = _pairs(model, images)
    for convolution, norm in pairs:
        assert norm.running_mean is not None
        assert norm.running_var is not None
        convolution.weight, convolution.bias = fuse_conv_bn_weights(
            convolution.weight,
            convolution.bias,
            norm.running_mean,
            norm.running_var,
            norm.eps,
            norm.weight,
            norm.bias,
        )
    _replace(model, {id(norm): _without(norm) for _, norm in pairs})
    return bool(pairs)


def _pairs(model: HashModel, images: torch.Tensor) -> list[tuple[nn.Conv2d, nn.BatchNorm2d]]:
    """Return each convolution, used once, with the batch norm that takes its output."""
    plain = {id(module) for module in model.modules() if isinstance(module, nn.Conv2d) and _plain(module)}
    made: list[tuple[nn.Conv2d, torch.Tensor]] = []
    took: list[tuple[nn.BatchNorm2d, torch.Tensor]] = []

    def after(module: nn.Module, given: Any, output: Any) -> None:
        if isinstance(module, nn.Conv2d) and id(module) in plain:
            made.append((module, output))

    def before(module: nn.Module, given: Any) -> None:
        if isinstance(module, nn.BatchNorm2d) and type(module) in NORMS and module.running_mean is not None:
            took.append((module, given[0]))

    hooks = [module.register_forward_hook(after) for module in model.modules()]
    hooks += [module.register_forward_pre_hook(before) for module in model.modules()]
    try:
        model.attack_logits(images)
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


def _plain(convolution: nn.Conv2d) -> bool:
    """Whether its weight is a parameter of its own, and not made of others before each pass."""
    return "weight" in convolution._parameters and not convolution._forward_pre_hooks


def _without(norm: nn.BatchNorm2d) -> nn.Module:
    """Return what a batch norm does beside normalising: timm's are followed by an activation."""
    return nn.Sequential(norm.drop, norm.act) if isinstance(norm, BatchNormAct2d) else nn.Identity()


def _replace(network: nn.Module, others: dict[int, nn.Module]) -> None:
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if id(child) in others:
                setattr(module, name, others[id(child)])
