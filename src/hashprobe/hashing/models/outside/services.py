"""Services as hash models: a command or an address that answers a picture with its code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from hashprobe.errors import HashprobeError, shortened
from hashprobe.hashing.models.hash_model import HashModel
from hashprobe.hashing.models.outside.asking import Service, ServiceSettings
from hashprobe.hashing.models.outside.command import Command
from hashprobe.hashing.models.outside.files import check_deterministic
from hashprobe.hashing.models.outside.http import Address
from hashprobe.hashing.models.outside.ranked import RankedService
from hashprobe.hashing.models.outside.settings import made, split_settings
from hashprobe.hashing.models.spec import MOST_BITS
from hashprobe.images import to_uint8
from hashprobe.seeds import torch_generator
from hashprobe.typed_values import checked

COMMAND = "command:"
SERVICES = (COMMAND, "http:", "https:")
"""How the text of a service begins."""
FIRST_SIDE = 64
"""Of the picture of noise that a service is first asked about."""


class ServiceNetwork(nn.Module):
    """Signs of the codes that a service gives, asked image by image.

    Args:
        service: What is asked; each answer is ``{"code": "8f…"}``, hexadecimal, the first bit the highest of the first digit.
        bits: K.
    """

    def __init__(self, service: Service, bits: int) -> None:
        super().__init__()
        self.service, self.bits = service, bits

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return ±1, ``(n, K)``, for images in [0, 1], which are rounded to 8 bit."""
        rows = [
            code_of(self.service.answer(image), self.bits, self.service.name)
            for image in to_uint8(images).cpu().numpy()
        ]
        return torch.tensor(rows, dtype=torch.float32, device=images.device).view(len(images), self.bits)


def code_of(answer: dict[str, Any], bits: int | None, name: str) -> list[int]:
    """Return the code of an answer as ±1.

    Args:
        answer: What was answered.
        bits: K; four times the number of digits if not given.
        name: Of the service, for messages.

    Raises:
        HashprobeError: it holds no code, or one of another length.
    """
    code = answer.get("code")
    digits = code if isinstance(code, str) else ""
    if not digits or not set(digits) <= set("0123456789abcdefABCDEF") or len(digits) > MOST_BITS:
        raise HashprobeError(
            f'the service {name} must answer with a code in hexadecimal, {{"code": "8f…"}}; it answered {shortened(answer)}.'
        )
    known = 4 * len(digits) if bits is None else bits
    if len(digits) not in (-(-known // 4), 2 * -(-known // 8)):
        raise HashprobeError(
            f"the service {name} answered with a code of {4 * len(digits)} bits; its codes have {known} (bits= says how many)."
        )
    if known > MOST_BITS:
        raise HashprobeError(
            f"the service {name} answered with a code of {known} bits; at most {MOST_BITS} are taken."
        )
    read = np.unpackbits(np.frombuffer(bytes.fromhex(digits + "0" * (len(digits) % 2)), dtype=np.uint8))
    return [1 if bit else -1 for bit in read[:known]]


@checked
def open_service(text: str, *, names: Sequence[str] = ()) -> HashModel | RankedService:
    """Return a service: one that gives codes as a hash model without gradients, one that gives ids as a :class:`RankedService`.

    It is asked about one picture of noise, which shows what it gives; one with codes twice, which shows whether it gives them
    again. What is named here is done: the command is started, the address is asked.

    Args:
        text: ``command:`` with a program and its arguments, or an address that begins with ``http:``; then settings, as
            ``,timeout=5,per_second=20``; see :class:`ServiceSettings`.
        names: Names of the items of the database, for ids that are texts; see :class:`RankedService`.

    Raises:
        HashprobeError: it cannot be asked, or answers with neither.
    """
    if not text.startswith(SERVICES):
        raise HashprobeError(f"{shortened(text)} is no service; it begins with command: or with http:.")
    what, values = split_settings(text, ServiceSettings)
    settings = made(ServiceSettings, values)
    command = what.startswith(COMMAND)
    service = Command(what.removeprefix(COMMAND), settings) if command else Address(what, settings)
    noise = torch.rand(1, 3, FIRST_SIDE, FIRST_SIDE, generator=torch_generator(0, "noise"))
    answer = service.answer(to_uint8(noise)[0].numpy())
    if "ids" in answer and "code" not in answer:
        ranked = RankedService(service, names)
        ranked.read(answer)
        return ranked
    bits = len(code_of(answer, settings.bits, service.name))
    model = HashModel.wrap(ServiceNetwork(service, bits), bits=bits, gradients=False).eval()
    model.source = what
    check_deterministic(model, noise)
    return model


def service_of(model: HashModel) -> Service | None:
    """Return the service that a model asks, or ``None``."""
    return model.network.service if isinstance(model.network, ServiceNetwork) else None


def share_service(model: HashModel, workers: int, asked: int) -> None:
    """Let a model ask only as much as one of several processes may, so that all together keep to its rate and questions.

    Args:
        model: Any model, just opened; one that is no service is left alone.
        workers: How many processes ask.
        asked: Questions that another process has asked already.

    Raises:
        HashprobeError: there are not enough questions for all.
    """
    service = service_of(model)
    if service is None:
        return
    rate, most = service.settings.per_second, service.settings.questions
    each = None if most is None else max(0, most - asked) // workers
    if each is not None and each <= service.asked:
        raise HashprobeError(
            f"questions={most} is too little for {workers} processes, each of which asks {service.asked} to begin with; "
            "raise it, or give fewer --workers."
        )
    service.settings = replace(
        service.settings, per_second=None if rate is None else rate / workers, questions=each
    )
