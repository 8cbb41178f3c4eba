"""PrototypeNet: shapes, training, resuming, and the code that it gives a label."""

from __future__ import annotations

import math
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hashprobe.errors import HashprobeError
from hashprobe.files import read_json_lines
from hashprobe.retrieval import pack, unpack
from hashprobe.targets import PrototypeCode, PrototypeNet, PrototypeSettings, train_label_network
from hashprobe.targets.codes import label_network
from hashprobe.targets.codes.prototype import smooth_average_precision
from helpers import Interrupted, interrupt_after, same_tensors

BITS = 16
CLASSES = 4
SETTINGS = PrototypeSettings(steps=300, batch_size=16, learning_rate=1e-3, hidden=64)


@pytest.fixture(scope="module")
def separable() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A code a class as ±1; packed codes of 40 training images, one bit of each flipped; their labels."""
    rng = np.random.default_rng(4)
    of_class = rng.choice([-1, 1], size=(CLASSES, BITS))
    classes = np.arange(40) % CLASSES
    signs = of_class[classes]
    signs[np.arange(40), rng.integers(BITS, size=40)] *= -1
    return of_class, pack(signs), np.eye(CLASSES, dtype=np.uint8)[classes]


class TestPrototypeNet:
    def test_shapes_and_ranges(self) -> None:
        semantics, relaxed, predicted = PrototypeNet(7, 20, hidden=32)(torch.eye(7)[:3])
        assert semantics.shape == (3, 512)
        assert relaxed.shape == (3, 20)
        assert predicted.shape == (3, 7)
        assert relaxed.abs().max() < 1
        assert 0 < predicted.min() <= predicted.max() < 1
        assert semantics.min() < 0  # no activation

    def test_the_published_one_has_4096_and_512_units(self) -> None:
        with torch.device("meta"):
            network = PrototypeNet(24, 32)
        shapes = [
            tuple(parameter.shape)
            for name, parameter in network.named_parameters()
            if name.endswith("weight")
        ]
        assert shapes == [(4096, 24), (512, 4096), (32, 512), (24, 512)]


class TestPrototypeCode:
    def test_is_the_sign_of_the_relaxed_code(self) -> None:
        network = PrototypeNet(5, 10, hidden=16)
        labels = np.eye(5)[:4]
        expected = network(torch.from_numpy(labels).float())[1] >= 0
        assert np.array_equal(PrototypeCode(network=network)(labels), np.packbits(expected.numpy(), axis=1))

    @pytest.mark.parametrize("labels", [np.ones((2, 4)), np.ones(5)])
    def test_labels_of_another_shape_are_refused(self, labels: np.ndarray) -> None:
        with pytest.raises(
            HashprobeError, match=r"target labels must have shape \(n, 5\), as this PrototypeNet's; found"
        ):
            PrototypeCode(network=PrototypeNet(5, 10, hidden=16))(labels)


class TestTraining:
    def test_lowers_its_loss_and_comes_near_the_codes_of_the_class(
        self,
        separable: tuple[np.ndarray, np.ndarray, np.ndarray],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(label_network, "LOG_EVERY", 10)
        of_class, codes, labels = separable
        network, records = train_label_network(
            PrototypeCode, codes, labels, labels, SETTINGS, bits=BITS, seed=0, log=tmp_path / "log.jsonl"
        )
        assert [record["step"] for record in records] == list(range(10, 301, 10))
        assert records[-1]["loss"] < records[0]["loss"]
        assert records[-1]["likelihood"] < math.log(2)  # what an uninformed network has
        assert read_json_lines(tmp_path / "log.jsonl") == records
        assert not network.training
        assert not any(parameter.requires_grad for parameter in network.parameters())
        prototypes = unpack(PrototypeCode(network=network)(np.eye(CLASSES)), BITS)
        distances = (prototypes[:, None] != of_class[None]).sum(axis=2)
        assert (distances.argmin(axis=1) == np.arange(CLASSES)).all()
        others = distances[~np.eye(CLASSES, dtype=bool)]
        assert distances.diagonal().max() + 4 <= others.min()  # pushed from the other classes as well

    def test_two_opposite_codes_are_found_exactly(self) -> None:
        code = np.random.default_rng(1).choice([-1, 1], size=BITS)
        labels = np.eye(2, dtype=np.uint8)[np.arange(10) % 2]
        signs = np.where(labels[:, :1] == 1, code, -code)
        network, _ = train_label_network(
            PrototypeCode, pack(signs), labels, labels, SETTINGS, bits=BITS, seed=0
        )
        assert np.array_equal(PrototypeCode(network=network)(np.eye(2)), pack(np.stack([code, -code])))

    def test_the_first_loss_is_the_formula(
        self, separable: tuple[np.ndarray, np.ndarray, np.ndarray]
    ) -> None:
        """With one target label every batch is that label; a tiny learning rate changes nothing."""
        _, codes, labels = separable
        settings = PrototypeSettings(
            steps=1, batch_size=3, learning_rate=1e-12, hidden=8, quantisation=0.5, classification=2
        )
        network, records = train_label_network(
            PrototypeCode, codes, labels, labels[:1], settings, bits=BITS, seed=0
        )
        _, relaxed, predicted = network(torch.from_numpy(labels[:1]).float())
        h, y_hat = relaxed[0].tolist(), predicted[0].tolist()
        likelihood = 0.0
        for b, label in zip(unpack(codes, BITS).tolist(), labels, strict=True):
            theta = sum(x * y for x, y in zip(h, b, strict=True)) / 2
            likelihood += math.log(1 + math.exp(theta)) - (theta if label @ labels[0] else 0)
        likelihood /= len(labels)
        quantisation = sum(((1 if x >= 0 else -1) - x) ** 2 for x in h)
        classification = sum((x - y) ** 2 for x, y in zip(y_hat, labels[0], strict=True)) / CLASSES
        assert records[0]["likelihood"] == pytest.approx(likelihood, rel=1e-5)
        assert records[0]["loss"] == pytest.approx(
            likelihood + 0.5 * quantisation + 2 * classification, rel=1e-5
        )

    def test_the_learning_rate_falls_at_a_half_and_three_quarters(
        self, separable: tuple[np.ndarray, np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(label_network, "LOG_EVERY", 1)
        _, codes, labels = separable
        settings = SETTINGS.model_copy(update={"steps": 8})
        _, records = train_label_network(PrototypeCode, codes, labels, labels, settings, bits=BITS, seed=0)
        rates = [record["learning_rate"] for record in records]
        assert rates == pytest.approx([1e-3] * 4 + [1e-4] * 2 + [1e-5] * 2)

    def test_goes_on_after_a_kill_as_if_it_had_not_stopped(
        self,
        separable: tuple[np.ndarray, np.ndarray, np.ndarray],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(label_network, "LOG_EVERY", 2)
        _, codes, labels = separable
        settings = SETTINGS.model_copy(update={"steps": 45})
        arguments = {"bits": BITS, "seed": 3}
        whole, expected = train_label_network(PrototypeCode, codes, labels, labels, settings, **arguments)
        with monkeypatch.context() as patch:
            interrupt_after(patch, torch.optim.Adam, 27)
            with pytest.raises(Interrupted):
                train_label_network(
                    PrototypeCode, codes, labels, labels, settings, checkpoint=tmp_path / "state", **arguments
                )
        assert (tmp_path / "state").exists()
        with monkeypatch.context() as patch:
            interrupt_after(patch, torch.optim.Adam, 25)  # 20 steps were saved: no more than 25 are left
            resumed, records = train_label_network(
                PrototypeCode, codes, labels, labels, settings, checkpoint=tmp_path / "state", **arguments
            )
        assert same_tensors(whole, resumed)
        assert records == expected
        again, _ = train_label_network(
            PrototypeCode, codes, labels, labels, settings, checkpoint=tmp_path / "state", **arguments
        )
        assert same_tensors(whole, again)

    def test_a_checkpoint_of_other_labels_is_refused(
        self, separable: tuple[np.ndarray, np.ndarray, np.ndarray], tmp_path: Path
    ) -> None:
        _, codes, labels = separable
        settings = SETTINGS.model_copy(update={"steps": 2})
        train_label_network(
            PrototypeCode, codes, labels, labels, settings, bits=BITS, seed=0, checkpoint=tmp_path / "state"
        )
        for changed in ((labels[::-1], labels), (labels, 1 - labels)):
            with pytest.raises(
                HashprobeError, match="belongs to a training with other settings, data or model"
            ):
                train_label_network(
                    PrototypeCode, codes, *changed, settings, bits=BITS, seed=0, checkpoint=tmp_path / "state"
                )

    def test_the_seed_alone_decides(self, separable: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
        _, codes, labels = separable
        settings = SETTINGS.model_copy(update={"steps": 3})
        state = torch.random.get_rng_state()
        first, second, third = (
            train_label_network(PrototypeCode, codes, labels, labels, settings, bits=BITS, seed=seed)[0]
            for seed in (0, 0, 1)
        )
        assert same_tensors(first, second)
        assert not same_tensors(first, third)
        assert torch.equal(state, torch.random.get_rng_state())


class TestSmoothAveragePrecision:
    @staticmethod
    def of(relaxed: torch.Tensor, codes: torch.Tensor, similar: torch.Tensor, **changes: Any) -> torch.Tensor:
        given: dict[str, Any] = {"positives": 4000, "sharpness": 1e4} | changes
        generator = torch.Generator().manual_seed(0)
        return smooth_average_precision(relaxed, codes, similar, generator=generator, **given)

    def test_is_average_precision_where_it_is_sharp_and_nothing_ties(self) -> None:
        rng = np.random.default_rng(2)
        bits = 61
        codes = rng.choice([-1, 1], size=(9, bits))
        for count in range(9):  # differing numbers of bits that agree with the first label's code
            codes[count] = np.where(np.arange(bits) < 6 * count, 1, -1)
        similar = rng.integers(2, size=(1, 9))
        relevant = similar[0][np.argsort(-codes.sum(axis=1))]
        ranks = np.flatnonzero(relevant) + 1
        expected = np.mean(np.arange(1, len(ranks) + 1) / ranks)
        found = self.of(
            torch.ones(1, bits), torch.from_numpy(codes).float(), torch.from_numpy(similar).float()
        )
        # Each item is as high as itself by a half, not by one.
        halves = np.mean((np.arange(len(ranks)) + 0.5) / (ranks - 0.5))
        assert float(found) == pytest.approx(halves, abs=0.03)
        assert abs(expected - halves) < 0.2

    def test_a_code_nearer_to_what_is_relevant_has_more(self) -> None:
        codes = torch.from_numpy(np.random.default_rng(0).choice([-1.0, 1.0], size=(30, 16))).float()
        similar = (torch.arange(30) < 5).float()[None]
        good, bad = codes[:5].mean(dim=0, keepdim=True), -codes[:5].mean(dim=0, keepdim=True)
        assert self.of(good, codes, similar, sharpness=16.0) > 2 * self.of(
            bad, codes, similar, sharpness=16.0
        )

    def test_its_gradient_raises_it_and_without_relevant_items_it_is_none(self) -> None:
        codes = torch.from_numpy(np.random.default_rng(0).choice([-1.0, 1.0], size=(30, 16))).float()
        similar = torch.stack([(torch.arange(30) < 5).float(), torch.zeros(30)])
        relaxed = torch.zeros(2, 16, requires_grad=True)
        before = self.of(relaxed, codes, similar, sharpness=16.0)
        (gradient,) = torch.autograd.grad(before.sum(), relaxed)
        assert not gradient[1].any()
        assert before[1] == 0
        assert self.of(relaxed + 0.1 * gradient.sign(), codes, similar, sharpness=16.0)[0] > before[0]

    def test_trained_by_it_a_network_finds_the_codes_of_classes(
        self, separable: tuple[np.ndarray, np.ndarray, np.ndarray]
    ) -> None:
        of_class, codes, labels = separable
        settings = SETTINGS.model_copy(update={"objective": "average-precision", "positives": 4})
        network, records = train_label_network(
            PrototypeCode, codes, labels, labels, settings, bits=BITS, seed=0
        )
        assert records[-1]["average_precision"] > records[0]["average_precision"]
        prototypes = unpack(PrototypeCode(network=network)(np.eye(CLASSES)), BITS)
        distances = (prototypes[:, None] != of_class[None]).sum(axis=2)
        assert (distances.argmin(axis=1) == np.arange(CLASSES)).all()


class TestFewerClasses:
    def test_some_labels_lose_classes_and_none_loses_all(self) -> None:
        labels = torch.from_numpy((np.random.default_rng(0).random((400, 6)) < 0.6).astype(np.float32))
        fewer = label_network._with_fewer(labels, 0.5, 0, 3)
        assert ((fewer == labels) | (fewer == 0)).all()
        assert (fewer.any(dim=1) == labels.any(dim=1)).all()
        changed = (fewer != labels).any(dim=1).float().mean()
        assert 0.25 < changed < 0.5
        assert torch.equal(label_network._with_fewer(labels, 0.5, 0, 3), fewer)
        assert torch.equal(label_network._with_fewer(labels, 0.0, 0, 3), labels)

    def test_a_training_meets_labels_that_were_not_among_its_targets(
        self, separable: tuple[np.ndarray, np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _, codes, labels = separable
        pairs = np.array([[i in pair for i in range(CLASSES)] for pair in combinations(range(CLASSES), 2)])
        met, loss = [], PrototypeCode.loss

        def seen(settings: Any, batch: torch.Tensor, *others: Any) -> Any:
            met.append(batch.sum(dim=1))
            return loss(settings, batch, *others)

        monkeypatch.setattr(PrototypeCode, "loss", seen)
        settings = SETTINGS.model_copy(update={"fewer": 0.5, "steps": 10})
        train_label_network(PrototypeCode, codes, labels, pairs, settings, bits=BITS, seed=0)
        assert set(torch.cat(met).tolist()) == {1, 2}
