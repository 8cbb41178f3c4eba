"""Scales: how large everything is and how long it is trained, from the paper's GPU down to two CPU cores; the same code."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from hashprobe.attacks.prosgan import PROSGAN_SETTINGS, ProSGANSettings
from hashprobe.hashing import HashTrainingSettings
from hashprobe.registry import Registry
from hashprobe.targets import PrototypeSettings


class Scale(BaseModel):
    """Sizes and schedules that belong together.

    Attributes:
        image_size: Side of the images.
        training: How a hash model is trained.
        prototype: How PrototypeNet is trained.
        prosgan: How ProS-GAN's generator is trained.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    image_size: int
    training: HashTrainingSettings
    prototype: PrototypeSettings
    prosgan: ProSGANSettings


SCALES: Registry[Scale] = Registry("scale")

SCALES.register("paper")(
    Scale(
        image_size=224,
        training=HashTrainingSettings(),
        prototype=PrototypeSettings(),
        prosgan=PROSGAN_SETTINGS["paper"],
    )
)

# As "paper", with the Hamming term as the authors' program weighs it.
SCALES.register("released")(SCALES["paper"].model_copy(update={"prosgan": PROSGAN_SETTINGS["released"]}))

SCALES.register("cpu")(
    Scale(
        image_size=64,
        training=HashTrainingSettings(
            epochs=6,
            batch_size=32,
            optimizer="adamw",
            learning_rate=2e-3,
            schedule="cosine",
            start="labels",
            augment=True,
            loss_settings={"eta": 50.0, "growth": 1.0},
        ),
        prototype=PrototypeSettings(steps=1000, learning_rate=5e-4),
        prosgan=PROSGAN_SETTINGS["cpu"],
    )
)
