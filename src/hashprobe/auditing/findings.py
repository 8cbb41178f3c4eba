"""What an audit found, as its folder keeps it for the report: facts, rates at the threshold, the weakest pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydantic import ValidationError, ValidationInfo, field_validator

from hashprobe.auditing.rows import (
    AttackRow,
    BestThreshold,
    Checked,
    EditRow,
    IndexRow,
    LeftOut,
    PictureRow,
    Rate,
)
from hashprobe.errors import HashprobeError
from hashprobe.files import read_json
from hashprobe.settings_text import read_value

FINDINGS_FILE = "findings.json"
MOST_LEFT_OUT = 20
"""Photographs that cannot be used and are named one by one."""


class Findings(Checked):
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
        listed: How many of the first items of a list count as found, of a search that answers with lists alone; ``None`` of one
            that gives codes. Distances are places in the list then, from 0.
        jpeg: Quality of the JPEG that attacked pictures were stored as as well.
        threshold: A picture is found at so many bits or fewer.
        formula: Whether the model is a perceptual hash, whose formula everyone knows.
        given: Whether the threshold was given.
        limit: The share of false positives that may be.
        pairs: How often pairs of unrelated pictures match; ``None`` where the search tells no distances.
        strangers: How often a picture finds some unrelated one, likewise.
        chance_precision: Average precision of a random order, where there are labels.
        attacks: At the threshold.
        edits: At the threshold.
        index: The search index, where one was audited.
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
    listed: int | None = None
    jpeg: int | None
    threshold: int
    formula: bool = False
    given: bool
    limit: float
    pairs: Rate | None
    strangers: Rate | None
    chance_precision: float | None
    attacks: list[AttackRow]
    edits: list[EditRow]
    index: IndexRow | None = None
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

    def works(self, row: AttackRow) -> bool:
        """Say whether an attack does more than noise of its size, or than chance: its interval lies above theirs."""
        if row.aim == "collision":
            return row.rate.low > self.chance
        noise = [own.rate.high for own in self.attacks if not own.is_attack and own.budget == row.budget]
        return row.rate.low > max(noise, default=0.0)

    @property
    def chance(self) -> float:
        """How often an unrelated picture is found at most: the upper end for pairs, or a list's share of all pictures."""
        if self.pairs is not None:
            return max(self.pairs.high, self.pairs.rate)
        return (self.listed or 0) / self.stored

    @property
    def where(self) -> str:
        """The threshold that sentences speak of, in words."""
        if self.listed is not None:
            return f"among the first {self.listed} that the search lists"
        return f"at the threshold of {self.threshold} bits"

    @property
    def budgets(self) -> list[str]:
        """The budgets of the attacks, the smallest first: largest changes of a value, or, without any, those of another norm."""
        given = list(dict.fromkeys(row.budget for row in self.attacks if row.is_attack))
        return sorted([own for own in given if " " not in own] or given, key=_amount)

    def first(self, aim: str, *, white_box: bool | None = None) -> AttackRow | None:
        """Return the strongest attack of an aim within the smallest budget at which any works; ``None`` where none does."""
        rows = (self.strongest(aim, own, white_box=white_box) for own in self.budgets)
        return next((row for row in rows if row is not None and self.works(row)), None)

    @property
    def headline(self) -> str:
        """The budget that sentences speak of: the smallest at which an attack works, or else the largest that was tried."""
        firsts = [row.budget for aim in ("evasion", "collision") if (row := self.first(aim)) is not None]
        return min(firsts, key=_amount) if firsts else ([*self.budgets] or ["8/255"])[-1]

    @property
    def missed(self) -> float:
        """The share of benign copies that are missed at the threshold, the mean over edits."""
        return float(np.mean([row.rate.rate for row in self.edits]))

    @property
    def worst_edit(self) -> EditRow:
        """The benign edit that loses most pictures."""
        return max(self.edits, key=lambda row: row.rate.rate)


def _amount(budget: str) -> float:
    """Return the size of a budget as its text says it: ``8/255``, ``RMS 0.01``."""
    amount = read_value(budget.rpartition(" ")[2])
    return float(amount) if isinstance(amount, int | float) else 0.0
