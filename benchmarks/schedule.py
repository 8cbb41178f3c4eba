"""Scores ProS-GAN while it is trained: reads the checkpoint of a training that goes on (or was stopped), and appends a line.

For schedules of hours or days: the training is ``hashprobe train-attack ProS-GAN``; this is run beside it, every so often until
it has ended, or once with ``--every 0``. What was scored already is left out. Each line holds step and epoch, the losses of the
last twenty steps, and t-MAP with its 95 % interval and perceptibility, as the generator is and clipped to a budget.

Example: python benchmarks/schedule.py --run runs/pros-gan --prototype runs/prototype --model runs/hash-model --queries 300
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open

from hashprobe.attacks import ProSGAN
from hashprobe.attacks.prosgan.published import new_generator
from hashprobe.attacks.prosgan.settings import ProSGANSettings
from hashprobe.cli.options import load_data
from hashprobe.evaluation import CellSpec, Evaluator, measure
from hashprobe.files import read_json, read_json_lines
from hashprobe.hashing import HashModel
from hashprobe.targets import PrototypeCode
from hashprobe.trained import load_trained
from hashprobe.trained.base import CHECKPOINT_FILE, SPEC_FILE

BUDGETS = {"unbounded": None, "8/255": 8 / 255}
SCORES, CODES = "schedule.jsonl", "database-codes.npy"


def main() -> None:
    given = arguments()
    model = HashModel.load(given.model)
    data = load_data(given.data, given.image_size, given.seed, None, given.queries)
    prototype = load_trained(given.prototype, kind="prototype")
    assert isinstance(prototype, PrototypeCode)
    settings = ProSGANSettings(**read_json(given.run / "experiment.json")["settings"]["ProS-GAN"])
    database, lines = codes_of(model, data, given.run / CODES), given.run / SCORES
    while True:
        scored = [line["step"] for line in read_json_lines(lines)] if lines.exists() else []
        facts, tensors = checkpoint(
            given.run / CHECKPOINT_FILE, "average" if settings.average else "generator"
        )
        if facts["step"] not in (None, *scored):
            generator = new_generator(data.image_size, settings, prototype.network)
            generator.load_state_dict(tensors)
            attack = ProSGAN(
                generator=generator.requires_grad_(False).eval(),
                prototype=prototype,
                settings=settings,
                image_size=data.image_size,
                attacked_model=model.sha256(),
            )
            evaluator = Evaluator(
                model,
                data,
                seed=given.seed,
                trained=[attack],
                database_codes=database,
                train_codes=database[:1],
            )
            line = {"step": facts["step"], **facts["records"][-1], "queries": len(data.query)}
            with lines.open("a") as file:
                file.write(json.dumps(line | rows(evaluator)) + "\n")
        if not given.every or (given.run / SPEC_FILE).exists():
            return
        time.sleep(60 * given.every)


def rows(evaluator: Evaluator) -> dict[str, dict[str, float | None]]:
    """Return t-MAP, its interval and perceptibility for each budget and protocol."""
    found = {}
    for name, epsilon in BUDGETS.items():
        for protocol in ("paper", "disjoint"):
            spec = CellSpec(attack=ProSGAN.name, settings={"epsilon": epsilon})
            row = measure(spec, protocol, evaluator).rows[0]
            found[f"{name} {protocol}"] = {
                "t_map": row.t_map, "low": row.t_map_low, "high": row.t_map_high, "rms": row.rms
            }  # fmt: skip
    return found


def checkpoint(path: Path, network: str) -> tuple[dict, dict[str, torch.Tensor]]:
    """Return what a checkpoint says of the training, and the weights of a network of it; step ``None`` where there is none."""
    if not path.exists():
        return {"step": None}, {}
    prefix = f"module/{network}/"
    with safe_open(path, framework="pt") as file:
        names = [name for name in file.keys() if name.startswith(prefix)]  # noqa: SIM118
        tensors = {name.removeprefix(prefix): file.get_tensor(name) for name in names}
        return json.loads(file.metadata()["facts"]), tensors


def codes_of(model: HashModel, data, path: Path) -> np.ndarray:
    """Return the database's codes, made once."""
    if not path.exists():
        np.save(path, model.codes(data.database.images, progress=True))
    return np.load(path)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True, help="folder that train-attack writes to")
    parser.add_argument("--prototype", type=Path, required=True, help="folder of the prototype code")
    parser.add_argument("--model", type=Path, required=True, help="folder of the hash model")
    parser.add_argument("--data", default="flickr25k-128")
    parser.add_argument("--image-size", type=int, default=64)
    parser.add_argument("--queries", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--every", type=float, default=0, help="minutes between looks; 0 for one look")
    return parser.parse_args()


if __name__ == "__main__":
    main()
