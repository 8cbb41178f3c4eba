"""The command line, called in this process, and the small scenes and short trainings of the tests."""

from __future__ import annotations

import sys
from pathlib import Path

from hashprobe.cli import main
from hashprobe.files import read_json_lines
from hashprobe.results import ResultRow

SCENES = [
    "--image-size",
    "32",
    *(part for size in ("queries=6", "database=40", "train=24") for part in ("--data-option", size)),
]
TRAINING = ["--weights", "none", "--set", "epochs=1", "--set", "batch_size=12"]
PROTOTYPE = ["--set", "prototype.steps=2", "--set", "prototype.hidden=32"]
PROSGAN = ["--set", "epochs=1", "--set", "width=8", "--set", "decoder_width=none", *PROTOTYPE]


def call(*arguments: object) -> int:
    """Run the command line in this process and return its exit code."""
    before = sys.argv
    sys.argv = ["hashprobe", *map(str, arguments)]
    try:
        main()
    except SystemExit as stopped:
        return int(stopped.code or 0)
    finally:
        sys.argv = before
    raise AssertionError("main() always exits")


def rows_of(folder: Path) -> list[ResultRow]:
    """The result rows of a folder, checked."""
    return [ResultRow(**row) for row in read_json_lines(folder / "results.jsonl")]


def without_times(rows: list[ResultRow]) -> list[dict[str, object]]:
    """What the same command gives again."""
    return [row.without_times() for row in rows]
