"""``ringevents emulator``, the same program as ``python -m airflow_provider_ringevents.emulator``."""

from __future__ import annotations

import argparse

from airflow_provider_ringevents.cli.commands import EMULATOR_OPTIONS
from airflow_provider_ringevents.cli.runner import ExitCode, command


@command
def emulator(args: argparse.Namespace) -> ExitCode:
    """Run the emulator until Ctrl-C or SIGTERM."""
    from airflow_provider_ringevents.emulator.__main__ import main

    given = {name: getattr(args, name.replace("-", "_")) for name, _help in EMULATOR_OPTIONS}
    return ExitCode(main([f"--{name}={value}" for name, value in given.items() if value is not None]))
