"""Settings of named experiments, one readable file each, and the run that walks the whole way for any of them."""

from hashprobe.evaluation import AttackCell
from hashprobe.recipes.experiment import RECIPES, AttackedModel, Experiment
from hashprobe.recipes.flickr25k import FLICKR25K_64
from hashprobe.recipes.quickstart import QUICKSTART
from hashprobe.recipes.run import Run, how_made
from hashprobe.recipes.scales import SCALES, Scale

__all__ = [
    "FLICKR25K_64",
    "QUICKSTART",
    "RECIPES",
    "SCALES",
    "AttackCell",
    "AttackedModel",
    "Experiment",
    "Run",
    "Scale",
    "how_made",
]
