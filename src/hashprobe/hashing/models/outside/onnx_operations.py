"""What the common operations of ONNX compute, in torch: how a graph is differentiated that onnxruntime runs.

Each takes its node and its inputs in order (``None`` for one that is left out) and returns one tensor, or a tuple of several.
Sources: the operator pages of the ONNX standard, domain ``ai.onnx``, versions 7 to 22. What is not here is not converted, and
whether what is here was right is measured against onnxruntime when a file is opened.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.nn import functional

Tensor = torch.Tensor


class NotConverted(Exception):
    """An operation, or a form of one, that has no place here; the message names it."""


@dataclass(frozen=True)
class Node:
    """A node of a graph.

    Attributes:
        kind: Its operation.
        inputs: Names, ``""`` for one that is left out.
        outputs: Names.
        attributes: By name; tensors are torch's.
        version: Of the standard's set of operations that the file states.
    """

    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    version: int
    attributes: dict[str, Any] = field(default_factory=dict)

    def get(self, name: str, default: Any) -> Any:
        """Return an attribute, or the default that the standard gives it."""
        return self.attributes.get(name, default)


Operation = Callable[..., Tensor | tuple[Tensor, ...]]
OPERATIONS: dict[str, Operation] = {}
"""By the name of the standard."""


def _operation(*names: str) -> Callable[[Operation], Operation]:
    def file(function: Operation) -> Operation:
        OPERATIONS.update(dict.fromkeys(names, function))
        return function

    return file


def _elementwise(**functions: Callable[..., Tensor]) -> None:
    """File functions that know nothing of their node."""
    for name, function in functions.items():
        OPERATIONS[name] = lambda node, *inputs, function=function: function(*inputs)


def _all_of(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    """Return a function of any number of tensors from one of two."""

    def reduced(first: Tensor, *others: Tensor) -> Tensor:
        for other in others:
            first = function(first, other)
        return first

    return reduced


def _divide(one: Tensor, other: Tensor) -> Tensor:
    whole = not (one.is_floating_point() or other.is_floating_point())
    return torch.div(one, other, rounding_mode="trunc" if whole else None)


_elementwise(
    Relu=functional.relu, Sigmoid=torch.sigmoid, Tanh=torch.tanh, Exp=torch.exp, Log=torch.log, Sqrt=torch.sqrt, Abs=torch.abs,
    Neg=torch.neg, Erf=torch.erf, Softplus=functional.softplus, Softsign=functional.softsign, Mish=functional.mish,
    Reciprocal=torch.reciprocal, Floor=torch.floor, Ceil=torch.ceil, Sin=torch.sin, Cos=torch.cos, Not=torch.logical_not,
    Identity=lambda x: x, Sub=torch.sub, Mul=torch.mul, Pow=torch.pow, MatMul=torch.matmul, PRelu=lambda x, slope: torch.where(
        x < 0, slope * x, x
    ),
    Equal=torch.eq, Less=torch.lt, Greater=torch.gt, And=torch.logical_and, Or=torch.logical_or, Where=torch.where, Div=_divide,
    HardSwish=functional.hardswish, Add=torch.add, Sum=_all_of(torch.add), Max=_all_of(torch.maximum),
    Min=_all_of(torch.minimum), Shape=lambda x: torch.tensor(x.shape), Dropout=lambda x, *settings: x,
    GlobalAveragePool=lambda x: x.mean(dim=tuple(range(2, x.ndim)), keepdim=True),
    GlobalMaxPool=lambda x: x.amax(dim=tuple(range(2, x.ndim)), keepdim=True),
    Expand=lambda x, shape: x * x.new_ones(shape.tolist()),
)  # fmt: skip


@_operation("LeakyRelu")
def _leaky_relu(node: Node, x: Tensor) -> Tensor:
    return functional.leaky_relu(x, node.get("alpha", 0.01))


@_operation("Elu")
def _elu(node: Node, x: Tensor) -> Tensor:
    return functional.elu(x, node.get("alpha", 1.0))


@_operation("HardSigmoid")
def _hard_sigmoid(node: Node, x: Tensor) -> Tensor:
    return (float(node.get("alpha", 0.2)) * x + float(node.get("beta", 0.5))).clamp(0, 1)


@_operation("Gelu")
def _gelu(node: Node, x: Tensor) -> Tensor:
    return functional.gelu(x, approximate=_text(node.get("approximate", "none")))


@_operation("Clip")
def _clip(node: Node, x: Tensor, least: Tensor | None = None, most: Tensor | None = None) -> Tensor:
    low = node.get("min", -math.inf) if least is None else float(least)
    return x.clamp(low, node.get("max", math.inf) if most is None else float(most))


@_operation("Softmax", "LogSoftmax")
def _softmax(node: Node, x: Tensor) -> Tensor:
    function = torch.softmax if node.kind == "Softmax" else torch.log_softmax
    if node.version >= 13:
        return function(x, node.get("axis", -1))
    axis = node.get("axis", 1) % x.ndim  # in early versions over all axes from there on
    return function(x.flatten(axis), axis).view(x.shape)


@_operation("Cast")
def _cast(node: Node, x: Tensor) -> Tensor:
    return x.to(node.attributes["to"])


@_operation("Gemm")
def _gemm(node: Node, a: Tensor, b: Tensor, c: Tensor | None = None) -> Tensor:
    product = (a.T if node.get("transA", 0) else a) @ (b.T if node.get("transB", 0) else b)
    scaled = float(node.get("alpha", 1.0)) * product
    return scaled if c is None else scaled + float(node.get("beta", 1.0)) * c


@_operation("Conv")
def _conv(node: Node, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    axes = weight.ndim - 2
    strides, dilations = (node.get(name, [1] * axes) for name in ("strides", "dilations"))
    pads = _pads(node, x, list(weight.shape[2:]), strides, dilations)
    function = _of_axes(node, axes, functional.conv1d, functional.conv2d, functional.conv3d)
    return function(_padded(x, pads), weight, bias, strides, 0, dilations, node.get("group", 1))


@_operation("MaxPool", "AveragePool")
def _pool(node: Node, x: Tensor) -> Tensor:
    kernel = node.attributes["kernel_shape"]
    strides, dilations = (node.get(name, [1] * len(kernel)) for name in ("strides", "dilations"))
    pads = _pads(node, x, kernel, strides, dilations)
    ceil = bool(node.get("ceil_mode", 0))
    half = len(kernel)
    even = pads[:half] == pads[half:] and all(
        2 * pad <= side for pad, side in zip(pads[:half], kernel, strict=True)
    )
    inner = pads[:half] if even else [0] * half
    if node.kind == "MaxPool":
        function = _of_axes(node, half, functional.max_pool1d, functional.max_pool2d, functional.max_pool3d)
        around = x if even else _padded(x, pads, -math.inf)
        return function(around, kernel, strides, inner, dilations, ceil)
    counted = bool(node.get("count_include_pad", 0))
    if not (even or counted) or any(step != 1 for step in dilations):
        raise NotConverted("AveragePool with other padding on one side than on the other")
    function = _of_axes(node, half, functional.avg_pool1d, functional.avg_pool2d, functional.avg_pool3d)
    return function(x if even else _padded(x, pads), kernel, strides, inner, ceil, counted)


@_operation("BatchNormalization")
def _batch_norm(node: Node, x: Tensor, scale: Tensor, bias: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
    return functional.batch_norm(x, mean, variance, scale, bias, eps=node.get("epsilon", 1e-5))


@_operation("InstanceNormalization")
def _instance_norm(node: Node, x: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    return functional.instance_norm(x, weight=scale, bias=bias, eps=node.get("epsilon", 1e-5))


@_operation("LayerNormalization")
def _layer_norm(node: Node, x: Tensor, scale: Tensor, bias: Tensor | None = None) -> Tensor:
    return functional.layer_norm(x, x.shape[node.get("axis", -1) :], scale, bias, node.get("epsilon", 1e-5))


@_operation("LRN")
def _local_response(node: Node, x: Tensor) -> Tensor:
    numbers = node.get("alpha", 1e-4), node.get("beta", 0.75), node.get("bias", 1.0)
    return functional.local_response_norm(x, node.attributes["size"], *numbers)


@_operation("LpNormalization")
def _lp_norm(node: Node, x: Tensor) -> Tensor:
    return functional.normalize(x, p=node.get("p", 2), dim=node.get("axis", -1))


def _norm(order: int) -> Callable[..., Tensor]:
    return lambda x, axes, keep: x.norm(order, dim=axes, keepdim=keep)


_REDUCTIONS: dict[str, Callable[..., Tensor]] = {
    "ReduceMean": lambda x, axes, keep: x.mean(dim=axes, keepdim=keep),
    "ReduceSum": lambda x, axes, keep: x.sum(dim=axes, keepdim=keep),
    "ReduceMax": lambda x, axes, keep: x.amax(dim=axes, keepdim=keep),
    "ReduceMin": lambda x, axes, keep: x.amin(dim=axes, keepdim=keep),
    "ReduceSumSquare": lambda x, axes, keep: x.square().sum(dim=axes, keepdim=keep),
    "ReduceL1": _norm(1),
    "ReduceL2": _norm(2),
}


@_operation(*_REDUCTIONS)
def _reduce(node: Node, x: Tensor, given: Tensor | None = None) -> Tensor:
    axes = _numbers(node.get("axes", None) if given is None else given)
    if not axes and node.get("noop_with_empty_axes", 0):
        return x
    return _REDUCTIONS[node.kind](x, axes or list(range(x.ndim)), bool(node.get("keepdims", 1)))


@_operation("Flatten")
def _flatten(node: Node, x: Tensor) -> Tensor:
    axis = node.get("axis", 1)
    axis = axis + x.ndim if axis < 0 else axis
    return x.reshape(math.prod(x.shape[:axis]), -1)


@_operation("Reshape")
def _reshape(node: Node, x: Tensor, shape: Tensor) -> Tensor:
    sides = _numbers(shape)
    if not node.get("allowzero", 0):
        sides = [x.shape[place] if side == 0 else side for place, side in enumerate(sides)]
    return x.reshape(sides)


@_operation("Transpose")
def _transpose(node: Node, x: Tensor) -> Tensor:
    return x.permute(node.get("perm", list(range(x.ndim))[::-1]))


@_operation("Squeeze")
def _squeeze(node: Node, x: Tensor, given: Tensor | None = None) -> Tensor:
    axes = _numbers(node.get("axes", None) if given is None else given)
    return x.squeeze(tuple(axes) or tuple(place for place, side in enumerate(x.shape) if side == 1))


@_operation("Unsqueeze")
def _unsqueeze(node: Node, x: Tensor, given: Tensor | None = None) -> Tensor:
    axes = _numbers(node.get("axes", None) if given is None else given)
    for axis in sorted(axis % (x.ndim + len(axes)) for axis in axes):
        x = x.unsqueeze(axis)
    return x


@_operation("Concat")
def _concat(node: Node, *parts: Tensor) -> Tensor:
    return torch.cat(parts, dim=node.attributes["axis"])


@_operation("Split")
def _split(node: Node, x: Tensor, given: Tensor | None = None) -> tuple[Tensor, ...]:
    axis = node.get("axis", 0)
    sizes = _numbers(node.get("split", None) if given is None else given)
    return torch.split(x, sizes or -(-x.shape[axis] // len(node.outputs)), dim=axis)


@_operation("Gather")
def _gather(node: Node, x: Tensor, indices: Tensor) -> Tensor:
    axis = node.get("axis", 0) % x.ndim
    flat = indices.flatten().long().to(x.device) % x.shape[axis]
    return x.index_select(axis, flat).reshape([*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]])


@_operation("Slice")
def _slice(node: Node, x: Tensor, *given: Tensor | None) -> Tensor:
    names = ("starts", "ends", "axes", "steps")
    inputs = (
        dict(zip(names, given, strict=False)) if given else {name: node.get(name, None) for name in names}
    )
    starts, ends, axes, steps = (_numbers(inputs.get(name)) for name in names)
    axes, steps = axes or list(range(len(starts))), steps or [1] * len(starts)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        taken = range(*slice(start, end, step).indices(x.shape[axis]))
        x = x.index_select(axis, torch.tensor(list(taken), dtype=torch.long, device=x.device))
    return x


@_operation("Constant")
def _constant(node: Node) -> Tensor:
    name, value = next(iter(node.attributes.items()))
    if not name.startswith("value") or "string" in name or name == "sparse_value":
        raise NotConverted(f"Constant with {name}")
    return value if isinstance(value, Tensor) else torch.tensor(value)


@_operation("ConstantOfShape")
def _constant_of_shape(node: Node, shape: Tensor) -> Tensor:
    value: Tensor = node.get("value", torch.zeros(1))
    return value.expand(_numbers(shape))


@_operation("Pad")
def _pad(
    node: Node, x: Tensor, pads: Tensor | None = None, value: Tensor | None = None, axes: Tensor | None = None
) -> Tensor:
    sides = _numbers(node.get("pads", None) if pads is None else pads)
    which = _numbers(axes) or list(range(x.ndim))
    around = [0] * (2 * x.ndim)
    for place, axis in enumerate(which):
        last = 2 * (x.ndim - 1 - axis % x.ndim)  # torch begins with the last axis
        around[last], around[last + 1] = sides[place], sides[place + len(which)]
    mode = {"constant": "constant", "reflect": "reflect", "edge": "replicate"}.get(
        _text(node.get("mode", "constant"))
    )
    if mode is None:
        raise NotConverted("Pad that wraps around")
    if mode == "constant":
        filled = float(node.get("value", 0.0) if value is None else value)
        return functional.pad(x, around, value=filled)
    while around[-2:] == [0, 0] and len(around) > 2 * (x.ndim - 2):
        del around[-2:]
    return functional.pad(x, around, mode=mode)


def _numbers(given: Tensor | Sequence[int] | None) -> list[int]:
    """Return whole numbers that are given as a tensor, or in early versions as an attribute."""
    if given is None:
        return []
    return [int(number) for number in (given.tolist() if isinstance(given, Tensor) else given)]


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _of_axes(node: Node, axes: int, *functions: Callable[..., Tensor]) -> Callable[..., Tensor]:
    if not 1 <= axes <= len(functions):
        raise NotConverted(f"{node.kind} over {axes} axes")
    return functions[axes - 1]


def _pads(node: Node, x: Tensor, kernel: list[int], strides: list[int], dilations: list[int]) -> list[int]:
    """Return how much is padded before each axis, then behind each."""
    how = _text(node.get("auto_pad", "NOTSET"))
    if how in ("NOTSET", "VALID"):
        return list(node.get("pads", [0] * (2 * len(kernel)))) if how == "NOTSET" else [0] * (2 * len(kernel))
    before, behind = [], []
    for side, width, step, apart in zip(x.shape[2:], kernel, strides, dilations, strict=True):
        total = max(0, (math.ceil(side / step) - 1) * step + (width - 1) * apart + 1 - side)
        less, more = total // 2, total - total // 2
        before.append(less if how == "SAME_UPPER" else more)
        behind.append(more if how == "SAME_UPPER" else less)
    return before + behind


def _padded(x: Tensor, pads: list[int], value: float = 0.0) -> Tensor:
    half = len(pads) // 2
    if not any(pads):
        return x
    around = [pads[place] for axis in reversed(range(half)) for place in (axis, axis + half)]
    return functional.pad(x, around, value=value)
