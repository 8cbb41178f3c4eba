"""Networks in files of others, opened as hash models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from hashprobe.bounds import check_readable
from hashprobe.errors import HashprobeError
from hashprobe.files import user_path
from hashprobe.hashing.models.frozen import frozen
from hashprobe.hashing.models.hash_model import HashModel
from hashprobe.hashing.models.outside.exported import read_exported
from hashprobe.hashing.models.outside.network import FileNetwork, Hyperplanes
from hashprobe.hashing.models.outside.onnx_file import OnnxNetwork, onnx_identity, read_onnx
from hashprobe.hashing.models.outside.settings import FileSettings
from hashprobe.hashing.models.outside.torch_files import read_torchscript
from hashprobe.hashing.models.spec import MOST_BITS
from hashprobe.seeds import torch_generator
from hashprobe.typed_values import checked
from hashprobe.weights import weights_identity

USUAL_SIDE = 224
"""Of the picture that a network is first asked about, where neither its file nor its user says which it takes."""

KINDS: dict[str, Callable[[Path, FileSettings], FileNetwork]] = {
    ".pt": read_torchscript,
    ".ts": read_torchscript,
    ".pt2": read_exported,
    ".onnx": read_onnx,
}
"""What reads a file, by how its name ends."""


@checked
def open_file(file: str | Path, settings: FileSettings | None = None) -> HashModel:
    """Return the network of a file as a hash model: its outputs are z, or the features that hyperplanes make bits of.

    It is asked about one picture of noise, which says how many bits it gives, whether it gives them again, and whether a gradient
    leads back to the picture.

    Args:
        file: A file whose name ends as one of ``KINDS``.
        settings: What it does not say of itself.

    Raises:
        HashprobeError: it is missing, damaged, of another kind, takes no images, or does not answer with a code, the same one
            each time.
    """
    path, own = user_path(file), settings or FileSettings()
    try:
        check_readable(path, "weight_bytes")
    except FileNotFoundError:
        raise HashprobeError(f"{path} does not exist.") from None
    except OSError as error:
        raise HashprobeError(f"{path} cannot be read ({error.strerror}).") from None
    if path.suffix not in KINDS:
        raise HashprobeError(
            f"{path} is no network that can be opened; its name must end in {', '.join(KINDS)}."
        )
    network = KINDS[path.suffix](path, own).eval()
    size = network.form.size or own.sides
    if own.sides not in (None, size):
        tall, wide = size or (0, 0)
        raise HashprobeError(f"{path.name} takes images of {tall}x{wide} pixels; leave out size={own.size}.")
    noise = torch.rand(1, 3, *(size or (USUAL_SIDE, USUAL_SIDE)), generator=torch_generator(0, "noise"))
    mean, std = own.normalisation
    preprocessed = HashModel.wrap(nn.Identity(), bits=1, mean=mean, std=std).preprocess(noise)
    with torch.no_grad():
        found = network(preprocessed).shape[1]
    bits, whole = found, nn.Sequential(network)
    if own.hyperplanes is not None:
        bits = own.hyperplanes
        whole.append(Hyperplanes(found, bits, own.seed))
    if bits > MOST_BITS:
        raise HashprobeError(
            f"{path.name} gives {bits} numbers an image, and a code has at most {MOST_BITS} bits; give hyperplanes=64 to make "
            "bits of them, or output= to name another of its outputs."
        )
    if isinstance(network, OnnxNetwork):
        network.compare(preprocessed)
    input_size = size if own.resize else None
    model = HashModel.wrap(whole, bits=bits, mean=mean, std=std, input_size=input_size).eval()
    identity = onnx_identity(path) if isinstance(network, OnnxNetwork) else weights_identity(str(path))
    model.source = f"{path.suffix} {identity} {own.channels} {network.form} {own.output}"
    check_deterministic(model, noise)
    model.gradients = has_gradients(model, noise)
    return model


def check_deterministic(model: HashModel, images: torch.Tensor) -> None:
    """Ask a model about images twice.

    Args:
        model: The model; left as it was.
        images: Float ``(n, 3, h, w)`` in [0, 1], on its device.

    Raises:
        HashprobeError: it gives other codes the second time, or NaN.
    """
    with frozen(model):
        differing = (model.answer(images) != model.answer(images)).any(axis=1).sum()
    if differing:
        raise HashprobeError(
            f"the model gives other codes for the same images when it is asked again ({differing} of {len(images)}); nothing can "
            "be measured on it: switch off what is random in it, as dropout."
        )


def has_gradients(model: HashModel, images: torch.Tensor) -> bool:
    """Return whether a finite gradient of a model's outputs leads back to images; see :func:`check_deterministic`."""
    start = images.detach().clone().requires_grad_()
    try:
        with frozen(model), torch.enable_grad():
            (gradient,) = torch.autograd.grad(model.logits(start).sum(), start)
    except (HashprobeError, RuntimeError):
        return False
    return bool(gradient.isfinite().all())
