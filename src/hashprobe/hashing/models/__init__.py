"""Hash models: images in [0, 1] to codes; built, wrapped, loaded from a folder, found by a name, or made by others."""

from hashprobe.hashing.models.feature_maps import feature_maps
from hashprobe.hashing.models.folded import folded
from hashprobe.hashing.models.frozen import frozen
from hashprobe.hashing.models.hash_model import MODELS, HashModel, no_gradients
from hashprobe.hashing.models.joined import joined
from hashprobe.hashing.models.opening import is_outside, open_model, parts_of
from hashprobe.hashing.models.outside import (
    FileSettings,
    Hyperplanes,
    PerceptualHash,
    PerceptualSettings,
    RankedService,
    ServiceSettings,
    check_deterministic,
    has_gradients,
    open_file,
    open_service,
    perceptual_hash,
    service_of,
    share_service,
)
from hashprobe.hashing.models.spec import HashModelSpec

__all__ = [
    "MODELS",
    "FileSettings",
    "HashModel",
    "HashModelSpec",
    "Hyperplanes",
    "PerceptualHash",
    "PerceptualSettings",
    "RankedService",
    "ServiceSettings",
    "check_deterministic",
    "feature_maps",
    "folded",
    "frozen",
    "has_gradients",
    "is_outside",
    "joined",
    "no_gradients",
    "open_file",
    "open_model",
    "open_service",
    "parts_of",
    "perceptual_hash",
    "service_of",
    "share_service",
]
