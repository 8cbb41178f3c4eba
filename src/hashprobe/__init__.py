"""hashprobe: train deep-hashing image retrieval, attack it, and say in numbers and pictures how robust it is."""

from hashprobe._version import __version__

__all__ = ["__version__"]
