"""Numbers that are given as text."""

from __future__ import annotations

import math
import re
from typing import Final

# int() and float() would take "1_000", "nan" and digits of other scripts, too.
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


def parse_number(text: str) -> int | float | None:
    """Return a finite number in decimal notation with ASCII digits; None for any other text."""
    digits = text.strip()
    if not _NUMBER.fullmatch(digits):
        return None
    try:
        return int(digits)
    except ValueError:  # It has a fraction or an exponent, or more digits than Python converts.
        number = float(digits)
    return number if math.isfinite(number) else None
