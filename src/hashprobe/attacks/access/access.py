"""What an attack may see of the attacked search."""

from __future__ import annotations

from enum import Enum


class Access(Enum):
    """What an attack needs; it gets that and nothing more.

    ``NOTHING``: not even an answer. ``RANKING``: the items that an image retrieves, nearest first. ``CODES``: the code of an
    image. ``GRADIENTS``: the network itself, with gradients (white box).
    """

    NOTHING = "nothing"
    RANKING = "ranking"
    CODES = "codes"
    GRADIENTS = "gradients"
