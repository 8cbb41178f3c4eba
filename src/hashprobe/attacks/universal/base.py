"""What is trained once for each target label and works on any image: its tensors, its training, its use."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import nn

from hashprobe.attacks.access import Access, Victim
from hashprobe.attacks.base import Attack, check_bounded
from hashprobe.attacks.learned_codes import learned_codes
from hashprobe.checkpoint import Checkpoint
from hashprobe.data import RetrievalData
from hashprobe.errors import HashprobeError
from hashprobe.files import sha256_of, write_json_lines
from hashprobe.hashing import frozen
from hashprobe.identity import fingerprint
from hashprobe.images import as_images, check_side
from hashprobe.main_process import is_main
from hashprobe.processes import processes
from hashprobe.progress import progress_bar
from hashprobe.retrieval import unpack
from hashprobe.seeds import numpy_generator
from hashprobe.targets import Goal, Objective, unique_labels
from hashprobe.trained import Trained, TrainingRun

PICTURES = 64
"""Pictures in one pass; how many labels are trained side by side follows from it."""
SECONDS_BETWEEN_CHECKPOINTS = 30.0


class PerLabelSettings(BaseModel):
    """How something is trained for each target label.

    Attributes:
        labels: For which target labels: every label vector of the ``database`` and each of its classes alone, or only these
            ``classes``.
        target_code: Towards which code, a name of ``CODES``, made from the training images. Labels that have the same code share
            what is trained: 3,839 label vectors of MIRFLICKR-25K have some 500 different codes of ``ap-search``.
        steps: Sign steps.
        batch_size: Training images a step; every label sees the same ones.
        step_sizes: Sizes of the steps, in [0, 1] units, each for an equal share of them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    labels: Literal["database", "classes"] = "database"
    target_code: str = "anchor"
    steps: int = Field(200, ge=1)
    batch_size: int = Field(16, ge=1)
    step_sizes: tuple[float, ...] = Field((2 / 255, 1 / 255, 0.5 / 255), min_length=1)

    def step_size(self, step: int) -> float:
        """Return the size of a step, counted from 0."""
        return self.step_sizes[step * len(self.step_sizes) // self.steps]


class Perturbations(nn.Module):
    """One small picture for each code, as buffers: P·3·S² numbers of 4 bytes, 0.6 MB a code at S = 224.

    Args:
        labels: L, the number of labels.
        codes: P, the number of different codes that they have.
        classes: C.
        bits: K of the model that they were trained against.
        image_size: Side of the images that they are for.
        side: S, where that is not the images' own.
    """

    labels: torch.Tensor
    rows: torch.Tensor
    values: torch.Tensor

    def __init__(
        self, labels: int, codes: int, classes: int, bits: int, image_size: int, side: int | None = None
    ) -> None:
        super().__init__()
        self.bits, self.image_size = bits, image_size
        self.side = image_size if side is None else side
        self.register_buffer("labels", torch.zeros(labels, classes, dtype=torch.uint8))
        self.register_buffer("rows", torch.zeros(labels, dtype=torch.int64))
        self.register_buffer("values", torch.zeros(codes, 3, self.side, self.side))

    def of(self, labels: npt.NDArray[np.uint8], what: str) -> torch.Tensor:
        """Return those for multi-hot labels ``(n, C)``, ``(n, 3, S, S)``.

        Raises:
            HashprobeError: a label that none was trained for.
        """
        own = {label.tobytes(): row for row, label in enumerate(self.labels.cpu().numpy())}
        rows = [own.get(label.tobytes(), -1) for label in labels]
        if -1 in rows:
            classes = np.flatnonzero(labels[rows.index(-1)]).tolist()
            raise HashprobeError(
                f"no {what} was trained for the target label of the classes {classes}; there are {len(own)}, "
                "for labels of the database that it was trained with (labels=database) or single classes (labels=classes)."
            )
        return self.values[self.rows[rows]]


@dataclass(frozen=True, kw_only=True)
class PerLabelAttack(Attack, Trained):
    """An attack that is one picture for each target label; a subclass says where it goes and what it descends.

    Trained by sign steps of falling size towards the code of each target label over the training images.

    Attributes:
        perturbations: What was trained, with its labels.
        settings: How it was trained.
        attacked_model: Fingerprint of the model that it was trained against.
    """

    what: ClassVar[str]
    objectives: ClassVar[tuple[Objective, ...]] = ("targeted",)
    code: ClassVar[str | None] = "anchor"
    access: ClassVar[Access] = Access.NOTHING
    needs_labels: ClassVar[bool] = True

    perturbations: Perturbations = field(repr=False)
    settings: PerLabelSettings
    attacked_model: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_bounded(self.name, self.epsilon, self.budget(self.settings))

    @classmethod
    @abstractmethod
    def begin(cls, settings: Any, labels: int, codes: int, data: RetrievalData, bits: int) -> Perturbations:
        """Return what the training starts from."""

    @classmethod
    @abstractmethod
    def applied(cls, images: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        """Return images ``(…, 3, h, w)`` with values ``(…, 3, S, S)``, in [0, 1]."""

    @classmethod
    @abstractmethod
    def loss(cls, logits: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        """Return what is descended, for logits z and target codes ±1 ``(…, K)``: ``(…,)``."""

    @classmethod
    @abstractmethod
    def bounded(cls, settings: Any, values: torch.Tensor) -> torch.Tensor:
        """Return values within what is allowed."""

    @classmethod
    @abstractmethod
    def budget(cls, settings: Any) -> float | None:
        """Return the L∞ budget that it is trained for; ``None`` for unbounded."""

    def perturb(
        self, victim: Victim, images: torch.Tensor, goal: Goal, generator: torch.Generator
    ) -> torch.Tensor:
        """Return images with what was trained for their target labels; see :meth:`Attack.perturb`."""
        assert goal.labels is not None
        check_side(images, self.perturbations.image_size, self.name)
        classes = self.perturbations.labels.shape[1]
        if goal.labels.shape[1] != classes:
            raise HashprobeError(
                f"these perturbations know {classes} classes; the target labels have {goal.labels.shape[1]}."
            )
        return self.applied(images, self.perturbations.of(goal.labels, self.what).to(images))

    @classmethod
    def train(cls, settings: Any, run: TrainingRun) -> Self:
        """Train one for each code, all of them a step at a time; see the class.

        Several processes share the codes; each step's moves are put together.
        """
        model, train, device = run.model, run.data.train, run.model.device
        labels = _labels(run.data, settings)
        codes, rows = np.unique(
            learned_codes(settings.target_code, labels, run, cls.what), axis=0, return_inverse=True
        )
        targets = torch.from_numpy(unpack(codes, model.bits).astype(np.float32)).to(device)
        trained = cls.begin(settings, len(labels), len(codes), run.data, model.bits).to(device)
        trained.labels.copy_(torch.from_numpy(labels))
        trained.rows.copy_(torch.from_numpy(rows.reshape(-1)))
        given = (fingerprint(settings), run.data.sha256, str(run.seed))
        identity = sha256_of(*given, model.sha256(), labels.tobytes(), targets.cpu().numpy().tobytes())
        state = Checkpoint(run.checkpoint or Path(), identity, {"perturbations": trained}, {})
        facts = state.restore() if run.checkpoint else None
        records: list[dict[str, Any]] = facts["records"] if facts else []
        together, saved_at = processes(device), time.monotonic()
        own = np.arange(len(codes))[together.index :: together.count]
        at_once = max(1, PICTURES // settings.batch_size)
        work, done = settings.steps * len(own), len(records) * len(own)
        with frozen(model), progress_bar(cls.name.lower(), work, show=run.progress, done=done) as advance:
            for step in range(len(records), settings.steps):
                order = numpy_generator(run.seed, "universal batch", step).permutation(len(train))
                images = as_images(train.images[np.sort(order[: settings.batch_size])], device)
                moves, sums = torch.zeros_like(trained.values), torch.zeros(2, device=device)
                for start in range(0, len(own), at_once):
                    some = own[start : start + at_once]
                    values = trained.values[some].requires_grad_(True)
                    pictures = cls.applied(images.expand(len(some), *images.shape), values[:, None])
                    logits = model.attack_logits(pictures.flatten(0, 1)).view(len(some), -1, model.bits)
                    wanted = targets[some][:, None]
                    loss = cls.loss(logits, wanted).mean(dim=1).sum()
                    (gradient,) = torch.autograd.grad(loss, values)
                    moves[some] = gradient.sign()
                    agree = (logits.detach() * wanted >= 0).float().mean(dim=(1, 2)).sum()
                    sums += torch.stack([loss.detach(), agree])
                    advance(len(some))
                moved = trained.values - settings.step_size(step) * together.sum(moves)
                trained.values.copy_(cls.bounded(settings, moved))
                loss, agree = (together.sum(sums) / len(codes)).tolist()
                records.append({"step": step + 1, "loss": loss, "bits": agree})
                last = step + 1 == settings.steps
                if run.checkpoint and (last or time.monotonic() - saved_at > SECONDS_BETWEEN_CHECKPOINTS):
                    state.save({"records": records})
                    saved_at = time.monotonic()
        if (log := run.log(cls.name)) and is_main():
            write_json_lines(log, records)
        return cls(
            epsilon=cls.budget(settings),
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
        return {
            "bits": own.bits,
            "classes": classes,
            "labels": labels,
            "codes": len(own.values),
            "image_size": own.image_size,
            **({} if own.side == own.image_size else {"side": own.side}),
        }

    @classmethod
    def assemble(
        cls, settings: Any, facts: dict[str, Any], parts: Mapping[str, Trained], attacked_model: str
    ) -> Self:
        """Build perturbations of those sizes."""
        names = ("labels", "codes", "classes", "bits", "image_size")
        own = Perturbations(**{name: facts[name] for name in names}, side=facts.get("side"))
        return cls(
            epsilon=cls.budget(settings), perturbations=own, settings=settings, attacked_model=attacked_model
        )


def _labels(data: RetrievalData, settings: PerLabelSettings) -> npt.NDArray[np.uint8]:
    """Return the labels that something is trained for, ``(L, C)``."""
    own = data.database.labels
    alone = np.eye(data.classes, dtype=np.uint8)[own.any(axis=0)]
    return alone if settings.labels == "classes" else unique_labels(np.concatenate([own, alone]))
