"""A cell, described: an attack with its goal and settings, or codes that no attack made, as a row of a table."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from hashprobe.attacks import ATTACKS, Access, Attack, BorrowedAttack, IterativeAttack, check_start
from hashprobe.errors import HashprobeError, unknown_name
from hashprobe.evaluation.cells.settings import check_settings
from hashprobe.identity import version_of
from hashprobe.results import AND_ON
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
        code: A name of ``CODES``; the one that the attack is published with, or its start, or the goal's own, if not given.
        settings: The attack's numbers, by name; its defaults otherwise.
        start: The attack whose image its steps begin at, a name of ``ATTACKS``, with its own defaults but the attack's budget.
        gallery: Whether its pictures are kept for the gallery.
        training_seed: Which of several trained attacks of one name, by the seed of its training; where steps begin at a trained
            attack's image, that one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    attack: str | None = None
    goal: str | None = None
    code: str | None = None
    settings: dict[str, float | int | bool | str | None] = Field(default_factory=dict)
    start: str | None = None
    gallery: bool = False
    training_seed: int | None = None

    @classmethod
    @checked
    def read(cls, text: str, *, gallery: bool = False) -> CellSpec:
        """Read ``NAME`` or ``NAME:setting=value,…``, where ``goal``, ``code`` and ``start`` may be among the settings.

        Raises:
            HashprobeError: a setting without a name or ``=``, or one that is given twice.
        """
        name, _, rest = text.partition(":")
        values = read_pairs([part for part in rest.split(",") if part], f"--attack {name}")
        named = {  # "none" is read as no value, but is the name of no code
            own: str(NO_CODE if values[own] is None else values[own])
            for own in ("goal", "code", "start")
            if own in values
        }
        settings = {setting: value for setting, value in values.items() if setting not in named}
        for setting, value in settings.items():
            if not isinstance(value, int | float | str | None):
                raise HashprobeError(f"{name}: {setting} must be one value; found {value!r}.")
        return cls(attack=name, **named, settings=settings, gallery=gallery)

    @property
    def kind(self) -> type[Attack] | None:
        """The class of the attack."""
        return None if self.attack is None else ATTACKS[self.attack]

    @property
    def start_kind(self) -> type[Attack] | None:
        """The class of the attack that it starts from."""
        return None if self.start is None else ATTACKS[self.start]

    @property
    def trained_name(self) -> str | None:
        """The name of the trained attack that makes its images, or that they begin with."""
        named = [name for name in (self.attack, self.start) if name is not None]
        return next((name for name in named if issubclass(ATTACKS[name], Trained)), None)

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
        kind, start = self.kind, self.start_kind
        if kind is not None and start is not None and kind.code in (None, NO_CODE) and start.code != NO_CODE:
            kind = start  # the steps have no code of their own
        if kind is None or kind.code == NO_CODE:
            return NO_CODE
        published = kind.code if self.goal_name == kind.goal else None
        if published is None and self.goal_kind.objective == "untargeted":
            published = kind.untargeted_code
        return published or self.goal_kind.code

    @property
    def usual_code(self) -> str:
        """What ``code_name`` is where no code is given."""
        return self.model_copy(update={"code": None}).code_name

    @property
    def title(self) -> str:
        """What a table calls it: the attack, after that which it starts from, ``Original``, or the target code."""
        if self.attack is not None:
            borrowed = self.kind is not None and issubclass(self.kind, BorrowedAttack)
            if borrowed and self.settings.get("name"):
                return f"{self.attack} {self.settings['name']}"
            return self.attack if self.start is None else f"{self.start}{AND_ON}{self.attack}"
        return ORIGINAL if self.code is None else CODES[self.code].heading

    @property
    def reads_code(self) -> bool:
        """Whether its code enters what is measured: an attack that sees nothing is told none."""
        return self.kind is None or self.kind.access is not Access.NOTHING

    @property
    def needs(self) -> tuple[str, ...]:
        """Names of the trained codes and attacks that it needs; the attack is the last."""
        code, own = self.code_name, self.trained_name
        wanted = [] if own is None else [own]
        held = () if own is None else TRAINED[own].requires
        if code != NO_CODE and self.reads_code and code not in held and issubclass(CODES[code], Trained):
            wanted.insert(0, code)
        return tuple(wanted)

    def build(self, trained: Mapping[str, Trained]) -> Attack:
        """Return the attack with this cell's numbers.

        Args:
            trained: What was trained, by name.

        Raises:
            HashprobeError: an attack that must be trained first, a setting that it does not have, or a code that it
                did not learn.
        """
        kind, name = self.kind, self.attack
        assert kind is not None
        assert name is not None
        check_settings(kind, name, self.settings)
        if issubclass(kind, Trained):
            return self._trained_attack(trained, name, self.settings)
        made = kind(**self.settings)  # type: ignore[arg-type]
        if self.start is None:
            return made
        assert self.start_kind is not None
        budget = {"epsilon": made.epsilon} | ({} if made.norm == "linf" else {"norm": made.norm})
        first = (
            self._trained_attack(trained, self.start, budget)
            if issubclass(self.start_kind, Trained)
            else self.start_kind(**budget)  # type: ignore[arg-type]
        )
        return dataclasses.replace(made, start=first)  # type: ignore[call-arg]

    def _trained_attack(
        self, trained: Mapping[str, Trained], name: str, numbers: Mapping[str, Any]
    ) -> Attack:
        """Return a trained attack with other numbers; see :meth:`build`."""
        if name not in trained:
            raise HashprobeError(
                f"{name} has to be trained first; give the folder that train-attack wrote (--trained)."
            )
        made = trained.get(seeded_name(name, self.training_seed), trained[name])
        assert isinstance(made, Attack)
        if self.training_seed not in (None, made.training_seed):
            raise HashprobeError(
                f"{name} trained with seed {self.training_seed} is wanted; found one of seed {made.training_seed}."
            )
        self.check_training(made.settings)
        used = dataclasses.replace(made, **numbers)
        assert isinstance(used, Trained)
        used.with_training_seed(made.training_seed)
        return used

    def row_name(self, attack: Attack | None, protocol: str | None) -> str:
        """Name this cell's row after what tells it from others: attack, goal, code, budget, settings, protocol."""
        return self._named(None if attack is None else attack.epsilon, protocol)

    def planned_row_name(self, trained: Mapping[str, BaseModel], protocol: str | None) -> str:
        """Name this cell's row before anything is trained.

        Args:
            trained: How what it needs will be trained, by name. A trained attack begins with the ``epsilon`` of its training,
                where that has one.
            protocol: Target label protocol.

        Raises:
            HashprobeError: a setting that the attack does not have, or a code that it will not learn.
        """
        kind = self.kind
        if kind is None or not issubclass(kind, Trained):
            if self.start is not None and self.start in trained:
                self.check_training(trained[self.start])
            alone = self.model_copy(update={"start": None})
            return self.row_name(None if kind is None else alone.build({}), protocol)
        training = trained[str(self.attack)]
        self.check_training(training)
        epsilon: Any = self.settings.get("epsilon", getattr(training, "epsilon", kind.epsilon))
        return self._named(epsilon, protocol)

    def _named(self, epsilon: float | None, protocol: str | None) -> str:
        kind = self.kind
        if kind is None:
            parts = ["original" if self.code is None else f"{self.code}-code"]
        else:
            parts = [str(self.attack).lower(), *([f"from-{self.start.lower()}"] if self.start else [])]
            if self.goal not in (None, kind.goal, self.goal_kind.objective):
                parts.append(str(self.goal))
            own = kind.code if self.start is None else self.usual_code
            if self.code not in (None, own):
                parts.append(str(self.code))
            parts.append("unbounded" if epsilon is None else f"{epsilon * 255:.3g}of255")
            usual = _defaults(kind)
            parts += [
                f"{name}{'none' if value is None else value if isinstance(value, str) else format(value, 'g')}"
                for name, value in self.settings.items()
                if name != "epsilon" and not (value is None and usual.get(name) is None)
            ]
            parts += [] if self.training_seed is None else [f"trained{self.training_seed}"]
        return "-".join([*parts, protocol or self.goal_kind.objective]).replace("/", "-")

    def identity(self) -> dict[str, Any]:
        """Return what identifies it: names, the versions of what they name, and the settings that differ from defaults.

        Of a trained attack every setting that is given counts: one that is not is as its training left it.
        """
        kind, code = self.kind, self.code_name
        own: dict[str, Any] = {
            "gallery": self.gallery,
            "goal": [self.goal_name, version_of(GOALS[self.goal_name])],
            "code": code if code == NO_CODE else [code, version_of(CODES[code])],
        }
        if kind is not None:
            usual = {} if issubclass(kind, Trained) else _defaults(kind)
            differing = {
                name: value
                for name, value in self.settings.items()
                if name not in usual or value != usual[name]
            }
            own |= {"attack": [self.attack, version_of(kind)], "settings": differing}
        if self.start_kind is not None:
            own["start"] = [self.start, version_of(self.start_kind)]
        return own

    def check(self) -> None:
        """Say what is wrong with its names before anything is computed.

        Raises:
            HashprobeError: an unknown attack, goal, code or setting, a goal that the attack cannot take, or a code that it
                would not look at.
        """
        kind, objective = self.kind, self.goal_kind.objective
        if self.start is not None:
            ATTACKS[self.start]  # says a wrong name
        if self.code_name != NO_CODE and self.code_name not in CODES:
            raise unknown_name("target code", self.code_name, CODES)
        if kind is not None and objective not in kind.objectives:
            raise HashprobeError(
                f"{self.attack} has no {objective} form; its goal must be {' or '.join(kind.objectives)}."
            )
        if self.code == "own" and objective == "targeted":
            raise HashprobeError(
                f"{self.title}: code=own is where a query is, so it can only be left: give goal=untargeted or another code."
            )
        own = self.usual_code
        blind = kind is None or not self.reads_code or own == NO_CODE
        if self.code == NO_CODE and not blind:
            raise HashprobeError(
                f"{self.attack} needs a code to reach or to leave; give code= one of {', '.join(CODES)}."
            )
        learns = (
            kind is not None and issubclass(kind, Trained) and "target_code" in kind.Settings.model_fields
        )
        if self.code not in (None, NO_CODE, own) and not self.reads_code and not learns:
            raise HashprobeError(
                f"{self.attack} is told no code when it attacks, so code={self.code} would be ignored; leave it out."
            )
        if kind is not None:
            check_settings(kind, str(self.attack), self.settings)
        if self.start_kind is not None:
            self._check_start(self.start_kind)

    def _check_start(self, start: type[Attack]) -> None:
        kind = self.kind
        if kind is None or not issubclass(kind, IterativeAttack) or issubclass(kind, Trained):
            raise HashprobeError(
                f"{self.title} does not begin at another attack's image, as gradient steps (FewStep) do; leave start= out."
            )
        check_start(kind(**self.settings), start)  # type: ignore[arg-type]
        if not issubclass(start, Trained):
            check_settings(start, str(self.start), {})
        if self.goal_kind.objective not in start.objectives:
            raise HashprobeError(
                f"{self.start} has no {self.goal_kind.objective} form, so no such steps begin at its image; its goal must be "
                f"{' or '.join(start.objectives)}."
            )

    def check_training(self, settings: BaseModel) -> None:
        """Say that its attack, or its start, learned another code than the one that is gone to here, where it learns one.

        Args:
            settings: How that is trained.

        Raises:
            HashprobeError: it did.
        """
        learned = getattr(settings, "target_code", self.code)
        if self.start is not None and learned not in (self.code, self.code_name):
            raise HashprobeError(
                f"{self.start} learned {learned} codes, and the steps from its image go to {self.code_name}; give "
                f"code={learned}, or one that was trained with target_code={self.code_name}."
            )
        if not self.reads_code and self.code not in (None, NO_CODE, learned):
            raise HashprobeError(
                f"{self.attack} learned {learned} codes, so code={self.code} would be ignored; give one that was trained with "
                f"target_code={self.code}, or leave it out."
            )


def _defaults(kind: type[Attack]) -> dict[str, Any]:
    return {field.name: field.default for field in dataclasses.fields(kind)}
