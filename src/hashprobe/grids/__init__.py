"""Work that hangs together: tasks that need one another, each done once, on one processor or on many."""

from hashprobe.grids.engines import ENGINES, Engine, open_engine
from hashprobe.grids.schedule import Outcome, run_tasks
from hashprobe.grids.tasks import Task, with_needs

__all__ = ["ENGINES", "Engine", "Outcome", "Task", "open_engine", "run_tasks", "with_needs"]
