"""HashModel: codes, normalisation, and files that come back or are refused."""

from __future__ import annotations

import hashlib
import json
import math
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from hashprobe.errors import HashprobeError
from hashprobe.hashing import HashModel, frozen
from helpers import conv_model, linear_model, random_images, same_tensors


class Outputs(nn.Module):
    """Returns the same outputs for every image."""

    def __init__(self, outputs: list[float]) -> None:
        super().__init__()
        self.outputs = nn.Parameter(torch.tensor(outputs))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.outputs.expand(len(images), -1)


class TestCodes:
    def test_the_first_bit_is_the_highest_and_sign_of_zero_is_plus(self) -> None:
        model = HashModel.wrap(Outputs([0.0, -1.0, 1.0, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0, 2.0]), bits=10)
        codes = model.codes(random_images(2))
        assert codes.dtype == np.uint8
        assert codes.tolist() == [[0b10100000, 0b01000000]] * 2

    def test_normalisation_is_applied_once(self) -> None:
        model = linear_model(8, std=0.25)
        images = random_images(5)
        weight = model.network[1].weight
        expected = ((images - 0.5) / 0.25).flatten(1) @ weight.T
        torch.testing.assert_close(model.logits(images), expected)
        torch.testing.assert_close(model.relaxed(images, 0.3), torch.tanh(0.3 * expected))
        torch.testing.assert_close(model(images), torch.tanh(expected))
        assert np.array_equal(model.codes(images), np.packbits(expected.detach().numpy() >= 0, axis=1))

    def test_batches_do_not_matter(self) -> None:
        model, images = conv_model(12), random_images(7)
        assert np.array_equal(model.codes(images, batch_size=3), model.codes(images))

    def test_uint8_tensors_and_arrays_give_the_codes_of_floats(self) -> None:
        model = linear_model(12)
        images = (random_images(4) * 255).round().to(torch.uint8)
        expected = model.codes(images.float() / 255)
        assert np.array_equal(model.codes(images), expected)
        assert np.array_equal(model.codes(images.numpy()), expected)

    @pytest.mark.parametrize("size", [-1, 0, 2.5])
    def test_a_batch_size_that_is_none_is_refused(self, size: object) -> None:
        with pytest.raises(HashprobeError, match="batch_size must be a whole number of at least 1; found"):
            linear_model(8).codes(random_images(2), batch_size=size)  # type: ignore[arg-type]

    def test_float64_images_are_taken(self) -> None:
        model, images = linear_model(12), random_images(3)
        assert np.array_equal(model.codes(images.numpy().astype(np.float64)), model.codes(images))

    def test_no_image_gives_no_code(self) -> None:
        assert linear_model(12).codes(torch.zeros(0, 3, 32, 32)).shape == (0, 2)

    def test_mode_and_parameters_are_left_alone(self) -> None:
        model = conv_model(12)
        model.network.backbone[1].eval()
        model.network.hash_layer.weight.requires_grad_(False)
        before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        model.codes(random_images(3))
        assert model.training
        assert not model.network.backbone[1].training
        assert not model.network.hash_layer.weight.requires_grad
        assert model.network.hash_layer.bias.requires_grad
        assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())

    def test_a_network_of_another_width_is_refused(self) -> None:
        model = HashModel.wrap(Outputs([0.0] * 9), bits=8)
        with pytest.raises(
            HashprobeError, match=r"must return \(n, 8\) for 8 bits; its network returned \(2, 9\)"
        ):
            model.codes(random_images(2))

    @pytest.mark.parametrize(("mean", "std"), [((0.0,), (1.0,) * 3), ((0.0,) * 3, (1.0, 0.0, 1.0))])
    def test_a_normalisation_that_is_none_is_refused(
        self, mean: tuple[float, ...], std: tuple[float, ...]
    ) -> None:
        with pytest.raises(HashprobeError, match="mean and std must be three numbers each, std positive"):
            HashModel.wrap(Outputs([0.0]), bits=1, mean=mean, std=std)


class TestScale:
    def test_training_sees_it_and_alpha_does_not(self) -> None:
        plain, scaled, images = linear_model(8), linear_model(8), random_images(3)
        scaled.scale = 13.0
        torch.testing.assert_close(scaled(images), torch.tanh(13 * plain.logits(images)))
        torch.testing.assert_close(scaled(images), scaled.relaxed(images, scaled.scale))
        for alpha in (0.1, 1.0):
            assert torch.equal(scaled.relaxed(images, alpha), plain.relaxed(images, alpha))
        assert np.array_equal(scaled.codes(images), plain.codes(images))

    def test_the_gradient_that_it_masks_is_there_through_alpha(self) -> None:
        model, images = linear_model(8, scale=8.0), random_images(3).requires_grad_(True)
        model.scale = 13.0
        (masked,) = torch.autograd.grad(model(images)[:, 0].sum(), images)
        (seen,) = torch.autograd.grad(model.relaxed(images, 0.1)[:, 0].sum(), images)
        assert float(masked.abs().max()) < 1e-3 * float(seen.abs().max())

    def test_it_is_saved_and_belongs_to_the_fingerprint(self, tmp_path: Path) -> None:
        model = linear_model(8)
        before = model.sha256()
        model.scale = math.sqrt(1 + 0.005 * 600)
        assert model.sha256() != before
        model.save(tmp_path / "model")
        loaded = HashModel.load(tmp_path / "model", module=linear_model(8, seed=4).network)
        assert loaded.scale == model.scale
        assert torch.equal(loaded(random_images(3)), model(random_images(3)))

    def test_a_file_from_before_there_was_a_scale_has_1(self, saved: Path) -> None:
        description = json.loads((saved / "model.json").read_text())
        del description["scale"]
        (saved / "model.json").write_text(json.dumps(description))
        assert HashModel.load(saved, module=linear_model(8).network).scale == 1

    @pytest.mark.parametrize("scale", [0, -1.5, "13", None, True])
    def test_a_scale_that_is_none_is_refused(self, saved: Path, scale: object) -> None:
        description = json.loads((saved / "model.json").read_text())
        (saved / "model.json").write_text(json.dumps(description | {"scale": scale}))
        with pytest.raises(
            HashprobeError,
            match=r"model\.json is damaged at scale \(Input should be .*\); save the model again",
        ):
            HashModel.load(saved, module=linear_model(8).network)


class TestFrozen:
    def test_restores_after_an_exception(self) -> None:
        model = conv_model()
        model.network.hash_layer.bias.requires_grad_(False)

        def fail() -> None:
            with frozen(model):
                assert not any(module.training for module in model.modules())
                assert not any(parameter.requires_grad for parameter in model.parameters())
                raise RuntimeError("in the middle")

        with pytest.raises(RuntimeError, match="in the middle"):
            fail()
        assert all(module.training for module in model.modules())
        assert [name for name, parameter in model.named_parameters() if not parameter.requires_grad] == [
            "network.hash_layer.bias"
        ]


class TestFingerprint:
    def test_changes_with_a_weight_a_buffer_and_the_normalisation(self) -> None:
        seen = {conv_model().sha256()}
        for change in ("weight", "buffer", "mean"):
            model = conv_model()
            with torch.no_grad():
                if change == "weight":
                    model.network.hash_layer.weight[0, 0] += 1e-6
                elif change == "buffer":
                    model.network.backbone[1].running_mean[0] += 1e-6
                else:
                    model.mean[0] += 1e-3
            seen.add(model.sha256())
        assert len(seen) == 4

    def test_is_what_files_hold_that_were_written_before(self) -> None:
        """Over code length, mean, std, then each tensor's name and bytes: a saved model's fingerprint must not change."""
        model = linear_model(2, size=1, std=0.25)
        with torch.no_grad():
            model.network[1].weight.copy_(torch.arange(6).view(2, 3))
        text = b"2 [0.5, 0.5, 0.5] [0.25, 0.25, 0.25]" + b"1.weight"
        expected = hashlib.sha256(text + np.arange(6, dtype=np.float32).tobytes()).hexdigest()
        assert model.sha256() == expected

    def test_a_module_in_bfloat16_has_one(self) -> None:
        model = linear_model(8)
        model.network.to(torch.bfloat16)
        assert model.sha256() != linear_model(8).sha256()

    def test_is_that_of_an_equal_model_in_any_mode(self) -> None:
        assert conv_model().sha256() == conv_model().eval().sha256()


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    linear_model(8, std=0.5).save(tmp_path / "model")
    return tmp_path / "model"


class TestFiles:
    def test_a_wrapped_module_comes_back(self, saved: Path) -> None:
        model = linear_model(8, std=0.5)
        loaded = HashModel.load(saved, bits=8, module=linear_model(8, seed=5).network)
        assert loaded.sha256() == model.sha256()
        assert not loaded.training
        images = random_images(3)
        assert torch.equal(loaded.logits(images), model.logits(images))

    def test_a_built_model_comes_back(self, tmp_path: Path) -> None:
        model = HashModel.build("squeezenet1_1", bits=16, seed=1, mean=(0.4, 0.5, 0.6))
        model.save(tmp_path / "model")
        loaded = HashModel.load(tmp_path / "model")
        assert same_tensors(model.network, loaded.network)
        assert loaded.spec == model.spec
        assert loaded.sha256() == model.sha256()
        images = random_images(2, size=64)
        assert np.array_equal(loaded.codes(images), model.codes(images))

    def test_another_code_length_is_refused(self, saved: Path) -> None:
        with pytest.raises(HashprobeError, match="holds a model of 8 bits; 16 were expected"):
            HashModel.load(saved, bits=16, module=linear_model(16).network)

    def test_a_wrapped_module_must_be_given(self, saved: Path) -> None:
        with pytest.raises(
            HashprobeError, match=r"holds a wrapped module; give it to load as well: load\(.*, module=…\)"
        ):
            HashModel.load(saved)

    @pytest.mark.parametrize(
        ("module", "message"),
        [
            (linear_model(8, size=16).network, r"'1\.weight' has shape \(8, 3072\), expected \(8, 768\)"),
            (linear_model(8).network[1], r"'weight' is missing; the file begins with '1\.weight'"),
            (nn.Sequential(nn.Flatten()), r"'1\.weight' is a tensor that it does not have"),
        ],
    )
    def test_another_module_is_refused_with_the_first_tensor_that_does_not_fit(
        self, saved: Path, module: nn.Module, message: str
    ) -> None:
        with pytest.raises(HashprobeError, match=rf"does not fit its network: {message}"):
            HashModel.load(saved, module=module)

    def test_tied_weights_are_saved_and_come_back_tied(self, tmp_path: Path) -> None:
        def tied() -> nn.Module:
            network = nn.Sequential(
                nn.Flatten(), nn.Linear(3072, 8), nn.Linear(8, 8, bias=False), nn.Linear(8, 8, bias=False)
            )
            network[3].weight = network[2].weight
            network[2].register_buffer("row", network[2].weight.detach()[0])  # a view of the same memory
            return network

        model = HashModel.wrap(tied(), bits=8)
        model.save(tmp_path / "model")
        loaded = HashModel.load(tmp_path / "model", module=tied())
        assert loaded.network[3].weight is loaded.network[2].weight
        assert loaded.sha256() == model.sha256()
        assert torch.equal(loaded.logits(random_images(2)), model.logits(random_images(2)))

    def test_a_pickle_is_refused_and_never_run(self, tmp_path: Path, saved: Path) -> None:
        class Touch:
            def __reduce__(self) -> tuple[object, tuple[object, ...]]:
                return (Path.touch, (tmp_path / "was run",))

        pickled = pickle.dumps(Touch())
        (tmp_path / "model.pt").write_bytes(pickled)
        with pytest.raises(
            HashprobeError, match=r"is a file; give the folder .* \(a pickle is never loaded\)"
        ):
            HashModel.load(tmp_path / "model.pt")
        (saved / "model.safetensors").write_bytes(pickled)
        with pytest.raises(
            HashprobeError, match=r"is not a whole safetensors file .*; a pickle is never loaded"
        ):
            HashModel.load(saved, module=linear_model(8).network)
        assert not (tmp_path / "was run").exists()

    def test_a_truncated_file_is_refused(self, saved: Path) -> None:
        weights = saved / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:-100])
        with pytest.raises(HashprobeError, match="is not a whole safetensors file"):
            HashModel.load(saved, module=linear_model(8).network)

    def test_weights_that_were_exchanged_are_refused(self, saved: Path, tmp_path: Path) -> None:
        other = linear_model(8, seed=9)
        other.save(tmp_path / "other")
        (saved / "model.safetensors").write_bytes((tmp_path / "other" / "model.safetensors").read_bytes())
        with pytest.raises(HashprobeError, match=r"is not the file that model\.json describes"):
            HashModel.load(saved, module=linear_model(8).network)

    @pytest.mark.parametrize("value", [float("nan"), float("inf")])
    def test_weights_that_are_not_finite_are_neither_written_nor_read(
        self, saved: Path, value: float
    ) -> None:
        model, before = linear_model(8, std=0.5), (saved / "model.safetensors").read_bytes()
        with torch.no_grad():
            model.network[1].weight[3, 5] = value
        with pytest.raises(
            HashprobeError, match=r"was not written: the tensor '1\.weight' holds NaN or infinity"
        ):
            model.save(saved)
        assert (saved / "model.safetensors").read_bytes() == before
        save_file(model.network.state_dict(), saved / "model.safetensors")
        with pytest.raises(
            HashprobeError, match=r"cannot be used: the tensor '1\.weight' holds NaN or infinity"
        ):
            HashModel.load(saved, module=linear_model(8).network)

    def test_a_description_that_lacks_a_field_is_refused(self, saved: Path) -> None:
        description = json.loads((saved / "model.json").read_text())
        del description["mean"]
        (saved / "model.json").write_text(json.dumps(description))
        with pytest.raises(
            HashprobeError, match=r"is damaged at mean \(Field required\); save the model again"
        ):
            HashModel.load(saved, module=linear_model(8).network)

    @pytest.mark.parametrize(
        ("spec", "place"), [({"backbone": "squeezenet1_1", "bits": 0}, r"spec\.bits"), ([], "spec")]
    )
    def test_a_damaged_spec_is_refused(self, saved: Path, spec: object, place: str) -> None:
        description = json.loads((saved / "model.json").read_text())
        (saved / "model.json").write_text(json.dumps(description | {"spec": spec}))
        with pytest.raises(
            HashprobeError, match=rf"model\.json is damaged at {place} \(.*\); save the model"
        ):
            HashModel.load(saved)

    @pytest.mark.parametrize("name", ["model.safetensors", "model.json"])
    def test_a_missing_file_is_named(self, saved: Path, name: str) -> None:
        (saved / name).unlink()
        with pytest.raises(HashprobeError, match=f"{name} does not exist"):
            HashModel.load(saved, module=linear_model(8).network)

    @pytest.mark.parametrize(
        ("content", "found"),
        [({"format": "hashprobe.prosgan/1"}, "'hashprobe.prosgan/1'"), ({}, "None"), ([1], "'list'")],
    )
    def test_json_of_another_kind_is_refused(self, saved: Path, content: object, found: str) -> None:
        (saved / "model.json").write_text(json.dumps(content))
        with pytest.raises(
            HashprobeError, match=rf"describes {found}, not a hash model \('hashprobe\.hash-model/1'\)"
        ):
            HashModel.load(saved, module=linear_model(8).network)


class TestBuild:
    def test_the_bundled_weights_fit_and_the_seed_decides_the_hash_layer(self) -> None:
        model = HashModel.build("efficientnet_lite0", bits=16, weights="bundled", seed=3)
        assert model.mean.flatten().tolist() == [0.5] * 3
        assert model.std.flatten().tolist() == [0.5] * 3
        assert model.codes(random_images(2, size=64)).shape == (2, 2)
        other = HashModel.build("efficientnet_lite0", bits=16, weights="bundled", seed=4)
        assert same_tensors(model.network.backbone, other.network.backbone)
        assert not same_tensors(model.network.hash_layer, other.network.hash_layer)

    def test_the_same_seed_gives_the_same_model_and_leaves_the_global_one(self) -> None:
        state = torch.random.get_rng_state()
        first = HashModel.build("squeezenet1_1", bits=8, seed=2)
        assert first.sha256() == HashModel.build("squeezenet1_1", bits=8, seed=2).sha256()
        assert first.sha256() != HashModel.build("squeezenet1_1", bits=8, seed=3).sha256()
        assert torch.equal(state, torch.random.get_rng_state())

    @pytest.mark.parametrize("bits", [0, 1025])
    def test_code_lengths_have_limits(self, bits: int) -> None:
        with pytest.raises(HashprobeError, match=f"bits must be a whole number from 1 to 1024; found {bits}"):
            HashModel.build("squeezenet1_1", bits=bits)
