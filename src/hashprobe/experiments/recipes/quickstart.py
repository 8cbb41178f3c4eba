"""``quickstart``: the whole way on generated OpenMoji scenes, in about nine minutes of two CPU cores."""

from __future__ import annotations

from hashprobe.evaluation import CellSpec
from hashprobe.experiments.models import AttackedModel
from hashprobe.experiments.recipes.recipe import RECIPES, Experiment
from hashprobe.experiments.scales import SCALES

QUICKSTART = RECIPES.register("quickstart")(
    Experiment(
        name="quickstart",
        title="ProS-GAN and its baselines against a 32-bit DPSH model on generated OpenMoji scenes at 64×64.",
        data="openmoji",
        data_options={"queries": 200, "database": 2500, "train": 2000},
        image_size=64,
        model=AttackedModel(bits=32, training=SCALES["cpu"].training),
        scale="cpu",
        protocols=("paper", "disjoint"),
        codes=("p2p", "anchor", "prototype"),
        attacks=(
            CellSpec(attack="Noise"),
            CellSpec(attack="P2P", settings={"steps": 20}),
            CellSpec(attack="DHTA", settings={"steps": 20}, gallery=True),
            CellSpec(attack="FGSM"),
            CellSpec(attack="I-FGSM", settings={"steps": 20}),
            CellSpec(attack="ProS-GAN", settings={"epsilon": None}, gallery=True),
            CellSpec(attack="ProS-GAN", settings={"epsilon": 8 / 255}, gallery=True),
        ),
        # As measured by `make quickstart` on two idle cores of an AMD EPYC (Zen 3).
        expected_minutes={
            "data": 0.2,
            "hash model": 2.3,
            "prototype": 0.3,
            "ProS-GAN": 4.7,
            "attacks": 1.7,
        },
    )
)
