"""The result row: what was measured, and how it was made."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict


class ResultRow(BaseModel):
    """One line of ``results.jsonl``. MAPs are fractions; distances are in [0, 1] units.

    Attributes:
        row: Name of the row, unique within a result file.
        data: Name of the data set.
        split_sha256: Fingerprint of its split.
        model: Fingerprint of the hash model.
        bits: Code length K.
        attack: ``Original`` for the unchanged query, ``… code`` where the target code itself is the query.
        attack_settings: The attack's own description of its numbers.
        code: The target code: ``none``, ``p2p``, ``anchor``, ``prototype``.
        protocol: Target label protocol.
        seed: Of target labels, target codes and attack.
        queries: Number of queries.
        epsilon: L∞ budget; ``None`` for unbounded.
        map: MAP of the attacked queries against their own labels.
        map_benign: MAP of the unchanged queries.
        map_chance: MAP of a random ranking.
        t_map: MAP of the attacked queries against their target labels.
        t_map_low: Lower end of its 95 % bootstrap interval over queries.
        t_map_high: Upper end.
        chance: t-MAP of a random ranking.
        linf: Largest change of a value over all images.
        rms: Perceptibility: root of the mean squared change over all values of all images.
        t_map_png: t-MAP after rounding to 8 bit.
        seconds_per_image: Time of the attack alone.
        forward_passes: Of the attacked model (ProS-GAN: of its generator), an image.
        backward_passes: Of the attacked model, an image.
        device: Where it ran.
        threads: CPU threads.
        versions: Of what the result depends on.
        attacked_model: Fingerprint of the model that the attack saw, in a transfer table; ``None`` where it is ``model``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    row: str
    data: str
    split_sha256: str
    model: str
    bits: int
    attack: str
    attack_settings: str
    code: str
    protocol: str
    seed: int
    queries: int
    epsilon: float | None
    map: float | None
    map_benign: float
    map_chance: float
    t_map: float
    t_map_low: float
    t_map_high: float
    chance: float
    linf: float | None
    rms: float | None
    t_map_png: float | None
    seconds_per_image: float | None
    forward_passes: int
    backward_passes: int
    device: str
    threads: int
    versions: dict[str, str]
    attacked_model: str | None = None

    def without_times(self) -> dict[str, Any]:
        """Return the fields that the same command gives again: all but the time."""
        return self.model_dump(exclude={"seconds_per_image"})
