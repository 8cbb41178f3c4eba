"""What a result row says beside its score, so that it can be seen whether the score may be trusted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from hashprobe.attacks import Attack, Cost
from hashprobe.data import RetrievalData, Split
from hashprobe.data.audit.duplicates import pixel_hash
from hashprobe.evaluation.attacked import Attacked
from hashprobe.hashing import HashModel, frozen
from hashprobe.images import as_images
from hashprobe.retrieval import bits_apart
from hashprobe.targets import Codes, Goal
from hashprobe.trained import Trained

LOOKED_AT = 256
"""Queries on which the size of a model's outputs is measured, at most."""
BATCH = 64
SMALLEST_ALPHA = {"tanh": 1.0, "sharpening": 0.1}
"""Of the objectives whose tanh a model with large outputs saturates."""


def mean_logit(model: HashModel, images: Any) -> float | None:
    """Return the mean absolute output z of a model on (at most 256 of) some images; ``None`` where it is not finite.

    Args:
        model: The model; left as it was.
        images: uint8 ``(n, 3, h, w)``; evenly spaced rows are looked at.
    """
    rows = np.linspace(0, len(images) - 1, min(len(images), LOOKED_AT)).astype(np.intp)
    total, count = 0.0, 0
    with frozen(model), torch.no_grad():
        for start in range(0, len(rows), BATCH):
            outputs = (
                model.logits(as_images(images[rows[start : start + BATCH]], model.device)).double().abs()
            )
            total, count = total + float(outputs.sum()), count + outputs.numel()
    mean = total / max(count, 1)
    return mean if np.isfinite(mean) else None


def tanh_alpha(attack: Attack) -> float | None:
    """Return the smallest scale α of the ``tanh(α z)`` that a gradient attack differentiates; ``None`` for other objectives."""
    return SMALLEST_ALPHA.get(getattr(attack, "objective", ""))


def of_images(attacked: Attacked | None, queries: int) -> dict[str, Any]:
    """Return the fields of a row that say how far an attack changed its images, and what that took."""
    cost = attacked.cost if attacked else Cost.none(1)
    passes: dict[str, Any] = {
        "forward_passes": float(cost.forward.mean()),
        "backward_passes": float(cost.backward.mean()),
        "questions": float(cost.questions.mean()),
    }
    if attacked is None:
        return passes
    return passes | {
        "linf": attacked.linf,
        "l2": attacked.l2,
        "rms": attacked.rms,
        "won": attacked.won,
        "restart_bits": attacked.restart_bits,
        "seconds_per_image": attacked.seconds / queries,
    }


def trained_in(attack: Attack | None) -> Trained | None:
    """Return the trained attack that makes an attack's images, or that they begin with; ``None`` where there is none."""
    first = attack.stages[0] if attack else None
    return first if isinstance(first, Trained) else None


def of_attack(attack: Attack | None, seed: int) -> dict[str, Any]:
    """Return the fields of a row that an attack says of itself; ``seed`` is that of the evaluation."""
    if attack is None:
        return {}
    said: dict[str, Any] = {
        "norm": getattr(attack, "norm", "linf"),
        "access": attack.access.value,
        "tanh_alpha": tanh_alpha(attack),
    }
    if made := trained_in(attack):
        said["trained"] = True
        if made.training_seed != seed:
            said["training_seed"] = made.training_seed
    return said


def of_codes(codes: Codes, unchanged: Codes, goal: Goal | None, bits: int) -> dict[str, Any]:
    """Return how many bits moved, and how far codes are from what a goal wants.

    Args:
        codes: Packed codes of the attacked queries ``(n, ceil(K / 8))``.
        unchanged: Those of the unchanged queries.
        goal: What was to be reached; ``None`` where it is not known here.
        bits: K.
    """
    said = {"bits_moved": float(bits_apart(codes, unchanged).mean())}
    if goal is not None and goal.codes is not None:
        for name, own in (("goal_bits", codes), ("goal_bits_before", unchanged)):
            apart = float(bits_apart(own, goal.codes).mean())
            said[name] = apart if goal.objective == "targeted" else bits - apart
    return said


def shared_targets(targets: npt.NDArray[np.uint8], own: npt.NDArray[np.uint8]) -> float:
    """Return the share of queries whose target label ``(n, C)`` shares a class with their own."""
    return float((targets & own).any(axis=1).mean())


def duplicates(data: RetrievalData) -> int:
    """Return how many queries have the same pixels as an image of the database or of the training images.

    One line of pixels of each image is compared first, so that hardly any other image is read whole.
    """
    known, queries = set(data.query.lines()), _hashes(data.query, range(len(data.query)))
    found: set[bytes] = set()
    for split in (data.database, data.train):
        alike = [row for row, line in enumerate(split.lines()) if line in known]
        found.update(_hashes(split, alike))
    return sum(own in found for own in queries)


def _hashes(split: Split, rows: Iterable[int]) -> list[bytes]:
    return [pixel_hash(split.images.store[split.images.rows[row]]) for row in rows]
