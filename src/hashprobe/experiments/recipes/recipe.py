"""An experiment, described: data, attacked model, what is trained, and the rows that are wanted. Recipes are instances of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from hashprobe.evaluation import CellSpec
from hashprobe.experiments.models import AttackedModel
from hashprobe.experiments.toml_file import read_based
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
        training_seeds: Seeds that trained attacks are trained with, and what these require; each has a row, and tables show them
            as one line. The run's own seed alone if none is given. The hash model always has that one.
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
    training_seeds: tuple[int, ...] = ()
    protocols: tuple[str, ...] = ("paper", "disjoint")
    attacks: tuple[CellSpec, ...] = ()
    codes: tuple[str, ...] = ("p2p", "anchor")
    gallery: int = 12
    expected_minutes: dict[str, float] = Field(default_factory=dict, json_schema_extra=NOT_IDENTITY)


RECIPES: Registry[Experiment] = Registry("recipe")


def find_recipe(name_or_file: str) -> Experiment:
    """Return a recipe by its name, or as a TOML file describes it.

    A file names the recipe that it starts from as ``base``, and gives the fields of :class:`Experiment` that differ, as
    ``training_seeds = [0, 1, 2]``, or ``epochs = 2`` under ``[trained.ProS-GAN]``; see :func:`read_based`. Its
    name is the file's.

    Args:
        name_or_file: A name of ``RECIPES``, or the path of a file that ends in ``.toml``.

    Raises:
        HashprobeError: an unknown name, a file that cannot be read, or a field or value in it that there is not.
    """
    if not name_or_file.endswith(".toml"):
        return RECIPES[name_or_file]
    read = read_based(name_or_file, RECIPES.__getitem__, kind="recipe", example="quickstart")
    return read.model_copy(update={"name": Path(name_or_file).stem})
