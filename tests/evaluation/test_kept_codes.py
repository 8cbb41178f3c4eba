"""Codes of a database are made once and kept in the cache, as long as the model gives them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from hashprobe.data import load
from hashprobe.evaluation import kept_codes
from hashprobe.evaluation.kept_codes import CHECKED
from hashprobe.hashing import HashModel
from helpers import linear_model, tiny_data


def test_codes_are_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = load("openmoji", 32, cache_dir=tmp_path, queries=2, database=20, train=4)
    model, codes, asked = linear_model(), HashModel.codes, list[int]()

    def count(self: HashModel, images: object, **options: object) -> object:
        asked.append(len(images))  # type: ignore[arg-type]
        return codes(self, images, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(HashModel, "codes", count)

    def kept() -> np.ndarray:
        return kept_codes(model, data.database, cache_dir=tmp_path)

    made = kept()
    np.testing.assert_array_equal(kept(), made)
    assert asked == [20, CHECKED]
    (path,) = tmp_path.glob("codes-*.safetensors")
    path.write_bytes(path.read_bytes()[:-3])
    np.testing.assert_array_equal(kept(), made)
    assert asked[2:] == [20], "a damaged file is made anew"
    outputs = model.logits
    monkeypatch.setattr(model, "logits", lambda images: -outputs(images))
    np.testing.assert_array_equal(np.unpackbits(kept() ^ made, axis=1, count=12), 1)
    assert asked[3:] == [CHECKED, 20], "a model that became another is asked again"


def test_images_in_memory_have_no_file_of_codes(tmp_path: Path) -> None:
    model, split = linear_model(), tiny_data().database
    with torch.no_grad():
        np.testing.assert_array_equal(
            kept_codes(model, split, cache_dir=tmp_path), model.codes(np.asarray(split.images))
        )
    assert list(tmp_path.iterdir()) == []
