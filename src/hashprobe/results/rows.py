"""The result row: what was measured, how it was made, and which number of it says how strong the attack is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hashprobe.errors import HashprobeError
from hashprobe.results.faults import sentence_of
from hashprobe.typed_values import checked

TARGETED: Literal["targeted"] = "targeted"
UNTARGETED: Literal["untargeted"] = "untargeted"
LINF: Literal["linf"] = "linf"
L2: Literal["l2"] = "l2"
NO_CHANGE, NO_PICTURE, UNBOUNDED = "none", "no picture", "unbounded"
SCAN = "scan"
AND_ON = " + "
"""In the name of an attack: steps that begin at another's image stand after it, as ``CodeGenerator + FewStep``."""

Fraction = Annotated[float, Field(ge=-1e-9, le=1 + 1e-9)]
Amount = Annotated[float, Field(ge=0)]

_NEEDED: dict[str, tuple[str, ...]] = {
    TARGETED: ("protocol", "t_map", "chance"),
    UNTARGETED: ("map", "map_chance"),
}
_ABSENT: dict[str, tuple[str, ...]] = {
    UNTARGETED: ("protocol", "t_map", "t_map_low", "t_map_high", "chance", "t_map_png")
}


class ResultRow(BaseModel):
    """One line of ``results.jsonl``. MAPs are fractions; changes are in [0, 1] units; what is not known is ``None``.

    A targeted row is scored by t-MAP, and more is the stronger attack. An untargeted row is scored by MAP, and less is the
    stronger attack; its protocol and everything of t-MAP are ``None``.

    Attributes:
        row: Name of the row, unique within a result file.
        data: Name of the data set.
        split_sha256: Fingerprint of its split.
        model: Fingerprint of the hash model that the row is scored on.
        bits: Code length K.
        attack: ``Original`` for the unchanged query, ``… code`` where the target code itself is the query.
        attack_settings: The attack's own description of its numbers.
        goal: ``targeted``: towards pictures of a target label; ``untargeted``: away from the query's own.
        code: The code that the attack aims at or leaves: ``none``, ``p2p``, ``anchor``, ``prototype``.
        protocol: Target label protocol.
        seed: Of target labels, target codes and attack.
        queries: Number of queries.
        epsilon: Budget, in the norm of ``norm``; ``None`` for unbounded.
        norm: Of the budget: ``linf``, the largest change of a value, or ``l2``, the length of an image's change.
        map: MAP of the attacked queries against their own labels.
        map_low: Lower end of its 95 % bootstrap interval over queries.
        map_high: Upper end.
        map_benign: MAP of the unchanged queries.
        map_chance: MAP of a random ranking.
        t_map: MAP of the attacked queries against their target labels.
        t_map_low: Lower end of its 95 % bootstrap interval over queries.
        t_map_high: Upper end.
        chance: t-MAP of a random ranking.
        won: Of an attack that tries several: the share of queries that each of them served best.
        restart_bits: Of an attack that starts several times: how many bits its results for an image lie apart, in their distance
            from the goal's code, the mean over queries.
        linf: Largest change of a value over all images.
        l2: Largest L2 length of an image's change.
        rms: Perceptibility: root of the mean squared change over all values of all images.
        map_png: MAP after rounding to 8 bit.
        t_map_png: t-MAP after rounding to 8 bit.
        bits_moved: By how many bits the attacked code differs from the unchanged query's, the mean over queries.
        goal_bits: Hamming distance of the attacked code from the one that the goal wants, the mean over queries; untargeted, from
            the opposite of the code that is left. ``None`` where the goal has no code, or one of another model.
        goal_bits_before: The same for the unchanged queries.
        seconds_per_image: Time of the attack alone.
        forward_passes: Of the network that the attack runs, the mean an image.
        backward_passes: Of the same.
        questions: How often the attack asked the search for its answer, the mean an image.
        index: What searched: ``scan``, which compares all codes, or the name of another index.
        index_recall: Share of the nearest items that it finds; ``None`` where it is exact.
        top_k: How many of the first places MAP and t-MAP count; ``None`` for the whole ranking.
        device: Where it ran.
        threads: CPU threads.
        versions: Of what the result depends on.
        attacked_model: Fingerprint of the model that the attack saw or was trained against; ``None`` where it is ``model``.
        access: What the attack may see: ``nothing``, ``ranking``, ``codes`` or ``gradients``; empty where there is none or it is
            not known.
        trained: Whether the attack is one that was trained.
        training_seed: Seed of the attack's own training, where it has one that is not ``seed``.
        training_seeds: How many training seeds the row is the mean of, where it is one; its intervals then are the lowest and
            the highest of them.
        tanh_alpha: Smallest scale α of the ``tanh(α z)`` that the attack differentiates; ``None`` where it is another objective.
        mean_logit: Mean absolute output z of ``model`` on (at most 256 of) the unchanged queries.
        tanh_scale: Scale of the tanh that ``model`` was trained with: 1, or what HashNet's grew to.
        target_shared: Share of the queries whose target label shares a class with their own label.
        duplicates: How many queries are, pixel by pixel, an image of the database or of the training images.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    row: str = ""
    data: str = ""
    split_sha256: str = ""
    model: str = ""
    bits: int | None = None
    attack: str
    attack_settings: str = ""
    goal: Literal["targeted", "untargeted"] = TARGETED
    code: str = ""
    protocol: str | None = None
    seed: int | None = None
    queries: int | None = None
    epsilon: Amount | None
    norm: Literal["linf", "l2"] = LINF
    map: Fraction | None = None
    map_low: Fraction | None = None
    map_high: Fraction | None = None
    map_benign: Fraction | None = None
    map_chance: Fraction | None = None
    t_map: Fraction | None = None
    t_map_low: Fraction | None = None
    t_map_high: Fraction | None = None
    chance: Fraction | None = None
    won: dict[str, Fraction] | None = None
    restart_bits: Amount | None = None
    linf: Amount | None = None
    l2: Amount | None = None
    rms: Amount | None = None
    map_png: Fraction | None = None
    t_map_png: Fraction | None = None
    bits_moved: Amount | None = None
    goal_bits: Amount | None = None
    goal_bits_before: Amount | None = None
    seconds_per_image: Amount | None = None
    forward_passes: Amount | None = None
    backward_passes: Amount | None = None
    questions: Amount | None = None
    index: str = SCAN
    index_recall: Fraction | None = None
    top_k: int | None = None
    device: str = ""
    threads: int | None = None
    versions: dict[str, str] = Field(default_factory=dict)
    attacked_model: str | None = None
    access: str = ""
    trained: bool = False
    training_seed: int | None = None
    training_seeds: int | None = None
    tanh_alpha: Amount | None = None
    mean_logit: Amount | None = None
    tanh_scale: Amount | None = None
    target_shared: Fraction | None = None
    duplicates: int | None = None

    @classmethod
    @checked
    def read(cls, values: Mapping[str, Any], where: str, number: int) -> Self:
        """Check one JSON object and return it as a row; fields that no row has are passed over.

        Args:
            values: The object. It needs ``attack``, ``epsilon`` and what its goal is scored by: ``protocol``, ``t_map`` and
                ``chance`` where it is targeted (the default), ``map`` and ``map_chance`` where it is untargeted.
            where: The place to name in an error, such as ``"results.jsonl, line 3"``.
            number: Its number, from 1; names the row if it has no ``row``.

        Raises:
            HashprobeError: a field that the row needs is missing, or one has another type or range.
        """
        given = {name: value for name, value in values.items() if value is not None or name == "epsilon"}
        needed = ("attack", *_NEEDED.get(str(given.get("goal", TARGETED)), ()), "epsilon")
        missing = [name for name in needed if name not in given]
        if missing:
            raise HashprobeError(f"{where} lacks {', '.join(missing)}; every result row must have it.")
        known = {name: value for name, value in given.items() if name in cls.model_fields}
        try:
            return cls(**{"row": f"row-{number}", **known})
        except ValidationError as error:
            raise HashprobeError(f"{where}: {sentence_of(error.errors()[0])}") from None

    @model_validator(mode="after")
    def _has_what_its_goal_is_scored_by(self) -> Self:
        if missing := [name for name in _NEEDED[self.goal] if getattr(self, name) is None]:
            raise ValueError(f"a row that is {self.goal} must have {', '.join(missing)}")
        if excess := [name for name in _ABSENT.get(self.goal, ()) if getattr(self, name) is not None]:
            raise ValueError(f"a row that is {self.goal} has no {', '.join(excess)}")
        if self.protocol == UNTARGETED:
            raise ValueError(f"no target label protocol may be named {UNTARGETED}")
        return self

    @property
    def is_untargeted(self) -> bool:
        """Whether the attack leads away from the query's own labels, rather than towards a target label."""
        return self.goal == UNTARGETED

    @property
    def group(self) -> str:
        """Which rows it may be compared with: its protocol, or ``untargeted``."""
        return self.protocol or UNTARGETED

    @property
    def score(self) -> float:
        """The number that the attack is judged by: t-MAP, or MAP where it is untargeted."""
        value = self.map if self.is_untargeted else self.t_map
        assert value is not None
        return value

    @property
    def score_name(self) -> str:
        """What the score is called: ``"t-MAP"``, ``"MAP"``, or with the places that count, ``"MAP@100"``."""
        name = "MAP" if self.is_untargeted else "t-MAP"
        return name if self.top_k is None else f"{name}@{self.top_k}"

    @property
    def score_low(self) -> float | None:
        """Lower end of the score's 95 % interval."""
        return self.map_low if self.is_untargeted else self.t_map_low

    @property
    def score_high(self) -> float | None:
        """Upper end of the score's 95 % interval."""
        return self.map_high if self.is_untargeted else self.t_map_high

    @property
    def score_chance(self) -> float:
        """The score of a random ranking: where t-MAP starts, and what MAP falls to when a code says nothing any more."""
        value = self.map_chance if self.is_untargeted else self.chance
        assert value is not None
        return value

    @property
    def score_png(self) -> float | None:
        """The score after rounding to 8 bit."""
        return self.map_png if self.is_untargeted else self.t_map_png

    @property
    def strength(self) -> float:
        """A number that is larger for a stronger attack of the same goal."""
        return -self.score if self.is_untargeted else self.score

    @property
    def is_code(self) -> bool:
        """Whether the target code itself was the query: a yardstick for attacks, not an attack."""
        return self.attack.endswith(" code")

    @property
    def is_original(self) -> bool:
        """Whether the picture was left as it was."""
        return self.attack.lower() == "original"

    @property
    def is_noise(self) -> bool:
        """Whether the change was drawn at random: what a change alone does."""
        return self.attack.lower() == "noise"

    @property
    def is_attack(self) -> bool:
        """Whether a picture was changed (noise counts: it competes with what is no better)."""
        return not (self.is_code or self.is_original)

    @property
    def budget(self) -> str:
        """The budget in words: ``"8/255"``, ``"1.5 L2"``, ``"unbounded"``, ``"none"`` (unchanged) or ``"no picture"``."""
        if self.is_code:
            return NO_PICTURE
        return NO_CHANGE if self.is_original or self.epsilon == 0 else epsilon_text(self.epsilon, self.norm)

    @property
    def passes(self) -> float | None:
        """Forward plus backward passes per image."""
        if self.forward_passes is None and self.backward_passes is None:
            return None
        return (self.forward_passes or 0) + (self.backward_passes or 0)

    def without_times(self) -> dict[str, Any]:
        """Return the fields that the same command gives again: all but the time."""
        return self.model_dump(exclude={"seconds_per_image"})


@checked
def epsilon_text(epsilon: float | None, norm: str = LINF) -> str:
    """Write a budget as the field does: ``8/255`` for whole grey levels, ``1.5 L2``, or ``unbounded`` for ``None``."""
    if epsilon is None:
        return UNBOUNDED
    if not math.isfinite(epsilon * 255):
        raise HashprobeError(f"epsilon must be a finite number or none; found {epsilon}.")
    if norm == L2:
        return f"{epsilon:.4g} L2"
    levels = epsilon * 255
    return f"{round(levels)}/255" if abs(levels - round(levels)) < 1e-3 else f"{epsilon:.4g}"
