"""What an attack cost, counted where it happened."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Cost:
    """Passes and questions of each of n images, int64 ``(n,)``.

    Attributes:
        forward: Forward passes of the attacked network, or of a generator in its place.
        backward: Backward passes of it.
        questions: Images that the attacked search was asked about: their codes or what they retrieve.
    """

    forward: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    backward: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    questions: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    @classmethod
    def none(cls, images: int) -> Cost:
        """Return zeros for so many images."""
        return cls(*(np.zeros(images, dtype=np.int64) for _ in range(3)))

    def put(self, rows: slice, cost: Cost) -> None:
        """Enter what some of the images cost."""
        self.forward[rows], self.backward[rows] = cost.forward, cost.backward
        self.questions[rows] = cost.questions

    def add(self, cost: Cost) -> None:
        """Add what something else cost for the same images."""
        for own, other in zip(
            (self.forward, self.backward, self.questions),
            (cost.forward, cost.backward, cost.questions),
            strict=True,
        ):
            own += other
