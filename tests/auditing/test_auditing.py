"""An audit from end to end: on photographs of several sizes, resumed after a kill, with what cannot be used, and its report."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from photographs import photograph, photographs
from PIL import Image
from torch import nn

from hashprobe.attacks import Attack
from hashprobe.auditing import EDITS, AuditSettings, Findings, audit, audit_lines, write_audit_report
from hashprobe.auditing.measuring import KEPT_PICTURES
from hashprobe.auditing.photos import PhotoPictures, find_photos, read_labels
from hashprobe.auditing.shards import make_shard, still_gives
from hashprobe.bounds import BOUNDS
from hashprobe.errors import HashprobeError
from hashprobe.files import read_json, read_json_lines
from hashprobe.hashing import HashModel
from helpers import SIZE, Interrupted, linear_model, png_that_declares

BITS, QUERIES = 32, 5
SETTINGS = AuditSettings(
    budgets=("8/255", "rms:0.02"), questions=(12,), queries=QUERIES, image_size=SIZE, jpeg=80, steps=8
)
Made = tuple[Path, Path, Findings]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A folder of photographs, that of their audit, and what it found."""
    root = tmp_path_factory.mktemp("audit")
    images = photographs(root / "images")
    found = audit(
        linear_model(BITS), images, out=root / "out", settings=SETTINGS, cache_dir=root / "cache", name="mine"
    )
    return images, root / "out", found


@pytest.mark.parametrize("name", EDITS)
def test_an_edited_picture_is_no_larger_than_may_be_decoded(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = np.random.default_rng(0).integers(256, size=(3, 60, 80), dtype=np.uint8)
    monkeypatch.setattr(BOUNDS, "image_pixels", 60 * 80)
    edited = EDITS[name](picture)
    height, width = edited.shape[1:]
    assert height * width <= 60 * 80
    assert width / height == pytest.approx(80 / 60, rel=0.15)  # with a caption a little taller


def test_points_are_what_the_cells_hold(made: Made) -> None:
    _, out, found = made
    points = read_json_lines(out / "operating_points.jsonl")
    cells = {path.name: read_json(path)["rows"] for path in (out / "cells").glob("*.json")}
    (name,) = (name for name in cells if name.startswith("attack-FewStep-evasion-8of255-"))
    assert {row["query"] for row in cells[name]} == set(range(QUERIES))
    about = {"measure": "evasion", "attack": "FewStep", "jpeg": None}
    own = [point for point in points if all(point.get(key) == value for key, value in about.items())]
    assert [point["threshold"] for point in own] == list(range(BITS + 1))
    for point in own:
        missed = sum(row["distance"] > point["threshold"] for row in cells[name])
        assert (point["count"], point["of"]) == (missed, QUERIES)
    (row,) = (row for row in found.attacks if (row.name, row.aim) == ("FewStep", "evasion"))
    assert row.rate.count == own[found.threshold]["count"]
    assert row.rate.rate > 0.5, "a linear model is evaded"
    assert {point["edit"] for point in points if point["measure"] == "miss"} == set(EDITS)
    assert {(row.name, row.aim) for row in found.attacks if row.budget == "8/255"} >= {
        ("FewStep", "collision"),
        ("Square", "evasion"),
        ("RayS", "evasion"),
        ("Noise", "evasion"),
    }
    assert found.attacks[0].asked is None
    assert all(row.asked is None or row.asked <= 12 for row in found.attacks)


def test_pairs_are_all_pairs(made: Made) -> None:
    images, out, _ = made
    codes = [
        linear_model(BITS).codes(np.asarray(_square(path)).transpose(2, 0, 1)[None])[0]
        for path in sorted(images.rglob("*.png"))
    ]
    far = np.unpackbits(np.stack(codes)[:, None] ^ np.stack(codes)[None], axis=2).sum(axis=2)
    apart = far[~np.eye(len(codes), dtype=bool)]
    points = [p for p in read_json_lines(out / "operating_points.jsonl") if p["measure"] == "false positive"]
    assert [p["count"] for p in points] == [(apart <= threshold).sum() for threshold in range(BITS + 1)]


def _square(path: Path) -> Image.Image:
    image = Image.open(path)
    side, left, top = (
        min(image.size),
        (image.width - min(image.size)) / 2,
        (image.height - min(image.size)) / 2,
    )
    return image.resize((SIZE, SIZE), Image.Resampling.BICUBIC, box=(left, top, left + side, top + side))


def test_kept_pictures_are_at_the_photographs_size_and_within_the_budget(made: Made) -> None:
    images, out, found = made
    rows = [row for row in found.pictures if row.aim == "evasion"]
    assert len(rows) == KEPT_PICTURES
    assert [row.distance for row in rows] == sorted((row.distance for row in rows), reverse=True)
    for row in found.pictures:
        clean, attacked = (
            np.asarray(Image.open(path)).astype(int) for path in (images / row.photograph, out / row.file)
        )
        assert clean.shape == attacked.shape
        assert 0 < np.abs(clean - attacked).max() <= 8
        pictures = [
            np.asarray(_square(path)) for path in (images / (row.other or row.photograph), out / row.file)
        ]
        codes = linear_model(BITS).codes(np.stack(pictures).transpose(0, 3, 1, 2))
        assert row.distance == np.unpackbits(codes[0] ^ codes[1]).sum()
    left = [path for path in (out / "pictures").iterdir() if "photograph" not in path.name]
    assert len(left) == KEPT_PICTURES * len(list((out / "cells").glob("attack-*")))


def test_a_killed_audit_goes_on_and_ends_alike(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, out, found = made
    run, calls = Attack.run, 0

    def stop_at_the_eighth(self: Attack, *arguments: object, **keywords: object) -> object:
        nonlocal calls
        calls += 1
        if calls == 8:
            raise Interrupted
        return run(self, *arguments, **keywords)  # type: ignore[arg-type]

    given = {"out": tmp_path / "out", "settings": SETTINGS, "cache_dir": tmp_path / "cache", "name": "mine"}
    with monkeypatch.context() as patch:
        patch.setattr(Attack, "run", stop_at_the_eighth)
        with pytest.raises(Interrupted):
            audit(linear_model(BITS), images, **given)  # type: ignore[arg-type]
    before = calls
    kept = {path: path.read_bytes() for path in (tmp_path / "out" / "cells").iterdir()}
    assert any(len(read_json(path)["rows"]) < QUERIES for path in kept), "a cell was stopped in its middle"
    monkeypatch.setattr(Attack, "run", stop_at_the_eighth)
    again = audit(linear_model(BITS), images, **given)  # type: ignore[arg-type]
    assert again == found
    points = "operating_points.jsonl"
    assert (tmp_path / "out" / points).read_bytes() == (out / points).read_bytes()
    whole = sum(bytes_ == path.read_bytes() for path, bytes_ in kept.items())
    assert whole >= len(kept) - 1
    done = calls
    assert audit(linear_model(BITS), images, **given) == found  # type: ignore[arg-type]
    assert calls == done > before, "nothing is measured twice"


def test_the_page_is_inert_and_says_what_was_found(made: Made, tmp_path: Path) -> None:
    _, out, found = made
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert re.search(r'http-equiv="Content-Security-Policy" content="default-src &#39;none&#39;;', page)
    assert not re.search(r'(?:src|href)="(?!data:)', page)
    lines = audit_lines(found)
    assert lines[0].startswith("This search is easily evaded")
    for text in (lines[0], "not asked for (--attack NES)", "at their size", "60 × 40 pixels"):
        assert text in page
    copy = tmp_path / "copy"
    shutil.copytree(out, copy)
    found = found.model_copy(update={"model": "<b>\u202ebold"})
    (copy / "findings.json").write_text(found.model_dump_json())
    page = write_audit_report(copy).read_text(encoding="utf-8")
    assert "&lt;b&gt;\\u202ebold" in page
    (copy / "findings.json").write_text("{}")
    with pytest.raises(HashprobeError, match=r"findings\.json is damaged at model"):
        write_audit_report(copy)
    (copy / "operating_points.jsonl").write_text('{"measure": "false positive", "rate": "x"}\n')
    (copy / "findings.json").write_text(found.model_dump_json())
    with pytest.raises(HashprobeError, match=r"operating_points\.jsonl is damaged"):
        write_audit_report(copy)


def test_labels_make_relevant_what_shares_one(made: Made, tmp_path: Path) -> None:
    images, _, _ = made
    photos, table, columns = find_photos(images), tmp_path / "labels.csv", tmp_path / "columns.csv"
    table.write_text("path,label\n" + "".join(f"{name},{name.partition('/')[0]}\n" for name in photos.names))
    columns.write_text(
        "path,even,odd\n"
        + "".join(f"{name},{int('even' in name)},{int('odd' in name)}\n" for name in photos.names)
    )
    read = [read_labels(photos, str(given)) for given in ("folders", table, columns)]
    for own in read:
        assert own is not None
        assert own.class_names == ("even", "odd")
        assert own.labels.tolist() == [[int("even" in name), int("odd" in name)] for name in photos.names]
    settings = AuditSettings(attacks=("Noise",), budgets=("8/255",), queries=QUERIES, image_size=SIZE)
    found = audit(
        linear_model(BITS),
        images,
        out=tmp_path / "out",
        labels="folders",
        settings=settings,
        cache_dir=tmp_path,
    )
    assert found.pairs.of == 12 * 6, "a pair of one folder is related"
    assert found.chance_precision is not None
    assert 0 < found.chance_precision < min(row.precision for row in found.edits if row.name == "jpeg-90")


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ("path,label\nnowhere.png,x\n", r"labels\.csv, line 2 names 'nowhere\.png'"),
        ("path,label\neven/00.png,x\n", r"gives even/02\.png no label"),
        ("path,label\neven/00.png\n", "line 2 has 1 columns; expected 2"),
        ("path,a,b\neven/00.png,1,2\n", "line 2 holds '2'; expected 0 or 1"),
        ("file,label\n", "must begin with the line path,label"),
    ],
)
def test_labels_that_cannot_be_used_are_one_sentence(
    table: str, sentence: str, made: Made, tmp_path: Path
) -> None:
    (tmp_path / "labels.csv").write_text(table)
    with pytest.raises(HashprobeError, match=sentence):
        read_labels(find_photos(made[0]), str(tmp_path / "labels.csv"))


def test_what_cannot_be_used_is_left_out_and_said(tmp_path: Path) -> None:
    images, said = photographs(tmp_path / "images", 4), list[str]()
    photograph(50).save(images / "whole.jpg")
    (images / "cut.jpg").write_bytes((images / "whole.jpg").read_bytes()[:-200])
    (images / "bomb.png").write_bytes(png_that_declares(9_000, 9_000))
    photograph(60).save(images / "moves.gif", save_all=True, append_images=[photograph(61)])
    (images / "none.webp").write_bytes(b"not a picture")
    shutil.copy(images / "even" / "00.png", images / "copy.png")
    turned, exif = photograph(70, (40, 60)), Image.Exif()
    exif[0x0112] = 6  # upright only when it is turned by a quarter
    turned.transpose(Image.Transpose.ROTATE_90).save(images / "turned.png", exif=exif)
    turned.save(images / "upright.png")
    settings = AuditSettings(attacks=("Noise",), budgets=("8/255",), queries=20, image_size=SIZE)
    found = audit(
        linear_model(BITS),
        images,
        out=tmp_path / "out",
        settings=settings,
        cache_dir=tmp_path / "cache",
        say=said.append,
    )
    assert (found.photographs, found.stored, found.copies, found.unusable) == (12, 6, 2, 4)
    why = {own.name: own.why for own in found.left_out}
    assert "at most 64 million are decoded" in why["bomb.png"]
    assert why["cut.jpg"] == "is truncated; copy it again"
    assert "is animated or has several pages (2)" in why["moves.gif"]
    assert "is not a whole" in why["none.webp"]
    assert said[3:] == ["left out: 1 more, named in the report", "15 edits and 1 attack on 6 of 6 pictures"]
    again = audit(
        linear_model(BITS),
        images,
        out=tmp_path / "other",
        settings=settings,
        cache_dir=tmp_path / "cache",
    )
    assert again == found, "what was left out is kept with the codes"


def test_what_can_be_used_follows_the_bound_and_not_the_codes_that_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = photographs(tmp_path / "images", 4)
    photograph(50, (90, 80)).save(images / "large.png")
    settings = AuditSettings(attacks=("Noise",), budgets=("8/255",), image_size=SIZE)
    left_out = []
    for number, most in enumerate((7199, 9000, 7199)):
        monkeypatch.setattr(BOUNDS, "image_pixels", most)
        out = tmp_path / str(number)
        found = audit(linear_model(BITS), images, out=out, settings=settings, cache_dir=tmp_path / "cache")
        left_out.append([own.name for own in found.left_out])
    assert left_out == [["large.png"], [], ["large.png"]]


def test_a_photograph_that_is_gone_meanwhile_is_one_sentence(tmp_path: Path) -> None:
    images, model = photographs(tmp_path / "images", 4), linear_model(BITS)
    photos, gone = find_photos(images), images / "even" / "00.png"
    shard = make_shard(tmp_path / "shard.json", PhotoPictures(photos, SIZE), model)
    sentence = r"^even/00\.png cannot be read \(No such file or directory\); .* is kept\.$"
    with pytest.raises(HashprobeError, match=sentence):
        audit(
            model,
            images,
            out=tmp_path / "out",
            settings=AuditSettings(attacks=("Noise",), image_size=SIZE),
            cache_dir=tmp_path / "cache",
            say=lambda line: gone.unlink(missing_ok=True),  # what it is told comes after the codes
        )
    with pytest.raises(HashprobeError, match=sentence):
        still_gives(model, [(PhotoPictures(photos, SIZE), shard)])


def test_an_audit_in_the_home_is_found_again(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    settings = AuditSettings(attacks=("Noise",), budgets=("8/255",), queries=2, image_size=SIZE)
    given = {"out": "~/out", "settings": settings, "cache_dir": tmp_path / "cache"}
    found = audit(linear_model(BITS), made[0], **given)  # type: ignore[arg-type]
    monkeypatch.setattr("hashprobe.auditing.measuring._attacked", None)
    assert audit(linear_model(BITS), made[0], **given) == found  # type: ignore[arg-type]


class _Fails(nn.Module):
    """A network that does not answer as it should."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how, self.calls = how, 0

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        means = images.flatten(2).mean(dim=2)[:, :2]
        if self.how == "another shape":
            return means[:, :1]
        if self.how == "NaN":
            return means * float("nan")
        if self.how == "another each time":
            return means - means + (-1) ** self.calls
        if self.how == "fails later" and self.calls > 12:
            raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")
        return means - 0.5


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        ("another shape", r"must return \(n, 2\) for 2 bits; its network returned \(1, 1\)"),
        ("NaN", "NaN"),
        ("another each time", "gives other codes for the same images when it is asked again"),
        ("fails later", r"the model failed on .*shapes cannot be multiplied.*the same command goes on"),
    ],
)
def test_a_model_that_cannot_be_audited_is_one_sentence(how: str, sentence: str, tmp_path: Path) -> None:
    model = HashModel.wrap(_Fails(how), bits=2)
    with pytest.raises(HashprobeError, match=sentence):
        audit(model, photographs(tmp_path / "images", 4), out=tmp_path / "out", cache_dir=tmp_path / "cache")


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"budgets": ("8",)}, "--budget: expected 8/255"),
        ({"budgets": ("linf:nan",)}, "--budget: expected 8/255"),
        ({"budgets": ("8/255", "linf:8/255")}, "give at least one, and each once"),
        ({"questions": (0,)}, "--questions must be whole numbers from 1"),
        ({"access": "code"}, "did you mean 'codes'"),
        ({"attacks": ("Sqare",)}, "did you mean 'Square'"),
        ({"threshold": 33}, "--threshold must be at most the 32 bits"),
        ({"image_size": 16}, "image_size must be at least 32 pixels"),
    ],
)
def test_settings_that_cannot_be_are_one_sentence(
    settings: dict[str, object], sentence: str, made: Made, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=sentence):
        audit(linear_model(BITS), made[0], out=tmp_path / "out", settings=AuditSettings(**settings))  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


def test_a_folder_without_photographs_is_one_sentence(tmp_path: Path) -> None:
    for folder, sentence in ((tmp_path, "holds no photograph"), (tmp_path / "nowhere", "is no folder")):
        with pytest.raises(HashprobeError, match=sentence):
            audit(linear_model(BITS), folder, out=tmp_path / "out")
    photographs(tmp_path, 1)
    with pytest.raises(HashprobeError, match="holds 1 photograph that can be used"):
        audit(
            linear_model(BITS),
            tmp_path,
            out=tmp_path / "out",
            settings=AuditSettings(image_size=SIZE),
            cache_dir=tmp_path / ".cache",
        )


def test_a_model_without_gradients_is_asked_alone(made: Made, tmp_path: Path) -> None:
    model = linear_model(BITS)
    model.gradients = False
    settings = AuditSettings(
        budgets=("8/255",),
        questions=(3,),
        queries=2,
        image_size=SIZE,
        access="found",
        threshold=4,
    )
    found = audit(model, made[0], out=tmp_path / "out", settings=settings, cache_dir=tmp_path / "cache")
    assert {row.name for row in found.attacks} == {"RayS", "Noise"}
    why = {own.name: own.why for own in found.skipped}
    assert why["FewStep"] == "it needs gradients, and the model gives codes alone"
    assert why["Square"] == "it needs codes, and the attacker sees found alone (--access)"
    assert (found.threshold, found.given) == (4, True)


def test_a_model_that_resizes_by_itself_gets_photographs_as_they_are(made: Made, tmp_path: Path) -> None:
    network = nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.BatchNorm1d(48, affine=False))
    model = HashModel.wrap(network, bits=48, mean=(0.5,) * 3)
    model.input_size = (4, 4)
    settings = AuditSettings(budgets=("rms:0.02",), queries=3, steps=4)
    found = audit(model, made[0], out=tmp_path / "out", settings=settings, cache_dir=tmp_path / "cache")
    assert found.size is None
    assert {row.name for row in found.attacks} == {"PGD"}
    assert {row.aim for row in found.attacks} == {"evasion", "collision"}
    row = found.pictures[0]
    attacked = np.asarray(Image.open(tmp_path / "out" / row.file)).transpose(2, 0, 1)
    clean = np.asarray(Image.open(made[0] / row.photograph)).transpose(2, 0, 1)
    codes = [model.codes(one[None]) for one in (clean, attacked)]
    assert row.distance == np.unpackbits(codes[0] ^ codes[1]).sum() > 0
    assert "at their own size" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
