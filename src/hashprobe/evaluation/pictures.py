"""Attacks on single pictures, towards one label or away from what they retrieve, and what they retrieve before and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from hashprobe.errors import HashprobeError, unknown_name
from hashprobe.evaluation.cells.spec import CellSpec
from hashprobe.evaluation.evaluator import Evaluator, goal_of
from hashprobe.evaluation.facts import of_codes
from hashprobe.evaluation.own_size import Picture, Pipeline, as_file, in_eight_bits
from hashprobe.images import as_images
from hashprobe.processes import processes
from hashprobe.progress import progress_bar
from hashprobe.seeds import torch_generator
from hashprobe.targets import Codes, Goal
from hashprobe.typed_values import checked


@dataclass(frozen=True)
class AttackedPicture:
    """One attacked picture, measured as a PNG holds it.

    Attributes:
        adversarial: uint8 ``(3, height, width)``.
        linf: Largest change, in [0, 1] units, after rounding to 8 bit.
        rms: Root of the mean squared change, after rounding.
        hits_before: How many of the nearest database images share a label with the target, before the attack; without a target,
            how many are among those that the picture retrieved before it.
        hits: The same after it.
        nearest: Rows of the nearest database images after the attack, nearest first.
        bits_moved: How many bits of the code changed.
        goal_bits_before: Hamming distance of the code from the one that the goal wants (untargeted: from the opposite of the code
            that is left) before the attack; ``None`` where the goal has no code.
        goal_bits: The same after it.
        questions: What the attack asked the search, where it asks.
    """

    adversarial: npt.NDArray[np.uint8]
    linf: float
    rms: float
    hits_before: int
    hits: int
    nearest: tuple[int, ...]
    bits_moved: int
    goal_bits_before: int | None
    goal_bits: int | None
    questions: int


@checked
def target_label(names: list[str], class_names: tuple[str, ...]) -> npt.NDArray[np.uint8]:
    """Return the multi-hot label ``(C,)`` of class names.

    Raises:
        HashprobeError: no name, or an unknown one.
    """
    if not names:
        raise HashprobeError("name at least one target label.")
    for name in names:
        if name not in class_names:
            raise unknown_name("class", name, class_names)
    return np.array([name in names for name in class_names], dtype=np.uint8)


def picture_goal(
    evaluator: Evaluator, spec: CellSpec, codes: Codes, label: npt.NDArray[np.uint8] | None
) -> Goal:
    """Return what an attack on one picture is to reach.

    Args:
        evaluator: The attacked model, the database that is searched, and what was trained.
        spec: The attack, its goal and code.
        codes: Packed code of the picture ``(1, ceil(K / 8))``.
        label: The target label ``(C,)``, for a targeted goal.

    Raises:
        HashprobeError: a goal that needs the picture's own label, which nobody knows, or a label that no code stands for.
    """
    target = None if label is None else label[None]
    attack = spec.build(evaluator.trained)
    known = evaluator.context(attack=attack)
    context = replace(known, query_codes=codes, query_labels=None, target_labels=target)
    return goal_of(attack, spec.goal_kind, spec.code_name, context)


def attack_pictures(
    evaluator: Evaluator,
    images: Sequence[Picture] | npt.NDArray[np.uint8],
    spec: CellSpec,
    label: npt.NDArray[np.uint8] | None,
    *,
    nearest: int = 10,
) -> list[AttackedPicture]:
    """Attack pictures one by one, at their own size, and look up what they retrieve; several processes share them.

    One that is not of the data's size is attacked through the cropping and resizing that files get, written as a PNG in memory,
    read again as a file is, and scored.

    Args:
        evaluator: The attacked model, the database that is searched, and what was trained.
        images: Of each picture uint8 ``(3, height, width)``, of any size.
        spec: The attack, its goal and code.
        label: The target label ``(C,)``, for a targeted goal.
        nearest: How many database images are looked at.
    """
    model, database, size = evaluator.model, evaluator.data.database, evaluator.data.image_size
    pipeline = Pipeline(model, size)
    attack, together = spec.build(evaluator.trained), processes(evaluator.model.device)
    results = []
    own = range(len(images))[together.index :: together.count]
    with progress_bar("pictures", len(own), show=evaluator.progress) as advance:
        for number in own:
            image = np.asarray(images[number])[None]
            through = pipeline.at_own_size if image.shape[2:] != (size, size) else model
            codes_before = pipeline.code(as_file(image[0]))[None]
            goal = picture_goal(evaluator, spec, codes_before, label)
            result = attack.run(
                through,
                as_images(image, model.device),
                goal,
                generator=torch_generator(evaluator.seed, "picture", attack.described(), number),
                **evaluator.searched,
            )
            adversarial = in_eight_bits(result.images, image, attack.epsilon, attack.norm)
            codes = np.concatenate([codes_before, pipeline.code(as_file(adversarial[0]))[None]])
            found = evaluator.ranking.index.search(codes, nearest).ids
            # Without a target what counts is how much of what came before still comes.
            shares = (
                np.isin(found, found[0]) if label is None else (database.labels[found] & label).any(axis=2)
            )
            hits = (shares & (found >= 0)).sum(axis=1)
            far = of_codes(codes[1:], codes[:1], goal, model.bits)
            change = (adversarial.astype(np.float64) - image) / 255
            results.append(
                AttackedPicture(
                    adversarial=adversarial[0],
                    linf=float(np.abs(change).max()),
                    rms=float(np.sqrt(np.square(change).mean())),
                    hits_before=int(hits[0]),
                    hits=int(hits[1]),
                    nearest=tuple(int(row) for row in found[1] if row >= 0),
                    bits_moved=round(far["bits_moved"]),
                    goal_bits_before=_whole(far.get("goal_bits_before")),
                    goal_bits=_whole(far.get("goal_bits")),
                    questions=int(result.cost.questions[0]),
                )
            )
            advance(1)
    return together.in_order(results)


def _whole(bits: float | None) -> int | None:
    return None if bits is None else round(bits)
