"""Services as models: an HTTP server on the loopback and a program, asked, attacked, and going wrong in every way."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path
from socket import create_server

import numpy as np
import pytest
import torch
from PIL import Image

from hashprobe.attacks import NES, PGD, RandomSearch, RankNES, Square
from hashprobe.errors import HashprobeError
from hashprobe.experiments import evaluate
from hashprobe.hashing import HashModel, RankedService, open_model, open_service
from hashprobe.hashing.models.outside.asking import MOST_ANSWER
from hashprobe.images import to_uint8
from hashprobe.targets import Goal
from helpers import random_codes, random_images, tiny_data
from loopback import BITS, Reply, Server, code_of, hexed, serving

SIZE = 16
QUICK = ",back_off=0"


def arrays(images: torch.Tensor) -> np.ndarray:
    return to_uint8(images).permute(0, 2, 3, 1).numpy()


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(lambda picture: (200, hexed(picture))) as state:
        yield state


class TestAnAddress:
    def test_codes_are_those_that_it_answers(self, server: Server) -> None:
        model, images = open_model(server.address), random_images(3, size=SIZE)
        asked = server.asked
        assert (model.bits, model.gradients, model.input_size) == (BITS, False, None)
        codes = model.codes(images)
        assert server.asked == asked + 3
        assert (np.stack(server.pictures[-3:]) == arrays(images)).all()
        assert (codes == np.stack([code_of(image) for image in arrays(images)])).all()
        assert model.codes(random_images(1, size=21)).shape == (1, 2)

    def test_it_is_known_by_its_address(self, server: Server) -> None:
        first = open_model(server.address).sha256()
        assert first == open_model(f"{server.address},timeout=9").sha256()
        assert first != open_model(f"{server.address}?v=2").sha256()

    def test_attacks_that_ask_for_codes_run_and_their_questions_are_counted(self, server: Server) -> None:
        model, images = open_model(server.address), random_images(2, size=SIZE)
        before = model.codes(images)
        for attack in (Square(questions=20, epsilon=0.5), NES(questions=20, samples=6, epsilon=0.5)):
            asked = server.asked
            result = attack.run(model, images, Goal(objective="untargeted", codes=before))
            assert result.cost.questions.sum() == server.asked - asked
        result = Square(questions=20, epsilon=0.5).run(
            model, images, Goal(objective="untargeted", codes=before)
        )
        assert (model.codes(result.images) != before).any()
        with pytest.raises(HashprobeError, match=r"^PGD needs gradients, and the attacked model has none"):
            PGD().run(model, images, Goal(codes=random_codes(2, BITS)))

    @pytest.mark.parametrize(
        ("bits", "digits"), [(11, "a5f"), (11, "a5e0"), (12, "a5f"), (3, "a0"), (3, "a")]
    )
    def test_a_code_may_have_any_number_of_bits(self, bits: int, digits: str, server: Server) -> None:
        server.reply = lambda picture: (200, json.dumps({"code": digits.upper(), "more": 1}).encode())
        codes = open_model(f"{server.address},bits={bits}").codes(random_images(1, size=SIZE))
        read = np.unpackbits(codes[0])[:bits]
        assert "".join(map(str, read)) == f"{int(digits, 16):0{4 * len(digits)}b}"[:bits]

    def test_what_fails_at_first_is_asked_again(self, server: Server) -> None:
        model, images, numbers = open_model(server.address + QUICK), random_images(1, size=SIZE), count()

        def at_third(picture: np.ndarray) -> Reply:
            busy = [(503, b"busy", {"Retry-After": "0"}), (429, b"")]
            return busy[number] if (number := next(numbers)) < 2 else (200, hexed(picture))

        server.reply, asked = at_third, server.asked
        assert model.codes(images).shape == (1, 2)
        assert server.asked == asked + 3

    @pytest.mark.parametrize(
        ("reply", "tries", "said"),
        [
            ((500, b"out of memory"), 3, r"answered with status 500, 'out of memory' in 3 tries\.$"),
            ((404, b"no"), 1, r"answered with status 404, 'no'\.$"),
            ((302, b"", {"Location": "/else"}), 1, r"answered with status 302, ''\.$"),
            ((200, b"hello"), 1, r"must answer with a line of JSON, as .*; it answered b'hello'\.$"),
            ((200, b"[" * 9999), 1, r"must answer with a line of JSON"),
            ((200, b"[1]"), 1, r"must answer with a JSON object; it answered \[1\]\.$"),
            (
                (200, b'{"cod": "aa"}'),
                1,
                r"must answer with a code in hexadecimal, .*; it answered {'cod': 'aa'}\.$",
            ),
            ((200, b'{"code": 12}'), 1, r"must answer with a code in hexadecimal"),
            ((200, b'{"code": "0x1f"}'), 1, r"must answer with a code in hexadecimal"),
            ((200, b'{"code": ""}'), 1, r"must answer with a code in hexadecimal"),
            ((200, b'{"code": "aabbcc"}'), 1, r"answered with a code of 24 bits; its codes have 16"),
            ((200, b" " * (MOST_ANSWER + 1)), 1, r"answered with more than 1,048,576 bytes\.$"),
        ],
    )
    def test_what_goes_wrong_later_is_one_sentence(
        self, reply: Reply, tries: int, said: str, server: Server
    ) -> None:
        model, asked = open_model(server.address + QUICK), server.asked
        server.reply = lambda picture: reply
        with pytest.raises(HashprobeError, match=said) as caught:
            model.codes(random_images(1, size=SIZE))
        assert server.asked == asked + tries
        assert str(caught.value).startswith(f"the service '{server.address}' ")

    def test_one_that_hangs_is_given_up(self, server: Server) -> None:
        model = open_model(f"{server.address},timeout=0.2,retries=1,back_off=0")

        def hang(picture: np.ndarray) -> Reply:
            server.over.wait(30)
            return 200, b""

        server.reply, asked = hang, server.asked
        with pytest.raises(HashprobeError, match=r"did not answer within 0\.2 seconds in 2 tries\.$"):
            model.codes(random_images(1, size=SIZE))
        assert server.asked == asked + 2

    @pytest.mark.parametrize("version", [b"1.0", b"1.1"])
    def test_one_that_dribbles_is_given_up(self, version: bytes, server: Server) -> None:
        """Each byte comes in time, and the answer does not: a limit of each read alone would wait for it."""
        with closing(create_server(("127.0.0.1", 0))) as slow:
            from threading import Thread

            def dribble() -> None:
                connection, _ = slow.accept()
                with closing(connection):
                    connection.recv(1 << 16)
                    try:
                        connection.sendall(b"HTTP/" + version + b" 200 OK\r\nContent-Length: 1000\r\n\r\n")
                        while not server.over.wait(0.02):
                            connection.sendall(b" ")
                    except OSError:
                        pass  # the client has gone

            thread = Thread(target=dribble, daemon=True)
            thread.start()
            with pytest.raises(HashprobeError, match=r"did not answer within 0\.3 seconds\.$"):
                open_model(f"http://127.0.0.1:{slow.getsockname()[1]},timeout=0.3,retries=0")
            thread.join(10)
            assert not thread.is_alive()

    def test_one_that_is_not_there_is_one_sentence(self) -> None:
        with closing(create_server(("127.0.0.1", 0))) as taken:
            port = taken.getsockname()[1]
        with pytest.raises(HashprobeError, match=r"cannot be reached \(Connection refused\) in 3 tries"):
            open_model(f"http://127.0.0.1:{port}/{QUICK}")

    def test_other_codes_the_second_time_are_said(self, server: Server) -> None:
        numbers = count()
        server.reply = lambda picture: (200, json.dumps({"code": f"{next(numbers):04x}"}).encode())
        with pytest.raises(HashprobeError, match=r"other codes for the same images when it is asked again"):
            open_model(server.address)

    def test_a_budget_ends_it(self, server: Server) -> None:
        model = open_model(f"{server.address},questions=5")  # of which opening takes three
        model.codes(random_images(2, size=SIZE))
        with pytest.raises(HashprobeError, match=r"was asked the 5 questions that it may be asked"):
            model.codes(random_images(1, size=SIZE))
        assert server.asked == 5

    def test_it_is_asked_no_faster_than_it_may_be(
        self, server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        model, now, waits = open_model(f"{server.address},per_second=4"), [100.0], list[float]()

        def sleep(seconds: float) -> None:
            waits.append(seconds)
            now[0] += seconds

        monkeypatch.setattr("hashprobe.hashing.models.outside.asking.time.sleep", sleep)
        monkeypatch.setattr("hashprobe.hashing.models.outside.asking.time.monotonic", lambda: now[0])
        model.network.service._next = 0.0
        model.codes(random_images(4, size=SIZE))
        assert waits == [0.25, 0.25, 0.25]

    def test_waits_between_tries_double_up_to_a_bound(
        self, server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        model, waits = open_model(f"{server.address},retries=7,back_off=1"), list[float]()
        monkeypatch.setattr("hashprobe.hashing.models.outside.asking.time.sleep", waits.append)
        server.reply = lambda picture: (500, b"")
        with pytest.raises(HashprobeError, match="in 8 tries"):
            model.codes(random_images(1, size=SIZE))
        assert waits == [1, 2, 4, 8, 16, 30, 30]


def test_what_was_measured_before_it_failed_is_kept(server: Server, tmp_path: Path) -> None:
    data = tiny_data(queries=2, database=6, train=4)
    attacks = ["Noise:goal=untargeted", "Square:questions=4,goal=untargeted"]

    def run() -> list[str]:
        rows = evaluate(
            open_model(server.address + QUICK), data, attacks=attacks, out=tmp_path, gallery=0, report=False
        )
        return [row.row for row in rows]

    left = count()
    server.reply = lambda picture: (200, hexed(picture)) if next(left) < 20 else (500, b"gone")
    with pytest.raises(HashprobeError, match=r"answered with status 500, 'gone' in 3 tries"):
        run()
    kept = (tmp_path / "results.jsonl").read_text().splitlines()
    assert kept
    asked = server.asked
    server.reply = lambda picture: (200, hexed(picture))
    assert len(run()) > len(kept)
    assert (tmp_path / "results.jsonl").read_text().splitlines()[: len(kept)] == kept
    assert server.asked > asked


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("http://example.com/hash", r"example.com is not this machine, and pictures are sent to no other"),
        ("http://127.0.0.1.example.com/", r"127.0.0.1.example.com is not this machine"),
        ("http://10.0.0.1:80/,timeout=3", r"10.0.0.1 is not this machine"),
        ("https://0.0.0.0/", r"0.0.0.0 is not this machine"),
        ("http://me:secret@127.0.0.1/", r"holds a user or password, which are not sent"),
        ("http://127.0.0.1:99999/", r"is no address \("),
        ("http://127.0.0.1/a b", r"is no address of a service"),
        ("http://127.0.0.1/a\r\nHost: x", r"is no address of a service"),
        ("http:", r"is no address of a service"),
        ("http://127.0.0.1/,timeout=0", r"timeout must be a positive number; found 0"),
        ("http://127.0.0.1/,retries=-1", r"retries must be a whole number from 0 to 100"),
        ("http://127.0.0.1/,bits=9999", r"bits must be a whole number from 1 to 1024"),
        ("http://127.0.0.1/,timeout=long", r"timeout must be a number; found 'long'"),
        ("command:", r"command: names no program"),
        ("command:a 'b", r"cannot be read \(No closing quotation\)"),
    ],
)
def test_what_is_no_service_is_one_sentence(text: str, said: str) -> None:
    with pytest.raises(HashprobeError, match=said) as caught:
        open_model(text)
    assert "secret" not in str(caught.value)


PROGRAM = """
import hashlib, json, sys
given = open(sys.argv[2], "rb").read() if len(sys.argv) > 2 else sys.stdin.buffer.read()
open(sys.argv[1], "wb").write(given)
print(json.dumps({"code": hashlib.md5(given).hexdigest()[:6]}))
"""


def program(folder: Path, text: str) -> str:
    (folder / "own hash.py").write_text(text)
    return f"command:{sys.executable} -S '{folder / 'own hash.py'}'"


class TestACommand:
    @pytest.mark.parametrize("how", ["", " {image}"])
    def test_it_is_given_the_picture_and_its_code_is_read(self, how: str, tmp_path: Path) -> None:
        model = open_model(f"{program(tmp_path, PROGRAM)} '{tmp_path / 'seen, a=b.png'}'{how},timeout=60")
        image = random_images(1, size=SIZE)
        codes = model.codes(image)
        assert (model.bits, model.gradients) == (24, False)
        assert (np.asarray(Image.open(tmp_path / "seen, a=b.png")) == arrays(image)[0]).all()
        assert (codes == model.codes(image)).all()
        assert (codes != model.codes(1 - image)).any()
        assert model.source == f"{program(tmp_path, PROGRAM)} '{tmp_path / 'seen, a=b.png'}'{how}"

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("import sys; sys.exit('no such model\\nat all.')", r"ended with code 1 \(at all\)\.$"),
            ("print('hello')", r"must answer with a line of JSON, as .* it answered b'hello\\n'\.$"),
            ("pass", r"must answer with a line of JSON.* it answered b''\.$"),
            ("import os\nwhile True: os.write(1, b'x' * 65536)", r"answered with more than 1,048,576 bytes\.$"),
            (
                "import sys\nsys.stderr.write('x' * 300000); sys.stderr.flush(); print('{\"code\": \"zz\"}')",
                r"must answer with a code in hexadecimal",
            ),
            (
                "import subprocess, sys, time\nsubprocess.Popen([sys.executable, '-S', '-c', 'import time; time.sleep(60)'])\n"
                "time.sleep(60)",
                r"did not answer within 1 seconds\.$",
            ),
            ("import os, time\nos.close(1); os.close(2); time.sleep(60)", r"did not answer within 1 seconds\.$"),
            ("while True: print(end=' ', flush=True); __import__('time').sleep(0.01)", r"did not answer within 1 seconds\.$"),
        ],
    )  # fmt: skip
    def test_what_it_does_wrong_is_one_sentence(self, text: str, said: str, tmp_path: Path) -> None:
        limit = 1 if "sleep" in text else 60
        with pytest.raises(HashprobeError, match=said):
            open_model(f"{program(tmp_path, text)},timeout={limit}")

    def test_what_it_leaves_running_keeps_nobody_waiting(self, tmp_path: Path) -> None:
        text = f"""
import subprocess, sys
left = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(300)"], start_new_session=True)
open({str(tmp_path / "left")!r}, "a").write(f"{{left.pid}} ")
print('{{"code": "a5"}}')
"""
        try:
            assert open_model(f"{program(tmp_path, text)},timeout=250").bits == 8
        finally:
            for left in (tmp_path / "left").read_text().split():
                os.kill(int(left), signal.SIGKILL)

    def test_a_program_that_is_not_there_is_one_sentence(self) -> None:
        with pytest.raises(
            HashprobeError,
            match=r"'no-such-program \{image\}' cannot be started \(No such file or directory\)",
        ):
            open_model("command:no-such-program {image}")


class Shop:
    """A search by the codes of :mod:`loopback`, which tells ids alone."""

    def __init__(self, items: torch.Tensor, names: list[str] | None = None) -> None:
        self.codes = np.stack([code_of(image) for image in arrays(items)])
        self.names = names

    def __call__(self, picture: np.ndarray) -> Reply:
        far = np.unpackbits(self.codes ^ code_of(picture), axis=1).sum(axis=1)
        ids = np.argsort(far, kind="stable")[:6].tolist()
        return 200, json.dumps(
            {"ids": ids if self.names is None else [self.names[row] for row in ids]}
        ).encode()


class TestAListAlone:
    def test_attacks_that_see_lists_run_on_it_and_others_are_refused(self, server: Server) -> None:
        items, images = random_images(20, size=SIZE), random_images(2, seed=1, size=SIZE)
        server.reply = Shop(items)
        labels = np.eye(4, dtype=np.uint8)[np.arange(20) % 4]
        service = open_service(server.address)
        assert isinstance(service, RankedService)
        before = service.ranked(images, 6)
        assert (before == service.ranked(to_uint8(images), 6)).all()
        untargeted = Goal(objective="untargeted")
        targeted = Goal(labels=np.eye(4, dtype=np.uint8)[[3, 3]])
        settings = {"questions": 40, "epsilon": 0.5, "length": 6}
        for attack in (RandomSearch(**settings), RankNES(samples=8, **settings)):
            for goal in (untargeted, targeted):
                asked = server.asked
                result = attack.run(service, images, goal, database_labels=labels)
                assert result.cost.questions.sum() == server.asked - asked > 0
                assert float((result.images - images).abs().max()) <= 0.5 + 1e-6
        kept = RandomSearch(questions=60, epsilon=0.5, length=6).run(service, images, untargeted).images
        after = service.ranked(kept, 6)
        assert (after != before).any()
        for attack, needed in ((PGD(), "gradients"), (Square(questions=3), "codes")):
            with pytest.raises(
                HashprobeError,
                match=f"needs {needed}, and the attacked service answers with ranked lists alone",
            ):
                attack.run(service, images, Goal(codes=random_codes(2, BITS)))

    def test_texts_are_numbered_by_the_database_or_as_they_come(self, server: Server) -> None:
        items, images = random_images(9, size=SIZE), random_images(3, seed=1, size=SIZE)
        names = [f"item-{row}.png" for row in range(9)]
        server.reply = Shop(items)
        numbers = open_service(server.address).ranked(images, 8)  # type: ignore[union-attr]
        assert (numbers[:, 6:] == -1).all()
        assert (numbers[:, :6] >= 0).all()
        server.reply = Shop(items, names)
        known = open_service(server.address, names=names)
        assert isinstance(known, RankedService)
        assert (known.ranked(images, 8) == numbers).all()
        some = open_service(server.address, names=names[:4])
        assert isinstance(some, RankedService)
        assert (some.ranked(images, 8) == np.where(numbers < 4, numbers, -1)).all()
        unknown = open_service(server.address)
        assert isinstance(unknown, RankedService)
        found = unknown.ranked(images, 6)
        pairs = set(zip(found.flatten().tolist(), numbers[:, :6].flatten().tolist(), strict=True))
        assert len(pairs) == len(np.unique(found)) == len(np.unique(numbers[:, :6]))

    def test_labels_of_items_that_the_database_lacks_are_one_sentence(self, server: Server) -> None:
        server.reply = Shop(random_images(20, size=SIZE))
        service = open_service(server.address)
        few = np.eye(4, dtype=np.uint8)
        with pytest.raises(HashprobeError, match=r"an item was found that has no labels: number \d+ of 4"):
            RandomSearch(questions=5, length=6).run(
                service, random_images(2, size=SIZE), Goal(labels=few[:2]), database_labels=few
            )

    @pytest.mark.parametrize(
        ("answer", "said"),
        [
            (b'{"ids": 3}', r"must answer with a list of ids"),
            (b'{"ids": [1.5]}', r"must answer with a list of ids"),
            (b'{"ids": [-1]}', r"must answer with a list of ids"),
            (b'{"ids": [true]}', r"must answer with a list of ids"),
            (b'{"ids": [7, 7]}', r"named an item twice: \[7, 7\]"),
        ],
    )
    def test_what_it_answers_wrong_is_one_sentence(self, answer: bytes, said: str, server: Server) -> None:
        server.reply = lambda picture: (200, answer)
        with pytest.raises(HashprobeError, match=said):
            open_service(server.address)

    def test_it_is_no_model(self, server: Server) -> None:
        server.reply = Shop(random_images(5, size=SIZE))
        with pytest.raises(HashprobeError, match=r"returns ranked ids, and no codes to measure"):
            open_model(server.address)
        with pytest.raises(HashprobeError, match=r"'phash' is no service"):
            open_service("phash")
        server.reply = lambda picture: (200, hexed(picture))
        assert isinstance(open_service(server.address), HashModel)
