"""A function, and a verb, that is given what it cannot take answers with one sentence, and changes nothing that is there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import calls
import options
import pytest
from hypothesis import HealthCheck, given, settings

from hashprobe.hashing import MODELS

CASES = 6
VERB_CASES = 15
FOUND_IN_CALLS: list[tuple[str, dict[str, str]]] = [
    ("average_precision", {"database_labels": "tensor on no device"}),
    ("average_precision", {"mode": "no columns"}),
    ("unique_labels", {"database_labels": "masked array"}),
    ("unique_labels", {"database_labels": "1.5"}),
    ("draw_target_labels", {"seed": "10^5000"}),
    ("chance_level", {"top_k": repr(10**30)}),
    ("open_code_store", {"path": repr("\ud800")}),
    ("precision_at_recall", {"recall_grid": "uneven list"}),
    ("check_index", {"bits": repr(10**30)}),
    ("audit_folder", {"workers": "-1"}),
    ("load_folder", {"train": "texts in an array"}),
    ("read_image", {"path": repr("\ud800")}),
    ("build_data_set", {"lists": repr("\ud800")}),
    ("contact_sheet", {"zoom": repr(10**30)}),
    ("draw_target_labels", {"database_labels": "no rows", "query_labels": "no rows"}),
    ("HashModel.codes", {"images": "sparse tensor"}),
    ("HashModel.codes", {"images": "set"}),
    ("bootstrap_interval", {"resamples": repr(2**31)}),
    ("contact_sheet", {"class_names": "list"}),
    ("RetrievalData.sample", {"train": "sparse tensor"}),
    ("as_images", {"device": "10^5000"}),
    ("as_images", {"images": repr(2**63)}),
    ("project", {"adversarial": "tensor"}),
    ("project", {"epsilon": repr(-(10**30))}),
    ("project", {"adversarial": "sparse tensor", "images": "sparse tensor"}),
    ("target_label", {"names": "texts in an array"}),
    ("evaluate", {"trained": "large images"}),
    ("evaluate", {"model": repr(10**30)}),
    ("epsilon_text", {"epsilon": "nan"}),
    ("CellSpec.read", {"text": "dates"}),
    ("ResultRow.read", {"values": "set"}),
]
"""What the fuzzer of calls found: each was another exception before."""
FOUND_IN_OPTIONS: list[tuple[str, dict[str, tuple[str, ...]]]] = [
    ("train-attack", {"--data-option": ("seed=3",)}),
    ("data show", {"--data-option": ("seed=1e400",)}),
    ("data check", {"--data-option": ("seed=none",)}),
    ("report", {"directory": ("nowhere", "9" * 5000)}),
    ("attack", {"--model": ("\0",)}),
    ("quickstart", {"--out": ("\udcff",)}),
    ("reproduce", {"--source": ("\udcff",)}),
    ("bench", {"--queries": ("9" * 400,)}),
    ("train-hash", {"--seed": ("9" * 30,)}),
    ("data show", {"--out": ("9" * 400,)}),
    ("report", {"directory": ("9" * 400,)}),
]
"""What the fuzzer of options found: each was a traceback, or a page of text, before."""

VERBS = (
    *(
        "quickstart",
        "reproduce",
        "train-hash",
        "train-attack",
        "attack",
        "evaluate",
        "transfer",
        "audit",
        "encode",
        "report",
        "list",
    ),
    *("data list", "data show", "data check", "data build", "bench"),
)


@pytest.fixture(scope="module")
def functions(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, calls.Call]]:
    root = tmp_path_factory.mktemp("calls") / "read"
    return root, calls.calls(root)


@pytest.fixture(scope="module")
def verbs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, options.Verb]]]:
    root, before = tmp_path_factory.mktemp("options") / "read", dict(MODELS._things)
    yield root, options.verbs(root)
    MODELS._things = before  # its model is of these tests alone


def seeded(cases: int) -> settings:
    return settings(
        max_examples=cases,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


def test_functions_answer(functions: tuple[Path, dict[str, calls.Call]]) -> None:
    root, known = functions
    assert len(known) > 50
    for name, call in known.items():
        assert calls.fault_of(call, {}, root) == ""  # what is right is accepted
        _try(name, call, root)


def _try(name: str, call: calls.Call, root: Path) -> None:
    @seeded(CASES)
    @given(calls.strange_arguments(call))
    def check(strange: dict[str, str]) -> None:
        assert (name, strange, calls.fault_of(call, strange, root)) == (name, strange, "")

    check()


@pytest.mark.parametrize(("name", "strange"), FOUND_IN_CALLS)
def test_what_was_found_in_calls(
    name: str, strange: dict[str, str], functions: tuple[Path, dict[str, calls.Call]]
) -> None:
    root, known = functions
    assert calls.fault_of(known[name], strange, root) == ""


def test_all_verbs_are_tried(verbs: tuple[Path, dict[str, options.Verb]]) -> None:
    assert tuple(verbs[1]) == VERBS
    assert sum(len(verb.options) for verb in verbs[1].values()) > 90


@pytest.mark.parametrize("name", VERBS)
def test_a_verb_answers(name: str, verbs: tuple[Path, dict[str, options.Verb]]) -> None:
    root, known = verbs
    assert options.fault_of(known[name], {}, root) == ""  # what is right is accepted

    @seeded(VERB_CASES)
    @given(options.strange_options(known[name]))
    def check(values: dict[str, tuple[str, ...]]) -> None:
        assert (values, options.fault_of(known[name], values, root)) == (values, "")

    check()


@pytest.mark.parametrize(("name", "values"), FOUND_IN_OPTIONS)
def test_what_was_found_in_options(
    name: str, values: dict[str, tuple[str, ...]], verbs: tuple[Path, dict[str, options.Verb]]
) -> None:
    root, known = verbs
    assert options.fault_of(known[name], values, root) == ""


def test_no_device_is_lost_to_a_fault(tmp_path: Path) -> None:
    """The drawn values name devices: were one about to be replaced, that is a finding and not a loss."""
    with options._devices_stay(), pytest.raises(AssertionError, match="/dev/null would have been replaced"):
        os.replace(tmp_path / "new", "/dev/null")
