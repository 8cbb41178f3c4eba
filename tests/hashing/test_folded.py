"""A folded model: the same z and gradient, fewer operations, and the model left as it was."""

from __future__ import annotations

import pytest
import torch
from torch import nn

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


class Read(nn.Module):
    """Reads what a convolution gave beside its batch norm."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.norm = nn.Conv2d(3, 3, 3), nn.BatchNorm2d(3)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        hidden = self.convolution(images)
        return (self.norm(hidden) + hidden).mean(dim=(2, 3))


def test_a_model_that_would_answer_otherwise_is_itself() -> None:
    model = used(HashModel.wrap(Read(), bits=3))
    assert folded(model, 16) is model
