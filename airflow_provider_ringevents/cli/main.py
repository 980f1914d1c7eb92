"""The console script ``ringevents``: the commands that Airflow loads, without the word ``airflow``."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence

from airflow_provider_ringevents import __version__


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands; each sets ``func``."""
    _silence_airflow_parser()
    from airflow_provider_ringevents.cli.commands import EXIT_CODES, get_ringevents_cli_commands

    (group,) = get_ringevents_cli_commands()
    parser = argparse.ArgumentParser(prog=group.name, description=group.help, epilog=EXIT_CODES)
    parser.add_argument("--version", action="version", version=f"airflow-provider-ringevents {__version__}")
    commands = parser.add_subparsers(dest="subcommand", metavar="COMMAND", required=True)
    for command in group.subcommands:
        own = commands.add_parser(command.name, help=command.help, description=command.help, epilog=command.epilog)
        for argument in command.args:
            argument.add_to_parser(own)
        own.set_defaults(func=command.func)
    return parser


def _silence_airflow_parser() -> None:
    """Keep a warning about Airflow's own parser, which Python 3.14 gives, out of stdout."""
    # Airflow sets its filters when this is imported, and the latest filter wins.
    import airflow.configuration  # noqa: F401

    warnings.filterwarnings("ignore", "FileType is deprecated", PendingDeprecationWarning)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    :param arguments: The arguments without the program's name. Default: those of the process.
    :raises SystemExit: The command did not succeed; the exception carries an
        :class:`~airflow_provider_ringevents.cli.runner.ExitCode`.
    """
    args = parser().parse_args(arguments)
    args.func(args)
    return 0


if __name__ == "__main__":
    sys.exit(main())
