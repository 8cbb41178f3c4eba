"""NES on answers: black box; the gradient of a score is estimated from the scores of pictures around the image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from hashprobe.attacks.access import Access, Victim
from hashprobe.attacks.asking import REACHED, Rows, Score, agreement_score, draws_of
from hashprobe.attacks.base import ATTACKS, Attack, project
from hashprobe.errors import HashprobeError, check_whole_number, shortened
from hashprobe.targets import Goal


@dataclass(frozen=True, kw_only=True)
class EvolutionSearch(Attack):
    """What attacks by natural evolution strategies share: their numbers, and :meth:`climb`.

    Attributes:
        questions: Pictures asked about for each image.
        samples: Pictures of one estimate, half of them the mirror images of the others; each step asks one more, about where
            it is.
        grid: Cells of the noise along a side; it is constant within a cell.
        sigma: Standard deviation of the noise at first, in [0, 1] units; see :meth:`steps`.
        step_size: Size of a sign step, in [0, 1] units.
        momentum: How much of the last estimates is kept in the next.
        patience: After so many steps without a better score an image starts again, at random signs in the cells of the grid.
        epsilon: L∞ budget in [0, 1] units; ``None`` for unbounded. Pictures that are asked about may lie outside it.
    """

    stochastic: ClassVar[bool] = True

    questions: int = 500
    samples: int = 20
    grid: int = 16
    sigma: float = 8 / 255
    step_size: float = 2 / 255
    momentum: float = 0.9
    patience: int = 20

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, least in (("questions", 1), ("samples", 2), ("grid", 1), ("patience", 1)):
            check_whole_number(name, getattr(self, name), least=least)
        for name in ("sigma", "step_size"):
            if not 0 < getattr(self, name) < float("inf"):
                raise HashprobeError(f"{name} must be positive; found {shortened(getattr(self, name))}.")
        if not 0 <= self.momentum < 1:
            raise HashprobeError(f"momentum must be in [0, 1); found {shortened(self.momentum)}.")

    def climb(
        self, victim: Victim, images: torch.Tensor, score: Score, generator: torch.Generator
    ) -> torch.Tensor:
        """Return the best of the pictures that the steps led to, ``(n, 3, h, w)``; see :meth:`steps`."""
        *_, best = self.steps(victim, images, score, generator)
        return best

    def steps(
        self, victim: Victim, images: torch.Tensor, score: Score, generator: torch.Generator
    ) -> Iterator[torch.Tensor]:
        """Yield the best pictures so far before each step and after the last one, one tensor that changes.

        The gradient of the score, smoothed by the noise, is estimated as ``Σ_j (s(x + σu_j) − s(x − σu_j)) u_j`` (Ilyas,
        Engstrom, Athalye and Lin, ICML 2018), with noise u that is constant within the cells of a grid (the tiles of Ilyas,
        Engstrom and Madry, ICLR 2019). Estimates have a mean absolute value of 1 before they enter the momentum. An image whose
        score is 1 asks no more; the last estimate is made of as many pairs as there are questions left for.

        Unlike in the papers the noise of an image grows by a quarter, up to 5 sigma, after an estimate in which fewer than half
        of the pairs differed in their scores, and shrinks by a fifth, down to sigma / 4, after one in which more than nine tenths
        did: where no bit moves there is nothing to estimate.
        """
        draws = draws_of(generator, len(images))
        current, best, momentum = images.clone(), images.clone(), torch.zeros_like(images)
        sigma, stale = np.full(len(images), self.sigma), np.zeros(len(images), dtype=np.int64)
        reached = score(images, np.arange(len(images)))
        while True:
            rows = np.flatnonzero((reached < REACHED) & (victim.left >= 3))
            yield best
            if len(rows) == 0:
                return
            pairs = min(self.samples, int(victim.left[rows].min()) - 1) // 2
            own = [draws[row] for row in rows]
            estimate, told = self._estimate(current[rows], score, rows, own, pairs, sigma[rows])
            sigma[rows] *= np.where(told < 0.5, 1.25, np.where(told > 0.9, 0.8, 1.0))
            sigma = sigma.clip(self.sigma / 4, 5 * self.sigma)
            size = estimate.abs().mean(dim=(1, 2, 3), keepdim=True).clamp_min(1e-20)
            momentum[rows] = self.momentum * momentum[rows] + (1 - self.momentum) * estimate / size
            moved = current[rows] + self.step_size * momentum[rows].sign()
            current[rows] = project(moved, images[rows], self.epsilon)
            found = score(current[rows], rows)
            stale[rows] = np.where(found > reached[rows], 0, stale[rows] + 1)
            kept = found >= reached[rows]
            best[rows[kept]], reached[rows[kept]] = current[rows[kept]], found[kept]
            for row in np.flatnonzero(stale >= self.patience):
                signs = self._spread(draws[row].choice((-1.0, 1.0), size=self._cells(images)), images)
                current[row] = (images[row] + (self.epsilon or self.sigma) * signs).clamp(0, 1)
                momentum[row], sigma[row], stale[row] = 0.0, self.sigma, 0

    def _estimate(
        self,
        current: torch.Tensor,
        score: Score,
        rows: Rows,
        draws: list[np.random.Generator],
        pairs: int,
        sigma: npt.NDArray[np.float64],
    ) -> tuple[torch.Tensor, npt.NDArray[np.float64]]:
        """Return the estimated gradient at some images, ``(m, 3, h, w)``, and the share of their pairs that differed ``(m,)``."""
        drawn = np.stack([own.standard_normal((pairs, *self._cells(current))) for own in draws])
        noise = self._spread(drawn, current)
        asked = np.repeat(rows, pairs)
        change = torch.from_numpy(sigma).to(current).view(-1, 1, 1, 1, 1) * noise
        above, below = (
            score((current[:, None] + sign * change).clamp(0, 1).flatten(0, 1), asked) for sign in (1, -1)
        )
        gained = (above - below).reshape(len(current), pairs)
        estimate = torch.einsum("np,npchw->nchw", torch.from_numpy(gained).to(current), noise)
        return estimate, (gained != 0).mean(axis=1)

    def _cells(self, images: torch.Tensor) -> tuple[int, int, int]:
        """Return the shape of noise for an image, a value a channel and cell."""
        return 3, min(self.grid, images.shape[2]), min(self.grid, images.shape[3])

    def _spread(self, values: npt.NDArray[np.float64], images: torch.Tensor) -> torch.Tensor:
        """Return values ``(…, 3, rows, columns)`` of cells as those of all pixels in them, ``(…, 3, h, w)``."""
        size = tuple(images.shape[2:])
        drawn = torch.from_numpy(values.reshape(-1, *values.shape[-3:])).to(images)
        return functional.interpolate(drawn, size=size).view(*values.shape[:-3], 3, *size)


@ATTACKS.register("NES")
@dataclass(frozen=True, kw_only=True)
class NES(EvolutionSearch):
    """Sign steps along an estimated gradient of the share of bits that agree with the goal (Ilyas et al., ICML 2018).

    Codes are whole numbers of bits, so what is estimated is the gradient of the share smoothed by the noise: with little noise no
    bit moves and every estimate is 0. Where the paper has 0.001 for real outputs, ``sigma`` therefore is as large as the
    budget, and the noise is constant within the cells of a grid, for noise of single pixels moves hardly a bit either.

    What an image draws depends on its place in the batch and on the generator, not on the other images.

    Attributes:
        questions: See :class:`EvolutionSearch`, as for the others.
    """

    access: ClassVar[Access] = Access.CODES

    def perturb(
        self, victim: Victim, images: torch.Tensor, goal: Goal, generator: torch.Generator
    ) -> torch.Tensor:
        """Return the best images found; see :meth:`Attack.perturb`."""
        return self.climb(victim, images, agreement_score(victim, goal, images), generator)
