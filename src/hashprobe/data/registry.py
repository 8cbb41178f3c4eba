"""Generated data sets by name; a new one is one file that registers its builder."""

from __future__ import annotations

from collections.abc import Callable

from hashprobe.data.retrieval_data import RetrievalData
from hashprobe.registry import Registry

# Called as builder(image_size, seed, *, cache_dir, progress, **options).
Builder = Callable[..., RetrievalData]

DATA_SETS: Registry[Builder] = Registry("data set")
