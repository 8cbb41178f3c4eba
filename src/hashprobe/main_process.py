"""Which of several processes prints and writes. It asks the environment alone, so that everything may ask it."""

from __future__ import annotations

import os


def is_main() -> bool:
    """Whether this process is the one that prints and writes: the only one, or the first of those started together.

    ``torchrun`` and ``accelerate launch`` number them; see :mod:`hashprobe.processes`.
    """
    return int(os.environ.get("RANK", "0")) == 0
