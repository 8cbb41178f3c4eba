"""When foolbox is to count an image as adversarial: by its code."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from hashprobe.attacks.interop.library import library
from hashprobe.errors import HashprobeError, check_whole_number
from hashprobe.hashing import HashModel
from hashprobe.retrieval import unpack
from hashprobe.targets import Goal


def goal_reached(model: HashModel, goal: Goal, *, radius: int) -> Any:
    """Return a criterion of foolbox: whether a search within a Hamming radius of the goal's codes finds an image.

    Targeted, an image is adversarial when its code lies within ``radius`` bits of its goal's; untargeted, when it lies more than
    ``radius`` bits from it. It is a ``Misclassification`` of the labels of :class:`GoalClassifier`, so that attacks that need
    a loss take it as well. The model is asked once more for every look, since a classifier's outputs do not tell the code.

    Args:
        model: The attacked model.
        goal: What is to be reached, with codes, for the images of the call in their order.
        radius: Bits, 0 to K.

    Raises:
        HashprobeError: foolbox is not installed, a radius out of range, or a goal without codes.
    """
    criteria = library("foolbox").criteria
    check_whole_number("radius", radius, least=0, most=model.bits)
    if goal.codes is None:
        raise HashprobeError("a goal without codes has no radius around them; give one with codes.")
    wanted = unpack(goal.codes, model.bits)

    class GoalReached(criteria.Misclassification):  # type: ignore[name-defined, misc]
        def __repr__(self) -> str:
            return f"goal_reached({goal.objective}, radius={radius})"

        def __call__(self, perturbed: Any, outputs: Any) -> Any:
            pictures = getattr(perturbed, "raw", perturbed)
            distance = (unpack(model.codes(pictures), model.bits) != wanted).sum(axis=1)
            reached = distance <= radius if goal.objective == "targeted" else distance > radius
            answer = torch.from_numpy(np.asarray(reached)).to(pictures.device)
            return type(perturbed)(answer) if pictures is not perturbed else answer

    return GoalReached(torch.ones(len(wanted), dtype=torch.int64, device=model.device))
