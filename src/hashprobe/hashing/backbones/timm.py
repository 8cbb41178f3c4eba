"""Backbones that timm knows, by its names."""

from __future__ import annotations

from typing import Any, cast

import timm
from timm.data import resolve_data_config  # type: ignore[attr-defined]

from hashprobe.errors import unknown_name
from hashprobe.hashing.backbones.base import Backbone, Triple, weights_that_may_be_missing

TIMM_PREFIX = "timm/"


def timm_backbone(name: str, *, pretrained: bool) -> Backbone:
    """Return the network that timm knows under a name (without the prefix)."""
    if not timm.is_model(name):
        raise unknown_name("timm network", name, timm.list_models())
    with weights_that_may_be_missing(f"{TIMM_PREFIX}{name}", pretrained):
        network = _timm_network(name, pretrained=pretrained, num_classes=0)
    configuration = resolve_data_config(model=network)  # type: ignore[no-untyped-call]
    mean, std = (cast(Triple, tuple(map(float, configuration[key]))) for key in ("mean", "std"))
    # Some networks widen their features in the head (MobileNetV3: 576 -> 1024); num_features is the width before that.
    return Backbone(network, int(network.head_hidden_size), mean, std)


def _timm_network(name: str, **options: Any) -> Any:
    try:  # for transformers that can take another size than that of their positions
        return timm.create_model(name, dynamic_img_size=True, **options)
    except TypeError:  # every other network
        return timm.create_model(name, **options)
