"""Random generators from a seed and the name of what is drawn.

A draw that depends only on (seed, names) needs no saved state: resumed work draws what uninterrupted work would have.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def derived_seed(seed: int, *names: str | int) -> int:
    """Return a 63-bit seed for the draw that ``names`` describe, independent of those for other names."""
    text = "\x1f".join(str(part) for part in (seed, *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1


def numpy_generator(seed: int, *names: str | int) -> np.random.Generator:
    """Return numpy's generator for the draw that ``names`` describe."""
    return np.random.default_rng(derived_seed(seed, *names))


def torch_generator(seed: int, *names: str | int) -> torch.Generator:
    """Return torch's generator, on the CPU, for the draw that ``names`` describe."""
    import torch  # data are read and drawn without it

    return torch.Generator().manual_seed(derived_seed(seed, *names))
