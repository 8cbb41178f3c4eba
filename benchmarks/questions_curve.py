"""Measures a black-box attack after 50, 100, 200, … of its questions, where it takes steps in one run, and draws the curve.

An attack without such steps is measured before its first question and after its last, a call a number of questions. An estimated
step does not depend on how many questions are left, so the state after 500 of 2,000 questions is what an attack of 500 ends
with, to within its last step. Rows of queries may be shared out over several calls; a call without ``--attack`` draws what the
files hold.

Example: python benchmarks/questions_curve.py --model runs/model --attack RankNES:questions=2000 --rows 0:32 --out runs/curve
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import matplotlib as mpl
import numpy as np

from hashprobe import retrieval
from hashprobe.attacks import Victim
from hashprobe.attacks.asking import agreement_score
from hashprobe.attacks.nes import EvolutionSearch
from hashprobe.attacks.rank_nes import RankNES
from hashprobe.attacks.ranked import ranking_score
from hashprobe.data import load
from hashprobe.evaluation import CellSpec, Evaluator
from hashprobe.files import write_json
from hashprobe.hashing import HashModel, frozen
from hashprobe.images import as_images
from hashprobe.seeds import torch_generator

MARKS = (0, 50, 100, 200, 500, 1000, 1500, 2000)
BATCH = 32


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path)
    parser.add_argument("--attack", help="as for evaluate")
    parser.add_argument("--rows", default="0:100", help="queries START:STOP; START a multiple of 32")
    parser.add_argument("--protocol", default="disjoint")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    if given.attack:
        measure(given)
    else:
        draw(given.out)


def measure(given: argparse.Namespace) -> None:
    data = load("openmoji", image_size=64, seed=given.seed, queries=200, database=2500, train=2000)
    evaluator = Evaluator(HashModel.load(given.model), data, seed=given.seed)
    spec = CellSpec.read(given.attack)
    attack = spec.build({})
    targeted = spec.goal_kind.objective == "targeted"
    goal = evaluator.goal(spec.goal_kind, spec.code_name, given.protocol if targeted else None, attack)
    scored = evaluator.target_labels(given.protocol) if targeted else data.query.labels
    start, stop = map(int, given.rows.split(":"))
    for first in range(start, stop, BATCH):
        rows = slice(first, min(first + BATCH, stop))
        images = as_images(data.query.images[rows], evaluator.model.device)
        victim = Victim(
            evaluator.model,
            len(images),
            attack.access,
            search=evaluator.ranking.ids,
            database_labels=data.database.labels,
            questions=attack.questions,
        )
        own, precision = goal[rows], dict[int, list[float]]()
        name = f"{given.attack.replace(':', '-').replace('/', 'of')}-{first:04d}.json"
        said = {"attack": given.attack, "targeted": targeted, "first": first}
        generator = torch_generator(evaluator.seed, "attack", attack.described(), rows.start)
        if not isinstance(attack, EvolutionSearch):
            made = attack.run(
                evaluator.model,
                images,
                own,
                generator=generator,
                search=evaluator.ranking.ids,
                database_labels=data.database.labels,
            )
            for mark, codes in (
                (0, evaluator.query_codes[rows]),
                (attack.questions or 0, evaluator.model.codes(made.images)),
            ):
                found = evaluator.ranking.measure({"scored": (codes, scored[rows])})
                precision[mark] = found["scored"].precision.tolist()
            write_json(given.out / name, said | {"precision": precision})
            continue
        score = (
            ranking_score(victim, own, attack.length)
            if isinstance(attack, RankNES)
            else agreement_score(victim, own, images)
        )
        waiting = [mark for mark in MARKS if mark <= attack.questions]
        with frozen(evaluator.model):
            for best in attack.steps(victim, images, score, generator):
                ahead = int(victim.cost.questions.max()) + attack.samples + 1  # after the next step
                while waiting and (waiting[0] < ahead or victim.left.max() < 3):
                    codes = evaluator.query_codes[rows] if waiting[0] == 0 else evaluator.model.codes(best)
                    found = evaluator.ranking.measure({"scored": (codes, scored[rows])})
                    precision[waiting.pop(0)] = found["scored"].precision.tolist()
                    print(given.attack, rows, int(victim.cost.questions.max()), flush=True)
                    write_json(given.out / name, said | {"precision": precision})


def draw(out: Path) -> None:
    """Print a table of all files in a folder, and draw it."""
    mpl.use("agg")
    from matplotlib import pyplot as plt

    together: dict[tuple[bool, str], dict[int, dict[int, list[float]]]] = {}
    for path in sorted(out.glob("*.json")):
        said = json.loads(path.read_text(encoding="utf-8"))
        marks = together.setdefault((said["targeted"], said["attack"].partition(":")[0]), {})
        for mark, precision in said["precision"].items():
            marks.setdefault(int(mark), {})[said["first"]] = precision
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for (targeted, attack), marks in together.items():
        axes, shown = (right, "t-MAP") if targeted else (left, "MAP")
        axes.set(xlabel="questions an image", ylabel=shown)
        means = []
        for mark, precision in sorted(marks.items()):
            values = np.concatenate(list(precision.values()))
            low, high = retrieval.bootstrap_interval(values, seed=0)
            means.append(values.mean())
            print(
                f"| {attack} | {shown} | {len(values)} | {mark} | {values.mean():.3f} | {low:.3f} to {high:.3f} |"
            )
        axes.plot(sorted(marks), means, marker="o", label=attack)
        axes.legend()
    figure.savefig(out / "questions-curve.png", dpi=150)


if __name__ == "__main__":
    main()
