"""Fixtures that several test files share."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, settings

from hashprobe import plugins
from hashprobe.trained import Trained
from helpers import train_tiny
from searching import ON_POSTGRES, Postgres, settings_of

REAL_DATA = Path(__file__).resolve().parents[1].parent / "shared"

# A machine that does other work may stop for longer than hypothesis would wait.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

# What a job system sets for programs of several processes; the tests start their own.
for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
    os.environ.pop(name, None)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--plugin", action="append", default=[], help="a Python file whose attacks are tested too"
    )


def pytest_configure(config: pytest.Config) -> None:
    plugins.load_plugins(config.getoption("--plugin"))


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Trained]:
    """Returns what is registered in ``TRAINED`` under a name, trained for a moment, once."""
    return cache(lambda name: train_tiny(name, tmp_path_factory.mktemp("trained") / name))


@pytest.fixture(scope="session")
def real_data_root() -> Path:
    """The folder that holds the real pack (``data/``, ``weights/``), beside the checkout."""
    if not (REAL_DATA / "data").is_dir():
        pytest.skip(f"the real data pack is not at {REAL_DATA}")
    return REAL_DATA


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A PostgreSQL server with pgvector, started once, which an index finds without being told where."""
    server = Postgres(tmp_path_factory.mktemp("postgres") / "data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PGHOST", server.socket)
        patch.setenv("PGUSER", "postgres")
        yield server
    server.stop()


@pytest.fixture
def given(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Returns the settings that an index needs over some codes; the server of the one that is tested is there."""
    if {*request.node.callspec.params.values()} & {*ON_POSTGRES}:
        request.getfixturevalue("postgres")
    return partial(settings_of, folder=tmp_path)


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """The tests' networks are tiny: a second thread costs more than it brings, most of all when busy."""
    torch.set_num_threads(1)


@pytest.fixture
def _no_plugins(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No plugin is loaded, and what a test loads is forgotten afterwards."""
    before = set(sys.modules)
    monkeypatch.setattr(plugins, "_files", {})
    monkeypatch.setattr(plugins, "_packages", set())
    yield
    for name in set(sys.modules) - before:
        if name.startswith(("hashprobe_plugin_", "installed_")):
            del sys.modules[name]
