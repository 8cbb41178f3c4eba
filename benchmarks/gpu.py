"""Whether a GPU gives what the CPU gives, how fast it trains, and how far the paper's schedule comes; writes a Markdown page.

python benchmarks/gpu.py --data path/to/flickr25k-128 --out runs/gpu            # call it again, and it goes on

A call takes at most --minutes, and a part that is finished is not done again: first what is equal (the kernel's counts, the
codes of attacked images), then images a second of ProS-GAN's training step at the paper's size, then the paper's schedule at
128×128 on the data: hash model, PrototypeNet and generator, rows. A training that is stopped goes on from its checkpoint at the
next call. In float32, factors are not shortened to TF32.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open

from hashprobe import retrieval
from hashprobe.attacks import ATTACKS
from hashprobe.attacks.prosgan import Discriminator, Generator, ProSGANSettings
from hashprobe.attacks.teaching import Critic, Drawn, Pupil, teach
from hashprobe.data import ImageRows, RetrievalData, Split
from hashprobe.devices import resolve_device, versions
from hashprobe.files import read_json, read_json_lines, replacing, write_json
from hashprobe.hashing import HashModel
from hashprobe.seeds import numpy_generator, torch_generator
from hashprobe.targets import Goal

PRECISIONS = ("float32", "TF32", "bfloat16", "compiled")
ATTACKED: dict[str, dict[str, Any]] = {"FGSM": {}, "I-FGSM": {"steps": 20}, "DHTA": {"steps": 20}}
PROGRAM = [sys.executable, "-m", "hashprobe"]
SEMANTICS, CLASSES = 512, 24
MEBIBYTE = 1 << 20


def options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", help="What the schedule is trained on; without it that part is left out.")
    parser.add_argument("--data-option", action="append", default=[])
    parser.add_argument("--out", type=Path, default=Path("runs/gpu"))
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--minutes", type=float, default=9.5, help="Of this call, at most.")
    parser.add_argument("--backbone", default="efficientnet_lite0")
    parser.add_argument("--bits", type=int, default=32)
    parser.add_argument("--items", type=int, default=200_000, help="Codes that are counted.")
    parser.add_argument("--images", type=int, default=64, help="Images that are attacked.")
    parser.add_argument("--image-size", type=int, default=224, help="Of the attacked images and the step.")
    parser.add_argument("--width", type=int, default=64, help="Of the generator, and of the discriminator.")
    parser.add_argument("--batch", type=int, default=24)
    parser.add_argument("--steps", type=int, default=20, help="Training steps that are timed.")
    parser.add_argument("--precision", action="append", choices=PRECISIONS)
    parser.add_argument("--train-image-size", type=int, default=128)
    parser.add_argument(
        "--scale", default="released", help="The schedule: released, or another of hashprobe."
    )
    parser.add_argument("--set", action="append", default=[], help="A setting of the generator's training.")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    given = options(arguments)
    ends = time.monotonic() + 60 * given.minutes
    device = resolve_device(given.device)
    given.out.mkdir(parents=True, exist_ok=True)
    found = once(given.out / "equal.json", lambda: equal(given, device))
    wanted = given.precision or PRECISIONS
    speeds = {
        name: once(given.out / f"speed-{name}.json", lambda name=name: speed(given, device, name))
        for name in wanted
        if time.monotonic() < ends
    }
    pieces = given.out / "pieces.json"
    if given.data:
        before = read_json(pieces) if pieces.exists() else []
        write_json(pieces, [*before, piece(commands(given), ends - time.monotonic(), given.out / "log.txt")])
    with replacing(given.out / "gpu.md") as file:
        file.write_text(page(given, device, found, speeds), encoding="utf-8")
    print(f"wrote {given.out / 'gpu.md'}")


def once(path: Path, measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return what a file holds, which is measured first if it is not there."""
    if not path.exists():
        write_json(path, measure())
    found: dict[str, Any] = read_json(path)
    return found


def exact(*, tf32: bool = False) -> None:
    """Let products be computed in float32, or with factors shortened to TF32."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32


def equal(given: argparse.Namespace, device: torch.device) -> dict[str, Any]:
    """Compare counts, and the codes of attacked images, with the CPU's."""
    exact()
    rng = numpy_generator(0, "gpu counts")
    codes = [rng.integers(256, size=(count, given.bits // 8), dtype=np.uint8) for count in (100, given.items)]
    labels = [rng.random((len(each), CLASSES)) < 0.1 for each in codes]
    taken, counts = [], []
    for place in (None, str(device)):
        started = time.perf_counter()
        own = retrieval.count_levels(*codes, *labels, bits=given.bits, device=place)
        counts.append((own.items, own.relevant))
        taken.append(time.perf_counter() - started)
    same = all(np.array_equal(one, other) for one, other in zip(*counts, strict=True))
    images = noise(given.images, given.image_size).query.images[np.arange(given.images)]
    there = HashModel.build(given.backbone, bits=given.bits, seed=0)
    goal = Goal(codes=rng.integers(256, size=(given.images, given.bits // 8), dtype=np.uint8))
    attacked = []
    for name, settings in ATTACKED.items():
        results = []
        for where in (torch.device("cpu"), device):
            model, started = there.to(where), time.perf_counter()
            pictures = torch.from_numpy(images).to(where) / 255
            made = ATTACKS[name](**settings).run(model, pictures, goal, generator=torch_generator(0, name))
            results.append(
                (made.images.cpu().numpy(), model.codes(made.images), time.perf_counter() - started)
            )
        bits = np.unpackbits(results[0][1] ^ results[1][1], axis=1).sum(axis=1)
        attacked.append(
            {
                "attack": name,
                "equal": float((bits == 0).mean()),
                "bits": float(bits.mean()),
                "linf": float(np.abs(results[0][0] - results[1][0]).max()),
                "seconds": [result[2] for result in results],
            }
        )
    return {"counts_equal": same, "count_seconds": taken, "attacked": attacked}


def noise(count: int, size: int) -> RetrievalData:
    """Return data of random pixels: a step takes as long as on photographs."""
    rng = numpy_generator(0, "gpu noise")
    images = ImageRows(rng.integers(256, size=(count, 3, size, size), dtype=np.uint8))
    labels = np.eye(CLASSES, dtype=np.uint8)[np.arange(count) % CLASSES]
    split = Split(images, labels, tuple(map(str, range(count))))
    return RetrievalData("noise", tuple(f"class {name}" for name in range(CLASSES)), split, split, split)


def speed(given: argparse.Namespace, device: torch.device, precision: str) -> dict[str, Any]:
    """Time ProS-GAN's training loop as published (three losses, the discriminator in every third step)."""
    exact(tf32=precision == "TF32")
    settings = ProSGANSettings(
        epochs=1,
        batch_size=given.batch,
        width=given.width,
        discriminator_width=given.width,
        hamming=5.0,
        precision="bfloat16" if precision == "bfloat16" else "float32",
    )
    torch.manual_seed(0)
    model = HashModel.build(given.backbone, bits=given.bits, seed=0).to(device)
    generator = Generator(given.image_size, width=given.width, semantic_width=SEMANTICS).to(device)
    judge = Discriminator(given.image_size, outputs=CLASSES + 1, width=given.width).to(device)
    draw = torch.compile(generator) if precision == "compiled" else generator
    semantics = torch.randn(CLASSES, SEMANTICS, device=device)

    def draw_images(images: torch.Tensor, drawn: np.ndarray, model: HashModel) -> Drawn:
        with settings.passes(device):
            return Drawn(draw(images, semantics[drawn]))

    pupil = Pupil(
        name="ProS-GAN",
        generator=generator,
        critic=Critic(
            discriminator=judge,
            weight=settings.adversarial,
            every=settings.discriminator_every,
            class_outputs=settings.class_outputs,
        ),
        targets=torch.eye(CLASSES, device=device),
        goals=torch.randn(CLASSES, given.bits, device=device).sign(),
        draw=draw_images,
        identity=(),
    )
    taken = 0.0
    for steps in (3, given.steps):  # the first compiles, and finds the fastest ways
        data, started = noise(steps * given.batch, given.image_size), time.perf_counter()
        teach(pupil, model, data, settings, seed=0)
        generator.requires_grad_(True).train()
        taken = time.perf_counter() - started  # the loop reads its losses, so nothing is under way any more
    memory = torch.cuda.max_memory_allocated(device) / MEBIBYTE if device.type == "cuda" else None
    return {"images_a_second": given.steps * given.batch / taken, "memory_mebibytes": memory}


def commands(given: argparse.Namespace) -> list[list[str]]:
    """Return the commands of the schedule, each of which goes on where it was; the last one is quick."""
    data = ["--data", given.data, "--image-size", str(given.train_image_size), "--device", given.device]
    data += [part for option in given.data_option for part in ("--data-option", option)]
    own = [part for setting in given.set for part in ("--set", setting)]
    model, attack = str(given.out / "hash-model"), str(given.out / "pros-gan")
    rows = [
        "--attack",
        "ProS-GAN:epsilon=none",
        "--attack",
        "ProS-GAN:epsilon=8/255",
        "--attack",
        "DHTA:steps=100",
    ]
    return [
        [
            *("train-hash", *data, "--backbone", given.backbone, "--bits", str(given.bits)),
            *("--out", model),
        ],
        ["train-attack", "ProS-GAN", *data, "--model", model, "--scale", given.scale, *own, "--out", attack],
        [
            *("evaluate", *data, "--model", model, "--trained", attack, *rows, "--gallery", "0"),
            *("--out", str(given.out / "evaluation")),
        ],
    ]


def piece(given: Sequence[Sequence[str]], seconds: float, log: Path) -> dict[str, Any]:
    """Run hashprobe's commands one after another for so long; the one that is stopped then goes on in the next piece.

    Args:
        given: Their arguments.
        seconds: Of all together.
        log: Where what they print is added.

    Returns:
        How many have finished, and the seconds.
    """
    started, finished = time.monotonic(), 0
    with log.open("a", encoding="utf-8") as file:
        for command in given:
            left = seconds - (time.monotonic() - started)
            if left <= 0:
                break
            try:
                subprocess.run(
                    [*PROGRAM, *command],
                    stdout=file,
                    stderr=subprocess.STDOUT,
                    timeout=left,
                    check=True,
                )
            except subprocess.TimeoutExpired:
                break
            finished += 1
    return {"finished": finished, "of": len(given), "seconds": round(time.monotonic() - started, 1)}


def page(
    given: argparse.Namespace,
    device: torch.device,
    found: dict[str, Any],
    speeds: dict[str, dict[str, Any]],
) -> str:
    """Return the page."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)
    lines = [
        "# On a GPU",
        "",
        f"`python benchmarks/gpu.py` on {name}, "
        + ", ".join(f"{k} {v}" for k, v in versions().items())
        + ".",
        "",
        "## What is equal",
        "",
        f"Counts of 100 queries over {given.items:,} codes of {given.bits} bits are "
        f"{'equal to the bit' if found['counts_equal'] else '**not equal**'} "
        f"({found['count_seconds'][0]:.3f} s on the CPU, {found['count_seconds'][1]:.3f} s there, the first call).",
        f"Codes of {given.images} attacked images of {given.image_size}×{given.image_size} (noise; {given.backbone}, float32):",
        "",
        "| attack | equal codes | bits that differ | largest difference of a pixel | CPU, s | there, s |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for one in found["attacked"]:
        cpu, there = one["seconds"]
        lines.append(
            f"| {one['attack']} | {one['equal']:.1%} | {one['bits']:.3f} | {one['linf']:.4f} | {cpu:.1f} | {there:.1f} |"
        )
    lines += [
        "",
        "## A training step",
        "",
        f"ProS-GAN, width {given.width}, {given.steps} steps of {given.batch} images of {given.image_size}×{given.image_size}.",
        "",
        "| computed in | images a second | most memory, MiB |",
        "| --- | ---: | ---: |",
    ]
    for precision, one in speeds.items():
        memory = one["memory_mebibytes"]
        lines.append(
            f"| {precision} | {one['images_a_second']:.1f} | {'–' if memory is None else f'{memory:,.0f}'} |"
        )
    pieces = given.out / "pieces.json"
    if pieces.exists():
        lines += ["", "## The schedule", "", *_schedule(given, read_json(pieces))]
    return "\n".join(lines) + "\n"


def _schedule(given: argparse.Namespace, pieces: list[dict[str, Any]]) -> list[str]:
    seconds = sum(one["seconds"] for one in pieces)
    lines = [
        f"Settings {' '.join([given.scale, *given.set])} at {given.train_image_size}×{given.train_image_size}: {len(pieces)} "
        f"pieces, {seconds / 60:.1f} minutes; {pieces[-1]['finished']} of {pieces[-1]['of']} commands have finished.",
        "",
    ]
    checkpoint = given.out / "pros-gan" / "checkpoint.safetensors"
    if checkpoint.exists():
        with safe_open(str(checkpoint), "pt") as file:
            lines += [f"The generator is under way: {file.metadata()['facts'][:40]} …", ""]
    rows = given.out / "evaluation" / "results.jsonl"
    if rows.exists():
        lines += ["| protocol | row | score | RMS |", "| --- | --- | ---: | ---: |"]
        for row in read_json_lines(rows):
            rms = "–" if row["rms"] is None else f"{row['rms']:.4f}"
            lines.append(
                f"| {row['protocol'] or '–'} | {row['row']} | {row['t_map'] or row['map']:.3f} | {rms} |"
            )
    return lines


if __name__ == "__main__":
    main()
