"""One model on one data set, ready to be attacked: what all rows share is computed once."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache, cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from hashprobe import retrieval
from hashprobe.attacks import Access, Attack, Cost
from hashprobe.data import RetrievalData
from hashprobe.devices import versions
from hashprobe.evaluation import facts
from hashprobe.evaluation.attacked import Attacked
from hashprobe.evaluation.ranking import Ranking, SearchSettings
from hashprobe.evaluation.scores import Score, score
from hashprobe.files import sha256_of
from hashprobe.hashing import HashModel
from hashprobe.images import as_images, to_uint8
from hashprobe.processes import processes
from hashprobe.progress import progress_bar
from hashprobe.results import QueryScores, ResultRow
from hashprobe.seeds import torch_generator
from hashprobe.targets import NO_CODE, Codes, Context, Goal, GoalKind, draw_target_labels
from hashprobe.trained import Trained, by_name


def goal_of(attack: Attack | None, kind: GoalKind, code: str, context: Context) -> Goal:
    """Return what an attack is to reach, with what it asks for.

    For an attack that sees nothing the codes are not made, for it cannot look at them.

    Args:
        attack: The attack, if there is one.
        kind: The kind of goal.
        code: A name of ``CODES``, or ``none``.
        context: What the goal is made from.
    """
    blind = attack is not None and attack.access is Access.NOTHING
    goal = kind.build(context, NO_CODE if blind else code)
    needed = attack is not None and any(stage.needs_training_codes for stage in attack.stages)
    return replace(goal, training=context.training_set()) if needed else goal


class Evaluator:
    """Measures codes and attacks on one model and one data set.

    Args:
        model: The attacked model.
        data: Queries and database.
        seed: Of target labels, target codes and attacks.
        trained: Trained attacks and codes.
        search: How the database is searched; exactly if not given.
        database_codes: Packed database codes, where they are known already.
        query_codes: Packed codes of the unchanged queries, likewise.
        train_codes: Those of the training images, likewise.
        progress: Whether progress bars are shown.
    """

    def __init__(
        self,
        model: HashModel,
        data: RetrievalData,
        *,
        seed: int,
        trained: Iterable[Trained] = (),
        search: SearchSettings | None = None,
        database_codes: Codes | None = None,
        query_codes: Codes | None = None,
        train_codes: Codes | None = None,
        progress: bool = False,
    ) -> None:
        self.model, self.data, self.seed, self.progress = model, data, seed, progress
        self.trained: Mapping[str, Trained] = by_name(trained)
        self.search = search or SearchSettings()
        if database_codes is not None:
            self.database_codes = database_codes
        if query_codes is not None:
            self.query_codes = query_codes
        if train_codes is not None:
            self.train_codes = train_codes
        self.target_labels = cache(self._target_labels)
        self.chance = cache(self._chance)
        self.target_shared = cache(self._target_shared)

    @cached_property
    def database_codes(self) -> Codes:
        """Packed codes of the database."""
        return self.model.codes(self.data.database.images, progress=self.progress, distributed=True)

    @cached_property
    def query_codes(self) -> Codes:
        """Packed codes of the unchanged queries."""
        return self.model.codes(self.data.query.images, progress=self.progress, distributed=True)

    @cached_property
    def train_codes(self) -> Codes:
        """Packed codes of the training images."""
        return self.model.codes(self.data.train.images, progress=self.progress, distributed=True)

    @cached_property
    def ranking(self) -> Ranking:
        """The database as it is searched."""
        return Ranking(self.search, self.database_codes, self.data.database.labels, self.model.bits)

    @cached_property
    def model_sha256(self) -> str:
        """Fingerprint of the model."""
        return self.model.sha256()

    @cached_property
    def map_benign(self) -> float:
        """MAP of the unchanged queries; a query without a relevant image counts as 0."""
        found = self.ranking.measure({"own": (self.query_codes, self.data.query.labels)})
        return float(found["own"].precision.mean())

    @cached_property
    def map_chance(self) -> float:
        """MAP of a random ranking."""
        return self.ranking.chance(self.data.query.labels)

    @cached_property
    def index_recall(self) -> float | None:
        """Share of the nearest items that the index finds for the queries; ``None`` where all are compared."""
        return self.ranking.recall(self.query_codes)

    @cached_property
    def mean_logit(self) -> float | None:
        """Mean absolute output of the model on (at most 256 of) the unchanged queries."""
        return facts.mean_logit(self.model, self.data.query.images)

    @cached_property
    def duplicates(self) -> int:
        """How many queries are, pixel by pixel, an image of the database or of the training images."""
        return facts.duplicates(self.data)

    def _target_labels(self, protocol: str) -> npt.NDArray[np.uint8]:
        """Return the target labels that a protocol draws, ``(n, C)``."""
        own, others = self.data.query.labels, self.data.database.labels
        return draw_target_labels(protocol, own, others, seed=self.seed)

    def _chance(self, protocol: str) -> float:
        """Return the t-MAP of a random ranking under a protocol."""
        return self.ranking.chance(self.target_labels(protocol))

    def _target_shared(self, protocol: str) -> float:
        """Return the share of queries whose target label shares a class with their own."""
        return facts.shared_targets(self.target_labels(protocol), self.data.query.labels)

    def context(self, protocol: str | None = None, attack: Attack | None = None) -> Context:
        """Return what goals and codes may be made from.

        Args:
            protocol: Under which there are target labels.
            attack: Whose own parts, as the prototype code of each ProS-GAN, go before others if they are of this model.
        """
        labels, made = self.data.query.labels, facts.trained_in(attack)
        parts = made.parts() if made else {}
        own = {name: part for name, part in parts.items() if part.attacked_model == self.model_sha256}
        return Context(
            bits=self.model.bits,
            seed=self.seed,
            database_codes=self.database_codes,
            database_labels=self.data.database.labels,
            query_codes=self.query_codes,
            query_labels=labels,
            target_labels=self.target_labels(protocol) if protocol else None,
            training=lambda: (self.train_codes, self.data.train.labels),
            trained={**self.trained, **own},
        )

    def goal(self, kind: GoalKind, code: str, protocol: str | None, attack: Attack | None = None) -> Goal:
        """Return the goal of all queries; see :func:`goal_of`."""
        return goal_of(attack, kind, code, self.context(protocol, attack))

    def attack(
        self,
        attack: Attack,
        goal: Goal,
        *,
        batch_size: int = 32,
        keep: npt.NDArray[np.intp] | None = None,
        others: Sequence[HashModel] = (),
        title: str = "attack",
    ) -> Attacked:
        """Attack all queries; several processes share the batches, and each returns the whole result, the same to the bit.

        Args:
            attack: The attack.
            goal: What is to be reached, a row a query.
            batch_size: Queries at a time.
            keep: Rows of the queries whose adversarial images are kept.
            others: Further models whose codes of the adversarial images are wanted: transfer.
            title: What the progress bar says.
        """
        images, together = self.data.query.images, processes(self.model.device)
        wanted = np.unique([] if keep is None else keep).astype(np.intp)
        batches = together.batches(len(images), batch_size)
        codes, codes_uint8 = (_no_codes(len(images), self.model) for _ in range(2))
        transferred = tuple(
            (_no_codes(len(images), model), _no_codes(len(images), model)) for model in others
        )
        kept = np.zeros((len(wanted), *images.shape[1:]), dtype=np.uint8)
        linf, l2, squares, seconds = np.zeros((4, len(images)))  # of a batch, at its first row
        cost, members = Cost.none(len(images)), attack.members
        winners = np.zeros(len(images), dtype=np.int64)  # which member, from 1
        apart = np.zeros(len(images))  # bits between restarts, and one more
        own = sum(rows.stop - rows.start for rows in batches)
        with progress_bar(title, own, show=self.progress) as advance:
            for rows in batches:
                clean = as_images(images[rows], self.model.device)
                generator = torch_generator(self.seed, "attack", attack.described(), rows.start)
                before = time.perf_counter()
                result = attack.run(self.model, clean, goal[rows], generator=generator, **self.searched)
                adversarial = result.images
                if adversarial.is_cuda:
                    torch.cuda.synchronize()
                seconds[rows.start] = time.perf_counter() - before
                rounded = to_uint8(adversarial)
                codes[rows], codes_uint8[rows] = self.model.codes(adversarial), self.model.codes(rounded)
                for (other, other_uint8), model in zip(transferred, others, strict=True):
                    other[rows], other_uint8[rows] = model.codes(adversarial), model.codes(rounded)
                change = (adversarial - clean).double()
                linf[rows.start], squares[rows.start] = change.abs().max(), change.square().sum()
                l2[rows.start] = change.flatten(1).norm(dim=1).max()
                cost.put(rows, result.cost)
                if result.winners:
                    winners[rows] = [members.index(name) + 1 for name in result.winners]
                if result.restart_bits is not None:
                    apart[rows] = 1 + result.restart_bits
                here = (wanted >= rows.start) & (wanted < rows.stop)
                kept[here] = rounded.cpu().numpy()[wanted[here] - rows.start]
                advance(len(clean))
        together.merge(codes, codes_uint8, *(some for pair in transferred for some in pair), kept)
        together.merge(
            linf, l2, squares, seconds, cost.forward, cost.backward, cost.questions, winners, apart
        )
        rms = (_total(squares) / int(np.prod(images.shape))) ** 0.5
        largest = float(linf.max()), float(l2.max())
        won = {name: float(np.mean(winners == at + 1)) for at, name in enumerate(members)} or None
        restart_bits = float(np.mean(apart)) - 1 if apart.all() else None
        return Attacked(
            codes, codes_uint8, transferred, kept, *largest, rms, _total(seconds), cost, won, restart_bits
        )

    @property
    def searched(self) -> dict[str, Any]:
        """The database as an attack may ask about it: arguments of :meth:`hashprobe.attacks.Attack.run`."""
        return {
            "search": self.ranking.ids,
            "database_labels": self.data.database.labels,
            "judge": self._average_precision,
        }

    def _average_precision(self, codes: Codes, labels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
        return self.ranking.measure({"own": (codes, labels)})["own"].precision

    def row(
        self,
        name: str,
        codes: Codes,
        *,
        attack: str,
        kind: GoalKind,
        code: str,
        protocol: str | None,
        by: Attack | None = None,
        attacked: Attacked | None = None,
        attacked_model: str | None = None,
        own_labels: bool = True,
        goal: Goal | None = None,
    ) -> tuple[ResultRow, Score]:
        """Measure packed query codes and return the row and the score it was made from.

        Args:
            name: Name of the row.
            codes: Packed query codes ``(n, ceil(K / 8))``.
            attack: Name of the attack.
            kind: The goal: targeted rows are scored by their target labels, untargeted ones by their own.
            code: Name of the target code.
            protocol: Target label protocol, for a targeted row.
            by: The attack itself, where one made the images.
            attacked: What was measured on its images, where there are images.
            attacked_model: Fingerprint of the model that the attack saw, where that is another one.
            own_labels: Whether MAP against the queries' own labels means anything for these codes.
            goal: What the attack was to reach on this model.
        """
        own, targeted = self.data.query.labels, protocol is not None
        scored = self.target_labels(protocol) if protocol else own
        sets = {"scored": (codes, scored)}
        if own_labels:
            sets["own"] = (codes, own)
        if attacked:
            sets["uint8"] = (attacked.codes_uint8, scored)
        found = self.ranking.measure(sets)
        means = {name: float(measured.precision.mean()) for name, measured in found.items()}
        result = score(found["scored"].counts, found["scored"].precision, seed=self.seed)
        interval = (result.low, result.high)
        if targeted and own_labels:
            interval = retrieval.bootstrap_interval(found["own"].precision, seed=self.seed)
        row = ResultRow(
            row=name,
            attack=attack,
            attack_settings=by.described() if by else "",
            goal=kind.objective,
            code=code,
            protocol=protocol,
            queries=len(codes),
            epsilon=by.epsilon if by else None,
            map=means.get("own"),
            map_low=interval[0] if own_labels else None,
            map_high=interval[1] if own_labels else None,
            t_map=result.mean if targeted else None,
            t_map_low=result.low if targeted else None,
            t_map_high=result.high if targeted else None,
            map_png=None if targeted else means.get("uint8"),
            t_map_png=means.get("uint8") if targeted else None,
            attacked_model=attacked_model,
            **self._facts(protocol),
            **facts.of_images(attacked, len(codes)),
            **facts.of_attack(by, self.seed),
            **(facts.of_codes(codes, self.query_codes, goal, self.model.bits) if attacked else {}),
        )
        return row, result

    def _facts(self, protocol: str | None) -> dict[str, Any]:
        """Return the fields of a row that all rows of a protocol share."""
        return {
            "data": self.data.name,
            "split_sha256": self.data.split_sha256,
            "model": self.model_sha256,
            "bits": self.model.bits,
            "seed": self.seed,
            "map_benign": self.map_benign,
            "map_chance": self.map_chance,
            "chance": self.chance(protocol) if protocol else None,
            "target_shared": self.target_shared(protocol) if protocol else None,
            "duplicates": self.duplicates,
            "mean_logit": self.mean_logit,
            "tanh_scale": self.model.scale,
            "index": self.search.index,
            "index_recall": self.index_recall,
            "top_k": self.ranking.top_k,
            "device": str(self.model.device),
            "threads": torch.get_num_threads(),
            "versions": versions(),
        }

    def query_scores(self, row: str, scored: Score, protocol: str | None) -> QueryScores:
        """Return what each query of a row scored, with what tells whether another row is paired with it.

        Args:
            row: Name of the row.
            scored: Its score.
            protocol: Target label protocol that it was scored under; ``None`` for the queries' own labels.
        """
        queries = self.data.query
        labels = self.target_labels(protocol) if protocol else queries.labels
        return QueryScores.of(
            row,
            scored.average_precision,
            split_sha256=self.data.split_sha256,
            queries=sha256_of("\n".join(queries.names)),
            targets=sha256_of(str(labels.shape), np.packbits(labels, axis=1).tobytes()),
        )


def _no_codes(count: int, model: HashModel) -> Codes:
    return np.zeros((count, -(-model.bits // 8)), dtype=np.uint8)


def _total(values: npt.NDArray[np.float64]) -> float:
    """Sum in order, which gives the same bits however many processes computed the values."""
    return float(np.cumsum(values)[-1])
