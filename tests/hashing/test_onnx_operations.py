"""Each operation of ONNX that is converted, against onnxruntime; and what cannot be converted, left without a gradient."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from hashprobe.hashing import open_model
from hashprobe.hashing.models.outside.onnx_operations import OPERATIONS, NotConverted
from hashprobe.hashing.models.outside.onnx_torch import ConvertedGraph
from outside_files import onnx_model

RNG = np.random.default_rng(0)
SHAPE = (2, 3, 6, 8)


def numbers(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def whole(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def one(name: str, *given: str, version: int = 17, **attributes: Any) -> tuple[Any, ...]:
    return [(name, ["x", *given], ["y"], attributes)], version


W, B = numbers(4, 3, 3, 2), numbers(4)
NUMBERS = {
    "w": W,
    "b": B,
    "grouped": numbers(6, 1, 3, 3),
    "scale": numbers(3),
    "shift": numbers(3),
    "mean": numbers(3),
    "variance": np.abs(numbers(3)) + 0.5,
    "last": numbers(8),
    "other": numbers(1, 3, 1, 8),
    "matrix": numbers(8, 5),
    "slope": numbers(3, 1, 1),
    "low": np.float32(-0.3),
    "high": np.float32(0.4),
    "two": np.float32(2),
    "axes": whole(2, 3),
    "one_axis": whole(0),
    "shape": whole(0, -1, 4),
    "starts": whole(1, -1),
    "ends": whole(5, -100),
    "steps": whole(2, -1),
    "some": whole(2, 0),
    "place": np.array(-1, dtype=np.int64),
    "sizes": whole(3, 5),
    "pads": whole(0, 0, 1, 0, 0, 0, 2, 1),
    "wide": whole(4, 1, 3, 1, 1),
    "flat": numbers(10),
}
ELEMENTWISE = (
    *("Relu", "Sigmoid", "Tanh", "Exp", "Abs", "Neg", "Erf", "Softplus", "Softsign", "Floor", "Ceil", "Sin"),
    *("Cos", "Identity", "Dropout"),
    *("LeakyRelu", "Elu", "HardSigmoid", "HardSwish", "Reciprocal", "GlobalAveragePool", "GlobalMaxPool", "LpNormalization"),
)  # fmt: skip
CASES: dict[str, tuple[list[tuple[Any, ...]], int]] = {
    **{name: one(name) for name in ELEMENTWISE},
    **{name: one(name, "other") for name in ("Add", "Sub", "Mul", "Div", "Max", "Min", "Sum")},
    **{f"{name} -13": one(name, axis=2, version=12) for name in ("Softmax", "LogSoftmax")},
    **{name: one(name, axis=1) for name in ("Softmax", "LogSoftmax")},
    **{name: one(name, axes=[2, 3], version=12) for name in ("ReduceMax", "ReduceMin", "ReduceL1", "ReduceSumSquare")},
    "Gelu": one("Gelu", version=20),
    "Gelu tanh": one("Gelu", version=20, approximate="tanh"),
    "Mish": one("Mish", version=18),
    "PRelu": one("PRelu", "slope"),
    "Clip": one("Clip", "low", "high"),
    "Clip least": one("Clip", "low"),
    "Clip -11": one("Clip", min=-0.5, max=0.2, version=9),
    "Pow": one("Pow", "two"),
    "ReduceMean all": one("ReduceMean"),
    "ReduceMean given": one("ReduceMean", "axes", keepdims=0, version=18),
    "ReduceSum": one("ReduceSum", "axes"),
    "ReduceL2": one("ReduceL2", axes=[1], keepdims=0),
    "Conv": one("Conv", "w", "b", pads=[1, 0, 0, 1], strides=[2, 1], dilations=[1, 2]),
    "Conv no bias": one("Conv", "w"),
    "Conv groups": one("Conv", "grouped", group=3),
    "Conv same upper": one("Conv", "w", auto_pad="SAME_UPPER", strides=[2, 2]),
    "Conv same lower": one("Conv", "w", auto_pad="SAME_LOWER", strides=[2, 2]),
    "MaxPool": one("MaxPool", kernel_shape=[3, 2], strides=[2, 2], pads=[1, 0, 1, 0]),
    "MaxPool uneven": one("MaxPool", kernel_shape=[3, 3], strides=[2, 2], pads=[0, 0, 1, 1]),
    "MaxPool ceil": one("MaxPool", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
    "AveragePool": one("AveragePool", kernel_shape=[3, 3], strides=[1, 2], pads=[1, 1, 1, 1]),
    "AveragePool counted": one("AveragePool", kernel_shape=[2, 2], pads=[0, 0, 1, 1], count_include_pad=1),
    "BatchNormalization": one("BatchNormalization", "scale", "shift", "mean", "variance"),
    "InstanceNormalization": one("InstanceNormalization", "scale", "shift"),
    "LayerNormalization": one("LayerNormalization", "last", "last"),
    "LRN": one("LRN", size=3),
    "Flatten": one("Flatten", axis=2),
    "Reshape": one("Reshape", "shape"),
    "Transpose": one("Transpose", perm=[0, 2, 3, 1]),
    "Transpose all": one("Transpose"),
    "Unsqueeze -13": one("Unsqueeze", axes=[0, 3], version=11),
    "Concat": one("Concat", "x", axis=1),
    "Slice": one("Slice", "starts", "ends", "axes", "steps"),
    "Slice -10": one("Slice", starts=[1], ends=[100], axes=[3], version=9),
    "Gather": one("Gather", "some", axis=1),
    "Gather one": one("Gather", "place", axis=3),
    "Pad": one("Pad", "pads", "two"),
    "Pad edge": one("Pad", "pads", mode="edge"),
    "Pad reflect": one("Pad", "pads", mode="reflect"),
    "Expand": one("Expand", "wide"),
    "MatMul": one("MatMul", "matrix"),
    "Cast": one("Cast", to=1),
    "Split": ([("Split", ["x", "sizes"], ["a", "b2"], {"axis": 3}), ("Identity", ["b2"], ["y"], {})], 17),
    "Split even": ([("Split", ["x"], ["a", "b2"], {"axis": 3}), ("Identity", ["a"], ["y"], {})], 13),
    "Sqrt, Log": ([("Exp", ["x"], ["a"], {}), ("Sqrt", ["a"], ["c"], {}), ("Log", ["c"], ["y"], {})], 17),
    "Squeeze": (
        [("Unsqueeze", ["x", "one_axis"], ["a"], {}), ("Squeeze", ["a", "one_axis"], ["c"], {}), ("Neg", ["c"], ["y"], {})],
        17,
    ),
    "Gemm": (
        [
            ("Flatten", ["x"], ["a"], {}),
            ("Transpose", ["a"], ["t"], {}),
            ("Gemm", ["t", "a"], ["c"], {"transA": 1, "transB": 1, "alpha": 0.5}),
            ("Gemm", ["c", "c", "c"], ["y"], {"beta": 2.0}),
        ],
        17,
    ),
    "Where": ([("Greater", ["x", "low"], ["a"], {}), ("Not", ["a"], ["n"], {}), ("Where", ["n", "x", "two"], ["y"], {})], 17),
    "Where less": (
        [
            ("Less", ["x", "low"], ["a"], {}),
            ("Equal", ["x", "two"], ["e"], {}),
            ("Or", ["a", "e"], ["o"], {}),
            ("And", ["o", "o"], ["n"], {}),
            ("Where", ["n", "x", "two"], ["y"], {}),
        ],
        17,
    ),
    "Shape, Constant": (
        [
            ("Shape", ["x"], ["s"], {}),
            ("Gather", ["s", "place"], ["side"], {"axis": 0}),
            ("Unsqueeze", ["side", "one_axis"], ["sides"], {}),
            ("ConstantOfShape", ["sides"], ["zeros"], {}),
            ("Constant", [], ["three"], {"value_float": 3.0}),
            ("Add", ["zeros", "three"], ["threes"], {}),
            ("Mul", ["x", "threes"], ["y"], {}),
        ],
        17,
    ),
}  # fmt: skip


def used(nodes: list[tuple[Any, ...]]) -> dict[str, np.ndarray]:
    return {name: NUMBERS[name] for _, given, _, _ in nodes for name in given if name in NUMBERS}


@pytest.mark.parametrize("case", CASES)
def test_an_operation_gives_what_onnxruntime_gives(case: str) -> None:
    import onnxruntime

    nodes, version = CASES[case]
    model = onnx_model(nodes, used(nodes), SHAPE, version=version)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    given = numbers(*SHAPE)
    (expected,) = session.run(None, {"x": given})
    found = ConvertedGraph(model, "y")(torch.from_numpy(given)).numpy()
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_every_operation_has_a_case() -> None:
    tried = {node[0] for nodes, _ in CASES.values() for node in nodes}
    assert set(OPERATIONS) <= tried


@pytest.mark.parametrize(
    "nodes",
    [
        [("NonZero", ["x"], ["y"], {})],
        [("Pad", ["x", "pads"], ["y"], {"mode": "wrap"})],
        [("AveragePool", ["x"], ["y"], {"kernel_shape": [2, 2], "pads": [0, 0, 1, 1]})],
    ],
)
def test_what_has_no_form_here_is_not_converted(nodes: list[tuple[Any, ...]]) -> None:
    with pytest.raises(NotConverted):
        ConvertedGraph(onnx_model(nodes, used(nodes), SHAPE, version=19), "y")(torch.zeros(SHAPE))


def chain(last: str, **attributes: Any) -> Any:
    nodes = [
        ("GlobalAveragePool", ["x"], ["a"], {}),
        ("Flatten", ["a"], ["f"], {}),
        (last, ["f"], ["y"], attributes),
    ]
    return onnx_model(nodes, {}, ("n", 3, 8, 8), version=15)


def test_a_graph_that_is_not_converted_has_codes_and_no_gradient(tmp_path: Path) -> None:
    for name, last in (("known", "Tanh"), ("unknown", "CumSum")):
        model = chain(last)
        if last == "CumSum":
            model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(1), "axis"))
            model.graph.node[-1].input.append("axis")
        onnx.save(model, str(tmp_path / f"{name}.onnx"))
    assert open_model(str(tmp_path / "known.onnx")).gradients
    unknown = open_model(str(tmp_path / "unknown.onnx"))
    assert not unknown.gradients
    assert unknown.codes(torch.rand(2, 3, 8, 8)).shape == (2, 1)


def test_a_conversion_that_gives_something_else_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "net.onnx"
    onnx.save(chain("Tanh"), str(path))
    monkeypatch.setitem(OPERATIONS, "Tanh", lambda node, x: 1.01 * torch.tanh(x))
    model = open_model(str(path))
    assert not model.gradients
    assert (model.codes(torch.rand(2, 3, 8, 8)) == 0b11100000).all()
