"""THA's code: its loss beside a slow reading of the formula, which way its gradient leads, and what training finds."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from hashprobe.retrieval import pack, unpack
from hashprobe.targets import CircleCode, train_label_network
from hashprobe.targets.codes import CircleSettings, LabelNetwork

BITS, CLASSES = 16, 4
SETTINGS = CircleSettings(steps=300, batch_size=16, learning_rate=1e-3, hidden=64)


def loss_of(
    relaxed: torch.Tensor, codes: torch.Tensor, similar: torch.Tensor, weight: float = 0.0
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    settings = CircleSettings(quantisation=weight)
    return CircleCode.loss(
        settings, torch.empty(0), (torch.empty(0), relaxed), codes, similar, torch.Generator()
    )


def given(seed: int = 0, labels: int = 5, images: int = 7) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    relaxed = torch.tanh(torch.randn(labels, BITS, generator=generator, dtype=torch.float64))
    codes = torch.randint(2, (images, BITS), generator=generator).double() * 2 - 1
    similar = torch.randint(2, (labels, images), generator=generator).double()
    similar[:, 0], similar[:, 1] = 1, 0
    return relaxed, codes, similar


def test_the_loss_is_the_formula() -> None:
    relaxed, codes, similar = given()
    loss, shown = loss_of(relaxed, codes, similar, weight=0.5)
    circle = quantisation = 0.0
    for h, own in zip(relaxed.tolist(), similar.tolist(), strict=True):
        near = far = 0.0
        for b, alike in zip(codes.tolist(), own, strict=True):
            s = sum(x * y for x, y in zip(h, b, strict=True)) / BITS
            if alike:
                near += math.exp(-max(0.0, 2 - s) * s)
            else:
                far += math.exp(max(0.0, 2 + s) * s)
        circle += math.log(1 + near * far) / len(relaxed)
        quantisation += sum(((1 if x >= 0 else -1) - x) ** 2 for x in h) / len(relaxed)
    assert float(shown["circle"]) == pytest.approx(circle, rel=1e-9)
    assert float(loss) == pytest.approx(circle + 0.5 * quantisation, rel=1e-9)


def test_the_weights_are_constants_to_the_gradient() -> None:
    relaxed, codes, similar = given(1)
    relaxed.requires_grad_()
    loss_of(relaxed, codes, similar)[0].backward()
    # By hand: d loss / d s_n = σ(n + p) softmax_n a_n, and with the other sign for the relevant ones.
    with torch.no_grad():
        s = relaxed @ codes.T / BITS
        side = torch.where(similar > 0, -(2 - s) * s, (2 + s) * s).exp()
        irrelevant, relevant = side * (1 - similar), side * similar
        product = irrelevant.sum(1, keepdim=True) * relevant.sum(1, keepdim=True)
        slope = irrelevant / irrelevant.sum(1, keepdim=True) * (2 + s)
        slope -= relevant / relevant.sum(1, keepdim=True) * (2 - s)
        expected = (product / (1 + product) * slope) @ codes / BITS / len(relaxed)
    torch.testing.assert_close(relaxed.grad, expected)


@pytest.mark.parametrize("side", [0.0, 1.0])
def test_a_label_with_images_on_one_side_alone_asks_for_nothing(side: float) -> None:
    relaxed, codes, similar = given(2)
    similar[0] = side
    relaxed.requires_grad_()
    loss_of(relaxed, codes, similar)[0].backward()
    assert relaxed.grad is not None
    assert not relaxed.grad[0].any()
    assert relaxed.grad[1:].abs().sum(1).min() > 0


def test_training_finds_the_code_of_each_class() -> None:
    rng = np.random.default_rng(4)
    of_class, classes = rng.choice([-1, 1], size=(CLASSES, BITS)), np.arange(40) % CLASSES
    signs = of_class[classes]
    signs[np.arange(40), rng.integers(BITS, size=40)] *= -1
    labels = np.eye(CLASSES, dtype=np.uint8)[classes]
    network, records = train_label_network(
        CircleCode, pack(signs), labels, labels, SETTINGS, bits=BITS, seed=0
    )
    assert type(network) is LabelNetwork, "no label head"
    assert records[-1]["circle"] < math.log(1 + 10 * 30)  # what a network has whose similarities are all 0
    assert records[-1].keys() == {"step", "loss", "circle", "learning_rate"}
    distances = (unpack(CircleCode(network=network)(np.eye(CLASSES)), BITS)[:, None] != of_class[None]).sum(
        axis=2
    )
    others = distances[~np.eye(CLASSES, dtype=bool)]
    assert distances.diagonal().max() + 4 <= others.min()
