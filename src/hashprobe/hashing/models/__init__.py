"""Hash models: images in [0, 1] to codes; built, wrapped, loaded from a folder, or found by a name."""

from hashprobe.hashing.models.feature_maps import feature_maps
from hashprobe.hashing.models.frozen import frozen
from hashprobe.hashing.models.hash_model import MODELS, HashModel, open_model
from hashprobe.hashing.models.spec import HashModelSpec

__all__ = ["MODELS", "HashModel", "HashModelSpec", "feature_maps", "frozen", "open_model"]
