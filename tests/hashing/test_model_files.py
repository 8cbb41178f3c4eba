"""Networks in files of others: what they are asked, what they say of themselves, and one sentence for what cannot be."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from hashprobe.attacks import NES, PGD, Square
from hashprobe.errors import HashprobeError
from hashprobe.hashing import HashModel, check_deterministic, has_gradients, open_file, open_model
from hashprobe.hashing.models.outside.form import InputForm
from hashprobe.retrieval import pack
from hashprobe.targets import Goal
from helpers import random_codes, random_images
from outside_files import SIDE, exported, onnx_net, small_net, torchscript

BITS = 12
MAKERS: dict[str, Callable[[Path], str]] = {
    "TorchScript": lambda folder: str(torchscript(folder / "net.pt", small_net())),
    "torch.export": lambda folder: f"{exported(folder / 'net.pt2', small_net())},trusted=true",
    "ONNX": lambda folder: str(onnx_net(folder / "net.onnx")),
    "ONNX, NHWC": lambda folder: str(onnx_net(folder / "net.onnx", ("n", SIDE, SIDE, 3), layout="nhwc")),
    "ONNX, one image": lambda folder: str(onnx_net(folder / "net.onnx", (1, 3, None, None))),
    "ONNX, hyperplanes": lambda folder: f"{onnx_net(folder / 'net.onnx')},output=features,hyperplanes={BITS}",
    "ONNX, 16 bit": lambda folder: str(onnx_net(folder / "net.onnx", kind=10)),
}


@pytest.fixture(params=MAKERS)
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> HashModel:
    return open_model(MAKERS[request.param](tmp_path))


class TestEveryKind:
    def test_it_has_codes_and_a_gradient_and_is_left_as_it_was(self, opened: HashModel) -> None:
        images = random_images(5, size=SIDE)
        codes = opened.codes(images, batch_size=3)
        assert (opened.bits, opened.gradients, codes.shape) == (BITS, True, (5, 2))
        assert len(np.unique(codes, axis=0)) > 1
        start = images.clone().requires_grad_()
        outputs = opened.logits(start)
        (gradient,) = torch.autograd.grad(outputs.sum(), start)
        assert (gradient.flatten(1).abs().sum(dim=1) > 0).all()
        with torch.no_grad():
            torch.testing.assert_close(outputs.detach(), opened.logits(images), atol=2e-3, rtol=2e-3)
        assert (opened.codes(images) == codes).all()

    def test_an_attack_with_gradients_moves_its_codes(self, opened: HashModel) -> None:
        images, wanted = random_images(3, size=SIDE), random_codes(3, BITS)
        before, after = (
            np.unpackbits(opened.codes(own) ^ wanted, axis=1).sum()
            for own in (images, PGD(steps=10, epsilon=0.3, step_size=0.06)(opened, images, wanted))
        )
        assert after < before

    def test_it_is_known_by_the_bytes_of_its_file(self, tmp_path: Path) -> None:
        makers = list(MAKERS.values())
        for maker in makers:
            folders = [tmp_path / name for name in "ab"]
            for folder in folders:
                folder.mkdir()
            first, again = (open_model(maker(folder)).sha256() for folder in folders)
            if maker is not MAKERS["torch.export"]:  # which writes a name of its own into each file
                assert first == again
            for folder in folders:
                shutil.rmtree(folder)


class TestTheSameNetwork:
    def test_torch_files_give_the_outputs_of_the_module(self, tmp_path: Path) -> None:
        net, images = small_net(), random_images(3, size=SIDE)
        with torch.no_grad():
            expected = net((images - 0.5) / 0.25)
            for text in (torchscript(tmp_path / "a.ts", net), exported(tmp_path / "a.pt2", net)):
                model = open_model(f"{text},mean=0.5,std=0.25" + ",trusted=true" * (text.suffix == ".pt2"))
                torch.testing.assert_close(model.logits(images), expected)

    def test_layout_and_order_of_colours_are_the_users_or_the_files(self, tmp_path: Path) -> None:
        plain = open_file(onnx_net(tmp_path / "a.onnx"))
        other = open_file(onnx_net(tmp_path / "b.onnx", ("n", SIDE, SIDE, 3), layout="nhwc"))
        images = random_images(3, size=SIDE)
        with torch.no_grad():
            torch.testing.assert_close(plain.logits(images), other.logits(images))
            turned = open_model(f"{tmp_path / 'a.onnx'},channels=bgr")
            torch.testing.assert_close(plain.logits(images), turned.logits(images.flip(1)))
        assert turned.sha256() != plain.sha256()

    def test_other_sizes_are_resized_to_the_one_that_the_file_states(self, tmp_path: Path) -> None:
        path = onnx_net(tmp_path / "net.onnx")
        model, images = open_model(str(path)), random_images(2, size=40)
        small = torch.nn.functional.interpolate(images, (SIDE, SIDE), mode="bilinear", antialias=True)
        with torch.no_grad():
            torch.testing.assert_close(model.logits(images), model.logits(small))
        assert model.input_size == (SIDE, SIDE)
        free = open_model(str(onnx_net(tmp_path / "free.onnx", ("n", 3, "h", "w"))))
        assert free.input_size is None
        assert free.codes(images).shape == (2, 2)
        strict = open_model(f"{path},resize=none")
        with pytest.raises(
            HashprobeError, match=r"net.onnx takes images of 16x16 pixels; found 40x40; .*--image-size"
        ):
            strict.codes(images)

    def test_hyperplanes_are_random_projections_of_standardised_features(self, tmp_path: Path) -> None:
        path, images = onnx_net(tmp_path / "net.onnx"), random_images(4, size=SIDE)
        features = open_model(f"{path},output=features")
        model = open_model(f"{path},output=features,hyperplanes=20,seed=3")
        with torch.no_grad():
            found = features.logits(images)
            even = (found - found.mean(dim=1, keepdim=True)) / found.var(
                dim=1, keepdim=True, correction=0
            ).add(1e-5).sqrt()
            torch.testing.assert_close(model.logits(images), even @ model.network[1].planes)
        assert model.sha256() != open_model(f"{path},output=features,hyperplanes=20,seed=4").sha256()

    def test_whole_pixels_have_no_gradient(self, tmp_path: Path) -> None:
        model = open_model(str(onnx_net(tmp_path / "net.onnx", kind=2)))
        images = random_images(2, size=SIDE)
        assert not model.gradients
        assert model.codes(images).shape == (2, 2)
        result = NES(questions=40, samples=10).run(
            model, images, Goal(objective="untargeted", codes=model.codes(images))
        )
        assert (result.cost.questions > 0).all()
        with pytest.raises(HashprobeError, match=r"^PGD needs gradients, and the attacked model has none"):
            PGD().run(model, images, Goal(codes=random_codes(2, BITS)))
        with pytest.raises(HashprobeError, match=r"^this attack needs gradients"):
            model.logits(images.requires_grad_())


def test_numbers_beside_an_onnx_file_are_read_and_known_by_their_bytes(tmp_path: Path) -> None:
    import onnx

    whole = open_model(str(onnx_net(tmp_path / "whole.onnx")))
    model = onnx.load(str(tmp_path / "whole.onnx"))
    onnx.save(
        model, str(tmp_path / "net.onnx"), save_as_external_data=True, location="net.bin", size_threshold=0
    )
    images, opened = random_images(3, size=SIDE), open_model(str(tmp_path / "net.onnx"))
    assert (opened.codes(images) == whole.codes(images)).all()
    numbers = bytearray((tmp_path / "net.bin").read_bytes())
    numbers[3] ^= 1
    (tmp_path / "net.bin").write_bytes(numbers)
    assert open_model(str(tmp_path / "net.onnx")).sha256() != opened.sha256()
    (tmp_path / "net.bin").unlink()
    with pytest.raises(HashprobeError, match=r"net.onnx is not a whole ONNX file \(No such file"):
        open_model(str(tmp_path / "net.onnx"))
    text = (tmp_path / "net.onnx").read_bytes().replace(b"net.bin", b"../a.bi")
    (tmp_path / "net.onnx").write_bytes(text)
    with pytest.raises(HashprobeError, match=r"it names '../a.bi', a file outside its folder"):
        open_model(str(tmp_path / "net.onnx"))


class Restless(nn.Module):
    """Other outputs each time."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.randn(len(images), 64)


class Broken(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.mean(dim=(2, 3)) / 0.0 - images.mean(dim=(2, 3)) / 0.0


class Saving(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.mean(dim=(2, 3)) + torch.from_file("numbers.bin", size=3).sum()


class Wide(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images


class Mixed(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.flatten().view(3, -1)


@pytest.mark.parametrize(
    ("module", "said"),
    [
        (Restless(), r"gives other codes for the same images when it is asked again"),
        (Broken(), r"the hash model returned NaN"),
        (Saving(), r"its code calls torch.from_file, which may read or write files"),
        (Wide(), r"net.pt gives 150528 numbers an image, and a code has at most 1024 bits; give hyperplanes"),
        (Mixed(), r"net.pt returns \(3, 50176\) for 1 images; a row of numbers an image is wanted"),
        (
            nn.Sequential(nn.Flatten(), nn.Linear(4, 8)),
            r"net.pt cannot be run on 1 images of 224x224 pixels \(.*\); say",
        ),
    ],
)
def test_what_a_module_does_wrong_is_one_sentence(module: nn.Module, said: str, tmp_path: Path) -> None:
    path = torchscript(tmp_path / "net.pt", module)
    with pytest.raises(HashprobeError, match=said):
        open_model(str(path))


def _text(content: bytes) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_bytes(content)

    return write


def _pickle(path: Path) -> None:
    torch.save({"weight": torch.zeros(3)}, path)


def _cut(path: Path) -> None:
    whole = torchscript(path, small_net()).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def _no_code(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/constants.pkl", b"")


@pytest.mark.parametrize(
    ("name", "make", "said"),
    [
        ("a.pt", _pickle, r"a.pt is not a TorchScript file \(a pickle is never loaded\)"),
        ("a.pt", _cut, r"a.pt is not a TorchScript file"),
        ("a.pt", _no_code, r"a.pt cannot be read as TorchScript \("),
        ("a.ts", _text(b""), r"a.ts is not a TorchScript file"),
        ("a.onnx", _text(b"nothing"), r"a.onnx is not a whole ONNX file \("),
        ("a.onnx", _text(b""), r"a.onnx is not a whole ONNX file \(it holds no operation\)"),
        ("a.pt2", _text(b""), r"a.pt2 is a file of torch.export, which torch opens with pickle: it may run anything"),
        ("a.pt2,trusted=true", _text(b""), r"a.pt2 is not a file of torch.export"),
        ("a.pt2,trusted=true", _no_code, r"a.pt2 cannot be read by this torch"),
        ("b.onnx", _text(b""), r"b.onnx does not exist"),
        ("a.onnx,men=1", _text(b""), r"no setting of such a model is named 'men'; did you mean 'mean'\?"),
        ("a.onnx,mean", _text(b""), r"--model: expected NAME=VALUE"),
        ("a.onnx,mean=1:2", _text(b""), r"a.onnx is not a whole"),
        ("a.onnx,size=wide", _text(b""), r"a.onnx is not a whole"),
        ("a.onnx,layout=chw", _text(b""), r"layout must be nchw or nhwc or None; found 'chw'"),
        ("a.onnx,hyperplanes=0", _text(b""), r"hyperplanes must be a whole number from 1 to 1024; found 0"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_is_one_sentence(
    name: str, make: Callable[[Path], None], said: str, tmp_path: Path
) -> None:
    make(tmp_path / ("a" + Path(name.partition(",")[0]).suffix))
    with pytest.raises(HashprobeError, match=said):
        open_model(f"{tmp_path}/{name}")


@pytest.mark.parametrize(
    ("shape", "settings", "said"),
    [
        (
            ("n", 1, SIDE, SIDE),
            "",
            r"takes an input of shape \(any, 1, 16, 16\); images of three channels are",
        ),
        (("n", 3, SIDE, SIDE), ",layout=nhwc", r"images in the layout nhwc of three channels"),
        (("n", 3, SIDE, SIDE), ",size=224", r"net.onnx takes images of 16x16 pixels; leave out size=224"),
        (("n", 3, SIDE, SIDE), ",output=7", r"net.onnx has 1 outputs, from 0; found output=7"),
        (("n", 3, SIDE, SIDE), ",output=feature", r"net.onnx has no tensor 'feature'; its outputs are y"),
        (("n", 3, SIDE, SIDE), ",mean=1:2", r"mean must be a number, three with colons"),
        (("n", 3, SIDE, SIDE), ",size=wide", r"size must be a number of pixels, as 224"),
        (("n", 3, SIDE, SIDE), ",std=0", r"mean and std must be three numbers each, std positive"),
    ],
)
def test_another_input_than_images_is_one_sentence(
    shape: tuple[Any, ...], settings: str, said: str, tmp_path: Path
) -> None:
    path = onnx_net(tmp_path / "net.onnx", shape)
    with pytest.raises(HashprobeError, match=said):
        open_model(f"{path}{settings}")


def test_the_form_of_an_input_is_read_from_its_shape() -> None:
    assert InputForm.read((None, 3, 8, 9), "net") == InputForm("nchw", None, (8, 9))
    assert InputForm.read((4, 8, 9, 3), "net") == InputForm("nhwc", 4, (8, 9))
    assert InputForm.read((1, None, None, 3), "net") == InputForm("nhwc", 1, None)
    assert InputForm.read((1, 3, 3, 3), "net") == InputForm("nchw", 1, (3, 3))
    assert InputForm.read((None, None, None, None), "net") == InputForm("nchw")
    assert InputForm.read((None, None, None, None), "net", "nhwc") == InputForm("nhwc")
    for shape in ((None, 3, 4, 8, 8), (None, 3, 8), ()):
        with pytest.raises(HashprobeError, match=r"net takes an input of shape \("):
            InputForm.read(shape, "net")


def test_a_missing_package_is_said_with_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = onnx_net(tmp_path / "net.onnx")
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    with pytest.raises(HashprobeError, match=r"pip install 'hashprobe\[onnx\]'"):
        open_model(str(path))


class LeavesTorch(nn.Module):
    """As a module around onnxruntime: with ``detach`` or without, torch's own error would tell of autograd."""

    def __init__(self, detached: bool) -> None:
        super().__init__()
        self.detached = detached

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        array = (images.detach() if self.detached else images).numpy()
        return torch.from_numpy(array.mean(axis=(2, 3)) - 0.5)


class TestAWrappedNetwork:
    @pytest.mark.parametrize("detached", [True, False])
    def test_without_gradients_it_is_recognised_at_first_use(self, detached: bool) -> None:
        model, images = HashModel.wrap(LeavesTorch(detached), bits=3), random_images(2)
        goal = Goal(codes=random_codes(2, 3))
        for attack in (PGD(steps=2), PGD(steps=2, objective="logits")):
            with pytest.raises(
                HashprobeError, match=r"this attack needs gradients, and the attacked model has none"
            ):
                attack.run(model, images, goal)
        assert not has_gradients(model, images)
        assert Square(questions=5).run(model, images, goal).images.shape == images.shape

    def test_it_can_say_so_itself_and_a_transform_keeps_it(self) -> None:
        model = HashModel.wrap(LeavesTorch(False), bits=3, gradients=False, input_size=(8, 8))
        other = model.with_transform(nn.Identity(), seen_by_attacks=True)
        assert (other.gradients, other.input_size, other.source) == (False, (8, 8), "")
        assert model.sha256() != HashModel.wrap(LeavesTorch(False), bits=3).sha256()
        with pytest.raises(HashprobeError, match=r"^PGD needs gradients"):
            PGD().run(other, random_images(2), Goal(codes=random_codes(2, 3)))
        with pytest.raises(HashprobeError, match="a file cannot hold what a model does to its input"):
            model.save("nowhere")

    def test_its_own_size_is_part_of_the_gradient(self) -> None:
        layer = nn.Linear(3 * 8 * 8, 4)
        model = HashModel.wrap(nn.Sequential(nn.Flatten(), layer), bits=4, input_size=(8, 8))
        images = random_images(2, size=24).requires_grad_()
        (gradient,) = torch.autograd.grad(model.logits(images).sum(), images)
        assert gradient.shape == images.shape
        assert (gradient != 0).float().mean() > 0.9

    def test_nan_and_other_shapes_are_one_sentence(self) -> None:
        images = random_images(2)
        with pytest.raises(HashprobeError, match="returned NaN, of which no code can be made"):
            HashModel.wrap(Broken(), bits=3).codes(images)
        with pytest.raises(HashprobeError, match=r"its network returned \(2, 3, 32, 32\)"):
            HashModel.wrap(Wide(), bits=3).codes(images)
        with pytest.raises(
            HashprobeError, match=r"must return a row an image; its network returned 3 for 2 images"
        ):
            HashModel.wrap(Mixed(), bits=2048).codes(images)
        with pytest.raises(HashprobeError, match=r"other codes for the same images when it is asked again"):
            check_deterministic(HashModel.wrap(Restless(), bits=64), images)

    def test_signs_are_the_answer(self) -> None:
        model, images = HashModel.wrap(LeavesTorch(True), bits=3), random_images(4)
        assert (model.answer(images) == pack(images.mean(dim=(2, 3)).numpy() - 0.5)).all()


def test_a_path_is_a_file_and_a_name_may_have_commas(tmp_path: Path) -> None:
    path = onnx_net(tmp_path / "a,mean=1.onnx")
    plain = open_file(path).sha256()
    assert plain == open_model(path).sha256() == open_model(str(path)).sha256()
    (tmp_path / "b.onnx").mkdir()
    for given in (tmp_path / "b.onnx", str(tmp_path / "b.onnx")):
        with pytest.raises(HashprobeError, match=r"b.onnx/model.json does not exist"):
            open_model(given)
    with pytest.raises(HashprobeError, match=r"its name must end in .pt, .ts, .pt2, .onnx"):
        open_file(__file__)
    with pytest.raises(HashprobeError, match=r"has 12 bits; 16 were expected"):
        open_model(path, bits=16)


def test_a_model_of_others_is_not_saved_into_a_folder(tmp_path: Path) -> None:
    with pytest.raises(HashprobeError, match="a folder cannot hold a model of somebody else's"):
        open_model(str(torchscript(tmp_path / "net.pt", small_net()))).save(tmp_path / "out")
    assert not (tmp_path / "out").exists()
