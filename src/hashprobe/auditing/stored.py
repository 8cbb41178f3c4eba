"""The stored pictures: the codes of all photographs, kept between calls, or encoded beforehand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hashprobe.auditing.photos import PhotoPictures, Photos, listing_sha256
from hashprobe.auditing.shards import Shard, fingerprint_of, make_shard, shard_size, still_gives
from hashprobe.bounds import BOUNDS, Bounds
from hashprobe.data.images.decoding import UnusableImage, decode_image
from hashprobe.data.images.store import cache_folder
from hashprobe.errors import HashprobeError
from hashprobe.evaluation.kept_codes import CODE_STORE, made_by
from hashprobe.evaluation.own_size import Pipeline
from hashprobe.files import read_json, user_path
from hashprobe.folders import EXPERIMENT_FILE
from hashprobe.hashing import HashModel
from hashprobe.identity import fingerprint
from hashprobe.progress import progress_bar
from hashprobe.targets import Codes

SHARDS = "shards"
"""The folder of shards, within that of encoded photographs."""


@dataclass(frozen=True)
class Stored:
    """What the audited search holds: every photograph that can be used, once.

    Attributes:
        rows: Which of the photographs they are, ``(N,)``.
        codes: Their packed codes ``(N, ceil(K / 8))``.
        left_out: Photographs that cannot be used, each with why, as a sentence goes on.
        copies: How many were left out since another one shows the model the same pixels.
    """

    rows: npt.NDArray[np.intp]
    codes: Codes
    left_out: tuple[tuple[str, str], ...]
    copies: int


def encode(
    photos: Photos, pipeline: Pipeline, *, key: str, cache_dir: Path | None = None, progress: bool = False
) -> Stored:
    """Return the codes of photographs; those that are kept from an earlier call are not made again.

    The first few are made anew each time: where one differs, as after a change of a module or a service that its fingerprint does
    not show, all are. With other bounds of pictures (``--bound``) other ones can be used, and all are made as well.

    Args:
        photos: The photographs.
        pipeline: How they are brought to a code.
        key: Fingerprint of model, photographs and preprocessing.
        cache_dir: Where codes are kept; the user's cache folder by default.
        progress: Whether a progress bar is shown.

    Raises:
        HashprobeError: fewer than two can be used, the model fails, or the cache cannot be written.
    """
    name = fingerprint(key, made_by(), *_other_bounds())
    folder = cache_folder(cache_dir) / f"photo-codes-{name[:16]}"
    parts, width = _parts(folder, photos, pipeline.model), -(-pipeline.model.bits // 8)
    _forget_changed(parts, pipeline, width)
    shards = list[Shard]()
    with progress_bar("codes", len(photos.names), show=progress) as advance:
        for path, part in parts:
            shard = _kept(path, part, width)
            if shard is None:
                path.unlink(missing_ok=True)
            if shard is None or shard.missing:
                shard = make_shard(path, PhotoPictures(part, pipeline.size), pipeline.model, advance)
            else:
                advance(len(part.names))
            shards.append(shard)
    return _together(photos, shards, width)


def open_encoded(photos: Photos, pipeline: Pipeline, folder: str | Path) -> Stored:
    """Return the codes of photographs that ``hashprobe encode`` left in a folder; the first few are compared with the model's.

    Args:
        photos: The photographs.
        pipeline: How they are brought to a code.
        folder: That ``hashprobe encode`` wrote.

    Raises:
        HashprobeError: the folder holds none, not all, damaged ones, or those of other photographs or another model.
    """
    place = user_path(folder)
    if not (place / CODE_STORE).is_file():
        raise HashprobeError(
            f"{place} holds no codes that are finished; write them with hashprobe encode, which goes on where it was stopped."
        )
    said, model = read_json(place / EXPERIMENT_FILE), pipeline.model
    listing = listing_sha256(photos.folder, photos.names)
    if not isinstance(said, dict) or said.get("identity") != encoded_identity(model, pipeline.size, listing):
        raise HashprobeError(
            f"{place} was encoded from other photographs than {photos.folder} holds now, by another model, version or plugin, or "
            "at another --image-size or --bound; encode them again into another folder."
        )
    parts, width = _parts(place / SHARDS, photos, model), -(-model.bits // 8)
    shards = [Shard.read(path, len(part.names), width) for path, part in parts]
    made = (
        (PhotoPictures(part, pipeline.size), shard) for (_, part), shard in zip(parts, shards, strict=True)
    )
    if not still_gives(model, made):
        raise HashprobeError(
            f"the model no longer gives the codes that {place} holds; encode the photographs again into another folder."
        )
    return _together(photos, shards, width)


def _parts(folder: Path, photos: Photos, model: HashModel) -> list[tuple[Path, Photos]]:
    """Return the file of each shard with its photographs."""
    size = shard_size(model)
    return [
        (shard_path(folder, number), Photos(photos.folder, photos.names[start : start + size]))
        for number, start in enumerate(range(0, len(photos.names), size))
    ]


def shard_path(folder: Path, number: int) -> Path:
    """Return the file of a shard."""
    return folder / f"{number:05d}.json"


def encoded_identity(model: HashModel, size: int | None, listing: str) -> str:
    """Return what encoded photographs are known by: model, preprocessing, names and times of the files, versions, bounds."""
    return fingerprint("encoded 1", model.sha256(), size, listing, made_by(), *_other_bounds())


def usable(photos: Photos, *, progress: bool = False) -> Stored:
    """Return which photographs can be used, each once, for a search that gives no codes: there are zero bytes of each.

    Raises:
        HashprobeError: fewer than two can be used.
    """
    rows, pixels, left_out = list[int](), list[int](), list[tuple[str, str]]()
    with progress_bar("photographs", len(photos.names), show=progress) as advance:
        for number in range(len(photos.names)):
            try:
                picture = decode_image(photos.read(number), None, still=True)
            except UnusableImage as error:
                left_out.append((photos.names[number], str(error)))
            else:
                rows.append(number)
                pixels.append(int(fingerprint_of(picture), 16))
            advance(1)
    none = np.zeros((len(rows), 0), dtype=np.uint8)
    return _once(photos, rows, pixels, none, left_out)


def cache_key(photos: Photos, pipeline: Pipeline, *facts: str) -> str:
    """Return the fingerprint under which codes are kept; facts are what else they hang on, as a plugin's bytes."""
    return fingerprint("photo codes 1", pipeline.model.sha256(), pipeline.size, photos.identity(), *facts)


def _together(photos: Photos, shards: Iterable[Shard], width: int) -> Stored:
    """Put shards together; see :func:`_once`."""
    rows, pixels, codes, left_out = list[int](), list[int](), list[Codes](), list[tuple[str, str]]()
    start = 0
    for shard in shards:
        rows += [start + row for row in shard.usable]
        pixels += [int(shard.pixels[row], 16) for row in shard.usable]
        codes.append(shard.packed(width))
        left_out += [(photos.names[start + int(row)], why) for row, why in shard.left_out.items()]
        start += len(shard.codes)
    return _once(photos, rows, pixels, np.concatenate(codes), left_out)


def _once(
    photos: Photos, rows: list[int], pixels: list[int], codes: Codes, left_out: list[tuple[str, str]]
) -> Stored:
    """Return the usable photographs; of those that show the model the same pixels the first is taken."""
    first = np.sort(np.unique(np.array(pixels, dtype=np.uint64), return_index=True)[1])
    if len(first) < 2:
        why = f" ({left_out[0][0]} {left_out[0][1]})" if left_out else ""
        raise HashprobeError(
            f"{photos.folder} holds {len(first)} photograph that can be used{why}; an audit needs two at least, better hundreds."
        )
    taken = np.array(rows, dtype=np.intp)[first]
    return Stored(taken, codes[first], tuple(left_out), len(rows) - len(first))


def _other_bounds() -> tuple[int, ...]:
    """Return the bounds of which photographs can be used; nothing where they are the default ones."""
    bounds = BOUNDS.image_pixels, BOUNDS.image_bytes
    return () if bounds == (Bounds.image_pixels, Bounds.image_bytes) else bounds


def _kept(path: Path, photos: Photos, width: int) -> Shard | None:
    """Return a shard of the cache, or ``None`` where there is none; one that is damaged is made anew."""
    try:
        return Shard.read(path, len(photos.names), width)
    except HashprobeError:
        return None


def _forget_changed(parts: Sequence[tuple[Path, Photos]], pipeline: Pipeline, width: int) -> None:
    """Remove all shards where the model no longer gives their codes.

    Before any is made: what is stopped then leaves no codes of two models, of which only the first would be noticed.
    """
    made = (
        (PhotoPictures(part, pipeline.size), shard)
        for path, part in parts
        if (shard := _kept(path, part, width)) is not None
    )
    if not still_gives(pipeline.model, made):
        for path, _ in parts:
            path.unlink(missing_ok=True)
