"""`airflow standalone`, as somebody starts it who tries Airflow."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from local_airflow import LocalAirflow

# The logs are read from this machine's files. Their servers would listen on all of its addresses, whatever is set.
_AIRFLOW = f"""#!/bin/sh
case "$1" in
    scheduler | triggerer) set -- "$@" --skip-serve-logs ;;
esac
exec {shlex.quote(sys.executable)} -m airflow "$@"
"""


class Standalone(LocalAirflow):
    """What ``airflow standalone`` starts: processes that each import Airflow for themselves. Ended without a trace.

    :param home: a folder that does not exist yet; it becomes ``AIRFLOW_HOME``.
    :param logs: a folder that does not exist yet, for what the components print.
    :param dags: the DAG files.
    :param environment: more environment variables, such as connections.
    :param programs: a folder that does not exist yet, for what ``standalone`` runs as ``airflow``.
    """

    def __init__(self, home: Path, logs: Path, dags: Path, environment: Mapping[str, str], *, programs: Path) -> None:
        programs.mkdir()
        airflow = programs / "airflow"
        airflow.write_text(_AIRFLOW)
        airflow.chmod(0o755)
        path = os.pathsep.join((str(programs), os.environ["PATH"]))
        super().__init__(home, logs, dags, {**environment, "PATH": path})
        self._components = {"standalone": ("standalone",)}
