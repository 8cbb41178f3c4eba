"""A cell, described: an attack with its goal and settings, or codes that no attack made, as a row of a table."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from hashprobe.attacks import ATTACKS, Access, Attack, BorrowedAttack
from hashprobe.errors import HashprobeError, unknown_name
from hashprobe.evaluation.cells.settings import check_settings
from hashprobe.hashing import no_gradients
from hashprobe.identity import version_of
from hashprobe.settings_text import read_pairs
from hashprobe.targets import CODES, GOALS, NO_CODE, GoalKind
from hashprobe.trained import TRAINED, Trained, seeded_name
from hashprobe.typed_values import checked

ORIGINAL = "Original"


class CellSpec(BaseModel):
    """What is measured, under whichever protocol: an attack towards a goal, or a yardstick beside attacks.

    Attributes:
        attack: A name of ``ATTACKS``. Without one, codes are ranked that no attack made: the unchanged queries' own, or, with a
            ``code``, those that stand for the goal.
        goal: A name of ``GOALS``; the one that the attack is published with if not given.
        code: A name of ``CODES``; the one that the attack is published with, or the goal's own, if not given.
        settings: The attack's numbers, by name; its defaults otherwise.
        gallery: Whether its pictures are kept for the gallery.
        training_seed: Which of several trained attacks of one name, by the seed of its training.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    attack: str | None = None
    goal: str | None = None
    code: str | None = None
    settings: dict[str, float | int | bool | str | None] = Field(default_factory=dict)
    gallery: bool = False
    training_seed: int | None = None

    @classmethod
    @checked
    def read(cls, text: str, *, gallery: bool = False) -> CellSpec:
        """Read an attack as ``NAME`` or ``NAME:setting=value,…``, where ``goal`` and ``code`` may be among the settings.

        Raises:
            HashprobeError: a setting without a name or ``=``, or one that is given twice.
        """
        name, _, rest = text.partition(":")
        values = read_pairs([part for part in rest.split(",") if part], f"--attack {name}")
        goal, code = (  # "none" is read as no value, but is the name of no code
            str(NO_CODE if values[own] is None else values[own]) if own in values else None
            for own in ("goal", "code")
        )
        settings = {setting: value for setting, value in values.items() if setting not in ("goal", "code")}
        for setting, value in settings.items():
            if not isinstance(value, int | float | str | None):
                raise HashprobeError(f"{name}: {setting} must be one value; found {value!r}.")
        return cls(attack=name, goal=goal, code=code, settings=settings, gallery=gallery)

    @property
    def kind(self) -> type[Attack] | None:
        """The class of the attack."""
        return None if self.attack is None else ATTACKS[self.attack]

    @property
    def goal_name(self) -> str:
        """The goal's name."""
        return self.goal or (self.kind.goal if self.kind else "targeted")

    @property
    def goal_kind(self) -> GoalKind:
        """The kind of goal."""
        return GOALS[self.goal_name]()

    @property
    def code_name(self) -> str:
        """The target code's name, or ``none``."""
        if self.code is not None:
            return self.code
        if self.kind is None or self.kind.code == NO_CODE:
            return NO_CODE
        published = self.kind.code if self.goal_name == self.kind.goal else None
        if published is None and self.goal_kind.objective == "untargeted":
            published = self.kind.untargeted_code
        return published or self.goal_kind.code

    @property
    def title(self) -> str:
        """What a table calls it: the attack, ``Original``, or the target code."""
        if self.attack is not None:
            borrowed = self.kind is not None and issubclass(self.kind, BorrowedAttack)
            return (
                f"{self.attack} {self.settings['name']}"
                if borrowed and self.settings.get("name")
                else self.attack
            )
        return ORIGINAL if self.code is None else CODES[self.code].heading

    @property
    def needs(self) -> tuple[str, ...]:
        """Names of the trained attacks and codes that it needs."""
        wanted = [self.attack] if self.kind and issubclass(self.kind, Trained) else []
        code = self.code_name
        if code != NO_CODE and issubclass(CODES[code], Trained) and not wanted:
            wanted.append(code)
        return tuple(name for name in wanted if name is not None)

    def build(self, trained: Mapping[str, Trained]) -> Attack:
        """Return the attack with this cell's numbers.

        Args:
            trained: What was trained, by name.

        Raises:
            HashprobeError: an attack that must be trained first, or a setting that it does not have.
        """
        kind, name = self.kind, self.attack
        assert kind is not None
        check_settings(kind, str(name), self.settings)
        if not issubclass(kind, Trained):
            return kind(**self.settings)  # type: ignore[arg-type]
        if name is None or name not in trained:
            raise HashprobeError(
                f"{name} has to be trained first; give the folder that train-attack wrote (--trained)."
            )
        made = trained.get(seeded_name(name, self.training_seed), trained[name])
        assert isinstance(made, Attack)
        if self.training_seed not in (None, made.training_seed):
            raise HashprobeError(
                f"{name} trained with seed {self.training_seed} is wanted; found one of seed {made.training_seed}."
            )
        used = dataclasses.replace(made, **self.settings)  # type: ignore[arg-type]
        assert isinstance(used, Trained)
        used.with_training_seed(made.training_seed)
        return used

    def row_name(self, attack: Attack | None, protocol: str | None) -> str:
        """Name this cell's row after what tells it from others: attack, goal, code, budget, settings, protocol."""
        if attack is None:
            parts = ["original" if self.code is None else f"{self.code}-code"]
        else:
            parts = [str(self.attack).lower()]
            if self.goal not in (None, attack.goal, self.goal_kind.objective):
                parts.append(str(self.goal))
            if self.code not in (None, attack.code):
                parts.append(str(self.code))
            parts.append("unbounded" if attack.epsilon is None else f"{attack.epsilon * 255:.3g}of255")
            numbers = {name: value for name, value in self.settings.items() if name != "epsilon"}
            parts += [
                f"{name}{value}" if isinstance(value, str) else f"{name}{value:g}"
                for name, value in numbers.items()
                if value is not None
            ]
            parts += [] if self.training_seed is None else [f"trained{self.training_seed}"]
        return "-".join([*parts, protocol or self.goal_kind.objective]).replace("/", "-")

    def identity(self) -> dict[str, Any]:
        """Return what identifies it: names, the versions of what they name, and the settings that differ from defaults."""
        kind, code = self.kind, self.code_name
        own: dict[str, Any] = {
            "gallery": self.gallery,
            "goal": [self.goal_name, version_of(GOALS[self.goal_name])],
            "code": code if code == NO_CODE else [code, version_of(CODES[code])],
        }
        if kind is not None:
            defaults = {field.name: field.default for field in dataclasses.fields(kind)}
            differing = {name: value for name, value in self.settings.items() if value != defaults.get(name)}
            own |= {"attack": [self.attack, version_of(kind)], "settings": differing}
        return own

    def check(self) -> None:
        """Say what is wrong with its names before anything is computed.

        Raises:
            HashprobeError: an unknown attack, goal or code, or a goal that the attack cannot take.
        """
        objective = self.goal_kind.objective
        if self.code_name != NO_CODE and self.code_name not in CODES:
            raise unknown_name("target code", self.code_name, CODES)
        if self.kind is not None and objective not in self.kind.objectives:
            raise HashprobeError(
                f"{self.attack} has no {objective} form; its goal must be {' or '.join(self.kind.objectives)}."
            )
        if self.code == "own" and objective == "targeted":
            raise HashprobeError(
                f"{self.title}: code=own is where a query is, so it can only be left: give goal=untargeted or another code."
            )
        blind = self.kind is None or self.kind.access is Access.NOTHING or self.kind.code == NO_CODE
        if self.code == NO_CODE and not blind:
            raise HashprobeError(
                f"{self.attack} needs a code to reach or to leave; give code= one of {', '.join(CODES)}."
            )


def cells_under(
    specs: Sequence[CellSpec], protocols: Sequence[str], codes: Iterable[str] = ()
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
    return cells


def over_training_seeds(
    specs: Sequence[CellSpec], seeds: Mapping[str, Sequence[int | None]]
) -> list[CellSpec]:
    """Return the attacks, and in place of one that is trained with several seeds, one for each seed.

    Args:
        specs: The attacks.
        seeds: Training seeds by the name of what is trained.
    """
    found: list[CellSpec] = []
    for spec in specs:
        own = dict.fromkeys(seeds.get(spec.attack or "", ()))
        several = own if len(own) > 1 else [spec.training_seed]
        found += [spec.model_copy(update={"training_seed": seed}) for seed in several]
    return found


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
            attack that needs gradients where there are none, or the same attack twice.
    """
    names: set[str] = set()
    for spec in specs:
        spec.check()
        if not gradients and spec.kind is not None and spec.kind.access is Access.GRADIENTS:
            raise no_gradients("it gives codes alone", str(spec.attack))
        name = spec.row_name(spec.build(trained) if spec.attack else None, None)
        for needed in spec.needs:
            if needed not in trained:
                raise HashprobeError(
                    f"{needed} has to be trained first; give the folder that train-attack wrote (--trained)."
                )
        code = trained.get(spec.code_name)
        if code is not None and spec.attack not in TRAINED and code.attacked_model != model:
            raise HashprobeError(
                f"{spec.attack}: the code {code.name!r} was trained on another model ({code.attacked_model[:12]}, not "
                f"{model[:12]}), whose codes mean nothing to this one; train one with train-attack {code.name}."
            )
        if name in names:
            raise HashprobeError(
                f"{spec.attack or name} is given twice with the same settings; give it once."
            )
        names.add(name)
