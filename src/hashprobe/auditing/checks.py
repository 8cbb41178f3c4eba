"""What is asked of a model before an audit begins: codes that can be used, twice the same, and whether it gives gradients."""

from __future__ import annotations

import torch

from hashprobe.auditing.photos import Photos
from hashprobe.auditing.shards import answering
from hashprobe.data.images.decoding import UnusableImage, check_image_size, decode_image
from hashprobe.errors import HashprobeError
from hashprobe.evaluation.own_size import Picture, Pipeline
from hashprobe.hashing import HashModel, RankedService, check_deterministic, frozen
from hashprobe.images import as_images

USUAL_SIZE = 64
"""Of the squares that a network without a size of its own is given; what hashprobe's other commands take."""
ASKED_TWICE = 4


def pipeline_of(model: HashModel, image_size: int | None) -> Pipeline:
    """Return how files are brought to a model: as they are, where it resizes by itself, or is no network, else as squares.

    Raises:
        HashprobeError: a size that is too small or too large.
    """
    if image_size is not None:
        check_image_size(image_size)
        return Pipeline(model, image_size)
    resizes = model.input_size is not None or answers_one_by_one(model)
    return Pipeline(model, None if resizes else USUAL_SIZE)


def answers_one_by_one(model: HashModel) -> bool:
    """Return whether a model is given pictures of any size, and answers them one by one: a perceptual hash or a service."""
    return model.any_size or not model.gradients


def check_answers(pipeline: Pipeline, photos: Photos) -> str | None:
    """Ask a model twice for the codes of a few photographs, and once for a gradient.

    Returns:
        Why it gives no gradients; ``None`` where it does.

    Raises:
        HashprobeError: no photograph can be used, the model fails, or its second answer is another one.
    """
    found = _first_usable(photos, pipeline.size)
    for number, picture in found:
        with answering(photos.names[number]):
            check_deterministic(pipeline.model, as_images(picture[None], pipeline.model.device))
    number, _ = found[0]
    own_size = decode_image(photos.read(number), None, still=True)
    return _why_no_gradients(pipeline.at_own_size, own_size, photos.names[number])


def check_lists(service: RankedService, photos: Photos, length: int) -> None:
    """Ask a service that answers with lists twice about a few photographs.

    Raises:
        HashprobeError: no photograph can be used, the service fails, its second list is another one, or it lists none of them.
    """
    listed = False
    for number, picture in _first_usable(photos, None):
        first, second = (service.ranked(picture[None], length)[0] for _ in range(2))
        if (first != second).any():
            raise HashprobeError(
                f"the service {service.service.name} lists other items for {photos.names[number]} when it is asked again; "
                "nothing can be measured on it."
            )
        listed |= number in first
    if not listed:
        raise HashprobeError(
            f"the service {service.service.name} lists none of the photographs that it was asked about; its ids must be their "
            f"names, as {photos.names[0]!r}, or their numbers in the order of the names, from 0."
        )


def _first_usable(photos: Photos, size: int | None) -> list[tuple[int, Picture]]:
    """Return the first few photographs that can be used, as a model gets them, by their numbers."""
    found, reason = list[tuple[int, Picture]](), ""
    for number, name in enumerate(photos.names):
        try:
            found.append((number, decode_image(photos.read(number), size, still=True)))
        except UnusableImage as error:
            reason = reason or f" ({name} {error})"
        if len(found) == ASKED_TWICE:
            break
    if not found:
        raise HashprobeError(f"{photos.folder} holds no photograph that can be used{reason}.")
    return found


def _why_no_gradients(model: HashModel, photograph: Picture, name: str) -> str | None:
    if not model.gradients:
        return "the model gives codes alone"
    start = as_images(photograph[None], model.device).requires_grad_()
    try:
        with frozen(model), torch.enable_grad():
            (gradient,) = torch.autograd.grad(model.attack_logits(start).sum(), start)
    except (HashprobeError, RuntimeError):
        return "its outputs do not lead back to the picture"
    if not bool(gradient.isfinite().all()):
        return f"its gradient at {name} is not finite"
    return None if bool(gradient.any()) else f"its gradient at {name} is 0 everywhere"
