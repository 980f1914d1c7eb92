"""The command ``python -m airflow_provider_ringevents.emulator``."""

from __future__ import annotations

import argparse
import re
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_ringevents.emulator.settings import Settings

if TYPE_CHECKING:
    from airflow_provider_ringevents.emulator.server.runner import Emulator

_DEFAULTS: Final = {field.name: field.default for field in fields(Settings) if field.default is not MISSING}


# int() and float() would take "1_000", "nan" and digits of other scripts, too.
_DECIMAL: Final = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_PARAMETER: Final = re.compile(r"`(\w+)`")


def _number(text: str) -> int | float | str:
    """Return a number, and any other text as it is, for the settings to refuse with the range that they allow."""
    if not _DECIMAL.fullmatch(text):
        return text
    try:
        return int(text)
    except ValueError:  # It has a fraction or an exponent, or more digits than Python converts.
        return float(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_ringevents.emulator",
        description="The RingCentral Events API on this machine, to try DAGs without an account. It listens on "
        "127.0.0.1 only, keeps everything in memory, and ends with Ctrl-C. The first line that it prints is an "
        "Airflow connection for programs to read, the second one the same to paste into a shell.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--port", type=_number, default=8765, help="port of the API; 0 for a free one")
    parser.add_argument("--host", choices=["127.0.0.1"], default="127.0.0.1", help="the only address there is")

    def setting(name: str, kind: Callable[[str], Any], text: str) -> None:
        option = f"--{name.replace('_', '-')}"
        parser.add_argument(option, dest=name, type=kind, default=_DEFAULTS[name], help=text)

    setting("seed", _number, "same seed, same ids and content")
    setting("api_key", str, "the key that is accepted")
    setting("allowed_host", str, "name by which it is reached besides localhost, such as a container's")
    setting("registrations", _number, "registrations of each published event; a million is fine")
    setting("events", _number, "events of the first organization, at least 8")
    setting("report_seconds", _number, "seconds until a report is ready")
    setting("report_bytes", _number, "size of report files in bytes; None: as their rows make them")
    setting("link_seconds", _number, "seconds that a signed link works")
    setting("template_seconds", _number, "seconds that an event from a template takes")
    setting("duplicate_seconds", _number, "seconds until a copy of an event appears")
    setting("latency", _number, "seconds before every answer")
    setting("rate_limit", _number, "requests per second; more are answered with 429")
    setting("max_per_page", _number, "largest page of a list")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until SIGINT or SIGTERM and return the exit code."""
    parser = _parser()
    values: dict[str, Any] = vars(parser.parse_args(arguments))
    port = values.pop("port")
    values.pop("host")
    try:
        from airflow_provider_ringevents.emulator import Emulator

        emulator = Emulator(port=port, **values)
    except ImportError as error:
        return _failed(str(error))
    except ValueError as error:
        parser.error(_PARAMETER.sub(lambda found: f"--{found[1].replace('_', '-')}", str(error)))
    try:
        emulator.start()
    except OSError as error:
        return _failed(f"port {port} cannot be used: {error.strerror}. Another one: --port N, any free one: --port 0")
    ending = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ending.set())
    try:
        sys.stdout.write(_greeting(emulator))
        sys.stdout.flush()
        ending.wait()
    finally:
        emulator.stop()
    return 0


def _greeting(emulator: Emulator) -> str:
    faults = f"{emulator.url}/_emulator/faults"
    return "\n".join(
        [
            f"AIRFLOW_CONN_RINGEVENTS_DEFAULT={emulator.connection_json()}",
            f"export AIRFLOW_CONN_RINGEVENTS_DEFAULT={shlex.quote(emulator.connection_json())}",
            "",
            f"The Events API is at {emulator.url} (signed links at {emulator.links_url}); Ctrl-C ends it.",
            f"  organization        {emulator.organization_id}",
            f"  event that ended    {emulator.event_id}",
            f"  template            {emulator.template_id}",
            "The first line is for programs to read; the second one is to paste into a shell.",
            f'Make it fail: curl --json \'{{"kind": "status", "status": 503, "times": 3}}\' {faults}',
            f"What it has seen: curl {emulator.url}/_emulator/state (its switches: .../settings)",
            "",
        ]
    )


def _failed(message: str) -> int:
    sys.stderr.write(f"emulator: {message}\n")
    return 2


if __name__ == "__main__":
    sys.exit(main())
