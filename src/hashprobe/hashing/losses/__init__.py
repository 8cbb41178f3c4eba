"""Losses that train a hash model, one file each: a batch's relaxed codes against the memory bank of all training images."""

from hashprobe.hashing.losses.base import HASH_LOSSES, HashLoss, ScaledHashLoss, scale_at
from hashprobe.hashing.losses.dph import DPH
from hashprobe.hashing.losses.dpsh import DPSH
from hashprobe.hashing.losses.hashnet import HashNet

__all__ = ["DPH", "DPSH", "HASH_LOSSES", "HashLoss", "HashNet", "ScaledHashLoss", "scale_at"]
