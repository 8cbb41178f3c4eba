"""Backbones from torchvision's classification networks: the last linear layer is cut off."""

from __future__ import annotations

import torchvision.models as torchvision_models
from torch import nn

from hashprobe.errors import HashprobeError, unknown_name
from hashprobe.hashing.backbones.base import (
    BACKBONES,
    IMAGENET_MEAN,
    IMAGENET_STD,
    Backbone,
    weights_that_may_be_missing,
)


def torchvision_backbone(name: str, *, pretrained: bool) -> Backbone:
    """Return torchvision's network of a name, without its last linear layer."""
    known = torchvision_models.list_models(module=torchvision_models)
    if name not in known:
        raise unknown_name("backbone", name, [*BACKBONES, *known])
    weights, mean, std = None, IMAGENET_MEAN, IMAGENET_STD
    if pretrained:
        offered = torchvision_models.get_model_weights(name)
        weights = offered["IMAGENET1K_V1"] if "IMAGENET1K_V1" in offered.__members__ else offered["DEFAULT"]
        preprocessing = weights.transforms()
        mean, std = tuple(preprocessing.mean), tuple(preprocessing.std)
    with weights_that_may_be_missing(name, pretrained):
        network = torchvision_models.get_model(name, weights=weights)
    _drop_side_outputs(network)
    return Backbone(network, _cut_classifier(network, name), mean, std)


def _drop_side_outputs(network: nn.Module) -> None:
    """Take away the further classifiers that GoogLeNet and Inception v3 return beside the last one in training."""
    if getattr(network, "aux_logits", False):
        network.aux_logits = False  # type: ignore[assignment]
        for name in ("aux1", "aux2", "AuxLogits"):
            if hasattr(network, name):
                setattr(network, name, None)


def _cut_classifier(network: nn.Module, name: str) -> int:
    """Replace the layer that yields class scores by one that passes features on; return the features' width."""
    if name.startswith("squeezenet"):  # dropout, 1x1 convolution to the classes, ReLU, pooling
        network.classifier = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LayerNorm(512, elementwise_affine=False)
        )
        return 512
    for attribute in ("fc", "classifier", "head", "heads"):
        head = getattr(network, attribute, None)
        last = head[-1] if isinstance(head, nn.Sequential) else head
        if isinstance(last, nn.Linear):
            if isinstance(head, nn.Sequential):
                head[-1] = nn.Identity()
            else:
                setattr(network, attribute, nn.Identity())
            return last.in_features
    raise HashprobeError(
        f"{name!r} has no last linear layer to replace; wrap it with HashModel.wrap instead."
    )
