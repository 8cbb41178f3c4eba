"""Packed codes: K bits in ceil(K / 8) bytes, the first bit the highest of the first byte."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from hashprobe.errors import HashprobeError

MAX_BITS = 1024

PackedCodes = npt.NDArray[np.uint8]


def pack(signs: npt.NDArray[Any]) -> PackedCodes:
    """Pack signs into bits: 1 where a value is at least 0 (so sign(0) = +1), or ``True``.

    Args:
        signs: ``(n, K)``; ±1, real or bool.

    Returns:
        uint8 ``(n, ceil(K / 8))``; the bits after the K-th are 0.

    Raises:
        HashprobeError: not two-dimensional, or NaN.
    """
    values = np.asarray(signs)
    if values.ndim != 2:
        raise HashprobeError(f"signs must have shape (n, K); found {values.shape}.")
    if values.dtype == np.bool_:
        return np.packbits(values, axis=1)
    if np.isnan(values).any():
        raise HashprobeError("signs must be numbers; found NaN. Did the model's training diverge?")
    return np.packbits(values >= 0, axis=1)


def unpack(codes: PackedCodes, bits: int) -> npt.NDArray[np.int8]:
    """Return ±1 as int8 ``(n, bits)`` from packed codes; the inverse of :func:`pack`.

    Raises:
        HashprobeError: not uint8 of ``ceil(bits / 8)`` bytes a row.
    """
    packed = check_codes("codes", codes, bits)
    return np.unpackbits(packed, axis=1, count=bits).astype(np.int8) * 2 - 1


def check_codes(name: str, codes: Any, bits: int) -> PackedCodes:
    """Return ``codes`` as an array after checking that they are packed codes of ``bits`` bits."""
    if not 1 <= bits <= MAX_BITS:
        raise HashprobeError(f"bits must be from 1 to {MAX_BITS}; found {bits}.")
    packed = np.asarray(codes)
    width = -(-bits // 8)
    if packed.dtype != np.uint8 or packed.ndim != 2 or packed.shape[1] != width:
        raise HashprobeError(
            f"{name} must be packed uint8 of shape (n, {width}) for {bits} bits; found {packed.dtype} of shape {packed.shape}."
        )
    return packed
