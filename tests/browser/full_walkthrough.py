"""All of the way in the browser, on ``airflow standalone``, and in a terminal, with pictures for the documentation.

Run by hand: ``make screenshots``.
"""

from __future__ import annotations

import sys
from pathlib import Path

from browser.chromium import skip_without_a_browser
from browser.terminal import draw_terminal, run_in_terminal
from browser.walkthrough import walk

from airflow_provider_ringevents.emulator import Emulator

PICTURES = Path(__file__).parents[2] / "docs" / "images" / "screenshots"
LARGEST = 80_000
"""Bytes."""
COLUMNS = 120
COMMANDS = ("organizations", "templates", "check")


def test_all_of_the_way_with_pictures(tmp_path: Path) -> None:
    skip_without_a_browser()
    walk(tmp_path, limit=480, standalone=True, everything=True, pictures=str(PICTURES))
    too_large = {picture.name for picture in PICTURES.glob("*.png") if picture.stat().st_size > LARGEST}
    assert not too_large


def test_the_command_line_in_colour() -> None:
    program = str(Path(sys.executable).with_name("ringevents"))
    with Emulator(seed=1, port=8765) as emulator:
        environment = {
            "AIRFLOW_CONN_RINGEVENTS_DEFAULT": emulator.connection_json(),
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
            "TERM": "xterm-256color",
        }
        shown = {f"ringevents {name}": run_in_terminal([program, name], environment, COLUMNS) for name in COMMANDS}
    assert "\x1b[32mok" in shown["ringevents check"]
    (PICTURES / "command-line.svg").write_text(draw_terminal("ringevents", shown, COLUMNS), encoding="utf-8")
