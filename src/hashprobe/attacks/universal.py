"""A universal perturbation for each target label: one that works on any image, trained once."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import nn

from hashprobe.attacks.access import Access, Victim
from hashprobe.attacks.base import ATTACKS, Attack
from hashprobe.checkpoint import Checkpoint
from hashprobe.data import RetrievalData
from hashprobe.errors import HashprobeError
from hashprobe.files import sha256_of, write_json_lines
from hashprobe.hashing import frozen
from hashprobe.identity import fingerprint
from hashprobe.images import as_images
from hashprobe.main_process import is_main
from hashprobe.processes import processes
from hashprobe.progress import progress_bar
from hashprobe.retrieval import unpack
from hashprobe.seeds import numpy_generator
from hashprobe.targets import AnchorCode, Goal, Objective, unique_labels
from hashprobe.trained import TRAINED, Trained, TrainingRun

PICTURES = 64
"""Pictures in one pass; how many perturbations are trained side by side follows from it."""
SECONDS_BETWEEN_CHECKPOINTS = 30.0


class UniversalSettings(BaseModel):
    """How universal perturbations are trained.

    Attributes:
        labels: For which target labels: every label vector of the ``database`` and each of its classes alone, or only these
            ``classes``.
        steps: Sign steps.
        batch_size: Training images a step; every perturbation sees the same ones.
        step_sizes: Sizes of the steps, in [0, 1] units, each for an equal share of them.
        epsilon: L∞ budget in [0, 1] units.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    labels: Literal["database", "classes"] = "database"
    steps: int = Field(200, ge=1)
    batch_size: int = Field(16, ge=1)
    step_sizes: tuple[float, ...] = Field((2 / 255, 1 / 255, 0.5 / 255), min_length=1)
    epsilon: float = Field(8 / 255, gt=0, le=1)

    def step_size(self, step: int) -> float:
        """Return the size of a step, counted from 0."""
        return self.step_sizes[step * len(self.step_sizes) // self.steps]


class Perturbations(nn.Module):
    """One perturbation for each label, as buffers: P·3·S² numbers of 4 bytes, 0.6 MB a label at S = 224.

    Args:
        labels: P, the number of labels.
        classes: C.
        bits: K of the model that they were trained against.
        image_size: S.
    """

    labels: torch.Tensor
    values: torch.Tensor

    def __init__(self, labels: int, classes: int, bits: int, image_size: int) -> None:
        super().__init__()
        self.bits, self.image_size = bits, image_size
        self.register_buffer("labels", torch.zeros(labels, classes, dtype=torch.uint8))
        self.register_buffer("values", torch.zeros(labels, 3, image_size, image_size))

    def of(self, labels: npt.NDArray[np.uint8]) -> torch.Tensor:
        """Return the perturbations for multi-hot labels ``(n, C)``, ``(n, 3, S, S)``.

        Raises:
            HashprobeError: a label that none was trained for.
        """
        own = {label.tobytes(): row for row, label in enumerate(self.labels.cpu().numpy())}
        rows = [own.get(label.tobytes(), -1) for label in labels]
        if -1 in rows:
            classes = np.flatnonzero(labels[rows.index(-1)]).tolist()
            raise HashprobeError(
                f"no universal perturbation was trained for the target label of the classes {classes}; there are {len(own)}, "
                "for labels of the database that it was trained with (labels=database) or single classes (labels=classes)."
            )
        return self.values[rows]


@TRAINED.register("Universal")
@ATTACKS.register("Universal")
@dataclass(frozen=True, kw_only=True)
class Universal(Attack, Trained):
    """Targeted universal perturbations: adding one to any image is all there is to do.

    Trained by sign steps of falling size towards the anchor code of each target label, as targeted universal attacks on hashing
    are (TUA 2021, UTAP 2024). Their formulas were not read: the objective is DHTA's, the mean over training images x of
    ``mean_k(h_t · tanh z(x + v))``. The codes h_t are anchor codes over the training images.

    Attributes:
        perturbations: The trained perturbations with their labels.
        settings: How they were trained.
        epsilon: L∞ budget that they are clipped to; that of the training if not given.
        attacked_model: Fingerprint of the model that they were trained against.
    """

    name: ClassVar[str] = "Universal"
    objectives: ClassVar[tuple[Objective, ...]] = ("targeted",)
    code: ClassVar[str | None] = "anchor"
    access: ClassVar[Access] = Access.NOTHING
    needs_labels: ClassVar[bool] = True
    Settings = UniversalSettings
    presets: ClassVar[Mapping[str, BaseModel]] = {"cpu": UniversalSettings(steps=24, batch_size=4)}

    perturbations: Perturbations = field(repr=False)
    settings: UniversalSettings
    attacked_model: str = field(default="", repr=False)

    def perturb(
        self, victim: Victim, images: torch.Tensor, goal: Goal, generator: torch.Generator
    ) -> torch.Tensor:
        """Return images with the perturbations of their target labels; see :meth:`Attack.perturb`."""
        assert goal.labels is not None
        size, classes = self.perturbations.image_size, self.perturbations.labels.shape[1]
        if images.shape[2:] != (size, size):
            raise HashprobeError(
                f"these perturbations are for images of {size}×{size}; found {images.shape[2]}×{images.shape[3]}."
            )
        if goal.labels.shape[1] != classes:
            raise HashprobeError(
                f"these perturbations know {classes} classes; the target labels have {goal.labels.shape[1]}."
            )
        return images + self.perturbations.of(goal.labels).to(images)

    @classmethod
    def train(cls, settings: UniversalSettings, run: TrainingRun) -> Universal:
        """Train one perturbation for each label, all of them a step at a time; see the class.

        Several processes share the labels; each step's moves are put together.
        """
        model, train, device = run.model, run.data.train, run.model.device
        labels = _labels(run.data, settings)
        code = AnchorCode(codes=run.train_codes, labels=train.labels, bits=model.bits, seed=run.seed)
        targets = torch.from_numpy(unpack(code(labels), model.bits).astype(np.float32)).to(device)
        trained = Perturbations(len(labels), run.data.classes, model.bits, run.data.image_size).to(device)
        trained.labels.copy_(torch.from_numpy(labels))
        given = (fingerprint(settings), run.data.split_sha256, str(train.images.shape), str(run.seed))
        identity = sha256_of(*given, model.sha256(), labels.tobytes(), targets.cpu().numpy().tobytes())
        state = Checkpoint(run.checkpoint or Path(), identity, {"perturbations": trained}, {})
        facts = state.restore() if run.checkpoint else None
        records: list[dict[str, Any]] = facts["records"] if facts else []
        together, saved_at = processes(device), time.monotonic()
        own = np.arange(len(labels))[together.index :: together.count]
        at_once = max(1, PICTURES // settings.batch_size)
        work, done = settings.steps * len(own), len(records) * len(own)
        with frozen(model), progress_bar("universal", work, show=run.progress, done=done) as advance:
            for step in range(len(records), settings.steps):
                order = numpy_generator(run.seed, "universal batch", step).permutation(len(train))
                images = as_images(train.images[np.sort(order[: settings.batch_size])], device)
                moves, sums = torch.zeros_like(trained.values), torch.zeros(2, device=device)
                for start in range(0, len(own), at_once):
                    rows = own[start : start + at_once]
                    values = trained.values[rows].requires_grad_(True)
                    pictures = (images + values[:, None]).clamp(0, 1)
                    logits = model.attack_logits(pictures.flatten(0, 1)).view(len(rows), -1, model.bits)
                    wanted = targets[rows][:, None]
                    loss = -(wanted * torch.tanh(logits)).mean(dim=(1, 2)).sum()
                    (gradient,) = torch.autograd.grad(loss, values)
                    moves[rows] = gradient.sign()
                    agree = (logits.detach() * wanted >= 0).float().mean(dim=(1, 2)).sum()
                    sums += torch.stack([loss.detach(), agree])
                    advance(len(rows))
                moved = trained.values - settings.step_size(step) * together.sum(moves)
                trained.values.copy_(moved.clamp(-settings.epsilon, settings.epsilon))
                loss, agree = (together.sum(sums) / len(labels)).tolist()
                records.append({"step": step + 1, "loss": loss, "bits": agree})
                last = step + 1 == settings.steps
                if run.checkpoint and (last or time.monotonic() - saved_at > SECONDS_BETWEEN_CHECKPOINTS):
                    state.save({"records": records})
                    saved_at = time.monotonic()
        if (log := run.log(cls.name)) and is_main():
            write_json_lines(log, records)
        return cls(
            epsilon=settings.epsilon,
            perturbations=trained.eval(),
            settings=settings,
            attacked_model=model.sha256(),
        )

    def networks(self) -> Mapping[str, nn.Module]:
        """Return the perturbations."""
        return {"perturbations": self.perturbations}

    def facts(self) -> dict[str, Any]:
        """Return the sizes of the perturbations."""
        own = self.perturbations
        labels, classes = own.labels.shape
        return {"bits": own.bits, "classes": classes, "labels": labels, "image_size": own.image_size}

    @classmethod
    def assemble(
        cls,
        settings: UniversalSettings,
        facts: dict[str, Any],
        parts: Mapping[str, Trained],
        attacked_model: str,
    ) -> Universal:
        """Build perturbations of those sizes."""
        sizes = (facts[name] for name in ("labels", "classes", "bits", "image_size"))
        own = Perturbations(*sizes)
        return cls(
            epsilon=settings.epsilon, perturbations=own, settings=settings, attacked_model=attacked_model
        )


def _labels(data: RetrievalData, settings: UniversalSettings) -> npt.NDArray[np.uint8]:
    """Return the labels that perturbations are trained for, ``(P, C)``."""
    own = data.database.labels
    alone = np.eye(data.classes, dtype=np.uint8)[own.any(axis=0)]
    return alone if settings.labels == "classes" else unique_labels(np.concatenate([own, alone]))
