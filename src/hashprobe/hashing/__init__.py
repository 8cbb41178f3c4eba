"""Hash models: backbone, hash layer, their own preprocessing; the losses that train them, and training."""

from hashprobe.hashing.backbones import CAFFE_MEAN, CAFFE_STD, Backbone, build_backbone
from hashprobe.hashing.frozen import frozen
from hashprobe.hashing.losses import DPH, DPSH, HASH_LOSSES, HashLoss, HashNet, ScaledHashLoss
from hashprobe.hashing.model import HashModel, HashModelSpec
from hashprobe.hashing.training import HashTrainingSettings, train_hash_model

__all__ = [
    "CAFFE_MEAN",
    "CAFFE_STD",
    "DPH",
    "DPSH",
    "HASH_LOSSES",
    "Backbone",
    "HashLoss",
    "HashModel",
    "HashModelSpec",
    "HashNet",
    "HashTrainingSettings",
    "ScaledHashLoss",
    "build_backbone",
    "frozen",
    "train_hash_model",
]
