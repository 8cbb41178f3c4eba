"""Plugins: Python files and installed packages of a user's, whose decorators register attacks, losses, data sets and more."""

from __future__ import annotations

import re
import sys
import traceback
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

from hashprobe.bounds import read_bytes
from hashprobe.errors import HashprobeError
from hashprobe.files import sha256_of, user_path

GROUP = "hashprobe.plugins"
"""The entry points of an installed package by which it names the modules that register something."""


@dataclass(frozen=True)
class _Plugin:
    path: Path
    sha256: str


# By name of the module; and the packages, of which any module may be a plugin's.
_files: dict[str, _Plugin] = {}
_packages: set[str] = set()


def load_plugins(paths: Iterable[str | Path]) -> list[str]:
    """Execute files as modules, each under a name of its own; a file that was executed before is not executed again.

    Args:
        paths: Python files.

    Returns:
        The names of their modules, which ``sys.modules`` holds, in the order given.

    Raises:
        HashprobeError: a file that is not there, is no Python file, or fails, as when a name that it registers is taken.
    """
    return [_load(user_path(path).resolve()) for path in paths]


def load_installed_plugins() -> list[str]:
    """Import what installed packages name as entry points of the group ``hashprobe.plugins``; return the modules' names.

    Raises:
        HashprobeError: one that fails; the message names it and what to uninstall.
    """
    names = []
    for entry in entry_points(group=GROUP):
        try:
            entry.load()
        except (Exception, SystemExit) as error:
            package = entry.dist.name if entry.dist else entry.module
            raise HashprobeError(
                f"the installed plugin {entry.name!r} of {package} failed: {_reason(error)}; mend or uninstall {package}."
            ) from error
        _packages.add(entry.module.partition(".")[0])
        names.append(entry.module)
    return names


def loaded_plugins() -> tuple[Path, ...]:
    """Return the files that were executed, for a process that is to have the same ones."""
    return tuple(plugin.path for plugin in _files.values())


def executed_plugins() -> dict[str, str]:
    """Return the SHA-256 of each file that was executed, as it was then, by its name without folders.

    Of several of one name, in the order of their fingerprints, the second is called ``NAME (2)``: results do not hang on folders.
    """
    found, alike = dict[str, str](), Counter[str]()
    for name, sha256 in sorted((plugin.path.name, plugin.sha256) for plugin in _files.values()):
        alike[name] += 1
        found[name if alike[name] == 1 else f"{name} ({alike[name]})"] = sha256
    return found


def plugin_sha256(module: str) -> str | None:
    """Return the fingerprint of the file of a plugin's module, as it was when it was executed; ``None`` for other modules.

    What a plugin computes depends on it, as what hashprobe computes depends on its version.

    Args:
        module: A dotted name, such as the ``__module__`` of a registered class.
    """
    if module in _files:
        return _files[module].sha256
    file = getattr(sys.modules.get(module), "__file__", None)
    if module.partition(".")[0] in _packages and file is not None:
        return sha256_of(Path(file).read_bytes())
    return None


def _load(path: Path) -> str:
    if path.suffix != ".py":
        raise HashprobeError(f"the plugin {path} is no Python file; its name must end in .py.")
    name = f"hashprobe_plugin_{re.sub(r'[^0-9A-Za-z_]', '_', path.stem)}_{sha256_of(str(path))[:8]}"
    if name in _files:
        return name
    try:
        source = read_bytes(path, "text_bytes")
    except OSError as error:
        raise HashprobeError(f"the plugin {path} cannot be read ({error.strerror or error}).") from None
    module = ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module  # where dataclasses and pickle look for it
    try:
        exec(compile(source, str(path), "exec", dont_inherit=True), module.__dict__)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise HashprobeError(f"the plugin {path} failed{_where(error, path)}: {_reason(error)}.") from error
    _files[name] = _Plugin(path, sha256_of(source))
    return name


def _where(error: BaseException, path: Path) -> str:
    """Say in which line of a plugin an error arose."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f" in line {error.lineno}"
    lines = [
        frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)
    ]
    return f" in line {lines[-1]}" if lines else ""


def _reason(error: BaseException) -> str:
    """Say an error in one line, without a full stop; one that is written for people needs no name of its class."""
    text = (error.msg if isinstance(error, SyntaxError) else str(error)).partition("\n")[0].rstrip(".")
    return text if isinstance(error, HashprobeError) else f"{type(error).__name__}: {text}"
