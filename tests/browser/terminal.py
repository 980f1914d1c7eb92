"""Commands run in a terminal of their own, and a picture of what they show in it."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import termios
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.text import Text

_ROWS = 40


def run_in_terminal(command: Sequence[str], environment: Mapping[str, str], columns: int) -> str:
    """Return all that a command writes to a terminal, with its escape sequences.

    :raises AssertionError: The command failed.
    """
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, columns, 0, 0))
    with subprocess.Popen(command, stdin=its, stdout=its, stderr=its, env={**os.environ, **environment}) as process:
        os.close(its)
        written = b""
        try:
            while some := os.read(ours, 65536):
                written += some
        except OSError:  # Linux tells by an error that nobody has the terminal open any more
            pass
        finally:
            os.close(ours)
    shown = written.decode().replace("\r\n", "\n")
    assert process.returncode == 0, shown
    return shown


def draw_terminal(title: str, shown: Mapping[str, str], columns: int) -> str:
    """Return an SVG of a terminal.

    :param shown: What each command showed, with its escape sequences.
    """
    console = Console(file=io.StringIO(), record=True, width=columns)
    for command, output in shown.items():
        console.print(Text.assemble(("$ ", "dim"), (command, "bold")), Text.from_ansi(output), sep="\n")
    svg = console.export_svg(title=title, unique_id="terminal")
    # Fonts of another host are none of a picture's business.
    return re.sub(r"@font-face\s*\{[^}]*\}\s*", "", svg)
