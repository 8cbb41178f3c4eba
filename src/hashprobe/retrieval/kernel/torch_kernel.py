"""The level counts on a GPU, or wherever torch runs: the same numbers as the CPU kernel, to the bit."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from hashprobe.errors import HashprobeError
from hashprobe.progress import progress_bar
from hashprobe.retrieval.arrays import Int64Array
from hashprobe.retrieval.codes import check_spare_bits
from hashprobe.retrieval.labels import packed_rows
from hashprobe.retrieval.ranking import RankingInput

# Query-item pairs on the device at a time take about thirty bytes each.
QUERIES_AT_ONCE = 1 << 9
ROWS_AT_ONCE = 1 << 13


def count_on_device(
    given: RankingInput, device: str | torch.device, *, progress: bool
) -> tuple[Int64Array, Int64Array]:
    """Do the work of :func:`count_levels` with torch.

    Distances are products of signs. They are exact in every precision that a device multiplies in: the factors
    are -1 and +1, and sums of at most 1024 of them are whole numbers that float32 holds.

    Args:
        given: Checked input.
        device: Where to count.
        progress: Whether to show a bar.

    Returns:
        Items and relevant items at each distance, each int64 ``(n_queries, K + 1)``.

    Raises:
        HashprobeError: no such device here.
    """
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, TypeError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise HashprobeError(
            f"device {device!r} cannot be used here ({reason}); leave it out to count on the CPU."
        ) from None
    bits = given.bits
    total, bins = len(given.query_codes), 2 * (bits + 1)
    counted = torch.zeros(total * bins, dtype=torch.int64, device=device)
    with progress_bar("counting distances", len(given.database), show=progress) as advance:
        for start in range(0, len(given.database), ROWS_AT_ONCE):
            rows = given.database[start : start + ROWS_AT_ONCE]
            check_spare_bits("database", rows, bits)
            codes = 2 * _bits_of(rows, device)[:, :bits] - 1
            labels = _bits_of(
                packed_rows("database_labels", given.database_labels, start, start + len(rows)), device
            )
            for first in range(0, total, QUERIES_AT_ONCE):
                part = slice(first, first + QUERIES_AT_ONCE)
                own = 2 * _bits_of(given.query_codes[part], device)[:, :bits] - 1
                distance = (bits - own @ codes.T).to(torch.int64).div_(2, rounding_mode="floor")
                keys = distance.mul_(2).add_(_bits_of(given.query_labels[part], device) @ labels.T > 0)
                keys += torch.arange(len(own), device=device)[:, None] * bins
                found = torch.bincount(keys.flatten(), minlength=len(own) * bins)
                counted[first * bins : first * bins + len(found)] += found
            advance(len(rows))
    keyed = counted.view(total, bins).cpu().numpy()
    return keyed[:, 0::2] + keyed[:, 1::2], keyed[:, 1::2].copy()


def _bits_of(packed: npt.NDArray[np.uint8], device: str | torch.device) -> torch.Tensor:
    """Return packed bits as float32 0 and 1, ``(n, 8 * bytes)``."""
    rows = torch.from_numpy(np.array(packed)).to(device)
    shifts = torch.arange(7, -1, -1, dtype=torch.uint8, device=device)
    return ((rows[:, :, None] >> shifts) & 1).flatten(1).to(torch.float32)
