"""Settings of the code generator's training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import BaseModel, Field

from hashprobe.attacks.teaching import GeneratorTrainingSettings

Sees = Literal["code", "features"]


class DrawingSettings(GeneratorTrainingSettings):
    """How what draws a bounded change is trained; see :class:`GeneratorTrainingSettings` as well.

    Attributes:
        codes: Target codes that it learns, names of ``CODES``: of each, those of all label vectors of the database.
        width: Channels of the decoder at the largest feature map; four times as many at the smallest.
        epsilon: L∞ budget in [0, 1] units.
    """

    epochs: int = Field(20, ge=1)
    batch_size: int = Field(64, ge=1)
    learning_rate: float = Field(2e-3, gt=0)
    betas: tuple[float, float] = (0.9, 0.99)
    warm_up: int = Field(50, ge=0)
    clip: float | None = Field(1.0, gt=0)
    average: float = Field(0.99, ge=0, lt=1)
    reconstruction: float = Field(0.0, ge=0)
    hamming: float = Field(3.0, ge=0)
    sharpness: float = Field(0.3, gt=0)
    relative: bool = True
    disjoint: bool = True
    mirror: bool = True
    codes: tuple[str, ...] = Field(("ap-search", "mainstay"), min_length=1)
    width: int = Field(32, ge=1)
    epsilon: float = Field(8 / 255, gt=0, le=1)


class CodeGeneratorSettings(DrawingSettings):
    """How a code generator is trained; see :class:`DrawingSettings` as well.

    Attributes:
        hidden: Patterns in the basis of all codes' patterns; they weigh 12 S² bytes each for images of side S.
        pattern_epochs: Epochs in which the code's pattern is learned first, alone, which is cheaper; where a trained code
            generator is given its pattern is taken instead.
        sees: What it draws from: the target ``code`` alone, one pattern for all images; or the ``features`` of the attacked
            network on the image as well, once that pattern is learned.
        decoder_rate: Share of the learning rate at which what looks at the network learns.
        pattern_rate: Share of it at which the pattern then learns further.
    """

    VERSION: ClassVar[int] = 3

    hidden: int = Field(256, ge=1)
    pattern_epochs: int = Field(14, ge=1)
    sees: Sees = "features"
    decoder_rate: float = Field(0.5, gt=0)
    pattern_rate: float = Field(0.15, ge=0)


PRESETS: Mapping[str, BaseModel] = {"cpu": CodeGeneratorSettings(epochs=7, batch_size=32)}
