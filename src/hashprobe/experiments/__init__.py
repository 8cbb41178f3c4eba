"""Experiments: the engine that runs tasks, named recipes, the paper's exhibits, and one call from a model to a report."""

from hashprobe.experiments.encoding import Encoded, encode
from hashprobe.experiments.evaluate import check_trained, evaluate
from hashprobe.experiments.grid import Grid
from hashprobe.experiments.models import AttackedModel, train_model_into
from hashprobe.experiments.recipes import RECIPES, Experiment, find_recipe
from hashprobe.experiments.run import Run
from hashprobe.experiments.scales import SCALES, Scale
from hashprobe.experiments.tasks import how_made

__all__ = [
    "RECIPES",
    "SCALES",
    "AttackedModel",
    "Encoded",
    "Experiment",
    "Grid",
    "Run",
    "Scale",
    "check_trained",
    "encode",
    "evaluate",
    "find_recipe",
    "how_made",
    "train_model_into",
]
