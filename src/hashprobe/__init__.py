"""hashprobe: train deep-hashing image retrieval, attack it, and say in numbers and pictures how robust it is.

A room is imported when it is first used: ``hashprobe.retrieval`` alone brings no torch.

Example:
    >>> import hashprobe as hp
    >>> model = hp.HashModel.build("efficientnet_lite0", bits=32)
    >>> model.bits
    32
"""

from importlib import import_module
from typing import TYPE_CHECKING

from hashprobe._version import __version__

__all__ = [
    "HashModel",
    "__version__",
    "attacks",
    "auditing",
    "data",
    "defences",
    "evaluate",
    "evaluation",
    "experiments",
    "hashing",
    "report",
    "results",
    "retrieval",
    "targets",
    "trained",
]

if TYPE_CHECKING:
    from hashprobe import (
        attacks,
        auditing,
        data,
        defences,
        evaluation,
        experiments,
        hashing,
        report,
        results,
        retrieval,
        targets,
        trained,
    )
    from hashprobe.experiments import evaluate
    from hashprobe.hashing import HashModel
else:

    def __getattr__(name):
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        if name in ("HashModel", "evaluate"):
            return getattr(
                import_module(f"hashprobe.{'hashing' if name == 'HashModel' else 'experiments'}"), name
            )
        return import_module(f"hashprobe.{name}")

    def __dir__():
        return sorted({*globals(), *__all__})
