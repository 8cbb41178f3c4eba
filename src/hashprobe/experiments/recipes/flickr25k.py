"""``flickr25k-64``: MIRFLICKR-25K at 64×64, sized for two CPU cores; the paper's own sizes are the settings' defaults.

The pictures do not come with hashprobe: ``hashprobe reproduce flickr25k-64 --source FOLDER`` names a folder of lists.
"""

from __future__ import annotations

from hashprobe.evaluation import CellSpec
from hashprobe.experiments.models import AttackedModel
from hashprobe.experiments.recipes.recipe import RECIPES, Experiment
from hashprobe.experiments.scales import SCALES

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
        scale="cpu",
        # A generator that sees the code alone learns in six minutes; a step from its image on is worth two of FewStep's.
        trained={"CodeGenerator": {"sees": "code", "epochs": 14}},
        training_seeds=(0, 1, 2),
        protocols=("paper", "disjoint", "single"),
        codes=("p2p", "anchor", "prototype", "ap-search"),
        attacks=(
            CellSpec(attack="Noise"),
            CellSpec(attack="P2P", settings={"steps": 20}),
            CellSpec(attack="DHTA", settings={"steps": 20}, gallery=True),
            CellSpec(attack="FGSM"),
            CellSpec(attack="FGSM", code="ap-search"),
            CellSpec(attack="I-FGSM", settings={"steps": 20}),
            *(
                CellSpec(attack="FewStep", code="ap-search", settings={"steps": steps})
                for steps in (2, 5, 10)
            ),
            CellSpec(attack="ProS-GAN", settings={"epsilon": 16 / 255}, gallery=True),
            CellSpec(attack="ProS-GAN", settings={"epsilon": 8 / 255}),
            CellSpec(attack="CodeGenerator"),
            *(
                CellSpec(attack="FewStep", start=start, settings={"steps": steps})
                for start in ("ProS-GAN", "CodeGenerator")
                for steps in (1, 2, 5)
            ),
        ),
        # As measured on one thread of an AMD EPYC, while its other core did other work.
        expected_minutes={
            "data": 0.3,
            "hash model": 3.2,
            "prototype": 0.8,
            "ProS-GAN": 14,
            "CodeGenerator": 11,
            "attacks": 32,
        },
    )
)
