"""Several models as one: their codes side by side, and whatever is made against all of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from hashprobe.attacks import PGD, CodeGeneratorAttack
from hashprobe.attacks.code_generator import CodeGeneratorSettings
from hashprobe.cli.options import open_models
from hashprobe.errors import HashprobeError
from hashprobe.experiments import evaluate
from hashprobe.hashing import HashModel, joined, open_model
from hashprobe.retrieval import unpack
from hashprobe.targets import Goal
from hashprobe.trained import TrainingRun
from helpers import conv_model, random_codes, random_images, tiny_data

FIRST, SECOND = 12, 9
IMAGES = random_images(3)


def two() -> tuple[HashModel, HashModel]:
    network = nn.Sequential(nn.Conv2d(3, 4, 5, stride=4), nn.ReLU(), nn.Flatten(), nn.LazyLinear(SECOND))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        network(torch.zeros(1, 3, 16, 16))
    other = HashModel.wrap(
        network, bits=SECOND, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.4), input_size=(16, 16)
    )
    return conv_model(FIRST).eval(), other.eval()


def test_its_codes_are_theirs_side_by_side() -> None:
    one, other = two()
    both = joined([one, other])
    found = unpack(both.codes(IMAGES), FIRST + SECOND)
    wanted = [unpack(model.codes(IMAGES), model.bits) for model in (one, other)]
    assert np.array_equal(found, np.concatenate(wanted, axis=1))
    assert not both.training


def test_its_gradient_is_the_sum_of_theirs() -> None:
    one, other = two()
    gradients = []
    for model in (one, other, joined([one, other])):
        given = IMAGES.clone().requires_grad_(True)
        gradients.append(torch.autograd.grad(model.attack_logits(given).sum(), given)[0])
    torch.testing.assert_close(gradients[0] + gradients[1], gradients[2])


def test_one_attack_turns_bits_of_both() -> None:
    models = two()
    both, goal = joined(models), Goal(codes=random_codes(3, FIRST + SECOND))
    wanted = goal.direction(FIRST + SECOND, IMAGES).numpy()
    found = PGD(steps=20, epsilon=32 / 255, step_size=4 / 255).run(both, IMAGES, goal).images
    for model, bits in zip(models, (slice(0, FIRST), slice(FIRST, None)), strict=True):
        before, after = (
            (unpack(model.codes(images), model.bits) == wanted[:, bits]).mean() for images in (IMAGES, found)
        )
        assert after > before


def test_it_is_known_by_its_models_and_their_order() -> None:
    one, other = two()
    known = {
        joined(models).sha256() for models in ([one, other], [other, one], [one, conv_model(FIRST, seed=4)])
    }
    assert len(known) == 3
    assert joined([one, other]).sha256() in known


class TestByText:
    @pytest.fixture
    def folders(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
        monkeypatch.chdir(tmp_path)
        for seed, name in enumerate(("a", "b")):
            HashModel.build("squeezenet1_1", bits=8, seed=seed).save(tmp_path / name)
        return "a", "b"

    def test_a_plus_joins_folders_and_names_it_after_both(self, folders: tuple[str, str]) -> None:
        ((name, model), (alone, _)) = open_models(["./a+b", "b"], "cpu").items()
        assert (name, alone) == ("a+b", "b")
        assert model.bits == 16
        assert model.sha256() == joined([open_model(folder) for folder in folders]).sha256()
        assert open_model("a+b", bits=16).bits == 16
        with pytest.raises(HashprobeError, match=r"a\+b has 16 bits; 8 were expected"):
            open_model("a+b", bits=8)

    def test_a_folder_of_that_name_goes_before(self, folders: tuple[str, str]) -> None:
        HashModel.build("squeezenet1_1", bits=4, seed=7).save("a+b")
        assert open_model("a+b").bits == 4

    def test_one_that_is_missing_is_said(self, folders: tuple[str, str]) -> None:
        with pytest.raises(HashprobeError, match=r"a\+c is neither a folder nor a registered model"):
            open_model("a+c")


def test_what_is_trained_against_both_is_scored_on_a_third(tmp_path: Path) -> None:
    both, third, data = joined([conv_model(8), conv_model(6, seed=2)]), conv_model(10, seed=3), tiny_data()
    settings = CodeGeneratorSettings(epochs=1, batch_size=8, hidden=4, sees="code", codes=("mainstay",))
    made = CodeGeneratorAttack.train(settings, TrainingRun(model=both, data=data, seed=0))
    attacks = ["DI-FGSM:start=CodeGenerator,steps=2", "FGSM"]
    models = {"both": both, "third": third}
    with pytest.raises(HashprobeError, match="model both: CodeGenerator has to be trained first"):
        evaluate(models, data, attacks=attacks, protocols=["paper"], out=tmp_path)
    rows = evaluate(models, data, attacks=attacks, protocols=["paper"], out=tmp_path, trained=[made])
    assert [row.attack for row in rows] == ["CodeGenerator + DI-FGSM"] * 2 + ["FGSM"] * 4
    assert [(row.bits, row.attacked_model is None) for row in rows] == [
        (14, True),
        (10, False),
        (14, True),
        (10, False),
        (14, False),
        (10, True),
    ]


@pytest.mark.parametrize("count", [0, 1, 2])
def test_fewer_than_two_are_refused(count: int) -> None:
    with pytest.raises(HashprobeError, match="give at least two different models to join"):
        joined([conv_model(FIRST)] * count)


def test_a_transform_that_attacks_do_not_see_is_refused() -> None:
    one, other = two()
    with pytest.raises(HashprobeError, match="a transform that attacks do not see cannot be joined"):
        joined([one, other.with_transform(nn.Identity(), seen_by_attacks=False)])
