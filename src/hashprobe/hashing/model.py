"""HashModel: images in [0, 1] to K-bit codes; its normalisation is its own."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import nn

from hashprobe.errors import HashprobeError
from hashprobe.files import read_json, write_json
from hashprobe.hashing.backbones import Triple, build_backbone
from hashprobe.hashing.frozen import frozen
from hashprobe.images import ImagesLike, as_images
from hashprobe.processes import Processes, processes
from hashprobe.progress import progress_bar
from hashprobe.retrieval import pack
from hashprobe.weights import load_weights, save_weights

FORMAT = "hashprobe.hash-model/1"
WEIGHTS_FILE = "model.safetensors"
SPEC_FILE = "model.json"
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


class HashModel(nn.Module):
    """A network that maps images to K real outputs z, whose signs are the code.

    The loss trained ``tanh(scale · z)``, which :meth:`forward` returns; ``scale`` is 1 except after HashNet's training, where
    it is about 13 and hides the gradient from whoever differentiates it. An attack therefore sees z through an alpha of its
    own, by :meth:`relaxed` or :meth:`logits`, into which the scale does not enter. Neither does it change the codes.

    Build one by :meth:`build` (a backbone and a fresh hash layer), :meth:`wrap` (a module of one's own) or
    :meth:`load`. Images are ``(n, 3, h, w)`` in [0, 1], or uint8.

    Args:
        network: Normalised images -> ``(n, bits)``.
        bits: Code length K.
        mean: Mean of the normalisation, per channel, in [0, 1] units.
        std: Standard deviation of the normalisation, per channel.
        spec: How :meth:`load` builds the network again; ``None`` for a wrapped module.
        scale: Of the tanh in :meth:`forward`; set by training.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(
        self,
        network: nn.Module,
        *,
        bits: int,
        mean: Sequence[float],
        std: Sequence[float],
        spec: HashModelSpec | None = None,
        scale: float = 1.0,
    ) -> None:
        super().__init__()
        if len(mean) != 3 or len(std) != 3 or min(std) <= 0:
            raise HashprobeError(
                f"mean and std must be three numbers each, std positive; found {mean} and {std}."
            )
        self.network = network
        self.bits = bits
        self.spec = spec
        self.scale = scale
        self.register_buffer(
            "mean", torch.tensor(list(mean), dtype=torch.float32).view(1, 3, 1, 1), persistent=False
        )
        self.register_buffer(
            "std", torch.tensor(list(std), dtype=torch.float32).view(1, 3, 1, 1), persistent=False
        )

    @classmethod
    def build(
        cls, backbone: str = "efficientnet_lite0", *, bits: int, weights: str = "none", seed: int = 0,
        mean: Triple | None = None, std: Triple | None = None,
    ) -> HashModel:  # fmt: skip
        """Build a backbone with a fresh linear hash layer of ``bits`` outputs.

        Args:
            backbone: A name of :func:`hashprobe.hashing.build_backbone`.
            bits: Code length K, 1 to 1024.
            weights: Where the backbone's weights come from; see :func:`hashprobe.hashing.build_backbone`.
            seed: Of the fresh layers' weights.
            mean: Overrides the normalisation of the backbone, for weights with another preprocessing.
            std: The same for the standard deviation.
        """
        if not 1 <= bits <= MOST_BITS:
            raise HashprobeError(f"bits must be a whole number from 1 to {MOST_BITS}; found {bits}.")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            base = build_backbone(backbone, weights)
            hash_layer = nn.Linear(base.features, bits)
        spec = HashModelSpec(backbone=backbone, bits=bits, mean=mean or base.mean, std=std or base.std)
        network = nn.Sequential()
        network.add_module("backbone", base.network)
        network.add_module("hash_layer", hash_layer)
        # Depthwise convolutions run two to three times faster in this memory format on CPUs.
        network.to(memory_format=torch.channels_last)
        return cls(network, bits=bits, mean=spec.mean, std=spec.std, spec=spec)

    @classmethod
    def wrap(
        cls,
        module: nn.Module,
        *,
        bits: int,
        mean: Sequence[float] = (0.0, 0.0, 0.0),
        std: Sequence[float] = (1.0, 1.0, 1.0),
    ) -> HashModel:
        """Make a hash model of a module of one's own.

        Args:
            module: Normalised images -> ``(n, bits)``, whose signs are the code.
            bits: Code length K.
            mean: The normalisation that the module expects, subtracted from images in [0, 1].
            std: The normalisation that the module expects, divided by.
        """
        return cls(module, bits=bits, mean=mean, std=std)

    def logits(self, images: torch.Tensor) -> torch.Tensor:
        """Return z, the K real outputs before the tanh, ``(n, K)``, for float images in [0, 1]; differentiable."""
        outputs = self.network(
            ((images - self.mean) / self.std).to(self.mean.dtype)
        )  # numpy's floats are float64
        if outputs.ndim != 2 or outputs.shape[1] != self.bits:
            raise HashprobeError(
                f"the hash model must return (n, {self.bits}) for {self.bits} bits; its network returned {tuple(outputs.shape)}."
            )
        return outputs  # type: ignore[no-any-return]

    def relaxed(self, images: torch.Tensor, alpha: float = 1.0) -> torch.Tensor:
        """Return the relaxed code ``tanh(alpha · z)`` in (−1, 1), ``(n, K)``; differentiable.

        The model's ``scale`` does not enter: alpha = 1 is ``tanh(z)`` for every model, so that an attack's schedule of alpha
        means the same for HashNet as for others. ``relaxed(images, model.scale)`` is what the model was trained to output.
        """
        return torch.tanh(alpha * self.logits(images))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return ``tanh(scale · z)``, which a loss trains; differentiable, but saturated where the scale is large."""
        return self.relaxed(images, self.scale)

    def codes(
        self, images: ImagesLike, *, batch_size: int = 64, progress: bool = False, together: bool = False
    ) -> npt.NDArray[np.uint8]:
        """Return the packed codes of images, bit 1 where ``z >= 0``; the model's mode and parameters are left alone.

        Args:
            images: ``(n, 3, h, w)``, uint8 or float in [0, 1]; anything that can be sliced by rows.
            batch_size: Images at a time.
            progress: Whether a progress bar is shown.
            together: Whether several processes share the images, where there are several; all of them must call then.

        Returns:
            uint8 ``(n, ceil(K / 8))``; the first bit is the highest of the first byte.
        """
        sharing = processes(self.device) if together else Processes()
        packed = np.zeros((len(images), -(-self.bits // 8)), dtype=np.uint8)
        batches = sharing.batches(len(images), batch_size)
        own = sum(rows.stop - rows.start for rows in batches)
        with frozen(self), torch.no_grad(), progress_bar("codes", own, show=progress) as advance:
            for rows in batches:
                batch = as_images(images[rows], device=self.device)
                packed[rows] = pack(self.logits(batch).float().cpu().numpy())
                advance(len(batch))
        sharing.merge(packed)
        return packed

    @property
    def device(self) -> torch.device:
        """Where the model lives."""
        return self.mean.device

    def sha256(self) -> str:
        """Return a fingerprint of what the model computes: its tensors, normalisation, code length and scale."""
        numbers = f"{self.bits} {self.mean.flatten().tolist()} {self.std.flatten().tolist()}"
        if self.scale != 1:  # models without a scale keep the fingerprint that they had before there was one
            numbers += f" {self.scale}"
        digest = hashlib.sha256(numbers.encode())
        for name, tensor in sorted(self.network.state_dict().items()):
            digest.update(name.encode())
            # As bytes, because numpy knows no bfloat16.
            digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
        return digest.hexdigest()

    def save(self, directory: Path | str) -> None:
        """Write ``model.safetensors`` and ``model.json`` into ``directory``, each whole or not at all.

        A wrapped module's tensors are saved as well; loading it needs the module (``load(directory, module=…)``).
        """
        directory = Path(directory)
        save_weights(self.network, directory / WEIGHTS_FILE)
        spec = self.spec.model_dump(mode="json") if self.spec else None
        normalisation = {"mean": self.mean.flatten().tolist(), "std": self.std.flatten().tolist()}
        description = {
            "format": FORMAT,
            "bits": self.bits,
            **normalisation,
            "scale": self.scale,
            "spec": spec,
            "sha256": self.sha256(),
        }
        write_json(directory / SPEC_FILE, description)

    @classmethod
    def load(
        cls, directory: Path | str, *, bits: int | None = None, module: nn.Module | None = None
    ) -> HashModel:
        """Load a model that :meth:`save` wrote. Pickles are refused, never opened.

        Args:
            directory: The folder with ``model.safetensors`` and ``model.json``.
            bits: The code length that is expected; another one is an error.
            module: The user's own module, for a model that was wrapped.

        Raises:
            HashprobeError: files missing, truncated, of another kind, another code length, or tensors that do not fit.
        """
        directory = Path(directory)
        if directory.is_file():
            raise HashprobeError(
                f"{directory} is a file; give the folder that holds {WEIGHTS_FILE} and {SPEC_FILE} (a pickle is never loaded)."
            )
        description = read_json(directory / SPEC_FILE)
        if not isinstance(description, dict) or description.get("format") != FORMAT:
            found = description.get("format") if isinstance(description, dict) else type(description).__name__
            raise HashprobeError(
                f"{directory / SPEC_FILE} describes {found!r}, not a hash model ({FORMAT!r})."
            )
        if missing := {"bits", "mean", "std", "spec", "sha256"} - description.keys():
            raise HashprobeError(f"{directory / SPEC_FILE} lacks {sorted(missing)}; save the model again.")
        if bits is not None and description["bits"] != bits:
            raise HashprobeError(
                f"{directory} holds a model of {description['bits']} bits; {bits} were expected."
            )
        if module is not None:
            model = cls(module, bits=description["bits"], mean=description["mean"], std=description["std"])
        elif description["spec"] is None:
            raise HashprobeError(
                f"{directory} holds a wrapped module; give it to load as well: load({str(directory)!r}, module=…)."
            )
        else:
            spec = _spec(description["spec"], directory / SPEC_FILE)
            model = cls.build(spec.backbone, bits=spec.bits, mean=spec.mean, std=spec.std)
        model.scale = _scale(description.get("scale", 1.0), directory / SPEC_FILE)
        load_weights(model.network, directory / WEIGHTS_FILE, fits="network")
        if model.sha256() != description["sha256"]:
            raise HashprobeError(
                f"{directory / WEIGHTS_FILE} is not the file that {SPEC_FILE} describes (another fingerprint); "
                "save the model again."
            )
        return model.eval()


def _spec(found: object, path: Path) -> HashModelSpec:
    try:
        return HashModelSpec.model_validate(found)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, ("spec", *first["loc"])))
        raise HashprobeError(
            f"{path} is damaged at {place} ({first['msg']}); save the model again."
        ) from None


def _scale(found: object, path: Path) -> float:
    """Return the scale that a description names; one written before there were scales has none, which means 1."""
    if isinstance(found, bool) or not isinstance(found, int | float) or not found > 0:
        raise HashprobeError(f"{path} gives the scale {found!r}; it must be a positive number.")
    return float(found)
