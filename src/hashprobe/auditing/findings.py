"""What an audit found, as its folder keeps it for the report: facts, rates at the threshold, the weakest pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from hashprobe.auditing.kept import Measured
from hashprobe.auditing.rates import Curve
from hashprobe.errors import HashprobeError
from hashprobe.files import read_json

FINDINGS_FILE = "findings.json"
MOST_LEFT_OUT = 20
"""Photographs that cannot be used and are named one by one."""


PictureFile = Annotated[str, Field(pattern=r"^pictures/[A-Za-z0-9-]+\.png$")]
"""A file that the audit wrote; a page shows no other."""


class _Checked(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)


class Rate(_Checked):
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


class AttackRow(_Checked):
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


class EditRow(_Checked):
    """A benign edit at the threshold.

    Attributes:
        name: Of the edit.
        title: What it does.
        rate: How often an edited copy is missed.
        bits: Median of the distances.
        first: How often a picture's own stored copy is listed first.
        precision: Mean average precision.
    """

    name: str
    title: str
    rate: Rate
    bits: float
    first: float
    precision: float


class BestThreshold(_Checked):
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


class PictureRow(_Checked):
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


class LeftOut(_Checked):
    """What was not measured, and why."""

    name: str
    why: str


class Findings(_Checked):
    """What an audit found.

    Attributes:
        model: What was audited, as it was named.
        bits: K.
        images: The folder of the photographs.
        photographs: How many were found there.
        stored: How many can be used, each once.
        copies: How many of the others show the model the same pixels as one of these.
        unusable: How many cannot be used.
        left_out: The first of these.
        queries: How many were attacked and edited.
        classes: Names of the classes; empty under the instance protocol.
        size: Side of the square that the model is given; ``None`` where it resizes by itself.
        jpeg: Quality of the JPEG that attacked pictures were stored as as well.
        threshold: A picture is found at so many bits or fewer.
        given: Whether the threshold was given.
        limit: The share of false positives that may be.
        pairs: How often pairs of unrelated pictures match.
        strangers: How often a picture finds some unrelated one.
        chance_precision: Average precision of a random order, where there are labels.
        attacks: At the threshold.
        edits: At the threshold.
        best: The threshold that costs the attacker most, for each budget.
        skipped: Attacks that were not made.
        pictures: The weakest.
    """

    model: str
    bits: int
    images: str
    photographs: int
    stored: int
    copies: int
    unusable: int
    left_out: list[LeftOut]
    queries: int
    classes: list[str]
    size: int | None
    jpeg: int | None
    threshold: int
    given: bool
    limit: float
    pairs: Rate
    strangers: Rate
    chance_precision: float | None
    attacks: list[AttackRow]
    edits: list[EditRow]
    best: list[BestThreshold]
    skipped: list[LeftOut]
    pictures: list[PictureRow]

    @field_validator("left_out")
    @classmethod
    def _said(cls, value: list[LeftOut], info: ValidationInfo) -> list[LeftOut]:
        """Refuse photographs that are counted as unusable and of which none is named."""
        if info.data.get("unusable") and not value:
            raise ValueError("no photograph is named that cannot be used")
        return value

    @classmethod
    def read(cls, folder: Path) -> Findings:
        """Read the findings of a folder.

        Raises:
            HashprobeError: there are none, or they are damaged.
        """
        path = folder / FINDINGS_FILE
        content = read_json(path)
        try:
            # JSON has no tuples, which strict checks tell from lists.
            return cls.model_validate(content, strict=False)
        except ValidationError as error:
            where = ".".join(map(str, error.errors()[0]["loc"]))
            raise HashprobeError(
                f"{path} is damaged at {where}; give the command of the audit again, which writes it anew."
            ) from None

    def strongest(self, aim: str, budget: str, *, white_box: bool | None = None) -> AttackRow | None:
        """Return the attack with the largest rate of an aim within a budget; ``None`` where none was made.

        Args:
            aim: ``evasion`` or ``collision``.
            budget: As it was given.
            white_box: Only those that see the network, or only those that do not.
        """
        rows = [
            row
            for row in self.attacks
            if row.is_attack and row.aim == aim and row.budget == budget
            if white_box is None or row.white_box is white_box
        ]
        return max(rows, key=lambda row: row.rate.rate, default=None)

    @property
    def headline(self) -> str:
        """The budget that sentences speak of: 8/255, or else the first that was measured."""
        budgets = [row.budget for row in self.attacks if row.is_attack]
        return "8/255" if "8/255" in budgets or not budgets else budgets[0]

    @property
    def missed(self) -> float:
        """The share of benign copies that are missed at the threshold, the mean over edits."""
        return float(np.mean([row.rate.rate for row in self.edits]))

    @property
    def worst_edit(self) -> EditRow:
        """The benign edit that loses most pictures."""
        return max(self.edits, key=lambda row: row.rate.rate)


def means(rows: Sequence[Measured], field: str) -> float:
    """Return the mean of a number over pictures."""
    return float(np.mean([getattr(row, field) for row in rows]))
