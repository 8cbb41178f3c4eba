"""Training state in one safetensors file: modules, optimizers, tensors and facts; written whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from hashprobe.bounds import check_readable
from hashprobe.errors import HashprobeError
from hashprobe.main_process import is_main
from hashprobe.processes import processes
from hashprobe.weights import write_tensors

FORMAT = "hashprobe.checkpoint/1"


@dataclass(frozen=True)
class Checkpoint:
    """What a training needs to go on as if it had never stopped.

    Attributes:
        path: The file.
        identity: Fingerprint of the training (settings, data, model); a file of another one is refused.
        modules: Modules by name; their parameters and buffers are saved and restored.
        optimizers: Optimizers by name.
        tensors: Further tensors by name, restored in place.
    """

    path: Path
    identity: str
    modules: Mapping[str, nn.Module]
    optimizers: Mapping[str, torch.optim.Optimizer]
    tensors: Mapping[str, torch.Tensor] = field(default_factory=dict)

    def save(self, facts: Mapping[str, Any]) -> None:
        """Write the state together with ``facts`` (anything JSON holds); of several processes the main one writes."""
        if not is_main():
            return
        tensors = {f"tensor/{name}": tensor for name, tensor in self.tensors.items()}
        for name, module in self.modules.items():
            tensors |= {f"module/{name}/{key}": value for key, value in module.state_dict().items()}
        for name, optimizer in self.optimizers.items():
            for index, entries in optimizer.state_dict()["state"].items():
                tensors |= {
                    f"optimizer/{name}/{index}/{key}": torch.as_tensor(value)
                    for key, value in entries.items()
                }
        metadata = {"format": FORMAT, "identity": self.identity, "facts": json.dumps(dict(facts))}
        write_tensors(tensors, self.path, metadata)

    def restore(self) -> dict[str, Any] | None:
        """Load the state into the modules, optimizers and tensors; return the facts, or ``None`` if there is no file.

        Of several processes the main one reads the file and sends it to the others.

        Raises:
            HashprobeError: the file is damaged, or belongs to another training.
        """
        read = processes().from_main(self._read)
        if read is None:
            return None
        saved, facts = read
        for name, module in self.modules.items():
            module.load_state_dict(_below(saved, f"module/{name}/"))
        for name, optimizer in self.optimizers.items():
            _restore_optimizer(optimizer, _below(saved, f"optimizer/{name}/"))
        for name, tensor in self.tensors.items():
            tensor.copy_(saved[f"tensor/{name}"])
        return facts

    def _read(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]] | None:
        if not self.path.exists():
            return None
        try:
            check_readable(self.path, None)
            with safe_open(self.path, framework="pt") as file:
                metadata = file.metadata() or {}
                saved = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        except (SafetensorError, OSError) as error:
            raise HashprobeError(
                f"{self.path} is damaged ({error}); delete it to train from the start."
            ) from None
        if metadata.get("format") != FORMAT:
            raise HashprobeError(
                f"{self.path} is not a training checkpoint; delete it to train from the start."
            )
        if metadata["identity"] != self.identity:
            raise HashprobeError(
                f"{self.path} belongs to a training with other settings, data or model; choose another output folder."
            )
        return saved, json.loads(metadata["facts"])


def _below(tensors: Mapping[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}


def _restore_optimizer(optimizer: torch.optim.Optimizer, saved: Mapping[str, torch.Tensor]) -> None:
    state: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in saved.items():
        index, name = key.split("/", 1)
        state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
