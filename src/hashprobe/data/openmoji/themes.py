"""What occurs together: themes of pictures. They make label sets uneven, as in real collections."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Theme:
    """A kind of picture.

    Attributes:
        weight: How often it occurs, relative to the other themes.
        classes: Its classes with their relative frequencies.
        backgrounds: Its backgrounds with their relative frequencies.
    """

    weight: float
    classes: dict[str, float]
    backgrounds: dict[str, float]


THEMES: dict[str, Theme] = {
    "garden": Theme(
        24,
        {"flower": 7, "tree": 5, "insect": 3, "cat": 3, "bird": 3, "person": 3, "sun": 3, "house": 2},
        {"grass": 6, "sky": 2, "noise": 1},
    ),
    "park": Theme(
        20,
        {"person": 8, "dog": 6, "tree": 6, "ball": 3, "bike": 2, "sun": 2, "bird": 2},
        {"grass": 5, "street": 2, "sky": 1},
    ),
    "street": Theme(
        16,
        {"car": 8, "house": 5, "person": 4, "bike": 3, "bus": 3, "tree": 2, "dog": 1},
        {"street": 6, "sky": 1, "night": 1, "noise": 1},
    ),
    "sea": Theme(
        12,
        {"boat": 7, "fish": 6, "bird": 3, "sun": 3, "person": 2},
        {"sea": 6, "beach": 2, "sunset": 1},
    ),
    "table": Theme(
        10,
        {"fruit": 8, "cake": 5, "person": 2, "flower": 2, "cat": 1},
        {"table": 6, "noise": 1},
    ),
    "night": Theme(
        7,
        {"moon": 7, "house": 4, "tree": 3, "cat": 3, "car": 2, "airplane": 1},
        {"night": 7, "sunset": 1},
    ),
    "farm": Theme(
        6,
        {"horse": 7, "dog": 3, "house": 3, "tree": 3, "sun": 2, "bird": 2},
        {"grass": 5, "sunset": 2},
    ),
    "sky": Theme(
        5,
        {"airplane": 6, "bird": 4, "sun": 4, "moon": 1},
        {"sky": 5, "sunset": 2},
    ),
    "railway": Theme(
        4,
        {"train": 8, "house": 2, "tree": 2, "person": 2},
        {"grass": 2, "street": 2, "sky": 1},
    ),
}
