"""A module's weights in a safetensors file: written whole or not at all, read with one clear sentence when it is not one."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from hashprobe.errors import HashprobeError
from hashprobe.files import replacing, sha256_of


def save_weights(module: nn.Module, path: str | Path) -> None:
    """Write a module's parameters and buffers; tensors that share memory (tied weights) are written once for each name."""
    tensors: dict[str, torch.Tensor] = {}
    memories = set()
    for name, tensor in module.state_dict().items():
        owned = tensor.detach().cpu().contiguous()
        memory = owned.untyped_storage().data_ptr()
        tensors[name] = owned.clone() if memory in memories else owned  # the format refuses shared memory
        memories.add(memory)
    with replacing(path) as temporary:
        save_file(tensors, temporary)


def read_weights(path: str | Path) -> dict[str, torch.Tensor]:
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


def load_weights(module: nn.Module, path: str | Path, *, fits: str) -> None:
    """Load a file that :func:`save_weights` wrote into ``module``.

    Args:
        module: Changed in place.
        path: The file.
        fits: What the tensors have to fit, as a person says it (``"network"``).

    Raises:
        HashprobeError: no such file, not one of weights, or tensors that do not fit.
    """
    given = read_weights(path)
    tensors = fitting(given, module, path, fits=f"its {fits}")
    if left_over := sorted(given.keys() - tensors.keys()):
        raise HashprobeError(
            f"{path} does not fit its {fits}: {left_over[0]!r} is a tensor that it does not have."
        )
    module.load_state_dict(tensors)


def fitting(
    given: dict[str, torch.Tensor],
    module: nn.Module,
    path: str | Path,
    *,
    fits: str,
    optional: str | None = None,
) -> dict[str, torch.Tensor]:
    """Return those of a file's tensors that a module has, after checking that they are all there and of its shapes.

    Args:
        given: The file's tensors by name.
        module: Whose tensors are wanted.
        path: The file, for the error.
        fits: What the tensors have to fit, as a person says it.
        optional: End of the names that may be missing.

    Raises:
        HashprobeError: a tensor is missing or has another shape; the first one, in the module's order, is named.
    """
    found = {}
    for name, tensor in module.state_dict().items():
        if name in given:
            if given[name].shape != tensor.shape:
                shape, expected = tuple(given[name].shape), tuple(tensor.shape)
                raise HashprobeError(
                    f"{path} does not fit {fits}: {name!r} has shape {shape}, expected {expected}."
                )
            found[name] = given[name]
        elif optional is None or not name.endswith(optional):
            first = f"the file begins with {next(iter(given))!r}" if given else "the file holds no tensor"
            raise HashprobeError(f"{path} does not fit {fits}: {name!r} is missing; {first}.")
    return found


def weights_sha256(module: nn.Module) -> str:
    """Return a fingerprint of a module's tensors, for the identity of a training that depends on them."""
    parts: list[bytes | str] = []
    for name, tensor in sorted(module.state_dict().items()):
        parts += [name, tensor.detach().cpu().contiguous().numpy().tobytes()]
    return sha256_of(*parts)
