"""Checks that keep a result honest, by name; importing this package registers them."""

from hashprobe.results.checks import data, evaluation, gradients, strength, trained
from hashprobe.results.checks.base import CHECKS, Check, Evidence, Finding, run_checks

__all__ = [
    "CHECKS",
    "Check",
    "Evidence",
    "Finding",
    "data",
    "evaluation",
    "gradients",
    "run_checks",
    "strength",
    "trained",
]
