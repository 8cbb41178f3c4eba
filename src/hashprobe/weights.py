"""A module's weights in a safetensors file: written whole or not at all, read with one clear sentence when it is not one."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from hashprobe.bounds import check_readable
from hashprobe.errors import HashprobeError, shortened
from hashprobe.files import replacing, write_failed

NAMED_WEIGHTS = ("none", "bundled", "pretrained")


def save_weights(module: nn.Module, path: str | Path) -> None:
    """Write a module's parameters and buffers.

    Raises:
        HashprobeError: a tensor holds NaN or infinity, or the operating system refused to write.
    """
    tensors = module.state_dict()
    check_finite(tensors, f"{path} was not written")
    write_tensors(tensors, path)


def write_tensors(
    tensors: Mapping[str, torch.Tensor], path: str | Path, metadata: dict[str, str] | None = None
) -> None:
    """Write tensors whole or not at all; those that share memory (tied weights) are written once for each name.

    Raises:
        HashprobeError: the operating system refused to write (disk full, no permission).
    """
    written: dict[str, torch.Tensor] = {}
    memories = set()
    for name, tensor in tensors.items():
        owned = tensor.detach().cpu().contiguous()
        memory = owned.untyped_storage().data_ptr()
        written[name] = owned.clone() if memory in memories else owned  # the format refuses shared memory
        memories.add(memory)
    with replacing(path) as temporary:
        try:
            save_file(written, temporary, metadata)
        except SafetensorError as error:  # in place of an OSError
            raise write_failed(Path(path), error) from error


def check_finite(tensors: Mapping[str, torch.Tensor], consequence: str) -> None:
    """Raise where a tensor holds NaN or infinity, with what that means for the reader."""
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise HashprobeError(f"{consequence}: the tensor {name!r} holds NaN or infinity.")


def read_weights(path: str | Path) -> dict[str, torch.Tensor]:
    """Read a safetensors file's tensors by name.

    Raises:
        HashprobeError: the file is missing, truncated, or of another kind.
    """
    try:
        check_readable(path, "weight_bytes")
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
        HashprobeError: no such file, not one of weights, or tensors that do not fit or hold NaN or infinity.
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
        HashprobeError: a tensor is missing, has another shape, or holds NaN or infinity; the first one, in the module's order,
            is named.
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
    check_finite(found, f"{path} cannot be used")
    return found


def weights_sha256(module: nn.Module, facts: str = "") -> str:
    """Return a fingerprint of a module's tensors, and of facts that belong to them."""
    digest = hashlib.sha256(facts.encode())
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(name.encode())
        # As bytes, because numpy knows no bfloat16.
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


def weights_file(weights: str) -> Path | None:
    """Return the file that weights are read from, or ``None`` where they are one of ``NAMED_WEIGHTS``.

    Raises:
        HashprobeError: there is no such file.
    """
    if weights in NAMED_WEIGHTS:
        return None
    if not os.path.isfile(weights):  # False as well where no path can be so
        names = ", ".join(map(repr, NAMED_WEIGHTS))
        raise HashprobeError(f"weights {shortened(weights, 300)} are neither {names} nor a file.")
    try:
        check_readable(weights, "weight_bytes")
    except OSError as error:
        raise HashprobeError(f"weights {shortened(weights)} cannot be read ({error.strerror}).") from None
    return Path(weights)


def weights_identity(weights: str) -> str:
    """Return what weights are, wherever they lie: one of ``NAMED_WEIGHTS``, or the SHA-256 of a file's bytes.

    Raises:
        HashprobeError: there is no such file.
    """
    path = weights_file(weights)
    if path is None:
        return weights
    status = path.stat()
    return _file_sha256(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=32)
def _file_sha256(path: Path, size: int, changed: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
