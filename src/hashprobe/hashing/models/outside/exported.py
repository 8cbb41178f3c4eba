"""Files of ``torch.export``: programs, of which torch's reader unpickles parts and evaluates expressions, so they need a word
first.

``torch.export.load`` opens tensors of unusual kinds and sample inputs with ``pickle``, evaluates the sizes that a file states as
expressions, and looks up by name in torch what a graph calls. Each of them can be made to run anything. There is no setting of
torch that turns it off, so such a file is opened only where its user says ``trusted=true``; ONNX and TorchScript need no such
word."""

from __future__ import annotations

import zipfile
from pathlib import Path

import torch

from hashprobe.errors import HashprobeError
from hashprobe.hashing.models.outside.form import InputForm
from hashprobe.hashing.models.outside.network import FileNetwork
from hashprobe.hashing.models.outside.settings import FileSettings
from hashprobe.hashing.models.outside.torch_files import TorchNetwork


def read_exported(path: Path, settings: FileSettings) -> FileNetwork:
    """Read a file that ``torch.export.save`` wrote. What it computes is what was exported: there is no other mode.

    Raises:
        HashprobeError: nobody says that it is trusted, it is damaged, or takes no images.
    """
    if not settings.trusted:
        raise HashprobeError(
            f"{path.name} is a file of torch.export, which torch opens with pickle: it may run anything. If you made it, say "
            f'--model "{path},trusted=true"; else ask for ONNX or TorchScript.'
        )
    if not zipfile.is_zipfile(path):
        raise HashprobeError(f"{path} is not a file of torch.export; write it with torch.export.save.")
    try:
        program = torch.export.load(path)
        inside = program.module()
    except Exception as error:  # whatever the parts of it raise
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise HashprobeError(
            f"{path} cannot be read by this torch, {torch.__version__} ({lines[0][:200].rstrip('.')}); export it again."
        ) from None
    inputs = program.graph_signature.user_inputs
    named = {node.name: node.meta.get("val") for node in program.graph.nodes if node.op == "placeholder"}
    first = named.get(str(inputs[0])) if inputs else None
    if len(inputs) != 1 or not isinstance(first, torch.Tensor):
        raise HashprobeError(f"{path.name} takes {len(inputs)} inputs; one, of images, is wanted.")
    sides = [side if isinstance(side, int) else None for side in first.shape]
    form = InputForm.read(sides, path.name, settings.layout)
    return TorchNetwork(path.name, form, settings.channels == "bgr", inside, settings.output)
