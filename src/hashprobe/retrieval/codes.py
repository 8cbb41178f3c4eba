"""Binary codes as packed bits: K bits in ceil(K / 8) bytes, the first bit the highest of the first byte."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from hashprobe.errors import HashprobeError

MAX_BITS = 1024

PackedCodes = npt.NDArray[np.uint8]


def as_array(values: Any) -> npt.NDArray[Any]:
    """Return ``values`` as a numpy array; a torch tensor is detached and brought to the CPU first."""
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        if values.is_floating_point():
            values = values.float()  # numpy knows no bfloat16
    return np.asarray(values)


def pack(signs: Any) -> PackedCodes:
    """Pack signs into bits: a bit is 1 where the value is at least 0 (``sign(0) = +1``) or is True.

    Args:
        signs: ``(n, K)``: real outputs in any range, or -1/+1, or booleans.

    Returns:
        uint8 ``(n, ceil(K / 8))``; the bits behind the K-th are 0.

    Raises:
        HashprobeError: the shape is not ``(n, K)`` with 1 <= K <= 1024, a value is NaN, or the values are the
            integers 0 and 1, all of which would become 1.
    """
    array = as_array(signs)
    if array.ndim != 2 or not 1 <= array.shape[1] <= MAX_BITS:
        raise HashprobeError(
            f"signs must have shape (n, K) with 1 <= K <= {MAX_BITS}; found shape {array.shape}."
        )
    if array.dtype == np.bool_:
        return np.packbits(array, axis=1)
    if array.dtype.kind not in "iuf":
        raise HashprobeError(f"signs must be real numbers or booleans; found {array.dtype}.")
    if array.dtype.kind == "f" and np.isnan(array).any():
        raise HashprobeError("signs must be numbers; found NaN. Did the model's training diverge?")
    if array.dtype.kind in "iu" and array.size and array.min() == 0 and array.max() == 1:
        raise HashprobeError(
            "signs are the integers 0 and 1, and both count as +1; give booleans (.astype(bool)) or "
            "-1 and +1."
        )
    return np.packbits(array >= 0, axis=1)


def unpack(codes: Any, bits: int) -> npt.NDArray[np.int8]:
    """Return packed codes as signs; the inverse of :func:`pack`.

    Args:
        codes: uint8 ``(n, ceil(bits / 8))``.
        bits: K.

    Returns:
        int8 ``(n, K)`` of -1 and +1.

    Raises:
        HashprobeError: the codes are not packed codes of ``bits`` bits.
    """
    array = check_codes("codes", codes, bits)
    ones = np.unpackbits(array, axis=1, count=bits).view(np.int8)
    return ones * np.int8(2) - np.int8(1)


def check_codes(name: str, codes: Any, bits: int) -> PackedCodes:
    """Return ``codes`` as an array, or say why they are not packed codes of ``bits`` bits.

    Only the shape is looked at, so that a memory-mapped array is not read; see :func:`byte_major`.

    Args:
        name: What the array is, for the message.
        codes: What should be uint8 ``(n, ceil(bits / 8))``.
        bits: K.
    """
    if isinstance(bits, bool) or not isinstance(bits, int | np.integer) or not 1 <= bits <= MAX_BITS:
        raise HashprobeError(f"bits must be a whole number from 1 to {MAX_BITS}; found {bits!r}.")
    array = codes if isinstance(codes, np.ndarray) else as_array(codes)
    width = -(-bits // 8)
    if array.dtype != np.uint8 or array.ndim != 2 or array.shape[1] != width:
        raise HashprobeError(
            f"{name} must be packed uint8 of shape (n, {width}) for {bits} bits; found {array.dtype} of "
            f"shape {array.shape}. See hashprobe.retrieval.pack."
        )
    return array


def check_spare_bits(name: str, codes: PackedCodes, bits: int) -> None:
    """Refuse codes with a one behind the K-th bit: their distances would exceed K."""
    spare = -bits % 8
    if spare and (codes[:, -1] & ((1 << spare) - 1)).any():
        raise HashprobeError(
            f"{name}: the last {spare} bits of a row must be 0 for codes of {bits} bits, and some are 1. "
            "The first bit is the highest bit of the first byte (numpy.packbits, bitorder='big')."
        )


def byte_major(rows: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return ``(n, bytes)`` as ``(bytes, n)``, so that a loop over items runs along memory.

    Always a copy: of a read-only or memory-mapped array the kernels would be compiled anew.
    """
    return np.array(rows.T, order="C")
