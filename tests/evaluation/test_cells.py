"""Cells: how they are read and named, which make a table, how they are kept, and that results never shrink."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hashprobe.attacks import DHTA, FGSM, Noise
from hashprobe.data import ImageRows, Split
from hashprobe.errors import HashprobeError
from hashprobe.evaluation import (
    CellSpec,
    CellStore,
    Evaluator,
    Measured,
    cells_under,
    check_cells,
    measure,
    measure_table,
)
from hashprobe.evaluation.cells import table
from hashprobe.files import read_json, read_json_lines
from hashprobe.targets import PrototypeNet
from hashprobe.trained import Trained
from helpers import conv_model, linear_model, tiny_data

BITS = 12


class TestReading:
    def test_goal_and_code_may_be_among_the_settings(self) -> None:
        assert CellSpec.read("FGSM") == CellSpec(attack="FGSM")
        read = CellSpec.read("DHTA:steps=20,epsilon=8/255,goal=untargeted,code=anchor", gallery=True)
        numbers = {"steps": 20, "epsilon": 8 / 255}
        assert read == CellSpec(
            attack="DHTA", goal="untargeted", code="anchor", settings=numbers, gallery=True
        )
        assert read.build({}) == DHTA(steps=20)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("FGSM:steps", "--attack FGSM: expected NAME=VALUE, as in epochs=3; found 'steps'"),
            ("DHTA:steps=1,steps=2", "--attack DHTA: steps is given twice; give it once"),
            ("DHTA:steps=[1]", r"DHTA: steps must be one value; found \[1\]"),
            ("DHTA:step=3", "no setting of DHTA is named 'step'; did you mean 'steps'"),
            ("DHTA:steps=2.5", "DHTA: steps must be a whole number; found 2.5"),
            ("DHTA:steps=0", "steps must be a whole number of at least 1; found 0"),
            ("DHTA:epsilon=much", "DHTA: epsilon must be a number or none; found 'much'"),
            ("DHTA:attacked_model=x", "no setting of DHTA is named 'attacked_model'"),
            ("FSGM", "no attack is named 'FSGM'; did you mean 'FGSM'"),
            ("FGSM:goal=untarget", "no goal is named 'untarget'; did you mean 'untargeted'"),
            ("FGSM:code=ancor", "no target code is named 'ancor'; did you mean 'anchor'"),
            (
                "ProS-GAN",
                r"ProS-GAN has to be trained first; give the folder that train-attack wrote \(--trained\)",
            ),
            ("ProS-GAN:goal=untargeted", "ProS-GAN has no untargeted form; its goal must be targeted"),
            ("FGSM:code=own", "code=own is where a query is, so it can only be left: give goal=untargeted"),
            ("FGSM:code=none", "FGSM needs a code to reach or to leave; give code= one of .*own, "),
            ("FGSM:code=prototype", r"prototype has to be trained first; give the folder .* \(--trained\)"),
            (
                "Noise:code=anchor",
                "Noise is told no code when it attacks, so code=anchor would be ignored; leave it",
            ),
            ("ProS-GAN:code=mainstay", "ProS-GAN is told no code when it attacks, so code=mainstay would be"),
            (
                "Surrogate:code=mainstay",
                "Surrogate is told no code when it attacks, so code=mainstay would be",
            ),
        ],
    )
    def test_what_is_wrong_is_said_in_a_sentence(self, text: str, message: str) -> None:
        with pytest.raises(HashprobeError, match=message):
            check_cells([CellSpec.read(text)], {}, "")

    def test_the_same_attack_twice_is_refused_by_whatever_words(self) -> None:
        twice = [CellSpec(attack="FGSM"), CellSpec.read("FGSM:epsilon=8/255,goal=targeted")]
        with pytest.raises(HashprobeError, match="FGSM is given twice with the same settings; give it once"):
            check_cells(twice, {}, "")
        other = [CellSpec.read("FGSM:goal=untargeted"), CellSpec.read("FGSM:code=p2p")]
        check_cells([twice[0], *other], {}, "")

    def test_one_attack_by_two_names_is_given_twice(self) -> None:
        for same in ("I-FGSM:steps=100", "I-FGSM:code=anchor"):
            with pytest.raises(HashprobeError, match="I-FGSM is given twice with the same settings"):
                check_cells([CellSpec(attack="I-FGSM"), CellSpec.read(same)], {}, "")

    def test_two_attacks_of_one_name_are_refused_for_what_they_are(self) -> None:
        alike = [CellSpec.read(f"FGSM:epsilon={epsilon}") for epsilon in ("0.1", "0.10001")]
        with pytest.raises(
            HashprobeError, match=r"FGSM and FGSM would both be the row fgsm-25\.5of255-targeted; "
        ):
            check_cells(alike, {}, "")

    @pytest.mark.parametrize("attack", ["FGSM", "CodeGenerator"])
    def test_a_code_of_another_model_means_nothing(
        self, attack: str, trained: Callable[[str], Trained]
    ) -> None:
        spec = [CellSpec.read(f"{attack}:code=prototype")]
        own = {name: trained(name) for name in ("CodeGenerator", "prototype")}
        check_cells(spec, own, conv_model(BITS).sha256())
        with pytest.raises(
            HashprobeError, match=f"{attack}: the code 'prototype' was trained on another mod"
        ):
            check_cells(spec, own, conv_model(BITS, seed=1).sha256())
        with pytest.raises(HashprobeError, match="prototype has to be trained first"):
            check_cells(spec, {"CodeGenerator": own["CodeGenerator"]}, conv_model(BITS).sha256())

    def test_of_a_learned_code_only_that_one_is_taken(self, trained: Callable[[str], Trained]) -> None:
        learned = trained("Universal")
        code = learned.settings.target_code
        check_cells([CellSpec(attack="Universal", code=code)], {"Universal": learned}, learned.attacked_model)
        with pytest.raises(
            HashprobeError,
            match=f"Universal learned {code} codes, so code=mainstay would be ignored; .* target_code=mainstay",
        ):
            CellSpec(attack="Universal", code="mainstay").build({"Universal": learned})

    def test_a_row_names_the_code_that_was_learned(self, trained: Callable[[str], Trained]) -> None:
        model, data = conv_model(BITS), tiny_data()
        learned = trained("Universal")
        settings = learned.settings.model_copy(update={"target_code": "mainstay"})
        learned = replace(learned, settings=settings)
        evaluator = Evaluator(model, data, seed=0, trained=[learned])
        (row,) = measure(CellSpec(attack="Universal"), "paper", evaluator).rows
        assert row.code == "mainstay"


class TestNames:
    @pytest.mark.parametrize(
        ("spec", "protocol", "name", "title", "code"),
        [
            (CellSpec(), "paper", "original-paper", "Original", "none"),
            (CellSpec(goal="untargeted"), None, "original-untargeted", "Original", "none"),
            (CellSpec(code="p2p"), "paper", "p2p-code-paper", "P2P code", "p2p"),
            (CellSpec(goal="untargeted", code="own"), None, "own-code-untargeted", "Own code", "own"),
            ("Noise", "paper", "noise-8of255-paper", "Noise", "none"),
            ("Noise:goal=untargeted", None, "noise-8of255-untargeted", "Noise", "none"),
            ("Noise:epsilon=none", "single", "noise-unbounded-single", "Noise", "none"),
            ("DHTA:steps=20", "paper", "dhta-8of255-steps20-paper", "DHTA", "anchor"),
            (
                "DHTA:epsilon=0.1,step_size=0.5",
                "paper",
                "dhta-25.5of255-step_size0.5-paper",
                "DHTA",
                "anchor",
            ),
            ("P2P:steps=20", "paper", "p2p-8of255-steps20-paper", "P2P", "p2p"),
            ("P2P:goal=untargeted", None, "p2p-8of255-untargeted", "P2P", "own"),
            ("FGSM:code=p2p", "disjoint", "fgsm-p2p-8of255-disjoint", "FGSM", "p2p"),
            ("FGSM:goal=untargeted", None, "fgsm-8of255-untargeted", "FGSM", "own"),
            ("FGSM:goal=untargeted,code=anchor", None, "fgsm-anchor-8of255-untargeted", "FGSM", "anchor"),
            ("ProS-GAN", "disjoint", "pros-gan-unbounded-disjoint", "ProS-GAN", "prototype"),
            ("ProS-GAN:epsilon=8/255", "paper", "pros-gan-8of255-paper", "ProS-GAN", "prototype"),
            ("ProS-GAN:epsilon=none", "paper", "pros-gan-unbounded-paper", "ProS-GAN", "prototype"),
            (
                "FewStep:last_step_size=none",
                "paper",
                "fewstep-8of255-last_step_sizenone-paper",
                "FewStep",
                "anchor",
            ),
        ],
    )
    def test_say_what_tells_a_cell_from_others(
        self,
        spec: CellSpec | str,
        protocol: str | None,
        name: str,
        title: str,
        code: str,
        trained: Callable[[str], Trained],
    ) -> None:
        spec = CellSpec.read(spec) if isinstance(spec, str) else spec
        attack = spec.build({"ProS-GAN": trained("ProS-GAN")} if spec.needs else {}) if spec.attack else None
        assert spec.row_name(attack, protocol) == name
        assert (spec.title, spec.code_name) == (title, code)

    def test_what_a_cell_needs(self) -> None:
        needs = {
            text: CellSpec.read(text).needs for text in ("FGSM", "ProS-GAN", "FGSM:code=prototype", "Noise")
        }
        own = {"FGSM": (), "ProS-GAN": ("ProS-GAN",), "FGSM:code=prototype": ("prototype",), "Noise": ()}
        assert needs == own
        assert CellSpec(code="prototype").needs == ("prototype",)
        assert CellSpec(attack="CodeGenerator", code="prototype").needs == ("prototype", "CodeGenerator")
        assert CellSpec(attack="Universal", code="prototype").needs == ("Universal",), "it learned its codes"

    def test_a_setting_that_is_given_counts_where_a_training_says_what_is_usual(self) -> None:
        for attack, same in (("FGSM", True), ("CodeGenerator", False)):
            given, left = CellSpec.read(f"{attack}:epsilon=8/255"), CellSpec(attack=attack)
            assert (given.identity() == left.identity()) is same


class TestTableOrder:
    def names(self, *texts: str, codes: tuple[str, ...] = ("p2p", "anchor")) -> list[str]:
        cells = cells_under([CellSpec.read(text) for text in texts], ("paper", "disjoint"), codes)
        return [spec.row_name(spec.build({}) if spec.attack else None, protocol) for spec, protocol in cells]

    def test_yardsticks_come_first_under_each_protocol(self) -> None:
        own = ["original", "p2p-code", "anchor-code", "noise-8of255", "fgsm-8of255"]
        assert self.names("Noise", "FGSM") == [
            f"{name}-{under}" for under in ("paper", "disjoint") for name in own
        ]
        assert self.names(codes=()) == ["original-paper", "original-disjoint"]

    def test_nothing_is_given_twice(self) -> None:
        for protocols, codes, message in (
            (("paper", "paper"), (), "the protocol paper is given twice; give it once"),
            (("paper",), ("p2p", "p2p"), "the target code p2p is given twice; give it once"),
        ):
            with pytest.raises(HashprobeError, match=message):
                cells_under([], protocols, codes)
        with pytest.raises(HashprobeError, match="Original is given twice with the same settings"):
            cells_under([CellSpec()], ("paper",))

    def test_untargeted_cells_come_once_with_the_ends_of_their_codes(self) -> None:
        texts = (
            "Noise:goal=untargeted",
            "FGSM:goal=untargeted",
            "I-FGSM:goal=untargeted",
            "FGSM:goal=untargeted,code=p2p",
        )
        own = [
            "original",
            "own-code",
            "p2p-code",
            "noise-8of255",
            "fgsm-8of255",
            "i-fgsm-8of255",
            "fgsm-p2p-8of255",
        ]
        untargeted = [f"{name}-untargeted" for name in own]
        assert self.names(*texts) == untargeted
        assert self.names(*texts, "FGSM", codes=())[4:] == untargeted
        assert self.names(*texts, "FGSM", codes=())[:4] == [
            f"{name}-{under}" for under in ("paper", "disjoint") for name in ("original", "fgsm-8of255")
        ]


def evaluator(seed: int = 0) -> Evaluator:
    return Evaluator(linear_model(BITS, seed=seed), tiny_data(queries=5), seed=0)


@pytest.fixture
def measured() -> Measured:
    return measure(CellSpec(attack="FGSM"), "paper", evaluator())


class TestStore:
    def test_a_cell_comes_back(self, measured: Measured, tmp_path: Path) -> None:
        store = CellStore(tmp_path)
        assert store.find("name", "k" * 64) is None
        store.keep("name", "k" * 64, measured, seconds=1.0)
        found = store.find("name", "k" * 64)
        assert found is not None
        assert found.rows == measured.rows
        assert found.curves == measured.curves
        assert found.queries == measured.queries
        assert [one.row for one in found.queries] == [row.row for row in found.rows]
        assert np.array_equal(found.codes, measured.codes)
        assert store.find("name", "l" * 64) is None
        assert store.find("other", "k" * 64) is None

    @pytest.mark.parametrize("damage", ["format", "rows", "codes", "curves", "row", "odd codes", "list"])
    def test_a_damaged_one_is_one_sentence(self, damage: str, measured: Measured, tmp_path: Path) -> None:
        store = CellStore(tmp_path)
        store.keep("name", "key", measured)
        path = store.path("name", "key")
        content: Any = read_json(path)
        if damage == "format":
            content["format"] = "hashprobe.cell/0"
        elif damage == "row":
            content["rows"][0]["t_map"] = 70.0
        elif damage == "odd codes":
            content["codes"] = content["codes"][:-3]
        elif damage == "list":
            content = [content]
        else:
            del content[damage]
        path.write_text(json.dumps(content))
        with pytest.raises(
            HashprobeError, match=r"is damaged; delete it, and the cell is measured again\.$"
        ) as raised:
            store.find("name", "key")
        assert "\n" not in str(raised.value)
        assert str(path) in str(raised.value)


class Killed(Exception):
    """Stands for a kill between two cells."""


@pytest.fixture
def measuring(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Returns the list of cells that are measured from now on; the one after ``most`` of them is killed."""

    def watch(most: int | None = None) -> list[str]:
        made: list[str] = []

        def counted(spec: CellSpec, protocol: str | None, *given: Any, **named: Any) -> Measured:
            if len(made) == most:
                raise Killed
            made.append(f"{spec.attack or spec.code} {protocol}")
            return measure(spec, protocol, *given, **named)

        monkeypatch.setattr(table, "measure", counted)
        return made

    return watch


SPECS = [
    CellSpec(attack="Noise", gallery=True),
    CellSpec(attack="FGSM"),
    CellSpec(attack="FGSM", goal="untargeted"),
]


def tabled(folder: Path, specs: list[CellSpec] = SPECS, **given: Any) -> list[str]:
    models = given.pop("models", None) or {"model": evaluator()}
    cells = measure_table(folder, models, specs, ["paper"], pictures=2, **given)
    return [row.row for cell in cells for row in cell.rows]


def results(folder: Path) -> list[str]:
    return [row["row"] for row in read_json_lines(folder / "results.jsonl")]


WHOLE = [
    "original-paper",
    "p2p-code-paper",
    "anchor-code-paper",
    "noise-8of255-paper",
    "fgsm-8of255-paper",
    "original-untargeted",
    "own-code-untargeted",
    "fgsm-8of255-untargeted",
]


class TestTable:
    def test_is_written_in_its_order_and_measured_once(
        self, measuring: Callable[..., list[str]], tmp_path: Path
    ) -> None:
        said: list[str] = []
        assert tabled(tmp_path, say=said.append) == WHOLE == results(tmp_path)
        assert [line.partition(":")[0] for line in said] == WHOLE
        assert "t-MAP" in said[0]
        assert "chance" in said[0]
        assert [curve["row"] for curve in read_json_lines(tmp_path / "curves.jsonl")] == WHOLE
        gallery = read_json(tmp_path / "gallery" / "gallery.json")
        assert [entry["row"] for entry in gallery["entries"]] == ["noise-8of255-paper"] * 2
        before = (tmp_path / "results.jsonl").read_bytes()
        made = measuring()
        assert tabled(tmp_path) == WHOLE
        assert made == []
        assert (tmp_path / "results.jsonl").read_bytes() == before
        assert read_json(tmp_path / "gallery" / "gallery.json") == gallery

    def test_a_kill_loses_no_row_and_what_is_missing_is_measured(
        self, measuring: Callable[..., list[str]], tmp_path: Path
    ) -> None:
        measuring(most=2)
        with pytest.raises(Killed):
            tabled(tmp_path)
        assert results(tmp_path) == WHOLE[:2]
        made = measuring(most=1)
        with pytest.raises(Killed):
            tabled(tmp_path)
        assert made == ["anchor paper"]
        assert results(tmp_path) == WHOLE[:3]
        measuring()
        assert tabled(tmp_path) == WHOLE

    def test_results_never_shrink_while_new_cells_are_measured_before_the_old_ones(
        self, measuring: Callable[..., list[str]], tmp_path: Path
    ) -> None:
        tabled(tmp_path)
        more = [CellSpec(attack="I-FGSM", settings={"steps": 2}), CellSpec(attack="FGSM", code="p2p"), *SPECS]
        new = ["i-fgsm-8of255-steps2-paper", "fgsm-p2p-8of255-paper"]
        for most, there in ((0, []), (1, new[:1])):
            measuring(most)
            with pytest.raises(Killed):
                tabled(tmp_path, more)
            assert results(tmp_path) == [*WHOLE[:3], *there, *WHOLE[3:]]
        made = measuring()
        assert tabled(tmp_path, more) == [*WHOLE[:3], *new, *WHOLE[3:]]
        assert made == ["FGSM paper"]

    def test_a_new_version_is_measured_again_and_nothing_else(
        self, measuring: Callable[..., list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tabled(tmp_path)
        monkeypatch.setattr(FGSM, "VERSION", 3)
        made = measuring()
        assert tabled(tmp_path) == WHOLE
        assert made == ["FGSM paper", "FGSM None"]
        made = measuring()
        tabled(tmp_path, models={"model": evaluator(seed=1)})
        assert len(made) == len(WHOLE), "another model"

    def test_other_pictures_under_the_same_names_are_other_cells(
        self, measuring: Callable[..., list[str]], tmp_path: Path
    ) -> None:
        data = tiny_data(queries=5)
        tabled(tmp_path, models={"model": Evaluator(conv_model(BITS), data, seed=0)})
        split = data.database
        darker = Split(ImageRows(split.images[:] // 2), split.labels, split.names)
        made = measuring()
        tabled(
            tmp_path, models={"model": Evaluator(conv_model(BITS), replace(data, database=darker), seed=0)}
        )
        assert len(made) == len(WHOLE)

    def test_a_new_version_has_its_own_picture_in_the_gallery(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def change(self: Noise, victim: Any, images: Any, *given: Any) -> Any:
            return images + 4 / 255

        def pictures() -> list[np.ndarray]:
            tabled(tmp_path, SPECS[:1])
            entries = read_json(tmp_path / "gallery" / "gallery.json")["entries"]
            found = [
                np.asarray(Image.open(tmp_path / "gallery" / one["adversarial_image"])) for one in entries
            ]
            for one, picture in zip(entries, found, strict=True):
                code = linear_model(BITS).codes(picture.transpose(2, 0, 1)[None])[0]
                assert code.tobytes().hex() == one["code_hex"]
            return found

        before = pictures()
        monkeypatch.setattr(Noise, "VERSION", 99)
        monkeypatch.setattr(Noise, "perturb", change)
        assert not np.array_equal(before, pictures())

    def test_of_a_trained_attack_its_bytes_count(
        self, measuring: Callable[..., list[str]], tmp_path: Path, trained: Callable[[str], Trained]
    ) -> None:
        attack: Any = trained("ProS-GAN")
        other = replace(attack, prototype=replace(attack.prototype, network=PrototypeNet(3, BITS, hidden=8)))
        specs = [CellSpec(attack="ProS-GAN")]
        for one, expected in ((attack, 5), (attack, 0), (other, 2)):
            made = measuring()
            models = {"model": Evaluator(conv_model(BITS), tiny_data(queries=5), seed=0, trained=[one])}
            rows = tabled(tmp_path, specs, models=models)
            assert rows == [*WHOLE[:3], "prototype-code-paper", "pros-gan-unbounded-paper"]
            assert len(made) == expected

    def test_several_models_are_scored_on_each_others_images(
        self, measuring: Callable[..., list[str]], tmp_path: Path
    ) -> None:
        models = {"a": evaluator(), "b": evaluator(seed=1)}
        rows = tabled(tmp_path, SPECS[1:], models=models)
        pairs = [(source, target) for source in "ab" for target in "ab"]
        assert rows == results(tmp_path)
        assert rows == [
            f"fgsm-8of255-{source}-to-{target}-{under}"
            for under in ("paper", "untargeted")
            for source, target in pairs
        ]
        links = read_json_lines(tmp_path / "transfer.jsonl")
        assert [(link["from"], link["to"]) for link in links] == pairs * 2
        made = measuring()
        assert tabled(tmp_path, SPECS[1:], models=models) == rows
        assert made == []
        alone = measure(SPECS[1], "paper", evaluator(seed=1)).rows[0]
        assert read_json_lines(tmp_path / "results.jsonl")[3]["t_map"] == alone.t_map
