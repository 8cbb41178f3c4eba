"""A program of the user's that is started for each picture and prints an answer."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from typing import IO

from hashprobe.errors import HashprobeError, shortened
from hashprobe.hashing.models.outside.asking import MOST_ANSWER, Service, ServiceFault, ServiceSettings

PLACE = "{image}"
"""In a command: where the path of the picture is put."""
MOST_SAID = 2000


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

    def send(self, picture: bytes) -> bytes:
        """Start the program on a picture; see :meth:`Service.send`."""
        with tempfile.NamedTemporaryFile(suffix=".png") as file:
            file.write(picture)
            file.flush()
            arguments = [part.replace(PLACE, file.name) for part in self.arguments]
            with Path(os.devnull if arguments != self.arguments else file.name).open("rb") as given:
                return self._run(arguments, given)

    def _run(self, arguments: list[str], given: IO[bytes]) -> bytes:
        try:
            process = subprocess.Popen(
                arguments, stdin=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
            )
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ServiceFault(f"cannot be started ({reason})", again=False) from None
        assert process.stdout is not None
        assert process.stderr is not None
        late, said = threading.Event(), list[bytes]()

        def end() -> None:
            late.set()
            _kill(process)

        timer = threading.Timer(self.settings.timeout, end)
        errors = threading.Thread(target=_drain, args=(process.stderr, said), daemon=True)
        timer.start()
        errors.start()
        try:
            answer = process.stdout.read(MOST_ANSWER + 1)
            if len(answer) <= MOST_ANSWER:
                process.wait()
        finally:
            timer.cancel()
            _kill(process)
            code = process.wait()
            errors.join(1.0)
            process.stdout.close()
        if late.is_set():
            raise ServiceFault(f"did not answer within {self.settings.timeout:g} seconds", again=False)
        if code and len(answer) <= MOST_ANSWER:
            lines = b"".join(said).decode(errors="replace").strip().splitlines()
            why = f" ({lines[-1].strip()[:200].rstrip('.')})" if lines else ""
            raise ServiceFault(f"ended with code {code}{why}", again=False)
        return answer


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a program and what it has started; it has a session of its own."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _drain(stream: IO[bytes], said: list[bytes]) -> None:
    """Read to the end, so that a program that says much goes on, and keep what it says last."""
    while part := stream.read(MOST_SAID):
        said[:] = [*said[-1:], part]
    stream.close()
