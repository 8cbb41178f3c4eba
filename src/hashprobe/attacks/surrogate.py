"""A surrogate: a hash model trained on the attacked service's answers, attacked in its place."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import nn
from torch.nn import functional

from hashprobe.attacks.access import Access, Victim
from hashprobe.attacks.base import ATTACKS
from hashprobe.attacks.loop import Direction, IterativeAttack
from hashprobe.checkpoint import Checkpoint
from hashprobe.errors import HashprobeError
from hashprobe.files import sha256_of, write_json_lines
from hashprobe.hashing import HashModel, frozen
from hashprobe.images import as_images
from hashprobe.main_process import is_main
from hashprobe.processes import processes
from hashprobe.progress import progress_bar
from hashprobe.retrieval import pack, unpack
from hashprobe.seeds import numpy_generator
from hashprobe.targets import AnchorCode, Goal
from hashprobe.trained import TRAINED, Trained, TrainingRun

ASKED_AT_ONCE = 16
"""Training images that a process asks about before the answers are kept; a kill loses no more."""


class SurrogateSettings(BaseModel):
    """How a surrogate is trained.

    Attributes:
        questions: How many training images the service is asked about, at most all of them; one question each.
        backbone: Of the surrogate; a name of ``BACKBONES``.
        weights: Its first weights; see :func:`hashprobe.hashing.build_backbone`.
        epochs: Passes over the answers.
        batch_size: Images a step.
        learning_rate: Of AdamW at the start; it falls to zero along a cosine.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    questions: int = Field(2000, ge=2)
    backbone: str = "efficientnet_lite0"
    weights: str = "bundled"
    epochs: int = Field(10, ge=1)
    batch_size: int = Field(32, ge=2)
    learning_rate: float = Field(2e-3, gt=0)


class Answers(nn.Module):
    """What the service answered, as buffers: the codes of the attacker's own images, and their labels.

    Args:
        count: How many.
        bits: K.
        classes: C.
    """

    codes: torch.Tensor
    labels: torch.Tensor

    def __init__(self, count: int, bits: int, classes: int) -> None:
        super().__init__()
        self.bits = bits
        self.register_buffer("codes", torch.zeros(count, -(-bits // 8), dtype=torch.uint8))
        self.register_buffer("labels", torch.zeros(count, classes, dtype=torch.uint8))


@TRAINED.register("Surrogate")
@ATTACKS.register("Surrogate")
@dataclass(frozen=True, kw_only=True)
class Surrogate(IterativeAttack, Trained):
    """Sign steps against a surrogate, which transfer; the service is asked in training and never while an image is attacked.

    The attacker asks the service for the codes of images of its own, the training split, and trains a model of its own to
    give the same codes: the mean of ``softplus(−b_k z_k)`` over bits and images. It aims at the goal's code where it is told one.
    Else it makes its own: targeted, the anchor code (DHTA) of the target label among the answers; untargeted, the
    surrogate's code of the image.

    Attributes:
        surrogate: The attacker's own model.
        answers: What the service was asked in training: :attr:`asked` questions in all, whatever the number of images attacked.
        settings: How it was trained.
        steps: Gradient steps.
        step_size: Size of a step, L∞ in [0, 1] units.
        attacked_model: Fingerprint of the model that answered.
    """

    name: ClassVar[str] = "Surrogate"
    access: ClassVar[Access] = Access.NOTHING
    direction: ClassVar[Direction] = "sign"
    Settings = SurrogateSettings

    surrogate: HashModel = field(repr=False)
    answers: Answers = field(repr=False)
    settings: SurrogateSettings
    steps: int = 20
    step_size: float = 1 / 255
    attacked_model: str = field(default="", repr=False)

    @property
    def asked(self) -> int:
        """How many questions the service was asked in training, in all."""
        return len(self.answers.codes)

    def perturb(
        self, victim: Victim, images: torch.Tensor, goal: Goal, generator: torch.Generator
    ) -> torch.Tensor:
        """Return images attacked in the surrogate's place; see :meth:`Attack.perturb`."""
        model = self.surrogate.to(images.device)
        own = Victim(model, len(images))
        with frozen(model):
            pictures = images.to(model.mean.dtype)
            adversarial = super().perturb(own, pictures, self._aimed(own, pictures, goal), generator)
        victim.cost.add(
            own.cost
        )  # not by a hook: of images that have reached their code it would see no pass
        return adversarial.to(images.dtype)

    def _aimed(self, own: Victim, images: torch.Tensor, goal: Goal) -> Goal:
        """Return the goal with codes; see the class."""
        if goal.codes is not None:
            return goal
        if goal.objective == "untargeted":
            with torch.no_grad():
                codes = pack(own.logits(images).float().cpu().numpy())
        else:
            known = self.answers
            anchor = AnchorCode(
                codes=known.codes.cpu().numpy(), labels=known.labels.cpu().numpy(), bits=known.bits, seed=0
            )
            if goal.labels is None:
                raise HashprobeError(
                    "Surrogate makes the code that it aims at from target labels; give labels= or the codes themselves."
                )
            codes = anchor(goal.labels)
        return Goal(objective=goal.objective, codes=codes, labels=goal.labels)

    @classmethod
    def train(cls, settings: SurrogateSettings, run: TrainingRun) -> Surrogate:
        """Ask the service about training images and train a surrogate on what it answers; see the class.

        The answers are kept in the run's checkpoint as they come: a training that is started again does not ask for them again.
        """
        model, train = run.model, run.data.train
        count = min(settings.questions, len(train))
        rows = np.sort(numpy_generator(run.seed, "surrogate questions").permutation(len(train))[:count])
        answers = Answers(count, model.bits, run.data.classes).to(model.device)
        answers.labels.copy_(torch.from_numpy(train.labels[rows]))
        _ask(answers, rows, run)
        codes = unpack(answers.codes.cpu().numpy(), model.bits)
        signs = torch.from_numpy(codes.astype(np.float32)).to(model.device)
        surrogate = HashModel.build(
            settings.backbone, bits=model.bits, weights=settings.weights, seed=run.seed
        ).to(model.device)
        network = surrogate.network
        optimizer = torch.optim.AdamW(network.parameters(), lr=settings.learning_rate)
        batches = math.ceil(count / settings.batch_size)
        steps = settings.epochs * batches
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        records: list[dict[str, Any]] = []
        with (
            torch.random.fork_rng(devices=[]),
            progress_bar("surrogate", settings.epochs * count, show=run.progress) as advance,
        ):
            torch.manual_seed(run.seed)  # of dropout
            for epoch in range(settings.epochs):
                surrogate.train()
                order = numpy_generator(run.seed, "surrogate batches", epoch).permutation(count)
                sums = np.zeros(2)
                for batch in np.array_split(order, batches):
                    images = as_images(train.images[rows[np.sort(batch)]], model.device)
                    wanted = signs[np.sort(batch)]
                    logits = surrogate.logits(images)
                    loss = functional.softplus(-wanted * logits).mean()
                    optimizer.zero_grad(set_to_none=True)
                    loss.backward()  # type: ignore[no-untyped-call]
                    optimizer.step()
                    schedule.step()
                    agree = (logits.detach() * wanted >= 0).float().mean()
                    sums += len(batch) * np.array([float(loss.detach()), float(agree)])
                    advance(len(batch))
                loss_mean, agreed = (sums / count).tolist()
                records.append({"epoch": epoch + 1, "questions": count, "loss": loss_mean, "bits": agreed})
        if (log := run.log(cls.name)) and is_main():
            write_json_lines(log, records)
        network.requires_grad_(False)
        return cls(
            surrogate=surrogate.eval(), answers=answers, settings=settings, attacked_model=model.sha256()
        )

    def networks(self) -> Mapping[str, nn.Module]:
        """Return the surrogate's network and the answers."""
        return {"surrogate": self.surrogate.network, "answers": self.answers}

    def facts(self) -> dict[str, Any]:
        """Return the sizes of the surrogate and the number of questions."""
        count, classes = self.answers.labels.shape
        return {"bits": self.answers.bits, "classes": classes, "questions": count}

    @classmethod
    def assemble(
        cls,
        settings: SurrogateSettings,
        facts: dict[str, Any],
        parts: Mapping[str, Trained],
        attacked_model: str,
    ) -> Surrogate:
        """Build one whose tensors are loaded afterwards."""
        surrogate = HashModel.build(settings.backbone, bits=facts["bits"])
        return cls(
            surrogate=surrogate.eval(),
            answers=Answers(facts["questions"], facts["bits"], facts["classes"]),
            settings=settings,
            attacked_model=attacked_model,
        )


def _ask(answers: Answers, rows: npt.NDArray[np.intp], run: TrainingRun) -> None:
    """Fill in the codes of some of the training images: known ones, those that a killed training has left, and the others asked.

    Args:
        answers: Where they go.
        rows: Which training images they are of.
        run: The training.
    """
    if run.known_train_codes is not None:
        answers.codes.copy_(torch.from_numpy(run.known_train_codes[rows]))
        return
    model, images, data = run.model, run.data.train.images, run.data
    identity = sha256_of(model.sha256(), data.sha256, rows.tobytes())
    state = Checkpoint(run.checkpoint or Path(), identity, {"answers": answers}, {})
    facts = state.restore() if run.checkpoint else None
    first, together = facts["asked"] if facts else 0, ASKED_AT_ONCE * processes(model.device).count
    with progress_bar("questions", len(rows), show=run.progress, done=first) as advance:
        for start in range(first, len(rows), together):
            some = slice(start, min(start + together, len(rows)))
            codes = model.codes(images[rows[some]], batch_size=ASKED_AT_ONCE, distributed=True)
            answers.codes[some] = torch.from_numpy(codes).to(answers.codes.device)
            if run.checkpoint:
                state.save({"asked": some.stop})
            advance(len(codes))
