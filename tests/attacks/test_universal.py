"""Universal perturbations: their closed form on a linear model, unseen images, files, and a training that resumes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hashprobe.attacks import Access, Patch, Universal
from hashprobe.attacks.universal import PatchSettings, UniversalSettings, base
from hashprobe.data import RetrievalData, Split
from hashprobe.errors import HashprobeError
from hashprobe.evaluation import CellSpec, Evaluator, measure
from hashprobe.files import read_json_lines
from hashprobe.hashing import HashModel
from hashprobe.retrieval import unpack
from hashprobe.targets import AnchorCode, APSearchCode, Goal, unique_labels
from hashprobe.trained import TrainingRun, load_trained, train_into
from helpers import SIZE, Interrupted, conv_model, linear_model, random_images, tiny_data

BITS, EPSILON = 12, 8 / 255


@pytest.fixture
def data() -> RetrievalData:
    return tiny_data()


def train(model: HashModel, data: RetrievalData, **settings: Any) -> Universal:
    return Universal.train(UniversalSettings(**settings), TrainingRun(model=model, data=data, seed=3))


def anchor_signs(model: HashModel, data: RetrievalData, labels: np.ndarray) -> np.ndarray:
    codes = model.codes(data.train.images)
    anchors = AnchorCode(codes=codes, labels=data.train.labels, bits=model.bits, seed=3)
    return unpack(anchors(labels), model.bits).astype(np.float64)


class TestClosedForm:
    def test_is_the_sign_of_the_summed_weights_at_the_edge(self, data: RetrievalData) -> None:
        """While z is small tanh is the identity: the best v is ε sign(Σ_k h_k w_k), whatever the images are."""
        model = linear_model(BITS, scale=1e-3)
        found = train(model, data, steps=12, batch_size=3, step_sizes=(EPSILON / 4,)).perturbations
        labels = found.labels.numpy()
        assert {tuple(label) for label in unique_labels(data.database.labels)} <= {
            tuple(label) for label in labels
        }
        weights = model.network[1].weight.detach().double().numpy()
        summed = anchor_signs(model, data, labels) @ weights
        sure = np.abs(summed) > np.abs(summed).max() * 1e-3  # elsewhere rounding decides the sign
        # The coloured channel of some images is at 1, where what is added above it has no gradient.
        sure[:, : SIZE * SIZE] = False
        expected = EPSILON * np.sign(summed)
        np.testing.assert_allclose(
            found.values[found.rows].flatten(1).numpy()[sure], expected[sure], atol=1e-6
        )
        assert sure.mean() > 0.6

    def test_labels_of_one_code_share_what_is_trained_and_a_code_may_be_chosen(
        self, data: RetrievalData
    ) -> None:
        model = linear_model(3)  # eight codes, more label vectors
        found = train(model, data, steps=4, target_code="ap-search").perturbations
        codes = APSearchCode(codes=model.codes(data.train.images), labels=data.train.labels, bits=3, seed=3)(
            found.labels.numpy()
        )
        assert len(found.values) == len(np.unique(codes, axis=0)) < len(found.labels)
        for code in np.unique(codes, axis=0):
            assert len(set(found.rows[(codes == code).all(axis=1)].tolist())) == 1
        weights = model.network[1].weight.detach().numpy()
        pushed = found.values[found.rows].flatten(1).numpy() @ weights.T
        assert (unpack(codes, 3) * pushed).sum(axis=1).min() > 0

    def test_a_code_that_is_not_there_is_said(self, data: RetrievalData) -> None:
        with pytest.raises(HashprobeError, match=r"prototype has to be trained itself"):
            train(linear_model(BITS), data, target_code="prototype")
        with pytest.raises(HashprobeError, match=r"no code is named 'nope'|no target code is named 'nope'"):
            train(linear_model(BITS), data, target_code="nope")

    def test_steps_fall_in_size(self) -> None:
        settings = UniversalSettings(steps=7, step_sizes=(0.3, 0.2, 0.1))
        assert [settings.step_size(step) for step in range(7)] == [0.3] * 3 + [0.2] * 2 + [0.1] * 2


class TestAttack:
    def test_brings_images_that_it_has_not_seen_nearer_to_the_anchor_codes(self, data: RetrievalData) -> None:
        model = linear_model(BITS)
        attack = train(model, data, steps=20, batch_size=4)
        images = random_images(30, seed=8)
        for label in attack.perturbations.labels.numpy():
            labels = np.repeat(label[None], 30, axis=0)
            signs = anchor_signs(model, data, label[None])
            result = attack.run(model, images, Goal(labels=labels))
            assert (result.images - images).abs().max() <= EPSILON + 1e-6
            assert result.cost.forward.sum() == result.cost.questions.sum() == 0
            before, after = (
                float((unpack(model.codes(some), BITS) == signs).mean()) for some in (images, result.images)
            )
            assert after > before + 0.25

    def test_it_looks_at_the_label_and_not_at_the_model(self, data: RetrievalData) -> None:
        attack = train(linear_model(BITS), data, steps=4, labels="classes")
        images = torch.full((3, 3, SIZE, SIZE), 0.5)
        goal = Goal(labels=np.eye(3, dtype=np.uint8))
        moved = attack.run(conv_model(BITS), images, goal).images - images
        torch.testing.assert_close(moved, attack.perturbations.values[attack.perturbations.rows])
        assert attack.access is Access.NOTHING
        assert (
            replace(attack, epsilon=0.01).run(conv_model(BITS), images, goal).images - images
        ).abs().max() < 0.011

    def test_a_label_that_was_not_trained_for_is_said(self, data: RetrievalData) -> None:
        attack, images = train(linear_model(BITS), data, steps=1, labels="classes"), random_images(1)
        goal = Goal(labels=np.uint8([[1, 0, 1]]))
        with pytest.raises(
            HashprobeError,
            match=r"no universal perturbation was trained for the target label of the classes \[0, 2\]; there are 3",
        ):
            attack.run(linear_model(BITS), images, goal)

    def test_other_sizes_and_classes_are_refused(self, data: RetrievalData) -> None:
        attack, model = train(linear_model(BITS), data, steps=1), conv_model(BITS)
        with pytest.raises(HashprobeError, match="this Universal takes images of 32×32; found 64×64"):
            attack.run(model, random_images(1, size=64), Goal(labels=np.eye(3, dtype=np.uint8)[:1]))
        with pytest.raises(
            HashprobeError, match="these perturbations know 3 classes; the target labels have 5"
        ):
            attack.run(model, random_images(1), Goal(labels=np.eye(5, dtype=np.uint8)[:1]))

    def test_a_cell_of_it_is_measured_like_any_other(self, data: RetrievalData) -> None:
        model = linear_model(BITS)
        attack = train(model, data, steps=20)
        evaluator = Evaluator(model, data, seed=0, trained=[attack])
        row = measure(CellSpec.read("Universal:epsilon=4/255"), "paper", evaluator).rows[0]
        assert (row.row, row.code) == ("universal-4of255-paper", "anchor")
        assert row.linf == pytest.approx(4 / 255, rel=1e-4)
        assert (row.forward_passes, row.questions) == (0, 0)
        with pytest.raises(HashprobeError, match="Universal was trained against another model"):
            measure(
                CellSpec.read("Universal"),
                "paper",
                Evaluator(conv_model(BITS), data, seed=0, trained=[attack]),
            )


class TestLabels:
    def test_labels_are_those_of_the_database_and_its_classes_alone(self, data: RetrievalData) -> None:
        labels = np.repeat(np.uint8([[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0], [1, 0, 0, 0]]), 5, axis=0)
        wider = replace(
            data,
            class_names=("a", "b", "c", "d"),
            database=Split(data.database.images, labels, data.database.names),
        )
        alone = np.eye(4, dtype=np.uint8)[:3]
        assert np.array_equal(base._labels(wider, UniversalSettings(labels="classes")), alone)
        own = {tuple(label) for label in base._labels(wider, UniversalSettings()).tolist()}
        assert own == {(1, 1, 0, 0), (0, 1, 1, 0), *map(tuple, alone.tolist())}


class TestTraining:
    def test_goes_on_after_a_kill_as_if_there_had_been_none(
        self, data: RetrievalData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        model, settings = conv_model(BITS), UniversalSettings(steps=6, batch_size=4)
        run = TrainingRun(model=model, data=data, seed=3, logs=tmp_path / "logs")
        whole = Universal.train(settings, run)
        log = read_json_lines(tmp_path / "logs" / "universal.jsonl")
        monkeypatch.setattr(base, "SECONDS_BETWEEN_CHECKPOINTS", -1.0)
        steps, draw = [], base.numpy_generator

        def draw_until_killed(seed: int, *names: str | int) -> np.random.Generator:
            steps.append(names[-1])
            if len(steps) == 4:
                raise Interrupted
            return draw(seed, *names)

        monkeypatch.setattr(base, "numpy_generator", draw_until_killed)
        with pytest.raises(Interrupted):
            train_into("Universal", settings, run, tmp_path / "killed")
        resumed = train_into("Universal", settings, run, tmp_path / "killed")
        assert steps == [0, 1, 2, 3, 3, 4, 5]
        assert resumed.sha256() == whole.sha256()
        assert read_json_lines(tmp_path / "logs" / "universal.jsonl") == log
        assert [record["step"] for record in log] == [1, 2, 3, 4, 5, 6]
        assert log[-1]["bits"] > log[0]["bits"]
        assert not (tmp_path / "killed" / "checkpoint.safetensors").exists()

    def test_comes_back_from_its_folder(self, data: RetrievalData, tmp_path: Path) -> None:
        model = linear_model(BITS)
        attack = train(model, data, steps=2, epsilon=0.02)
        attack.save(tmp_path)
        back = load_trained(tmp_path, kind="Universal")
        assert isinstance(back, Universal)
        assert back.sha256() == attack.sha256()
        assert (back.epsilon, back.settings, back.attacked_model) == (0.02, attack.settings, model.sha256())
        assert back.facts() == {
            "bits": BITS,
            "classes": 3,
            "labels": len(attack.perturbations.labels),
            "codes": len(attack.perturbations.values),
            "image_size": SIZE,
        }
        goal = Goal(labels=unique_labels(data.database.labels)[:2])
        images = random_images(2)
        assert torch.equal(attack.run(model, images, goal).images, back.run(model, images, goal).images)

    def test_leaves_the_model_as_it_was(self, data: RetrievalData) -> None:
        model = conv_model(BITS)
        before = model.sha256()
        train(model, data, steps=2)
        assert model.sha256() == before
        assert model.training
        assert all(parameter.grad is None and parameter.requires_grad for parameter in model.parameters())

    def test_how_many_labels_share_a_pass_changes_nothing(
        self, data: RetrievalData, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        model = conv_model(BITS).double()
        whole = train(model, data, steps=3, batch_size=4).perturbations.values
        monkeypatch.setattr(base, "PICTURES", 1)
        torch.testing.assert_close(train(model, data, steps=3, batch_size=4).perturbations.values, whole)


class TestPatch:
    def test_covers_its_corner_and_nothing_else(self, data: RetrievalData) -> None:
        run = TrainingRun(model=linear_model(BITS), data=data, seed=3)
        attack = Patch.train(PatchSettings(steps=2, batch_size=4, area=0.25, labels="classes"), run)
        images, labels = random_images(3), np.eye(3, dtype=np.uint8)
        made = attack.run(conv_model(BITS), images, Goal(labels=labels)).images
        half = SIZE // 2
        own = attack.perturbations
        torch.testing.assert_close(made[:, :, half:, half:], own.values[own.rows])
        assert torch.equal(made[:, :, :half], images[:, :, :half])
        assert torch.equal(made[:, :, :, :half], images[:, :, :, :half])
        assert attack.epsilon is None

    def test_ends_at_the_known_optimum_of_a_linear_model(self, data: RetrievalData) -> None:
        """While z is small no bit is reached: the best patch is 1 where Σ_k c_k w_k is positive, and 0 elsewhere."""
        model = linear_model(BITS, scale=1e-3)
        run = TrainingRun(model=model, data=data, seed=3)
        settings = PatchSettings(steps=20, batch_size=3, area=0.25, labels="classes", step_sizes=(0.05,))
        found = Patch.train(settings, run).perturbations
        weights = model.network[1].weight.detach().double().numpy()
        summed = (anchor_signs(model, data, found.labels.numpy()) @ weights).reshape(-1, 3, SIZE, SIZE)
        corner = summed[:, :, SIZE // 2 :, SIZE // 2 :]
        sure = np.abs(corner) > np.abs(corner).max() * 1e-3
        np.testing.assert_allclose(found.values[found.rows].numpy()[sure], (corner > 0)[sure], atol=1e-6)

    def test_bits_that_are_reached_no_longer_count(self) -> None:
        logits = torch.tensor([[2.0, 0.1, -2.0]])  # tanh: 0.96, 0.10, -0.96
        loss = Patch.loss(logits, torch.ones(1, 3))
        assert float(loss) == pytest.approx(-(np.tanh(0.1) + np.tanh(-2.0)) / 3, rel=1e-6)

    def test_is_saved_and_loaded(self, data: RetrievalData, tmp_path: Path) -> None:
        run = TrainingRun(model=linear_model(BITS), data=data, seed=3)
        attack = Patch.train(PatchSettings(steps=1, batch_size=2, labels="classes"), run)
        attack.save(tmp_path / "patch")
        again = load_trained(tmp_path / "patch")
        assert again.sha256() == attack.sha256()
        assert torch.equal(again.perturbations.values, attack.perturbations.values)


def test_what_is_bounded_by_its_training_has_no_unbounded_form(data: RetrievalData) -> None:
    universal = train(linear_model(BITS), data, steps=1, batch_size=3)
    with pytest.raises(
        HashprobeError, match=r"this Universal was trained within 8/255, so it has no unbounded"
    ):
        replace(universal, epsilon=None)
