"""Damages files that hashprobe reads with fresh seeds, for some minutes, and prints cases and findings; or kills commands.

The same drawing as in ``tests/faults``, which draws a fixed number of cases. A finding is an answer that is neither a right
result nor one sentence, or a file that was changed.

With ``--kills``, small commands are killed, and meet a full disk, at every single touch of the disk. With ``--memory``, commands
meet what would take all memory or never end, each in a process of its own, whose memory at its peak is printed.

Example: python benchmarks/faults.py --minutes 10
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1] / "tests"
for room in (".", "faults", "data", "report", "experiments"):
    sys.path.insert(0, str(TESTS / room))

import fuzzing  # noqa: E402
import killing  # noqa: E402
import large  # noqa: E402
import walks  # noqa: E402
from hypothesis import HealthCheck, given, seed, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from hashprobe.errors import HashprobeError  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=None, help="first seed; the time of day if not given")
    parser.add_argument(
        "--kills", action="store_true", help="kill at every place, in place of damaging files"
    )
    parser.add_argument("--memory", action="store_true", help="measure memory on large files, likewise")
    given_options = parser.parse_args()
    if given_options.kills:
        return kill_everywhere()
    if given_options.memory:
        return measure_memory()
    first = int(time.time()) if given_options.seed is None else given_options.seed
    cases, findings = Counter[str](), dict[tuple[str, str], str]()
    end = time.monotonic() + 60 * given_options.minutes
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "read"
        targets = fuzzing.files_that_are_read(root)
        turn = first
        while time.monotonic() < end:
            for target in targets:
                walk(target, turn, root, cases, findings, end)
            turn += 1
    for name, count in cases.items():
        print(f"{count:8,}  {name}")
    print(f"{cases.total():8,} cases, seeds {first} to {turn - 1}, {len(findings)} findings")
    for (name, problem), example in findings.items():
        print(f"{name}: {problem}\n    {example}")
    return 1 if findings else 0


def kill_everywhere() -> int:
    """Kill small commands, and fill the disk, at every place; print places and findings."""
    findings = []
    for walk in (walks.evaluation, walks.recipe):
        with tempfile.TemporaryDirectory() as folder:
            places, rows = killing.places_of(walk, Path(folder) / "whole")
            for place in range(places):
                killed, full = Path(folder) / f"killed-{place}", Path(folder) / f"full-{place}"
                findings.append(killing.fault_of_kill(walk, killed, place, rows))
                findings.append(killing.fault_of_full_disk(walk, full, place, rows, HashprobeError))
        print(f"{walk.__name__}: {places} places")
    found = [finding for finding in findings if finding]
    print(f"{len(findings)} cases, {len(found)} findings", *found, sep="\n")
    return 1 if found else 0


REFUSED = """
import sys
from hashprobe.cli import main
try:
    main()
finally:
    peak = int(open("/proc/self/status").read().partition("VmHWM:")[2].split()[0])
    print(f"peak {peak // 1024}", file=sys.stderr)
"""
MOST_MEBIBYTES = 1024


def measure_memory() -> int:
    """Run each command of ``tests/faults/large.py``; print a table of what it said and its memory at its peak."""
    failed = 0
    print("| What comes in | Peak | What is said |", "| --- | --- | --- |", sep="\n")
    for name, (make, expected) in large.CASES.items():
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-c", REFUSED, *make(Path(folder))]
            try:
                ended = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
            except subprocess.TimeoutExpired:
                print(f"| {name} | never ended | |")
                failed += 1
                continue
            *said, peak = ended.stderr.strip().split("\n")
            sentence = " ".join(said).replace(folder, "…").removeprefix("hashprobe: ")
            mebibytes = int(peak.split()[1])
            print(f"| {name} | {mebibytes} MiB | {sentence} |", flush=True)
            right = ended.returncode == 2 and len(said) == 1 and expected in sentence
            failed += not (right and mebibytes < MOST_MEBIBYTES)
    print(f"\n{len(large.CASES)} cases, {failed} findings")
    return 1 if failed else 0


def walk(
    target: fuzzing.Read,
    turn: int,
    root: Path,
    cases: Counter[str],
    findings: dict[tuple[str, str], str],
    end: float,
) -> None:
    """Damage one file in a hundred ways; a kind of finding is kept once."""
    whole = target.path.read_bytes()

    @seed(turn)
    @settings(max_examples=100, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def check(data: st.DataObject) -> None:
        replacement = data.draw(fuzzing.damaged(whole, target.path.suffix))
        if time.monotonic() > end:
            return
        cases[target.name] += 1
        if problem := fuzzing.fault_of(target, replacement, root):
            said = "a folder" if replacement is None else repr(replacement[:20_000])
            findings.setdefault((target.name, problem.partition(":")[0]), f"{problem}\n    {said[:2000]}")

    check()


if __name__ == "__main__":
    sys.exit(main())
