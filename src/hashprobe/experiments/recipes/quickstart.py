"""``quickstart``: the whole way on generated OpenMoji scenes, in about four minutes of two CPU cores."""

from __future__ import annotations

from hashprobe.evaluation import CellSpec
from hashprobe.experiments.models import AttackedModel
from hashprobe.experiments.recipes.recipe import RECIPES, Experiment
from hashprobe.experiments.scales import SCALES

QUICKSTART = RECIPES.register("quickstart")(
    Experiment(
        name="quickstart",
        title="Trained attacks and baselines against a 32-bit DPSH model on generated OpenMoji scenes at 64×64.",
        data="openmoji",
        data_options={"queries": 200, "database": 2500, "train": 2000},
        image_size=64,
        model=AttackedModel(bits=32, training=SCALES["cpu"].training.model_copy(update={"epochs": 4})),
        scale="cpu",
        # A generator that sees the code alone learns in half a minute; a step from its image on is worth more than FGSM's.
        trained={"CodeGenerator": {"sees": "code", "epochs": 4}},
        protocols=("paper", "disjoint"),
        codes=("p2p", "anchor", "prototype", "ap-search"),
        attacks=(
            CellSpec(attack="Noise"),
            CellSpec(attack="P2P", settings={"steps": 10}),
            CellSpec(attack="DHTA", settings={"steps": 10}, gallery=True),
            CellSpec(attack="FGSM"),
            CellSpec(attack="I-FGSM", settings={"steps": 10}),
            CellSpec(attack="ProS-GAN", settings={"epsilon": 16 / 255}, gallery=True),
            CellSpec(attack="ProS-GAN", settings={"epsilon": 8 / 255}, gallery=True),
            CellSpec(attack="CodeGenerator"),
            CellSpec(attack="FewStep", start="CodeGenerator", settings={"steps": 1}, gallery=True),
        ),
        # As measured on two cores of an AMD EPYC.
        expected_minutes={
            "data": 0.1,
            "hash model": 0.7,
            "prototype": 0.2,
            "ProS-GAN": 1.7,
            "CodeGenerator": 0.4,
            "attacks": 1.0,
        },
    )
)
