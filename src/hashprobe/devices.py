"""Where and how precisely things are computed."""

from __future__ import annotations

from contextlib import AbstractContextManager
from importlib.metadata import PackageNotFoundError, version
from platform import python_version
from typing import Literal

import torch

from hashprobe._version import __version__
from hashprobe.errors import HashprobeError
from hashprobe.processes import processes

Precision = Literal["float32", "bfloat16"]


def resolve_device(name: str) -> torch.device:
    """Return the device of a name: ``auto`` (a GPU if there is one), ``cpu``, ``cuda``, ``cuda:1``, ``mps``.

    Where several processes were started together, this connects them, and ``auto`` and ``cuda`` are a GPU for each.

    Raises:
        HashprobeError: no such device here.
    """
    if name == "auto":
        device = torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")
        processes(device)
        return device
    try:
        device = torch.device(name)
        if processes(device).count > 1 and device.index is not None:
            raise HashprobeError(f"device {name!r} is one GPU, and there are several processes; give 'cuda'.")
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise HashprobeError(
            f"device {name!r} cannot be used here ({reason}); try 'cpu' or 'auto'."
        ) from None
    return device


def autocast(device: torch.device, precision: Precision) -> AbstractContextManager[None]:
    """Return the context in which plain layers run in ``precision``; parameters stay float32."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bfloat16")


def versions() -> dict[str, str]:
    """Return the versions that a result depends on."""
    found = {"hashprobe": __version__, "python": python_version()}
    for name in ("torch", "torchvision", "timm", "numpy", "numba"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
