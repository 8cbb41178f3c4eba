"""The verb ``list``: which attacks, losses, data sets, … there are, a plugin's among them."""

from __future__ import annotations

from typing import Annotated

import typer

from hashprobe.cli.printing import say

KINDS = {
    "attacks": "hashprobe.attacks:ATTACKS",
    "goals": "hashprobe.targets:GOALS",
    "codes": "hashprobe.targets:CODES",
    "protocols": "hashprobe.targets:PROTOCOLS",
    "losses": "hashprobe.hashing:HASH_LOSSES",
    "data": "hashprobe.data:DATA_SETS",
    "models": "hashprobe.hashing:MODELS",
    "backbones": "hashprobe.hashing:BACKBONES",
    "indexes": "hashprobe.retrieval:INDEXES",
    "defences": "hashprobe.defences:DEFENCES",
    "edits": "hashprobe.auditing:EDITS",
    "checks": "hashprobe.results:CHECKS",
    "recipes": "hashprobe.experiments:RECIPES",
}
"""Where the registry of each kind is: its module and its name there."""


def _complete(start: str) -> list[str]:
    return [kind for kind in KINDS if kind.startswith(start)]


def list_kind(
    kind: Annotated[str, typer.Argument(help=f"One of {', '.join(KINDS)}.", autocompletion=_complete)],
) -> None:
    """List what is known by name: what it is, and what it needs.

    Example: hashprobe list attacks
    """
    from importlib import import_module

    from hashprobe.errors import unknown_name
    from hashprobe.registry import Registry

    if kind not in KINDS:
        raise unknown_name("kind", kind, KINDS)
    module, _, name = KINDS[kind].partition(":")
    registry: Registry[object] = getattr(import_module(module), name)
    width = max(map(len, registry), default=0)
    for name in registry:
        needs = registry.needs(name)
        said = f"{registry.describe(name)} (needs {needs})" if needs else registry.describe(name)
        say(f"{name:<{width}}  {said}".rstrip())
