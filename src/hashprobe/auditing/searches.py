"""The audited search as the measuring asks it: one that gives codes, or one that gives ranked lists alone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from hashprobe import retrieval
from hashprobe.auditing.checks import answers_one_by_one
from hashprobe.auditing.photos import Photos
from hashprobe.auditing.shards import answering
from hashprobe.auditing.stored import Stored
from hashprobe.data.images.decoding import decode_image
from hashprobe.evaluation.own_size import Picture, Pipeline
from hashprobe.files import sha256_of
from hashprobe.hashing import HashModel, PerceptualHash, RankedService
from hashprobe.targets import Codes, Goal

AT_ONCE, ONE_BY_ONE = 32, 4
"""Photographs that are attacked together, and kept together; of a search that answers one by one, fewer."""

Rows = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Answers:
    """What the search says of n pictures.

    Attributes:
        far: How far each is from the stored item that counts, int64 ``(n,)``: bits, or places that stand before it in the list.
        first: The chance that its own stored copy is listed first, ties in random order.
        precision: Average precision for its labels, or, without labels, for its own stored copy alone.
        codes: Packed codes, where the search gives them.
    """

    far: npt.NDArray[np.int64]
    first: npt.NDArray[np.float64]
    precision: npt.NDArray[np.float64]
    codes: Codes | None = None


class AuditedSearch(ABC):
    """What is asked about pictures.

    Attributes:
        bits: The largest threshold: K, or one less than the length of a list. What is farther is not found.
        size: Side of the square that the model is given; ``None`` where it takes pictures as they are.
        at_once: How many photographs are attacked together.
        formula: Whether it is a perceptual hash, whose formula everyone knows.
        victim: What attacks are run on.
        stored: What it holds.
    """

    bits: int
    size: int | None
    at_once: int
    formula: bool = False
    victim: HashModel | RankedService
    stored: Stored

    @property
    @abstractmethod
    def identity(self) -> str:
        """Fingerprint of what is known of its items."""

    @abstractmethod
    def answers(self, files: Sequence[bytes], own: Rows, counting: Rows, what: str) -> Answers:
        """Ask about files, each brought to the search as a photograph is.

        Args:
            files: The bytes of n pictures.
            own: Of each the stored picture that it was made from.
            counting: Of each the stored picture that the distance is to.
            what: They are, for a message.
        """

    @abstractmethod
    def before(self, pictures: npt.NDArray[np.uint8], own: Rows, counting: Rows) -> npt.NDArray[np.int64]:
        """Return :attr:`Answers.far` of the photographs themselves, ``(n, 3, h, w)``."""

    @abstractmethod
    def goal(self, aim: str, counting: Rows) -> tuple[Goal, dict[str, Any]]:
        """Return what an attack with an aim is to reach, and what else it is told."""


class CodeSearch(AuditedSearch):
    """A model whose codes are compared with stored ones, exactly.

    Args:
        pipeline: Its way from a file to a code.
        stored: The stored codes.
        labels: What the stored pictures show ``(N, C)``.
        labelled: Whether somebody says so; else a picture's relevant item is its own copy.
    """

    def __init__(
        self, pipeline: Pipeline, stored: Stored, labels: npt.NDArray[np.uint8], labelled: bool
    ) -> None:
        self.pipeline, self.stored, self.labels, self.labelled = pipeline, stored, labels, labelled
        self.bits, self.size = pipeline.model.bits, pipeline.size
        self.victim, self.formula = pipeline.at_own_size, isinstance(pipeline.model.network, PerceptualHash)
        self.at_once = ONE_BY_ONE if answers_one_by_one(pipeline.model) else AT_ONCE

    @cached_property
    def identity(self) -> str:
        """Fingerprint of the stored codes: a service may have changed without a word."""
        return sha256_of(self.stored.codes.tobytes())

    def answers(self, files: Sequence[bytes], own: Rows, counting: Rows, what: str) -> Answers:
        """See :meth:`AuditedSearch.answers`."""
        with answering(what):
            codes = np.stack([self.pipeline.code(data) for data in files])
        first, precision = self._ranks(codes, own)
        return Answers(retrieval.bits_apart(codes, self.stored.codes[counting]), first, precision, codes)

    def before(self, pictures: npt.NDArray[np.uint8], own: Rows, counting: Rows) -> npt.NDArray[np.int64]:
        """See :meth:`AuditedSearch.before`; the stored codes say it."""
        return retrieval.bits_apart(self.stored.codes[own], self.stored.codes[counting])

    def goal(self, aim: str, counting: Rows) -> tuple[Goal, dict[str, Any]]:
        """Return the code that is to be left, or to be reached."""
        objective = "untargeted" if aim == "evasion" else "targeted"
        return Goal(objective=objective, codes=self.stored.codes[counting]), {}  # type: ignore[arg-type]

    def _ranks(self, codes: Codes, own: Rows) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        labels, far = self.labels, retrieval.bits_apart(codes, self.stored.codes[own])
        counts = retrieval.count_levels(codes, self.stored.codes, labels[own], labels, bits=self.bits)
        places = np.arange(len(own))
        ties = counts.items[places, far]
        nearer = np.cumsum(counts.items, axis=1)[places, far] - ties
        first = (nearer == 0) / ties
        if self.labelled:
            return first, retrieval.average_precision_from_counts(counts)
        # Of one relevant item the average precision is the mean of 1 / rank over the places that its ties may give it.
        ranks = [1 / np.arange(low + 1, low + tied + 1) for low, tied in zip(nearer, ties, strict=True)]
        return first, np.array([each.mean() for each in ranks])


class ListSearch(AuditedSearch):
    """A service that answers with the ids of what a picture retrieves, nearest first, and nothing else.

    Ids are names of the photographs, or their numbers in the order of the names. What counts is the place of an item in the list.

    Args:
        service: What is asked.
        photos: The photographs, all of which it is said to store.
        stored: Those that can be used.
        length: How many ids of a list are looked at.
    """

    def __init__(self, service: RankedService, photos: Photos, stored: Stored, length: int) -> None:
        self.service, self.victim, self.photos, self.stored = service, service, photos, stored
        self.length = length
        self.bits, self.size, self.at_once = length - 1, None, ONE_BY_ONE
        self._lists: dict[int, npt.NDArray[np.int64]] = {}

    @property
    def identity(self) -> str:
        """Its name, and the length of a list."""
        return f"{self.service.service.name} {self.length}"

    def answers(self, files: Sequence[bytes], own: Rows, counting: Rows, what: str) -> Answers:
        """See :meth:`AuditedSearch.answers`; a question a file."""
        with answering(what):
            lists = np.concatenate([self._listed(as_picture(data)[None]) for data in files])
        place = self._places(lists, own)
        found = place < self.length
        return Answers(
            self._places(lists, counting),
            (place == 0).astype(np.float64),
            np.where(found, 1 / (place + 1), 0),
        )

    def before(self, pictures: npt.NDArray[np.uint8], own: Rows, counting: Rows) -> npt.NDArray[np.int64]:
        """See :meth:`AuditedSearch.before`; asked once for each photograph."""
        for row, picture in zip(own, pictures, strict=True):
            if int(row) not in self._lists:
                self._lists[int(row)] = self._listed(picture[None])[0]
        return self._places(np.stack([self._lists[int(row)] for row in own]), counting)

    def goal(self, aim: str, counting: Rows) -> tuple[Goal, dict[str, Any]]:
        """Return that what a picture lists is to change, or that one item is to come early: a label of that item alone."""
        if aim == "evasion":
            return Goal(objective="untargeted"), {}
        labels = np.zeros((len(self.photos.names), len(counting)), dtype=np.uint8)
        labels[self.stored.rows[counting], np.arange(len(counting))] = 1
        own = np.eye(len(counting), dtype=np.uint8)
        return Goal(objective="targeted", labels=own), {"database_labels": labels}

    def _listed(self, pictures: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
        return self.service.ranked(pictures, self.length)

    def _places(self, lists: npt.NDArray[np.int64], items: Rows) -> npt.NDArray[np.int64]:
        hits = lists == self.stored.rows[items][:, None]
        return np.where(hits.any(axis=1), hits.argmax(axis=1), self.length)


def as_picture(data: bytes) -> Picture:
    """Return the bytes of a file as a picture at its own size, upright."""
    return decode_image(data, None, still=True)
