"""What is asked of a search before an audit begins, and how it is opened for one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from hashprobe.auditing.checks import check_answers, check_lists
from hashprobe.auditing.photos import Labels, Photos
from hashprobe.auditing.searches import AuditedSearch, CodeSearch, ListSearch
from hashprobe.auditing.settings import AuditSettings
from hashprobe.auditing.stored import cache_key, encode, open_encoded, usable
from hashprobe.auditing.work import labels_of
from hashprobe.errors import HashprobeError
from hashprobe.evaluation.own_size import Pipeline
from hashprobe.hashing import RankedService
from hashprobe.identity import fingerprint

LISTED = 10
"""How many items of a list count as found, where nobody says."""


class Asked(ABC):
    """A search that answered as it should.

    Attributes:
        lists: Whether it answers with lists alone.
        no_gradients: Why it gives no gradients; ``None`` where it does.
        facts: What identifies it, for the record.
    """

    lists: bool
    no_gradients: str | None
    facts: dict[str, Any]

    @abstractmethod
    def key(self, *facts: str) -> str:
        """Return the fingerprint of the search and its photographs, and of further facts."""

    @abstractmethod
    def opened(
        self, key: str, labels: Labels | None, cache_dir: Path | None, progress: bool
    ) -> AuditedSearch:
        """Return it with what it stores."""


class AskedForCodes(Asked):
    """A model, asked for codes twice and for a gradient."""

    lists = False

    def __init__(self, pipeline: Pipeline, photos: Photos, encoded: str | Path | None) -> None:
        self.pipeline, self.photos, self.encoded = pipeline, photos, encoded
        self.no_gradients = check_answers(pipeline, photos)
        self.facts = {"bits": pipeline.model.bits, "sha256": pipeline.model.sha256()}

    def key(self, *facts: str) -> str:
        """See :meth:`Asked.key`."""
        return cache_key(self.photos, self.pipeline, *facts)

    def opened(
        self, key: str, labels: Labels | None, cache_dir: Path | None, progress: bool
    ) -> AuditedSearch:
        """Encode the photographs, or take the codes that were encoded beforehand."""
        stored = (
            encode(self.photos, self.pipeline, key=key, cache_dir=cache_dir, progress=progress)
            if self.encoded is None
            else open_encoded(self.photos, self.pipeline, self.encoded)
        )
        return CodeSearch(self.pipeline, stored, labels_of(stored, labels), labels is not None)


class AskedForLists(Asked):
    """A service that answers with ranked ids, asked for a few lists twice."""

    lists = True
    no_gradients = None

    def __init__(self, service: RankedService, photos: Photos, settings: AuditSettings) -> None:
        if settings.threshold is not None:
            raise HashprobeError(
                "--threshold: the service tells no distances; say with --top-k how many of the items that it lists count."
            )
        search = settings.search
        if search is not None and search.index != "scan":
            raise HashprobeError("--index: the service gives no codes, and searches an index of its own.")
        self.service, self.photos = service, photos
        self.length = (search and search.top_k) or LISTED
        self._check_length(len(photos.names))
        check_lists(service, photos, self.length)
        self.facts = {"service": service.service.name, "listed": self.length}

    def key(self, *facts: str) -> str:
        """See :meth:`Asked.key`."""
        return fingerprint("lists 1", self.service.service.name, self.length, self.photos.identity(), *facts)

    def opened(
        self, key: str, labels: Labels | None, cache_dir: Path | None, progress: bool
    ) -> AuditedSearch:
        """Decode the photographs, of which it stores those that can be used."""
        stored = usable(self.photos, progress=progress)
        self._check_length(len(stored.rows))
        return ListSearch(self.service, self.photos, stored, self.length)

    def _check_length(self, count: int) -> None:
        if self.length >= count:
            raise HashprobeError(
                f"--top-k: of {count} stored photographs every one is among the first {self.length}; give fewer, or "
                "more photographs."
            )
