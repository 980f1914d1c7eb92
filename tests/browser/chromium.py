"""Chromium, driven by a script of this folder: what is seen in it comes back as data."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from airflow_harness.versions import AIRFLOW_VERSION

log = logging.getLogger(__name__)
FOLDER = Path(__file__).parent
_CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
_OLDEST_NODE = 20
_GRACE = 10.0
"""Seconds that the script has to close its browser."""


def skip_without_a_browser() -> None:
    """Skip the test where something is missing, and say what and how to get it."""
    if AIRFLOW_VERSION < (3, 3):
        pytest.skip("no browser test: the script knows the web pages of Airflow 3.3")
    if _node() < _OLDEST_NODE:
        pytest.skip(f"no browser test: there is no Node.js {_OLDEST_NODE} or newer (apt-get install nodejs npm)")
    if _chromium() is None:
        pytest.skip(f"no browser test: there is none of {', '.join(_CHROMIUM)} (apt-get install chromium)")
    if not (FOLDER / "node_modules" / "playwright-core").is_dir():
        pytest.skip("no browser test: playwright-core is not installed (make browser)")


def browse(script: str, given: Mapping[str, Any], limit: float) -> dict[str, Any]:
    """Run a script and return what it saw: a JSON object in its last line.

    :param given: for the script, as JSON on its input, with ``chromium``, the path of the browser.
    :param limit: seconds.
    :raises AssertionError: it failed; with what it said.
    """
    process = subprocess.Popen(
        ["node", script],
        cwd=FOLDER,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Node would read the options of somebody's debugger.
        env={name: value for name, value in os.environ.items() if not name.startswith("NODE_")},
    )
    try:
        out, said = process.communicate(json.dumps({**given, "chromium": _chromium()}), limit)
    except subprocess.TimeoutExpired:
        said = _end(process)
        raise AssertionError(f"{script} took more than {limit:.0f} s\n{said}") from None
    assert process.returncode == 0, f"{script} failed\n{said}"
    log.info("%s went its way:\n%s", script, said)
    seen: dict[str, Any] = json.loads(out.splitlines()[-1])
    return seen


def _end(process: subprocess.Popen[str]) -> str:
    """End the script and its browser, which is in a session of its own; returns what the script said."""
    started = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGTERM)
    try:
        _, said = process.communicate(timeout=_GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        _, said = process.communicate()
    for member in started:
        with suppress(psutil.NoSuchProcess):
            member.kill()
    return said


def _node() -> int:
    """The major version of Node.js; 0 without it."""
    if shutil.which("node") is None:
        return 0
    said = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False).stdout
    return int(said.removeprefix("v").partition(".")[0] or 0)


def _chromium() -> str | None:
    return next(filter(None, map(shutil.which, _CHROMIUM)), None)
