"""Compares objectives on one model whose outputs are made larger, which changes no code: t-MAP and how many bits move.

A network k times as loud retrieves the same images. What an attack reaches on it should be the same too; a published
objective that saturates moves nothing there, and so reports a robustness that is none.

Example: python benchmarks/objectives.py --model runs/hash-model --data path/to/flickr25k --queries 100
"""

from __future__ import annotations

import argparse
import copy
from typing import Any

import torch
from torch import nn

from hashprobe.attacks import OBJECTIVES
from hashprobe.data import load
from hashprobe.evaluation import CellSpec, Evaluator, measure
from hashprobe.hashing import open_model

SCHEDULES = {
    1: (8 / 255, 8 / 255),
    2: (4 / 255, 1 / 255),
    5: (4 / 255, 1 / 255),
    10: (4 / 255, 1 / 255),
    20: (1 / 255, 1 / 255),
}
"""First and last step size for each number of steps."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--image-size", type=int, default=64)
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--protocol", default="disjoint")
    parser.add_argument("--code", default="mainstay")
    parser.add_argument("--louder", type=float, nargs="+", default=[1, 4, 40])
    parser.add_argument("--steps", type=int, nargs="+", default=list(SCHEDULES), choices=list(SCHEDULES))
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    model, data = open_model(given.model), load(given.data, image_size=given.image_size)
    data = data.sample(query=given.queries, seed=given.seed)
    codes: dict[str, Any] = {
        "database_codes": model.codes(data.database.images),
        "train_codes": model.codes(data.train.images),
    }
    print("| louder | mean abs(z) | objective |", " | ".join(f"{steps} steps" for steps in given.steps), "|")
    print("| ---: | ---: | --- |", " | ".join(["---:"] * len(given.steps)), "|")
    for times in given.louder:
        evaluator = Evaluator(louder(model, times), data, seed=given.seed, **codes)
        for objective in OBJECTIVES:
            cells = []
            for steps in given.steps:
                first, last = SCHEDULES[steps]
                numbers = {"steps": steps, "step_size": first, "last_step_size": last, "objective": objective}
                spec = CellSpec(attack="FewStep", code=given.code, settings=numbers)
                row = measure(spec, given.protocol, evaluator).rows[0]
                cells.append(f"{row.t_map:.3f}, {row.bits_moved:.1f} bits")
            print(
                f"| {times:g} | {evaluator.mean_logit:.2f} | {objective} |",
                " | ".join(cells),
                "|",
                flush=True,
            )


def louder(model, times: float):
    """Return a copy of a model whose outputs are so many times as large."""
    own = copy.deepcopy(model)
    last = [module for module in own.network.modules() if isinstance(module, nn.Linear | nn.Conv2d)][-1]
    with torch.no_grad():
        for parameter in last.parameters():
            parameter.mul_(times)
    return own


if __name__ == "__main__":
    main()
