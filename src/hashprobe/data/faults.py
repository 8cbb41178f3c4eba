"""What is wrong with lists and images: the first fault ends a reading, or all of them are collected."""

from __future__ import annotations

from dataclasses import dataclass

from hashprobe.errors import HashprobeError


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong.

    Attributes:
        kind: What it is a fault of, in a few words, in the plural (``"label rows that cannot be read"``).
        message: One sentence that names the file and line.
    """

    kind: str
    message: str


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


class CollectedFaults(Faults):
    """Lenient: every fault is kept, each message once."""

    def __init__(self) -> None:
        self._found: dict[str, Fault] = {}

    @property
    def found(self) -> tuple[Fault, ...]:
        """The faults, in the order of their finding."""
        return tuple(self._found.values())

    def add(self, kind: str, message: str) -> None:
        """Keep a fault."""
        self._found.setdefault(message, Fault(kind, message))


STRICT = Faults()
