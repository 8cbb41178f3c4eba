"""An audit through a search index: a picture is found where the index returns it, and it is within the threshold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from hashprobe.auditing.kept import Measured
from hashprobe.auditing.made import Made, MadeIndex, far_of
from hashprobe.auditing.rates import curve
from hashprobe.auditing.work import Audit
from hashprobe.evaluation import Ranking
from hashprobe.targets import Codes


def through_index(work: Audit, index: Ranking, made: Made) -> Made:
    """Return what was measured with every rate once more, by what the index returns.

    It is asked for the codes that were measured, so that what it loses or adds is its own doing. An item that it does not return
    is found at no threshold.

    Args:
        work: What the audit worked with.
        index: The index over the stored codes.
        made: What was measured by exact distances.

    Raises:
        HashprobeError: the index fails; everything else is kept, and the same command goes on from there.
    """
    bits, name = work.bits, work.settings.search.index if work.settings.search else ""

    def far(codes: Codes, items: npt.NDArray[np.intp], exact: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        assert index.top_k is not None
        listed = (index.ids(codes, index.top_k) == items[:, None]).any(axis=1)
        return np.where(listed, exact, bits + 1)

    def of_rows(rows: Sequence[Measured], items: npt.NDArray[np.intp]) -> npt.NDArray[np.int64]:
        return far(_codes(rows), items[[row.query for row in rows]], far_of(rows))

    edits = [
        replace(
            own,
            indexed=curve("miss", of_rows(own.rows, work.queries), bits, **own.curve.about, index=name),
        )
        for own in made.edits
    ]
    attacks = []
    for own in made.attacks:
        aim = own.planned.aim
        items = work.queries if aim == "evasion" else work.others
        indexed = curve(aim, of_rows(own.rows, items), bits, **own.curve.about, index=name)
        attacks.append(replace(own, indexed=indexed))
    stored = work.stored.codes[work.queries]
    untouched = far(stored, work.queries, np.zeros(len(stored), dtype=np.int64))
    lost = curve("miss", untouched, bits, edit=None, index=name)
    assert index.top_k is not None
    return replace(
        made,
        edits=edits,
        attacks=attacks,
        index=MadeIndex(name, index.top_k, index.recall(stored), lost),
    )


def _codes(rows: Sequence[Measured]) -> Codes:
    return np.stack([np.frombuffer(bytes.fromhex(row.code or ""), dtype=np.uint8) for row in rows])
