"""An Airflow of its own on this machine: four processes and a database, ended without a trace."""

from __future__ import annotations

import base64
import json
import os
import secrets
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import airflow_processes
import httpx
import psutil

HOST = "127.0.0.1"
_COMPONENTS = {
    "scheduler": ("scheduler", "--skip-serve-logs"),
    "dag-processor": ("dag-processor",),
    "triggerer": ("triggerer", "--skip-serve-logs"),
}
_JOBS = {"SchedulerJob", "DagProcessorJob", "TriggererJob"}
_GRACE = 2.0
"""Seconds that the components have to end by themselves. The triggerer wants ten, for nothing that would be missed."""
_PAUSE = 0.2
_TIMEOUT = 2.0
_ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_FOREIGN = ("AIRFLOW", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


class LocalAirflowError(Exception):
    """Something did not work; ``log`` is what Airflow said about it."""

    def __init__(self, message: str, log: str = "") -> None:
        super().__init__(message)
        self.log = log


class LocalAirflow:
    """API server, scheduler, DAG processor and triggerer on SQLite, as long as the ``with`` block runs.

    DAG runs are followed in the metadata database: Airflow's web pages and public API take as long to start as all the
    rest, and are left out unless somebody wants to see them.

    :param home: a folder that does not exist yet; it becomes ``AIRFLOW_HOME``.
    :param logs: a folder that does not exist yet, for what the components print.
    :param dags: the DAG files.
    :param environment: more environment variables, such as connections.
    :param pages: serve Airflow's web pages.
    :param imported: modules that all processes have from the beginning, so that not every task imports them anew.
    """

    def __init__(
        self,
        home: Path,
        logs: Path,
        dags: Path,
        environment: Mapping[str, str],
        *,
        pages: bool = False,
        imported: Sequence[str] = (),
    ) -> None:
        self._home = home
        self._logs = logs
        self._imported = imported
        self._process: subprocess.Popen[bytes] | None = None
        port = _free_port()
        self.url = f"http://{HOST}:{port}"
        self._components = {"api-server": ("api-server", "--apps", "all" if pages else "execution"), **_COMPONENTS}
        kept = {name: value for name, value in os.environ.items() if not name.upper().startswith(_FOREIGN)}
        self._environment = {**kept, **_configuration(home, dags, port), **environment}
        self._api = httpx.Client(base_url=self.url, trust_env=False, timeout=_TIMEOUT)

    def __enter__(self) -> LocalAirflow:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    # --- starting and ending

    def create(self, limit: float = 120) -> None:
        """Import Airflow, make the home and the empty database.

        :param limit: seconds.
        """
        self._logs.mkdir(parents=True)
        self._home.mkdir(parents=True)
        self._process = subprocess.Popen(  # noqa: S603 - our own script and folder
            [sys.executable, airflow_processes.__file__, self._logs, *self._imported],
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # A Ctrl-C in the terminal is for us: we end them in order.
            start_new_session=True,
        )
        self._run("db-migrate", "db", "migrate", limit=limit)

    def start(self, dag_ids: Iterable[str], limit: float = 120) -> None:
        """Start all components; wait until each works and the DAGs have been parsed.

        :param dag_ids: each in a file of that name.
        :param limit: seconds.
        """
        for name, arguments in self._components.items():
            self._order(name, *arguments)
        wanted = set(dag_ids)
        for _ in self._until(limit, "Airflow did not start"):
            for file, trace in self._read("SELECT filename, stacktrace FROM import_error"):
                if Path(file).stem in wanted:
                    raise LocalAirflowError(f"{file} cannot be imported", trace)
            parsed = {dag_id for (dag_id,) in self._read("SELECT dag_id FROM serialized_dag")}
            jobs = {job for (job,) in self._read("SELECT job_type FROM job WHERE state = 'running'")}
            # Asked in every turn: the API server makes itself ready for workers when it is first asked.
            if self._answers() and wanted <= parsed and jobs >= _JOBS:
                break

    def stop(self) -> None:
        """End every process that was started, and theirs; nothing happens when that is done."""
        # Nobody gains from an interrupted clean-up, and it does not take long.
        before = {number: signal.signal(number, signal.SIG_IGN) for number in _ENDINGS}
        try:
            self._api.close()
            if self._process is None:
                return
            members = _members(self._process.pid)
            for member in members:
                with suppress(psutil.NoSuchProcess):
                    member.terminate()
            psutil.wait_procs(members, _GRACE)
            while members := _members(self._process.pid):
                for member in members:
                    with suppress(psutil.NoSuchProcess):
                        member.kill()
                psutil.wait_procs(members, _GRACE)
            self._process.communicate()
            self._process = None
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    # --- DAG runs

    def start_run(self, dag_id: str, run_id: str, conf: Mapping[str, Any]) -> None:
        """Start a DAG run by hand."""
        self._run(f"trigger-{run_id}", "dags", "trigger", "--run-id", run_id, "--conf", json.dumps(conf), dag_id)

    def follow_run(self, dag_id: str, run_id: str, limit: float = 180) -> Iterator[dict[str, str]]:
        """Yield the states of the task instances again and again, until the run has succeeded.

        Task instances are named ``task_id`` or ``task_id[map_index]``.

        :param limit: seconds.
        :raises LocalAirflowError: the run has failed, or has not ended in time.
        """
        for _ in self._until(limit, f"the run of {dag_id} did not end", dag_id):
            state = self._read("SELECT state FROM dag_run WHERE dag_id = ? AND run_id = ?", dag_id, run_id)
            rows = self._read(
                "SELECT task_id, map_index, state FROM task_instance WHERE dag_id = ? AND run_id = ?", dag_id, run_id
            )
            yield {task if index < 0 else f"{task}[{index}]": now or "none" for task, index, now in rows}
            if state == [("failed",)]:
                raise LocalAirflowError(f"the run of {dag_id} has failed", self._task_logs(dag_id))
            if state == [("success",)]:
                return

    def import_errors(self, limit: float = 120) -> dict[str, str]:
        """Return the tracebacks of the DAG files that cannot be imported, by the file's name, once there is one.

        :param limit: seconds.
        """
        for _ in self._until(limit, "every DAG file could be imported"):
            rows = self._read("SELECT filename, stacktrace FROM import_error")
            if rows:
                return {Path(file).name: trace for file, trace in rows}
        raise AssertionError("the loop returns or raises")

    def results(self, dag_id: str, run_id: str, task_id: str) -> list[Any]:
        """What a task returned; a mapped task has as many results as instances."""
        rows = self._read(
            "SELECT value FROM xcom WHERE dag_id = ? AND run_id = ? AND task_id = ? AND key = 'return_value'"
            " ORDER BY map_index",
            dag_id,
            run_id,
            task_id,
        )
        return [json.loads(value) for (value,) in rows]

    # --- how it is done

    def _order(self, name: str, *arguments: str) -> None:
        """Have a command of Airflow run."""
        if self._process is None or self._process.stdin is None:
            raise LocalAirflowError("Airflow does not run")
        with suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps({"name": name, "arguments": arguments}).encode() + b"\n")
            self._process.stdin.flush()

    def _run(self, name: str, *arguments: str, limit: float = 60) -> None:
        """Run a command of Airflow to its end.

        :raises LocalAirflowError: it has failed, or has not ended in time.
        """
        self._order(name, *arguments)
        for _ in self._until(limit, f"airflow {arguments[0]} {arguments[1]} did not end"):
            code = self._exit_codes().get(name)
            if code:
                raise LocalAirflowError(f"airflow {' '.join(arguments)} failed", self._tail(name))
            if code == 0:
                return

    def _until(self, limit: float, complaint: str, dag_id: str | None = None) -> Iterator[None]:
        """Turns of a waiting loop.

        :raises LocalAirflowError: the time is over, or a component has ended.
        """
        deadline = time.monotonic() + limit
        while time.monotonic() < deadline:
            yield
            if self._process is None or self._process.poll() is not None:
                raise LocalAirflowError("Airflow has ended by itself", self._tail(airflow_processes.IMPORT))
            for name, code in self._exit_codes().items():
                if name in self._components:
                    raise LocalAirflowError(f"airflow {name} has ended by itself ({code})", self._tail(name))
            time.sleep(_PAUSE)
        said = self._task_logs(dag_id) if dag_id else "\n".join(map(self._tail, self._components))
        raise LocalAirflowError(f"{complaint} within {limit:.0f} s", said)

    def _exit_codes(self) -> dict[str, int]:
        """Which commands have ended, and how."""
        file = self._logs / airflow_processes.ENDED
        lines = file.read_text().splitlines() if file.exists() else []
        return {name: int(code) for name, code in (line.split() for line in lines)}

    def _read(self, query: str, *values: str) -> list[tuple[Any, ...]]:
        """Rows of the metadata database; none while somebody else has it locked."""
        address = f"{(self._home / 'airflow.db').as_uri()}?mode=ro"
        with closing(sqlite3.connect(address, uri=True)) as database, suppress(sqlite3.OperationalError):
            return database.execute(query, values).fetchall()
        return []

    def _answers(self) -> bool:
        """Whether the API server serves workers."""
        with suppress(httpx.TransportError):
            return self._api.get("/execution/health").is_success
        return False

    def _tail(self, name: str, lines: int = 15) -> str:
        """The last lines that a command has printed."""
        file = self._logs / f"{name}.log"
        said = file.read_text(errors="replace").splitlines() if file.exists() else []
        return "\n".join([f"--- {file}", *said[-lines:]])

    def _task_logs(self, dag_id: str, lines: int = 30) -> str:
        """The last lines of the logs of a DAG's tasks."""
        parts = []
        for file in sorted((self._home / "logs" / f"dag_id={dag_id}").rglob("*.log")):
            said = [line for entry in file.read_text(errors="replace").splitlines() for line in _readable(entry)]
            parts.append("\n".join([f"--- {file}", *said[-lines:]]))
        return "\n".join(parts)


def _configuration(home: Path, dags: Path, port: int) -> dict[str, str]:
    """Airflow's settings, as environment variables."""
    url = f"http://{HOST}:{port}"
    return {
        "NO_PROXY": "*",
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__HOST": HOST,
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_urlsafe(64),
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PARALLELISM": "2",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        # Runs are started by hand: what has a schedule would start by itself otherwise.
        "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "False",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        # A worker sometimes sees the end of its task only this many seconds later (default 5). When a trigger fires
        # sooner than that, the scheduler takes the worker's late word for a task that died, and fails it.
        "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _members(session: int) -> list[psutil.Process]:
    """All processes of a session, also those whose parent is gone."""
    members = []
    for process in psutil.process_iter():
        with suppress(ProcessLookupError, PermissionError, psutil.NoSuchProcess):
            if os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE:
                members.append(process)
    return members


def _readable(entry: str) -> list[str]:
    """A line of a task's log for people: Airflow writes JSON."""
    try:
        fields = json.loads(entry)
    except ValueError:
        return [entry]
    lines = [f"{str(fields.get('timestamp'))[11:19]} {fields.get('level', ''):8}{fields.get('event')}"]
    for error in fields.get("error_detail") or ():
        lines += [f"    {frame['filename']}:{frame['lineno']} {frame['name']}" for frame in error["frames"][-3:]]
        lines.append(f"    {error['exc_type']}: {error['exc_value']}")
    return lines
