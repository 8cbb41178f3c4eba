"""The audit of data with the chance level of each target label protocol."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy.typing as npt

from hashprobe.data.audit.audit import Audit, audit, audit_folder
from hashprobe.data.loading import check_options, load
from hashprobe.data.protocols import PROTOCOLS, draw_target_labels
from hashprobe.data.registry import DATA_SETS
from hashprobe.errors import HashprobeError
from hashprobe.retrieval import chance_level
from hashprobe.typed_values import checked


@checked
def chance_by_protocol(
    query_labels: npt.NDArray[Any], database_labels: npt.NDArray[Any], *, seed: int = 0
) -> dict[str, float | None]:
    """Return the t-MAP of a random ranking, as a fraction, under each target label protocol.

    Args:
        query_labels: Multi-hot ``(n, C)``.
        database_labels: Multi-hot ``(N, C)``.
        seed: Of the draw of target labels, as in an evaluation.

    Returns:
        By name of the protocol; ``None`` where it allows some query no target label.
    """
    levels: dict[str, float | None] = {}
    for protocol in PROTOCOLS:
        try:
            targets = draw_target_labels(protocol, query_labels, database_labels, seed=seed)
        except HashprobeError:
            levels[protocol] = None
        else:
            levels[protocol] = float(chance_level(targets, database_labels).mean())
    return levels


@checked
def audit_data(
    name_or_path: str | Path, *, image_size: int = 64, seed: int = 0, progress: bool = False, **options: Any
) -> Audit:
    """Audit a data set by name, a folder of lists or a table, with the chance level of each protocol.

    Args:
        name_or_path: A name of ``DATA_SETS``, a folder or a CSV file; faulty lists are audited too.
        image_size: At which pixels are compared.
        seed: Of a generated data set, of splits that are drawn, and of the draw of target labels.
        progress: Whether a progress bar is shown.
        options: As for :func:`hashprobe.data.load`.

    Raises:
        HashprobeError: an unknown name or option, or a folder without lists.
    """
    chances = partial(chance_by_protocol, seed=seed)
    if isinstance(name_or_path, str) and name_or_path in DATA_SETS:
        data = load(name_or_path, image_size=image_size, seed=seed, progress=progress, **options)
        return audit(data, chances=chances, progress=progress)
    check_options(str(name_or_path), partial(audit_folder, name_or_path), options)
    return audit_folder(name_or_path, image_size, seed, chances=chances, progress=progress, **options)
