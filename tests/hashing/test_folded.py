"""A folded model: the same z and gradient, fewer operations, and the model left as it was."""

from __future__ import annotations

import threading

import pytest
import torch
from torch import nn
from torch.nn.utils import prune  # noqa: F401

from hashprobe.hashing import HashModel, feature_maps, folded


def used(model: HashModel) -> HashModel:
    """Return a model whose batch norms have statistics and weights of their own, as a trained one's have."""
    generator = torch.Generator().manual_seed(3)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            for own, low in ((module.running_mean, -0.2), (module.running_var, 0.5), (module.weight, 0.5)):
                own.data.copy_(low + torch.rand(own.shape, generator=generator))
    return model.eval().requires_grad_(False)


def norms(model: HashModel) -> int:
    return sum(isinstance(module, nn.BatchNorm2d) for module in model.modules())


def answers(model: HashModel) -> tuple[torch.Tensor, torch.Tensor, dict[int, torch.Tensor]]:
    images = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(1)).requires_grad_(True)
    with feature_maps(model.network) as maps:
        logits = model.attack_logits(images)
    (gradient,) = torch.autograd.grad(torch.tanh(logits).sum(), images)
    return logits.detach(), gradient, maps


@pytest.mark.parametrize("backbone", ["efficientnet_lite0", "resnet18"])
def test_it_gives_the_same_outputs_gradients_and_maps_without_batch_norms(backbone: str) -> None:
    model = used(HashModel.build(backbone, bits=16))
    before, fingerprint = norms(model), model.sha256()
    copied = folded(model, 64)
    assert (before > 0, norms(copied), norms(model)) == (True, 0, before)
    assert model.sha256() == fingerprint
    (logits, gradient, maps), (wanted, wanted_gradient, wanted_maps) = answers(copied), answers(model)
    torch.testing.assert_close(logits, wanted, rtol=1e-4, atol=1e-4 * float(wanted.abs().mean()))
    torch.testing.assert_close(gradient, wanted_gradient, rtol=1e-2, atol=1e-3 * float(gradient.abs().max()))
    assert maps.keys() == wanted_maps.keys()
    for side, own in maps.items():
        torch.testing.assert_close(
            own, wanted_maps[side], rtol=1e-3, atol=1e-3 * float(own.detach().abs().max())
        )


def test_a_model_without_batch_norms_is_itself() -> None:
    model = HashModel.wrap(nn.Sequential(nn.Conv2d(3, 4, 8), nn.Flatten(), nn.LazyLinear(8)), bits=8)
    model.logits(torch.rand(1, 3, 8, 8))
    assert folded(model, 8) is model


class Twice(nn.Module):
    """A convolution that is used twice, once without its batch norm, and a batch norm of a sum."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm = nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3)
        self.second, self.other = nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        hidden = self.norm(self.first(self.first(images)))
        further = self.second(hidden)
        return (self.other(further + hidden)).mean(dim=(2, 3))


def test_what_cannot_be_folded_stays() -> None:
    model = used(HashModel.wrap(Twice(), bits=3))
    copied = folded(model, 16)
    assert norms(copied) == 2
    torch.testing.assert_close(answers(copied)[0], answers(model)[0])


class Odd(nn.Module):
    """A convolution and its batch norm; a subclass does something beside that which a fold cannot keep."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.norm = nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.beside(images, self.norm(self.convolution(images))).mean(dim=(2, 3))

    def beside(self, images: torch.Tensor, normed: torch.Tensor) -> torch.Tensor:
        return normed


class ReadsTheConvolution(Odd):
    def beside(self, images: torch.Tensor, normed: torch.Tensor) -> torch.Tensor:
        raw = self.convolution(images)
        return normed + raw


class ReadsItsEdges(Odd):
    """On a picture without edges it is as if it did not."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        raw = self.convolution(images)
        edges = raw - nn.functional.avg_pool2d(raw, 3, 1, 1)
        return (self.norm(raw) + edges.abs()).mean(dim=(2, 3))


class ReadsTheNormsWeight(Odd):
    def beside(self, images: torch.Tensor, normed: torch.Tensor) -> torch.Tensor:
        return normed * self.norm.weight[None, :, None, None]


class BrightAlone(Odd):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        raw = self.convolution(images)
        bright = images.mean(dim=(1, 2, 3)) > 0.45
        return torch.where(bright[:, None, None, None], self.norm(raw), raw).mean(dim=(2, 3))


class CannotBeCopied(Odd):
    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()


class WeightOfItsOwn(Odd):
    def __init__(self) -> None:
        super().__init__()
        nn.utils.parametrizations.weight_norm(self.convolution)


class Pruned(Odd):
    def __init__(self) -> None:
        super().__init__()
        nn.utils.prune.l1_unstructured(self.convolution, "weight", amount=0.3)


@pytest.mark.parametrize("odd", Odd.__subclasses__(), ids=lambda odd: odd.__name__)
def test_a_model_that_would_answer_otherwise_is_itself(odd: type[Odd]) -> None:
    model = used(HashModel.wrap(odd(), bits=3))
    state = torch.random.get_rng_state()
    assert folded(model, 16) is model
    assert torch.equal(torch.random.get_rng_state(), state)


def test_such_a_model_without_oddity_is_folded() -> None:
    assert norms(folded(used(HashModel.wrap(Odd(), bits=3)), 16)) == 0
