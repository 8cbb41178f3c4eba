"""Generated data sets by name; a new one is one file that registers its builder."""

from __future__ import annotations

from collections.abc import Callable

from hashprobe.data.retrieval_data import RetrievalData
from hashprobe.registry import Registry

# Called as builder(image_size, seed, *, cache_dir, progress, queries, database, train, **options); the counts and
# options have defaults. tests/data/test_openmoji.py holds every builder to the contract.
Builder = Callable[..., RetrievalData]

DATA_SETS: Registry[Builder] = Registry("data set")
