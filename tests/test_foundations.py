"""Errors, files, registry, checkpoints, images and seeds: what everything else stands on."""

from __future__ import annotations

import hashlib
import io
from enum import Enum
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from torch import nn

from hashprobe import progress as progress_module
from hashprobe.checkpoint import Checkpoint
from hashprobe.described import described
from hashprobe.errors import HashprobeError, unknown_name
from hashprobe.files import read_json, read_json_lines, replacing, sha256_of, write_json, write_json_lines
from hashprobe.images import as_images, to_uint8
from hashprobe.progress import progress_bar
from hashprobe.registry import Registry
from hashprobe.seeds import derived_seed, numpy_generator, torch_generator
from hashprobe.text import plain
from hashprobe.weights import save_weights, weights_identity, weights_sha256


class TestErrors:
    def test_an_unknown_name_is_answered_with_the_nearest_known_one_whatever_its_case(self) -> None:
        error = unknown_name("attack", "ifgsm", ["I-FGSM", "DHTA"])
        assert str(error) == "no attack is named 'ifgsm'; did you mean 'I-FGSM'? Known: DHTA, I-FGSM."

    def test_a_far_name_is_answered_with_the_known_ones_alone(self) -> None:
        assert str(unknown_name("attack", "zzzz", ["DHTA"])) == "no attack is named 'zzzz'. Known: DHTA."

    def test_errors_are_value_errors(self) -> None:
        assert issubclass(HashprobeError, ValueError)


class TestRegistry:
    def test_keeps_the_order_and_finds_by_name(self) -> None:
        shapes: Registry[int] = Registry("shape")
        shapes.register("square")(4)
        shapes.register("circle")(0)
        assert list(shapes) == ["square", "circle"]
        assert len(shapes) == 2
        assert shapes["square"] == 4
        assert "circle" in shapes
        assert "line" not in shapes

    def test_names_the_nearest(self) -> None:
        shapes: Registry[int] = Registry("shape")
        shapes.register("square")(4)
        with pytest.raises(
            HashprobeError, match=r"no shape is named 'sqare'; did you mean 'square'\? Known: square\."
        ):
            shapes["sqare"]

    def test_makes_things_of_their_settings(self) -> None:
        colours: Registry[type[complex]] = Registry("colour")

        class Colour(complex):
            def __new__(cls, real: float, imag: float = 0.0) -> Colour:
                return super().__new__(cls, real, imag)

        colours.register("grey")(Colour)
        assert colours.make("grey", {"real": 2.0}) == 2
        with pytest.raises(HashprobeError, match="the colour 'grey' has no setting 'x'; it has real, imag"):
            colours.make("grey", {"real": 1.0, "x": 2})
        with pytest.raises(HashprobeError, match="the colour 'grey' needs the setting 'real'"):
            colours.make("grey", {})

    def test_a_name_is_given_once(self) -> None:
        shapes: Registry[int] = Registry("shape")
        shapes.register("square")(4)
        with pytest.raises(
            HashprobeError, match="the shape 'square' is registered already; choose another name"
        ):
            shapes.register("square")(5)
        assert shapes["square"] == 4

    def test_who_has_taken_a_name_is_said(self) -> None:
        shapes: Registry[type] = Registry("shape")
        shapes.register("square")(TestRegistry)
        with pytest.raises(HashprobeError, match=f"'square' is registered already by {__name__}; choose"):
            shapes.register("square")(TestFiles)

    def test_says_in_a_line_what_a_thing_is(self) -> None:
        class Square:
            """Four ``equal`` sides.

            And as many corners.
            """

        class Titled:
            """A class of titles."""

            title = "An instance's own title."

        class Silent: ...

        shapes: Registry[object] = Registry("shape")
        for name, thing in (("class", Square), ("instance", Titled()), ("silent", Silent)):
            shapes.register(name)(thing)
        assert [shapes.describe(name) for name in shapes] == [
            "Four equal sides.",
            "An instance's own title.",
            "",
        ]

    def test_says_what_a_thing_needs(self) -> None:
        class Access(Enum):
            NOTHING = ""
            GRADIENTS = "gradients"

        class Trained:
            access = Access.GRADIENTS
            requires = ("a generator", "prototypes")

        class Blind:
            access = Access.NOTHING

        class Worded:
            needs = "the extra lite"

        class WithMethod:
            def needs(self) -> str:
                return "nothing that a reader of the class wants to know"

        shapes: Registry[type] = Registry("shape")
        for thing in (Trained, Blind, Worded, WithMethod):
            shapes.register(thing.__name__)(thing)
        assert [shapes.needs(name) for name in shapes] == [
            "gradients, a generator, prototypes",
            "",
            "the extra lite",
            "",
        ]


class TestText:
    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("straße, 鳥, 🐦", "straße, 鳥, 🐦"),
            ("\x1b[31mred", r"\u001b[31mred"),
            ("gpj.\u202egnp", r"gpj.\u202egnp"),
            ("a\nb\tc\x9b", r"a\u000ab\u0009c\u009b"),
            ("\udcff", r"\udcff"),
        ],
    )
    def test_what_has_no_shape_is_made_visible(self, text: str, shown: str) -> None:
        assert plain(text) == shown


class TestFiles:
    def test_an_exception_leaves_the_old_file_and_nothing_else(self, tmp_path: Path) -> None:
        path = tmp_path / "result.txt"
        path.write_text("old")

        def fail() -> None:
            with replacing(path) as temporary:
                temporary.write_text("half of the n")
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            fail()
        assert path.read_text() == "old"
        assert list(tmp_path.iterdir()) == [path]

    def test_the_new_file_appears_at_the_end_with_its_parents(self, tmp_path: Path) -> None:
        path = tmp_path / "a" / "b" / "result.txt"
        with replacing(path) as temporary:
            temporary.write_text("new")
            assert not path.exists()
        assert path.read_text() == "new"
        assert list(path.parent.iterdir()) == [path]

    def test_a_refusal_of_the_operating_system_is_one_sentence(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("in the way")
        with pytest.raises(
            HashprobeError, match=r"could not write .*result\.txt: .*; what was there before is unchanged"
        ):
            write_json(tmp_path / "file" / "result.txt", 1)

    def test_json_comes_back(self, tmp_path: Path) -> None:
        value = {"name": "é", "numbers": [1, 2.5, None]}
        write_json(tmp_path / "value.json", value)
        assert read_json(tmp_path / "value.json") == value

    def test_json_has_no_nan(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="not JSON compliant"):
            write_json(tmp_path / "value.json", float("nan"))
        assert not (tmp_path / "value.json").exists()

    @pytest.mark.parametrize("odd", ["\u2028", "\u2029", "\x85", "\x0b", "\x1e", "\r"])
    def test_a_text_in_json_lines_may_hold_what_ends_a_line_elsewhere(self, tmp_path: Path, odd: str) -> None:
        rows = [{"name": f"images/d{odd}1.jpg"}, {"name": odd}]
        write_json_lines(tmp_path / "rows.jsonl", rows)
        assert read_json_lines(tmp_path / "rows.jsonl") == rows

    def test_json_lines_come_back_without_blank_lines(self, tmp_path: Path) -> None:
        path = tmp_path / "rows.jsonl"
        write_json_lines(path, [{"a": 1}, {"b": "é"}])
        path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")
        assert read_json_lines(path) == [{"a": 1}, {"b": "é"}]

    @pytest.mark.parametrize(
        ("text", "message"),
        [('{"a": 1}\n{"a": \n', "line 2 is not JSON"), ("[1]\n", "line 1 holds list, not a JSON object")],
    )
    def test_a_wrong_line_is_named(self, tmp_path: Path, text: str, message: str) -> None:
        (tmp_path / "rows.jsonl").write_text(text)
        with pytest.raises(HashprobeError, match=message):
            read_json_lines(tmp_path / "rows.jsonl")

    @pytest.mark.parametrize("read", [read_json, read_json_lines])
    def test_a_missing_file_is_named(self, tmp_path: Path, read: object) -> None:
        assert callable(read)
        with pytest.raises(HashprobeError, match=r"nowhere\.json does not exist"):
            read(tmp_path / "nowhere.json")

    def test_what_is_not_json_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "x.json").write_bytes(b"\x80\x04")
        with pytest.raises(HashprobeError, match=r"x\.json is not a UTF-8 text file \(byte 0\)"):
            read_json(tmp_path / "x.json")

    def test_sha256_tells_parts_apart_and_sorts_mappings(self) -> None:
        assert sha256_of("ab", "c") != sha256_of("a", "bc")
        assert sha256_of({"a": 1, "b": 2}) == sha256_of({"b": 2, "a": 1})
        assert sha256_of("a") == sha256_of(b"a")


class TestWeights:
    def test_a_fingerprint_is_over_facts_names_and_bytes_in_any_precision(self) -> None:
        module = nn.Linear(2, 1)
        with torch.no_grad():
            module.weight.copy_(torch.tensor([[1.0, 2.0]]))
            module.bias.copy_(torch.tensor([3.0]))
        one, rest = np.array([3], dtype=np.float32), np.array([1, 2], dtype=np.float32)
        content = b"facts" + b"bias" + one.tobytes() + b"weight" + rest.tobytes()
        assert weights_sha256(module, "facts") == hashlib.sha256(content).hexdigest()
        prints = {
            weights_sha256(module.to(dtype)) for dtype in (torch.float32, torch.bfloat16, torch.float16)
        }
        assert len(prints) == 3

    def test_a_file_is_known_by_its_bytes_wherever_it_lies(self, tmp_path: Path) -> None:
        for name in ("a", "b"):
            (tmp_path / name).write_bytes(b"weights")
        found = {weights_identity(str(tmp_path / name)) for name in ("a", "b")}
        assert found == {hashlib.sha256(b"weights").hexdigest()}
        (tmp_path / "b").write_bytes(b"other weights")
        assert weights_identity(str(tmp_path / "b")) not in found
        assert [weights_identity(name) for name in ("none", "bundled", "pretrained")] == [
            "none",
            "bundled",
            "pretrained",
        ]

    def test_a_file_that_is_missing_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(
            HashprobeError,
            match=r"weights '.*absent' are neither 'none', 'bundled', 'pretrained' nor a file\.",
        ):
            weights_identity(str(tmp_path / "absent"))

    @pytest.mark.parametrize("limit", [0, 4096])
    def test_a_full_disk_is_one_sentence_and_leaves_the_old_file(self, tmp_path: Path, limit: int) -> None:
        """The operating system refuses, as it does on a full disk: a limit on the size of files."""
        resource = pytest.importorskip("resource")
        _state(tmp_path / "c", "id", seed=1)[0].save({})
        before = (tmp_path / "c").read_bytes()
        large = Checkpoint(tmp_path / "c", "id", {"m": nn.Linear(100, 100)}, {})
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        for write in (lambda: large.save({}), lambda: save_weights(nn.Linear(100, 100), tmp_path / "c")):
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
            try:
                with pytest.raises(HashprobeError) as caught:
                    write()
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            said = str(caught.value)
            assert said.startswith(f"could not write {tmp_path / 'c'}: ")
            assert said.endswith("; what was there before is unchanged.")
        assert (tmp_path / "c").read_bytes() == before
        assert list(tmp_path.iterdir()) == [tmp_path / "c"]


class TestDescribed:
    def test_says_a_functions_full_name_or_what_an_object_prints(self) -> None:
        assert described(unknown_name) == "hashprobe.errors.unknown_name"
        assert described(nn.Linear(2, 3)) == "Linear(in_features=2, out_features=3, bias=True)"

    @pytest.mark.parametrize("thing", [lambda: None, object(), partial(unknown_name, "attack")])
    def test_what_says_nothing_is_refused(self, thing: object) -> None:
        with pytest.raises(HashprobeError, match="does not say what it is"):
            described(thing)


def _state(
    path: Path, identity: str, seed: int
) -> tuple[Checkpoint, nn.Module, torch.optim.Adam, torch.Tensor]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
        bank = torch.rand(4)
    optimizer = torch.optim.Adam(module.parameters())
    return (
        Checkpoint(path, identity, {"m": module}, {"o": optimizer}, {"bank": bank}),
        module,
        optimizer,
        bank,
    )


def _one_step(module: nn.Module, optimizer: torch.optim.Adam) -> None:
    module(torch.arange(12.0).view(4, 3)).square().sum().backward()
    optimizer.step()
    optimizer.zero_grad()


class TestCheckpoint:
    def test_brings_modules_optimizers_tensors_and_facts_back(self, tmp_path: Path) -> None:
        saved, module, optimizer, bank = _state(tmp_path / "c", "id", seed=1)
        _one_step(module, optimizer)
        saved.save({"step": 1, "records": [{"loss": 0.1}]})
        fresh, other, other_optimizer, other_bank = _state(tmp_path / "c", "id", seed=2)
        assert fresh.restore() == {"step": 1, "records": [{"loss": 0.1}]}
        _one_step(module, optimizer)
        _one_step(other, other_optimizer)
        for name, tensor in module.state_dict().items():
            assert torch.equal(tensor, other.state_dict()[name]), name
        assert torch.equal(bank, other_bank)

    def test_without_a_file_nothing_is_restored(self, tmp_path: Path) -> None:
        assert _state(tmp_path / "c", "id", seed=1)[0].restore() is None

    def test_another_training_is_refused(self, tmp_path: Path) -> None:
        _state(tmp_path / "c", "id", seed=1)[0].save({})
        with pytest.raises(HashprobeError, match="belongs to a training with other settings, data or model"):
            _state(tmp_path / "c", "another", seed=1)[0].restore()

    def test_a_truncated_file_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "c"
        _state(path, "id", seed=1)[0].save({})
        path.write_bytes(path.read_bytes()[:-8])
        with pytest.raises(HashprobeError, match=r"is damaged .*; delete it to train from the start"):
            _state(path, "id", seed=1)[0].restore()

    def test_another_safetensors_file_is_refused(self, tmp_path: Path) -> None:
        from safetensors.torch import save_file

        save_file({"a": torch.zeros(1)}, tmp_path / "c")
        with pytest.raises(HashprobeError, match="is not a training checkpoint"):
            _state(tmp_path / "c", "id", seed=1)[0].restore()


class TestImages:
    def test_uint8_becomes_float_in_0_to_1(self) -> None:
        given_images = torch.tensor([0, 51, 255], dtype=torch.uint8).view(1, 3, 1, 1)
        images = as_images(given_images)
        assert images.dtype == torch.float32
        assert images.flatten().tolist() == pytest.approx([0, 0.2, 1])
        assert given_images.flatten().tolist() == [0, 51, 255]

    def test_arrays_and_read_only_arrays_are_taken(self) -> None:
        array = np.full((2, 3, 4, 4), 0.5, dtype=np.float32)
        array.setflags(write=False)
        assert torch.equal(as_images(array), torch.full((2, 3, 4, 4), 0.5))

    def test_no_image_is_no_error(self) -> None:
        assert as_images(torch.zeros(0, 3, 4, 4)).shape == (0, 3, 4, 4)

    @pytest.mark.parametrize(
        ("images", "message"),
        [
            (torch.zeros(3, 4, 4), r"must have shape \(n, 3, height, width\); found \(3, 4, 4\)"),
            (torch.zeros(2, 4, 4, 3), r"must have shape \(n, 3, height, width\); found \(2, 4, 4, 3\)"),
            (
                torch.zeros(1, 3, 2, 2, dtype=torch.int64),
                r"must be uint8 or floating point; found torch\.int64",
            ),
            (np.full((1, 3, 2, 2), "x"), "must be uint8 or floating point; found <U1"),
            (torch.full((1, 3, 2, 2), float("nan")), r"must lie in \[0, 1\]; found NaN"),
            (
                torch.full((1, 3, 2, 2), -2.1),
                r"must lie in \[0, 1\]; found \[-2\.1, -2\.1\]\. Normalised before the model",
            ),
            (
                torch.full((1, 3, 2, 2), 255.0),
                r"must lie in \[0, 1\]; found \[255, 255\]\. .*0 to 255 as float",
            ),
            (torch.full((1, 3, 2, 2), float("inf")), r"must lie in \[0, 1\]; found \[inf, inf\]"),
        ],
    )
    def test_what_is_no_image_is_refused(self, images: object, message: str) -> None:
        with pytest.raises(HashprobeError, match=message):
            as_images(images)

    @given(st.integers(0, 255), st.integers(0, 16), st.floats(-1, 1))
    def test_rounding_keeps_a_budget_of_whole_levels(self, level: int, budget: int, share: float) -> None:
        clean = torch.tensor([level / 255])
        adversarial = (clean + share * budget / 255).clamp(0, 1)
        assert abs(int(to_uint8(adversarial)) - level) <= budget


class TestSeeds:
    def test_same_names_same_draw(self) -> None:
        assert numpy_generator(3, "a", 1).random() == numpy_generator(3, "a", 1).random()
        first, second = (torch.rand(2, generator=torch_generator(3, "a", 1)) for _ in range(2))
        assert torch.equal(first, second)

    def test_other_names_or_seeds_draw_something_else(self) -> None:
        seeds = {
            derived_seed(*parts)
            for parts in [(0, "a", "b"), (0, "ab"), (0, "b", "a"), (1, "a", "b"), (0, "a", 1), (0, "a", 11)]
        }
        assert len(seeds) == 6
        assert all(0 <= seed < 2**63 for seed in seeds)


class TestProgress:
    def test_silent_unless_asked(self, capsys: pytest.CaptureFixture[str]) -> None:
        with progress_bar("work", 2, show=False) as advance:
            advance(2)
        assert capsys.readouterr() == ("", "")

    def test_a_line_now_and_then_without_a_terminal(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(progress_module, "SECONDS_BETWEEN_LINES", 0.0)
        with progress_bar("work", 10, show=True, done=4) as advance:
            advance(3)
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith("work: 7 of 10, ")
        assert "left" in captured.err

    def test_a_bar_on_a_terminal(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Terminal(io.StringIO):
            def isatty(self) -> bool:
                return True

        terminal = Terminal()
        monkeypatch.setattr(progress_module.sys, "stderr", terminal)
        monkeypatch.setattr(progress_module, "Console", lambda **_: Console(file=terminal, width=100))
        with progress_bar("work", 10, show=True, done=4) as advance:
            advance(6)
        assert "work" in terminal.getvalue()
        assert "10/10" in terminal.getvalue()
