"""``flickr25k-64``: MIRFLICKR-25K at 64×64, sized for two CPU cores; the paper's own sizes are the settings' defaults.

The pictures do not come with hashprobe: ``hashprobe reproduce flickr25k-64 --source FOLDER`` names a folder of lists.
"""

from __future__ import annotations

from hashprobe.evaluation import AttackCell
from hashprobe.recipes.experiment import RECIPES, AttackedModel, Experiment
from hashprobe.recipes.scales import SCALES

FLICKR25K_64 = RECIPES.register("flickr25k-64")(
    Experiment(
        name="flickr25k-64",
        title="ProS-GAN and its baselines against a 32-bit DPSH model on MIRFLICKR-25K at 64×64.",
        data="flickr25k",
        image_size=64,
        model=AttackedModel(
            bits=32,
            training=SCALES["cpu"].training.model_copy(
                update={"epochs": 5, "batch_size": 64, "learning_rate": 1e-3}
            ),
        ),
        prototype=SCALES["cpu"].prototype.model_copy(update={"steps": 2000}),
        prosgan=SCALES["cpu"].prosgan.model_copy(update={"epochs": 5}),
        protocols=("paper", "disjoint", "single"),
        attacks=(
            AttackCell(attack="Noise"),
            AttackCell(attack="P2P", settings={"steps": 20}),
            AttackCell(attack="DHTA", settings={"steps": 20}, gallery=True),
            AttackCell(attack="FGSM"),
            AttackCell(attack="I-FGSM", settings={"steps": 20}),
            AttackCell(attack="ProS-GAN", settings={"epsilon": None}, gallery=True),
            AttackCell(attack="ProS-GAN", settings={"epsilon": 8 / 255}),
        ),
        # As measured on two cores of an AMD EPYC (Zen 3).
        expected_minutes={
            "data": 0.3,
            "hash model": 4.9,
            "codes": 0.6,
            "PrototypeNet": 0.8,
            "ProS-GAN": 12,
            "attacks": 24,
        },
    )
)
