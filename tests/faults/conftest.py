"""What is damaged is made by what other rooms' tests make."""

import sys
from pathlib import Path

for room in ("data", "report", "experiments", "cli"):
    sys.path.append(str(Path(__file__).resolve().parents[1] / room))
