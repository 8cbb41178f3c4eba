"""hashprobe: train deep-hashing image retrieval, attack it, and say in numbers and pictures how robust it is.

Example:
    >>> import hashprobe as hp
    >>> model = hp.HashModel.build("efficientnet_lite0", bits=32)
    >>> model.bits
    32
"""

from hashprobe import attacks, data, evaluation, hashing, report, retrieval, targets
from hashprobe._version import __version__
from hashprobe.hashing import HashModel

__all__ = [
    "HashModel",
    "__version__",
    "attacks",
    "data",
    "evaluation",
    "hashing",
    "report",
    "retrieval",
    "targets",
]
