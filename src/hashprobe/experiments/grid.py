"""A grid: the data, the seed, the device and the folder that all of its tasks share."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from hashprobe.data import RetrievalData, load
from hashprobe.files import user_path


class Grid(BaseModel):
    """What the tasks of one grid have in common.

    Attributes:
        folder: Where results are left.
        data: A name or folder for :func:`hashprobe.data.load`.
        data_options: Its further options.
        image_size: Side of the images.
        queries: How many queries are drawn where the data have more; all of them if not given.
        train: How many training images are.
        seed: Of everything random.
        device: Where it is computed, a name of torch's.
        progress: Whether tasks show progress bars.
        one_model: Whether there is one model and one training of each kind, so that folders need no fingerprint in their names.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: Annotated[Path, AfterValidator(user_path)]
    data: str
    data_options: dict[str, Any] = Field(default_factory=dict)
    image_size: int
    queries: int | None = None
    train: int | None = None
    seed: int = 0
    device: str = "cpu"
    progress: bool = False
    one_model: bool = False

    def load(self) -> RetrievalData:
        """Return the data; in one process they are read once."""
        return _load(self.model_dump_json())


@lru_cache(maxsize=2)
def _load(described: str) -> RetrievalData:
    grid = Grid.model_validate_json(described)
    data = load(grid.data, grid.image_size, grid.seed, progress=grid.progress, **grid.data_options)
    counts = {"query": (grid.queries, data.query), "train": (grid.train, data.train)}
    fewer = {name: wanted for name, (wanted, split) in counts.items() if wanted and wanted < len(split)}
    return data.sample(**fewer, seed=grid.seed)
