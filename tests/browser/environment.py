"""Where the browser goes: an emulator of the API, an S3 server, and an Airflow with web pages, all on this machine."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raw_server import closed_port
from s3_server import S3Server

from airflow_provider_ringevents.emulator import Emulator

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from browser.standalone import Standalone  # noqa: E402 - it imports the module below
from local_airflow import LocalAirflow  # noqa: E402 - found by the line above

EXPORT = "example_ringevents_report_export"
SERIES = "example_ringevents_provision_series"
BUCKET = "exports"
SETTINGS = {
    "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
    # As somebody finds them who has just installed Airflow.
    "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "True",
}


@dataclass(frozen=True)
class Environment:
    """Where things are."""

    airflow: str
    emulator: Emulator
    store: Path
    closed_port: int

    def given(self) -> dict[str, Any]:
        """What the script in the browser has to know."""
        return {
            "airflow": self.airflow,
            "closed_port": self.closed_port,
            "export": EXPORT,
            "series": SERIES,
            "emulator": self.emulator.url,
            "key": self.emulator.api_key,
            "organization": self.emulator.organization_id,
            "event": self.emulator.event_id,
            "template": self.emulator.template_id,
            "destination": f"s3://my_aws@{BUCKET}/reports",
        }


@contextmanager
def browser_environment(folder: Path, port: int = 0, *, standalone: bool = False) -> Iterator[Environment]:
    """Everything started, and ended again.

    :param folder: an empty one.
    :param port: the emulator's; 0: a free one.
    :param standalone: have ``airflow standalone`` start Airflow. It imports Airflow five times: the same components
        start sooner without it.
    """
    dags = folder / "dags"
    dags.mkdir()
    for dag_id in (EXPORT, SERIES):
        shutil.copy(ROOT / "example_dags" / f"{dag_id}.py", dags)
    with Emulator(port=port, registrations=2000, report_seconds=2) as emulator, S3Server(folder) as s3:
        store = s3.make_bucket(BUCKET)
        environment = {**SETTINGS, "AIRFLOW_CONN_MY_AWS": json.dumps(s3.airflow_connection())}
        where = (folder / "airflow", folder / "logs", dags, environment)
        with (
            Standalone(*where, programs=folder / "programs") if standalone else LocalAirflow(*where, pages=True)
        ) as airflow:
            airflow.create()
            airflow.start((EXPORT, SERIES), limit=240)
            yield Environment(airflow.url, emulator, store, closed_port())
