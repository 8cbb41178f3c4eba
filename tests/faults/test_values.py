"""Values that no setting and no call can take: one sentence each, whatever the value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from hashprobe import retrieval
from hashprobe.attacks import ATTACKS
from hashprobe.data import load
from hashprobe.data.images.decoding import read_image
from hashprobe.errors import HashprobeError
from hashprobe.evaluation import CellSpec
from hashprobe.hashing import HashModel, open_model
from hashprobe.images import as_images
from hashprobe.trained import TRAINED, load_trained
from helpers import linear_model, random_codes
from searching import index_names

NOT_WHOLE = ("1.5", "none", "true", "1e400", "inf", "two", "8/255", "0", "-3", '""', "[1]", "9" * 30 + ".5")
NOT_A_NUMBER = ("true", "inf", "1e400", "nan", "two", "-1", "0", '"8/255"', "[]", "9" * 5000)
PATHS = ("~nouser/x", "x" * 5000, "a\0b", "", "nowhere/at/all")


def sentence(call: Callable[[], object]) -> str:
    with pytest.raises(HashprobeError) as caught:
        call()
    said = str(caught.value)
    assert "\n" not in said
    assert len(said) < 500
    assert said.endswith((".", "?"))
    return said


ZERO_SWITCHES_OFF = ("momentum", "diversity", "translation", "variance", "threshold")


def settings_of(kind: str) -> list[tuple[str, str]]:
    """The settings of attacks that need no training, by the type of their default."""
    return [
        (name, field)
        for name in ATTACKS
        for attack in (ATTACKS[name],)
        if name not in TRAINED and attack.__module__.startswith("hashprobe.")
        for field, annotation in attack.__dataclass_fields__.items()
        if annotation.init and str(annotation.type).startswith(kind)
    ]


def is_taken(name: str, setting: str, value: str) -> bool:
    """Whether a value is one that the setting may have: nothing where that is the default, and 0 where that switches it off."""
    field = ATTACKS[name].__dataclass_fields__[setting]
    return (value == "none" and field.default is None) or (value == "0" and setting in ZERO_SWITCHES_OFF)


@pytest.mark.parametrize("value", NOT_WHOLE)
@pytest.mark.parametrize(("name", "setting"), settings_of("int"))
def test_a_setting_that_is_no_whole_number(name: str, setting: str, value: str) -> None:
    if is_taken(name, setting, value):
        pytest.skip(f"{setting} may be {value}")
    sentence(lambda: CellSpec.read(f"{name}:{setting}={value}").build({}))


@pytest.mark.parametrize("value", NOT_A_NUMBER)
@pytest.mark.parametrize(("name", "setting"), settings_of("float"))
def test_a_setting_that_is_no_number(name: str, setting: str, value: str) -> None:
    if is_taken(name, setting, value):
        pytest.skip(f"{setting} may be {value}")
    sentence(lambda: CellSpec.read(f"{name}:{setting}={value}").build({}))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"epsilon": "8/255"}, "epsilon must be a number or none; found '8/255'."),
        ({"epsilon": True}, "epsilon must be a number or none; found True."),
        ({"steps": 1.5}, "steps must be a whole number; found 1.5."),
        ({"step_size": None}, "step_size must be a number; found None."),
        ({"step_size": float("inf")}, "step_size must be positive; found inf."),
    ],
)
def test_an_attack_that_is_made_in_python_is_held_to_its_types(settings: dict[str, Any], said: str) -> None:
    assert sentence(lambda: ATTACKS["I-FGSM"](**settings)) == said


def test_numbers_of_numpy_are_numbers() -> None:
    attack = ATTACKS["I-FGSM"](steps=np.int64(3), epsilon=np.float32(0.25))  # type: ignore[call-arg]
    assert attack.epsilon == 0.25


@pytest.mark.parametrize("path", PATHS, ids=["user", "long", "NUL", "empty", "missing"])
@pytest.mark.parametrize("call", [HashModel.load, open_model, load_trained, load, read_image])
def test_a_path_that_leads_nowhere(call: Callable[[str], object], path: str) -> None:
    sentence(lambda: call(path))


MASKED = np.ma.masked_array(np.zeros((1, 3, 32, 32)), mask=True)
CALLS: dict[str, Callable[[], object]] = {
    "codes of nothing": lambda: linear_model().codes(None),
    "codes of a masked array": lambda: linear_model().codes(MASKED),
    "codes of a text": lambda: linear_model().codes("images"),
    "codes of rows of unequal length": lambda: linear_model().codes([[1], [1, 2]]),
    "images of whole numbers without end": lambda: as_images([[[[10**5000]]]]),
    "images that are none": lambda: as_images(None),
    "bits that are no whole number": lambda: retrieval.unpack(random_codes(2, 12), bits=1.5),  # type: ignore[arg-type]
    "bits without end": lambda: retrieval.unpack(random_codes(2, 12), bits=10**5000),
    "masked codes": lambda: retrieval.unpack(np.ma.masked_array(random_codes(2, 12), mask=True), bits=12),
    "packing nothing": lambda: retrieval.pack(None),
    "packing a masked array": lambda: retrieval.pack(np.ma.masked_array(np.ones((2, 8)), mask=True)),
    "a whole number with too many digits": lambda: CellSpec.read("I-FGSM:steps=" + "9" * 5000).build({}),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_call_with_what_it_cannot_take(name: str) -> None:
    sentence(CALLS[name])


@pytest.mark.parametrize("index", index_names())
def test_more_neighbours_than_any_list_holds_are_all_items(
    index: str, given: Callable[..., dict[str, Any]]
) -> None:
    codes = random_codes(50, 12)
    opened = retrieval.open_index(index, codes, bits=12, **given(index, codes, bits=12))
    assert sorted(opened.search(random_codes(1, 12), 10**30).ids[0]) == list(range(50))
