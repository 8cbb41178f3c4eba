"""What a fingerprint hangs on; and the default of every setting, beside the version under which it holds.

``python tests/test_identity.py --write`` writes ``golden/defaults.json`` anew.
"""

from __future__ import annotations

import dataclasses
import inspect
import itertools
import json
import sys
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, create_model

from hashprobe.attacks import ATTACKS, FGSM, IFGSM, Attack
from hashprobe.defences import DEFENCES
from hashprobe.evaluation import CellSpec, SearchSettings
from hashprobe.experiments.cell_task import Cell
from hashprobe.experiments.models import AttackedModel
from hashprobe.experiments.recipes import Experiment
from hashprobe.experiments.training_tasks import HashModelTask, TrainedTask
from hashprobe.hashing import HASH_LOSSES, HashTrainingSettings
from hashprobe.identity import NOT_IDENTITY, fingerprint, identity_of, optional, version_of
from hashprobe.plugins import load_plugins, plugin_sha256
from hashprobe.retrieval import INDEXES
from hashprobe.targets import CODES, GOALS, PROTOCOLS
from hashprobe.trained import TRAINED

GOLDEN = Path(__file__).with_name("golden") / "defaults.json"
WRITE = "python tests/test_identity.py --write"
REGISTRIES = (ATTACKS, CODES, GOALS, PROTOCOLS, HASH_LOSSES, DEFENCES, INDEXES)
SETTINGS = (
    HashTrainingSettings,
    AttackedModel,
    SearchSettings,
    CellSpec,
    Experiment,
    Cell,
    HashModelTask,
    TrainedTask,
)


def kinds() -> dict[str, Any]:
    """Everything whose defaults a result depends on, by what it is; a plugin's is known by its file in any case."""
    found = {f"{own.kind} {name}": own[name] for own in REGISTRIES for name in own}
    found |= {f"settings of {name}": TRAINED[name].Settings for name in TRAINED}
    found |= {kind.__name__: kind for kind in SETTINGS}
    return {name: kind for name, kind in found.items() if plugin_sha256(kind.__module__) is None}


def defaults(kind: Any) -> dict[str, Any]:
    """The default of each setting, of settings, or of what is made by a call, as JSON holds it."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return {
            name: identity_of(own.get_default(call_default_factory=True))
            for name, own in kind.model_fields.items()
            if not own.is_required() and own.json_schema_extra != NOT_IDENTITY
        }
    if dataclasses.is_dataclass(kind):
        given = {
            own.name: own.default if own.default_factory is dataclasses.MISSING else own.default_factory()
            for own in dataclasses.fields(kind)
            if own.metadata.get("identity") is not False
        }
        return {name: identity_of(own) for name, own in given.items() if own is not dataclasses.MISSING}
    if not isinstance(kind, type):
        return {}
    made_by = inspect.signature(kind).parameters.items()
    return {name: own.default for name, own in made_by if own.default is not inspect.Parameter.empty}


def entry(kind: Any) -> dict[str, Any]:
    return {"version": version_of(kind), "defaults": defaults(kind)}


def faults(found: Mapping[str, Any], golden: Mapping[str, Any]) -> list[str]:
    """Say of each kind that is not as the golden file has it what to do about it; where its VERSION must be raised, first."""
    raised, written = [], []
    for name in sorted({*found, *golden}):
        own, held = found.get(name), golden.get(name)
        if own == held:
            continue
        if own is None or held is None or own["version"] != held["version"]:
            written.append(f"{name} is new, gone or has a new VERSION: write the golden file anew ({WRITE}).")
            continue
        both = own["defaults"].keys() & held["defaults"].keys()
        if changed := sorted(one for one in both if own["defaults"][one] != held["defaults"][one]):
            raised.append(
                f"{name}: the default of {', '.join(changed)} has changed; raise VERSION, so that nothing made with the old "
                f"one is taken for something made with the new one, and write the golden file anew ({WRITE})."
            )
        else:
            written.append(f"{name} has another set of settings: write the golden file anew ({WRITE}).")
    return [*raised, *written]


def test_no_default_changes_without_a_new_version() -> None:
    found = {name: json.loads(json.dumps(entry(kind))) for name, kind in kinds().items()}
    assert not faults(found, json.loads(GOLDEN.read_text(encoding="utf-8")))


def test_the_golden_file_says_what_to_do() -> None:
    held = {"attack A": {"version": "1", "defaults": {"steps": 3, "rate": 0.1}}}

    def said(version: str, **own: Any) -> str:
        return " ".join(faults({"attack A": {"version": version, "defaults": own}}, held))

    assert said("1", steps=3, rate=0.1) == ""
    assert "attack A: the default of steps has changed; raise VERSION" in said("1", steps=4, rate=0.1)
    assert "the default of rate has changed; raise VERSION" in said("1", rate=0.2, new=1)
    assert "new VERSION: write the golden file anew" in said("2", steps=4, rate=0.1)
    assert "another set of settings: write the golden file anew" in said("1", steps=3, rate=0.1, new=1)
    assert "attack A is new, gone" in " ".join(faults({}, held))


# Settings of every kind that there may be, made on the spot.

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False).map(lambda x: x + 0.0),
    st.text(max_size=3),
)
# Of texts: within a container 1, 1.0 and True would be equal to each other.
VALUES = (
    SCALARS | st.lists(st.text(), max_size=2).map(tuple) | st.dictionaries(st.text(), st.text(), max_size=2)
)
NAMES = st.sampled_from([f"f{number}" for number in range(5)])
FIELDS = st.dictionaries(NAMES, VALUES, min_size=1, max_size=4)


def as_dataclass(fields: Mapping[str, Any], version: int = 1, kind: str = "Kind") -> Any:
    made = [
        (name, Any, dataclasses.field(default_factory=lambda value=value: value))
        for name, value in fields.items()
    ]
    return dataclasses.make_dataclass(kind, made, namespace={"VERSION": version}, frozen=True, kw_only=True)


def as_pydantic(fields: Mapping[str, Any], version: int = 1, kind: str = "Kind") -> Any:
    base = type("Base", (BaseModel,), {"__annotations__": {"VERSION": ClassVar[int]}, "VERSION": version})
    return create_model(kind, __base__=base, **{name: (Any, value) for name, value in fields.items()})


@pytest.mark.parametrize("make", [as_dataclass, as_pydantic])
class TestSettings:
    @settings(max_examples=30)  # each makes classes
    @given(FIELDS, FIELDS, VALUES)
    def test_a_new_optional_field_changes_no_fingerprint(
        self, make: Any, fields: dict[str, Any], others: dict[str, Any], new: Any
    ) -> None:
        values = {name: value for name, value in others.items() if name in fields}
        grown = {**fields, "new": new}
        assert fingerprint(make(grown)(**values)) == fingerprint(make(fields)(**values))
        turned = dict(reversed(grown.items()))
        assert fingerprint(make(turned)(**values)) == fingerprint(make(fields)(**values))

    @settings(max_examples=30)  # each makes classes
    @given(FIELDS, VALUES)
    def test_a_value_that_is_not_the_default_changes_it_and_one_that_is_given_and_is_does_not(
        self, make: Any, fields: dict[str, Any], value: Any
    ) -> None:
        kind, name = make(fields), next(iter(fields))
        same = repr(value) == repr(fields[name])
        assert (fingerprint(kind(**{name: value})) == fingerprint(kind())) == same

    @settings(max_examples=30)  # each makes classes
    @given(FIELDS, VALUES)
    def test_a_changed_default_is_told_apart_by_its_version_alone(
        self, make: Any, fields: dict[str, Any], value: Any
    ) -> None:
        before, name = make(fields), next(iter(fields))
        after = {version: make({**fields, name: value}, version=version) for version in (1, 2)}
        assert fingerprint(after[2]()) != fingerprint(before())
        assert fingerprint(after[1]()) == fingerprint(before()), "which is why the golden file is held"

    def test_settings_within_settings_always_count(self, make: Any) -> None:
        """Else a new version of what is within would be taken for the old one."""
        inner = {version: make({"x": 1}, version=version, kind="Inner") for version in (1, 2)}
        outer = {version: make({"inner": kind()}, kind="Outer") for version, kind in inner.items()}
        assert fingerprint(outer[1]()) != fingerprint(outer[2]())
        assert fingerprint(outer[1]()) != fingerprint(outer[1](inner=inner[1](x=2)))
        assert fingerprint({"deep": [inner[1]()]}) != fingerprint({"deep": [inner[2]()]})

    def test_the_kind_counts_and_its_class_names_the_version(self, make: Any) -> None:
        assert fingerprint(make({"x": 1})()) != fingerprint(make({"x": 1}, kind="Other")())
        assert version_of(make({"x": 1}, version=3)) == "3"
        assert version_of(test_no_default_changes_without_a_new_version) == "1"


@dataclasses.dataclass(frozen=True)
class Titled:
    x: int = 1
    title: str = dataclasses.field(default="", metadata=NOT_IDENTITY)


class TitledModel(BaseModel):
    x: int = 1
    title: str = Field("", json_schema_extra=NOT_IDENTITY)


@pytest.mark.parametrize("kind", [Titled, TitledModel])
def test_what_a_result_does_not_depend_on_is_left_out(kind: Any) -> None:
    assert fingerprint(kind(title="one")) == fingerprint(kind(title="two")) != fingerprint(kind(x=2))
    assert defaults(kind) == {"x": 1}


class Colour(Enum):
    RED = "red"


class TestValues:
    @given(st.dictionaries(st.text(), VALUES, max_size=4))
    def test_the_order_of_keys_does_not_matter(self, values: dict[str, Any]) -> None:
        assert fingerprint(values) == fingerprint(dict(reversed(values.items())))

    @given(st.lists(VALUES, max_size=3), st.lists(VALUES, max_size=3))
    def test_equal_fingerprints_are_of_equal_values(self, one: list[Any], other: list[Any]) -> None:
        def text(values: list[Any]) -> str:
            return repr([dict(sorted(own.items())) if isinstance(own, dict) else own for own in values])

        assert (fingerprint(*one) == fingerprint(*other)) == (text(one) == text(other))

    @pytest.mark.parametrize(
        ("value", "plain"),
        [
            (Path("a") / "b", str(Path("a/b"))),
            (np.float64(0.5), 0.5),
            (np.int64(3), 3),
            (np.bool_(True), True),
            (Colour.RED, "red"),
            ((1, [2]), [1, [2]]),
            ({2: Path("a"), 1: np.int8(1)}, {"1": 1, "2": "a"}),
        ],
    )
    def test_what_json_lacks_is_what_it_stands_for(self, value: Any, plain: Any) -> None:
        assert identity_of(value) == plain
        assert type(identity_of(value)) is type(plain)
        assert fingerprint(value) == fingerprint(plain)

    @pytest.mark.parametrize("value", [len, object(), np.zeros(2), {1, 2}, Titled])
    def test_what_has_no_identity_is_said(self, value: Any) -> None:
        with pytest.raises(TypeError, match="has no identity; pass a fingerprint of it"):
            fingerprint({"value": [value]})

    def test_a_thing_may_say_its_identity_itself(self) -> None:
        class Own:
            def __init__(self, name: str) -> None:
                self.identity = lambda: {"path": Path(name)}

        assert identity_of([Own("a")]) == [{"path": "a"}]


PLUGIN = """
from dataclasses import dataclass

@dataclass(frozen=True)
class Mine:
    x: int = 1
"""


@pytest.mark.usefixtures("_no_plugins")
def test_of_a_plugins_settings_the_content_of_the_file_counts(tmp_path: Path) -> None:
    def made(folder: str, code: str) -> Any:
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine.py").write_text(code, encoding="utf-8")
        (name,) = load_plugins([tmp_path / folder / "mine.py"])
        return sys.modules[name].Mine()

    one, again, other = made("a", PLUGIN), made("b", PLUGIN), made("c", f"{PLUGIN}\n# another line\n")
    assert fingerprint(one) == fingerprint(again) != fingerprint(other)
    assert version_of(type(one)).startswith("1 ")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Grown(FGSM):
    """FGSM with a field that was added later."""

    momentum: float = optional(0.0)
    trace: int = dataclasses.field(default=0, repr=False)


class TestOfAttacks:
    def test_a_field_that_was_added_later_draws_what_was_drawn_before(self) -> None:
        assert Grown(epsilon=0.25).described() == "Grown(epsilon=0.25)"
        assert Grown(epsilon=0.25, momentum=0.5).described() == "Grown(epsilon=0.25, momentum=0.5)"
        assert IFGSM(epsilon=0.25).described() == f"IFGSM(epsilon=0.25, steps=100, step_size={1 / 255})"

    def test_cells_are_told_apart_by_what_they_compute(self, monkeypatch: pytest.MonkeyPatch) -> None:
        plain = fingerprint(CellSpec(attack="FGSM"))
        same = [
            CellSpec(attack="FGSM", settings={"epsilon": 8 / 255}),
            CellSpec(attack="FGSM", goal="targeted", code="anchor"),
        ]
        assert {fingerprint(spec) for spec in same} == {plain}
        other = [
            CellSpec(),
            CellSpec(goal="untargeted"),
            CellSpec(attack="FGSM", settings={"epsilon": 0.1}),
            CellSpec(attack="FGSM", goal="untargeted"),
            CellSpec(attack="FGSM", goal="untargeted", code="anchor"),
            CellSpec(attack="FGSM", code="p2p"),
            CellSpec(attack="FGSM", gallery=True),
            CellSpec(attack="I-FGSM"),
        ]
        assert len({plain, *map(fingerprint, other)}) == len(other) + 1
        for kind in (FGSM, CODES["anchor"], GOALS["targeted"]):
            with monkeypatch.context() as patch:
                patch.setattr(kind, "VERSION", 3, raising=False)
                assert fingerprint(CellSpec(attack="FGSM")) != plain
        with monkeypatch.context() as patch:
            patch.setattr(Attack, "VERSION", 2)
            assert fingerprint(CellSpec(attack="FGSM")) != plain, "what all attacks share"
        assert fingerprint(CellSpec(attack="FGSM")) == plain

    def test_searches_are_told_apart_by_index_settings_and_places(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        searches = [
            SearchSettings(),
            SearchSettings(top_k=10),
            SearchSettings(index="faiss-hnsw"),
            SearchSettings(index="faiss-hnsw", settings={"links": 8}),
            SearchSettings(index="faiss-hnsw", top_k=10),
        ]
        for one, other in itertools.combinations(searches, 2):
            assert fingerprint(one) != fingerprint(other)
        before = fingerprint(searches[2])
        monkeypatch.setattr(INDEXES["faiss-hnsw"], "VERSION", 2, raising=False)
        assert fingerprint(searches[2]) != before


def write() -> None:
    """Write the golden file anew, unless a default has changed without a new version."""
    found = {name: entry(kind) for name, kind in sorted(kinds().items())}
    held = json.loads(GOLDEN.read_text(encoding="utf-8")) if GOLDEN.exists() else {}
    if wrong := [line for line in faults(json.loads(json.dumps(found)), held) if "raise VERSION" in line]:
        sys.exit("\n".join(wrong))
    GOLDEN.parent.mkdir(exist_ok=True)
    GOLDEN.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__" and sys.argv[1:] == ["--write"]:
    write()
