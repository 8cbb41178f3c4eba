"""What an experiment leaves: the result row, what each query scored, how rows compare, and checks of them. It brings no torch."""

from hashprobe.results.checks import CHECKS, Finding, run_checks
from hashprobe.results.comparison import beside_the_best, best_rows, compare, not_weaker, setting_of
from hashprobe.results.folder import write_results
from hashprobe.results.paired import Difference, holm, paired_bootstrap
from hashprobe.results.queries import QueryScores, query_scores, read_query_scores
from hashprobe.results.rows import (
    AND_ON,
    L2,
    LINF,
    NO_CHANGE,
    NO_PICTURE,
    SCAN,
    TARGETED,
    UNBOUNDED,
    UNTARGETED,
    ResultRow,
    epsilon_text,
)
from hashprobe.results.seeds import lines_of

__all__ = [
    "AND_ON",
    "CHECKS",
    "L2",
    "LINF",
    "NO_CHANGE",
    "NO_PICTURE",
    "SCAN",
    "TARGETED",
    "UNBOUNDED",
    "UNTARGETED",
    "Difference",
    "Finding",
    "QueryScores",
    "ResultRow",
    "beside_the_best",
    "best_rows",
    "compare",
    "epsilon_text",
    "holm",
    "lines_of",
    "not_weaker",
    "paired_bootstrap",
    "query_scores",
    "read_query_scores",
    "run_checks",
    "setting_of",
    "write_results",
]
