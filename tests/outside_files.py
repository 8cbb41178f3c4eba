"""Small files of others that several tests open: ONNX graphs, TorchScript and torch.export, made here."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

SIDE = 16


def small_net(bits: int = 12) -> nn.Module:
    """A convolution, its mean over a grid and a layer, in eval mode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = nn.Sequential(
            nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.Tanh(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, bits)
        )  # fmt: skip
    return net.eval()


def torchscript(path: Path, module: nn.Module) -> Path:
    """Write a module as TorchScript."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        torch.jit.save(torch.jit.script(module), str(path))
    return path


def exported(path: Path, module: nn.Module, batch: int = 2, side: int = SIDE) -> Path:
    """Write a module with torch.export, for a fixed number of images of a fixed size."""
    torch.export.save(torch.export.export(module, (torch.rand(batch, 3, side, side),)), path)
    return path


def onnx_model(
    nodes: Sequence[tuple[Any, ...]],
    numbers: dict[str, np.ndarray],
    shape: Sequence[int | str | None],
    *,
    version: int = 17,
    kind: int = 1,
) -> Any:
    """An ONNX graph from ``x`` to ``y``: nodes as (operation, inputs, outputs, attributes)."""
    from onnx import helper, numpy_helper

    graph = helper.make_graph(
        [helper.make_node(name, given, made, **attributes) for name, given, made, attributes in nodes],
        "graph",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info("y", kind, None)],
        [numpy_helper.from_array(value, name) for name, value in numbers.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)], ir_version=8)


def onnx_net(
    path: Path,
    shape: Sequence[int | str | None] = ("n", 3, SIDE, SIDE),
    *,
    layout: str = "nchw",
    last: str = "Identity",
    bits: int = 12,
    kind: int = 1,
) -> Path:
    """Write an ONNX network of a convolution, a mean over pixels (``features``), and a layer of so many bits."""
    import onnx

    rng = np.random.default_rng(0)
    precision = {1: np.float32, 10: np.float16, 2: np.float32}[kind]
    numbers = {
        "w": rng.normal(size=(8, 3, 3, 3)).astype(precision),
        "b": rng.normal(size=8).astype(precision) * 0.1,
        "m": rng.normal(size=(8, bits)).astype(precision),
    }
    nodes: list[tuple[Any, ...]] = []
    start = "x"
    if layout == "nhwc":
        nodes.append(("Transpose", [start], ["t"], {"perm": [0, 3, 1, 2]}))
        start = "t"
    if kind == 2:
        nodes.append(("Cast", [start], ["f"], {"to": 1}))
        start = "f"
    nodes += [
        ("Conv", [start, "w", "b"], ["c"], {"pads": [1, 1, 1, 1], "strides": [2, 2]}),
        ("Tanh", ["c"], ["r"], {}),
        ("ReduceMean", ["r"], ["features"], {"axes": [2, 3], "keepdims": 0}),
        ("MatMul", ["features", "m"], ["z"], {}),
        (last, ["z"], ["y"], {}),
    ]
    model = onnx_model(nodes, numbers, shape, kind=kind)
    if kind == 2:
        model.graph.output[0].type.tensor_type.elem_type = 1
    onnx.save(model, str(path))
    return path
