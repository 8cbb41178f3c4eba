"""An ONNX graph as a torch module, so that it can be differentiated: only where every operation is known."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from hashprobe.hashing.models.outside.onnx_operations import OPERATIONS, Node, NotConverted


class ConvertedGraph(nn.Module):
    """The nodes of a graph, run in their order by :data:`OPERATIONS`.

    Its numbers are buffers, which no optimiser trains. Whole numbers, which are shapes and places for the most part, stay on the
    processor.

    Args:
        model: An ``onnx.ModelProto`` with its numbers in it.
        output: The name of the tensor that is returned; nodes that it does not need are left out.

    Raises:
        NotConverted: an operation that is not known, or of another domain than ONNX's own.
    """

    def __init__(self, model: Any, output: str) -> None:
        super().__init__()
        from onnx import numpy_helper

        graph = model.graph
        versions = {each.domain: each.version for each in model.opset_import}
        self.output = output
        self.whole: dict[str, torch.Tensor] = {}
        self._buffer_of: dict[str, str] = {}
        for number, tensor in enumerate(graph.initializer):
            values = torch.from_numpy(numpy_helper.to_array(tensor).copy())
            if values.is_floating_point():
                self._buffer_of[tensor.name] = f"number{number}"
                self.register_buffer(f"number{number}", values, persistent=False)
            else:
                self.whole[tensor.name] = values
        named = {*self._buffer_of, *self.whole}
        self.input = next(each.name for each in graph.input if each.name not in named)
        nodes, needed = [], {output}
        for node in reversed(graph.node):
            if needed.isdisjoint(node.output):
                continue
            if node.domain not in ("", "ai.onnx") or node.op_type not in OPERATIONS:
                raise NotConverted(f"the operation {node.op_type}")
            needed.update(node.input)
            nodes.append(_node(node, versions.get("", 1)))
        self.nodes = tuple(reversed(nodes))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the output for what the graph takes."""
        known = dict(self.whole)
        known.update((name, getattr(self, buffer)) for name, buffer in self._buffer_of.items())
        known[self.input] = images
        for node in self.nodes:
            given = [known[name] if name else None for name in node.inputs]
            made = OPERATIONS[node.kind](node, *given)
            for name, value in zip(node.outputs, made if isinstance(made, tuple) else (made,), strict=False):
                known[name] = value.to(images.device) if value.is_floating_point() else value
        return known[self.output]


def _node(node: Any, version: int) -> Node:
    """Read a node; what it holds becomes torch's."""
    from onnx import AttributeProto, TensorProto, helper, numpy_helper

    attributes: dict[str, Any] = {}
    for attribute in node.attribute:
        value = helper.get_attribute_value(attribute)
        if attribute.type in (AttributeProto.GRAPH, AttributeProto.GRAPHS):
            raise NotConverted(f"the operation {node.op_type}")
        if isinstance(value, TensorProto):
            value = torch.from_numpy(numpy_helper.to_array(value).copy())
        elif node.op_type == "Cast" and attribute.name == "to":
            value = torch.from_numpy(numpy_helper.to_array(helper.make_tensor("", value, [0], []))).dtype
        attributes[attribute.name] = value
    return Node(node.op_type, tuple(node.input), tuple(node.output), version, attributes)
