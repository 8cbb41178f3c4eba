"""What is wrong with lists and images: the first fault ends a reading, or all of them are collected."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice

from hashprobe.errors import HashprobeError

MOST_PLACES = 1000
"""Of one kind of fault or finding that are said one by one; further ones are counted."""


@dataclass
class KindOfFault:
    """What is wrong in one way.

    Attributes:
        kind: What it is a fault of, in a few words, in the plural (``"label rows that cannot be read"``).
        messages: One sentence each, which names the file and line; the first ``MOST_PLACES``.
        count: How many there are in all.
    """

    kind: str
    messages: list[str] = field(default_factory=list)
    count: int = 0


class Faults:
    """Where readers report what is wrong. This one is strict: the first fault is an error.

    A reader that has reported a fault must be able to go on without the faulty part, because
    :class:`CollectedFaults` lets it.
    """

    def add(self, kind: str, message: str) -> None:
        """Report a fault.

        Raises:
            HashprobeError: always, with ``message``; not in :class:`CollectedFaults`.
        """
        raise HashprobeError(message)

    def add_all(self, kind: str, messages: Iterable[str], count: int) -> None:
        """Report many different faults of a kind; those messages alone are made that are said one by one."""
        for message in islice(messages, count):
            self.add(kind, message)


class CollectedFaults(Faults):
    """Lenient: every fault is counted, each message once; of a kind, the first messages are kept."""

    def __init__(self) -> None:
        self._found: dict[str, KindOfFault] = {}
        self._known: dict[str, set[int]] = {}  # hashes of messages

    @property
    def found(self) -> tuple[KindOfFault, ...]:
        """The faults by kind, in the order of their finding."""
        return tuple(self._found.values())

    def add(self, kind: str, message: str) -> None:
        """Keep a fault."""
        known = self._known.setdefault(kind, set())
        if hash(message) in known:
            return
        known.add(hash(message))
        self._keep(kind, [message], 1)

    def add_all(self, kind: str, messages: Iterable[str], count: int) -> None:
        """Keep many faults, which were not reported before."""
        if count:
            self._keep(kind, islice(messages, MOST_PLACES), count)

    def _keep(self, kind: str, messages: Iterable[str], count: int) -> None:
        of_kind = self._found.setdefault(kind, KindOfFault(kind))
        of_kind.messages += islice(messages, MOST_PLACES - len(of_kind.messages))
        of_kind.count += count


STRICT = Faults()
