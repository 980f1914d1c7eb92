"""The processes of a small Airflow, forked from one that has imported Airflow: one long import instead of many.

    python airflow_processes.py LOG_FOLDER [MODULE...]

Imports the modules named, too, so that no task has to. Reads commands from its input, one JSON object in a line:
``{"name": "scheduler", "arguments": ["scheduler"]}`` runs ``airflow scheduler`` and lets it print into
``scheduler.log`` in the folder. When that has ended, ``scheduler 0`` goes into the file ``ended`` there, with its exit
code. Ends when the input does; what it has started it leaves alone. Configured by Airflow's environment variables.
"""

from __future__ import annotations

import json
import os
import select
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

_IMPORTED = (
    "airflow.__main__",
    "airflow.api_fastapi.app",
    "airflow.dag_processing.manager",
    "airflow.executors.local_executor",
    "airflow.jobs.scheduler_job_runner",
    "airflow.jobs.triggerer_job_runner",
    "airflow.sdk.execution_time.task_runner",
)
_PAUSE = 0.1
ENDED = "ended"
IMPORT = "import"


def main(logs: Path, imported: Sequence[str]) -> None:
    """Do what the input says until it ends."""
    _print_into(logs / f"{IMPORT}.log")
    for name in (*_IMPORTED, *imported):
        import_module(name)
    # Without a buffer: a line that waits in one would not be seen by select.
    commands = os.fdopen(0, "rb", buffering=0)
    names: dict[int, str] = {}
    while True:
        if select.select([commands], [], [], _PAUSE)[0]:
            line = commands.readline()
            if not line:
                return
            command = json.loads(line)
            names[_fork(logs / f"{command['name']}.log", command["arguments"])] = command["name"]
        while names:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                break
            with (logs / ENDED).open("a") as ended:
                ended.write(f"{names.pop(pid)} {os.waitstatus_to_exitcode(status)}\n")


def _fork(log: Path, arguments: Sequence[str]) -> int:
    """Run ``airflow`` with these arguments in a process of its own; returns its id."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        _print_into(log)
        sys.argv = ["airflow", *arguments]
        import_module("airflow.__main__").main()
        code = 0
    except SystemExit as ending:
        code = ending.code if isinstance(ending.code, int) else int(ending.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        # What the parent wanted to do at its end is not for the child to do.
        os._exit(code)


def _print_into(log: Path) -> None:
    with log.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
