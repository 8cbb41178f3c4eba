"""An experiment, described: data, attacked model, ProS-GAN, and the rows that are wanted. Recipes are instances of it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from hashprobe.attacks.prosgan import ProSGANSettings
from hashprobe.evaluation import AttackCell
from hashprobe.hashing import HashTrainingSettings
from hashprobe.registry import Registry
from hashprobe.targets import PrototypeSettings


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AttackedModel(_Frozen):
    """The hash model that is attacked.

    Attributes:
        backbone: A name of :func:`hashprobe.hashing.build_backbone`.
        weights: Where its weights come from.
        mean: Normalisation of the images where the weights want another than the backbone's own, per channel, in [0, 1] units.
        std: The same for the standard deviation.
        bits: Code length K.
        training: How it is trained.
    """

    backbone: str = "efficientnet_lite0"
    weights: str = "bundled"
    mean: tuple[float, float, float] | None = None
    std: tuple[float, float, float] | None = None
    bits: int = 32
    training: HashTrainingSettings = HashTrainingSettings()


class Experiment(_Frozen):
    """Everything that a run needs to know, and that its results depend on, apart from the seed.

    Attributes:
        name: Of the recipe.
        title: What it does, in a sentence.
        data: A name or folder for :func:`hashprobe.data.load`.
        data_options: Its further options.
        image_size: Side of the images.
        model: The attacked model.
        prototype: How PrototypeNet is trained.
        prosgan: How the generator is trained; ``None`` leaves ProS-GAN out.
        protocols: Target label protocols.
        attacks: The rows beside ``Original`` and the target codes' own.
        gallery: Queries in the gallery.
        expected_minutes: What each part took where the recipe was measured; said at the start.
    """

    name: str
    title: str
    data: str
    data_options: dict[str, Any] = Field(default_factory=dict)
    image_size: int = 64
    model: AttackedModel = AttackedModel()
    prototype: PrototypeSettings = PrototypeSettings()
    prosgan: ProSGANSettings | None = ProSGANSettings()
    protocols: tuple[str, ...] = ("paper", "disjoint")
    attacks: tuple[AttackCell, ...] = ()
    gallery: int = 12
    expected_minutes: dict[str, float] = Field(default_factory=dict)


RECIPES: Registry[Experiment] = Registry("recipe")
