"""A module's weights in a safetensors file: written whole or not at all, read with one clear sentence when it is not one."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from hashprobe.errors import HashprobeError
from hashprobe.files import replacing, sha256_of


def save_weights(module: nn.Module, path: Path) -> None:
    """Write a module's parameters and buffers."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in module.state_dict().items()}
    with replacing(path) as temporary:
        save_file(tensors, temporary)


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """Read a safetensors file's tensors by name.

    Raises:
        HashprobeError: the file is missing, truncated, or of another kind.
    """
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise HashprobeError(f"{path} does not exist.") from None
    except (SafetensorError, OSError) as error:
        raise HashprobeError(
            f"{path} is not a whole safetensors file ({error}); a pickle is never loaded."
        ) from None


def load_weights(module: nn.Module, path: Path, *, fits: str) -> None:
    """Load a file that :func:`save_weights` wrote into ``module``.

    Args:
        module: Changed in place.
        path: The file.
        fits: What the tensors have to fit, as a person says it (``"network"``).

    Raises:
        HashprobeError: no such file, not one of weights, or tensors that do not fit.
    """
    tensors = read_weights(path)
    try:
        module.load_state_dict(tensors)
    except RuntimeError as error:
        raise HashprobeError(
            f"{path} does not fit its {fits}: {str(error).splitlines()[-1].strip()}"
        ) from None


def weights_sha256(module: nn.Module) -> str:
    """Return a fingerprint of a module's tensors, for the identity of a training that depends on them."""
    parts: list[bytes | str] = []
    for name, tensor in sorted(module.state_dict().items()):
        parts += [name, tensor.detach().cpu().contiguous().numpy().tobytes()]
    return sha256_of(*parts)
