"""Libraries of attacks on classifiers: imported when used, their draws seeded and kept apart, their arguments checked."""

from __future__ import annotations

import inspect
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from hashprobe.errors import HashprobeError, shortened
from hashprobe.extras import package


def library(name: str) -> Any:
    """Import a library.

    Raises:
        HashprobeError: it cannot be imported.
    """
    return package(name, "interop")


@contextmanager
def seeded(generator: torch.Generator, device: torch.device) -> Iterator[None]:
    """Seed what libraries draw from, torch's, numpy's and Python's global generators, and leave them as they were."""
    seed = int(torch.randint(2**31, (), generator=generator))
    python, arrays = random.getstate(), np.random.get_state()  # noqa: NPY002
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        random.seed(seed)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(arrays)  # noqa: NPY002


@contextmanager
def said(attack: str) -> Iterator[None]:
    """Say in one sentence that a library refuses to do something."""
    try:
        yield
    except HashprobeError:
        raise
    except (AssertionError, IndexError, NotImplementedError, TypeError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise HashprobeError(f"{attack} cannot attack this: {reason}.") from error


def parameters(kind: type) -> Mapping[str, inspect.Parameter]:
    """Return what the constructor of a library's attack takes by name, apart from the model."""
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    taken = inspect.signature(kind).parameters
    return {name: own for name, own in taken.items() if name != "model" and own.kind in named}


def check_arguments(attack: str, given: Mapping[str, Any], taken: Mapping[str, inspect.Parameter]) -> None:
    """Say that an argument is not one of a library's attack, or is missing.

    Raises:
        HashprobeError: it is.
    """
    for name, value in given.items():
        if name not in taken:
            raise HashprobeError(
                f"{attack} has no argument {name!r} ({shortened(value)} is given); it takes {', '.join(taken) or 'none'}."
            )
    needed = [name for name, own in taken.items() if own.default is inspect.Parameter.empty]
    if missing := sorted(set(needed) - set(given)):
        raise HashprobeError(f"{attack} needs the argument {missing[0]!r}; give it in arguments.")
