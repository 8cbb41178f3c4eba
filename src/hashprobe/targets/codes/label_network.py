"""Codes that a small network gives a label: what PrototypeNet and THA's share, from the network to the training loop."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import nn

from hashprobe.checkpoint import Checkpoint
from hashprobe.data.protocols import unique_labels
from hashprobe.errors import HashprobeError
from hashprobe.files import sha256_of, write_json_lines
from hashprobe.identity import fingerprint
from hashprobe.main_process import is_main
from hashprobe.processes import processes
from hashprobe.progress import progress_bar
from hashprobe.retrieval import pack, unpack
from hashprobe.seeds import numpy_generator, torch_generator
from hashprobe.targets.codes.base import TargetCode, check_labels
from hashprobe.targets.context import Codes, Context
from hashprobe.trained import Trained, TrainingRun

SEMANTIC_WIDTH = 512
LOG_EVERY = 100


class LabelNetwork(nn.Module):
    """Label ``(n, C)`` -> 4096 -> ReLU -> semantic representation ``(n, 512)`` -> relaxed code.

    Args:
        classes: C.
        bits: K.
        hidden: Width of the first layer; the papers' is 4096.
    """

    def __init__(self, classes: int, bits: int, hidden: int = 4096) -> None:
        super().__init__()
        self.classes, self.bits, self.hidden, self.semantic_width = classes, bits, hidden, SEMANTIC_WIDTH
        self.embed = nn.Sequential(
            nn.Linear(classes, hidden), nn.ReLU(inplace=True), nn.Linear(hidden, SEMANTIC_WIDTH)
        )
        self.code_head = nn.Linear(SEMANTIC_WIDTH, bits)

    def forward(self, labels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return semantic representation and relaxed code in (−1, 1); a subclass may return more behind them."""
        semantics = self.embed(labels)
        return semantics, torch.tanh(self.code_head(semantics))


class LabelNetworkSettings(BaseModel):
    """How such a network is trained.

    Attributes:
        steps: Adam steps; the learning rate falls to a tenth at 1/2 and again at 3/4 of them.
        batch_size: Labels a step, drawn uniformly from the unique label vectors of the database.
        learning_rate: Of Adam, at the start.
        hidden: Width of the first layer.
        quantisation: Weight of ``Σ (sign(h) − h)²``.
        fewer: Share of the labels of which random classes are left out, as few as all but one, so that labels of few classes are
            learned too, which are rare where images show much; 0 is published.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: int = Field(30_000, ge=1)
    batch_size: int = Field(64, ge=1)
    learning_rate: float = Field(1e-4, gt=0)
    hidden: int = Field(4096, ge=1)
    quantisation: float = Field(1e-4, ge=0)
    fewer: float = Field(0.0, ge=0, le=1)


@dataclass(frozen=True, kw_only=True)
class LabelNetworkCode(TargetCode, Trained):
    """The sign of the relaxed code that a trained network gives a label. A subclass says the loss.

    Attributes:
        Network: Class of the network.
        network: The trained one.
        settings: How it was trained.
        attacked_model: Fingerprint of the model whose codes it was trained on.
    """

    Network: ClassVar[type[LabelNetwork]] = LabelNetwork

    network: LabelNetwork = field(repr=False)
    settings: Any
    attacked_model: str = ""

    @classmethod
    @abstractmethod
    def loss(
        cls,
        settings: Any,
        labels: torch.Tensor,
        outputs: tuple[torch.Tensor, ...],
        codes: torch.Tensor,
        similar: torch.Tensor,
        generator: torch.Generator,
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Return the loss of a batch of n labels, and what else of it the log shows.

        Args:
            settings: Of the training.
            labels: Multi-hot ``(n, C)``.
            outputs: Of the network.
            codes: Of the N training images, −1 and +1, ``(N, K)``.
            similar: 1 where label and image share a class, else 0, ``(n, N)``.
            generator: Of what is drawn, of torch on the CPU.
        """

    @classmethod
    def of(cls, context: Context) -> Self:
        """Take the trained one.

        Raises:
            HashprobeError: none has been trained here.
        """
        if cls.name not in context.trained:
            raise HashprobeError(
                f"the target code {cls.name!r} has to be trained first; give the folder that train-attack wrote (--trained)."
            )
        code: Self = context.trained[cls.name]
        return code

    @torch.no_grad()
    def __call__(self, labels: npt.NDArray[Any]) -> Codes:
        """Return packed codes ``(n, ceil(K / 8))`` for multi-hot labels ``(n, C)``."""
        whose = f"this {type(self.network).__name__}'s"
        wanted = check_labels(labels, self.network.classes, whose).astype(np.float32)
        device = self.network.code_head.weight.device
        return pack(self.network(torch.from_numpy(wanted).to(device))[1].cpu().numpy())

    @classmethod
    def train(cls, settings: Any, run: TrainingRun) -> Self:
        """Train the network on the codes of the run's training images."""
        network, _ = train_label_network(
            cls,
            run.train_codes,
            run.data.train.labels,
            run.data.database.labels,
            settings,
            bits=run.model.bits,
            seed=run.seed,
            device=run.model.device,
            checkpoint=run.checkpoint,
            log=run.log(cls.name),
            progress=run.progress,
        )
        return cls(network=network, settings=settings, attacked_model=run.model.sha256())

    def networks(self) -> Mapping[str, nn.Module]:
        """Return the network."""
        return {"network": self.network}

    def facts(self) -> dict[str, Any]:
        """Return the sizes of the network."""
        return {"bits": self.network.bits, "classes": self.network.classes, "hidden": self.network.hidden}

    @classmethod
    def assemble(
        cls, settings: Any, facts: dict[str, Any], parts: Mapping[str, Trained], attacked_model: str
    ) -> Self:
        """Build a network of those sizes."""
        network = cls.Network(facts["classes"], facts["bits"], facts["hidden"])
        return cls(network=network, settings=settings, attacked_model=attacked_model)


def quantisation(relaxed: torch.Tensor) -> torch.Tensor:
    """Return ``Σ_bits (sign(h) − h)²``, the mean over labels."""
    return (torch.where(relaxed >= 0, 1.0, -1.0) - relaxed).square().sum(1).mean()


def train_label_network(
    kind: type[LabelNetworkCode],
    codes: Codes,
    labels: npt.NDArray[Any],
    database_labels: npt.NDArray[Any],
    settings: Any,
    *,
    bits: int,
    seed: int,
    device: torch.device | str = "cpu",
    checkpoint: Path | None = None,
    log: Path | None = None,
    progress: bool = False,
) -> tuple[Any, list[dict[str, Any]]]:
    """Train a network against the codes of the training images.

    It is small: of several processes each trains all of it, and the main one's is the result.

    Args:
        kind: Whose network and loss.
        codes: Packed codes of the training images ``(N, ceil(K / 8))``.
        labels: Their multi-hot labels ``(N, C)``.
        database_labels: Labels whose unique vectors are the target labels, ``(M, C)``.
        settings: Of this kind; see :class:`LabelNetworkSettings`.
        bits: K.
        seed: Of weights and batches.
        device: Where it trains.
        checkpoint: A file for the state, written every few hundred steps; training goes on from it if it is there.
        log: A JSON-lines file for the log.
        progress: Whether a progress bar is shown.

    Returns:
        The network, frozen and in eval mode, and the log.
    """
    targets = torch.from_numpy(unique_labels(database_labels).astype(np.float32)).to(device)
    train_codes = torch.from_numpy(unpack(codes, bits).astype(np.float32)).to(device)
    train_labels = torch.from_numpy(np.asarray(labels).astype(np.float32)).to(device)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = kind.Network(targets.shape[1], bits, settings.hidden).to(device)
    optimizer = torch.optim.Adam(network.parameters(), lr=settings.learning_rate, betas=(0.5, 0.999))
    given = (
        np.ascontiguousarray(codes).tobytes(),
        train_labels.cpu().numpy().tobytes(),
        targets.cpu().numpy().tobytes(),
    )
    identity = sha256_of(fingerprint(settings), *given, str(seed), str(bits), str(tuple(targets.shape)))
    state = Checkpoint(checkpoint or Path(), identity, {"network": network}, {"optimizer": optimizer})
    facts = state.restore() if checkpoint else None
    records: list[dict[str, Any]] = facts["records"] if facts else []
    first = records[-1]["step"] if records else 0
    with progress_bar(kind.Network.__name__, settings.steps, show=progress, done=first) as advance:
        for step in range(first, settings.steps):
            rate = settings.learning_rate * 0.1 ** (
                (step >= settings.steps / 2) + (step >= settings.steps * 3 / 4)
            )
            optimizer.param_groups[0]["lr"] = rate
            rows = numpy_generator(seed, "prototype batch", step).integers(
                len(targets), size=settings.batch_size
            )
            batch = _with_fewer(targets[rows], settings.fewer, seed, step)
            similar = (batch @ train_labels.T > 0).float()
            drawn = torch_generator(seed, "label network loss", step)
            loss, shown = kind.loss(settings, batch, network(batch), train_codes, similar, drawn)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            advance(1)
            if (step + 1) % LOG_EVERY == 0 or step + 1 == settings.steps:
                values = {name: float(value.detach()) for name, value in {"loss": loss, **shown}.items()}
                records.append({"step": step + 1, **values, "learning_rate": rate})
                if checkpoint and (step + 1) % (5 * LOG_EVERY) == 0:
                    state.save({"records": records})
    if checkpoint:
        state.save({"records": records})
    if log and is_main():
        write_json_lines(log, records)
    processes(targets.device).broadcast_from_main(network)
    return network.requires_grad_(False).eval(), records


def _with_fewer(labels: torch.Tensor, share: float, seed: int, step: int) -> torch.Tensor:
    """Return labels ``(n, C)`` of which a share has lost random classes; each keeps one at least, where it had one."""
    if not share:
        return labels
    generator = numpy_generator(seed, "fewer classes", step)
    chosen = generator.random((len(labels), 1)) < share
    lost = chosen & (generator.random(tuple(labels.shape)) < generator.random((len(labels), 1)))
    fewer = labels * torch.from_numpy(~lost).to(labels)
    return torch.where(fewer.any(dim=1, keepdim=True), fewer, labels)
