"""Whose pictures a report shows, and under which licence: said beside them and at the foot of the page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hashprobe.report.run import RunRecord
from hashprobe.text import plain


@dataclass(frozen=True)
class Credit:
    """An attribution.

    Attributes:
        by: Whom the pictures are by, in words (``"Drawings by OpenMoji"``).
        url: Their page, or empty.
        licence: Its name, or empty.
        licence_url: Its text, or empty.
        note: How the pictures differ from what was licensed, or empty.
    """

    by: str
    url: str = ""
    licence: str = ""
    licence_url: str = ""
    note: str = ""


KNOWN = {
    "openmoji": Credit(
        by="Drawings by OpenMoji",
        url="https://openmoji.org",
        licence="CC BY-SA 4.0",
        licence_url="https://creativecommons.org/licenses/by-sa/4.0/",
        note="composed into scenes; adversarial pictures are changed by an attack. "
        "Whoever shares these pictures shares them under the same licence.",
    )
}
"""Of the data that come with hashprobe; others say theirs in ``experiment.json``."""


def credit_of(run: RunRecord) -> Credit | None:
    """Return the attribution of a run's pictures: ``data.credit`` of ``experiment.json``, or that of known data."""
    data = run.experiment.get("data")
    data = data if isinstance(data, Mapping) else {}
    given: Any = data.get("credit")
    if isinstance(given, Mapping) and given.get("by"):
        texts = {name: plain(str(given.get(name) or "")) for name in Credit.__dataclass_fields__}
        for name in ("url", "licence_url"):
            if not texts[name].startswith(("https://", "http://")):
                texts[name] = ""  # no script, no local file
        return Credit(**texts)
    return KNOWN.get(str(data.get("name") or run.rows[0].data))
