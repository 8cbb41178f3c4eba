"""Hash models: backbone, hash layer, their own preprocessing; the losses that train them, and training."""

from hashprobe.hashing.backbones import BACKBONES, CAFFE_MEAN, CAFFE_STD, Backbone, build_backbone
from hashprobe.hashing.losses import DPH, DPSH, HASH_LOSSES, HashLoss, HashNet, ScaledHashLoss
from hashprobe.hashing.models import MODELS, HashModel, HashModelSpec, feature_maps, frozen, open_model
from hashprobe.hashing.training import Batch, BatchHook, HashTrainingSettings, train_hash_model

__all__ = [
    "BACKBONES",
    "CAFFE_MEAN",
    "CAFFE_STD",
    "DPH",
    "DPSH",
    "HASH_LOSSES",
    "MODELS",
    "Backbone",
    "Batch",
    "BatchHook",
    "HashLoss",
    "HashModel",
    "HashModelSpec",
    "HashNet",
    "HashTrainingSettings",
    "ScaledHashLoss",
    "build_backbone",
    "feature_maps",
    "frozen",
    "open_model",
    "train_hash_model",
]
