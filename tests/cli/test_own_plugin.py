"""A file of one's own with an attack, a goal and a model goes through every verb by its names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from commands import PROSGAN, SCENES, TRAINING, call, rows_of, without_times

import hashprobe as hp
from hashprobe import plugins
from hashprobe.attacks import ATTACKS
from hashprobe.errors import HashprobeError
from hashprobe.hashing import MODELS
from hashprobe.targets import GOALS, PROTOCOLS

PLUGIN = Path(__file__).with_name("own_plugin.py")


@contextmanager
def own_process() -> Iterator[None]:
    """Start without plugins, as a command of its own would, and forget afterwards what one registered."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plugins, "_files", {})
        for registry in (ATTACKS, GOALS, MODELS, PROTOCOLS):
            patch.setattr(registry, "_things", dict(registry._things))
        yield


def run(*arguments: object) -> int:
    """Run a command as a process of its own would."""
    with own_process():
        return call(*arguments)


def test_a_plugin_goes_through_every_verb_by_its_names(
    walked: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plugin, model = ["--plugin", PLUGIN], tmp_path / "own"
    assert run("list", "goals", *plugin) == 0
    assert "leave-class  Away from the anchor code of the query's own label." in capsys.readouterr().out
    assert run("list", "attacks", *plugin) == 0
    assert "(needs codes)" in next(
        line for line in capsys.readouterr().out.splitlines() if line.startswith("Fade")
    )

    train = ["train-hash", *plugin, "--model", "own-net", *SCENES, *TRAINING[2:], "--out", model]
    assert run(*train, "--set", "start=labels") == 2
    assert (
        "start = 'labels' needs a network that is a backbone and a linear hash layer"
        in capsys.readouterr().err
    )
    assert not model.exists()
    assert run(*train) == 0
    with pytest.raises(HashprobeError, match="own-net"):
        hp.HashModel.load(model)  # here nobody registered the name
    assert run("evaluate", "--model", model, *SCENES, "--out", tmp_path / "none") == 2
    assert "give --plugin with the file that registers it" in capsys.readouterr().err

    trained = tmp_path / "prosgan"
    assert run("train-attack", *plugin, *SCENES, "--model", model, *PROSGAN, "--out", trained) == 0

    attacks = ["Fade:amount=0.1,epsilon=none", "Fade:amount=0.1,goal=leave-class", "ProS-GAN"]
    options = [part for attack in attacks for part in ("--attack", attack)]
    rows = tmp_path / "rows"
    evaluate = ["evaluate", *plugin, *SCENES, "--model", model, "--trained", trained, *options]
    assert run(*evaluate, "--protocol", "paper", "--gallery", 1, "--out", rows) == 0
    towards, away = (row for row in rows_of(rows) if row.attack == "Fade")
    assert (towards.goal, towards.protocol, towards.code) == ("targeted", "paper", "anchor")
    assert (away.goal, away.protocol, away.code) == ("untargeted", None, "anchor")
    assert "leave-class" in away.row
    assert towards.questions == away.questions == 2
    assert towards.forward_passes == 0, "it asks for codes and never sees the network"
    assert away.linf is not None
    assert away.linf <= 8 / 255 + 1e-6

    # The untrained model by its name, beside the trained one and one that the verbs trained.
    models = ["--model", "own-net", "--model", model, "--model", walked / "bits12"]
    transfer = ["transfer", *plugin, *SCENES, *models, *options[:4], "--out", tmp_path / "transfer"]
    assert run(*transfer, "--protocol", "paper") == 0
    assert len(rows_of(tmp_path / "transfer")) == 2 * 3 * 3

    assert run("report", rows) == 0, "a report needs no plugin"
    assert "Fade" in (rows / "report.html").read_text(encoding="utf-8")
    capsys.readouterr()
    assert run("report", rows, "--text") == 0
    assert "Fade" in capsys.readouterr().out


def test_a_setting_without_a_default_is_asked_for(
    walked: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [
        "evaluate",
        "--plugin",
        PLUGIN,
        *SCENES,
        "--model",
        walked / "bits8",
        "--out",
        tmp_path / "out",
    ]
    assert run(*command, "--attack", "Fade") == 2
    assert "Fade needs the setting amount; give it after a colon, Fade:amount=…." in capsys.readouterr().err
    assert run(*command, "--attack", "Fade:amount=little") == 2
    assert "Fade: amount must be a number; found 'little'." in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_edited_plugin_is_measured_again_and_nothing_else_is(
    walked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "own_plugin.py"
    code = PLUGIN.read_text(encoding="utf-8")
    file.write_text(code, encoding="utf-8")
    command = ["evaluate", "--plugin", file, *SCENES, "--model", walked / "bits8", "--gallery", 0]
    command += ["--attack", "FGSM", "--attack", "Fade:amount=0.1", "--protocol", "paper"]
    attack, titles = hp.evaluation.Evaluator.attack, list[str]()

    def count(self, *arguments, **keywords):  # type: ignore[no-untyped-def]
        titles.append(keywords["title"])
        return attack(self, *arguments, **keywords)

    monkeypatch.setattr(hp.evaluation.Evaluator, "attack", count)
    out = tmp_path / "out"
    assert run(*command, "--out", out) == 0
    assert run(*command, "--out", out) == 0
    before = rows_of(out)
    assert titles == ["fgsm-8of255-paper", "fade-8of255-amount0.1-paper"]
    file.write_text(code.replace("first >= second", "first < second"), encoding="utf-8")
    assert run(*command, "--out", out) == 0
    assert titles[2:] == ["fade-8of255-amount0.1-paper"]
    after = rows_of(out)
    assert without_times(after)[:-1] == without_times(before)[:-1]
    assert after[-1].t_map_png != before[-1].t_map_png or after[-1].rms != before[-1].rms


def test_an_edited_model_is_measured_again(tmp_path: Path) -> None:
    file = tmp_path / "own_plugin.py"
    code = PLUGIN.read_text(encoding="utf-8")
    file.write_text(code, encoding="utf-8")
    command = ["evaluate", "--plugin", file, *SCENES, "--model", "own-net", "--gallery", 0]
    command += ["--attack", "FGSM", "--protocol", "paper", "--out", tmp_path / "out"]
    assert run(*command) == 0
    before = rows_of(tmp_path / "out")
    # The same tensors, and another network.
    file.write_text(code.replace("nn.ReLU()", "nn.Tanh()"), encoding="utf-8")
    assert run(*command) == 0
    after = rows_of(tmp_path / "out")
    assert [row.model for row in after] == [row.model for row in before]
    assert [row.map_benign for row in after] != [row.map_benign for row in before]
