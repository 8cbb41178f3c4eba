"""OpenMoji scenes: reproducible, varied, and labelled with what can be seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

import hashprobe.data.openmoji as openmoji
from hashprobe.data import DATA_SETS, RetrievalData, SceneSettings, contact_sheet, load
from hashprobe.data.openmoji import CLASS_NAMES, CLASSES, Scene, paint_scene, plan_scene
from hashprobe.data.openmoji.backgrounds import BACKGROUNDS
from hashprobe.data.openmoji.painting import paint_object
from hashprobe.data.openmoji.themes import THEMES
from hashprobe.errors import HashprobeError

DEFAULT = SceneSettings()
SMALL = {"queries": 12, "database": 30, "train": 20}
HELD_OUT = {code for drawings in CLASSES.values() for code in drawings.held_out}


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> RetrievalData:
    return load("openmoji", image_size=32, cache_dir=tmp_path_factory.mktemp("cache"), **SMALL)


def plans(split: str, count: int, scene_settings: SceneSettings = DEFAULT) -> list[Scene]:
    return [plan_scene(scene_settings, 0, split, index) for index in range(count)]


@pytest.mark.parametrize("name", list(DATA_SETS))
def test_every_registered_data_set_keeps_the_contract(name: str, tmp_path: Path) -> None:
    data = load(name, image_size=40, seed=3, cache_dir=tmp_path, **SMALL)
    assert (data.name, data.image_size) == (name, 40)
    assert len(set(data.class_names)) == data.classes
    for split, count in zip((data.query, data.database, data.train), (12, 30, 20), strict=True):
        assert len(split) == count
        assert split.images.shape == (count, 3, 40, 40)
        assert split.images[:].dtype == np.uint8
        assert split.labels.shape == (count, data.classes)
        assert split.labels.dtype == np.uint8
        assert set(np.unique(split.labels)) <= {0, 1}
        assert split.labels.any(axis=1).all()
        assert len(set(split.names)) == count
    assert not set(data.query.names) & set(data.database.names)
    assert set(data.train.names) <= set(data.database.names)
    pixels = np.concatenate([data.query.images, data.database.images]).reshape(42, -1)
    assert len(np.unique(pixels, axis=0)) == 42
    again = load(name, image_size=40, seed=3, cache_dir=tmp_path / "other", **SMALL)
    assert again.split_sha256 == data.split_sha256
    np.testing.assert_array_equal(np.asarray(again.database.images), np.asarray(data.database.images))
    other = load(name, image_size=40, seed=4, cache_dir=tmp_path, **SMALL)
    assert other.split_sha256 != data.split_sha256
    assert not (other.database.images[:] == data.database.images[:]).all(axis=(1, 2, 3)).any()


def test_train_is_a_part_of_the_database_with_its_pixels_and_labels(scenes: RetrievalData) -> None:
    assert scenes.train.names == scenes.database.names[:20]
    np.testing.assert_array_equal(scenes.train.images[:], scenes.database.images[:20])
    np.testing.assert_array_equal(scenes.train.labels, scenes.database.labels[:20])


@pytest.mark.parametrize("workers", [1, 3])
def test_threads_do_not_change_the_pictures(scenes: RetrievalData, workers: int, tmp_path: Path) -> None:
    other = load("openmoji", image_size=32, cache_dir=tmp_path, workers=workers, **SMALL)
    for split in ("query", "database"):
        np.testing.assert_array_equal(getattr(other, split).images[:], getattr(scenes, split).images[:])


def test_more_pictures_leave_the_first_ones_as_they_were(scenes: RetrievalData, tmp_path: Path) -> None:
    larger = load("openmoji", image_size=32, cache_dir=tmp_path, queries=13, database=31, train=1)
    np.testing.assert_array_equal(larger.query.images[:12], scenes.query.images[:])
    np.testing.assert_array_equal(larger.database.images[:30], scenes.database.images[:])
    np.testing.assert_array_equal(larger.database.labels[:30], scenes.database.labels)
    assert larger.database.names[:30] == scenes.database.names


def test_the_cache_is_used_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load("openmoji", image_size=32, cache_dir=tmp_path, **SMALL)
    monkeypatch.setattr(openmoji, "paint_scene", None)
    again = load("openmoji", image_size=32, cache_dir=tmp_path, **(SMALL | {"train": 3}))
    np.testing.assert_array_equal(again.query.images[:], first.query.images[:])
    with pytest.raises(TypeError):
        load("openmoji", image_size=33, cache_dir=tmp_path, **SMALL)


def test_names_tell_the_recipe_but_not_the_size(scenes: RetrievalData, tmp_path: Path) -> None:
    larger = load("openmoji", image_size=48, cache_dir=tmp_path, **SMALL)
    assert larger.split_sha256 == scenes.split_sha256
    upright = load("openmoji", image_size=32, cache_dir=tmp_path, settings=SceneSettings(rotation=0), **SMALL)
    assert not set(upright.database.names) & set(scenes.database.names)


def test_a_scene_is_the_same_picture_at_any_size() -> None:
    for scene in plans("database", 12):
        small = paint_scene(scene, 48).astype(float)
        large = paint_scene(scene, 144).astype(float).reshape(3, 48, 3, 48, 3).mean(axis=(2, 4))
        assert np.abs(small - large).mean() < 14
        assert np.corrcoef(small.ravel(), large.ravel())[0, 1] > 0.85


def test_labels_are_the_classes_of_the_drawings(scenes: RetrievalData) -> None:
    for split in ("query", "database"):
        for index, row in enumerate(getattr(scenes, split).labels):
            codes = [placed.code for placed in plan_scene(DEFAULT, 0, split, index).objects]
            owners = {
                name
                for name, drawings in CLASSES.items()
                for code in codes
                if code in drawings.shared + drawings.held_out
            }
            assert owners == {CLASS_NAMES[number] for number in np.flatnonzero(row)}


def test_held_out_drawings_are_in_query_pictures_only() -> None:
    in_database = {placed.code for scene in plans("database", 600) for placed in scene.objects}
    in_query = {placed.code for scene in plans("query", 600) for placed in scene.objects}
    shared = {code for drawings in CLASSES.values() for code in drawings.shared}
    assert not in_database & HELD_OUT
    assert in_query >= HELD_OUT
    assert in_database <= shared
    assert len(in_database & in_query) > 0.9 * len(shared)


def test_about_half_of_the_classes_hold_drawings_out_and_no_drawing_is_used_twice() -> None:
    with_held_out = [name for name, drawings in CLASSES.items() if drawings.held_out]
    assert 0.4 <= len(with_held_out) / len(CLASSES) <= 0.6
    codes = [code for drawings in CLASSES.values() for code in drawings.shared + drawings.held_out]
    assert len(set(codes)) == len(codes)
    assert min(len(drawings.shared) for drawings in CLASSES.values()) >= 3


def test_every_labelled_object_can_be_seen() -> None:
    size = 96
    for scene in plans("query", 60):
        visible = np.ones((size, size))
        for placed in reversed(scene.objects):  # from the front to the back
            alpha = paint_object(placed, size)[:, :, 3]
            height, width = alpha.shape
            canvas = np.zeros((3 * size, 3 * size))
            top, left = round(placed.y * size - height / 2) + size, round(placed.x * size - width / 2) + size
            canvas[top : top + height, left : left + width] = alpha
            inside = canvas[size : 2 * size, size : 2 * size]
            assert (inside * visible).sum() > 0.7 * alpha.sum(), scene
            visible *= 1 - inside


def test_objects_are_big_enough_to_recognise() -> None:
    for scene in plans("database", 300):
        for placed in scene.objects:
            assert np.sqrt(placed.width * placed.height) > 0.2
    alone = [scene.objects[0] for scene in plans("database", 300) if len(scene.objects) == 1]
    assert np.median([np.sqrt(placed.width * placed.height) for placed in alone]) > 0.45


def test_label_sets_are_uneven_and_depend_on_each_other() -> None:
    labels = openmoji._labels(DEFAULT, 0, "database", 1500).astype(float)
    counts = np.sort(labels.sum(axis=0))[::-1]
    assert counts[0] > 4 * counts[-1]
    assert counts[-1] > 20
    assert set(labels.sum(axis=1)) == {1, 2, 3, 4}
    boat, fish, cake = (CLASS_NAMES.index(name) for name in ("boat", "fish", "cake"))
    together = labels.T @ labels / len(labels)
    frequency = labels.mean(axis=0)
    assert together[boat, fish] > 2 * frequency[boat] * frequency[fish]
    assert together[boat, cake] < frequency[boat] * frequency[cake]


def test_all_backgrounds_occur_and_are_pictures() -> None:
    assert {scene.background for scene in plans("database", 400)} == set(BACKGROUNDS)
    for paint in (BACKGROUNDS[name] for name in BACKGROUNDS):
        colours = paint(np.random.default_rng(5), 40)
        assert colours.shape == (40, 40, 3)
        assert colours.dtype == np.float32
        assert colours.min() > -0.2
        assert colours.max() < 1.2
        assert colours.std() > 0.01


def test_themes_name_known_classes_and_backgrounds() -> None:
    for theme in THEMES.values():
        assert set(theme.classes) <= set(CLASS_NAMES)
        assert set(theme.backgrounds) <= set(BACKGROUNDS)
    assert {name for theme in THEMES.values() for name in theme.classes} == set(CLASS_NAMES)


@settings(max_examples=25)
@given(
    counts=st.tuples(*[st.integers(0, 3)] * 4).filter(any),
    overlap=st.floats(0, 1),
    rotation=st.floats(0, 180),
    shares=st.tuples(*[st.floats(0, 1)] * 3),
    index=st.integers(0, 10**6),
)
def test_any_settings_make_a_scene(
    counts: tuple[int, int, int, int], overlap: float, rotation: float, shares: tuple[float, ...], index: int
) -> None:
    total = sum(counts)
    chosen = SceneSettings(
        counts=tuple(count / total for count in counts),  # type: ignore[arg-type]
        overlap=overlap,
        rotation=rotation,
        repeat=shares[0],
        stray=shares[1],
        held_out=shares[2],
    )
    scene = plan_scene(chosen, 1, "query", index)
    assert 1 <= len(scene.objects) <= 4
    assert counts[len(scene.objects) - 1] > 0
    assert paint_scene(scene, 32).shape == (3, 32, 32)


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValidationError, match="rotation"):
        SceneSettings(rotation=-1)
    with pytest.raises(ValidationError, match="counts"):
        SceneSettings(counts=(0, 0, 0, 0))
    with pytest.raises(ValidationError, match="sizes"):
        SceneSettings(sizes=((0.8, 0.5), (0.4, 0.6), (0.3, 0.5), (0.3, 0.4)))
    with pytest.raises(ValidationError, match="frozen"):
        SceneSettings().overlap = 0.5  # type: ignore[misc]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image_size": 31}, "image_size must be at least 32 pixels; found 31"),
        ({"queries": 0}, "every split needs at least one picture; found queries=0"),
        ({"database": 0}, "every split needs at least one picture; found database=0"),
        ({"database": 5, "train": 6}, "found train=6, database=5"),
        ({"quaries": 5}, "no option of the data set 'openmoji' is named 'quaries'; did you mean 'queries'"),
    ],
)
def test_counts_that_cannot_be_are_one_sentence(
    options: dict[str, int], message: str, tmp_path: Path
) -> None:
    with pytest.raises(HashprobeError, match=message):
        load("openmoji", cache_dir=tmp_path, **options)
    assert list(tmp_path.iterdir()) == []


def test_a_contact_sheet_shows_the_pictures(scenes: RetrievalData) -> None:
    sheet = contact_sheet(scenes.database, columns=5, rows=2)
    first = np.asarray(sheet)[6:38, 6:38].transpose(2, 0, 1)
    np.testing.assert_array_equal(first, scenes.database.images[0])
    named = contact_sheet(scenes.database, columns=5, rows=40, class_names=scenes.class_names, zoom=2)
    assert named.width == 6 + 5 * (64 + 6)
    assert named.height == 6 + 6 * (64 + 6 + 24)
