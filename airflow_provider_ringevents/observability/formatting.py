"""Numbers, byte counts and durations as text for people."""

from __future__ import annotations

from datetime import UTC, datetime


def format_bytes(number: float) -> str:
    """Return a number of bytes with a binary unit, such as ``1.5 MiB``."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < 1024 or unit == "GiB":
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    raise AssertionError("the loop returns")


def format_count(number: int, noun: str) -> str:
    """Return a number with its noun in the singular or plural, such as ``1,200 rows``."""
    return f"{number:,} {noun if number == 1 else noun + 's'}"


def format_duration(seconds: float) -> str:
    """Return a duration with its unit, such as ``1 min 5 s``."""
    if seconds < 0.9995:
        return f"{max(seconds, 0.0) * 1000:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def format_time(timestamp: float) -> str:
    """Return a time in UTC.

    :param timestamp: seconds since the epoch.
    """
    try:
        return f"{datetime.fromtimestamp(timestamp, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError):
        return "the year 10000"  # Deadlines may lie beyond the last year of the calendar.
