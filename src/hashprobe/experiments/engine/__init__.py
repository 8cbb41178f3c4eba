"""A graph of tasks that need one another: each done once, its result kept, on one processor or on many."""

from hashprobe.experiments.engine.engines import ENGINES, Engine, open_engine
from hashprobe.experiments.engine.schedule import Outcome, run_tasks
from hashprobe.experiments.engine.tasks import Task, with_needs

__all__ = ["ENGINES", "Engine", "Outcome", "Task", "open_engine", "run_tasks", "with_needs"]
