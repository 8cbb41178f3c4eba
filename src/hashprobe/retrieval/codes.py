"""Binary codes as packed bits: K bits in ceil(K / 8) bytes, the first bit the highest of the first byte."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from hashprobe.errors import HashprobeError, check_whole_number

MAX_BITS = 1024

PackedCodes = npt.NDArray[np.uint8]


def as_array(values: Any, name: str = "values") -> npt.NDArray[Any]:
    """Return ``values`` as a numpy array; a torch tensor is detached and brought to the CPU first.

    Raises:
        HashprobeError: rows of different lengths, a masked array, a tensor without values, or what numpy cannot read.
    """
    if np.ma.isMaskedArray(values):
        raise HashprobeError(f"{name} must have a value everywhere; found a masked array.")
    if hasattr(values, "detach"):
        if values.is_meta or values.is_sparse:
            raise HashprobeError(
                f"{name} must have a value everywhere; found a sparse tensor, or one without values."
            )
        values = values.detach().cpu()
        if values.is_floating_point() and values.element_size() < 4:
            values = values.float()  # numpy knows no bfloat16
    try:
        return np.asarray(values)
    except (ValueError, TypeError, RuntimeError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise HashprobeError(
            f"{name} cannot be read as an array ({reason}); give an array, a tensor, or rows of equal length."
        ) from None


def pack(signs: Any, name: str = "signs") -> PackedCodes:
    """Pack signs into bits: a bit is 1 where the value is at least 0 (``sign(0) = +1``) or is True.

    Args:
        signs: ``(n, K)``: real outputs of either sign, or -1/+1, or booleans.
        name: What they are, for the message.

    Returns:
        uint8 ``(n, ceil(K / 8))``; the bits behind the K-th are 0.

    Raises:
        HashprobeError: the shape is not ``(n, K)`` with 1 <= K <= 1024, a value is NaN, or every bit would be 1
            because these are no signs: unsigned integers (packed codes among them), nothing but 0 and 1, or
            the integer 0 alone.
    """
    array = as_array(signs, name)
    if array.ndim != 2 or not 1 <= array.shape[1] <= MAX_BITS:
        raise HashprobeError(
            f"{name} must have shape (n, K) with 1 <= K <= {MAX_BITS}; found shape {array.shape}."
        )
    if array.dtype == np.bool_:
        return np.packbits(array, axis=1)
    if array.dtype.kind not in "iuf":
        raise HashprobeError(f"{name} must be real numbers or booleans; found {array.dtype}.")
    if array.dtype.kind == "u":
        raise HashprobeError(
            f"{name} must be signs or relaxed codes in [-1, 1]; found {array.dtype}, which has no negative values. Give "
            "bits 0 and 1 as booleans; codes that are packed need no packing (update(..., bits=K) of the metric "
            "takes them)."
        )
    if array.size:
        least, most = array.min(), array.max()
        if np.isnan(least):
            raise HashprobeError(f"{name} must be numbers; found NaN. Did the model's training diverge?")
        whole = array.dtype.kind == "i"
        # Real outputs that are all 0 may be those of an untrained model.
        if least == 0 and most <= 1 and (whole or (most == 1 and np.isin(array, (0, 1)).all())):
            raise HashprobeError(
                f"{name} are all 0 or 1, and both count as +1; give bits as booleans, or signs -1 and +1."
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


def bits_apart(codes: PackedCodes, others: PackedCodes) -> npt.NDArray[np.int64]:
    """Return the Hamming distances of two lists of packed codes ``(n, ceil(K / 8))``, row by row, int64 ``(n,)``."""
    apart: npt.NDArray[np.int64] = np.unpackbits(codes ^ others, axis=1).sum(axis=1, dtype=np.int64)
    return apart


def check_codes(name: str, codes: Any, bits: int) -> PackedCodes:
    """Return ``codes`` as an array, or say why they are not packed codes of ``bits`` bits.

    Only the shape is looked at, so that a memory-mapped array is not read; see :func:`byte_major`.

    Args:
        name: What the array is, for the message.
        codes: What should be uint8 ``(n, ceil(bits / 8))``.
        bits: K.
    """
    bits = check_whole_number("bits", bits, least=1, most=MAX_BITS)
    array = codes if type(codes) in (np.ndarray, np.memmap) else as_array(codes, name)
    width = -(-bits // 8)
    if array.dtype != np.uint8 or array.ndim != 2 or array.shape[1] != width:
        raise HashprobeError(
            f"{name} must be packed uint8 of shape (n, {width}) for {bits} bits; found {array.dtype} of "
            f"shape {array.shape}. See hashprobe.retrieval.pack."
        )
    return array


def check_spare_bits(name: str, rows: npt.NDArray[np.uint8], used: int, unit: str = "bits") -> None:
    """Refuse packed rows with a one behind the last bit in use: codes would differ in it, labels share it.

    Args:
        name: What the rows are, for the message.
        rows: uint8 ``(n, ceil(used / 8))``.
        used: K, or the number of classes.
        unit: What is counted by it: ``bits`` or ``classes``.
    """
    spare = -used % 8
    if spare and (rows[:, -1] & ((1 << spare) - 1)).any():
        raise HashprobeError(
            f"{name}: the last {spare} bits of a row must be 0 for {used} {unit}, and some are 1. "
            "The first bit is the highest bit of the first byte (numpy.packbits, bitorder='big')."
        )


def byte_major(rows: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return ``(n, bytes)`` as ``(bytes, n)``, so that a loop over items runs along memory.

    Always a copy: of a read-only or memory-mapped array the kernels would be compiled anew.
    """
    return np.array(rows.T, order="C")
