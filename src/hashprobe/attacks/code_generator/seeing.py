"""What a code generator sees of the attacked model: its feature maps on an image, and one gradient."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import torch

from hashprobe.attacks.code_generator.networks import MapSize, Seen
from hashprobe.attacks.objectives import OBJECTIVES
from hashprobe.errors import HashprobeError
from hashprobe.hashing import HashModel, feature_maps, frozen

Look: TypeAlias = Callable[[torch.Tensor], tuple[torch.Tensor, dict[int, torch.Tensor]]]
"""Images in [0, 1] ``(n, 3, s, s)`` -> z ``(n, K)`` and the last map of each size by its side, both with their gradient."""

OBJECTIVE = "scaled"
"""What the gradient descends."""


def look_at(model: HashModel) -> Look:
    """Return what looks at a model, frozen by the caller."""

    def look(images: torch.Tensor) -> tuple[torch.Tensor, dict[int, torch.Tensor]]:
        with feature_maps(model.network) as maps:
            return model.attack_logits(images), maps

    return look


def seen(
    look: Look,
    images: torch.Tensor,
    wanted: torch.Tensor,
    *,
    sizes: Sequence[MapSize],
    done: float | None = None,
) -> Seen:
    """Return what a generator sees, in its own precision and without a gradient.

    Args:
        look: One forward pass of the attacked model.
        images: ``(n, 3, s, s)`` in [0, 1].
        wanted: Signs of the codes to reach, ``(n, K)``.
        sizes: Which maps.
        done: Share of the steps that is done, for a backward pass as well, of the objective as it then is; ``None`` for none.

    Raises:
        HashprobeError: the network has no such maps.
    """
    start = images.detach().requires_grad_(done is not None)
    with torch.set_grad_enabled(done is not None):
        logits, maps = look(start)
        for size in sizes:
            if size.side not in maps or maps[size.side].shape[1] != size.channels:
                raise HashprobeError(
                    f"this generator reads a feature map of {size.side}×{size.side} with {size.channels} channels, which the "
                    "attacked network does not have; attack the one that it was trained against, or train a CodeGenerator with "
                    "sees=code."
                )
        found = None
        if done is not None:
            loss = OBJECTIVES[OBJECTIVE](logits, wanted.to(logits), done).sum()
            (found,) = torch.autograd.grad(loss, start)
    return Seen(
        logits.detach().float(),
        [maps[size.side].detach().float() for size in sizes],
        None if found is None else found.float(),
    )


@torch.no_grad()
def map_sizes(model: HashModel, image_size: int) -> list[MapSize]:
    """Return the feature maps of a model that are smaller than the image, the smallest first."""
    with frozen(model):
        _, maps = look_at(model)(torch.zeros(1, 3, image_size, image_size, device=model.device))
    return [MapSize(side, maps[side].shape[1]) for side in sorted(maps) if side < image_size]
