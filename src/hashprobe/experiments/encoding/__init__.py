"""From a growing list of pictures to a store of their codes: in shards, each made once, by one process or by many."""

from hashprobe.experiments.encoding.encode import Encoded, encode

__all__ = ["Encoded", "encode"]
