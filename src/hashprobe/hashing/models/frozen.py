"""A context in which a model is only looked at: parameters frozen, eval mode, and both restored after."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from torch import nn

M = TypeVar("M", bound=nn.Module)


@contextmanager
def frozen(model: M) -> Iterator[M]:
    """Put ``model`` in eval mode with frozen parameters inside the block, and restore every module and parameter.

    With frozen parameters a gradient with respect to the image costs no gradient with respect to the weights.
    """
    modes = [(module, module.training) for module in model.modules()]
    wanted = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    model.eval()
    try:
        for parameter, _ in wanted:
            parameter.requires_grad_(False)
        yield model
    finally:
        for module, training in modes:
            module.training = training
        for parameter, requires_grad in wanted:
            parameter.requires_grad_(requires_grad)
