"""A run directory made from a seed: soft random pictures, and codes, rows and curves that fit them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from hashprobe import retrieval
from hashprobe.files import write_json, write_json_lines

BITS, SIZE = 32, 32
HOSTILE = (
    "<script>alert(1)</script>",
    '</script><img src=x onerror="alert(1)">',
    'it\'s "quoted" & more',
    "\u202egnp.tac\u202c",
    "חתול",
    "x" * 300,
    "$\\frac{1}{0}$ | `code` \x00 \x1b",
    "<!--",
)
CODES = ("P2P code", "Anchor code", "Prototype code")
ATTACKS: tuple[tuple[str, str, float | None, float], ...] = (
    ("Original", "none", None, 0.50),
    ("Noise", "none", 8 / 255, 0.51),
    ("P2P", "p2p", 8 / 255, 0.66),
    ("DHTA", "anchor", 8 / 255, 0.72),
    ("FGSM", "anchor", 8 / 255, 0.58),
    ("I-FGSM", "anchor", 4 / 255, 0.70),
    ("I-FGSM", "prototype", 8 / 255, 0.79),
    ("ProS-GAN", "prototype", None, 0.76),
    ("ProS-GAN", "prototype", 8 / 255, 0.68),
)

UNTARGETED: tuple[tuple[str, str, float | None, float, dict[str, Any]], ...] = (
    ("Original", "none", None, 0.71, {}),
    ("Noise", "none", 8 / 255, 0.69, {}),
    ("FGSM", "own", 8 / 255, 0.58, {}),
    ("I-FGSM", "own", 4 / 255, 0.41, {}),
    ("I-FGSM", "own", 8 / 255, 0.32, {}),
    ("Asker", "none", 8 / 255, 0.50, {"questions": 1000.0, "forward_passes": 0.0, "backward_passes": 0.0}),
    ("DHTA", "own", 8 / 255, 0.64, {"attacked_model": "b" * 64}),
    ("I-FGSM", "own", 8 / 255, 0.35, {"index": "faiss-ivf", "index_recall": 0.973, "top_k": 100}),
)

Encode = Callable[[np.ndarray], np.ndarray]


def write_run(
    directory: Path,
    *,
    queries: int = 4,
    database: int = 60,
    rows: int = 0,
    protocols: tuple[str, ...] = ("paper", "disjoint"),
    names: tuple[str, ...] = ("dog", "cat", "car", "tree", "boat"),
    untargeted: bool = False,
    encode: Encode | None = None,
    size: int = SIZE,
    seed: int = 0,
) -> Path:
    """Write a whole run directory.

    Args:
        directory: Where.
        queries: Queries in the gallery.
        database: Database pictures.
        rows: Further result rows, of other seeds, for a long table.
        protocols: Target label protocols.
        names: Class names, which also name the files.
        untargeted: Whether rows of untargeted attacks follow, a transfer and another index among them.
        encode: Packed codes of uint8 images ``(n, 3, h, w)``; random projections if not given.
        size: Side of the pictures.
        seed: Of everything.
    """
    rng = np.random.default_rng(seed)
    shown = [_row(spec, protocol, rng) for protocol in protocols for spec in _specs()]
    shown += [untargeted_row(*spec) for spec in UNTARGETED] if untargeted else []
    results = shown + [_grid_row(place, shown[place % len(shown)]) for place in range(rows)]
    write_json_lines(directory / "results.jsonl", results)
    write_json_lines(directory / "curves.jsonl", [_curve(row) for row in results])
    write_json_lines(directory / "queries.jsonl", [_queries(row) for row in shown])
    for name, losses in (("hash-model", ("loss",)), ("prosgan", ("loss", "reconstruction", "hamming"))):
        log = [
            {"step": step, "epoch": step // 50}
            | {loss: float(3 / (1 + step / 40) + 0.2 * rng.random()) for loss in losses}
            for step in range(0, 400, 4)
        ]
        write_json_lines(directory / "training" / f"{name}.jsonl", log)
    _write_gallery(
        directory / "gallery", shown, queries, database, names, encode or projections(size), size, rng
    )
    _write_rest(directory, names, untargeted)
    return directory


def projections(size: int) -> Encode:
    """Signs of random projections of the centred picture."""
    matrix = np.random.default_rng(99).normal(size=(3 * size * size, BITS))

    def encode(images: np.ndarray) -> np.ndarray:
        return retrieval.pack((images.reshape(len(images), -1) / 255 - 0.5) @ matrix)

    return encode


def soft_pictures(count: int, size: int, rng: np.random.Generator) -> np.ndarray:
    """Colour fields without hard edges, uint8 ``(n, 3, size, size)``."""
    coarse = rng.integers(0, 256, size=(count, 4, 4, 3), dtype=np.uint8)
    pictures = [Image.fromarray(one).resize((size, size), Image.Resampling.BICUBIC) for one in coarse]
    return np.stack([np.asarray(one).transpose(2, 0, 1) for one in pictures])


def _specs() -> list[tuple[str, str, float | None, float]]:
    return [
        ATTACKS[0],
        *((code, code.split()[0].lower(), None, 0.74 + 0.03 * i) for i, code in enumerate(CODES)),
        *ATTACKS[1:],
    ]


def _grid_row(place: int, row: dict[str, Any]) -> dict[str, Any]:
    """The row of another model or seed of a grid: twenty models, and as many seeds as it takes."""
    seed, model = divmod(place // 24, 20)
    changed = {"model": f"{model + 1:02x}" * 32, "seed": seed, "row": f"{row['row']}-{model}-{seed}"}
    return {**row, **changed, "t_map": row["t_map"] - 0.001 * (place % 13)}


def _row(
    spec: tuple[str, str, float | None, float], protocol: str, rng: np.random.Generator
) -> dict[str, Any]:
    attack, code, epsilon, t_map = spec
    t_map += {"paper": 0.08, "disjoint": 0.0, "single": -0.4}.get(protocol, 0.0) + 0.01 * float(rng.random())
    changes = not attack.endswith(" code") and attack != "Original"
    size = (epsilon or 0.31) if changes else 0.0
    budget = "unbounded" if epsilon is None else f"{round(255 * epsilon)}of255"
    pictures = not attack.endswith(" code")
    return {
        "row": f"{attack.lower().replace(' ', '-')}-{code}-{budget}-{protocol}",
        "data": "soft pictures",
        "split_sha256": "5" * 64,
        "model": "a" * 64,
        "bits": BITS,
        "attack": attack,
        "attack_settings": f"{attack}(epsilon={epsilon})",
        "goal": "targeted",
        "code": code,
        "protocol": protocol,
        "seed": 0,
        "queries": 256,
        "epsilon": epsilon,
        "map": 0.55 if pictures else None,
        "map_benign": 0.71,
        "map_chance": 0.44,
        "t_map": t_map,
        "t_map_low": t_map - 0.02,
        "t_map_high": t_map + 0.021,
        "chance": {"paper": 0.57, "disjoint": 0.49, "single": 0.11}.get(protocol, 0.5),
        "linf": size if pictures else None,
        "rms": 0.6 * size if pictures else None,
        "t_map_png": t_map - 0.001 if pictures else None,
        "seconds_per_image": 0.002 * (1 + 40 * (attack == "I-FGSM")) if changes else None,
        "forward_passes": (100 if attack == "I-FGSM" else 1) * changes,
        "backward_passes": (100 if attack == "I-FGSM" else 0) * changes,
        "device": "cpu",
        "threads": 2,
        "versions": {"hashprobe": "0", "torch": "2"},
    }


def untargeted_row(
    attack: str, code: str, epsilon: float | None, score: float, further: dict[str, Any]
) -> dict[str, Any]:
    """One row of an untargeted attack."""
    of_t_map = ("protocol", "t_map", "t_map_low", "t_map_high", "chance", "t_map_png")
    row = _row((attack, code, epsilon, 0.5), "untargeted", np.random.default_rng(0))
    name = "-".join([row["row"], *(key for key in further if key in ("attacked_model", "index"))])
    scores = {"map": score, "map_low": score - 0.02, "map_high": score + 0.02, "map_png": score}
    return row | dict.fromkeys(of_t_map) | scores | {"goal": "untargeted", "row": name} | further


def _queries(row: dict[str, Any]) -> dict[str, Any]:
    """What each of some queries scored: some are easy under every attack, some hard."""
    hard = np.random.default_rng(0).uniform(-0.1, 0.1, 24)
    own = np.random.default_rng(len(row["row"])).normal(0, 0.04, 24)
    score = row["map"] if row["t_map"] is None else row["t_map"]
    values = score + (hard - hard.mean()) + (own - own.mean())
    key = {"split_sha256": row["split_sha256"], "queries": "7" * 64, "targets": row["protocol"] or "own"}
    return {"row": row["row"], **key, "ap": values.clip(0, 1).round(6).tolist()}


def _curve(row: dict[str, Any]) -> dict[str, Any]:
    recall = np.linspace(0.0, 1.0, 33)
    score, chance = (row["map"], row["map_chance"]) if row["t_map"] is None else (row["t_map"], row["chance"])
    top = min(1.0, score + 0.12)
    precision = chance + (top - chance) * (1 - recall) ** 0.7
    at = [1, 2, 5, 10, 20, 50]
    return {
        "row": row["row"],
        "recall": recall.tolist(),
        "precision": precision.tolist(),
        "at": at,
        "precision_at": [top - 0.01 * i for i in range(len(at))],
    }


def _write_gallery(
    folder: Path,
    results: list[dict[str, Any]],
    queries: int,
    database: int,
    names: tuple[str, ...],
    encode: Encode,
    size: int,
    rng: np.random.Generator,
) -> None:
    pictures, stored = soft_pictures(queries, size, rng), soft_pictures(database, size, rng)
    labels = [sorted({int(i) for i in rng.integers(len(names), size=2)}) for _ in range(queries + database)]
    for place, image in enumerate(stored):
        _write_png(folder / f"images/d{place}.png", image)
    for place, image in enumerate(pictures):
        _write_png(folder / f"images/q{place}.png", image)
    known, before = encode(stored), encode(pictures)
    entries = []
    for row in [row for row in results if row["attack"] in ("ProS-GAN", "I-FGSM")]:
        change = rng.choice([-1, 1], size=pictures.shape) * round(255 * (row["epsilon"] or 0.1))
        adversarial = np.clip(pictures.astype(int) + change, 0, 255).astype(np.uint8)
        codes = encode(adversarial)
        for query in range(queries):
            image = f"images/{row['row']}-q{query}.png"
            _write_png(folder / image, adversarial[query])
            target = [] if row["goal"] == "untargeted" else [(labels[query][0] + 1) % len(names)]
            found = [
                _returned(code, known, labels[queries:], labels[query], target, names)
                for code in (before[query], codes[query])
            ]
            entries.append(
                {name: row[name] for name in ("row", "attack", "goal", "code", "protocol", "epsilon")}
                | {
                    "query": query,
                    "query_name": f"queries/{names[query % len(names)]}-{query}.jpg",
                    "query_labels": [names[i] for i in labels[query]],
                    "target_labels": [names[i] for i in target],
                    "query_image": f"images/q{query}.png",
                    "adversarial_image": image,
                    "code_hex": codes[query].tobytes().hex(),
                    "target_average_precision_before": 0.3,
                    "target_average_precision": 0.25 if query == 0 else 0.3 + 0.1 * query / queries,
                    "before": found[0],
                    "after": found[1],
                }
            )
    write_json(folder / "gallery.json", {"image_size": size, "entries": entries})


def _returned(
    code: np.ndarray,
    known: np.ndarray,
    labels: list[list[int]],
    own: list[int],
    target: list[int],
    names: tuple[str, ...],
) -> list[dict[str, Any]]:
    distances = np.bitwise_count(known ^ code).sum(axis=1)
    return [
        {
            "name": f"database/{names[place % len(names)]}-{place}.jpg",
            "image": f"images/d{place}.png",
            "distance": int(distances[place]),
            "hit": bool(set(labels[place]) & set(target)),
            "relevant": bool(set(labels[place]) & set(own)),
            "labels": [names[i] for i in labels[place]],
        }
        for place in np.argsort(distances, kind="stable")[:10]
    ]


def _write_rest(directory: Path, names: tuple[str, ...], untargeted: bool) -> None:
    experiment = {
        "recipe": "synthetic",
        "command": "hashprobe quickstart --out runs/quickstart --seed 0",
        "settings": {"image_size": SIZE, "model": {"bits": BITS, "backbone": "linear"}},
        "seed": 0,
        "versions": {"hashprobe": "0", "torch": "2"},
        "threads": 2,
        "device": "cpu",
        "data": {
            "name": "soft pictures",
            "split_sha256": "5" * 64,
            "queries": 256,
            "database": 2000,
            "class_names": list(names),
        },
        "model": {"bits": BITS, "backbone": "linear", "sha256": "a" * 64},
        "seconds": {"data": 3.0, "attacks": 61.5},
    }
    write_json(directory / "experiment.json", experiment)
    findings = [
        {"severity": "warning", "message": f"two pictures of {names[0]} are alike"},
        {"severity": "ok", "message": "no empty split"},
    ]
    write_json(directory / "audit.json", {"findings": findings})
    models = ("dpsh-32", names[-1])
    transfer = [
        {"from": a, "to": b, "t_map": 0.8 if a == b else 0.61, "chance": 0.49, "protocol": "disjoint"}
        for a in models
        for b in models
    ]
    if untargeted:
        transfer += [
            {"from": a, "to": b, "goal": "untargeted", "attack": "I-FGSM", "epsilon": 8 / 255}
            | {"score": score, "map": score, "map_chance": 0.44, "t_map": None, "chance": None}
            for a in models
            for b in models
            for score in [0.32 if a == b else 0.61]
        ]
    write_json_lines(directory / "transfer.jsonl", transfer)


def _write_png(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image.transpose(1, 2, 0)).save(path)
