"""What ``test_processes.py`` lets one process do, and two together: trainings and attacks, with their results in a folder.

Started by torchrun with the folder as its argument. The sizes leave batches that two processes cannot halve.
"""

from __future__ import annotations

import functools
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from hashprobe.attacks import IFGSM, Noise
from hashprobe.attacks.prosgan import ProSGANSettings, train_generator
from hashprobe.attacks.teaching import loop
from hashprobe.evaluation import Attacked, CellSpec, Evaluator, attack_pictures
from hashprobe.files import write_json
from hashprobe.hashing import Batch, HashModel, HashTrainingSettings, frozen, train_hash_model
from hashprobe.main_process import is_main
from hashprobe.processes import Processes, processes
from hashprobe.targets import Goal, PrototypeNet
from helpers import Interrupted, conv_model, interrupt_after, linear_model, random_codes, tiny_data

BITS = 12
CPU = torch.device("cpu")
HASH_TRAININGS = {
    loss: HashTrainingSettings(
        loss=loss,
        loss_settings=settings,
        epochs=2,
        batch_size=5,
        learning_rate=0.05,
        augment=True,
        start="labels",
    )
    for loss, settings in (("dpsh", {"eta": 1.0}), ("hashnet", {}))
}
HASH_TRAININGS["defended"] = HASH_TRAININGS["dpsh"]
GENERATOR = ProSGANSettings(
    width=8,
    discriminator_width=2,
    discriminator_every=2,
    epochs=2,
    batch_size=5,
    reconstruction=1.0,
    diversity=0.5,
)
STEPS_BEFORE_A_KILL = {
    "hash": 4,
    "generator": 6,
}  # of all optimizers: an epoch of 3 steps and what follows it


def plain_model(*, seed: int) -> HashModel:
    """A hash model without batch normalisation and dropout."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = nn.Sequential()
        convolution = nn.Conv2d(3, 8, kernel_size=5, stride=4, padding=2)
        network.add_module(
            "backbone", nn.Sequential(convolution, nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten())
        )
        network.add_module("hash_layer", nn.Linear(32, BITS))
    return HashModel(network, bits=BITS, mean=(0.5,) * 3, std=(0.25,) * 3)


def shaken(batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """A defence in small: noise and a step along the gradient, of this process's images, and an added loss of all."""
    noise = torch.rand(len(batch.rows), *batch.images.shape[1:], generator=batch.generator)[batch.share.rows]
    moved = (0.9 * batch.images + 0.1 * noise).requires_grad_()
    with frozen(batch.model) as model:
        (gradient,) = torch.autograd.grad(model.logits(moved).square().sum(), moved)
    relaxed = batch.relaxed(batch.images)
    return relaxed, (batch.relaxed((moved.detach() + gradient).clamp(0, 1)) - relaxed).square().mean()


def hash_training(loss: str, checkpoint: Path | None = None) -> tuple[HashModel, list[dict[str, float]]]:
    """Train a plain model; only the main process starts from the weights that count."""
    model = plain_model(seed=processes(CPU).index)
    hook = shaken if loss == "defended" else None
    records = train_hash_model(
        model, tiny_data(train=13), HASH_TRAININGS[loss], seed=3, hook=hook, checkpoint=checkpoint
    )
    return model, records


def generator_training(checkpoint: Path | None = None) -> tuple[nn.Module, list[dict[str, float]]]:
    """Train a generator against a small model, all of it smooth: where a ReLU has a corner, or Adam makes a whole step of a
    gradient that is rounding alone, the order of a sum could decide.
    """
    with torch.random.fork_rng(devices=[]), pytest.MonkeyPatch.context() as patch:
        for corner in ("ReLU", "LeakyReLU"):
            patch.setattr(nn, corner, lambda *_, **__: nn.Softplus())
        adam = functools.partialmethod(torch.optim.Adam.__init__, eps=1e-5)
        patch.setattr(torch.optim.Adam, "__init__", adam)
        torch.manual_seed(0)
        prototypes = PrototypeNet(3, BITS, hidden=16)
        return train_generator(
            conv_model(BITS), tiny_data(train=11), prototypes, GENERATOR, seed=1, checkpoint=checkpoint
        )


def write_trainings(folder: Path) -> None:
    """Train whole, and write weights and logs."""
    trained = {loss: hash_training(loss) for loss in HASH_TRAININGS} | {"generator": generator_training()}
    for name, (network, records) in trained.items():
        if is_main():
            save_file(network.state_dict(), folder / f"{name}.safetensors")
            write_json(folder / f"{name}.json", records)


def kill_trainings(folder: Path) -> None:
    """Train until an optimizer's step raises; what is left are checkpoints."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "SECONDS_BETWEEN_CHECKPOINTS", -1.0)
        patch.setattr(loop, "LOG_EVERY", 2)
        interrupt_after(patch, torch.optim.SGD, STEPS_BEFORE_A_KILL["hash"])
        interrupt_after(patch, torch.optim.Adam, STEPS_BEFORE_A_KILL["generator"])
        with pytest.raises(Interrupted):
            hash_training("dpsh", folder / "dpsh.checkpoint")
        with pytest.raises(Interrupted):
            generator_training(folder / "generator.checkpoint")


def resume_trainings(folder: Path) -> None:
    """Go on from the checkpoints of :func:`kill_trainings`, and write the weights."""
    trained = {
        "dpsh": hash_training("dpsh", folder / "dpsh.checkpoint")[0],
        "generator": generator_training(folder / "generator.checkpoint")[0],
    }
    for name, network in trained.items():
        if is_main():
            save_file(network.state_dict(), folder / f"{name}-resumed.safetensors")


def write_attacks(folder: Path, together: Processes) -> None:
    """Attack with everything that an attack's result is made of; each process writes what it has."""
    data, model = tiny_data(queries=11), conv_model(BITS)
    evaluator = Evaluator(model, data, seed=0)
    goal, keep = Goal(codes=random_codes(11, BITS)), np.array([9, 2])
    arrays = {"database": evaluator.database_codes}
    for attack in (IFGSM(steps=2), Noise()):
        found = evaluator.attack(attack, goal, batch_size=3, keep=keep, others=[linear_model(9)])
        arrays |= {f"{type(attack).__name__}-{name}": value for name, value in _arrays(found).items()}
    spec = CellSpec(attack="I-FGSM", settings={"steps": 2})
    for place, picture in enumerate(
        attack_pictures(evaluator, data.query.images[:3], spec, data.query.labels[0])
    ):
        numbers = (picture.linf, picture.rms, picture.hits_before, picture.hits, *picture.nearest)
        arrays |= {f"picture-{place}": picture.adversarial, f"numbers-{place}": np.array(numbers)}
    np.savez(folder / f"attacks-{together.index}.npz", **arrays)


def _arrays(found: Attacked) -> dict[str, np.ndarray]:
    assert found.seconds > 0
    ((elsewhere, elsewhere_uint8),) = found.transferred
    return {
        "codes": found.codes, "codes_uint8": found.codes_uint8, "elsewhere": elsewhere, "elsewhere_uint8": elsewhere_uint8,
        "kept": found.kept, "sizes": np.array([found.linf, found.rms]),
        "cost": np.stack([found.cost.forward, found.cost.backward, found.cost.questions]),
    }  # fmt: skip


def main(folder: Path) -> None:
    """Do all of it; processes that were started together also say whether they end with the same batch normalisation."""
    torch.set_num_threads(1)
    together = processes(CPU)
    write_trainings(folder)
    write_attacks(folder, together)
    model = conv_model(BITS)  # its batch normalisation sees each process's own images
    train_hash_model(model, tiny_data(train=13), HASH_TRAININGS["dpsh"], seed=0)
    fingerprints = together.in_order([model.sha256()])
    resume_trainings(folder)  # killed by one process
    (folder / "killed").mkdir(exist_ok=True)
    kill_trainings(folder / "killed")  # one process goes on
    if is_main():
        write_json(folder / "processes.json", {"count": together.count, "fingerprints": fingerprints})
    together.disband()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
