"""What an audit is asked to measure: budgets, questions, thresholds."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field, field_validator

from hashprobe.attacks import Access, Norm
from hashprobe.errors import HashprobeError, shortened, unknown_name
from hashprobe.evaluation import SearchSettings
from hashprobe.settings_text import read_value

FALSE_POSITIVES = 0.001
LONGEST = 1e6
"""Of L2 budgets."""


@dataclass(frozen=True)
class Budget:
    """How far an attack may change a picture.

    Attributes:
        text: As it was given.
        norm: What it measures.
        amount: In [0, 1] units; under L2 a length, or its share of the length of a picture that changes by 1 everywhere.
        by_value: Whether an L2 amount is such a share: the root of the mean squared change (RMS), for pictures of any size.
    """

    text: str
    norm: Norm
    amount: float
    by_value: bool = False

    @classmethod
    def read(cls, text: str) -> Budget:
        """Read ``8/255`` (L∞), ``l2:2.5`` (a length) or ``rms:0.01`` (a length per value).

        Raises:
            HashprobeError: it is none of them.
        """
        kind, _, number = text.partition(":") if ":" in text else ("linf", "", text)
        amount = read_value(number)
        right = isinstance(amount, int | float) and not isinstance(amount, bool)
        if (
            kind not in ("linf", "l2", "rms")
            or not right
            or not 0 < amount <= (LONGEST if kind == "l2" else 1)
        ):
            raise HashprobeError(
                f"--budget: expected 8/255 (of any value, at most), l2:2.5 (a length) or rms:0.01; found {shortened(text)}."
            )
        shown = number if kind == "linf" else f"{'L2' if kind == 'l2' else 'RMS'} {number}"
        return cls(shown, "linf" if kind == "linf" else "l2", float(amount), kind == "rms")

    def epsilon(self, values: int) -> float:
        """Return it in the units of its norm, for a picture of so many values."""
        return self.amount * math.sqrt(values) if self.by_value else self.amount


class AuditSettings(BaseModel):
    """What is measured.

    Attributes:
        budgets: How far pictures may be changed; see :meth:`Budget.read`.
        questions: How many questions a black-box attack may ask for a picture, each for itself.
        attacks: Names of attacks, see :data:`hashprobe.auditing.plan.AUDITED`; those that the access allows if none is named.
        access: What the attacker sees: ``gradients``, ``codes`` or ``found``; all that the model gives if not given.
        queries: How many of the photographs are attacked and edited, drawn by the seed.
        threshold: A picture is found at so many differing bits or fewer; if not given, the largest that keeps to
            ``false_positives``.
        false_positives: The share of pairs of unrelated pictures that may match.
        image_size: The square that photographs are cropped and resized to for the model; if not given 64, or their own size where
            the model resizes by itself.
        search: The index through which codes are searched as well, and how many items it is asked for; of a service that answers
            with lists, how many of these count.
        jpeg: Quality of the JPEG that attacked pictures are stored as as well, or ``None``.
        steps: Gradient steps of a white-box attack.
        seed: Of everything random.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    budgets: tuple[str, ...] = ("4/255", "8/255", "16/255")
    questions: tuple[int, ...] = (1000,)
    attacks: tuple[str, ...] = ()
    access: str | None = None
    queries: int = Field(50, ge=1)
    threshold: int | None = Field(None, ge=0)
    false_positives: float = Field(FALSE_POSITIVES, ge=0, le=1, allow_inf_nan=False)
    image_size: int | None = None
    search: SearchSettings | None = None
    jpeg: int | None = Field(None, ge=1, le=95)
    steps: int = Field(20, ge=1, le=10_000)
    seed: int = 0

    @field_validator("budgets")
    @classmethod
    def _budgets(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        shown = [Budget.read(text).text for text in given]
        if not given or len(set(shown)) < len(given):
            raise HashprobeError("--budget: give at least one, and each once.")
        return given

    @field_validator("questions")
    @classmethod
    def _questions(cls, given: tuple[int, ...]) -> tuple[int, ...]:
        if min(given, default=0) < 1 or max(given, default=0) > 10**9 or len(set(given)) < len(given):
            raise HashprobeError(
                "--questions must be whole numbers from 1 to 1,000,000,000, each given once."
            )
        return given

    @field_validator("access")
    @classmethod
    def _access(cls, given: str | None) -> str | None:
        allowed = [own.value for own in (Access.FOUND, Access.CODES, Access.GRADIENTS)]
        if given is not None and given not in allowed:
            raise unknown_name("access", given, allowed)
        return given
