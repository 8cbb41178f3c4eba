"""Models of others: perceptual hashes by name, networks in files, and services; each a hash model, or a list that is searched."""

from hashprobe.hashing.models.outside.asking import Service, ServiceSettings
from hashprobe.hashing.models.outside.files import check_deterministic, has_gradients, open_file
from hashprobe.hashing.models.outside.network import Hyperplanes
from hashprobe.hashing.models.outside.perceptual import PerceptualHash, PerceptualSettings, perceptual_hash
from hashprobe.hashing.models.outside.ranked import RankedService
from hashprobe.hashing.models.outside.services import open_service, service_of, share_service
from hashprobe.hashing.models.outside.settings import FileSettings

__all__ = [
    "FileSettings",
    "Hyperplanes",
    "PerceptualHash",
    "PerceptualSettings",
    "RankedService",
    "Service",
    "ServiceSettings",
    "check_deterministic",
    "has_gradients",
    "open_file",
    "open_service",
    "perceptual_hash",
    "service_of",
    "share_service",
]
