"""``quickstart``: the whole way on generated OpenMoji scenes, in about ten minutes of two CPU cores."""

from __future__ import annotations

from hashprobe.attacks.prosgan import ProSGANSettings
from hashprobe.hashing import HashTrainingSettings
from hashprobe.recipes.experiment import RECIPES, AttackCell, AttackedModel, Experiment
from hashprobe.targets import PrototypeSettings

QUICKSTART = RECIPES.register("quickstart")(
    Experiment(
        name="quickstart",
        title="ProS-GAN and its baselines against a 32-bit DPSH model on generated OpenMoji scenes at 64×64.",
        data="openmoji",
        data_options={"queries": 200, "database": 2500, "train": 2000},
        image_size=64,
        model=AttackedModel(
            bits=32,
            training=HashTrainingSettings(
                epochs=6,
                batch_size=32,
                optimizer="adamw",
                learning_rate=2e-3,
                schedule="cosine",
                start="labels",
                augment=True,
                loss_settings={"eta": 50.0, "growth": 1.0},
            ),
        ),
        prototype=PrototypeSettings(steps=1000, learning_rate=5e-4),
        prosgan=ProSGANSettings(
            width=16,
            discriminator_width=16,
            epochs=8,
            batch_size=16,
            learning_rate=5e-4,
            reconstruction=6.0,
            hamming=5.0,
            sharpness=0.3,
            residual=True,
            adversarial=0.1,
        ),
        protocols=("paper", "disjoint"),
        attacks=(
            AttackCell(attack="Noise"),
            AttackCell(attack="P2P", settings={"steps": 20}),
            AttackCell(attack="DHTA", settings={"steps": 20}, gallery=True),
            AttackCell(attack="FGSM"),
            AttackCell(attack="I-FGSM", settings={"steps": 20}),
            AttackCell(attack="ProS-GAN", settings={"epsilon": None}, gallery=True),
            AttackCell(attack="ProS-GAN", settings={"epsilon": 8 / 255}, gallery=True),
        ),
        # As measured by `hashprobe quickstart` on two cores of an AMD EPYC (Zen 3).
        expected_minutes={
            "data": 0.2,
            "hash model": 2.3,
            "codes": 0.1,
            "PrototypeNet": 0.4,
            "ProS-GAN": 5.6,
            "attacks": 1.9,
        },
    )
)
