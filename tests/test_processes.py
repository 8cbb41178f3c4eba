"""Two processes do what one does: trainings up to summation order, attacks to the bit, verbs with one voice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

import process_work
from hashprobe.devices import resolve_device
from hashprobe.files import read_json, read_json_lines
from hashprobe.hashing import HashModel
from hashprobe.hashing.training.batch_norm import synchronised_batch_norm
from hashprobe.main_process import is_main
from hashprobe.processes import Processes, processes
from helpers import conv_model, launch

TESTS = Path(__file__).resolve().parent


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """What one process did, and what two did."""
    one, two = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("two")
    process_work.write_trainings(one)
    process_work.write_attacks(one, Processes())
    process_work.kill_trainings(two)
    done = launch(TESTS / "process_work.py", two)
    assert done.returncode == 0, done.stderr
    assert read_json(two / "processes.json")["count"] == 2
    return one, two


def assert_same_network(path: Path, expected: Path) -> None:
    """Compare two networks up to summation order.

    Biases are left out: that of a convolution before an instance norm has no effect and a gradient that is rounding alone,
    which Adam makes steps of full length from.
    """
    found, wanted = load_file(path), load_file(expected)
    assert found.keys() == wanted.keys()
    for name, tensor in found.items():
        if not name.endswith(".bias"):
            torch.testing.assert_close(
                tensor, wanted[name], rtol=1e-4, atol=1e-5, msg=lambda text, name=name: f"{name}: {text}"
            )


class TestTraining:
    @pytest.mark.parametrize("name", ["dpsh", "hashnet", "defended", "generator"])
    def test_equals_that_of_one_process(self, name: str, folders: tuple[Path, Path]) -> None:
        one, two = folders
        assert_same_network(two / f"{name}.safetensors", one / f"{name}.safetensors")
        for found, expected in zip(
            read_json(two / f"{name}.json"), read_json(one / f"{name}.json"), strict=True
        ):
            assert found == pytest.approx(expected, rel=1e-5)

    @pytest.mark.parametrize("name", ["dpsh", "generator"])
    def test_of_one_process_goes_on_with_two(self, name: str, folders: tuple[Path, Path]) -> None:
        one, two = folders
        assert_same_network(two / f"{name}-resumed.safetensors", one / f"{name}.safetensors")

    def test_of_two_processes_goes_on_with_one(self, folders: tuple[Path, Path]) -> None:
        one, two = folders
        assert len(list((two / "killed").glob("*.checkpoint"))) == 2
        process_work.resume_trainings(two / "killed")
        for name in ("dpsh", "generator"):
            assert_same_network(two / "killed" / f"{name}-resumed.safetensors", one / f"{name}.safetensors")

    def test_leaves_all_processes_the_same_batch_normalisation(self, folders: tuple[Path, Path]) -> None:
        first, second = read_json(folders[1] / "processes.json")["fingerprints"]
        assert first == second != conv_model(process_work.BITS).sha256()


@pytest.mark.parametrize("index", [0, 1])
def test_every_process_gets_the_attack_of_one_to_the_bit(index: int, folders: tuple[Path, Path]) -> None:
    one, two = folders
    with np.load(one / "attacks-0.npz") as expected, np.load(two / f"attacks-{index}.npz") as found:
        assert expected.files == found.files
        for name in found.files:
            np.testing.assert_array_equal(found[name], expected[name], err_msg=name)
        assert found["IFGSM-kept"].shape[0] == 2
        assert found["IFGSM-kept"].any(axis=(1, 2, 3)).all()


SCENES = ["--image-size=32", *(f"--data-option={size}" for size in ("queries=6", "database=40", "train=24"))]


def test_a_verb_of_two_processes_trains_a_model_and_speaks_once(tmp_path: Path) -> None:
    sizes = [
        "--weights=none",
        "--backbone=squeezenet1_1",
        "--bits=8",
        "--set=epochs=1",
        "--set=batch_size=12",
    ]
    verb = ["-m", "hashprobe", "train-hash", *SCENES, *sizes, f"--out={tmp_path / 'model'}", "--device=cpu"]
    done = launch(*verb)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("MAP 0.") == 1
    assert done.stdout.count("wrote ") == 1
    assert HashModel.load(tmp_path / "model").bits == 8
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == [
        ".lock",
        "experiment.json",
        "model.json",
        "model.safetensors",
        "training",
    ]
    assert len(read_json_lines(tmp_path / "model" / "training" / "hash-model.jsonl")) == 1


class TestShares:
    @pytest.mark.parametrize("count", [1, 2, 3, 5])
    @pytest.mark.parametrize("total", [2, 3, 4, 7, 12])
    @pytest.mark.parametrize("least", [1, 2])
    def test_every_row_is_taken_once(self, count: int, total: int, least: int) -> None:
        shares = [Processes(count, index).share(total, least) for index in range(count)]
        rows = [list(range(total))[share.rows] for share in shares]
        taken = [row for share, own in zip(shares, rows, strict=True) if share.weight for row in own]
        assert sorted(taken) == list(range(total))
        assert min(map(len, rows)) >= least
        assert sum(share.weight for share in shares) == pytest.approx(1)
        assert all(share.weight in (0, len(own) / total) for share, own in zip(shares, rows, strict=True))

    def test_batches_are_the_same_however_many_share_them(self) -> None:
        whole = Processes().batches(11, 3)
        assert [(rows.start, rows.stop) for rows in whole] == [(0, 3), (3, 6), (6, 9), (9, 11)]
        assert [Processes(2, index).batches(11, 3) for index in (0, 1)] == [whole[::2], whole[1::2]]


class TestAlone:
    def test_nothing_is_started(self) -> None:
        resolve_device("auto")
        assert (processes(), is_main()) == (Processes(1, 0), True)
        assert not torch.distributed.is_initialized()

    def test_values_stay_as_they_are(self) -> None:
        alone, outputs = Processes(), torch.randn(3, 2, requires_grad=True)
        assert alone.gather_with_grad(outputs, alone.share(3), 3) is outputs
        assert torch.equal(alone.sum(outputs), outputs)
        assert alone.main_first(lambda: [1]) == alone.from_main(lambda: [1]) == alone.in_order([1])


def test_synchronised_batch_norm_is_there_only_inside() -> None:
    network = nn.Sequential(conv_model().network, HashModel.build("timm/efficientnet_lite0", bits=4).network)
    before = {name: (layer, layer.training) for name, layer in network.named_modules()}
    tensors = {name: tensor.data_ptr() for name, tensor in network.state_dict().items()}
    network.eval()
    with synchronised_batch_norm(network):
        inside = [layer for layer in network.modules() if isinstance(layer, nn.SyncBatchNorm)]
        assert not any(isinstance(layer, nn.BatchNorm2d) for layer in network.modules())
        assert {name: tensor.data_ptr() for name, tensor in network.state_dict().items()} == tensors
        network.train()
    assert len(inside) > 10
    assert {name: (layer, layer.training) for name, layer in network.named_modules()} == before
