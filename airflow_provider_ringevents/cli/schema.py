"""``ringevents schema``: the table that takes the files of a list."""

from __future__ import annotations

import argparse
import sys

from airflow_provider_ringevents.cli.runner import ExitCode, command
from airflow_provider_ringevents.exports.ddl import create_table


@command
def schema(args: argparse.Namespace) -> ExitCode:
    """Write the ``CREATE TABLE`` statement of a list to stdout."""
    sys.stdout.write(create_table(args.collection, args.dialect, args.table))
    return ExitCode.SUCCESS
