"""Indexes on a server: a lost connection is made again, a bounded number of times."""

from __future__ import annotations

import time
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar
from urllib.parse import urlsplit

from hashprobe.bounds import read_bytes
from hashprobe.errors import HashprobeError, shortened
from hashprobe.files import user_path

T = TypeVar("T")
WAITS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""Seconds before each time that a connection is made again: a minute in all, in which a server starts again."""


class Server(ABC):
    """A server that keeps the codes.

    Args:
        where: What it is and where, for messages: no password stands in it.
        errors: What its client raises.
    """

    def __init__(self, where: str, errors: tuple[type[Exception], ...]) -> None:
        self.where, self.errors = where, errors
        self._connection: Any = None

    @abstractmethod
    def lost(self, error: Exception) -> bool:
        """Return whether the server may answer when it is asked again, after one of ``errors``."""

    @abstractmethod
    def connect(self) -> Any:
        """Return a connection to a server that has the codes: what is missing there is written first."""

    @abstractmethod
    def disconnect(self, connection: Any, *, clear: bool) -> None:
        """Close a connection; with ``clear``, take away what was written, unless another still searches in it."""

    def open(self, index: object) -> None:
        """Connect, once; what was written is taken away when ``index`` is no longer used.

        Raises:
            HashprobeError: the server cannot be reached, or refuses.
        """
        try:
            self._connection = self.connect()
        except self.errors as error:
            if not self.lost(error):
                raise self._refused(error) from None
            raise HashprobeError(
                f"{self.where} cannot be reached ({reason(error)}); is it running, and is the address right?"
            ) from None
        weakref.finalize(index, self.close)

    def ask(self, work: Callable[[Any], T]) -> T:
        """Return what ``work`` returns for the connection; where that is lost, it is made again and the work repeated.

        Raises:
            HashprobeError: the server did not come back, or refuses.
        """
        waits = iter(WAITS)
        while True:
            try:
                if self._connection is None:
                    self._connection = self.connect()
                return work(self._connection)
            except self.errors as error:
                if not self.lost(error):
                    raise self._refused(error) from None
                self._leave(clear=False)
                wait = next(waits, None)
                if wait is None:
                    raise HashprobeError(
                        f"{self.where} was lost and did not answer again in {len(WAITS)} tries over {sum(WAITS):.0f} seconds "
                        f"({reason(error)}); what was measured before is kept: start it and give the same command again."
                    ) from None
                time.sleep(wait)

    def close(self) -> None:
        """Take away what was written, if the server still answers, and disconnect."""
        self._leave(clear=True)

    def _leave(self, *, clear: bool) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(*self.errors):
                self.disconnect(connection, clear=clear)

    def _refused(self, error: Exception) -> HashprobeError:
        return HashprobeError(f"{self.where} refuses: {reason(error)}.")


def reason(error: Exception) -> str:
    """Return the first line of what a client says, as it may stand in a sentence."""
    said = getattr(error, "message", None) or error  # some hold a bare message
    lines = str(said).strip().splitlines() or [type(error).__name__]
    return lines[0].strip().rstrip(".")


def check_address(url: Any) -> str:
    """Return an address, or say that it is none, or holds what should not be written down with results."""
    parts = urlsplit(url) if isinstance(url, str) else None
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise HashprobeError(f"url must be an address as http://127.0.0.1:6333; found {shortened(url)}.")
    if parts.password or parts.username:
        raise HashprobeError(
            "url holds a user or a password, and settings are written down with the results; put it into a file and give "
            "that as key_file."
        )
    return str(url)


def read_key(path: str | None) -> str | None:
    """Return what a file of one line holds, ``None`` for no file; the key itself is never quoted."""
    if path is None:
        return None
    try:
        return read_bytes(user_path(path), "text_bytes").decode("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        said = getattr(error, "strerror", None) or "it is no text"
        raise HashprobeError(f"key_file {path} cannot be read: {said}.") from None
