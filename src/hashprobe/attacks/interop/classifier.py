"""A hash model and a goal as a classifier of two classes, which attacks made for classifiers can attack."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from hashprobe.attacks.objectives import OBJECTIVES, Objective
from hashprobe.errors import HashprobeError
from hashprobe.hashing import HashModel, frozen
from hashprobe.targets import Goal


class GoalClassifier(nn.Module):
    """Two logits a picture, ``(a, threshold)`` with a = −loss: class 0 has reached its goal, class 1 has not.

    An untargeted attack on :attr:`labels` (all 1) raises the cross entropy ``log(1 + exp(a − threshold))``. Its gradient is that
    of a times a positive factor, so that steps along its sign are those of hashprobe's own attacks with the same objective. For a
    targeted goal that is towards the codes, for an untargeted one away from them: the goal's direction says so, and the library's
    attack is in neither case put in a targeted mode.

    Goals belong to images: the pictures of a call must be the n images in their order or, where n is 1, any number of pictures
    of that image. The model is no part of this module: it is asked in eval mode with frozen parameters, and left as it was,
    whatever a library does to the module's mode or parameters.

    Args:
        model: The attacked model.
        goal: What is to be reached, with codes.
        objective: The loss, a name of ``OBJECTIVES`` or such a function. Some of them change as steps go on, which a library
            does not tell: they are taken at ``done``.
        done: Share of the steps, 0 to 1. ``objective="scaled", done=0`` is what FGSM descends.
        threshold: From which a on an image counts as having reached its goal. Attacks that look for the smallest change over the
            border, or stop at it, hang on it. What is a mean of a tanh never crosses 1, nor comes near it.

    Raises:
        HashprobeError: a goal without codes; when called, another number of pictures than of images.
    """

    direction: torch.Tensor

    def __init__(
        self,
        model: HashModel,
        goal: Goal,
        *,
        objective: str | Objective = "scaled",
        done: float = 1.0,
        threshold: float = 0.0,
    ) -> None:
        def logits(pictures: torch.Tensor) -> torch.Tensor:
            with frozen(model):
                return model.attack_logits(pictures)

        direction = goal.direction(model.bits, torch.zeros((), device=model.device))
        self._begin(logits, direction, objective, done, threshold)

    def _begin(
        self,
        logits: Callable[[torch.Tensor], torch.Tensor],
        direction: torch.Tensor,
        objective: str | Objective,
        done: float,
        threshold: float,
    ) -> None:
        super().__init__()
        self._loss = OBJECTIVES[objective] if isinstance(objective, str) else objective
        self._logits, self.done, self.threshold = logits, done, threshold
        self.register_buffer("direction", direction, persistent=False)
        # Libraries ask a model's parameters where it lives, and put one that trains back in training mode.
        self.place = nn.Parameter(torch.zeros((), device=direction.device), requires_grad=False)
        self.eval()

    @classmethod
    def of_logits(
        cls,
        logits: Callable[[torch.Tensor], torch.Tensor],
        direction: torch.Tensor,
        *,
        objective: str | Objective = "scaled",
        threshold: float = 0.0,
    ) -> GoalClassifier:
        """Return a classifier around a function, with the objective as it is after all steps.

        Args:
            logits: Float pictures ``(m, 3, h, w)`` in [0, 1] -> z ``(m, K)``, differentiable.
            direction: The signs that the codes of the images are to take, ``(n, K)``.
            objective: As for the class.
            threshold: As for the class.
        """
        made = cls.__new__(cls)
        made._begin(logits, direction, objective, 1.0, threshold)
        return made

    @property
    def labels(self) -> torch.Tensor:
        """The class that every image starts from and is to leave, int64 ``(n,)``: 1, not there yet."""
        return torch.ones(len(self.direction), dtype=torch.int64, device=self.direction.device)

    def forget(self) -> None:
        """Let go of the model; the classifier answers no more."""
        self._logits = _forgotten

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return ``(a, threshold)`` for float pictures ``(m, 3, h, w)`` in [0, 1]: ``(m, 2)``."""
        if len(self.direction) not in (1, len(pictures)):
            raise HashprobeError(
                f"the attack asks for {len(pictures)} pictures of {len(self.direction)} images, so that it is unknown which "
                "goal is whose; attack one image at a time."
            )
        logits = self._logits(pictures)
        value = -self._loss(logits, self.direction.to(logits).expand_as(logits), self.done)
        return torch.stack([value, torch.full_like(value, self.threshold)], dim=1)


def _forgotten(pictures: torch.Tensor) -> torch.Tensor:
    raise HashprobeError("this classifier belongs to an attack that is over; make one of a model and a goal.")
