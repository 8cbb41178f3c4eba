"""Attacks on single pictures towards one label, with what they retrieve before and after."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hashprobe import retrieval
from hashprobe.attacks import Attack
from hashprobe.data import Split
from hashprobe.errors import HashprobeError, unknown_name
from hashprobe.hashing import HashModel
from hashprobe.images import as_images, to_uint8
from hashprobe.processes import processes
from hashprobe.progress import progress_bar
from hashprobe.seeds import torch_generator
from hashprobe.targets import Codes


@dataclass(frozen=True)
class AttackedPicture:
    """One attacked picture, measured as a PNG holds it.

    Attributes:
        adversarial: uint8 ``(3, S, S)``.
        linf: Largest change, in [0, 1] units, after rounding to 8 bit.
        rms: Root of the mean squared change, after rounding.
        hits_before: How many of the nearest database images share a label with the target, before the attack.
        hits: The same after it.
        nearest: Rows of the nearest database images after the attack, nearest first.
    """

    adversarial: npt.NDArray[np.uint8]
    linf: float
    rms: float
    hits_before: int
    hits: int
    nearest: tuple[int, ...]


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


def attack_pictures(
    model: HashModel,
    images: npt.NDArray[np.uint8],
    attack: Attack,
    goal: Codes,
    label: npt.NDArray[np.uint8],
    database: Split,
    database_codes: Codes,
    *,
    seed: int,
    nearest: int = 10,
    progress: bool = False,
) -> list[AttackedPicture]:
    """Attack pictures one by one and look up what they retrieve; several processes share them.

    Args:
        model: The attacked model.
        images: uint8 ``(n, 3, S, S)``.
        attack: The attack.
        goal: The packed target code, ``(1, ceil(K / 8))``.
        label: The target label, ``(C,)``.
        database: What is searched in.
        database_codes: Its packed codes.
        seed: Of the attack.
        nearest: How many database images are looked at.
        progress: Whether a progress bar is shown.
    """
    results = []
    together = processes(model.device)
    places = range(len(images))[together.index :: together.count]
    with progress_bar("pictures", len(places), show=progress) as advance:
        for place in places:
            image = images[place : place + 1]
            clean = as_images(image, model.device)
            generator = torch_generator(seed, "picture", repr(attack), place)
            adversarial = (
                to_uint8(attack(model, clean, goal, generator=generator, labels=label[None])).cpu().numpy()
            )
            codes = np.concatenate([model.codes(image), model.codes(adversarial)])
            rows, _ = retrieval.top_k(codes, database_codes, nearest, bits=model.bits)
            hits = (database.labels[rows] & label).any(axis=2).sum(axis=1)
            change = (adversarial.astype(np.float64) - image) / 255
            results.append(
                AttackedPicture(
                    adversarial=adversarial[0],
                    linf=float(np.abs(change).max()),
                    rms=float(np.sqrt(np.square(change).mean())),
                    hits_before=int(hits[0]),
                    hits=int(hits[1]),
                    nearest=tuple(int(row) for row in rows[1]),
                )
            )
            advance(1)
    return together.in_order(results)
