"""A service that answers with ranked ids and no codes: it can be attacked, but no distance is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from hashprobe.errors import HashprobeError, shortened
from hashprobe.hashing.models.outside.asking import Service
from hashprobe.images import ImagesLike, as_images, to_uint8


class RankedService:
    """A search that is a black box: an image in, the ids of what it retrieves out, nearest first.

    ``RandomSearch().run(service, …)`` and every other attack that needs no more than lists takes it in place of a model.

    Args:
        service: What is asked; each answer is ``{"ids": […]}``, of whole numbers or texts.
        names: Names of the items of a database in its order: a text that is among them has the number of its row, by which its
            labels are found, and another, of which nothing is known, is -1. Without names, texts are numbered as they come.
    """

    bits = 0
    """It tells of no code."""

    def __init__(self, service: Service, names: Sequence[str] = ()) -> None:
        self.service, self.device = service, torch.device("cpu")
        self._numbers, self._named = {name: row for row, name in enumerate(names)}, len(names) > 0

    def ranked(self, images: ImagesLike, k: int) -> npt.NDArray[np.int64]:
        """Return the ids of the first k items that each image retrieves, int64 ``(n, k)``, -1 where there were fewer.

        Args:
            images: ``(n, 3, h, w)``, uint8 or float in [0, 1]; rounded to 8 bit, as the PNG that is sent holds them.
            k: How many.

        Raises:
            HashprobeError: the service does not answer, or not with a list of different ids.
        """
        arrays = to_uint8(as_images(images)).cpu().numpy()
        found = np.full((len(arrays), k), -1, dtype=np.int64)
        for row, image in enumerate(arrays):
            ids = self.read(self.service.answer(image))[:k]
            found[row, : len(ids)] = ids
        return found

    def read(self, answer: dict[str, Any]) -> list[int]:
        """Return the ids of an answer as whole numbers; see :meth:`ranked`."""
        ids = answer.get("ids")
        if not isinstance(ids, list) or not all(_is_number(own) or isinstance(own, str) for own in ids):
            raise HashprobeError(
                f'the service {self.service.name} must answer with a list of ids, {{"ids": […]}}, of whole numbers from 0 or '
                f"texts; it answered {shortened(answer)}."
            )
        if len(set(ids)) != len(ids):
            raise HashprobeError(f"the service {self.service.name} named an item twice: {shortened(ids)}.")
        return [own if isinstance(own, int) else self._number(own) for own in ids]

    def _number(self, name: str) -> int:
        if self._named:
            return self._numbers.get(name, -1)
        return self._numbers.setdefault(name, len(self._numbers))


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 62
