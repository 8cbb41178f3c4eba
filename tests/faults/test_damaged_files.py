"""A damaged file is answered by one sentence or a right result, and changes nothing that is there."""

from __future__ import annotations

from pathlib import Path

import fuzzing
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

CASES = 15
NAMES = (
    "results.jsonl",
    "curves.jsonl",
    "queries.jsonl",
    "transfer.jsonl",
    "gallery/gallery.json",
    "audit.json",
    "experiment.json",
    "training/hash-model.jsonl",
    "model.json",
    "trained.json",
    "net.onnx",
    "net.pt",
    "cells/*.json",
    "experiment.json, held",
    "settings TOML",
    "recipe TOML",
    "*.faiss",
    "audit/findings.json",
    "audit/operating_points.jsonl",
    "audit/cells/*.json",
    "audit/labels.csv",
    "shards/*.json",
    "lists/database_img.txt",
    "lists/database_label.txt",
    "lists/test_img.txt",
    "lists/test_label.txt",
    "lists/classes.txt",
    "lists/source.txt",
    "lists, audited",
    "table.csv",
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, fuzzing.Read]]:
    root = tmp_path_factory.mktemp("faults") / "read"
    return root, {target.name: target for target in fuzzing.files_that_are_read(root)}


def test_every_file_is_damaged(made: tuple[Path, dict[str, fuzzing.Read]]) -> None:
    assert tuple(made[1]) == NAMES
    for target in made[1].values():
        target.read()  # whole, it is read


@pytest.mark.parametrize("name", NAMES)
def test_a_damaged_file_is_one_sentence(name: str, made: tuple[Path, dict[str, fuzzing.Read]]) -> None:
    root, targets = made
    target = targets[name]
    whole = target.path.read_bytes()

    @settings(
        max_examples=CASES,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def check(data: st.DataObject) -> None:
        replacement = data.draw(fuzzing.damaged(whole, target.path.suffix))
        assert fuzzing.fault_of(target, replacement, root) == ""

    check()
