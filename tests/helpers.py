"""Small models and data that several test files share; everything is made from a seed, in memory."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import BaseModel
from torch import nn

from hashprobe.data import ImageRows, RetrievalData, Split
from hashprobe.hashing import HashModel
from hashprobe.seeds import torch_generator
from hashprobe.trained import TRAINED, Trained, TrainingRun, train_with_required

SIZE = 32
TINY = {"epochs": 1, "steps": 3, "batch_size": 4, "width": 8, "discriminator_width": 2, "hidden": 16}
"""What makes a training tiny, where it has such a setting."""


class Interrupted(Exception):
    """Stands for a kill in the middle of a training."""


def launch(*program: object) -> subprocess.CompletedProcess[str]:
    """Start two processes with torchrun on this machine and wait for them."""
    torchrun = ["-m", "torch.distributed.run", "--nproc-per-node=2", "--standalone"]
    return subprocess.run(
        [sys.executable, *torchrun, *map(str, program)],
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


def interrupt_after(
    monkeypatch: pytest.MonkeyPatch, optimizer: type[torch.optim.Optimizer], steps: int
) -> None:
    """Make a class of optimizers raise in place of step ``steps + 1``, counted over all its instances, not its subclasses'."""
    original: Callable[..., Any] = optimizer.step
    done = 0

    def step(self: torch.optim.Optimizer, closure: Any = None) -> Any:
        nonlocal done
        if type(self) is optimizer:
            if done == steps:
                raise Interrupted
            done += 1
        return original(self, closure)

    # Else torch wraps the step of each subclass, which nothing would undo.
    step.hooked = True  # type: ignore[attr-defined]
    monkeypatch.setattr(optimizer, "step", step)


def linear_model(
    bits: int = 12, *, seed: int = 0, size: int = SIZE, std: float = 1.0, scale: float = 1.0
) -> HashModel:
    """A hash model whose outputs z are linear in the image, about ``scale / std`` in size."""
    layer = nn.Linear(3 * size * size, bits, bias=False)
    generator = torch_generator(seed, "weights")
    with torch.no_grad():
        layer.weight.copy_(
            torch.randn(layer.weight.shape, generator=generator) * scale / (3 * size * size) ** 0.5
        )
    return HashModel.wrap(nn.Sequential(nn.Flatten(), layer), bits=bits, mean=(0.5,) * 3, std=(std,) * 3)


def conv_model(bits: int = 12, *, seed: int = 0, dropout: float = 0.0) -> HashModel:
    """A small hash model with a ``backbone`` and a ``hash_layer``, in training mode as modules start."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        backbone = nn.Sequential(
            nn.Conv2d(3, 8, kernel_size=5, stride=4, padding=2),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
        )
        network = nn.Sequential()
        network.add_module("backbone", backbone)
        network.add_module("hash_layer", nn.Linear(32, bits))
    return HashModel(network, bits=bits, mean=(0.5,) * 3, std=(0.25,) * 3)


def random_images(count: int, *, seed: int = 0, size: int = SIZE) -> torch.Tensor:
    """Images in [0, 1], some of whose values lie exactly at either end."""
    images = torch.rand(count, 3, size, size, generator=torch_generator(seed, "images")) * 1.2 - 0.1
    return images.clamp(0, 1)


def random_codes(count: int, bits: int, *, seed: int = 0) -> np.ndarray:
    """Packed codes."""
    return np.packbits(np.random.default_rng(seed).random((count, bits)) < 0.5, axis=1)


def tiny_data(
    *, classes: int = 3, train: int = 14, database: int = 20, queries: int = 4, seed: int = 0
) -> RetrievalData:
    """Noise images whose first class tints them red; every image has one or two classes."""
    rng = np.random.default_rng(seed)

    def split(name: str, count: int) -> Split:
        labels = np.eye(classes, dtype=np.uint8)[rng.integers(classes, size=count)]
        labels |= np.eye(classes, dtype=np.uint8)[rng.integers(classes, size=count)]
        images = rng.integers(0, 256, size=(count, 3, SIZE, SIZE), dtype=np.uint8)
        images[labels[:, 0] == 1, 0] = 255
        return Split(ImageRows(images), labels, tuple(f"{name}-{row}" for row in range(count)))

    parts = {
        "query": split("query", queries),
        "database": split("database", database),
        "train": split("train", train),
    }
    return RetrievalData(
        name="tiny", class_names=tuple(f"class {column}" for column in range(classes)), **parts
    )


def tiny_settings(name: str) -> dict[str, BaseModel]:
    """Settings of a trained attack or code, and of what it requires, by name."""
    own, found = TRAINED[name].Settings, dict[str, BaseModel]()
    for needed in TRAINED[name].requires:
        found |= tiny_settings(needed)
    return found | {name: own(**{one: value for one, value in TINY.items() if one in own.model_fields})}


def train_tiny(name: str, folder: Path, *, bits: int = 12) -> Trained:
    """A trained attack or code of ``tiny_data()`` against ``conv_model(bits)``."""
    run = TrainingRun(model=conv_model(bits), data=tiny_data(), seed=0)
    return train_with_required(name, tiny_settings(name), run, folder)


def same_tensors(first: nn.Module, second: nn.Module) -> bool:
    """Whether two modules hold exactly the same tensors."""
    one, other = first.state_dict(), second.state_dict()
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def png_that_declares(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header promises a large picture."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n"
    return start + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
