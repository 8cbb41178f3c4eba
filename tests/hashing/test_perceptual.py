"""Perceptual hashes: the bits of their packages, behind the seam of a hash model."""

from __future__ import annotations

import sys
from importlib.metadata import version

import imagehash
import numpy as np
import pdqhash
import pytest
import torch
from PIL import Image

from hashprobe.attacks import NES, Attack, FewStep, Square
from hashprobe.errors import HashprobeError
from hashprobe.hashing import (
    HashModel,
    HashTrainingSettings,
    check_deterministic,
    open_model,
    train_hash_model,
)
from hashprobe.images import to_uint8
from hashprobe.retrieval import bits_apart, unpack
from hashprobe.targets import Goal
from helpers import random_images, tiny_data

PACKAGE = {
    "phash": imagehash.phash,
    "dhash": imagehash.dhash,
    "ahash": imagehash.average_hash,
    "whash": imagehash.whash,
}


def pictures(count: int, height: int, width: int) -> torch.Tensor:
    """Smooth pictures, which have no hash of chance alone."""
    coarse = random_images(count, size=5)
    return torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear")


def expected(name: str, image: np.ndarray, size: int) -> np.ndarray:
    if name == "pdq":
        return np.packbits(pdqhash.compute(image)[0].astype(bool))
    return np.packbits(PACKAGE[name](Image.fromarray(image), hash_size=size).hash.flatten())


@pytest.mark.parametrize("shape", [(64, 64), (65, 48), (100, 333)])
@pytest.mark.parametrize("name", ["pdq", *PACKAGE])
def test_bits_are_those_of_the_package(name: str, shape: tuple[int, int]) -> None:
    model, images = open_model(name), pictures(3, *shape)
    assert (model.bits, model.any_size, model.input_size) == (256 if name == "pdq" else 64, True, None)
    codes = model.codes(images)
    arrays = to_uint8(images).permute(0, 2, 3, 1).contiguous().numpy()
    assert (codes == np.stack([expected(name, array, 8) for array in arrays])).all()
    assert (codes == model.codes(to_uint8(images))).all()
    assert (codes == model.codes(images.double())).all()
    assert len(np.unique(codes, axis=0)) == 3
    check_deterministic(model, images)


@pytest.mark.parametrize("name", [*PACKAGE])
def test_other_sizes_are_a_setting(name: str) -> None:
    model, images = open_model(f"{name},hash_size=16", bits=256), pictures(1, 64, 80)
    array = to_uint8(images)[0].permute(1, 2, 0).contiguous().numpy()
    assert (model.codes(images)[0] == expected(name, array, 16)).all()
    assert model.sha256() != open_model(name).sha256()


def test_pdq_written_in_hexadecimal_is_as_its_package_writes_it() -> None:
    images = pictures(1, 64, 64)
    bits, _ = pdqhash.compute(to_uint8(images)[0].permute(1, 2, 0).contiguous().numpy())
    assert open_model("pdq").codes(images)[0].tobytes().hex() == f"{int(''.join(map(str, bits)), 2):064x}"


def test_a_hash_is_known_by_its_name_and_the_version_of_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    prints = {name: open_model(name).sha256() for name in ("pdq", *PACKAGE)}
    assert len(set(prints.values())) == len(prints)
    assert open_model("phash").source == f"phash of ImageHash {version('ImageHash')}"
    monkeypatch.setattr("hashprobe.hashing.models.outside.perceptual.version", lambda package: "999")
    assert open_model("phash").sha256() != prints["phash"]


@pytest.mark.parametrize("shape", [(64, 64), (48, 65), (130, 333)])
@pytest.mark.parametrize("text", ["pdq", *PACKAGE, *(f"{name},hash_size=16" for name in PACKAGE)])
def test_where_a_gradient_is_taken_the_signs_are_the_bits(text: str, shape: tuple[int, int]) -> None:
    model, grain = open_model(text), torch.rand(8, 3, *shape, generator=torch.Generator().manual_seed(1))
    images = to_uint8(0.7 * pictures(8, *shape) + 0.3 * grain).float() / 255
    outputs = model.logits(images.requires_grad_())
    assert outputs.abs().mean(dim=1).tolist() == pytest.approx([1.0] * 8, abs=1e-4)
    bits = unpack(model.codes(images.detach()), model.bits)
    assert ((outputs.detach().numpy() >= 0) == (bits > 0)).mean() >= 0.99  # but for ties of rounding
    (gradient,) = torch.autograd.grad(outputs.square().sum(), images)
    assert gradient.isfinite().all()
    assert (gradient != 0).flatten(1).any(dim=1).all()


@pytest.mark.parametrize("name", ["pdq", *PACKAGE])
def test_who_knows_the_formula_does_more_than_who_asks(name: str) -> None:
    model, images = open_model(name), pictures(4, 64, 64)
    before = model.codes(images)
    goal = Goal(objective="untargeted", codes=before)

    def moved(attack: Attack) -> float:
        return float(bits_apart(model.codes(attack.run(model, images, goal).images), before).mean())

    knows, asks = moved(FewStep(steps=20)), moved(Square(questions=100, epsilon=8 / 255))
    assert knows > asks + 0.1 * model.bits


def test_attacks_that_ask_for_codes_move_it() -> None:
    model, images = open_model("dhash"), pictures(2, 32, 32)
    before = model.codes(images)
    goal = Goal(objective="untargeted", codes=before)
    for attack in (Square(questions=30, epsilon=0.2), NES(questions=30, samples=10, epsilon=0.2)):
        result = attack.run(model, images, goal)
        assert (model.codes(result.images) != before).any(axis=1).all()
        assert (result.cost.questions > 0).all()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("pdq,hash_size=8", "pdq has 256 bits; leave out hash_size=8"),
        ("whash,hash_size=12", "hash_size of whash must be a power of two; found 12"),
        ("phash,hash_size=1", "hash_size must be a whole number from 2 to 32; found 1"),
        ("phash,hash_sise=8", "did you mean 'hash_size'"),
        ("phash,", "expected NAME=VALUE"),
    ],
)
def test_a_setting_that_it_does_not_have_is_one_sentence(text: str, said: str) -> None:
    with pytest.raises(HashprobeError, match=said):
        open_model(text)


def test_what_cannot_be_done_with_it_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(HashprobeError, match="has 64 bits; 32 were expected"):
        open_model("phash", bits=32)
    with pytest.raises(HashprobeError, match="pdq takes images of at least 5x5 pixels; found 4x9"):
        open_model("pdq").codes(torch.rand(1, 3, 4, 9))
    with pytest.raises(HashprobeError, match="has no parameter that could be trained"):
        train_hash_model(open_model("pdq"), tiny_data(), HashTrainingSettings(), seed=0)
    for name, package in (("pdq", "pdqhash"), ("ahash", "imagehash")):
        monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(HashprobeError, match=rf"{name}.* pip install 'hashprobe\[perceptual\]'"):
            HashModel.named(name)
