"""Target codes that something is trained towards: made from the training images alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from hashprobe.errors import HashprobeError
from hashprobe.targets import CODES, Codes, Context
from hashprobe.trained import TRAINED, TrainingRun


def learned_codes(name: str, labels: npt.NDArray[np.uint8], run: TrainingRun, learner: str) -> Codes:
    """Return the packed target codes of labels ``(n, C)``, ``(n, ceil(K / 8))``, from the codes of the run's training images.

    Args:
        name: A name of ``CODES``.
        labels: Multi-hot.
        run: The training; a code that is itself trained must be among what it was given.
        learner: Who learns them, as an error names it.

    Raises:
        HashprobeError: a code that is trained itself, and is not there.
    """
    code = CODES[name]
    if name in TRAINED and name not in run.trained:
        raise HashprobeError(
            f"the {learner} learns codes that are made from training codes, as ap-search; {name} has to be trained itself: "
            f"train it first and give its folder (--trained)."
        )
    own: dict[str, Any] = {"database_codes": run.train_codes, "database_labels": run.data.train.labels}
    context = Context(
        bits=run.model.bits,
        seed=run.seed,
        query_codes=run.train_codes,
        training=lambda: (run.train_codes, run.data.train.labels),
        trained=run.trained,
        **own,
    )
    return code.of(context)(labels)
