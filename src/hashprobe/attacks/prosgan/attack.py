"""ProS-GAN as an attack: a trained generator that needs one pass and never looks at the attacked model."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import torch

from hashprobe.attacks.base import Attack
from hashprobe.attacks.prosgan.networks import Generator
from hashprobe.attacks.prosgan.settings import ProSGANSettings
from hashprobe.errors import HashprobeError
from hashprobe.files import read_json, sha256_of, write_json
from hashprobe.hashing import HashModel
from hashprobe.targets import PrototypeNet
from hashprobe.weights import load_weights, save_weights, weights_sha256

FORMAT = "hashprobe.prosgan/1"
SPEC_FILE = "prosgan.json"
GENERATOR_FILE = "generator.safetensors"
PROTOTYPES_FILE = "prototypes.safetensors"


@dataclass(frozen=True, kw_only=True)
class ProSGAN(Attack):
    """Prototype-supervised adversarial network (Wang et al., CVPR 2021), trained by ``train_generator``.

    The target codes that it is called with are not looked at: they were learned. Target labels are what it reads.

    Attributes:
        generator: The trained generator.
        prototypes: The trained PrototypeNet.
        settings: How the generator was trained.
        image_size: Side of the images that the generator takes.
        epsilon: L∞ budget that the output is clipped to; ``None`` (published) for unbounded.
    """

    code: ClassVar[str] = "prototype"
    needs_labels: ClassVar[bool] = True
    forward_passes: ClassVar[int] = 1

    epsilon: float | None = None
    generator: Generator = field(repr=False)
    prototypes: PrototypeNet = field(repr=False)
    settings: ProSGANSettings
    image_size: int

    @torch.no_grad()
    def perturb(
        self,
        model: HashModel,
        images: torch.Tensor,
        goal: torch.Tensor,
        generator: torch.Generator,
        labels: torch.Tensor | None,
    ) -> torch.Tensor:
        """Return what the generator makes of images and labels; see :meth:`Attack.perturb`."""
        assert labels is not None
        if images.shape[2:] != (self.image_size, self.image_size):
            raise HashprobeError(
                f"this ProS-GAN takes images of {self.image_size}×{self.image_size}; found {images.shape[2]}×{images.shape[3]}."
            )
        if labels.shape[1] != self.prototypes.classes:
            raise HashprobeError(
                f"this ProS-GAN knows {self.prototypes.classes} classes; the target labels have {labels.shape[1]}."
            )
        precision = self.generator.output.weight.dtype  # whatever that of the images is
        semantics, _, _ = self.prototypes.to(images.device)(labels)
        output = self.generator.to(images.device)((images * 2 - 1).to(precision), semantics.to(precision))
        return ((output + 1) / 2).to(images.dtype)  # type: ignore[no-any-return]

    def save(self, directory: Path | str, *, attacked: str) -> None:
        """Write the networks and ``prosgan.json`` into ``directory``.

        Args:
            directory: The folder; made if it is not there.
            attacked: Fingerprint of the attacked model (``HashModel.sha256``), kept for the record.
        """
        directory = Path(directory)
        save_weights(self.generator, directory / GENERATOR_FILE)
        save_weights(self.prototypes, directory / PROTOTYPES_FILE)
        description = {
            "format": FORMAT,
            "bits": self.prototypes.bits,
            "classes": self.prototypes.classes,
            "hidden": self.prototypes.hidden,
            "image_size": self.image_size,
            "settings": self.settings.model_dump(mode="json"),
            "attacked_model_sha256": attacked,
        }
        write_json(directory / SPEC_FILE, description)

    def sha256(self) -> str:
        """Return a fingerprint of what the attack computes, apart from its budget: both networks' tensors."""
        return sha256_of(weights_sha256(self.generator), weights_sha256(self.prototypes))

    @staticmethod
    def attacked_model(directory: Path | str) -> str:
        """Return the fingerprint of the model that the ProS-GAN of a folder was trained against."""
        return str(_read_description(Path(directory))["attacked_model_sha256"])

    @classmethod
    def load(
        cls,
        directory: Path | str,
        *,
        epsilon: float | None = None,
        bits: int | None = None,
        classes: int | None = None,
    ) -> ProSGAN:
        """Load what :meth:`save` wrote.

        Args:
            directory: The folder.
            epsilon: L∞ budget to clip to; ``None`` for unbounded.
            bits: The code length that is expected; another one is an error.
            classes: The number of classes that is expected; another one is an error.

        Raises:
            HashprobeError: files missing, damaged or of another kind, bit length or class count.
        """
        directory = Path(directory)
        description = _read_description(directory)
        for name, wanted in (("bits", bits), ("classes", classes)):
            if wanted is not None and description[name] != wanted:
                raise HashprobeError(
                    f"{directory} holds a ProS-GAN for {description[name]} {name}; {wanted} were expected."
                )
        settings = ProSGANSettings(**description["settings"])
        prototypes = PrototypeNet(description["classes"], description["bits"], description["hidden"])
        generator = Generator(
            description["image_size"],
            width=settings.width,
            semantic_width=prototypes.semantic_width,
            decoder_width=settings.decoder_width,
            residual=settings.residual,
            epsilon=settings.epsilon,
        )
        for network, name in ((generator, GENERATOR_FILE), (prototypes, PROTOTYPES_FILE)):
            load_weights(network, directory / name, fits="description")
            network.requires_grad_(False).eval()
        parts: dict[str, Any] = {"generator": generator, "prototypes": prototypes, "settings": settings}
        return cls(**parts, image_size=description["image_size"], epsilon=epsilon)


def _read_description(directory: Path) -> dict[str, Any]:
    description = read_json(directory / SPEC_FILE)
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        raise HashprobeError(f"{directory / SPEC_FILE} does not describe a trained ProS-GAN ({FORMAT!r}).")
    return description
