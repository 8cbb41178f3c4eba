"""A real HTTP server on this machine, in a thread, whose answers a test decides."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

import numpy as np
from PIL import Image

Reply = tuple[int, bytes] | tuple[int, bytes, dict[str, str]]
BITS = 16


def code_of(image: np.ndarray) -> np.ndarray:
    """Whether each part of a picture ``(h, w, 3)`` is brighter than a half, 16 bits."""
    height, width = (side // 4 for side in image.shape[:2])
    parts = image[: 4 * height, : 4 * width].reshape(4, height, 4, width, 3).mean(axis=(1, 3, 4))
    return np.packbits(parts.flatten() > 127)


def hexed(image: np.ndarray) -> bytes:
    return json.dumps({"code": code_of(image).tobytes().hex()}).encode() + b"\n"


class Server:
    """What a server was asked, and how it answers.

    Args:
        reply: A picture ``(h, w, 3)`` -> the status, the body, and headers.
    """

    def __init__(self, reply: Callable[[np.ndarray], Reply]) -> None:
        self.reply, self.asked, self.over = reply, 0, Event()
        self.pictures: list[np.ndarray] = []
        self.address = ""


@contextmanager
def serving(reply: Callable[[np.ndarray], Reply]) -> Iterator[Server]:
    """Serve on a free port of the loopback for as long as the block runs."""
    state = Server(reply)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            assert self.headers["Content-Type"] == "image/png"
            picture = np.asarray(Image.open(io.BytesIO(body)))
            state.asked += 1
            state.pictures.append(picture)
            status, content, *headers = state.reply(picture)
            self.send_response(status)
            for name, value in {
                **(headers[0] if headers else {}),
                "Content-Length": str(len(content)),
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    state.address = f"http://127.0.0.1:{server.server_address[1]}/hash"
    try:
        yield state
    finally:
        state.over.set()
        server.shutdown()
        server.server_close()
        thread.join()
