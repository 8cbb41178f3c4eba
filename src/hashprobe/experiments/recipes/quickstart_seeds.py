"""``quickstart-seeds``: what the quickstart trains against its hash model, trained with three seeds; how far the rows spread."""

from __future__ import annotations

from hashprobe.experiments.recipes.quickstart import QUICKSTART
from hashprobe.experiments.recipes.recipe import RECIPES

QUICKSTART_SEEDS = RECIPES.register("quickstart-seeds")(
    QUICKSTART.model_copy(
        update={
            "name": "quickstart-seeds",
            "title": "The quickstart's trained attacks, trained with three seeds against one hash model.",
            "training_seeds": (0, 1, 2),
            "attacks": tuple(spec for spec in QUICKSTART.attacks if spec.needs),
            "expected_minutes": {
                part: minutes * (1 if part in ("data", "hash model", "attacks") else 3)
                for part, minutes in QUICKSTART.expected_minutes.items()
            },
        }
    )
)
