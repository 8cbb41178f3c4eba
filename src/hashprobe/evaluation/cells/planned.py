"""Which cells a table has, in their order, and what is wrong with them before anything is computed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from hashprobe.attacks import Access
from hashprobe.errors import HashprobeError
from hashprobe.evaluation.cells.spec import CellSpec
from hashprobe.hashing import no_gradients
from hashprobe.identity import fingerprint
from hashprobe.targets import NO_CODE
from hashprobe.trained import Trained


def cells_under(
    specs: Sequence[CellSpec], protocols: Sequence[str], codes: Sequence[str] = ()
) -> list[tuple[CellSpec, str | None]]:
    """Return every cell of a table with its protocol, in the order of the table; an untargeted one has none.

    Before the attacks of a protocol come the unchanged queries, and the codes that stand for the targets; before the untargeted
    attacks the unchanged queries, and the codes that these attacks move to, which is as far as they can come.

    Args:
        specs: The attacks.
        protocols: Target label protocols, for the targeted ones.
        codes: Target codes that are rows of their own.

    Raises:
        HashprobeError: something is wrong with a cell, or one is given twice.
    """
    for what, named in (("protocol", protocols), ("target code", codes)):
        if twice := [name for place, name in enumerate(named) if name in named[:place]]:
            raise HashprobeError(f"the {what} {twice[0]} is given twice; give it once.")
    for spec in specs:
        spec.check()
    targeted = [spec for spec in specs if spec.goal_kind.objective == "targeted"]
    away = [spec for spec in specs if spec.goal_kind.objective == "untargeted"]
    cells: list[tuple[CellSpec, str | None]] = []
    if targeted or not away:
        yardsticks = [CellSpec(), *(CellSpec(code=code) for code in codes)]
        cells += [(spec, protocol) for protocol in protocols for spec in (*yardsticks, *targeted)]
    if away:
        ends = dict.fromkeys((spec.goal_name, spec.code_name) for spec in away if spec.code_name != NO_CODE)
        yardsticks = [CellSpec(goal="untargeted"), *(CellSpec(goal=goal, code=code) for goal, code in ends)]
        cells += [(spec, None) for spec in (*yardsticks, *away)]
    _check_once(cells)
    return cells


def attacks_on_each(
    specs: Sequence[CellSpec], trained: Mapping[str, Mapping[str, Trained]]
) -> dict[str, list[CellSpec]]:
    """Return, for each of several models, the attacks that are made on it: a trained one on those that it was trained against.

    One that was trained against none of them is kept for all, so that :func:`check_cells` says what is missing.

    Args:
        specs: The attacks.
        trained: For each model, what was trained against it, by name.
    """
    known = {name for own in trained.values() for name in own}
    return {
        model: [spec for spec in specs if spec.trained_name in (None, *own) or spec.trained_name not in known]
        for model, own in trained.items()
    }


def over_training_seeds(
    specs: Sequence[CellSpec], seeds: Mapping[str, Sequence[int | None]]
) -> list[CellSpec]:
    """Return the attacks, and in place of one that has training seeds, one for each of them.

    Args:
        specs: The attacks.
        seeds: Training seeds by the name of what is trained.
    """
    found: list[CellSpec] = []
    for spec in specs:
        own = dict.fromkeys(seeds.get(spec.trained_name or "", ())) or [spec.training_seed]
        found += [spec.model_copy(update={"training_seed": seed}) for seed in own]
    return found


def check_names(rows: Iterable[tuple[CellSpec, str]]) -> None:
    """Say that two cells would have one name in the results.

    Args:
        rows: Each with the name of its row.

    Raises:
        HashprobeError: two would.
    """
    known: dict[str, CellSpec] = {}
    for spec, name in rows:
        if name in known:
            raise HashprobeError(
                f"{known[name].title} and {spec.title} would both be the row {name}; give one of them, or each its "
                "own folder."
            )
        known[name] = spec


def _check_once(cells: Iterable[tuple[CellSpec, str | None]]) -> None:
    known: set[str] = set()
    for spec, protocol in cells:
        own = fingerprint({**spec.identity(), "gallery": None}, spec.training_seed, protocol)
        if own in known:
            raise HashprobeError(f"{spec.title} is given twice with the same settings; give it once.")
        known.add(own)


def check_cells(
    specs: Sequence[CellSpec], trained: Mapping[str, Trained], model: str, *, gradients: bool = True
) -> None:
    """Say what is wrong with attacks before anything is computed.

    Args:
        specs: The attacks.
        trained: What was trained, by name.
        model: Fingerprint of the attacked model.
        gradients: Whether it can be differentiated.

    Raises:
        HashprobeError: an unknown name or setting, something that must be trained first, a trained code of another model, an
            attack that needs gradients where there are none, the same attack twice, or two that would be one row.
    """
    rows: list[tuple[CellSpec, str]] = []
    for spec in specs:
        spec.check()
        if not gradients and spec.kind is not None and spec.kind.access is Access.GRADIENTS:
            raise no_gradients("it gives codes alone", str(spec.attack))
        rows.append((spec, spec.row_name(spec.build(trained) if spec.attack else None, None)))
        for needed in spec.needs:
            if needed not in trained:
                raise HashprobeError(
                    f"{needed} has to be trained first; give the folder that train-attack wrote (--trained)."
                )
        code = trained.get(spec.code_name)
        if code is not None and spec.reads_code and code.attacked_model != model:
            raise HashprobeError(
                f"{spec.attack}: the code {code.name!r} was trained on another model ({code.attacked_model[:12]}, not "
                f"{model[:12]}), whose codes mean nothing to this one; train one with train-attack {code.name}."
            )
    _check_once((spec, None) for spec in specs)
    check_names(rows)
