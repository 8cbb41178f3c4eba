"""A recipe that is walked in seconds, and what its tests look at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hashprobe.evaluation import CellSpec, ResultRow
from hashprobe.experiments import AttackedModel, Experiment, Run
from hashprobe.hashing import HashTrainingSettings

TRAINING = HashTrainingSettings(epochs=2, batch_size=12, optimizer="adamw", learning_rate=1e-3)
SMALL = Experiment(
    name="small",
    title="A few scenes.",
    data="openmoji",
    data_options={"queries": 6, "database": 40, "train": 24},
    image_size=32,
    model=AttackedModel(bits=12, backbone="squeezenet1_1", weights="none", training=TRAINING),
    trained={
        "prototype": {"steps": 10, "hidden": 32},
        "ProS-GAN": {
            "width": 8,
            "discriminator_width": 8,
            "epochs": 2,
            "batch_size": 12,
            "residual": True,
        },
    },
    protocols=("paper", "disjoint"),
    codes=("p2p", "anchor", "prototype"),
    attacks=(
        CellSpec(attack="Noise"),
        CellSpec(attack="P2P", settings={"steps": 2}),
        CellSpec(attack="DHTA", settings={"steps": 2}),
        CellSpec(attack="FGSM"),
        CellSpec(attack="I-FGSM", settings={"steps": 2}),
        CellSpec(attack="I-FGSM", settings={"steps": 2}, goal="untargeted"),
        CellSpec(attack="ProS-GAN", settings={"epsilon": None}),
        CellSpec(attack="ProS-GAN", settings={"epsilon": 8 / 255}, gallery=True),
    ),
    gallery=2,
)


def run(folder: Path, experiment: Experiment = SMALL, seed: int = 3) -> list[ResultRow]:
    """Run an experiment on the CPU."""
    return Run(experiment, folder, seed=seed, device="cpu")()


def without_times(rows: list[ResultRow]) -> list[dict[str, Any]]:
    """The rows without what two runs may differ in."""
    return [row.without_times() for row in rows]
