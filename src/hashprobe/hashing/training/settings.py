"""How a hash model is trained."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class HashTrainingSettings(BaseModel):
    """How a hash model is trained; the defaults are the paper's (Section 4.2 and the authors' program).

    Attributes:
        loss: A name of ``HASH_LOSSES``.
        loss_settings: Arguments of the loss.
        epochs: Passes over the training images.
        batch_size: Images a step.
        optimizer: ``sgd`` or ``adamw``.
        learning_rate: At the start.
        backbone_rate: Learning rate of the backbone as a share of ``learning_rate``; at 0 no gradient of it is computed.
        momentum: Of SGD.
        weight_decay: Of the optimizer.
        schedule: ``step`` (×0.1 after each third of the epochs) or ``cosine`` (to zero, after a warm-up).
        warm_up: Share of the training over which a cosine schedule rises from zero.
        start: Start of the hash layer: ``random`` or ``labels`` (closed form; see :mod:`hashprobe.hashing.training.init`).
        augment: Whether images are mirrored and shifted by up to a sixteenth of their size. The paper does not.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    loss: str = "dpsh"
    loss_settings: dict[str, float] = Field(default_factory=dict)
    epochs: int = Field(100, ge=1)
    batch_size: int = Field(32, ge=2)
    optimizer: Literal["sgd", "adamw"] = "sgd"
    learning_rate: float = Field(0.05, gt=0)
    backbone_rate: float = Field(1.0, ge=0)
    momentum: float = Field(0.9, ge=0, lt=1)
    weight_decay: float = Field(1e-5, ge=0)
    schedule: Literal["step", "cosine"] = "step"
    warm_up: float = Field(0.05, ge=0, lt=1)
    start: Literal["random", "labels"] = "random"
    augment: bool = False
