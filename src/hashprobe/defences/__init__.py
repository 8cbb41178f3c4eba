"""Defences of hash models: what is done to every batch of a training so that attacks move fewer bits. One file a defence."""

from hashprobe.defences.base import DEFENCES, Defence, make_defence

__all__ = ["DEFENCES", "Defence", "make_defence"]
