"""An experiment, described: data, attacked model, what is trained, and the rows that are wanted. Recipes are instances of it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from hashprobe.evaluation import CellSpec
from hashprobe.experiments.models import AttackedModel
from hashprobe.identity import NOT_IDENTITY
from hashprobe.registry import Registry


class Experiment(BaseModel):
    """Everything that a run needs to know, and that its results depend on, apart from the seed.

    Attributes:
        name: Of the recipe.
        title: What it does, in a sentence.
        data: A name or folder for :func:`hashprobe.data.load`.
        data_options: Its further options.
        image_size: Side of the images.
        model: The attacked model.
        scale: The scale whose settings trained attacks and codes have.
        trained: Settings of trained attacks and codes that differ from the scale's, by name.
        protocols: Target label protocols.
        attacks: The rows beside the unchanged queries and the target codes' own.
        codes: Target codes that have rows of their own.
        gallery: Queries in the gallery.
        expected_minutes: What each part took where the recipe was measured; said at the start.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    title: str = Field(json_schema_extra=NOT_IDENTITY)
    data: str
    data_options: dict[str, Any] = Field(default_factory=dict)
    image_size: int = 64
    model: AttackedModel = AttackedModel()
    scale: str = "paper"
    trained: dict[str, dict[str, Any]] = Field(default_factory=dict)
    protocols: tuple[str, ...] = ("paper", "disjoint")
    attacks: tuple[CellSpec, ...] = ()
    codes: tuple[str, ...] = ("p2p", "anchor")
    gallery: int = 12
    expected_minutes: dict[str, float] = Field(default_factory=dict, json_schema_extra=NOT_IDENTITY)


RECIPES: Registry[Experiment] = Registry("recipe")
