"""Processes that work on one thing together, as ``torchrun`` and ``accelerate launch`` start them, on CPUs or a GPU each.

All of them make the same calls in the same order, with the same arguments and seeds. What is drawn is drawn for the whole
batch on every process; each then computes its own rows. A process alone takes all rows, and nothing here costs it anything:
no process group is started, and every value stays the same to the bit.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from accelerate import PartialState
from accelerate.utils import broadcast, broadcast_object_list, gather_object, reduce
from torch import nn

from hashprobe.errors import HashprobeError

# How long a process waits for another: the main one decodes data and writes reports alone.
PATIENCE = timedelta(hours=6)

T = TypeVar("T")


class Share(NamedTuple):
    """The rows of a batch that one process computes.

    Attributes:
        rows: Which ones: every n-th, so that sorted rows are spread evenly over the processes.
        weight: Their share of the batch; 0 for a process that repeats the rows of another one because there were too few.
    """

    rows: slice
    weight: float


@dataclass(frozen=True)
class Processes:
    """How many processes there are and which of them this one is; see :func:`processes`.

    Attributes:
        count: How many there are.
        index: This one, from 0, which is the main one.
    """

    count: int = 1
    index: int = 0

    def share(self, total: int, least: int = 1) -> Share:
        """Return this process's rows of a batch.

        Args:
            total: Rows in the batch, at least ``least``.
            least: Rows that a process must have, where it has any of its own.
        """
        sharing = max(1, min(self.count, total // least))
        if self.index >= sharing:
            return Share(slice(0, total, sharing), 0.0)
        rows = slice(self.index, total, sharing)
        return Share(rows, len(range(total)[rows]) / total)

    def batches(self, total: int, size: int) -> list[slice]:
        """Return this process's batches of those into which ``total`` rows are cut: the same ones however many share them."""
        starts = range(0, total, size)[self.index :: self.count]
        return [slice(start, min(start + size, total)) for start in starts]

    def sum(self, tensor: torch.Tensor) -> torch.Tensor:
        """Return the sum of a tensor over all processes, the same to the bit on each; without gradient."""
        if self.count == 1:
            return tensor.detach()
        total: torch.Tensor = reduce(tensor.detach().to(PartialState().device), reduction="sum")
        return total.to(tensor.device)

    def merge(self, *arrays: npt.NDArray[Any]) -> None:
        """Fill arrays with what all computed, in place, where each process computed some rows and left 0 in the others."""
        if self.count > 1:
            for array in arrays:
                np.copyto(array, self.sum(torch.from_numpy(array)).numpy())

    def gather_with_grad(self, outputs: torch.Tensor, share: Share, total: int) -> torch.Tensor:
        """Return the outputs for all rows of a batch: this process's with their gradient, those of the others without.

        A loss of the whole batch then has, on each process, the gradient through that process's rows, and
        :meth:`sum_gradients` makes it that of one process, whatever the loss does with its rows.

        Args:
            outputs: This process's, ``(rows, …)``.
            share: Which rows they are.
            total: Rows in the batch.
        """
        if self.count == 1:
            return outputs
        rows, outputs = (share.rows, outputs) if share.weight else (slice(0), outputs[:0])
        whole = outputs.new_zeros(total, *outputs.shape[1:])
        whole[rows] = outputs.detach()
        whole = self.sum(whole)
        whole[rows] = outputs
        return whole

    def sum_gradients(self, module: nn.Module) -> None:
        """Put the sum over all processes into the gradients of a module's parameters."""
        gradients = [parameter.grad for parameter in module.parameters() if parameter.grad is not None]
        if self.count > 1 and gradients:
            total = self.sum(torch.cat([gradient.flatten() for gradient in gradients]))
            parts = torch.split(total, [gradient.numel() for gradient in gradients])
            for gradient, part in zip(gradients, parts, strict=True):
                gradient.copy_(part.view_as(gradient))

    @torch.no_grad()
    def broadcast_from_main(self, module: nn.Module, *tensors: torch.Tensor) -> None:
        """Make the parameters and buffers of a module, and further tensors, those of the main process, in place."""
        if self.count > 1:
            for tensor in (*module.state_dict().values(), *tensors):
                sent = tensor.detach().clone(memory_format=torch.contiguous_format)
                tensor.copy_(broadcast(sent.to(PartialState().device)))

    def from_main(self, work: Callable[[], T]) -> T:
        """Let the main process do something alone; return on all what it returned, or raise the error that it raised."""
        if self.count == 1:
            return work()
        answer: list[Any] = [None, None]
        if self.index == 0:
            try:
                answer[0] = work()
            except HashprobeError as error:
                answer[1] = error
        broadcast_object_list(answer)
        if answer[1] is not None:
            raise answer[1]
        found: T = answer[0]
        return found

    def main_first(self, work: Callable[[], T]) -> T:
        """Do the same work on every process, on the main one first: what it leaves in a cache, the others find there."""
        done: list[T] = []
        self.from_main(lambda: done.append(work()))
        return done[0] if done else work()

    def in_order(self, results: list[T]) -> list[T]:
        """Return the results of all processes, each of which worked on every n-th item, in the order of the items."""
        if self.count == 1:
            return results
        parts: list[list[T]] = gather_object([results])
        return [parts[item % self.count][item // self.count] for item in range(sum(map(len, parts)))]

    def disband(self) -> None:
        """Wait for all and end the process group; nothing can be computed together after it."""
        if self.count > 1:
            PartialState().wait_for_everyone()
            PartialState().destroy_process_group()


def processes(device: torch.device | None = None) -> Processes:
    """Return the processes that were started together, or this one alone; the first call connects them.

    Args:
        device: Where things are computed: ``cpu`` connects them by gloo, a GPU by NCCL, where each process gets its own GPU
            as the current one. Only the first call's counts; GPUs, where there are any, if it is not given.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return Processes()
    device = device or torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")
    state = PartialState(cpu=device.type == "cpu", timeout=PATIENCE)
    return Processes(state.num_processes, state.process_index)
