"""``ringevents openapi``: the description of the API that this package was built from."""

from __future__ import annotations

import argparse
import sys

from airflow_provider_ringevents.cli.runner import ExitCode, command
from airflow_provider_ringevents.contract.openapi import document_text


@command
def openapi(args: argparse.Namespace) -> ExitCode:
    """Write the OpenAPI description to stdout."""
    sys.stdout.write(document_text())
    return ExitCode.SUCCESS
