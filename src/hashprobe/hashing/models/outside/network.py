"""A network from a file, behind the seam of a hash model: NCHW in, a row of numbers an image out."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from hashprobe.errors import HashprobeError
from hashprobe.hashing.models.outside.form import InputForm
from hashprobe.seeds import torch_generator


class FileNetwork(nn.Module):
    """Calls what is in a file in the layout, order of colours and number of images that it takes.

    Args:
        name: Of the file, for messages.
        form: What it takes.
        bgr: Whether it takes blue first.
    """

    def __init__(self, name: str, form: InputForm, bgr: bool) -> None:
        super().__init__()
        self.name, self.form, self.bgr = name, form, bgr

    @abstractmethod
    def run(self, images: torch.Tensor) -> Any:
        """Return what the file returns, for images in its layout and of its number."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return ``(n, outputs)`` for normalised RGB images ``(n, 3, h, w)``.

        Raises:
            HashprobeError: images of another size than it takes, or an output that is no row of numbers an image.
        """
        height, width = images.shape[-2:]
        if self.form.size is not None and self.form.size != (height, width):
            tall, wide = self.form.size
            raise HashprobeError(
                f"{self.name} takes images of {tall}x{wide} pixels; found {height}x{width}; leave out resize=none, or give such "
                "images (--image-size)."
            )
        given = images.flip(1) if self.bgr else images
        given = given.permute(0, 2, 3, 1) if self.form.layout == "nhwc" else given
        try:
            outputs = self._in_batches(given)
        except (HashprobeError, torch.OutOfMemoryError):
            raise
        except Exception as error:  # of whatever runs the file
            reason = next((line.strip() for line in reversed(str(error).splitlines()) if line.strip()), "")
            raise HashprobeError(
                f"{self.name} cannot be run on {len(images)} images of {height}x{width} pixels ({reason[:200].rstrip('.')}); say "
                "with size= and layout= what it takes."
            ) from error
        return outputs.float() if outputs.dtype != images.dtype else outputs

    def _in_batches(self, images: torch.Tensor) -> torch.Tensor:
        batch, count = self.form.batch, len(images)
        if batch is None:
            return self._row_each(self.run(images), count)
        rows = []
        for start in range(0, count, batch):
            part = images[start : start + batch]
            left = batch - len(part)
            whole = torch.cat([part, part[-1:].expand(left, -1, -1, -1)]) if left else part
            rows.append(self._row_each(self.run(whole), batch)[: len(part)])
        return torch.cat(rows)

    def _row_each(self, outputs: Any, count: int) -> torch.Tensor:
        if not isinstance(outputs, torch.Tensor):
            raise HashprobeError(
                f"{self.name} returns {type(outputs).__name__}, not a tensor; say with output= which of its parts is meant."
            )
        if outputs.ndim < 2 or len(outputs) != count or not outputs[0].numel():
            raise HashprobeError(
                f"{self.name} returns {tuple(outputs.shape)} for {count} images; a row of numbers an image is wanted."
            )
        return outputs.flatten(1)


class Hyperplanes(nn.Module):
    """Bits of features by random hyperplanes (SimHash: Charikar, STOC 2002), each feature vector at mean 0 and variance 1 before.

    Features that are all positive, as after a ReLU, would else lie on one side of most planes.

    Args:
        features: Width of the input.
        bits: How many planes.
        seed: Of their normals, which are Gaussian.
    """

    planes: torch.Tensor

    def __init__(self, features: int, bits: int, seed: int) -> None:
        super().__init__()
        drawn = torch.randn(features, bits, generator=torch_generator(seed, "hyperplanes"))
        self.register_buffer("planes", drawn / features**0.5)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return ``(n, bits)``."""
        return functional.layer_norm(features, features.shape[1:]) @ self.planes


def chosen_output(outputs: Any, which: int | str | None, name: str) -> Any:
    """Return one of the outputs of a network: the first, or one by number or name.

    Raises:
        HashprobeError: there is none such.
    """
    if isinstance(outputs, dict):
        if isinstance(which, str):
            if which not in outputs:
                raise HashprobeError(
                    f"{name} has no output {which!r}; it has {', '.join(map(str, outputs))}."
                )
            return outputs[which]
        outputs = tuple(outputs.values())
    if isinstance(outputs, tuple | list):
        place = 0 if which is None else which
        if not isinstance(place, int) or not 0 <= place < len(outputs):
            raise HashprobeError(f"{name} has {len(outputs)} outputs, from 0; found output={which}.")
        return outputs[place]
    if which not in (None, 0):
        raise HashprobeError(f"{name} has one output; leave out output={which}.")
    return outputs
