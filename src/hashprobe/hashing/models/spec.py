"""What a hash model's folder says about it, beside its tensors."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hashprobe.errors import HashprobeError
from hashprobe.files import read_json
from hashprobe.hashing.backbones import Triple

FORMAT: Literal["hashprobe.hash-model/1"] = "hashprobe.hash-model/1"
MOST_BITS = 1024


class HashModelSpec(BaseModel):
    """What is needed to build a hash model's network again, apart from its tensors.

    Attributes:
        backbone: A name of :func:`hashprobe.hashing.build_backbone`.
        bits: Code length K.
        mean: Mean of the normalisation, per channel, in [0, 1] units.
        std: Standard deviation of the normalisation, per channel.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    backbone: str
    bits: int = Field(ge=1, le=MOST_BITS)
    mean: Triple
    std: Triple


class Description(BaseModel):
    """What ``model.json`` holds.

    Attributes:
        format: Of the file.
        bits: Code length K.
        mean: Mean of the normalisation, per channel, in [0, 1] units.
        std: Standard deviation of the normalisation, per channel.
        scale: Of the tanh that was trained; a file from before there was one has 1.
        spec: How the network is built again; ``None`` for a module that was wrapped.
        sha256: The model's fingerprint.
        built_by: The name of ``MODELS`` whose function builds the model.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    format: Literal["hashprobe.hash-model/1"] = FORMAT
    bits: int = Field(ge=1)
    mean: Triple
    std: Triple
    scale: float = Field(1.0, gt=0, strict=True)
    spec: HashModelSpec | None
    sha256: str
    built_by: str | None = None

    @classmethod
    def read(cls, path: Path) -> Description:
        """Read a file.

        Raises:
            HashprobeError: it is missing, of another kind, or damaged; the first wrong field is named.
        """
        content = read_json(path)
        found = content.get("format") if isinstance(content, dict) else type(content).__name__
        if found != FORMAT:
            raise HashprobeError(f"{path} describes {found!r}, not a hash model ({FORMAT!r}).")
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(map(str, first["loc"]))
            raise HashprobeError(
                f"{path} is damaged at {field} ({first['msg']}); save the model again."
            ) from None
