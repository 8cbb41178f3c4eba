"""Runs attacks on the queries of a data set under one protocol, and measures them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch

from hashprobe import retrieval
from hashprobe.attacks import Attack
from hashprobe.data import RetrievalData
from hashprobe.devices import versions
from hashprobe.errors import HashprobeError
from hashprobe.evaluation.scores import TargetScore, score_targets
from hashprobe.hashing import HashModel
from hashprobe.images import as_images, to_uint8
from hashprobe.processes import processes
from hashprobe.progress import progress_bar
from hashprobe.results import ResultRow
from hashprobe.seeds import torch_generator
from hashprobe.targets import (
    AnchorCode,
    Codes,
    P2PCode,
    PrototypeCode,
    PrototypeNet,
    TargetCode,
    draw_target_labels,
)


@dataclass(frozen=True)
class Attacked:
    """An attacked query set: what is left of it once it has been measured.

    Attributes:
        codes: Packed codes of the adversarial images, as the attack returned them.
        codes_png: Packed codes after rounding to 8 bit.
        elsewhere: ``codes`` and ``codes_png`` under each model of ``also``, in their order.
        kept: The adversarial images of ``keep``, rounded to 8 bit, uint8 ``(k, 3, h, w)``.
        linf: Largest change.
        rms: Root of the mean squared change.
        seconds: Time of the attack alone, all images; of several processes, the sum of their times.
    """

    codes: Codes
    codes_png: Codes
    elsewhere: tuple[tuple[Codes, Codes], ...]
    kept: npt.NDArray[np.uint8]
    linf: float
    rms: float
    seconds: float

    def under(self, place: int) -> Attacked:
        """Return the same with the codes of a model of ``also``, by its place there."""
        codes, codes_png = self.elsewhere[place]
        return replace(self, codes=codes, codes_png=codes_png)


class Evaluator:
    """Measures attacks on one model, one data set and one protocol; what they share is computed once.

    Args:
        model: The attacked model.
        data: Queries and database.
        protocol: Target label protocol.
        seed: Of target labels, target codes and attacks.
        database_codes: Packed database codes, where they are known already.
        progress: Whether progress bars are shown.
    """

    def __init__(
        self,
        model: HashModel,
        data: RetrievalData,
        *,
        protocol: str,
        seed: int,
        database_codes: Codes | None = None,
        progress: bool = False,
    ) -> None:
        self.model, self.data, self.protocol, self.seed, self.progress = model, data, protocol, seed, progress
        self.target_labels = draw_target_labels(protocol, data.query.labels, data.database.labels, seed=seed)
        if database_codes is not None:
            self.database_codes = database_codes

    @cached_property
    def database_codes(self) -> Codes:
        """Packed codes of the database."""
        return self.model.codes(self.data.database.images, progress=self.progress, together=True)

    @cached_property
    def query_codes(self) -> Codes:
        """Packed codes of the unchanged queries."""
        return self.model.codes(self.data.query.images, progress=self.progress, together=True)

    @cached_property
    def model_sha256(self) -> str:
        """Fingerprint of the model."""
        return self.model.sha256()

    @cached_property
    def map_benign(self) -> float:
        """MAP of the unchanged queries; a query without a relevant image counts as 0."""
        labels = (self.data.query.labels, self.data.database.labels)
        return float(
            retrieval.average_precision(
                self.query_codes, self.database_codes, *labels, bits=self.model.bits
            ).mean()
        )

    @cached_property
    def map_chance(self) -> float:
        """MAP of a random ranking."""
        return float(np.mean(retrieval.chance_level(self.data.query.labels, self.data.database.labels)))

    @cached_property
    def chance(self) -> float:
        """t-MAP of a random ranking."""
        return float(np.mean(retrieval.chance_level(self.target_labels, self.data.database.labels)))

    def target_code(self, name: str, prototypes: PrototypeNet | None = None) -> TargetCode:
        """Return a target code over this database.

        Args:
            name: ``p2p``, ``anchor``, ``prototype``, or ``none`` for an attack that looks at no code, which gets the
                anchor code.
            prototypes: The trained PrototypeNet, which ``prototype`` needs.
        """
        if name == "prototype" and prototypes is not None:
            return PrototypeCode(prototypes)
        kinds: dict[str, type[P2PCode | AnchorCode]] = {
            "p2p": P2PCode,
            "anchor": AnchorCode,
            "none": AnchorCode,
        }
        if name not in kinds:
            raise HashprobeError(
                f"the target code {name!r} has to be trained or built first; here 'p2p' and 'anchor' are known."
            )
        parts = {"codes": self.database_codes, "labels": self.data.database.labels, "bits": self.model.bits}
        return kinds[name](**parts, seed=self.seed)  # type: ignore[arg-type]

    def attack(
        self,
        attack: Attack,
        goal: Codes,
        *,
        batch_size: int = 32,
        keep: npt.NDArray[np.intp] | None = None,
        also: Sequence[HashModel] = (),
        title: str = "attack",
    ) -> Attacked:
        """Attack all queries; several processes share the batches, and each returns the whole result, the same to the bit.

        Args:
            attack: The attack.
            goal: Packed target codes, one a query.
            batch_size: Queries at a time.
            keep: Rows of the queries whose adversarial images are kept.
            also: Further models whose codes of the adversarial images are wanted: transfer.
            title: What the progress bar says.
        """
        images, together = self.data.query.images, processes(self.model.device)
        wanted = np.unique([] if keep is None else keep).astype(np.intp)
        batches = together.batches(len(images), batch_size)
        codes, codes_png = (_no_codes(len(images), self.model) for _ in range(2))
        elsewhere = tuple((_no_codes(len(images), model), _no_codes(len(images), model)) for model in also)
        kept = np.zeros((len(wanted), *images.shape[1:]), dtype=np.uint8)
        linf, squares, seconds = np.zeros((3, len(images)))  # of a batch, at its first row
        own = sum(rows.stop - rows.start for rows in batches)
        with progress_bar(title, own, show=self.progress) as advance:
            for rows in batches:
                clean = as_images(images[rows], self.model.device)
                generator = torch_generator(self.seed, "attack", repr(attack), rows.start)
                before = time.perf_counter()
                adversarial = attack(
                    self.model, clean, goal[rows], generator=generator, labels=self.target_labels[rows]
                )
                if adversarial.is_cuda:
                    torch.cuda.synchronize()
                seconds[rows.start] = time.perf_counter() - before
                rounded = to_uint8(adversarial)
                codes[rows], codes_png[rows] = self.model.codes(adversarial), self.model.codes(rounded)
                for (other, other_png), model in zip(elsewhere, also, strict=True):
                    other[rows], other_png[rows] = model.codes(adversarial), model.codes(rounded)
                change = (adversarial - clean).double()
                linf[rows.start], squares[rows.start] = change.abs().max(), change.square().sum()
                here = (wanted >= rows.start) & (wanted < rows.stop)
                kept[here] = rounded.cpu().numpy()[wanted[here] - rows.start]
                advance(len(clean))
        together.merge(codes, codes_png, *(some for pair in elsewhere for some in pair), kept)
        together.merge(linf, squares, seconds)
        rms = (_total(squares) / int(np.prod(images.shape))) ** 0.5
        return Attacked(codes, codes_png, elsewhere, kept, float(linf.max()), rms, _total(seconds))

    def row(
        self,
        name: str,
        codes: Codes,
        *,
        attack: str,
        code: str,
        by: Attack | None = None,
        attacked: Attacked | None = None,
        own_labels: bool = True,
    ) -> tuple[ResultRow, TargetScore]:
        """Measure packed query codes and return the row and the score it was made from.

        Args:
            name: Name of the row.
            codes: Packed query codes ``(n, ceil(K / 8))``.
            attack: Name of the attack.
            code: Name of the target code.
            by: The attack itself, where one made the images.
            attacked: What was measured on its images, where there are images.
            own_labels: Whether MAP against the queries' own labels means anything for these codes.
        """
        sets = {"target": (codes, self.target_labels)}
        if own_labels:
            sets["own"] = (codes, self.data.query.labels)
        if attacked:
            sets["png"] = (attacked.codes_png, self.target_labels)
        counts = retrieval.count_levels_of_sets(
            sets, self.database_codes, self.data.database.labels, bits=self.model.bits
        )
        means = {
            name: float(retrieval.average_precision_from_counts(found).mean())
            for name, found in counts.items()
        }
        score = score_targets(counts["target"], seed=self.seed)
        row = ResultRow(
            row=name,
            data=self.data.name,
            split_sha256=self.data.split_sha256,
            model=self.model_sha256,
            bits=self.model.bits,
            attack=attack,
            attack_settings=repr(by) if by else "",
            goal="targeted",
            code=code,
            protocol=self.protocol,
            seed=self.seed,
            queries=len(codes),
            epsilon=by.epsilon if by else None,
            map=means.get("own"),
            map_benign=self.map_benign,
            map_chance=self.map_chance,
            t_map=score.t_map,
            t_map_low=score.low,
            t_map_high=score.high,
            chance=self.chance,
            linf=attacked.linf if attacked else None,
            rms=attacked.rms if attacked else None,
            t_map_png=means.get("png"),
            seconds_per_image=attacked.seconds / len(codes) if attacked else None,
            forward_passes=by.forward_passes if by else 0,
            backward_passes=by.backward_passes if by else 0,
            questions=0.0,
            device=str(self.model.device),
            threads=torch.get_num_threads(),
            versions=versions(),
        )
        return row, score


def _no_codes(count: int, model: HashModel) -> Codes:
    return np.zeros((count, -(-model.bits // 8)), dtype=np.uint8)


def _total(values: npt.NDArray[np.float64]) -> float:
    """Sum in order, which gives the same bits however many processes computed the values."""
    return float(np.cumsum(values)[-1])
