"""How long the command line takes to start: ``hashprobe --help`` against the import of typer and rich alone.

python benchmarks/start_up.py
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import time

COMMANDS = {
    "import typer, rich": ["-c", "import typer, rich"],
    "hashprobe --help": ["-m", "hashprobe", "--help"],
    "hashprobe evaluate --help": ["-m", "hashprobe", "evaluate", "--help"],
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=15)
    repeats = parser.parse_args().repeats
    taken: dict[str, list[tuple[float, float]]] = {title: [] for title in COMMANDS}
    for _ in range(repeats + 1):
        for title, command in COMMANDS.items():  # in turn, so that a busy machine slows both
            taken[title].append(seconds(command))
    medians = {
        title: [statistics.median(times) for times in zip(*runs[1:], strict=True)]  # the first fills caches
        for title, runs in taken.items()
    }
    least = medians["import typer, rich"]
    for title, (wall, processor) in medians.items():
        print(
            f"{title}: {1000 * wall:.0f} ms (median), {wall / least[0]:.1f} times the import's; "
            f"processor time {1000 * processor:.0f} ms, {processor / least[1]:.1f} times"
        )


def seconds(command: list[str]) -> tuple[float, float]:
    """Return the time that a Python process takes, and its processor time."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, *command], stdout=subprocess.DEVNULL, check=True)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
