"""The hook of the commands, whose client reports its progress."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from typing import Any, Self

from airflow_provider_ringevents.client import Client
from airflow_provider_ringevents.client.downloads.download import Download
from airflow_provider_ringevents.client.downloads.transfer_clock import TransferClock
from airflow_provider_ringevents.client.endpoints import Call, list_organizations
from airflow_provider_ringevents.client.errors import invalid_argument
from airflow_provider_ringevents.client.pagination import Page
from airflow_provider_ringevents.client.transport.responses import Envelope
from airflow_provider_ringevents.client.validation.identifiers import validate_identifier
from airflow_provider_ringevents.hooks.ringevents import RingEventsHook

_MAX_LISTED_ORGANIZATIONS = 5


class ProgressListener:
    """A listener to the progress of a client. This base class ignores it."""

    def on_response(self, date: str | None) -> None:
        """Receive the ``Date`` header of a response."""

    def on_rows(self, done: int, total: int | None) -> None:
        """Receive the number of rows read, and the total if the service reports it."""

    def on_bytes(self, done: int, total: int | None) -> None:
        """Receive the number of bytes of a file, and the total if the service reports it."""


class ObservedClient(Client):
    """A client that reports its progress to a listener."""

    listener = ProgressListener()

    def _parse(self, call: Call, response: Any, body: bytes) -> Envelope:
        self.listener.on_response(response.headers.get("Date"))
        return super()._parse(call, response, body)

    def pages(self, call: Call, **options: Any) -> Generator[Page, None, None]:
        """Read the pages of a list and report the rows."""
        done = 0
        with closing(super().pages(call, **options)) as pages:
            for page in pages:
                done += len(page.items)
                self.listener.on_rows(done, page.count)
                yield page

    @contextmanager
    def download(self, call: Call, *, clock: TransferClock | None = None) -> Iterator[Download]:
        """Open a download that reports its bytes."""
        with super().download(call, clock=clock) as download:
            yield _ObservedDownload(download, self.listener)


class _ObservedDownload(Download):
    def __init__(self, download: Download, listener: ProgressListener) -> None:
        self._download = download
        self._listener = listener
        self.state = download.state

    def close(self) -> None:
        self._download.close()

    def __iter__(self) -> Iterator[bytes]:
        for block in self._download:
            self._listener.on_bytes(self.state.received, self.state.size)
            yield block


class CliHook(RingEventsHook):
    """The hook of the commands.

    :param conn_id: The id of the Airflow connection.
    :param listener: A listener to the progress of the client.
    """

    def __init__(self, conn_id: str, listener: ProgressListener | None = None) -> None:
        super().__init__(conn_id)
        self._listener = listener or ProgressListener()

    def get_conn(self) -> ObservedClient:
        """Return a new client that reports to the listener."""
        with super().get_conn() as plain:
            client = ObservedClient.from_settings(plain.settings)
        client.listener = self._listener
        return client

    def __enter__(self) -> Self:
        return self

    def resolve_organization_id(self, parameter: str, organization_id: str | None) -> str:
        """Return the given organization, else the connection's, else the only one that the key sees.

        :param parameter: The name of the argument, for errors.
        :raises RingEventsConfigError: The key sees no organization or several; the message lists them.
        """
        if organization_id is not None:
            validate_identifier(parameter, organization_id)
            return organization_id
        if self.default_organization_id:
            return self.default_organization_id
        with closing(self.client.pages(list_organizations())) as pages:
            visible = next(pages).items
        if len(visible) == 1:
            return str(visible[0]["id"])
        listed = ", ".join(f"{item.get('name')} ({item['id']})" for item in visible[:_MAX_LISTED_ORGANIZATIONS])
        more = ", ..." if len(visible) > _MAX_LISTED_ORGANIZATIONS else ""
        raise invalid_argument(
            parameter,
            f"given, since the connection {self.ringevents_conn_id!r} has no 'organization_id' in its extra and the key"
            f" sees {f'several organizations: {listed}{more}' if visible else 'no organization'}",
        )
