"""Named experiments: one readable file each, of numbers alone. Importing this package registers them."""

from hashprobe.experiments.recipes.flickr25k import FLICKR25K_64
from hashprobe.experiments.recipes.quickstart import QUICKSTART
from hashprobe.experiments.recipes.quickstart_seeds import QUICKSTART_SEEDS
from hashprobe.experiments.recipes.recipe import RECIPES, Experiment, find_recipe

__all__ = ["FLICKR25K_64", "QUICKSTART", "QUICKSTART_SEEDS", "RECIPES", "Experiment", "find_recipe"]
