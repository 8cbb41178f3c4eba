"""Named experiments: one readable file each, of numbers alone. Importing this package registers them."""

from hashprobe.experiments.recipes.flickr25k import FLICKR25K_64
from hashprobe.experiments.recipes.quickstart import QUICKSTART
from hashprobe.experiments.recipes.recipe import RECIPES, Experiment

__all__ = ["FLICKR25K_64", "QUICKSTART", "RECIPES", "Experiment"]
