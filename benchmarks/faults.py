"""Damages files, options and arguments with fresh seeds, for some minutes, and prints cases and findings; or kills commands.

The same drawing as in ``tests/faults``, which draws a fixed number of cases: every kind of file that is read, every option of
every verb, every public function. A finding is an answer that is neither a right result nor one sentence, or a file that was
changed.

With ``--kills``, small commands are killed, and meet a full disk, at every single touch of the disk. With ``--memory``, commands
meet what would take all memory or never end, each in a process of its own, whose memory at its peak is printed.

Example: python benchmarks/faults.py --minutes 10
"""

from __future__ import annotations

import argparse
import math
import os
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parents[1] / "tests"
for room in (".", "faults", "data", "report", "experiments", "cli"):
    sys.path.insert(0, str(TESTS / room))

import calls  # noqa: E402
import commands  # noqa: E402
import fuzzing  # noqa: E402
import killing  # noqa: E402
import large  # noqa: E402
import options  # noqa: E402
import walks  # noqa: E402
from hypothesis import HealthCheck, given, seed, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from hashprobe.errors import HashprobeError  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--cases", type=int, default=None, help="go on for so many cases, not for minutes")
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
    end = math.inf if given_options.cases else time.monotonic() + 60 * given_options.minutes
    warnings.simplefilter("ignore")  # of numpy, on what is given to it
    with tempfile.TemporaryDirectory() as folder:
        targets, turn = all_targets(Path(folder)), first
        while time.monotonic() < end and not 0 < (given_options.cases or 0) <= cases.total():
            for name, target in targets.items():
                walk(name, target, turn, cases, findings, end)
            turn += 1
            print(f"seed {turn - 1}: {cases.total():,} cases, {len(findings)} findings", flush=True)
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


MOST_MEBIBYTES = 1024
MOST_SECONDS = 300


def measure_memory() -> int:
    """Run each command of ``tests/faults/large.py``; print a table of what it said and its memory at its peak."""
    failed = 0
    print(f"with everything imported: {peak_mebibytes()} MiB\n")
    print("| What comes in | Peak | What is said |", "| --- | --- | --- |", sep="\n", flush=True)
    for name, (make, expected) in large.CASES.items():
        with tempfile.TemporaryDirectory() as folder:
            code, (*said, peak) = in_a_process_of_its_own(make(Path(folder)))
            sentence = " ".join(said).replace(folder, "…").removeprefix("hashprobe: ")
        print(f"| {name} | {peak} MiB | {sentence} |", flush=True)
        right = code == 2 and len(said) == 1 and expected in sentence
        failed += not (right and int(peak) < MOST_MEBIBYTES)
    print(f"\n{len(large.CASES)} cases, {failed} findings")
    return 1 if failed else 0


def in_a_process_of_its_own(arguments: list[str]) -> tuple[int, list[str]]:
    """Run a command in a copy of this process, which need not import anything; return its exit code and what it said.

    The last line is its memory at its peak, in MiB; a command that does not end is ended.
    """
    with tempfile.TemporaryFile("w+") as said:
        child = os.fork()
        if not child:
            signal.alarm(MOST_SECONDS)
            os.dup2(said.fileno(), sys.stderr.fileno())
            code = commands.call(*arguments)
            print(peak_mebibytes(), file=sys.stderr, flush=True)
            os._exit(code)
        _, status = os.waitpid(child, 0)
        said.seek(0)
        lines = said.read().strip().split("\n")
    ended = os.WIFEXITED(status)
    return (os.WEXITSTATUS(status), lines) if ended else (-1, ["it never ended", str(MOST_MEBIBYTES)])


def peak_mebibytes() -> int:
    """Memory of this process at its peak; a copy of a process begins at what it has then."""
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) // 1024


@dataclass(frozen=True)
class Target:
    """Something that is tried: how a case of it is drawn, and what says what is wrong with the answer."""

    cases: st.SearchStrategy[Any]
    fault_of: Callable[[Any], str]


def all_targets(folder: Path) -> dict[str, Target]:
    """Everything that is tried: files that are read, options of verbs, public functions."""
    read, run, called = (folder / name for name in ("read", "options", "calls"))
    found = {}
    for file in fuzzing.files_that_are_read(read):
        cases = fuzzing.damaged(file.path.read_bytes(), file.path.suffix)
        found[file.name] = Target(cases, partial(_fault_of_file, file, read))
    for name, verb in options.verbs(run).items():
        found[f"hashprobe {name}"] = Target(options.strange_options(verb), partial(_fault_of_verb, verb, run))
    for name, call in calls.calls(called).items():
        found[f"{name}(…)"] = Target(calls.strange_arguments(call), partial(_fault_of_call, call, called))
    return found


def _fault_of_file(file: fuzzing.Read, root: Path, replacement: bytes | None) -> str:
    return fuzzing.fault_of(file, replacement, root)


def _fault_of_verb(verb: options.Verb, root: Path, values: dict[str, tuple[str, ...]]) -> str:
    return options.fault_of(verb, values, root)


def _fault_of_call(call: calls.Call, root: Path, strange: dict[str, str]) -> str:
    return calls.fault_of(call, strange, root)


def walk(
    name: str,
    target: Target,
    turn: int,
    cases: Counter[str],
    findings: dict[tuple[str, str], str],
    end: float,
) -> None:
    """Try one target in some ways; a kind of finding is kept once."""

    @seed(turn)
    @settings(max_examples=50, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(target.cases)
    def check(case: Any) -> None:
        if time.monotonic() > end:
            return
        cases[name] += 1
        if problem := target.fault_of(case):
            if (name, problem[:60]) not in findings:
                print(f"found: {name}: {problem}\n    {repr(case)[:2000]}", flush=True)
            findings.setdefault((name, problem[:60]), f"{problem}\n    {repr(case)[:2000]}")

    check()


if __name__ == "__main__":
    sys.exit(main())
