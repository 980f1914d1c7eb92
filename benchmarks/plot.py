"""A plot as SVG, written by hand: small, and on a ground of its own, so that it can be read in light and dark."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 860, 300
_PLOT_WIDTH, _PLOT_HEIGHT, _TOP = 330, 190, 56
_LEFTS = (70, 500)
_LINE, _LIMIT, _GRID, _TEXT = "#1971c2", "#d9480f", "#e4e7eb", "#1f2933"


@dataclass(frozen=True, slots=True)
class Panel:
    """One value over the number of rows.

    :ivar limit: a line that the values should stay under.
    :ivar logarithmic: the values' axis; that of the rows always is.
    """

    title: str
    rows: Sequence[int]
    values: Sequence[float]
    logarithmic: bool = False
    limit: float | None = None


def plot(title: str, description: str, panels: Sequence[Panel]) -> str:
    """The whole file, with two panels side by side."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
        f' font-family="Helvetica, Arial, sans-serif" font-size="13" fill="{_TEXT}">',
        f"  <title>{escape(title)}</title>",
        f"  <desc>{escape(description)}</desc>",
        f'  <rect width="{WIDTH}" height="{HEIGHT}" rx="10" fill="#ffffff" stroke="#cbd2d9"/>',
    ]
    for left, panel in zip(_LEFTS, panels, strict=True):
        parts += [f"  {line}" for line in _panel(left, panel)]
    return "\n".join([*parts, "</svg>", ""])


def _panel(left: int, panel: Panel) -> list[str]:
    bottom, right = _TOP + _PLOT_HEIGHT, left + _PLOT_WIDTH
    first, last = math.log10(panel.rows[0]), math.log10(panel.rows[-1])
    ticks = _ticks(panel)
    low, high = _place(panel, ticks[0]), _place(panel, ticks[-1])

    def x(rows: float) -> float:
        return left + 16 + (math.log10(rows) - first) / (last - first) * (_PLOT_WIDTH - 32)

    def y(value: float) -> float:
        return bottom - (_place(panel, value) - low) / (high - low) * _PLOT_HEIGHT

    lines = [f'<text x="{left}" y="{_TOP - 20}" font-weight="bold">{escape(panel.title)}</text>']
    for tick in ticks:
        lines.append(f'<path d="M{left} {y(tick):.1f} H{right}" stroke="{_GRID}"/>')
        lines.append(f'<text x="{left - 8}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:g}</text>')
    for rows in panel.rows:
        lines.append(f'<text x="{x(rows):.1f}" y="{bottom + 22}" text-anchor="middle">{rows:,}</text>')
    lines.append(f'<text x="{left + _PLOT_WIDTH / 2}" y="{bottom + 42}" text-anchor="middle">rows</text>')
    if panel.limit is not None:
        lines.append(
            f'<path d="M{left} {y(panel.limit):.1f} H{right}" stroke="{_LIMIT}" stroke-dasharray="6 4" fill="none"/>'
        )
        lines.append(
            f'<text x="{right}" y="{y(panel.limit) + 16:.1f}" text-anchor="end" fill="{_LIMIT}">promised: at most'
            f" {panel.limit:g}</text>"
        )
    points = [(x(rows), y(value)) for rows, value in zip(panel.rows, panel.values, strict=True)]
    path = " L".join(f"{across:.1f} {down:.1f}" for across, down in points)
    lines.append(f'<path d="M{path}" stroke="{_LINE}" stroke-width="2" fill="none"/>')
    for (across, down), value in zip(points, panel.values, strict=True):
        lines.append(f'<circle cx="{across:.1f}" cy="{down:.1f}" r="4" fill="{_LINE}"/>')
        shown = f"{value:.2g}" if value < 10 else f"{value:,.0f}"
        lines.append(f'<text x="{across:.1f}" y="{down - 10:.1f}" text-anchor="middle">{shown}</text>')
    return lines


def _place(panel: Panel, value: float) -> float:
    return math.log10(value) if panel.logarithmic else value


def _ticks(panel: Panel) -> list[float]:
    if panel.logarithmic:
        lowest, highest = math.floor(math.log10(min(panel.values))), math.ceil(math.log10(max(panel.values)))
        return [10.0**power for power in range(lowest, max(highest, lowest + 1) + 1)]
    top = max(*panel.values, panel.limit or 0)
    step = next(step for step in (1, 2, 5, 10, 16, 20, 50, 100, 200, 500, 1000, 5000) if top / step <= 5)
    return [float(step * number) for number in range(math.ceil(top / step) + 1)]
