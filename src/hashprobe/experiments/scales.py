"""Scales: how large everything is and how long it is trained, from the paper's GPU down to two CPU cores; the same code."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from hashprobe.errors import unknown_name
from hashprobe.hashing import HashTrainingSettings
from hashprobe.registry import Registry
from hashprobe.trained import TRAINED


class Scale(BaseModel):
    """Sizes and schedules that belong together.

    Attributes:
        name: Of the presets that trained attacks and codes have for it.
        image_size: Side of the images.
        training: How a hash model is trained.
        trained: Settings of trained attacks and codes that differ from these presets, by name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    image_size: int
    training: HashTrainingSettings
    trained: dict[str, dict[str, Any]] = Field(default_factory=dict)

    def settings(self, name: str, **changes: Any) -> BaseModel:
        """Return the training settings of a trained attack or code.

        Args:
            name: A name of ``TRAINED``.
            changes: Settings that differ from the scale's.

        Raises:
            HashprobeError: an unknown name or setting.
            pydantic.ValidationError: a value that a setting does not take.
        """
        kind = TRAINED[name]
        preset = kind.presets.get(self.name, kind.Settings())
        values = {**self.trained.get(name, {}), **changes}
        for setting in values:
            if setting not in kind.Settings.model_fields:
                raise unknown_name(f"setting of {name}", setting, kind.Settings.model_fields)
        return kind.Settings(**{**preset.model_dump(), **values})

    def settings_of(self, names: Iterable[str], **changes: Any) -> dict[str, BaseModel]:
        """Return the settings of trained attacks and codes, and of all that they require, what is required first.

        Args:
            names: Of ``TRAINED``.
            changes: Settings of the last of them that differ from the scale's.
        """
        own = list(names)
        found: dict[str, BaseModel] = {}
        for name in own:
            found |= self.settings_of(TRAINED[name].requires)
            found[name] = self.settings(name, **(changes if name == own[-1] else {}))
        return found


SCALES: Registry[Scale] = Registry("scale")

SCALES.register("paper")(Scale(name="paper", image_size=224, training=HashTrainingSettings()))

# As "paper", but for what the authors' programs do and the paper does not say.
SCALES.register("released")(SCALES["paper"].model_copy(update={"name": "released"}))

SCALES.register("cpu")(
    Scale(
        name="cpu",
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
    )
)
