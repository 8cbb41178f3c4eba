"""TorchScript files, and the network of a file that torch itself runs."""

from __future__ import annotations

import re
import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import nn

from hashprobe.bounds import check_length
from hashprobe.errors import HashprobeError
from hashprobe.hashing.models.outside.form import InputForm
from hashprobe.hashing.models.outside.network import FileNetwork, chosen_output
from hashprobe.hashing.models.outside.settings import FileSettings

TOUCHES_FILES = re.compile(r"\b(?:torch\.(?:save|from_file|load)|ops\.\w+\.\w+)\b")
"""In the code of a TorchScript file: operations of torch that read or write files, and those of libraries."""
HARMLESS = ("ops.prim", "ops.aten")


class TorchNetwork(FileNetwork):
    """A module of torch that came from a file; hidden from whoever walks over modules, since not every such module bears it.

    Its file, and not its tensors, is what it is known by.
    """

    def __init__(
        self, name: str, form: InputForm, bgr: bool, inside: nn.Module, output: int | str | None
    ) -> None:
        super().__init__(name, form, bgr)
        for parameter in inside.parameters():
            parameter.requires_grad_(False)
        self._inside, self.output = (inside,), output

    def run(self, images: torch.Tensor) -> Any:
        """Return the output that is meant, in the precision of the images."""
        (inside,) = self._inside
        kinds = (tensor.dtype for tensor in inside.parameters() if tensor.is_floating_point())
        outputs = chosen_output(inside(images.to(next(kinds, images.dtype))), self.output, self.name)
        return outputs.to(images.dtype) if isinstance(outputs, torch.Tensor) else outputs

    def _apply(self, fn: Any, recurse: bool = True) -> TorchNetwork:
        """Move what is inside along, to a device."""
        self._inside[0]._apply(fn)  # type: ignore[no-untyped-call]
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self


def read_torchscript(path: Path, settings: FileSettings) -> FileNetwork:
    """Read a TorchScript file (``torch.jit.save``), in eval mode.

    What is trusted: such a file is a program in TorchScript, which torch's own interpreter runs; no Python of it runs, and of
    its pickled parts torch's own reader makes tensors and TorchScript's types alone. It can still take any amount of memory and
    time. Files whose code names an operation that reads or writes files, or one of a library, are refused; that is no proof
    against who hides it.

    Raises:
        HashprobeError: it is a pickle (``torch.save``), damaged, or not to be trusted.
    """
    _check_archive(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # torch would rather have torch.export
            inside = torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]
    except Exception as error:  # torch's own kinds, and those of what it is written with
        raise HashprobeError(
            f"{path} cannot be read as TorchScript ({str(error).strip().partition(chr(10))[0][:200].rstrip('.')})."
        ) from None
    form = InputForm(layout=settings.layout or "nchw", size=settings.sides)
    return TorchNetwork(path.name, form, settings.channels == "bgr", inside.eval(), settings.output)


def _check_archive(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
            if not any(part.filename.endswith("/constants.pkl") for part in parts):
                raise zipfile.BadZipFile
            for part in parts:
                if "/code/" in part.filename and part.filename.endswith(".py"):
                    check_length(part.file_size, "text_bytes")
                    _check_code(archive.read(part).decode(errors="replace"), path)
    except HashprobeError:
        raise
    except Exception:  # zipfile has many ways to fail at a damaged archive
        raise HashprobeError(
            f"{path} is not a TorchScript file (a pickle is never loaded); write one with torch.jit.save, or an ONNX file."
        ) from None


def _check_code(code: str, path: Path) -> None:
    for found in TOUCHES_FILES.findall(code):
        if not found.startswith(HARMLESS):
            raise HashprobeError(
                f"{path} is not run: its code calls {found}, which may read or write files; export it without."
            )
