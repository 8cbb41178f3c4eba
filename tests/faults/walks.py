"""Small commands that are killed and find the disk full."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import small

from hashprobe.evaluation import CellSpec
from hashprobe.experiments import Run, evaluate
from helpers import linear_model, tiny_data

RECIPE = small.SMALL.model_copy(
    update={
        "data_options": {"queries": 2, "database": 12, "train": 12},
        "model": small.SMALL.model.model_copy(
            update={"training": small.TRAINING.model_copy(update={"epochs": 1})}
        ),
        "trained": {},
        "protocols": ("paper",),
        "codes": ("p2p",),
        "attacks": (CellSpec(attack="Noise"), CellSpec(attack="FGSM", gallery=True)),
        "gallery": 1,
    }
)


def evaluation(folder: Path) -> list[dict[str, Any]]:
    """``evaluate`` with a gallery and a row of each goal, on noise."""
    rows = evaluate(
        linear_model(),
        tiny_data(queries=2, database=8, train=4),
        attacks=("FGSM", "FGSM:goal=untargeted"),
        protocols=("paper",),
        out=folder,
        gallery=1,
        report=False,
    )
    return small.without_times(rows)


def recipe(folder: Path) -> list[dict[str, Any]]:
    """A recipe with a hash model to train."""
    return small.without_times(Run(RECIPE, folder, seed=3, device="cpu")())
