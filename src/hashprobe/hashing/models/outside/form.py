"""What a network in a file takes: its layout and sizes, as the file states them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from hashprobe.errors import HashprobeError

Layout = Literal["nchw", "nhwc"]
PLACES = {"nchw": (1, 2, 3), "nhwc": (3, 1, 2)}
"""Where channels, height and width stand."""


@dataclass(frozen=True)
class InputForm:
    """The input of an image network.

    Attributes:
        layout: In which order it takes its axes.
        batch: How many images it takes at a time; ``None`` for any number.
        size: Height and width; ``None`` for any.
    """

    layout: Layout = "nchw"
    batch: int | None = None
    size: tuple[int, int] | None = None

    @classmethod
    def read(cls, sides: Sequence[int | None], name: str, layout: Layout | None = None) -> InputForm:
        """Read the shape that a file states.

        Args:
            sides: ``None`` for one that may be anything.
            name: Of the file, for the message.
            layout: What its user says of it, where it fits.

        Raises:
            HashprobeError: it takes no images of three channels.
        """
        fitting = [
            own
            for own, (channels, _, _) in PLACES.items()
            if len(sides) == 4 and sides[channels] in (3, None) and layout in (own, None)
        ]
        # A side of three pixels is no reason to take channels for something else: what is stated goes before what is open.
        fitting.sort(key=lambda own: sides[PLACES[own][0]] is None)
        if not fitting:
            shape = ", ".join("any" if side is None else str(side) for side in sides)
            wanted = f" in the layout {layout}" if layout else ""
            raise HashprobeError(
                f"{name} takes an input of shape ({shape}); images{wanted} of three channels are (n, 3, height, width) or "
                "(n, height, width, 3)."
            )
        chosen: Layout = "nchw" if fitting[0] == "nchw" else "nhwc"
        _, height, width = (sides[place] for place in PLACES[chosen])
        size = None if height is None or width is None else (height, width)
        return cls(chosen, sides[0], size)
