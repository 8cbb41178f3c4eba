"""Audits of what lies behind the codes: an index that misses things, and a service that tells ids alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from photographs import photographs

from hashprobe.attacks import Attack
from hashprobe.auditing import AuditSettings, Findings, audit, audit_lines, find_photos
from hashprobe.cli import main
from hashprobe.data import read_image
from hashprobe.errors import HashprobeError
from hashprobe.evaluation import SearchSettings
from hashprobe.files import read_json, read_json_lines
from hashprobe.hashing import open_service
from hashprobe.retrieval import INDEXES
from hashprobe.retrieval.indexes.scan import Scan
from hashprobe.seeds import numpy_generator
from helpers import SIZE, linear_model
from loopback import Reply, Server, code_of, serving

BITS, PHOTOS, QUERIES = 32, 12, 8


class Forgetful(Scan):
    """An index that has lost every second item."""

    exact = False

    def find(self, queries: Any, k: int) -> tuple[Any, Any]:
        ids, distances = super().find(queries, k)
        return np.where(ids % 2 == 0, ids, -1), distances


def test_what_an_index_loses_is_told_from_what_an_attack_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(INDEXES, "_things", {**INDEXES._things, "forgetful": Forgetful})
    images = photographs(tmp_path / "images", PHOTOS)
    given: dict[str, Any] = {"out": tmp_path / "out", "cache_dir": tmp_path / "cache"}
    plain = {
        "budgets": ("1/255",), "attacks": ("FewStep", "Noise"), "queries": QUERIES, "image_size": SIZE, "steps": 4,
    }  # fmt: skip
    exact = audit(linear_model(BITS), images, settings=AuditSettings(**plain), **given)
    assert exact.index is None
    with monkeypatch.context() as patch:
        patch.setattr(Attack, "run", None)  # the index is asked for the codes that were measured
        search = SearchSettings(index="forgetful", top_k=PHOTOS)
        found = audit(linear_model(BITS), images, settings=AuditSettings(**plain, search=search), **given)
    assert [row.rate for row in found.attacks] == [row.rate for row in exact.attacks]
    cells = {
        path.name.rsplit("-", 1)[0]: read_json(path)["rows"] for path in (tmp_path / "out/cells").iterdir()
    }
    own = _queries_of(images)
    lost = [place % 2 == 1 for place in own]
    assert found.index is not None
    assert (found.index.lost.count, found.index.top_k) == (sum(lost), PHOTOS)
    assert found.index.recall == pytest.approx(0.5)
    points = [row for row in read_json_lines(tmp_path / "out/operating_points.jsonl") if row.get("index")]
    assert {row["measure"] for row in points} == {"evasion", "collision", "miss"}
    for point in points:
        if point.get("attack") == "FewStep" and point["measure"] == "evasion":
            rows, threshold = cells["attack-FewStep-evasion-1of255"], point["threshold"]
            missed = [row["distance"] > threshold or lost[row["query"]] for row in rows]
            assert point["count"] == sum(missed)
    (row,) = (row for row in found.attacks if row.aim == "collision")
    assert row.indexed is not None
    assert row.indexed.count <= row.rate.count
    (row,) = (row for row in found.attacks if (row.aim, row.name) == ("evasion", "FewStep"))
    assert row.indexed is not None
    assert row.rate.count < row.indexed.count, (
        "an attack's success by exact distances, and what the index adds"
    )
    text = "\n".join(audit_lines(found))
    assert (
        f"Through the index forgetful, which is asked for 12 items, and returns 50\u00a0% of the nearest, {sum(lost)} of 8"
        in text
    )
    assert f"FewStep hides {row.indexed.count} of 8" in text
    assert "an approximate index finds less" not in text
    assert "By the index" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def _queries_of(images: Path) -> list[int]:
    """The places of the queries among the stored pictures: drawn by the seed, in the order of their sizes."""
    sizes = [read_image(path, None).shape[1:] for path in sorted(images.rglob("*.png"))]
    drawn = numpy_generator(0, "audit", "queries").permutation(PHOTOS)[:QUERIES]
    return sorted((int(own) for own in drawn), key=lambda own: (sizes[own], own))


def test_an_index_that_is_not_there_is_said_before_anything_is_measured(tmp_path: Path) -> None:
    settings = AuditSettings(search=SearchSettings(index="fais-flat"), image_size=SIZE)
    with pytest.raises(HashprobeError, match="did you mean 'faiss-flat'"):
        audit(
            linear_model(BITS), photographs(tmp_path / "images", 4), out=tmp_path / "out", settings=settings
        )
    assert not (tmp_path / "out").exists()


def _listing(images: Path) -> Any:
    """A service that lists the names of the stored photographs by the distance of a small code."""
    photos = find_photos(images)
    stored = np.stack(
        [code_of(read_image(photos.folder / name, None).transpose(1, 2, 0)) for name in photos.names]
    )

    def reply(picture: np.ndarray) -> Reply:
        far = np.unpackbits(stored ^ code_of(picture), axis=1).sum(axis=1)
        order = np.argsort(far, kind="stable")
        return 200, json.dumps({"ids": [photos.names[place] for place in order]}).encode()

    return reply


SMALL = ["--budget", "32/255", "--questions", "20", "--queries", "3", "--top-k", "2"]


def test_a_service_that_lists_ids_is_audited_by_its_lists_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    images, out = photographs(tmp_path / "images", PHOTOS), tmp_path / "out"
    with serving(_listing(images)) as server:
        asked = _run(monkeypatch, server, ["--images", str(images), "--out", str(out), *SMALL])
        printed = capsys.readouterr().out
        assert "15 edits and 3 attacks on 3 of 12 pictures, with up to 120 questions in all" in printed
        again = _run(monkeypatch, server, ["--images", str(images), "--out", str(out), *SMALL])
        assert 0 < again < 12, "only what is asked before an audit; nothing is measured twice"
    found = Findings.read(out)
    assert {row.name for row in found.attacks} == {"RandomSearch", "Noise"}
    assert all(row.access in ("ranking", "nothing") for row in found.attacks)
    assert (found.listed, found.pairs, found.best) == (2, None, [])
    why = {own.name: own.why for own in found.skipped}
    for name, needs in (("Square", "codes"), ("FewStep", "gradients"), ("RayS", "found")):
        assert why[name] == f"it needs {needs}, and the service answers with ranked lists alone"
    for row in found.attacks:
        assert row.asked is None or 1 <= row.asked <= 20
    least = 3 * 15 + sum(row.rate.of * (row.asked or 0) for row in found.attacks)
    assert least <= asked <= least + 30
    for row in found.pictures:
        listed = json.loads(_listing(images)(_pixels(out / row.file))[1])["ids"][:2]
        item = row.photograph if row.aim == "evasion" else row.other
        assert row.distance == (listed.index(item) if item in listed else 2)
    assert "among the first 2 that the search lists" in printed
    assert "allowed these lists, 20 questions a picture, and no more" in printed
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "places before it" in page
    assert "the search tells none of them" in page


def _pixels(path: Path) -> np.ndarray:
    return read_image(path, None).transpose(1, 2, 0)


def _run(monkeypatch: pytest.MonkeyPatch, server: Server, arguments: list[str]) -> int:
    """Run the command on a service, and return how many questions it asked."""
    asked = server.asked
    monkeypatch.setattr("sys.argv", ["hashprobe", "audit", "--model", server.address, *arguments])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 0
    return server.asked - asked


def test_a_service_whose_questions_are_used_up_keeps_what_was_measured(tmp_path: Path) -> None:
    images, out = photographs(tmp_path / "images", PHOTOS), tmp_path / "out"
    settings = AuditSettings(budgets=("32/255",), questions=(20,), queries=3, search=SearchSettings(top_k=2))
    names = find_photos(images).names
    with serving(_listing(images)) as server:
        with pytest.raises(HashprobeError, match=r"was asked the 40 questions that it may be asked"):
            audit(
                open_service(f"{server.address},questions=40", names=names),
                images,
                out=out,
                settings=settings,
            )
        kept = {path: path.read_bytes() for path in (out / "cells").iterdir()}
        assert 3 <= len(kept) < 15
        found = audit(open_service(server.address, names=names), images, out=out, settings=settings)
    assert len(found.edits) == 15
    assert sum(path.read_bytes() == bytes_ for path, bytes_ in kept.items()) >= len(kept) - 1


@pytest.mark.parametrize(
    ("ids", "settings", "sentence"),
    [
        (
            ["elsewhere/1.jpg"],
            {},
            "lists none of the photographs that it was asked about; its ids must be their names",
        ),
        (None, {"threshold": 3}, "--threshold: the service tells no distances"),
        (None, {"access": "codes"}, "--access codes: the service answers with ranked lists alone"),
        (None, {"search": SearchSettings(index="faiss-flat")}, "--index: the service gives no codes"),
        (
            None,
            {"search": SearchSettings(top_k=PHOTOS)},
            "of 12 stored photographs every one is among the first 12",
        ),
    ],
)
def test_what_cannot_be_asked_of_lists_is_one_sentence(
    ids: list[str] | None, settings: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    images = photographs(tmp_path / "images", PHOTOS)
    reply = _listing(images) if ids is None else lambda picture: (200, json.dumps({"ids": ids}).encode())
    with serving(reply) as server:
        service = open_service(server.address, names=find_photos(images).names)
        with pytest.raises(HashprobeError, match=sentence):
            audit(service, images, out=tmp_path / "out", settings=AuditSettings(**settings))
