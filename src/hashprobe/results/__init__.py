"""What an experiment leaves: the result row, checked when it is read. It brings no torch."""

from hashprobe.results.rows import (
    L2,
    LINF,
    NO_CHANGE,
    NO_PICTURE,
    SCAN,
    TARGETED,
    UNBOUNDED,
    UNTARGETED,
    ResultRow,
    epsilon_text,
)

__all__ = [
    "L2",
    "LINF",
    "NO_CHANGE",
    "NO_PICTURE",
    "SCAN",
    "TARGETED",
    "UNBOUNDED",
    "UNTARGETED",
    "ResultRow",
    "epsilon_text",
]
