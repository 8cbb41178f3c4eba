"""HashModel: images in [0, 1] to K-bit codes; its normalisation is its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

from hashprobe.described import described
from hashprobe.errors import HashprobeError, check_whole_number, shortened
from hashprobe.files import user_path, write_json
from hashprobe.hashing.backbones import Triple, build_backbone
from hashprobe.hashing.models.frozen import frozen
from hashprobe.hashing.models.spec import MOST_BITS, Description, HashModelSpec
from hashprobe.images import ImagesLike, as_images, check_values
from hashprobe.processes import Processes, processes
from hashprobe.progress import progress_bar
from hashprobe.registry import Registry
from hashprobe.retrieval import pack
from hashprobe.typed_values import checked
from hashprobe.weights import load_weights, save_weights, weights_sha256

WEIGHTS_FILE = "model.safetensors"
SPEC_FILE = "model.json"

Transform = Callable[[torch.Tensor], torch.Tensor]

MODELS: Registry[Callable[[], HashModel]] = Registry("model")
"""Functions that return a model, by name. What they draw from torch's global generator, a seed has set."""


def no_gradients(why: str, attack: str = "this attack") -> HashprobeError:
    """Build the error for a gradient that a model does not have."""
    return HashprobeError(
        f"{attack} needs gradients, and the attacked model has none ({why}); take one that asks for codes or lists alone "
        "(NES, Square, RayS, RandomSearch, RankNES), or train a Surrogate."
    )


class HashModel(nn.Module):
    """A network that maps images to K real outputs z, whose signs are the code.

    The loss trained ``tanh(scale · z)``, which :meth:`forward` returns; ``scale`` is 1 except after HashNet's training, where
    it is about 13 and hides the gradient from whoever differentiates it. An attack therefore sees z through an alpha of its
    own, by :meth:`relaxed` or :meth:`logits`, into which the scale does not enter. Neither does it change the codes.

    Build one by :meth:`build` (a backbone and a fresh hash layer), :meth:`wrap` (a module of one's own), :meth:`named` (a
    function of one's own) or :meth:`load`. Images are ``(n, 3, h, w)`` in [0, 1], or uint8.

    Args:
        network: Normalised images -> ``(n, bits)``.
        bits: Code length K.
        mean: Mean of the normalisation, per channel, in [0, 1] units.
        std: Standard deviation of the normalisation, per channel.
        spec: How :meth:`load` builds the network again; ``None`` for a wrapped module.
        scale: Of the tanh in :meth:`forward`; set by training.

    Attributes:
        built_by: The name of ``MODELS`` whose function built it, or ``None``.
        transform: What is done to every image before the normalisation, or ``None``; see :meth:`with_transform`.
        seen_by_attacks: Whether attacks differentiate through the transform.
        gradients: Whether z can be differentiated; a service gives codes alone.
        input_size: Height and width that the model itself resizes images to before it normalises them (bilinear, antialiased,
            differentiable); ``None`` if it takes them as they are.
        any_size: Whether it takes images of any size and resizes them in its own way, one by one, as a perceptual hash does.
        source: What identifies a model that is not in its tensors: the bytes of its file, a package, an address. Part of the
            fingerprint.
    """

    mean: torch.Tensor
    std: torch.Tensor
    gradients: bool = True
    input_size: tuple[int, int] | None = None
    any_size: bool = False
    source: str = ""

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
        self.built_by: str | None = None
        self.transform: Transform | None = None
        self.seen_by_attacks = True
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
        check_whole_number("bits", bits, least=1, most=MOST_BITS)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(check_whole_number("seed", seed, least=-(1 << 63), most=(1 << 63) - 1))
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
    @checked
    def wrap(
        cls,
        module: nn.Module,
        *,
        bits: int,
        mean: Sequence[float] = (0.0, 0.0, 0.0),
        std: Sequence[float] = (1.0, 1.0, 1.0),
        input_size: tuple[int, int] | None = None,
        gradients: bool = True,
    ) -> HashModel:
        """Make a hash model of a module of one's own.

        Args:
            module: Normalised images -> ``(n, bits)``, whose signs are the code.
            bits: Code length K.
            mean: The normalisation that the module expects, subtracted from images in [0, 1].
            std: The normalisation that the module expects, divided by.
            input_size: Height and width that images are resized to for it; as they are if not given.
            gradients: Whether its outputs can be differentiated. One that leaves torch on the way, as to onnxruntime, cannot.
        """
        model = cls(module, bits=bits, mean=mean, std=std)
        if input_size is not None:
            height, width = (check_whole_number("input_size", side, least=1) for side in input_size)
            model.input_size = (height, width)
        model.gradients = gradients
        return model

    @classmethod
    def named(cls, name: str, *, bits: int | None = None, seed: int = 0) -> HashModel:
        """Return the model of a function that is registered in ``MODELS``, in eval mode.

        Args:
            name: Of the function.
            bits: The code length that is expected; another one is an error.
            seed: Of what the function draws from torch's global generator, which is left as it was.

        Raises:
            HashprobeError: no such name, or a function that returns no hash model, or one of another code length.
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(check_whole_number("seed", seed, least=-(1 << 63), most=(1 << 63) - 1))
            model = MODELS[name]()
        if not isinstance(model, HashModel):
            raise HashprobeError(
                f"the model {name!r} must be a function that returns a HashModel; it returned {type(model).__name__}."
            )
        if bits is not None and model.bits != bits:
            raise HashprobeError(f"the model {name!r} has {model.bits} bits; {bits} were expected.")
        model.built_by = name
        return model.eval()

    def with_transform(self, transform: Transform, *, seen_by_attacks: bool) -> HashModel:
        """Return a model with the same network that first does something to every image, as a defence or a camera would.

        It belongs to the model: codes, training and fingerprint are with it. A file holds none, so a model that is to be saved
        gets it in a function of ``MODELS``.

        Args:
            transform: Float images ``(n, 3, h, w)`` in [0, 1] -> such images. An ``nn.Module``, a frozen dataclass with a call,
                or a function of a module; its ``repr`` or name, and its tensors, are part of the fingerprint.
            seen_by_attacks: Whether attacks differentiate through it. If not, they see the model without it, and its codes
                with it: what hides its gradient is not taken for robustness then.

        Raises:
            HashprobeError: the model has a transform already, or the transform does not say what it is.
        """
        if self.transform is not None:
            raise HashprobeError("the model has a transform already; give one that does both.")
        described(transform)
        mean, std = self.mean.flatten().tolist(), self.std.flatten().tolist()
        model = HashModel(
            self.network, bits=self.bits, mean=mean, std=std, spec=self.spec, scale=self.scale
        ).to(self.device)
        model.transform, model.seen_by_attacks, model.training = transform, seen_by_attacks, self.training
        model.gradients, model.input_size, model.source = self.gradients, self.input_size, self.source
        model.any_size = self.any_size
        return model

    def preprocess(self, images: torch.Tensor) -> torch.Tensor:
        """Return what the network takes, for float images in [0, 1]: transformed, resized, normalised, in its precision."""
        return self._normalise(images if self.transform is None else self.transform(images))

    def _normalise(self, images: torch.Tensor) -> torch.Tensor:
        if self.input_size not in (None, tuple(images.shape[-2:])):
            images = functional.interpolate(images, self.input_size, mode="bilinear", antialias=True)
        return ((images - self.mean) / self.std).to(self.mean.dtype)  # numpy's floats are float64

    def logits(self, images: torch.Tensor) -> torch.Tensor:
        """Return z, the K real outputs before the tanh, ``(n, K)``, for float images in [0, 1]; differentiable.

        Raises:
            HashprobeError: the network returns another shape, or has no gradient where one is to be taken.
        """
        return self._outputs(images, self.preprocess)

    def attack_logits(self, images: torch.Tensor) -> torch.Tensor:
        """Return :meth:`logits` as an attack that differentiates sees them: without a transform that is not seen by attacks."""
        return self._outputs(images, self.preprocess if self.seen_by_attacks else self._normalise)

    def _outputs(self, images: torch.Tensor, preprocess: Transform) -> torch.Tensor:
        differentiated = images.requires_grad and torch.is_grad_enabled()
        if differentiated and not self.gradients:
            raise no_gradients("the model gives codes alone")
        try:
            outputs = self.network(preprocess(images))
        except RuntimeError as error:
            if differentiated and "numpy() on Tensor that requires grad" in str(error):
                raise no_gradients("its network leaves torch on the way to its outputs") from None
            raise
        if not isinstance(outputs, torch.Tensor) or outputs.ndim != 2 or outputs.shape[1] != self.bits:
            shape = tuple(outputs.shape) if isinstance(outputs, torch.Tensor) else type(outputs).__name__
            raise HashprobeError(
                f"the hash model must return (n, {self.bits}) for {self.bits} bits; its network returned {shape}."
            )
        if len(outputs) != len(images):
            raise HashprobeError(
                f"the hash model must return a row an image; its network returned {len(outputs)} for {len(images)} images."
            )
        if differentiated and not outputs.requires_grad:
            raise no_gradients("the outputs of its network do not lead back to the image")
        return outputs

    @torch.no_grad()
    def answer(self, images: torch.Tensor) -> npt.NDArray[np.uint8]:
        """Return the packed codes of float images in [0, 1] in one pass, ``(n, ceil(K / 8))``: bit 1 where ``z >= 0``.

        Raises:
            HashprobeError: an output is NaN, which has no sign.
        """
        outputs = self.logits(images).float().cpu().numpy()
        if np.isnan(outputs).any():
            raise HashprobeError(
                "the hash model returned NaN, of which no code can be made; do its weights hold NaN, or its preprocessing?"
            )
        return pack(outputs)

    def relaxed(self, images: torch.Tensor, alpha: float = 1.0) -> torch.Tensor:
        """Return the relaxed code ``tanh(alpha · z)`` in (−1, 1), ``(n, K)``; differentiable.

        The model's ``scale`` does not enter: alpha = 1 is ``tanh(z)`` for every model, so that an attack's schedule of alpha
        means the same for HashNet as for others. ``relaxed(images, model.scale)`` is what the model was trained to output.
        """
        return torch.tanh(alpha * self.logits(images))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return ``tanh(scale · z)``, which a loss trains; differentiable, but saturated where the scale is large."""
        return self.relaxed(images, self.scale)

    @checked
    def codes(
        self, images: ImagesLike, *, batch_size: int = 64, progress: bool = False, distributed: bool = False
    ) -> npt.NDArray[np.uint8]:
        """Return the packed codes of images, bit 1 where ``z >= 0``; the model's mode and parameters are left alone.

        Args:
            images: ``(n, 3, h, w)``, uint8 or float in [0, 1]; anything that can be sliced by rows.
            batch_size: Images at a time.
            progress: Whether a progress bar is shown.
            distributed: Whether several processes share the images, where there are several; all of them must call then.

        Returns:
            uint8 ``(n, ceil(K / 8))``; the first bit is the highest of the first byte.
        """
        check_whole_number("batch_size", batch_size, least=1)
        if isinstance(images, str) or not (hasattr(images, "__len__") and hasattr(images, "__getitem__")):
            raise HashprobeError(f"images must be (n, 3, height, width); found {shortened(images)}.")
        if isinstance(images, torch.Tensor):
            check_values(images)
        sharing = processes(self.device) if distributed else Processes()
        packed = np.zeros((len(images), -(-self.bits // 8)), dtype=np.uint8)
        batches = sharing.batches(len(images), batch_size)
        own = sum(rows.stop - rows.start for rows in batches)
        with frozen(self), progress_bar("codes", own, show=progress) as advance:
            for rows in batches:
                batch = as_images(images[rows], device=self.device)
                packed[rows] = self.answer(batch)
                advance(len(batch))
        sharing.merge(packed)
        return packed

    @property
    def device(self) -> torch.device:
        """Where the model lives."""
        return self.mean.device

    def sha256(self) -> str:
        """Return a fingerprint of what the model computes: its tensors, preprocessing, code length, scale and source."""
        numbers = f"{self.bits} {self.mean.flatten().tolist()} {self.std.flatten().tolist()}"
        if self.scale != 1:  # models without a scale keep the fingerprint that they had before there was one
            numbers += f" {self.scale}"
        if self.transform is not None:
            tensors = weights_sha256(self.transform) if isinstance(self.transform, nn.Module) else ""
            numbers += f" {described(self.transform)} {tensors} {self.seen_by_attacks}"
        if self.input_size is not None:
            numbers += f" resized to {self.input_size}"
        if self.source:
            numbers += f" {self.source}"
        return weights_sha256(self.network, numbers)

    def save(self, directory: Path | str) -> None:
        """Write ``model.safetensors`` and ``model.json`` into ``directory``, each whole or not at all.

        A wrapped module's tensors are saved as well; loading it needs the name that it was built by, or the module
        (``load(directory, module=…)``).

        Raises:
            HashprobeError: the model has a transform and no name, a tensor holds NaN or infinity, or the disk is full.
        """
        directory = Path(directory)
        if self.source and self.built_by is None:
            raise HashprobeError(
                "a folder cannot hold a model of somebody else's; open it where it is, or return it from a function of "
                "hashprobe.hashing.MODELS."
            )
        if (self.transform is not None or self.input_size is not None) and self.built_by is None:
            raise HashprobeError(
                "a file cannot hold what a model does to its input; register a function that returns the model with its "
                "transform (hashprobe.hashing.MODELS), and open the model by that name."
            )
        save_weights(self.network, directory / WEIGHTS_FILE)
        description = Description(
            bits=self.bits,
            mean=self.mean.flatten().tolist(),
            std=self.std.flatten().tolist(),
            scale=self.scale,
            spec=self.spec if self.transform is None else None,  # a spec builds no transform
            sha256=self.sha256(),
            built_by=self.built_by,
        )
        nameless = {"built_by"} if self.built_by is None else None
        write_json(directory / SPEC_FILE, description.model_dump(mode="json", exclude=nameless))

    @classmethod
    @checked
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
        directory = user_path(directory)
        if directory.is_file():
            raise HashprobeError(
                f"{directory} is a file; give the folder that holds {WEIGHTS_FILE} and {SPEC_FILE} (a pickle is never loaded)."
            )
        path = directory / SPEC_FILE
        said = Description.read(path)
        if bits is not None and said.bits != bits:
            raise HashprobeError(f"{directory} holds a model of {said.bits} bits; {bits} were expected.")
        if module is not None:
            model = cls(module, bits=said.bits, mean=said.mean, std=said.std)
        elif said.spec is not None:
            model = cls.build(said.spec.backbone, bits=said.spec.bits, mean=said.spec.mean, std=said.spec.std)
        elif said.built_by is None:
            raise HashprobeError(
                f"{directory} holds a wrapped module; give it to load as well: load({str(directory)!r}, module=…)."
            )
        elif said.built_by not in MODELS:
            raise HashprobeError(
                f"{directory} holds a model that is built by {said.built_by!r}, and no model of that name is registered; "
                "give --plugin with the file that registers it."
            )
        else:
            model = cls.named(said.built_by)
        mean, std = (tuple(buffer.flatten().tolist()) for buffer in (model.mean, model.std))
        for field, built in {"bits": model.bits, "mean": mean, "std": std}.items():
            if getattr(said, field) != built:
                raise HashprobeError(
                    f"{path} gives {field} {getattr(said, field)}, but its network is built with {built}; "
                    "save the model again."
                )
        model.scale, model.built_by = said.scale, said.built_by
        load_weights(model.network, directory / WEIGHTS_FILE, fits="network")
        if model.sha256() != said.sha256:
            raise HashprobeError(
                f"{directory / WEIGHTS_FILE} is not the file that {SPEC_FILE} describes (another fingerprint); "
                "save the model again."
            )
        return model.eval()
