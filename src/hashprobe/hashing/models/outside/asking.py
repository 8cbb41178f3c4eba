"""How a service is asked: so fast, so often, so many times at most, and so long; what goes wrong is one sentence."""

from __future__ import annotations

import io
import json
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hashprobe.errors import HashprobeError, check_whole_number, shortened
from hashprobe.hashing.models.spec import MOST_BITS
from hashprobe.typed_values import check_fields

MOST_ANSWER = 1 << 20
"""Bytes of an answer, at most."""
LONGEST_WAIT = 30.0
"""Seconds between two tries, at most."""


class ServiceFault(Exception):
    """One try that failed, with what was wrong.

    Attributes:
        again: Whether another try may succeed.
        wait: Seconds that the service asks to be left alone.
    """

    def __init__(self, what: str, *, again: bool, wait: float = 0.0) -> None:
        super().__init__(what)
        self.again, self.wait = again, wait


@dataclass(frozen=True, kw_only=True)
class ServiceSettings:
    """How a service is asked.

    Attributes:
        timeout: Seconds that one try may take.
        retries: Further tries where a service is busy, fails inside (500 and above) or cannot be reached.
        back_off: Seconds before the first of them; twice as many before each that follows, at most 30.
        per_second: Tries a second at most, of each process; any number if ``none``.
        questions: Tries in all, of each process: a budget, after which it is asked no more; any number if ``none``.
        bits: Code length K, where it is not four times the number of hexadecimal digits.
        anywhere: Whether an address may be another than this machine's own; pictures are sent there then.
    """

    timeout: float = 30.0
    retries: int = 2
    back_off: float = 0.5
    per_second: float | None = None
    questions: int | None = None
    bits: int | None = None
    anywhere: bool = False

    def __post_init__(self) -> None:
        check_fields(self)
        for name, positive in (("timeout", True), ("back_off", False), ("per_second", True)):
            value = getattr(self, name)
            if value is not None and not (0 <= value < 1e6 and (value > 0 or not positive)):
                raise HashprobeError(f"{name} must be a {'positive ' * positive}number; found {value}.")
        check_whole_number("retries", self.retries, least=0, most=100)
        if self.questions is not None:
            check_whole_number("questions", self.questions, least=1)
        if self.bits is not None:
            check_whole_number("bits", self.bits, least=1, most=MOST_BITS)


class Service(ABC):
    """Something outside that answers a picture with a line of JSON.

    Args:
        name: As it stands in messages and in the fingerprint: its address, or its command.
        settings: How it is asked.

    Attributes:
        asked: How many times it was asked, further tries counted.
    """

    def __init__(self, name: str, settings: ServiceSettings) -> None:
        self.name, self.settings, self.asked = name, settings, 0
        self._next = 0.0

    @abstractmethod
    def send(self, picture: bytes) -> bytes:
        """Return what it answers to one PNG, at most a byte more than ``MOST_ANSWER``.

        Raises:
            ServiceFault: it does not answer as it should.
        """

    def answer(self, image: npt.NDArray[np.uint8]) -> dict[str, Any]:
        """Ask about one image, uint8 ``(3, h, w)``, and return the JSON object of the answer.

        Raises:
            HashprobeError: it does not answer, not in time, or not with JSON; or its questions are used up.
        """
        picture, tries = _png(image), 0
        while True:
            self._wait_for_a_turn()
            tries += 1
            try:
                return self._read(self.send(picture))
            except ServiceFault as fault:
                if not fault.again or tries > self.settings.retries:
                    often = f" in {tries} tries" if tries > 1 else ""
                    raise HashprobeError(f"the service {self.name} {fault}{often}.") from None
                time.sleep(min(LONGEST_WAIT, max(fault.wait, self.settings.back_off * 2 ** (tries - 1))))

    def _wait_for_a_turn(self) -> None:
        most, rate = self.settings.questions, self.settings.per_second
        if most is not None and self.asked >= most:
            raise HashprobeError(
                f"the service {self.name} was asked the {most:,} questions that it may be asked (questions={most}); ask for "
                "less, or raise it."
            )
        self.asked += 1
        if rate is not None:
            now = time.monotonic()
            if self._next > now:
                time.sleep(self._next - now)
            self._next = max(now, self._next) + 1 / rate

    def _read(self, answer: bytes) -> dict[str, Any]:
        if len(answer) > MOST_ANSWER:
            raise ServiceFault(f"answered with more than {MOST_ANSWER:,} bytes", again=False)
        try:
            value = json.loads(answer)
        except (ValueError, RecursionError):
            raise ServiceFault(
                f'must answer with a line of JSON, as {{"code": "8f…"}}; it answered {shortened(answer)}',
                again=False,
            ) from None
        if not isinstance(value, dict):
            raise ServiceFault(f"must answer with a JSON object; it answered {shortened(value)}", again=False)
        return value


def _png(image: npt.NDArray[np.uint8]) -> bytes:
    from PIL import Image

    written = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0))).save(
        written, format="PNG", compress_level=1
    )
    return written.getvalue()
