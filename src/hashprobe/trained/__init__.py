"""Trained attacks and target codes: what they share, and how they are trained once, saved and loaded."""

from hashprobe.trained.base import (
    TRAINED,
    Trained,
    TrainingRun,
    by_name,
    check_against,
    load_trained,
    seeded_name,
    seeds_of,
    train_into,
    train_with_required,
)

__all__ = [
    "TRAINED",
    "Trained",
    "TrainingRun",
    "by_name",
    "check_against",
    "load_trained",
    "seeded_name",
    "seeds_of",
    "train_into",
    "train_with_required",
]
