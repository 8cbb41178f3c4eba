"""Settings behind the name of a model, as ``net.onnx,mean=imagenet,channels=bgr``: read and checked."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from hashprobe.errors import HashprobeError, check_whole_number, shortened, unknown_name
from hashprobe.hashing.backbones import CAFFE_MEAN, CAFFE_STD, Triple
from hashprobe.hashing.backbones.base import IMAGENET_MEAN, IMAGENET_STD
from hashprobe.hashing.models.spec import MOST_BITS
from hashprobe.settings_text import read_pairs, read_value
from hashprobe.typed_values import check_fields, check_type

Settings = TypeVar("Settings")

NORMALISATIONS: dict[str, tuple[Triple, Triple]] = {
    "imagenet": (IMAGENET_MEAN, IMAGENET_STD),
    "caffe": (CAFFE_MEAN, CAFFE_STD),
}
"""Mean and std by name."""


def split_settings(text: str, kind: type[Any]) -> tuple[str, dict[str, Any]]:
    """Return what comes before the settings, and the settings by name.

    Settings are what follows the last commas, as far as it begins with a name that ``kind``, a dataclass, has: a command or an
    address may have commas of its own.
    """
    known, found = {field.name for field in dataclasses.fields(kind)}, list[str]()
    while True:
        before, comma, last = text.rpartition(",")
        if not comma or last.partition("=")[0] not in known or "=" not in last:
            return text, read_pairs(found, "--model")
        text = before
        found.insert(0, last)


def made(kind: type[Settings], values: dict[str, Any]) -> Settings:
    """Return settings, or say which name they do not have."""
    known = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    for name in values:
        if name not in known:
            raise unknown_name("setting of such a model", name, known)
    return kind(**values)


@dataclass(frozen=True, kw_only=True)
class FileSettings:
    """What a file of somebody else's does not say of itself.

    Attributes:
        mean: Subtracted from images in [0, 1]: one number, three with colons (``0.485:0.456:0.406``), or ``imagenet`` or
            ``caffe``, which also give ``std``.
        std: Divided by, likewise; ``1/255`` for a network that takes 0 to 255.
        channels: In which order the network takes the colours: ``rgb`` or ``bgr``.
        layout: ``nchw`` or ``nhwc``, where the file leaves it open.
        size: Height and width that it takes, where the file leaves them open: ``224``, or ``224x320``.
        resize: How images of another size are brought to it: ``bilinear`` (antialiased); ``none`` refuses them.
        output: Which of several outputs, by its number or name; of an ONNX file any tensor within by its name.
        hyperplanes: Bits that are made of real features, at mean 0 and variance 1 within each image, by so many random planes
            (SimHash: Charikar, STOC 2002); without them the outputs are the code.
        seed: Of the hyperplanes.
        trusted: Whether the file may run code of its own; see :mod:`hashprobe.hashing.models.outside.exported`.
    """

    mean: float | str = 0.0
    std: float | str | None = None
    channels: Literal["rgb", "bgr"] = "rgb"
    layout: Literal["nchw", "nhwc"] | None = None
    size: int | str | None = None
    resize: Literal["bilinear"] | None = "bilinear"
    output: int | str | None = None
    hyperplanes: int | None = None
    seed: int = 0
    trusted: bool = False

    def __post_init__(self) -> None:
        check_fields(self)
        for name, hint in (
            ("channels", Literal["rgb", "bgr"]),
            ("layout", Literal["nchw", "nhwc", None]),
            ("resize", Literal["bilinear", None]),
        ):
            check_type(name, getattr(self, name), hint)
        if self.hyperplanes is not None:
            check_whole_number("hyperplanes", self.hyperplanes, least=1, most=MOST_BITS)
        check_whole_number("seed", self.seed, least=0, most=(1 << 63) - 1)

    @property
    def normalisation(self) -> tuple[Triple, Triple]:
        """Mean and std, per channel."""
        if isinstance(self.mean, str) and self.mean in NORMALISATIONS:
            mean, std = NORMALISATIONS[self.mean]
            return mean, std if self.std is None else _triple("std", self.std)
        return _triple("mean", self.mean), _triple("std", 1.0 if self.std is None else self.std)

    @property
    def sides(self) -> tuple[int, int] | None:
        """The size, as height and width."""
        if self.size is None:
            return None
        parts = str(self.size).split("x")
        try:
            numbers = [int(part) for part in parts]
        except ValueError:
            numbers = []
        if len(numbers) not in (1, 2) or not all(1 <= number <= 1 << 16 for number in numbers):
            raise HashprobeError(
                f"size must be a number of pixels, as 224, or height x width, as 224x320; found {shortened(self.size)}."
            )
        return numbers[0], numbers[-1]


def _triple(name: str, given: float | str) -> Triple:
    parts = [read_value(part) for part in given.split(":")] if isinstance(given, str) else [given]
    if len(parts) not in (1, 3) or not all(type(part) in (int, float) for part in parts):
        raise HashprobeError(
            f"{name} must be a number, three with colons (0.485:0.456:0.406), or a mean's name, imagenet or caffe; "
            f"found {shortened(given)}."
        )
    numbers = [float(part) for part in parts] * (3 if len(parts) == 1 else 1)
    return numbers[0], numbers[1], numbers[2]
