"""Pictures at their own size: the preprocessing as a map beside Pillow's, and budgets in 8 bit."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hashprobe.attacks import FewStep
from hashprobe.attacks.base import project
from hashprobe.data.images.decoding import decode_image
from hashprobe.evaluation.own_size import Pipeline, Preprocessed, as_file, in_eight_bits, resizing, squared
from hashprobe.targets import Goal
from helpers import SIZE, linear_model


@pytest.mark.parametrize(("height", "width"), [(40, 51), (333, 500), (500, 334), (33, 64), (SIZE, SIZE)])
def test_the_map_is_what_decoding_a_file_does(height: int, width: int) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (3, height, width), dtype=np.uint8)
    decoded = decode_image(as_file(picture), SIZE)
    mapped = squared(torch.from_numpy(picture)[None].float() / 255, SIZE)
    off = np.abs(mapped[0].mul(255).round().numpy() - decoded)
    assert off.max() <= 1
    assert (off > 0).mean() < 0.001, "it rounds where Pillow does, to a tie"
    model = linear_model()
    assert np.array_equal(
        Preprocessed(model, SIZE).codes(picture[None])[0], Pipeline(model, SIZE).code(as_file(picture))
    )


def test_an_attack_on_a_linear_model_ends_in_the_corner_of_its_gradient() -> None:
    """With z = w · squared(x) the best change within ε is −ε times the sign of the weights, led back through the resizing."""
    height, width, epsilon = 40, 60, 8 / 255
    model = linear_model(1, std=1.0)
    photo = np.random.default_rng(1).integers(100, 156, (1, 3, height, width), dtype=np.uint8)
    down, across = resizing(height, 0, 40, SIZE), resizing(width, 10, 50, SIZE)
    weights = next(model.network.parameters()).detach().view(3, SIZE, SIZE)
    led_back = down.T @ weights @ across
    through = Preprocessed(model, SIZE)
    before = through.logits(torch.from_numpy(photo).float() / 255)
    goal = Goal(objective="untargeted", codes=through.codes(photo))
    attack = FewStep(epsilon=epsilon, steps=20, step_size=epsilon / 2, last_step_size=epsilon / 8)
    adversarial = attack.run(through, photo, goal).images
    expected = (
        torch.from_numpy(photo).float() / 255 - epsilon * before.sign().view(1, 1, 1, 1) * led_back.sign()
    )
    torch.testing.assert_close(adversarial, expected, atol=1e-6, rtol=0)
    moved = through.logits(adversarial) - before
    whole = epsilon * led_back.abs().sum()
    assert moved.abs().item() == pytest.approx(whole.item(), rel=0.02)
    assert (led_back[:, :, 54:] == 0).all(), "what is cropped away is left as it is"


@given(st.integers(0, 2**32 - 1), st.sampled_from(["linf", "l2"]), st.floats(0.001, 0.2))
def test_a_budget_holds_in_eight_bit(seed: int, norm: str, epsilon: float) -> None:
    rng = np.random.default_rng(seed)
    clean = rng.integers(0, 256, (2, 3, 5, 4), dtype=np.uint8)
    as_float = torch.from_numpy(clean).float() / 255
    wild = as_float + torch.from_numpy(rng.normal(0, 0.2, clean.shape)).float()
    made = in_eight_bits(project(wild, as_float, epsilon, norm), clean, epsilon, norm)  # type: ignore[arg-type]
    change = (made.astype(float) - clean) / 255
    far = np.abs(change).max() if norm == "linf" else np.linalg.norm(change.reshape(2, -1), axis=1).max()
    assert far <= epsilon + 1e-6


def test_a_budget_of_whole_steps_is_used_up() -> None:
    clean = np.full((1, 3, 4, 4), 128, dtype=np.uint8)
    adversarial = torch.from_numpy(clean).float() / 255 + 8 / 255
    assert (in_eight_bits(adversarial, clean, 8 / 255, "linf") == 136).all()
