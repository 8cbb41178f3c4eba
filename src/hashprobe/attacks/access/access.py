"""What an attack may see of the attacked search."""

from __future__ import annotations

from enum import Enum


class Access(Enum):
    """What an attack needs; it gets that and nothing more.

    ``NOTHING``: not even an answer. ``FOUND``: whether one stored item is found within some bits of an image, yes or no.
    ``RANKING``: the items that an image retrieves, nearest first. ``CODES``: the code of an image. ``GRADIENTS``: the network
    itself, with gradients (white box). Each allows what stands before it, but that a ranking tells no distance and so does not
    say what is found within some bits.
    """

    NOTHING = "nothing"
    FOUND = "found"
    RANKING = "ranking"
    CODES = "codes"
    GRADIENTS = "gradients"

    def allows(self, needed: Access) -> bool:
        """Return whether an attack with this access may ask what another access is needed for."""
        ladder = list(Access)
        if (self, needed) == (Access.RANKING, Access.FOUND):
            return False
        return ladder.index(self) >= ladder.index(needed)
