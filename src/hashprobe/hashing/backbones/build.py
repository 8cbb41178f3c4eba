"""A backbone by name, with the weights that are wanted."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from hashprobe.errors import HashprobeError
from hashprobe.hashing.backbones.base import BACKBONES, Backbone
from hashprobe.hashing.backbones.efficientnet_lite import LITE
from hashprobe.hashing.backbones.timm import TIMM_PREFIX, timm_backbone
from hashprobe.hashing.backbones.torchvision import torchvision_backbone
from hashprobe.typed_values import checked
from hashprobe.weights import fitting, read_weights, weights_file


@checked
def build_backbone(name: str, weights: str = "none") -> Backbone:
    """Build a backbone.

    Args:
        name: A name of ``BACKBONES``, of torchvision's or, after ``timm/``, of timm's; see :mod:`hashprobe.hashing.backbones`.
        weights: ``"none"`` (random), ``"bundled"`` (``efficientnet_lite0``, and ``…1`` and ``…2`` with the extra ``lite``:
            the weights come with a package and nothing is downloaded), ``"pretrained"`` (timm's own, or torchvision's first
            ImageNet weights, which the paper's models start from; needs a network or a filled cache), or the path of a
            safetensors file that fits the network, with or without its classifier.

    Raises:
        HashprobeError: an unknown name, or weights that are missing or do not fit.
    """
    file = weights_file(weights)
    start = weights if file is None else "none"
    if name in BACKBONES:
        backbone = BACKBONES[name](start)
        if not isinstance(backbone, Backbone):
            raise HashprobeError(
                f"the backbone {name!r} must be a function that returns a Backbone; it returned {type(backbone).__name__}."
            )
    elif start == "bundled":
        raise HashprobeError(
            f"only {', '.join(LITE)} have bundled weights; give {name!r} 'none', 'pretrained' or a safetensors file."
        )
    elif name.startswith(TIMM_PREFIX):
        backbone = timm_backbone(name.removeprefix(TIMM_PREFIX), pretrained=start == "pretrained")
    else:
        backbone = torchvision_backbone(name, pretrained=start == "pretrained")
    if file is not None:
        _load_weights(backbone.network, file, name)
    return backbone


def _load_weights(network: nn.Module, path: Path, name: str) -> None:
    wanted = network.state_dict()
    # A file's classifier is passed by, and counts of batches, which old files lack, are not used.
    given = fitting(read_weights(path), network, path, fits=repr(name), optional="num_batches_tracked")
    network.load_state_dict(
        {key: tensor.to(wanted[key].dtype) for key, tensor in given.items()}, strict=False
    )
