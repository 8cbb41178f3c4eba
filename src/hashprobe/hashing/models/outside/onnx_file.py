"""ONNX files: onnxruntime runs them, and where every operation has a form in torch, they are differentiated there."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hashprobe.bounds import check_readable
from hashprobe.errors import HashprobeError
from hashprobe.files import sha256_of
from hashprobe.hashing.models.outside.form import InputForm
from hashprobe.hashing.models.outside.network import FileNetwork
from hashprobe.hashing.models.outside.onnx_operations import NotConverted
from hashprobe.hashing.models.outside.onnx_torch import ConvertedGraph
from hashprobe.hashing.models.outside.settings import FileSettings
from hashprobe.images import to_uint8
from hashprobe.weights import weights_identity

ALIKE = 1e-3
"""How far torch may be from onnxruntime, as a share of the largest output, for its gradients to be those of the file."""
PRECISIONS = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
}


class OnnxNetwork(FileNetwork):
    """Outputs of onnxruntime, on the processor; gradients of the same graph in torch.

    Where a gradient is to be taken the outputs are torch's too, which differ from onnxruntime's by rounding.

    Attributes:
        converted: The graph in torch; ``None`` where there is none.
    """

    def __init__(
        self, name: str, form: InputForm, bgr: bool, session: Any, output: str, graph: ConvertedGraph | None
    ) -> None:
        super().__init__(name, form, bgr)
        (given,) = session.get_inputs()
        self.session, self.input, self.output = session, given.name, output
        self.precision = PRECISIONS[given.type]
        self.converted, self._compared = graph, False

    def run(self, images: torch.Tensor) -> torch.Tensor:
        """Return the output for images in the file's layout."""
        differentiated = images.requires_grad and torch.is_grad_enabled()
        if self.converted is not None and (differentiated or self._compared):
            given = images.to(torch.from_numpy(np.zeros(0, self.precision)).dtype)
            return self.converted(given).to(images.dtype)  # type: ignore[no-any-return]
        if self.precision is np.uint8:
            array = to_uint8(images).cpu().numpy()
        else:
            array = images.detach().cpu().numpy().astype(self.precision)
        (outputs,) = self.session.run([self.output], {self.input: np.ascontiguousarray(array)})
        return torch.from_numpy(np.array(outputs, dtype=np.float32)).to(images.device)

    @torch.no_grad()
    def compare(self, images: torch.Tensor) -> None:
        """Forget the converted graph where it does not compute what onnxruntime does.

        Args:
            images: Normalised images that the network takes.
        """
        expected = self(images)
        self._compared = True
        try:
            found = self(images)
        except HashprobeError:
            self.converted = None
            return
        finally:
            self._compared = False
        far = found.shape != expected.shape or (found - expected).abs().max() > ALIKE * expected.abs().max()
        if far:
            self.converted = None


def read_onnx(path: Path, settings: FileSettings) -> FileNetwork:
    """Read an ONNX file, with the files beside it that hold its numbers.

    Raises:
        HashprobeError: onnx or onnxruntime is not installed, or the file is damaged, takes no images, or needs what onnxruntime
            does not have.
    """
    try:
        import onnx  # noqa: F401
        import onnxruntime
    except ImportError:
        raise HashprobeError(
            f"{path.name} is an ONNX file, which onnx and onnxruntime read: pip install 'hashprobe[onnx]'."
        ) from None
    model = _read_model(path)
    inner = isinstance(settings.output, str)
    if inner:
        _offer(model, str(settings.output), path.name)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what it says comes as an error as well
    options.intra_op_num_threads = torch.get_num_threads()
    try:
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"], enable_fallback=False
        )
    except Exception as error:  # its own kinds have no common base but this
        raise HashprobeError(f"onnxruntime cannot run {path} ({_first_line(error)}).") from None
    inputs = session.get_inputs()
    if len(inputs) != 1 or inputs[0].type not in PRECISIONS:
        found = ", ".join(f"{each.name} of {each.type}" for each in inputs)
        raise HashprobeError(f"{path.name} takes {found or 'nothing'}; one input, of images, is wanted.")
    sides = [side if isinstance(side, int) and side > 0 else None for side in inputs[0].shape]
    form = InputForm.read(sides, path.name, settings.layout)
    outputs = [each.name for each in session.get_outputs()]
    place = settings.output if isinstance(settings.output, int) else 0
    if not inner and not 0 <= place < len(outputs):
        raise HashprobeError(f"{path.name} has {len(outputs)} outputs, from 0; found output={place}.")
    output = str(settings.output) if inner else outputs[place]
    try:
        graph = ConvertedGraph(model, output)
    except (NotConverted, ValueError, TypeError, KeyError, RuntimeError):
        graph = None
    return OnnxNetwork(path.name, form, settings.channels == "bgr", session, output, graph)


def onnx_identity(path: Path) -> str:
    """Return the fingerprint of a file, and of those beside it that hold its numbers."""
    import onnx

    model = onnx.load(str(path), load_external_data=False)
    beside = sorted({_location(tensor) for tensor in _tensors(model.graph) if tensor.external_data})
    return sha256_of(
        weights_identity(str(path)), *(weights_identity(str(path.parent / name)) for name in beside)
    )


def _read_model(path: Path) -> Any:
    import onnx

    try:
        check_readable(path, "weight_bytes")
        model = onnx.load(str(path), load_external_data=False)
        for tensor in _tensors(model.graph):
            if tensor.external_data:
                name = _location(tensor)
                if Path(name).is_absolute() or ".." in Path(name).parts:
                    raise HashprobeError(f"{path} is not read: it names {name!r}, a file outside its folder.")
                check_readable(path.parent / name, "weight_bytes")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            onnx.load_external_data_for_model(model, str(path.parent))
    except HashprobeError:
        raise
    except Exception as error:  # of the operating system, of protobuf, of onnx
        raise HashprobeError(f"{path} is not a whole ONNX file ({_first_line(error)}).") from None
    if not model.graph.node:
        raise HashprobeError(f"{path} is not a whole ONNX file (it holds no operation).")
    return model


def _offer(model: Any, name: str, file: str) -> None:
    """Make a tensor within a graph its output."""
    from onnx import ValueInfoProto

    made = {output for node in model.graph.node for output in node.output if output}
    if name not in made:
        raise HashprobeError(
            f"{file} has no tensor {name!r}; its outputs are {', '.join(each.name for each in model.graph.output)}."
        )
    if name not in {each.name for each in model.graph.output}:
        model.graph.output.append(ValueInfoProto(name=name))


def _location(tensor: Any) -> str:
    return next((entry.value for entry in tensor.external_data if entry.key == "location"), "")


def _tensors(graph: Any) -> Iterator[Any]:
    """Yield every tensor of numbers of a graph and of graphs within."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for within in (attribute.g, *attribute.graphs):
                yield from _tensors(within)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    reason = getattr(error, "strerror", None) or lines[0]
    return str(reason)[:200].rstrip(". ")
