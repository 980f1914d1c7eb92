"""An Airflow as on several machines, all on this one: Celery workers, two triggerers, PostgreSQL, Redis."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import psutil
from chaos.deployment import SETTINGS, Deployment
from cluster.servers import Postgres, Redis
from local_airflow import LocalAirflow

WORKERS = ("worker-1", "worker-2")
TRIGGERERS = ("triggerer", "triggerer-2")
CONCURRENCY = 4
"""Tasks at a time, of each worker."""
_FINISHED = re.compile(r"Task execute_\w+\[\S+\] succeeded")


class Cluster(Deployment):
    """API server, scheduler, DAG processor, two triggerers and two workers, each in processes of its own.

    The machines share the DAG files and the folder of logs; all else goes over PostgreSQL, Redis and the API server.

    :param folder: an empty folder; it holds ``AIRFLOW_HOME`` and what the components print.
    :param dags: the DAG files.
    :param environment: more environment variables, such as connections.
    """

    def __init__(
        self, folder: Path, dags: Path, postgres: Postgres, redis: Redis, environment: Mapping[str, str]
    ) -> None:
        database = f"postgresql+psycopg2://{postgres.address}"
        settings = {
            **SETTINGS,
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            "AIRFLOW__CORE__PARALLELISM": str(2 * CONCURRENCY * len(WORKERS)),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database,
            "AIRFLOW__CELERY__BROKER_URL": redis.url,
            "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{database}",
            "AIRFLOW__CELERY__WORKER_CONCURRENCY": str(CONCURRENCY),
            # So many processes share few processors: what is slow is not dead.
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "40",
            # What a dead worker had taken and not begun is given to another one when this is over.
            "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "60",
            "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "5",
            # In small bites, so that two triggerers share what there is.
            "AIRFLOW__TRIGGERER__MAX_TRIGGER_TO_SELECT_PER_LOOP": "4",
        }
        self._database = f"postgresql://{postgres.address}"
        super().__init__(folder / "home", folder / "logs", dags, {**settings, **environment})
        self._components["triggerer-2"] = self._components["triggerer"]
        for name in WORKERS:
            options = ("--celery-hostname", f"{name}@%h", "--pid", str(folder / f"{name}.pid"), "--skip-serve-logs")
            self._components[name] = ("celery", "worker", *options)

    def create(self, limit: float = 120) -> None:
        LocalAirflow.create(self, limit)

    def start(self, *arguments: Any, **options: Any) -> None:
        super().start(*arguments, **options)
        triggerers = "SELECT count(*) FROM job WHERE job_type = 'TriggererJob' AND state = 'running'"
        self.until(lambda: self.rows(triggerers) == [(len(TRIGGERERS),)], "the start of all triggerers", 60)
        for name in WORKERS:
            self.until(lambda name=name: " ready." in self.printed(name), f"the start of {name}", 60)

    def printed(self, name: str) -> str:
        """What a component has printed."""
        return (self._logs / f"{name}.log").read_text(errors="replace")

    def finished_by(self, worker: str) -> int:
        """Tries of tasks that a worker has brought to an end."""
        return len(_FINISHED.findall(self.printed(worker)))

    def tasks_of(self, worker: str) -> int:
        """How many tasks a worker runs now."""
        own = set(self._family(worker))
        return sum(process in own for process in self.task_processes())

    def kill(self, name: str) -> int:
        """SIGKILL a component and all that it has started, as when its machine goes dark.

        Returns how many processes that were.
        """
        del self._components[name]  # from now on it may end
        dead = self._family(name)
        # Stopped first, so that none sees another one die.
        for signal_number in (signal.SIGSTOP, signal.SIGKILL):
            for process in dead:
                with suppress(psutil.NoSuchProcess):
                    process.send_signal(signal_number)
        return len(dead)

    def memory(self, name: str) -> int:
        """Bytes that the processes of a component have for themselves."""
        sizes = []
        for process in self._family(name):
            with suppress(psutil.Error):
                sizes.append(process.memory_full_info().uss)
        return sum(sizes)

    def _family(self, name: str) -> set[psutil.Process]:
        """The processes of a component and all that they have started."""
        family = {process for process in self._processes() if _prints_into(process) == f"{name}.log"}
        for process in list(family):
            with suppress(psutil.Error):
                family.update(process.children(recursive=True))
        return family

    def _read(self, query: str, *values: str) -> list[tuple[Any, ...]]:
        import psycopg2

        with closing(psycopg2.connect(self._database)) as database, database.cursor() as cursor:
            cursor.execute(query.replace("?", "%s"), values)
            return list(cursor.fetchall())


def _prints_into(process: psutil.Process) -> str:
    with suppress(OSError):
        return Path(os.readlink(f"/proc/{process.pid}/fd/1")).name
    return ""
