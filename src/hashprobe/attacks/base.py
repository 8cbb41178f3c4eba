"""What an attack is, and the one place where its budget is enforced."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch

from hashprobe.errors import HashprobeError
from hashprobe.hashing import HashModel, frozen
from hashprobe.images import ImagesLike, as_images
from hashprobe.registry import Registry
from hashprobe.retrieval import unpack

ATTACKS: Registry[type[Attack]] = Registry("attack")


def project(adversarial: torch.Tensor, images: torch.Tensor, epsilon: float | None) -> torch.Tensor:
    """Return the nearest images to ``adversarial`` within ``epsilon`` (L∞, [0, 1] units) of ``images`` and in [0, 1]."""
    if epsilon is not None:
        adversarial = images + (adversarial - images).clamp(-epsilon, epsilon)
    return adversarial.clamp(0, 1)


@dataclass(frozen=True, kw_only=True)
class Attack(ABC):
    """A targeted attack on a hash model: images and target codes in, adversarial images out.

    A subclass is a frozen dataclass of numbers with one method, :meth:`perturb`; it holds no device and no mode. Calling it
    checks the input, freezes the model, and holds the result to the budget.

    Attributes:
        epsilon: L∞ budget in [0, 1] units; ``None`` for unbounded.
    """

    code: ClassVar[str] = "anchor"
    """The target code that the attack is published with."""
    needs_labels: ClassVar[bool] = False
    """Whether the attack reads the target labels themselves."""
    forward_passes: ClassVar[int] = 0
    backward_passes: ClassVar[int] = 0

    epsilon: float | None = 8 / 255

    def __post_init__(self) -> None:
        if self.epsilon is not None and not 0 < self.epsilon <= 1:
            raise HashprobeError(
                f"epsilon must be in (0, 1], as 8/255, or None for unbounded; found {self.epsilon}."
            )

    def __call__(
        self,
        model: HashModel,
        images: ImagesLike,
        codes: npt.NDArray[np.uint8],
        *,
        generator: torch.Generator | None = None,
        labels: npt.NDArray[Any] | None = None,
    ) -> torch.Tensor:
        """Return adversarial images.

        Args:
            model: The attacked model; left as it was.
            images: ``(n, 3, h, w)``, uint8 or float in [0, 1]; not modified.
            codes: Packed target codes, uint8 ``(n, ceil(K / 8))``.
            generator: Source of randomness on the CPU, for attacks that draw; a fresh one with seed 0 if not given.
            labels: Target labels, multi-hot ``(n, C)``; only for attacks with ``needs_labels``.

        Returns:
            Float images in [0, 1], ``(n, 3, h, w)``, on the model's device, within ``epsilon`` of ``images``.

        Raises:
            HashprobeError: images outside [0, 1], or codes or labels of another shape than the images and model ask for.
        """
        clean = as_images(images, device=model.device).detach()
        goal = _goal(codes, len(clean), model.bits).to(model.device, clean.dtype)
        if self.needs_labels and (labels is None or len(labels) != len(clean)):
            found = "none" if labels is None else len(labels)
            raise HashprobeError(
                f"{type(self).__name__} reads target labels: give labels=, one row an image ({len(clean)}; found {found})."
            )
        if labels is not None and np.ndim(labels) != 2:
            raise HashprobeError(
                f"target labels must be multi-hot, of shape (n, C); found {np.shape(labels)}."
            )
        target = (
            None
            if labels is None
            else torch.from_numpy(np.asarray(labels, dtype=np.float32)).to(model.device)
        )
        with frozen(model):
            adversarial = self.perturb(
                model, clean, goal, generator or torch.Generator().manual_seed(0), target
            )
        return project(adversarial.detach(), clean, self.epsilon)

    @abstractmethod
    def perturb(
        self,
        model: HashModel,
        images: torch.Tensor,
        goal: torch.Tensor,
        generator: torch.Generator,
        labels: torch.Tensor | None,
    ) -> torch.Tensor:
        """Return adversarial images, before the budget is enforced.

        Args:
            model: The attacked model, in eval mode with frozen parameters.
            images: Float ``(n, 3, h, w)`` in [0, 1].
            goal: Target codes as ±1, ``(n, K)``.
            generator: Source of randomness, on the CPU.
            labels: Target labels ``(n, C)`` as float, or ``None``.
        """


def _goal(codes: npt.NDArray[np.uint8], count: int, bits: int) -> torch.Tensor:
    packed = np.asarray(codes)
    expected = (count, -(-bits // 8))
    if packed.dtype != np.uint8 or packed.shape != expected:
        raise HashprobeError(
            f"target codes must be packed uint8 of shape {expected} ({count} images, {bits} bits); "
            f"found {packed.dtype} of shape {packed.shape}. See hashprobe.retrieval.pack."
        )
    return torch.from_numpy(unpack(packed, bits).astype(np.float32))
