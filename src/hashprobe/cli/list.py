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
    one: Annotated[str | None, typer.Argument(metavar="[name]", help="One of them, told in full.")] = None,
) -> None:
    """List what is known by name, or tell one in full.

    Example: hashprobe list attacks DHTA
    """
    from importlib import import_module

    from hashprobe.errors import unknown_name
    from hashprobe.registry import Registry

    if kind not in KINDS:
        raise unknown_name("kind", kind, KINDS)
    module, _, name = KINDS[kind].partition(":")
    registry: Registry[object] = getattr(import_module(module), name)
    if one is not None:
        from hashprobe.cli.told import told

        for line in told(registry, one):
            say(line)
        return
    width = max(map(len, registry), default=0)
    for name in registry:
        needs = registry.needs(name)
        said = f"{registry.describe(name)} (needs {needs})" if needs else registry.describe(name)
        say(f"{name:<{width}}  {said}".rstrip())
