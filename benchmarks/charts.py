"""Bars as SVG, written by hand: small, and on a ground of their own, so that they can be read in light and dark."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

_WIDTH, _LEFT, _RIGHT, _STEP, _BAR = 860, 130, 110, 26, 16
_OURS, _OTHERS, _TEXT = "#1971c2", "#9aa5b1", "#1f2933"


@dataclass(frozen=True, slots=True)
class Bar:
    """One value.

    :ivar shown: how it is written.
    """

    label: str
    value: float
    shown: str


def bars(title: str, panels: Mapping[str, Sequence[Bar]]) -> str:
    """The whole file: panels one below the other; one whose title says "logarithmic" is. "ours" stands out."""
    parts: list[str] = []
    top = 36
    told = []
    for heading, rows in panels.items():
        parts.append(f'<text x="24" y="{top}" font-weight="bold">{escape(heading)}</text>')
        top += 14
        for row, share in zip(rows, _shares(rows, logarithmic="logarithmic" in heading), strict=True):
            width = max(2.0, share * (_WIDTH - _LEFT - _RIGHT))
            colour = _OURS if row.label.startswith("ours") else _OTHERS
            parts.append(f'<text x="{_LEFT - 10}" y="{top + 13}" text-anchor="end">{escape(row.label)}</text>')
            parts.append(f'<rect x="{_LEFT}" y="{top}" width="{width:.1f}" height="{_BAR}" rx="2" fill="{colour}"/>')
            parts.append(f'<text x="{_LEFT + width + 8:.1f}" y="{top + 13}">{escape(row.shown)}</text>')
            top += _STEP
        told.append(f"{heading}: {', '.join(f'{row.label} {row.shown}' for row in rows)}.")
        top += 26
    height = top - 10
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img"'
        f' font-family="Helvetica, Arial, sans-serif" font-size="13" fill="{_TEXT}">',
        f"<title>{escape(title)}</title>",
        f"<desc>{escape(' '.join(told))}</desc>",
        f'<rect width="{_WIDTH}" height="{height}" rx="10" fill="#ffffff" stroke="#cbd2d9"/>',
    ]
    return "\n".join([*head, *(f"  {part}" for part in parts), "</svg>", ""])


def _shares(rows: Sequence[Bar], *, logarithmic: bool) -> list[float]:
    """How long each bar is, of the longest."""
    values = [row.value for row in rows]
    if not logarithmic:
        return [value / (max(values) or 1) for value in values]
    lowest = min((value for value in values if value > 0), default=1.0) / 2
    full = math.log10(max(*values, lowest) / lowest) or 1
    return [math.log10(max(value, lowest) / lowest) / full for value in values]
