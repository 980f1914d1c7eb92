"""Reports, which become files some time after their creation."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from airflow_provider_ringevents.emulator.api.errors import ApiError, not_found
from airflow_provider_ringevents.emulator.api.filters import Selection
from airflow_provider_ringevents.emulator.backend.ids import ResourceType
from airflow_provider_ringevents.emulator.backend.models import Event
from airflow_provider_ringevents.emulator.backend.registrations import Matches
from airflow_provider_ringevents.emulator.backend.report_files import (
    FileContent,
    SpooledContent,
    SyntheticContent,
    digest,
    iter_csv,
)
from airflow_provider_ringevents.emulator.backend.store import Store

DONE: Final = "completed"
FAILED: Final = ("failed", "error", "errored", "failure")


@dataclass(slots=True)
class Report:
    """One report. Times are milliseconds since the epoch.

    :ivar status: status word once it is done.
    :ivar has_url: True when it has a ``url`` once it is done.
    :ivar size: bytes of its file, or None for the size that its rows have.
    :ivar revision: number of changes of its file.
    """

    id: str
    event: Event
    type: str
    attributes: dict[str, Any]
    people: Matches
    visible_at: int
    ready_at: int
    status: str
    has_url: bool
    size: int | None
    revision: int = 0
    content: FileContent | None = None
    digests: dict[str, bytes] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def title(self) -> str:
        """Return the title."""
        return f"{self.type}: {self.event.name}"

    @property
    def filename(self) -> str:
        """The name of the file."""
        return f"{self.type}-{self.event.slug}.csv"

    @property
    def failed(self) -> bool:
        """True when the report never gets a file."""
        return self.status.casefold() in FAILED

    def file(self) -> FileContent:
        """Return the content of the file, generated at the first call, which takes long for many rows."""
        with self.lock:
            if self.content is None:
                self.content = self._make()
            return self.content

    def _make(self) -> FileContent:
        if self.size is not None:
            return SyntheticContent(self.size, f"{self.id}.{self.revision}")
        return SpooledContent(iter_csv(self.type, self.event.registrations, self.people))

    def digest(self, algorithm: str) -> bytes:
        """Return a digest of the file, computed once, in about a second for each GiB."""
        content = self.file()
        if algorithm not in self.digests:
            self.digests[algorithm] = digest(content, algorithm)
        return self.digests[algorithm]


class Reports:
    """All reports of all events."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._reports: dict[str, Report] = {}

    def __iter__(self) -> Iterator[Report]:
        return iter(list(self._reports.values()))

    def create(self, event: Event, report_type: str, attributes: dict[str, Any]) -> Report:
        """Create a report."""
        settings = self._store.settings
        with self._store.lock:
            now = self._store.now()
            report = Report(
                id=self._store.ids.encode(ResourceType.REPORT, event.number, len(self._reports)),
                event=event,
                type=report_type,
                attributes=attributes,
                people=event.registrations.select(Selection()),
                visible_at=now + round(settings.report_missing_seconds * 1000),
                ready_at=now + round(settings.report_seconds * 1000),
                status=settings.report_status or DONE,
                has_url=settings.report_url,
                size=settings.report_bytes,
            )
            self._reports[report.id] = report
            return report

    def find(self, report_id: str) -> Report:
        """Return a report.

        :raises ApiError: 404: there is none, it is not visible yet, or the key may not see it.
        """
        report = self._reports.get(report_id)
        if report is None or self._store.now() < report.visible_at or not report.event.organization.visible:
            raise not_found("report")
        return report

    def of_event(self, event: Event) -> list[Report]:
        """Return the visible reports of an event, the oldest first."""
        now = self._store.now()
        return [report for report in self if report.event is event and now >= report.visible_at]

    def downloadable(self, report_id: str) -> Report:
        """Return a report that has a file.

        :raises ApiError: 404: there is no such report, or it has no file yet.
        """
        report = self.find(report_id)
        if report.failed or not self.is_done(report):
            raise ApiError(404, "the report has no file")
        return report

    def is_done(self, report: Report) -> bool:
        """Return True when a report is complete or has failed."""
        return self._store.now() >= report.ready_at

    def change_file(self, report_id: str) -> None:
        """Change the file of a report, as if it had been generated again after a registration."""
        with self._store.lock:
            report = self._reports[report_id]
            report.event.registrations.add(1, self._store.now())
            report.people = report.event.registrations.select(Selection())
            with report.lock:
                report.revision += 1
                report.content = None
                report.digests = {}
