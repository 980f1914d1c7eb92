"""What every benchmark says of the machine, and where what it found is written to."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[1]
GENERATED = ROOT / "docs" / "generated"
IMAGES = ROOT / "docs" / "images"


@dataclass(frozen=True, slots=True)
class Written:
    """What a benchmark found.

    :ivar text: Markdown; pictures are at `../images/`.
    :ivar images: SVG files by their names.
    """

    text: str
    images: dict[str, str] = field(default_factory=dict)


def environment() -> dict[str, str]:
    """Of the processes that are measured: byte code as an installed package has it, or the compiler is measured."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def memory(name: str) -> int:
    """Bytes of this process: ``VmRSS`` now, ``VmHWM`` at most so far.

    The latter is of this program alone. What ``getrusage`` calls the peak begins with that of the process that started
    it, so that a small growth does not show.
    """
    match = re.search(rf"^{name}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert match is not None
    return int(match[1]) * 1024


def interpreter(module: str, variable: str = "BENCH_PEERS_PYTHON") -> str | None:
    """The Python that has a module; None: none has it.

    :param variable: of the environment; names a Python that is asked before the one that runs.
    """
    asked = (os.environ.get(variable), sys.executable)
    return next((python for python in asked if python and _has(python, module)), None)


def _has(python: str, module: str) -> bool:
    look = "import importlib.util, sys; sys.exit(importlib.util.find_spec(sys.argv[1]) is None)"
    command = [python, "-c", look, module]
    return subprocess.run(command, capture_output=True, timeout=120, env=environment()).returncode == 0


def machine() -> str:
    """The machine, in words."""
    model = "unknown processor"
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        named = (line for line in cpuinfo.read_text().splitlines() if line.startswith("model name"))
        model = next(named, model).partition(":")[2].strip() or model
    return f"{os.cpu_count()} CPUs ({model}), {platform.system()}, Python {platform.python_version()}"


def write(name: str, found: Written, load: float, arguments: str) -> None:
    """Put what a benchmark found into the documentation.

    :param load: of the machine before it began.
    :param arguments: of the command that measures.
    """
    head = (
        f'Measured on {datetime.now(UTC):%Y-%m-%d} with `make bench ARGS="{arguments}"`: {machine()},'
        f" load {load:.1f} before; servers run on the same machine."
    )
    (GENERATED / f"{name}-benchmark.md").write_text(f"{head}\n\n{found.text}\n")
    for file, drawn in found.images.items():
        (IMAGES / file).write_text(drawn)
