"""The attacked model and search as an attack sees them: they answer what its access allows, and count what they are asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from hashprobe.attacks.access.access import Access
from hashprobe.attacks.access.cost import Cost
from hashprobe.errors import HashprobeError
from hashprobe.hashing import HashModel, RankedService, feature_maps
from hashprobe.retrieval import bits_apart

AT_ONCE = 64
"""Pictures in one pass of those that are asked about; many more are slower, for they leave a processor's caches."""

Search = Callable[[npt.NDArray[np.uint8], int], npt.NDArray[np.int64]]
"""Packed codes ``(m, ceil(K / 8))`` and k -> ids of the nearest items found ``(m, k)``, -1 where none was."""

Judge = Callable[[npt.NDArray[np.uint8], npt.NDArray[np.uint8]], npt.NDArray[np.float64]]
"""Packed codes ``(m, ceil(K / 8))`` and labels ``(m, C)`` -> the average precision of each for its labels ``(m,)``."""


class Victim:
    """The attacked model, and the database that it searches, for an attack on n images.

    Every question names the images that it is asked for: ``rows``, one a picture, each in 0 … n − 1; without them the pictures
    are the n images in their order. An attack so asks about several pictures for one image, or about some images alone.

    Args:
        model: The attacked model, frozen by the caller; or a service that answers with lists alone, of which nothing more than
            ``RANKING`` can be asked.
        images: n.
        access: What may be asked.
        search: What answers :meth:`ranked`, where the model does not itself.
        database_labels: Labels of the items of the database, ``(N, C)``: who sees a found picture can tell them.
        questions: How many questions may be asked for each image; ``None`` for any number.
        judge: What answers :meth:`average_precision`.

    Attributes:
        winners: What an attack that tries several says of which served each image best.
        restart_bits: What an attack that starts several times says of how many bits its results for an image lie apart, in their
            distance from the goal's code: float64 ``(n,)``.
    """

    winners: tuple[str, ...] = ()
    restart_bits: npt.NDArray[np.float64] | None = None

    def __init__(
        self,
        model: HashModel | RankedService,
        images: int,
        access: Access = Access.GRADIENTS,
        *,
        search: Search | None = None,
        database_labels: npt.NDArray[np.uint8] | None = None,
        questions: int | None = None,
        judge: Judge | None = None,
    ) -> None:
        if isinstance(model, RankedService) and not Access.RANKING.allows(access):
            raise HashprobeError(
                f"this attack needs {access.value}, and the attacked service answers with ranked lists alone; take RandomSearch "
                "or RankNES."
            )
        self.bits, self.device, self.cost = model.bits, model.device, Cost.none(images)
        self._model, self._access, self._search, self._most = model, access, search, questions
        self._database_labels, self._judge = database_labels, judge

    def logits(self, pictures: torch.Tensor, rows: npt.NDArray[np.intp] | None = None) -> torch.Tensor:
        """Return z, the network's real outputs ``(m, K)``, differentiable; needs ``GRADIENTS``."""
        self._allow(Access.GRADIENTS, "the network")
        outputs = self._network.attack_logits(pictures)
        self._count_passes(outputs, self._rows(len(pictures), rows))
        return outputs

    def feature_maps(
        self, pictures: torch.Tensor, rows: npt.NDArray[np.intp] | None = None
    ) -> tuple[torch.Tensor, dict[int, torch.Tensor]]:
        """Return :meth:`logits`, and what the network computed on the way: :func:`hashprobe.hashing.feature_maps`."""
        with feature_maps(self._network.network) as maps:
            return self.logits(pictures, rows), maps

    def relaxed(
        self, pictures: torch.Tensor, alpha: float = 1.0, rows: npt.NDArray[np.intp] | None = None
    ) -> torch.Tensor:
        """Return the relaxed codes ``tanh(alpha · z)`` ``(m, K)``, differentiable; needs ``GRADIENTS``."""
        return torch.tanh(alpha * self.logits(pictures, rows))

    @torch.no_grad()
    def codes(
        self, pictures: torch.Tensor, rows: npt.NDArray[np.intp] | None = None
    ) -> npt.NDArray[np.uint8]:
        """Return packed codes ``(m, ceil(K / 8))``; needs ``CODES`` or more, and costs a question a picture."""
        self._allow(Access.CODES, "codes")
        return self._answer(pictures, rows)

    @torch.no_grad()
    def found(
        self,
        pictures: torch.Tensor,
        items: npt.NDArray[np.uint8],
        threshold: int,
        rows: npt.NDArray[np.intp] | None = None,
    ) -> npt.NDArray[np.bool_]:
        """Return whether each picture finds a stored item of its own, bool ``(m,)``: one bit an answer.

        Needs ``FOUND``, or ``CODES`` or more, and costs a question a picture.

        Args:
            pictures: ``(m, 3, h, w)``.
            items: Packed codes of the items, one a picture, ``(m, ceil(K / 8))``.
            threshold: An item is found at so many differing bits or fewer.
            rows: See the class.
        """
        self._allow(Access.FOUND, "whether an item is found")
        found: npt.NDArray[np.bool_] = bits_apart(self._answer(pictures, rows), items) <= threshold
        return found

    @torch.no_grad()
    def ranked(
        self, pictures: torch.Tensor, k: int, rows: npt.NDArray[np.intp] | None = None
    ) -> npt.NDArray[np.int64]:
        """Return the ids of the k nearest items found, nearest first ``(m, k)``, -1 where none was.

        Needs ``RANKING`` or more, and costs a question a picture.

        Raises:
            HashprobeError: nothing is searched here.
        """
        self._allow(Access.RANKING, "rankings")
        if isinstance(self._model, RankedService):
            self._ask(pictures, rows)
            return self._model.ranked(pictures, k)
        if self._search is None:
            raise HashprobeError(
                "this attack asks what images retrieve; give run(search=…) a database to search."
            )
        return self._search(self._answer(pictures, rows), k)

    @property
    def can_judge(self) -> bool:
        """Whether :meth:`average_precision` is answered."""
        return self._judge is not None

    @torch.no_grad()
    def average_precision(
        self, pictures: torch.Tensor, labels: npt.NDArray[np.uint8]
    ) -> npt.NDArray[np.float64]:
        """Return the average precision of each of the n pictures for its labels ``(n, C)``, over the whole database ``(n,)``.

        Needs ``GRADIENTS``, for who knows the network may know the database, and costs a question a picture.

        Raises:
            HashprobeError: no database is searched here.
        """
        self._allow(Access.GRADIENTS, "the average precision")
        if self._judge is None:
            raise HashprobeError(
                "this attack asks how well images retrieve; give run(judge=…) a database to search."
            )
        return self._judge(self._answer(pictures, None), labels)

    def labels_of(self, ids: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        """Return the labels of items that were found, ``(…, C)``; zeros for -1. Who sees a picture sees what it shows."""
        if self._database_labels is None:
            raise HashprobeError(
                "this attack reads the labels of what it finds; give run(database_labels=…)."
            )
        if ids.max(initial=-1) >= len(self._database_labels):
            raise HashprobeError(
                f"an item was found that has no labels: number {ids.max()} of {len(self._database_labels)} from 0; are they "
                "those of the database that is searched?"
            )
        found: npt.NDArray[np.uint8] = self._database_labels[np.maximum(ids, 0)] * (ids >= 0)[..., None]
        return found.astype(np.uint8)

    @property
    def left(self) -> npt.NDArray[np.int64]:
        """How many questions may still be asked for each image; a very large number where there is no limit."""
        most = np.iinfo(np.int64).max if self._most is None else self._most
        return most - self.cost.questions

    @contextmanager
    def counting(self, network: nn.Module) -> Iterator[None]:
        """Count the passes of a network of the attack's own (a generator) over all n images inside the block."""

        def count(module: nn.Module, given: Any, outputs: torch.Tensor) -> None:
            self._count_passes(outputs, self._rows(len(outputs), None))

        hook = network.register_forward_hook(count)
        try:
            yield
        finally:
            hook.remove()

    @property
    def _network(self) -> HashModel:
        assert isinstance(self._model, HashModel)  # of a list nobody may ask for more
        return self._model

    def _answer(self, pictures: torch.Tensor, rows: npt.NDArray[np.intp] | None) -> npt.NDArray[np.uint8]:
        self._ask(pictures, rows)
        answers = [self._network.answer(part) for part in torch.split(pictures, AT_ONCE) if len(part)]
        return np.concatenate([np.zeros((0, -(-self.bits // 8)), dtype=np.uint8), *answers])

    def _ask(self, pictures: torch.Tensor, rows: npt.NDArray[np.intp] | None) -> None:
        """Count questions, or say that they are too many."""
        asked = np.bincount(self._rows(len(pictures), rows), minlength=len(self.cost.questions))
        if (asked > self.left).any():
            raise HashprobeError(
                f"the attack asked more than the {self._most} questions an image that it may; ask victim.left first."
            )
        self.cost.questions[:] += asked

    def _allow(self, needed: Access, what: str) -> None:
        if not self._access.allows(needed):
            raise HashprobeError(
                f"an attack with access to {self._access.value} may not ask for {what}; it must state access {needed.value!r}."
            )

    def _rows(self, pictures: int, rows: npt.NDArray[np.intp] | None) -> npt.NDArray[np.intp]:
        if rows is None and pictures != len(self.cost.questions):
            raise HashprobeError(
                f"{pictures} pictures are not the {len(self.cost.questions)} attacked images; say with rows= whose they are."
            )
        return np.arange(pictures) if rows is None else rows

    def _count_passes(self, outputs: torch.Tensor, rows: npt.NDArray[np.intp]) -> None:
        np.add.at(self.cost.forward, rows, 1)
        if outputs.requires_grad:
            outputs.register_hook(  # type: ignore[no-untyped-call]
                lambda gradient: np.add.at(self.cost.backward, rows, 1)
            )
