"""The rows of what an audit found: rates, attacks, edits, the index, the weakest pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from hashprobe.auditing.kept import Measured
from hashprobe.auditing.rates import Curve

PictureFile = Annotated[str, Field(pattern=r"^pictures/[A-Za-z0-9-]+\.png$")]
"""A file that the audit wrote; a page shows no other."""


class Checked(BaseModel):
    """What is read from a file: nothing is taken for something else."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)


class Rate(Checked):
    """A share with its 95 % interval.

    Attributes:
        rate: ``count / of``.
        low: Lower end.
        high: Upper end.
        count: How often.
        of: Out of how many.
    """

    rate: float
    low: float
    high: float
    count: int
    of: int

    @classmethod
    def at(cls, curve: Curve, threshold: int) -> Rate:
        """Return the rate of a curve at a threshold."""
        ends = (float(own[threshold]) for own in (curve.rates, curve.low, curve.high))
        rate, low, high = (round(end, 9) for end in ends)
        return cls(rate=rate, low=low, high=high, count=int(curve.counts[threshold]), of=curve.of)


class AttackRow(Checked):
    """An attack at the threshold.

    Attributes:
        name: Of the attack.
        title: What it does.
        access: What it sees.
        aim: ``evasion`` or ``collision``.
        budget: As it was given.
        questions: How many it may ask for a picture.
        rate: How often it succeeds.
        jpeg: The same after pictures were stored as JPEG.
        indexed: The same by what the index returns.
        bits: Median of the distances after it, and before.
        asked: Mean of the questions that were asked.
        linf: Largest change of a value, over all pictures.
        l2: Mean length of the change.
        rms: Mean of the roots of the mean squared changes.
        ssim: Mean structural similarity.
        first: How often a picture's own stored copy is listed first.
        precision: Mean average precision.
    """

    name: str
    title: str
    access: str
    aim: str
    budget: str
    questions: int | None
    rate: Rate
    jpeg: Rate | None
    indexed: Rate | None = None
    bits: tuple[float, float]
    asked: float | None
    linf: float
    l2: float
    rms: float
    ssim: float
    first: float
    precision: float

    @property
    def is_attack(self) -> bool:
        """Whether it is more than noise."""
        return self.access != "nothing"

    @property
    def white_box(self) -> bool:
        """Whether it sees the network."""
        return self.access == "gradients"


class EditRow(Checked):
    """A benign edit at the threshold.

    Attributes:
        name: Of the edit.
        title: What it does.
        rate: How often an edited copy is missed.
        indexed: The same by what the index returns.
        bits: Median of the distances.
        first: How often a picture's own stored copy is listed first.
        precision: Mean average precision.
    """

    name: str
    title: str
    rate: Rate
    indexed: Rate | None = None
    bits: float
    first: float
    precision: float


class IndexRow(Checked):
    """The search index that was audited.

    Attributes:
        name: A name of ``INDEXES``.
        settings: That were given.
        top_k: How many items it is asked for.
        recall: The share of the nearest that it returns; ``None`` where it compares all.
        lost: How often it does not return the own stored copy of a picture that nobody touched.
    """

    name: str
    settings: dict[str, str]
    top_k: int
    recall: float | None
    lost: Rate


class BestThreshold(Checked):
    """The threshold that costs the attacker most, for one budget.

    Attributes:
        budget: As it was given.
        threshold: In bits; ``None`` where none keeps to the false positives.
        rate: The share of pictures that the best attack there succeeds on.
        missed: The share of benign copies that are missed there, the mean over edits.
    """

    budget: str
    threshold: int | None
    rate: float | None
    missed: float | None


class PictureRow(Checked):
    """One of the weakest pictures.

    Attributes:
        file: Of the attacked picture, within the folder.
        photograph: Name of the photograph.
        photograph_file: Its copy, likewise, so that the folder can be moved.
        other: Name of the one that it is to be taken for.
        other_file: Its copy.
        attack: Which attack.
        aim: Of the attack.
        budget: As it was given.
        distance: Bits after it.
        before: Bits before.
        rms: Of the change.
        ssim: To the photograph.
    """

    file: PictureFile
    photograph: str
    photograph_file: PictureFile
    other: str | None
    other_file: PictureFile | None
    attack: str
    aim: str
    budget: str
    distance: int
    before: int
    rms: float
    ssim: float

    @model_validator(mode="after")
    def _taken_for_another(self) -> PictureRow:
        """Refuse a picture that is to be taken for another one, which is not named."""
        if self.aim != "evasion" and self.other is None:
            raise ValueError("other: it is to be taken for another picture, which is not named")
        return self


class LeftOut(Checked):
    """What was not measured, and why."""

    name: str
    why: str


def means(rows: Sequence[Measured], field: str) -> float:
    """Return the mean of a number over pictures."""
    return float(np.mean([getattr(row, field) for row in rows]))
