"""The hook whose client tells how far it is."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from typing import Any, Self

from airflow_provider_ringevents.client import Client
from airflow_provider_ringevents.client.client import Download
from airflow_provider_ringevents.client.endpoints import Call, list_organizations
from airflow_provider_ringevents.client.errors import RingEventsConfigError
from airflow_provider_ringevents.client.pagination import Page
from airflow_provider_ringevents.client.transport.responses import Envelope
from airflow_provider_ringevents.client.validation.identifiers import validate_identifier
from airflow_provider_ringevents.hooks.ringevents import RingEventsHook

_SHOWN_ORGANIZATIONS = 5


class ProgressListener:
    """Is told how far a reading is. This one does not mind."""

    def answered(self, date: str | None) -> None:
        """An answer came, with this ``Date`` header."""

    def rows(self, done: int, of: int | None) -> None:
        """Rows of a list came; ``of`` so many, if the service says it."""

    def received(self, done: int, of: int | None) -> None:
        """Bytes of a file came; ``of`` so many, if the service says it."""


class ObservedClient(Client):
    """A client that tells a watcher how far it is."""

    watcher = ProgressListener()

    def _answer(self, call: Call, response: Any, body: bytes) -> Envelope:
        self.watcher.answered(response.headers.get("Date"))
        return super()._answer(call, response, body)

    def pages(
        self, call: Call, *, per_page: int | None = None, concurrency: int | None = None
    ) -> Generator[Page, None, None]:
        """As every client reads them."""
        done = 0
        with closing(super().pages(call, per_page=per_page, concurrency=concurrency)) as pages:
            for page in pages:
                done += len(page.items)
                self.watcher.rows(done, page.count)
                yield page

    @contextmanager
    def download(self, call: Call) -> Iterator[Download]:
        """As every client opens it."""
        with super().download(call) as download:
            yield _ObservedDownload(download, self.watcher)


class _ObservedDownload(Download):
    def __init__(self, download: Download, watcher: ProgressListener) -> None:
        self._download = download
        self._watcher = watcher
        self.plan = download.plan

    def close(self) -> None:
        self._download.close()

    def __iter__(self) -> Iterator[bytes]:
        for block in self._download:
            self._watcher.received(self.plan.received, self.plan.size)
            yield block


class CliHook(RingEventsHook):
    """The hook of the commands.

    :param conn_id: the Airflow connection.
    :param watcher: told of what the client reads.
    """

    def __init__(self, conn_id: str, watcher: ProgressListener | None = None) -> None:
        super().__init__(conn_id)
        self._watcher = watcher or ProgressListener()

    def get_conn(self) -> ObservedClient:
        """A new client, watched."""
        with super().get_conn() as plain:
            client = ObservedClient.from_settings(plain.settings)
        client.watcher = self._watcher
        return client

    def __enter__(self) -> Self:
        return self

    def organization(self, given: str | None) -> str:
        """The organization to work on: the one given, else the connection's, else the only one that the key sees.

        :raises RingEventsConfigError: the key sees none, or several; the message names them.
        """
        if given is not None:
            validate_identifier("--organization-id", given)
            return given
        if self.default_organization_id:
            return self.default_organization_id
        with closing(self.client.pages(list_organizations())) as pages:
            seen = next(pages).items
        if len(seen) == 1:
            return str(seen[0]["id"])
        named = ", ".join(f"{item.get('name')} ({item['id']})" for item in seen[:_SHOWN_ORGANIZATIONS])
        more = ", ..." if len(seen) > _SHOWN_ORGANIZATIONS else ""
        raise RingEventsConfigError(
            f"the organization's id is wanted: the connection {self.ringevents_conn_id!r} has no 'organization_id' in"
            f" its extra, and the key sees {f'several: {named}{more}' if seen else 'none'}"
        )
