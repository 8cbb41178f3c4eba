"""The audit of a data set by its name, of a folder of lists, or of a table."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from hashprobe.data.audit.audit import Audit, audit, audit_folder
from hashprobe.data.loading import check_options, load
from hashprobe.data.registry import DATA_SETS
from hashprobe.typed_values import checked


@checked
def audit_data(
    name_or_path: str | Path, *, image_size: int = 64, seed: int = 0, progress: bool = False, **options: Any
) -> Audit:
    """Audit a data set by name, a folder of lists or a table.

    Args:
        name_or_path: A name of ``DATA_SETS``, a folder or a CSV file; faulty lists are audited too.
        image_size: At which pixels are compared.
        seed: Of a generated data set, of splits that are drawn, and of the draw of target labels.
        progress: Whether a progress bar is shown.
        options: As for :func:`hashprobe.data.load`.

    Raises:
        HashprobeError: an unknown name or option, or a folder without lists.
    """
    if isinstance(name_or_path, str) and name_or_path in DATA_SETS:
        data = load(name_or_path, image_size=image_size, seed=seed, progress=progress, **options)
        return audit(data, seed=seed, progress=progress)
    check_options(str(name_or_path), partial(audit_folder, name_or_path), options)
    return audit_folder(name_or_path, image_size, seed, progress=progress, **options)
