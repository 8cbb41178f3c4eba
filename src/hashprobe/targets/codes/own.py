"""The query's own code, which an untargeted attack moves away from (HAG)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from hashprobe.errors import HashprobeError
from hashprobe.targets.codes.base import CODES, TargetCode
from hashprobe.targets.context import Codes, Context


@CODES.register("own")
@dataclass(frozen=True, kw_only=True)
class OwnCode(TargetCode):
    """The code of the unchanged query itself, whatever its label (Yang et al., "HAG", IEEE Transactions on Cybernetics 2020).

    Attributes:
        codes: Packed codes of the queries ``(n, ceil(K / 8))``.
    """

    name = "own"
    heading = "Own code"

    codes: Codes

    @classmethod
    def of(cls, context: Context) -> OwnCode:
        """Take the codes of the context's queries."""
        return cls(codes=context.query_codes)

    def __call__(self, labels: npt.NDArray[Any]) -> Codes:
        """Return the queries' codes, a row a query; the labels are only counted.

        Raises:
            HashprobeError: another number of labels than queries.
        """
        if len(labels) != len(self.codes):
            raise HashprobeError(f"there are {len(self.codes)} queries; found {len(labels)} labels.")
        return self.codes
