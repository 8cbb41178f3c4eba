"""Trained attacks and target codes: what they share, and how they are trained once, saved and loaded."""

from hashprobe.trained.base import TRAINED, Trained, TrainingRun, by_name, load_trained, train_into

__all__ = ["TRAINED", "Trained", "TrainingRun", "by_name", "load_trained", "train_into"]
