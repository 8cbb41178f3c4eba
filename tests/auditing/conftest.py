"""Services that are encoded are those of the tests of services."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "hashing"))
