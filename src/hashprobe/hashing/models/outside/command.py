"""A program of the user's that is started for each picture and prints an answer."""

from __future__ import annotations

import os
import selectors
import shlex
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import IO

from hashprobe.errors import HashprobeError, shortened
from hashprobe.hashing.models.outside.asking import MOST_ANSWER, Service, ServiceFault, ServiceSettings

PLACE = "{image}"
"""In a command: where the path of the picture is put."""
MOST_SAID = 2000
AT_ONCE = 1 << 16
LOOK_AGAIN = 0.1
"""Seconds after which it is looked whether a program that prints nothing has ended."""


class Command(Service):
    """A program with its arguments; no shell reads them.

    The picture is on standard input, or in a file whose path stands where the command says ``{image}``. What it prints on
    standard output is its answer. A program that takes too long is ended, with all that it has started.

    Args:
        command: As a person would write it for a shell, quotes and all.
        settings: How it is asked.
    """

    def __init__(self, command: str, settings: ServiceSettings) -> None:
        super().__init__(shortened(command), settings)
        try:
            self.arguments = shlex.split(command)
        except ValueError as error:
            raise HashprobeError(f"the command {shortened(command)} cannot be read ({error}).") from None
        if not self.arguments:
            raise HashprobeError("command: names no program; give one, as command:python hash.py {image}.")
        self._until = 0.0

    def send(self, picture: bytes) -> bytes:
        """Start the program on a picture; see :meth:`Service.send`."""
        with tempfile.NamedTemporaryFile(suffix=".png") as file:
            file.write(picture)
            file.flush()
            arguments = [part.replace(PLACE, file.name) for part in self.arguments]
            with Path(os.devnull if arguments != self.arguments else file.name).open("rb") as given:
                return self._run(arguments, given)

    def _run(self, arguments: list[str], given: IO[bytes]) -> bytes:
        self._until = time.monotonic() + self.settings.timeout
        try:
            process = subprocess.Popen(
                arguments, stdin=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
            )
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ServiceFault(f"cannot be started ({reason})", again=False) from None
        try:
            answer, said = self._read_both(process)
            code = 0 if len(answer) > MOST_ANSWER else process.wait(self._left())
        except subprocess.TimeoutExpired:
            raise ServiceFault(
                f"did not answer within {self.settings.timeout:g} seconds", again=False
            ) from None
        finally:
            _kill(process)
            process.wait()
            for stream in (process.stdout, process.stderr):
                if stream is not None:
                    stream.close()
        if code:
            lines = said.decode(errors="replace").strip().splitlines()
            why = f" ({lines[-1].strip()[:200].rstrip('.')})" if lines else ""
            raise ServiceFault(f"ended with code {code}{why}", again=False)
        return answer

    def _read_both(self, process: subprocess.Popen[bytes]) -> tuple[bytes, bytes]:
        """Return what a program prints, at most a byte more than an answer may have, and the end of what it says beside it.

        It is over when both are closed, or when the program has ended: something that it left running may hold them open.
        """
        answer, said = bytearray(), bytearray()
        with selectors.DefaultSelector() as ready:
            for stream, kept in ((process.stdout, answer), (process.stderr, said)):
                assert stream is not None
                ready.register(stream, selectors.EVENT_READ, kept)
            while ready.get_map() and len(answer) <= MOST_ANSWER:
                ended, found = process.poll() is not None, ready.select(min(self._left(), LOOK_AGAIN))
                if ended and not found:
                    break
                if not found and not self._left():
                    raise subprocess.TimeoutExpired(process.args, self.settings.timeout)
                for key, _ in found:
                    part = os.read(key.fd, AT_ONCE)
                    key.data.extend(part)
                    if not part:
                        ready.unregister(key.fileobj)
                del said[:-MOST_SAID]
        return bytes(answer[: MOST_ANSWER + 1]), bytes(said)

    def _left(self) -> float:
        return max(0.0, self._until - time.monotonic())


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a program and what it has started; it has a session of its own."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
