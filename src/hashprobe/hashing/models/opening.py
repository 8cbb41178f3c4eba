"""Opens a model by what a person writes: a name, a folder, a file of somebody else's, or a service."""

from __future__ import annotations

from pathlib import Path

from hashprobe.errors import HashprobeError, shortened
from hashprobe.files import user_path
from hashprobe.hashing.models.hash_model import MODELS, HashModel
from hashprobe.hashing.models.joined import AND, joined
from hashprobe.hashing.models.outside.files import KINDS, open_file
from hashprobe.hashing.models.outside.perceptual import HASHES, PerceptualSettings, perceptual_hash
from hashprobe.hashing.models.outside.ranked import RankedService
from hashprobe.hashing.models.outside.services import SERVICES, open_service
from hashprobe.hashing.models.outside.settings import FileSettings, made
from hashprobe.settings_text import read_pairs
from hashprobe.typed_values import checked


def is_outside(text: str) -> bool:
    """Return whether a text means a file, a service or a perceptual hash of somebody else's, with settings perhaps."""
    return (
        text.startswith(SERVICES)
        or _hash_name(text) is not None
        or Path(file_and_settings(text)[0]).suffix in KINDS
    )


@checked
def open_model(name_or_folder: str | Path, *, bits: int | None = None) -> HashModel:
    """Return a model by its name in ``MODELS``, from the folder that :meth:`HashModel.save` wrote, or one of somebody else's.

    Args:
        name_or_folder: A text that is a registered name means that model; a folder of the same name is ``./name``. A file that
            ends in ``.pt`` or ``.ts`` is TorchScript, ``.pt2`` of ``torch.export``, ``.onnx`` ONNX. A text that begins with
            ``command:`` or ``http:`` is a service that returns codes. Settings follow after commas
            (``net.onnx,mean=imagenet``): those of :class:`FileSettings`, :class:`ServiceSettings` or :class:`PerceptualSettings`.
            Several with a plus between them are one model (:func:`hashprobe.hashing.joined`). A ``Path`` is always a folder or a
            file.
        bits: The code length that is expected; another one is an error.

    Raises:
        HashprobeError: nothing of that name, or a model that cannot be had; see :meth:`HashModel.named`, :meth:`HashModel.load`,
            :func:`open_file` and :func:`open_service`.
    """
    model = _opened(name_or_folder, bits)
    if bits is not None and model.bits != bits:
        raise HashprobeError(f"{name_or_folder} has {model.bits} bits; {bits} were expected.")
    return model


def parts_of(text: str) -> list[str]:
    """Return the models that a text names with a plus between them; the text itself where it is one."""
    parts = text.split(AND)
    one = text in MODELS or user_path(text).exists() or len(parts) == 1
    return [text] if one or not all(map(_is_there, parts)) else parts


def _is_there(text: str) -> bool:
    return text in MODELS or is_outside(text) or (text != "" and user_path(text).exists())


def _opened(given: str | Path, bits: int | None) -> HashModel:
    text = given if isinstance(given, str) else None
    if text is not None and len(parts := parts_of(text)) > 1:
        return joined([_opened(part, None) for part in parts])
    if text is not None and text in MODELS:
        return HashModel.named(text, bits=bits)
    if text is not None and text.startswith(SERVICES):
        service = open_service(text)
        if isinstance(service, RankedService):
            raise HashprobeError(
                f"{shortened(text)} returns ranked ids, and no codes to measure; audit it (hashprobe audit), or attack it from "
                "Python with hashprobe.hashing.open_service and an attack that sees lists alone (RandomSearch, RankNES)."
            )
        return service
    if text is not None and (name := _hash_name(text)) is not None:
        values = read_pairs(text.split(",")[1:], "--model")
        return perceptual_hash(name, made(PerceptualSettings, values))
    what, texts = (given, []) if text is None else file_and_settings(text)
    if Path(what).suffix in KINDS and not user_path(what).is_dir():
        return open_file(what, made(FileSettings, read_pairs(texts, "--model")))
    if not user_path(given).exists():
        raise HashprobeError(
            f"{given} is neither a folder nor a registered model ({', '.join(MODELS) or 'there is none'}); "
            "give the folder that train-hash wrote, --plugin with the file that registers the name, or a model of somebody "
            "else's: a .pt, .pt2 or .onnx file, command:PROGRAM, or the address of a service."
        )
    return HashModel.load(given, bits=bits)


def file_and_settings(text: str) -> tuple[str, list[str]]:
    """Return the name of a file and the settings behind it; a file whose own name has commas goes before."""
    parts = text.split(",")
    for count in range(1, len(parts)):
        name = ",".join(parts[:count])
        if Path(name).suffix in KINDS and not user_path(text).exists():
            return name, parts[count:]
    return text, []


def _hash_name(text: str) -> str | None:
    """Return the name of a perceptual hash with settings; without any it is a name of ``MODELS``."""
    name, comma, _ = text.partition(",")
    return name if comma and name in HASHES else None
