"""The survey of a service: which requests are sent, and what of their responses the probes need."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final

from airflow_provider_ringevents.cli.check_report.session import Exchange, Session
from airflow_provider_ringevents.client import endpoints
from airflow_provider_ringevents.client.downloads.state import DownloadState
from airflow_provider_ringevents.client.downloads.transfer_clock import TransferClock
from airflow_provider_ringevents.client.endpoints import Call
from airflow_provider_ringevents.client.errors import RingEventsError
from airflow_provider_ringevents.client.pagination import OTHER, flatten_resource
from airflow_provider_ringevents.client.report_status import READY_WORDS
from airflow_provider_ringevents.client.settings import ClientSettings

NOBODY: Final = "no-such-person@ringevents.invalid"
"""An address of the reserved domain, which no registration has."""
FILTER_SPELLINGS: Final = ("filter[email][eq]", "filter[email]", "email")
SCHEMES: Final = ("Bearer", "")
EXAMINED_EVENTS: Final = 4
"""Events whose registrations are counted."""
EVENTS_WITH_REPORTS: Final = 10
"""Events whose reports are listed, until one is ready."""
_PERSONAL_FIELD: Final = re.compile(r"(id|name|email|slug)$", re.IGNORECASE)
"""Names of fields that hold what the report does not show."""
_MANY_ROWS: Final = 200
"""An event with so many registrations is examined, without a look at further ones."""


@dataclass(slots=True)
class Evidence:
    """The responses of a survey; what could not be had is empty or None.

    :ivar settings: those of the connection.
    :ivar auth: the word before the key -> the status of a request with it.
    :ivar exchanges: all exchanges with the API.
    :ivar events: the rows of the list of events.
    :ivar pages: the size that was asked for (0: none) -> the exchange.
    :ivar numbered: the first and the second page of two rows.
    :ivar filters: the spelling of a filter that nothing matches -> the exchange.
    :ivar reports: the rows of the lists of reports.
    :ivar report: the exchange of one report.
    :ivar file: the responses of its download, redirects included; the last one is the file's.
    :ivar part: the response to a request for its first byte.
    :ivar questions: the exchange of a ticket's questions.
    """

    settings: ClientSettings
    auth: dict[str, int] = field(default_factory=dict)
    exchanges: list[Exchange] = field(default_factory=list)
    events: list[Mapping[str, Any]] = field(default_factory=list)
    pages: dict[int, Exchange] = field(default_factory=dict)
    numbered: list[Exchange] = field(default_factory=list)
    filters: dict[str, Exchange] = field(default_factory=dict)
    reports: list[Mapping[str, Any]] = field(default_factory=list)
    report: Exchange | None = None
    file: list[Exchange] = field(default_factory=list)
    part: Exchange | None = None
    questions: Exchange | None = None

    def rows(self, operation: str) -> Iterator[Mapping[str, Any]]:
        """Yield the resources of all exchanges of an operation."""
        for exchange in self.exchanges:
            if exchange.operation == operation and exchange.status < 300:
                data = exchange.body.get("data")
                yield from exchange.rows or ([data] if isinstance(data, Mapping) else [])

    def personal_texts(self) -> frozenset[str]:
        """Return the ids, names and addresses that have come, in lower case."""
        texts = set()
        for exchange in self.exchanges:
            data = exchange.body.get("data")
            for row in exchange.rows or ([data] if isinstance(data, Mapping) else []):
                fields = {**attributes_of(row), "id": row.get("id")}
                fields["fullName"] = f"{fields.get('firstName')} {fields.get('lastName')}"
                texts |= {
                    value.strip().lower()
                    for name, value in fields.items()
                    if isinstance(value, str) and _PERSONAL_FIELD.search(name)
                }
        return frozenset(texts)

    @property
    def registrations(self) -> int | None:
        """Return the number of registrations of the examined event, as far as it is known."""
        read = [page for page in self.pages.values() if page.status == 200]
        return max((max(page.count or 0, len(page.rows)) for page in read), default=None)


class Survey:
    """A survey of a service.

    :param session: sends the requests.
    :param organization_id: the organization of the connection, if it has one.
    :param on_failure: takes the reason why a part of the survey could not be had.
    """

    def __init__(self, session: Session, organization_id: str | None, on_failure: Callable[[str], None]) -> None:
        self._session = session
        self._organization_id = organization_id
        self._on_failure = on_failure
        self.evidence = Evidence(session.settings, exchanges=session.exchanges)

    def run(self) -> Evidence:
        """Send the requests, and return what came."""
        with self._step():
            self._authorization()
        if 200 not in self.evidence.auth.values():
            return self.evidence
        with self._step():
            self._session.get(endpoints.health())
        event_id = None
        with self._step():
            event_id = self._events()
        if event_id is None:
            return self.evidence
        for step in (self._lists, self._filters, self._tickets):
            with self._step():
                step(event_id)
        with self._step():
            self._session.get(endpoints.get_event(event_id))
        with self._step():
            self._reports(event_id)
        return self.evidence

    @contextmanager
    def _step(self) -> Iterator[None]:
        try:
            yield
        except RingEventsError as error:
            # The messages of the client name paths, and paths have ids.
            self._on_failure(type(error).__name__)

    def _authorization(self) -> None:
        own = self._session.scheme
        for scheme in dict.fromkeys((own, *SCHEMES)):
            self._session.scheme = scheme
            self.evidence.auth[scheme] = self._session.get(endpoints.list_organizations()).status
        accepted = [scheme for scheme, status in self.evidence.auth.items() if status == 200]
        self._session.scheme = own if own in accepted or not accepted else accepted[0]

    def _events(self) -> str | None:
        """Return the id of the event with the most registrations, among the first few."""
        organization_id = self._organization_id or next(
            (str(row["id"]) for row in self.evidence.rows("list_organizations") if row.get("id")), None
        )
        if organization_id is None:
            return None
        self.evidence.events = self._session.get(endpoints.list_events(organization_id)).rows
        with self._step():
            self._session.get(endpoints.list_templates(organization_id))
        ids = [str(row["id"]) for row in self.evidence.events if row.get("id")]
        published = [str(row["id"]) for row in self.evidence.events if attributes_of(row).get("published") is True]
        counts: dict[str, int] = {}
        for event_id in list(dict.fromkeys((*published, *ids)))[:EXAMINED_EVENTS]:
            page = self._session.get(endpoints.list_registrations(event_id), perPage=1)
            counts[event_id] = max(page.count or 0, len(page.rows))
            if counts[event_id] >= _MANY_ROWS:
                break
        return max(counts, key=lambda event_id: counts[event_id], default=None)

    def _lists(self, event_id: str) -> None:
        call = endpoints.list_registrations(event_id)
        pages = self.evidence.pages
        pages[0] = self._session.get(call)
        for size in (100, 1000):
            pages[size] = self._session.get(call, perPage=size)
        for number in (1, 2):
            self.evidence.numbered.append(self._session.get(call, page=number, perPage=2))

    def _filters(self, event_id: str) -> None:
        for spelling in FILTER_SPELLINGS:
            call = endpoints.list_registrations(event_id)
            exchange = self._session.get(replace(call, params={spelling: NOBODY}), perPage=1)
            self.evidence.filters[spelling] = exchange
            if exchange.status == 200 and not exchange.rows:
                return

    def _tickets(self, event_id: str) -> None:
        tickets = self._session.get(endpoints.list_tickets(event_id)).rows
        if not tickets:
            return
        ticket_id = str(tickets[0].get("id"))
        self._session.get(endpoints.list_magic_links(ticket_id))
        self.evidence.questions = self._session.get(endpoints.list_bank_questions(ticket_id))

    def _reports(self, event_id: str) -> None:
        ids = [str(row["id"]) for row in self.evidence.events if row.get("id")]
        for each in list(dict.fromkeys((event_id, *ids)))[:EVENTS_WITH_REPORTS]:
            self.evidence.reports += self._session.get(endpoints.list_reports(each)).rows
            ready = [row for row in self.evidence.reports if _is_ready(attributes_of(row))]
            if ready:
                report_id = str(ready[0].get("id"))
                self.evidence.report = self._session.get(endpoints.get_report(report_id))
                self._download(endpoints.download_report(report_id))
                return

    def _download(self, call: Call) -> None:
        settings = self._session.settings
        state = DownloadState(call, settings, TransferClock(settings.transfer_timeout, settings.timeout))
        while True:
            exchange = self._session.get_file(state)
            self.evidence.file.append(exchange)
            if exchange.status >= 400:
                return
            if 300 <= exchange.status < 400:
                state.on_response(exchange.status, exchange.headers)
                continue
            self.evidence.part = self._session.get_file(state, Range="bytes=0-0")
            return


def attributes_of(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the fields of a resource as the client reads them, wherever the service puts them."""
    return {name: value for name, value in flatten_resource(row).items() if name != OTHER}


def _is_ready(attributes: Mapping[str, Any]) -> bool:
    return bool(attributes.get("url")) or str(attributes.get("status")).lower() in READY_WORDS
