"""Training of hash models: settings, loop, the start of the hash layer, and the place for what a defence does to a batch."""

from hashprobe.hashing.training.hook import Batch, BatchHook
from hashprobe.hashing.training.loop import train_hash_model
from hashprobe.hashing.training.settings import HashTrainingSettings

__all__ = ["Batch", "BatchHook", "HashTrainingSettings", "train_hash_model"]
