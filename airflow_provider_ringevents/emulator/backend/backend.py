"""The parts of an emulator, handed as one object to its applications."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from airflow_provider_ringevents.emulator.backend.reports import Reports
from airflow_provider_ringevents.emulator.backend.request_log import RequestLog
from airflow_provider_ringevents.emulator.backend.signed_urls import Signer
from airflow_provider_ringevents.emulator.backend.store import Store
from airflow_provider_ringevents.emulator.faults.registry import FaultRegistry
from airflow_provider_ringevents.emulator.settings import Settings


@dataclass
class Urls:
    """The scheme, host and port of each server; known once they listen."""

    api: str = ""
    links: str = ""


@dataclass(frozen=True)
class Backend:
    """The state behind the applications of one emulator."""

    settings: Settings
    store: Store
    reports: Reports
    signer: Signer
    faults: FaultRegistry
    requests: RequestLog
    urls: Urls

    def connection(self) -> dict[str, Any]:
        """Return an Airflow connection to this emulator in the JSON form of ``AIRFLOW_CONN_...``."""
        return {
            "conn_type": "ringevents",
            "host": self.urls.api,
            "password": self.settings.api_key,
            "extra": {"organization_id": self.store.organizations[0].id},
        }
