"""The verbs, walked one after the other on a few small scenes."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import PROSGAN, SCENES, TRAINING, call, rows_of, without_times
from PIL import Image
from safetensors.torch import load_file, save_file

import hashprobe as hp
from hashprobe.evaluation import CellStore, Evaluator
from hashprobe.files import read_json, read_json_lines
from hashprobe.trained import load_trained


def scenes() -> hp.data.RetrievalData:
    """The data of ``SCENES``, loaded from Python."""
    return hp.data.load("openmoji", image_size=32, seed=0, queries=6, database=40, train=24)


def refuse(*arguments: object, **keywords: object) -> None:
    raise AssertionError("this was done before")


def test_trainings_leave_what_the_library_loads(walked: Path) -> None:
    assert hp.HashModel.load(walked / "bits8").bits == 8
    prosgan = load_trained(walked / "prosgan", kind="ProS-GAN")
    assert prosgan.facts() == {"bits": 12, "classes": scenes().classes, "image_size": 32}
    assert list(prosgan.parts()) == ["prototype"]
    assert prosgan.parts()["prototype"].settings.steps == 2
    settings = read_json(walked / "prosgan" / "experiment.json")["settings"]
    assert (settings["ProS-GAN"]["epochs"], settings["prototype"]["steps"]) == (1, 2)
    alone = load_trained(walked / "prototype", kind="prototype")
    assert alone.attacked_model == hp.HashModel.load(walked / "bits8").sha256()
    assert {log.name for log in walked.glob("*/training/*.jsonl")} == {
        "hash-model.jsonl",
        "prosgan.jsonl",
        "prototype.jsonl",
    }
    assert not list(walked.rglob("checkpoint.safetensors"))


def test_a_finished_training_is_not_repeated(walked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hashprobe.experiments.models.train_hash_model", refuse)
    monkeypatch.setattr(hp.attacks.ProSGAN, "train", refuse)
    monkeypatch.setattr(hp.targets.PrototypeCode, "train", refuse)
    assert call("train-hash", *SCENES, *TRAINING, "--bits", 8, "--out", walked / "bits8") == 0
    again = ["train-attack", "ProS-GAN", *SCENES, "--model", walked / "bits12"]
    assert call(*again, *PROSGAN, "--out", walked / "prosgan") == 0


def test_a_training_takes_the_prototype_that_it_is_given(
    walked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hp.targets.PrototypeCode, "train", refuse)
    command = ["train-attack", *SCENES, "--model", walked / "bits8", *PROSGAN, "--out", tmp_path]
    assert call(*command, "--trained", walked / "prototype") == 0
    made = load_trained(tmp_path, kind="ProS-GAN")
    assert made.parts()["prototype"].sha256() == load_trained(walked / "prototype").sha256()


def test_evaluate_writes_rows_and_a_report(
    walked: Path, figures: None, capsys: pytest.CaptureFixture[str]
) -> None:
    attacks = ["I-FGSM:steps=2,code=p2p", "ProS-GAN:epsilon=8/255", "FGSM:code=prototype"]
    command = ["evaluate", *SCENES, "--model", walked / "bits12", "--trained", walked / "prosgan"]
    command += [part for attack in attacks for part in ("--attack", attack)]
    assert call(*command, "--protocol", "disjoint", "--gallery", 2, "--out", walked / "rows") == 0
    rows = rows_of(walked / "rows")
    assert [(row.attack, row.code) for row in rows] == [
        ("Original", "none"),
        ("P2P code", "p2p"),
        ("Anchor code", "anchor"),
        ("Prototype code", "prototype"),
        ("I-FGSM", "p2p"),
        ("ProS-GAN", "prototype"),
        ("FGSM", "prototype"),
    ]
    assert all(row.linf is None or 0 < row.linf <= 8 / 255 + 1e-6 for row in rows)
    assert all(row.attacked_model is None for row in rows)
    assert (walked / "rows" / "report.html").stat().st_size > 10_000
    assert list((walked / "rows" / "figures").glob("*.pdf"))
    entries = read_json(walked / "rows" / "gallery" / "gallery.json")["entries"]
    assert {entry["row"] for entry in entries} == {row.row for row in rows if row.is_attack}
    assert "t-MAP in percent" in capsys.readouterr().out
    assert call("report", walked / "rows", "--text") == 0
    assert "ProS-GAN" in capsys.readouterr().out


def test_a_mixed_run_scores_each_attack_by_its_goal(
    walked: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["evaluate", *SCENES, "--model", walked / "bits8", "--protocol", "paper", "--gallery", 1]
    attacks = ["--attack", "I-FGSM:steps=2", "--attack", "I-FGSM:steps=2,goal=untargeted"]
    assert call(*command, *attacks, "--out", tmp_path) == 0
    said = capsys.readouterr().out
    assert said.index("t-MAP in percent") < said.index("Untargeted: MAP in percent")
    targeted, untargeted = (row for row in rows_of(tmp_path) if row.attack == "I-FGSM")
    assert (targeted.goal, targeted.protocol, targeted.code) == ("targeted", "paper", "anchor")
    assert targeted.t_map is not None
    assert (untargeted.goal, untargeted.protocol, untargeted.code) == ("untargeted", None, "own")
    assert untargeted.map is not None
    assert untargeted.map_low is not None
    assert untargeted.map_high is not None
    assert untargeted.map_low <= untargeted.map <= untargeted.map_high
    assert (untargeted.t_map, untargeted.t_map_low, untargeted.t_map_high) == (None, None, None)
    assert (untargeted.chance, untargeted.t_map_png) == (None, None)
    assert untargeted.map_png is not None
    # The unchanged queries are the yardstick of both, and have the same MAP as the model.
    originals = [row for row in rows_of(tmp_path) if row.is_original]
    assert [row.map == row.map_benign for row in originals] == [True, True]
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    still = page[page.index("<noscript>") :]
    assert "targeted" in still
    assert "untargeted" in still.replace("is_untargeted", "")


def test_an_index_searches_in_place_of_the_scan(walked: Path, tmp_path: Path) -> None:
    command = ["evaluate", *SCENES, "--model", walked / "bits8", "--attack", "FGSM", "--protocol", "paper"]
    command += ["--gallery", 0]
    index = ["--index", "faiss-hnsw:search_width=40,links=16", "--top-k", 10]
    assert call(*command, *index, "--out", tmp_path / "hnsw") == 0
    assert call(*command, "--top-k", 10, "--out", tmp_path / "scan") == 0
    found, exact = rows_of(tmp_path / "hnsw"), rows_of(tmp_path / "scan")
    assert {(row.index, row.top_k, row.index_recall) for row in exact} == {("scan", 10, None)}
    assert {(row.index, row.top_k) for row in found} == {("faiss-hnsw", 10)}
    # So few items are all linked with each other: the graph finds what the scan finds, but for equal distances.
    assert all(row.index_recall == 1 for row in found)
    assert found[-1].score_name == exact[-1].score_name == "t-MAP@10"
    assert call(*command, "--index", "faiss-hnsw", "--out", tmp_path / "hnsw") == 2, (
        "it is another experiment"
    )


def test_without_a_gallery_no_picture_is_written(walked: Path, tmp_path: Path) -> None:
    command = ["evaluate", *SCENES, "--model", walked / "bits8", "--attack", "FGSM", "--protocol", "single"]
    assert call(*command, "--gallery", 0, "--out", tmp_path) == 0
    assert not (tmp_path / "gallery").exists()
    assert (tmp_path / "report.html").exists()


def test_a_killed_evaluation_goes_on_with_the_same_command(
    walked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["evaluate", *SCENES, "--model", walked / "bits8", "--protocol", "paper", "--gallery", 0]
    for attack in ("FGSM", "I-FGSM:steps=2", "FGSM:goal=untargeted"):
        command += ["--attack", attack]
    assert call(*command, "--out", tmp_path / "whole") == 0
    attack, write = Evaluator.attack, CellStore.write_results
    calls: list[str] = []
    lines: list[int] = []

    def stop_at_the_second(self: Evaluator, *arguments: Any, **keywords: Any) -> Any:
        calls.append(keywords["title"])
        if len(calls) == 2:
            raise KeyboardInterrupt
        return attack(self, *arguments, **keywords)

    def count_lines(self: CellStore, *arguments: Any) -> None:
        write(self, *arguments)
        lines.append(len(read_json_lines(self.folder / "results.jsonl")))

    monkeypatch.setattr(Evaluator, "attack", stop_at_the_second)
    monkeypatch.setattr(CellStore, "write_results", count_lines)
    out = tmp_path / "killed"
    assert call(*command, "--out", out) == 130
    assert call(*command, "--out", out) == 0
    names = ["fgsm-8of255-paper", "i-fgsm-8of255-steps2-paper", "fgsm-8of255-untargeted"]
    assert calls == [names[0], names[1], *names[1:]]
    assert lines == sorted(lines)
    assert without_times(rows_of(out)) == without_times(rows_of(tmp_path / "whole"))
    took = read_json(out / "experiment.json")["seconds"]
    assert (
        call(*command, "--out", out) == 0
    )  # there is nothing left to do, and the time that it took is still said
    assert len(calls) == 4
    assert read_json(out / "experiment.json")["seconds"]["attacks"] >= took["attacks"]


def test_the_call_from_python_gives_what_the_verb_gives(walked: Path, tmp_path: Path) -> None:
    command = ["evaluate", *SCENES, "--model", walked / "bits12", "--trained", walked / "prosgan"]
    command += ["--attack", "ProS-GAN", "--attack", "I-FGSM:steps=2,goal=untargeted", "--protocol", "single"]
    assert call(*command, "--gallery", 1, "--out", tmp_path / "verb") == 0
    rows = hp.evaluate(
        hp.HashModel.load(walked / "bits12"),
        scenes(),
        attacks=["ProS-GAN", "I-FGSM:steps=2,goal=untargeted"],
        protocols=["single"],
        trained=[load_trained(walked / "prosgan")],
        gallery=1,
        out=tmp_path / "call",
    )
    assert without_times(rows) == without_times(rows_of(tmp_path / "verb"))
    assert rows == rows_of(tmp_path / "call")
    for file in ("report.html", "curves.jsonl", "gallery/gallery.json"):
        assert (tmp_path / "call" / file).exists()
    # The same experiment, whoever asks: each goes on in the other's folder.
    assert call(*command, "--gallery", 1, "--out", tmp_path / "call") == 0


def test_another_training_of_prosgan_is_another_experiment(
    walked: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = shutil.copytree(walked / "prosgan", tmp_path / "other")
    weights = load_file(other / "generator.safetensors")
    save_file({name: tensor + 1 for name, tensor in weights.items()}, other / "generator.safetensors")
    command = ["evaluate", *SCENES, "--model", walked / "bits12", "--attack", "ProS-GAN", "--gallery", 0]
    command += ["--protocol", "paper", "--out", tmp_path / "rows"]
    assert call(*command, "--trained", other) == 2
    assert "is damaged" in capsys.readouterr().err
    changed = load_trained(walked / "prosgan")
    with hp.hashing.frozen(changed.networks()["generator"]):
        for tensor in changed.networks()["generator"].parameters():
            tensor.add_(0.01)
    changed.save(other)
    assert call(*command, "--trained", walked / "prosgan") == 0
    assert call(*command, "--trained", other) == 2
    assert "holds another experiment" in capsys.readouterr().err


def test_an_attack_of_another_model_is_a_transfer_and_says_so(
    walked: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["evaluate", *SCENES, "--model", walked / "bits8", "--attack", "ProS-GAN", "--gallery", 0]
    command += ["--trained", walked / "prosgan", "--protocol", "paper", "--out", tmp_path / "rows"]
    assert call(*command) == 2
    said = capsys.readouterr().err
    assert "this ProS-GAN was trained against another model" in said
    assert "--transfer" in said
    assert not (tmp_path / "rows").exists()
    assert call(*command, "--transfer") == 0
    rows = rows_of(tmp_path / "rows")
    assert "prototype-code-paper" not in [row.row for row in rows], "a code of another model is no yardstick"
    row = rows[-1]
    assert row.model == hp.HashModel.load(walked / "bits8").sha256()
    assert row.attacked_model == hp.HashModel.load(walked / "bits12").sha256()
    command[command.index("ProS-GAN")] = "FGSM:code=prototype"
    assert call(*command[:-1], tmp_path / "code", "--transfer") == 2
    assert "the code 'prototype' was trained on another model" in capsys.readouterr().err
    assert not (tmp_path / "code").exists()


def test_transfer_tells_attacks_apart_by_their_budget(walked: Path, tmp_path: Path) -> None:
    models = ["--model", walked / "bits8", "--model", walked / "bits12"]
    attacks = ["--attack", "I-FGSM:steps=2", "--attack", "I-FGSM:steps=2,epsilon=none"]
    assert call("transfer", *SCENES, *models, *attacks, "--out", tmp_path) == 0
    rows = rows_of(tmp_path)
    assert len({row.row for row in rows}) == 8
    assert {row.epsilon for row in rows} == {8 / 255, None}
    assert len({link["attack"] for link in read_json_lines(tmp_path / "transfer.jsonl")}) == 2


def test_transfer_scores_every_attack_on_every_model(walked: Path, tmp_path: Path) -> None:
    models = ["--model", walked / "bits8", "--model", walked / "bits12"]
    attacks = ["--attack", "I-FGSM:steps=2", "--attack", "I-FGSM:steps=2,goal=untargeted"]
    assert call("transfer", *SCENES, *models, *attacks, "--out", tmp_path / "both") == 0
    links = read_json_lines(tmp_path / "both" / "transfer.jsonl")
    pairs = [("bits8", "bits8"), ("bits8", "bits12"), ("bits12", "bits8"), ("bits12", "bits12")]
    assert [(link["from"], link["to"]) for link in links] == 2 * pairs
    assert [link["goal"] for link in links] == 4 * ["targeted"] + 4 * ["untargeted"]
    rows = rows_of(tmp_path / "both")
    sha256 = {name: hp.HashModel.load(walked / name).sha256() for name in ("bits8", "bits12")}
    for row, link in zip(rows, links, strict=True):
        assert row.model == sha256[link["to"]]
        assert row.attacked_model == (None if link["from"] == link["to"] else sha256[link["from"]])
    # On the attacked model itself, transfer says what evaluate says.
    direct = ["evaluate", *SCENES, "--model", walked / "bits8", *attacks, "--protocol", "disjoint"]
    assert call(*direct, "--gallery", 0, "--out", tmp_path / "direct") == 0
    own = [row for row in rows_of(tmp_path / "direct") if row.attack == "I-FGSM"]
    for alone, among in zip(own, (rows[0], rows[4]), strict=True):
        assert alone.without_times() | {"row": among.row} == among.without_times()


def test_in_a_transfer_each_model_finds_what_was_trained_against_it(
    walked: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = ["--model", walked / "bits8", "--model", walked / "bits12"]
    trained = ["--trained", walked / "prosgan", "--trained", walked / "prototype"]
    command = ["transfer", *SCENES, *models, *trained, "--attack", "FGSM:code=prototype"]
    assert call(*command, "--out", tmp_path / "rows") == 0
    assert [row.code for row in rows_of(tmp_path / "rows")] == 4 * ["prototype"]
    # The prototype of 12 bits lies within the ProS-GAN; given alone, that of 8 bits has no counterpart.
    alone = [*command[: command.index("--trained")], *trained[2:], "--attack", "FGSM:code=prototype"]
    assert call(*alone, "--out", tmp_path / "alone") == 2
    assert "hashprobe: model bits12: prototype has to be trained first" in capsys.readouterr().err
    assert not (tmp_path / "alone").exists()


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A picture of noise, not square."""
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "noise.png")
    return tmp_path / "noise.png"


def test_attack_writes_the_pictures_that_it_measured(walked: Path, picture: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = ["attack", picture, "--target", "dog", "--model", walked / "bits12", *SCENES]
    assert call(*command, "--attack", "I-FGSM:steps=2,epsilon=4/255", "--out", out) == 0
    (found,) = read_json(out / "pictures.json")
    written = np.asarray(Image.open(out / found["adversarial"])).astype(int)
    clean = np.asarray(Image.open(picture)).astype(int)
    assert written.shape == clean.shape, "it has the picture's own size"
    assert found["linf"] * 255 == pytest.approx(np.abs(written - clean).max())
    assert 0 < found["linf"] * 255 <= 4 + 1e-6
    assert len(found["nearest"]) == 10


def test_attack_goes_away_from_what_a_picture_retrieves(
    walked: Path, picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["attack", picture, "--model", walked / "bits12", *SCENES, "--out", tmp_path / "out"]
    attack = ["--attack", "I-FGSM:steps=20,step_size=16/255,epsilon=none,goal=untargeted"]
    assert call(*command, *attack, "--index", "faiss-hnsw") == 0
    (found,) = read_json(tmp_path / "out" / "pictures.json")
    assert found["target_label"] == []
    assert found["hits_before"] == 10, "all of what it retrieved is what it retrieved"
    assert found["bits_moved"] > 0
    assert found["hits"] < 10
    assert "of those found before" in capsys.readouterr().out


@pytest.mark.parametrize("attack", ["ProS-GAN:epsilon=2/255", "FewStep:start=ProS-GAN,steps=1,epsilon=2/255"])
def test_attack_with_what_was_trained(walked: Path, picture: Path, attack: str, tmp_path: Path) -> None:
    command = ["attack", picture, "--target", "dog", "--model", walked / "bits12", *SCENES]
    trained = ["--trained", walked / "prosgan", "--attack", attack]
    assert call(*command, *trained, "--out", tmp_path / "out") == 0
    (found,) = read_json(tmp_path / "out" / "pictures.json")
    assert 0 < found["linf"] * 255 <= 2 + 1e-6


def test_attack_takes_codes_that_were_encoded(
    walked: Path, picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = [*SCENES, "--data", "openmoji"]
    command = ["attack", picture, "--target", "dog", "--model", walked / "bits12", *SCENES]
    command += ["--attack", "I-FGSM:steps=2"]
    assert call(*command, "--out", tmp_path / "anew") == 0
    assert call("encode", "--model", walked / "bits12", *data, "--out", tmp_path / "codes") == 0
    codes = hp.HashModel.codes

    def few(self: hp.HashModel, images: Any, **options: Any) -> Any:
        assert len(images) < 40, "the database is not encoded again"
        return codes(self, images, **options)

    monkeypatch.setattr(hp.HashModel, "codes", few)
    assert call(*command, "--codes", tmp_path / "codes", "--out", tmp_path / "taken") == 0
    assert read_json(tmp_path / "taken" / "pictures.json") == read_json(tmp_path / "anew" / "pictures.json")
    assert call(*command, "--codes", walked, "--out", tmp_path / "none") == 2


def test_a_model_is_trained_with_a_defence(
    walked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from dataclasses import dataclass

    import torch

    from hashprobe.defences import DEFENCES, Defence
    from hashprobe.hashing import Batch

    monkeypatch.setattr(DEFENCES, "_things", dict(DEFENCES._things))
    seen: list[float] = []

    @DEFENCES.register("shrink")
    @dataclass(frozen=True, kw_only=True)
    class Shrink(Defence):
        """Shrinks the codes."""

        weight: float

        def __call__(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor | None]:
            seen.append(self.weight)
            relaxed = batch.relaxed(batch.images)
            return relaxed, self.weight * relaxed.square().mean()

    command = ["train-hash", *SCENES, *TRAINING, "--bits", 8, "--out", tmp_path / "model"]
    assert call(*command, "--defence", "shrink") == 2
    assert "the defence 'shrink' needs the setting 'weight'" in capsys.readouterr().err
    assert call(*command, "--defence", "shrink:weight=1,size=2") == 2
    assert "has no setting 'size'" in capsys.readouterr().err
    assert not (tmp_path / "model").exists()
    assert call(*command, "--defence", "shrink:weight=0.5") == 0
    assert set(seen) == {0.5}
    defended, plain = (hp.HashModel.load(folder) for folder in (tmp_path / "model", walked / "bits8"))
    assert defended.sha256() != plain.sha256()
    assert call(*command) == 2, "without the defence it is another training"


def test_data_is_built_and_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = ["--queries", 4, "--train", 8, "--image-size", 32]
    assert call("data", "build", "openmoji", "--out", tmp_path / "scenes", *sizes) == 0
    check = ["data", "check", "--data", tmp_path / "scenes", "--image-size", 32]
    check += ["--out", tmp_path / "audit.json"]
    assert call(*check) == 0
    assert read_json(tmp_path / "audit.json")["images"]["query"] == 4
    # A query that is listed in the database too is an error, and said as one.
    for kind in ("img", "label"):
        queries = (tmp_path / "scenes" / f"test_{kind}.txt").read_text().splitlines()
        with (tmp_path / "scenes" / f"database_{kind}.txt").open("a") as file:
            file.write(queries[0] + "\n")
    capsys.readouterr()
    assert call(*check) == 1
    assert "error" in capsys.readouterr().out


def test_bench_prints_ratios(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    sizes = ["--queries", 4, "--database", 200, "--repeats", 1, "--threads", 1]
    assert call("bench", "retrieval", *sizes, "--out", tmp_path / "bench.json") == 0
    assert "times ours" in capsys.readouterr().out
    assert read_json(tmp_path / "bench.json")["database"] == 200
