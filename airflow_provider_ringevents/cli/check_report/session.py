"""The requests of the report: reading alone, each listed before it is sent, 40 at most."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any, Final, Self

from airflow_provider_ringevents import clock
from airflow_provider_ringevents.client import Client, defaults
from airflow_provider_ringevents.client.downloads.state import DownloadState
from airflow_provider_ringevents.client.endpoints import Call
from airflow_provider_ringevents.client.errors import RingEventsApiError, RingEventsError
from airflow_provider_ringevents.client.settings import ClientSettings
from airflow_provider_ringevents.client.transport.http import HTTP_ERRORS
from airflow_provider_ringevents.client.transport.retry import parse_retry_after
from airflow_provider_ringevents.contract._generated import OPERATIONS

MAX_REQUESTS: Final = 40
"""Requests of one report, repetitions after a 429 included."""
MAX_REPETITIONS: Final = 3
DEFAULT_PAUSE: Final = 5.0
"""Seconds to wait after a 429 without ``Retry-After``."""


class RequestBudgetError(RingEventsError):
    """The report has sent all the requests that it may send."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its response.

    :ivar operation: the operation of the request.
    :ivar status: the HTTP status.
    :ivar headers: the headers of the response; their names are in lower case.
    :ivar body: the JSON object of a successful response, else empty.
    """

    operation: str
    status: int
    headers: Mapping[str, str]
    body: Mapping[str, Any]

    @property
    def rows(self) -> list[Mapping[str, Any]]:
        """Return the resources of a list."""
        data = self.body.get("data")
        return [row for row in data if isinstance(row, Mapping)] if isinstance(data, list) else []

    @property
    def count(self) -> int | None:
        """Return ``meta.count``, if it is a number."""
        meta = self.body.get("meta")
        count = meta.get("count") if isinstance(meta, Mapping) else None
        return count if isinstance(count, int) and not isinstance(count, bool) else None


class _SurveyClient(Client):
    """A client that hands out responses instead of judging them."""

    def exchange(self, call: Call) -> Exchange:
        """Send a call once.

        :raises RingEventsTransportError: no usable response arrived.
        """
        response, body = self._exchange(call, self._build_request(call))
        headers = {name.lower(): value for name, value in response.headers.items()}
        try:
            envelope: Mapping[str, Any] = dict(self._parse(call, response, body))
        except RingEventsApiError:
            envelope = {}
        return Exchange(call.operation, response.status_code, headers, envelope)

    def head_of_file(self, state: DownloadState, headers: Mapping[str, str]) -> Exchange:
        """Send the next request of a download once, with further headers, and read nothing of the file.

        :raises RingEventsTransportError: no response arrived.
        """
        if host := state.pending_lookup:
            state.accept_addresses(self.addresses_of(host))
        request = self._build_file_request(state)
        request.headers.update(headers)
        timer = self._timer(state.call, state.clock.budget)
        try:
            with timer.limiting():
                response = self._open(request, timer)
        except HTTP_ERRORS as error:
            raise self.to_transport_error(state.call, error, timer) from error
        response.close()
        shown = {name.lower(): value for name, value in response.headers.items()}
        return Exchange(state.call.operation, response.status_code, shown, {})


class Session:
    """The requests of one report.

    :param settings: those of the connection.
    :param announce: takes each request before it is sent, without ids.
    :ivar scheme: the word before the key; may be changed.
    :ivar exchanges: all exchanges with the API, in order.
    """

    def __init__(self, settings: ClientSettings, announce: Callable[[str], None]) -> None:
        self.scheme = settings.auth_scheme
        self.settings = settings
        self.exchanges: list[Exchange] = []
        self._announce = announce
        self._sent = 0
        self._clients: dict[str, _SurveyClient] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stack.close()

    def get(self, call: Call, **params: str | int) -> Exchange:
        """Send a reading call, and again after a 429, at the service's pace.

        :raises RingEventsError: no usable response arrived, or the requests of the report are used up.
        """
        call = call.with_params(**params)
        for repetition in range(MAX_REPETITIONS + 1):
            self._count(f"{self._describe(call)}{self._key_form}")
            exchange = self._client.exchange(call)
            self.exchanges.append(exchange)
            if exchange.status != 429 or repetition == MAX_REPETITIONS:
                break
            pause = parse_retry_after(exchange.headers.get("retry-after"))
            clock.sleep(min(defaults.RETRY_AFTER_MAX, DEFAULT_PAUSE if pause is None else pause))
        return exchange

    def get_file(self, state: DownloadState, **headers: str) -> Exchange:
        """Send the next request of a download; its body is not read.

        :raises RingEventsError: no response arrived, or the requests of the report are used up.
        """
        place = "the address that it leads to" if state.follows_link else self._describe(state.call)
        shown = f" ({', '.join(f'{name}: {value}' for name, value in headers.items())})" if headers else ""
        self._count(f"{place}{shown}")
        return self._client.head_of_file(state, headers)

    @property
    def _key_form(self) -> str:
        if self.scheme == self.settings.auth_scheme:
            return ""
        return f" (with {f'{self.scheme} KEY' if self.scheme else 'the bare key'})"

    @property
    def _client(self) -> _SurveyClient:
        if self.scheme not in self._clients:
            settings = replace(self.settings, auth_scheme=self.scheme)
            self._clients[self.scheme] = self._stack.enter_context(_SurveyClient.from_settings(settings))
        return self._clients[self.scheme]

    def _count(self, request: str) -> None:
        if self._sent >= MAX_REQUESTS:
            raise RequestBudgetError(f"the report sends {MAX_REQUESTS} requests at most")
        self._sent += 1
        self._announce(f"{self._sent}: {request}")

    @staticmethod
    def _describe(call: Call) -> str:
        method, paths, _ = OPERATIONS[call.operation]
        if method != "GET":
            raise AssertionError(f"{call.operation} is not a reading operation")
        query = "&".join(f"{name}={value}" for name, value in call.params.items())
        return f"{method} {paths[0]}{f'?{query}' if query else ''}"
