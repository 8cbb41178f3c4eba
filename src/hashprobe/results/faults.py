"""What is wrong with a line of results, in one sentence."""

from __future__ import annotations

from pydantic_core import ErrorDetails

from hashprobe.errors import shortened

_KINDS = {
    "float_type": "a number",
    "finite_number": "a number",
    "int_type": "a whole number",
    "string_type": "text",
}


def sentence_of(error: ErrorDetails) -> str:
    """Say a fault of a line that pydantic found in one sentence."""
    name, kind, limits = ".".join(map(str, error["loc"])), error["type"], error.get("ctx", {})
    found = f"found {shortened(error['input'])}."
    if kind == "value_error":
        return f"{limits['error']}."
    if kind == "greater_than_equal" and limits["ge"] == 0:
        return f"{name} must not be negative; {found}"
    if kind in ("greater_than_equal", "less_than_equal"):
        return f"{name} must be a fraction in [0, 1]; {found} A percentage?"
    return f"{name} must be {_KINDS.get(kind, limits.get('expected', 'of another kind'))}; {found}"
