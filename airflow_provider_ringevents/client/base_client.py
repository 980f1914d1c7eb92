"""The part of both clients that does no I/O: calls become requests, responses results, failures errors."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Self

import airflow_provider_ringevents
from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.consistent_listing import ListReading
from airflow_provider_ringevents.client.downloads.destinations import Resolver, resolve
from airflow_provider_ringevents.client.downloads.state import DownloadState
from airflow_provider_ringevents.client.downloads.transfer_clock import TransferClock
from airflow_provider_ringevents.client.endpoints import Call
from airflow_provider_ringevents.client.errors import (
    RingEventsError,
    RingEventsTransferError,
    RingEventsTransportError,
    invalid_argument,
)
from airflow_provider_ringevents.client.pagination import Page
from airflow_provider_ringevents.client.resource_types import AcceptedTypes
from airflow_provider_ringevents.client.secrets import Secret, conceal, conceal_items, conceal_url
from airflow_provider_ringevents.client.settings import SECRET_SETTINGS, ClientSettings, check_setting_names
from airflow_provider_ringevents.client.transport import redaction
from airflow_provider_ringevents.client.transport.decompression import ACCEPT_ENCODING
from airflow_provider_ringevents.client.transport.http import (
    NOT_SENT_ERRORS,
    TIMEOUT_ERRORS,
    AsyncHttpClient,
    HttpClient,
    HttpRequest,
    HttpResponse,
    build_request,
    merge_headers,
)
from airflow_provider_ringevents.client.transport.response_errors import (
    api_error,
    describe_os_error,
    is_certificate_error,
    transport_error,
)
from airflow_provider_ringevents.client.transport.responses import Envelope, parse_response
from airflow_provider_ringevents.client.transport.retry import RetryPolicy
from airflow_provider_ringevents.client.transport.time_budget import RequestTimer, TimeBudget
from airflow_provider_ringevents.client.types import OnIncomplete
from airflow_provider_ringevents.client.validation.numbers import check_number

log = logging.getLogger(__name__)

OnRetry = Callable[[BaseException], None]


class BaseClient(ABC):
    """Base class of the clients.

    :param base_url: scheme and host, for example ``https://api.events.ringcentral.com``.
    :param api_key: the key; sent to that origin alone. A string or a
        :class:`~airflow_provider_ringevents.client.secrets.Secret`.
    :param policy: other numbers for retries; ``max_attempts`` is taken from the settings.
    :param resolver: returns the addresses of a host name, to examine those of redirects and signed links.
    :param settings: the other fields of :class:`~airflow_provider_ringevents.client.settings.ClientSettings`.
    :raises RingEventsConfigError: a setting is invalid.
    """

    _http: HttpClient | AsyncHttpClient

    def __init__(
        self,
        base_url: str = defaults.BASE_URL,
        api_key: str | Secret = "",
        *,
        policy: RetryPolicy | None = None,
        resolver: Resolver = resolve,
        **settings: Any,
    ) -> None:
        # Rebound, so that a traceback from below holds the plain texts in no variable.
        base_url, api_key = conceal_url(base_url), conceal(api_key)
        settings = conceal_items(settings, SECRET_SETTINGS)
        check_setting_names(settings)
        self.settings = ClientSettings(base_url=base_url, api_key=api_key, **settings)
        self.policy = replace(policy or RetryPolicy(), max_attempts=self.settings.max_attempts)
        self._api_key = Secret(self.settings.api_key)
        self._foreign_origins: set[str] = set()
        self._accepted_types = AcceptedTypes()
        self._resolver = resolver
        redaction.install(self.settings.base_url, self.settings.api_key)
        self._http = self._connect()
        self._headers = merge_headers(self._http, authorization=self.settings.authorization)

    @classmethod
    def from_settings(cls, settings: ClientSettings) -> Self:
        """Build a client from settings that were validated before."""
        return cls(**{name: getattr(settings, name) for name in ClientSettings.__slots__})

    def _http_options(self) -> dict[str, Any]:
        return {
            "headers": {
                "User-Agent": f"airflow-provider-ringevents/{airflow_provider_ringevents.__version__}",
                "Accept": "application/json",
                "Accept-Encoding": ACCEPT_ENCODING,
            },
            "timeout": self.settings.timeout,
            "verify": self.settings.verify,
            "proxy": self.settings.proxy,
            # A proxy could not reach this machine's loopback, and would read the key of plain http.
            "trust_env": not self.settings.is_local,
        }

    @abstractmethod
    def _connect(self) -> HttpClient | AsyncHttpClient:
        """Return the HTTP client, which opens its connections at the first request."""

    def addresses_of(self, host: str) -> list[str]:
        """Return the addresses of a host name, none where it cannot be resolved; may block."""
        try:
            return list(self._resolver(host))
        except (OSError, UnicodeError):
            return []

    def _build_request(self, call: Call) -> HttpRequest:
        try:
            return build_request(
                self._http,
                call.method,
                f"{self.settings.base_url}{call.path}",
                self._headers,
                params=dict(call.params) or None,
                json=call.body,
            )
        except ValueError as error:
            problem = str(error)
        raise invalid_argument(call.operation, "a request that can be encoded", hint=f"{problem}.")

    def _build_file_request(self, state: DownloadState) -> HttpRequest:
        target = state.next_request()
        authorization = self.settings.authorization if target.send_credentials else None
        try:
            headers = merge_headers(self._http, dict(target.headers), authorization=authorization)
            return build_request(self._http, "GET", target.url, headers)
        except ValueError:
            pass
        raise RingEventsTransferError(f"{state.call.operation}: the link to the file is malformed")

    def _timer(self, call: Call, budget: TimeBudget | None = None) -> RequestTimer:
        """Return the timer of one request of a call."""
        default = defaults.PAGE_TIMEOUT if call.is_list else defaults.REQUEST_TIMEOUT
        seconds = self.settings.request_timeout
        return RequestTimer(default if seconds is None else seconds, budget)

    def transfer_clock(self) -> TransferClock:
        """Return a clock for a transfer that begins now."""
        return TransferClock(self.settings.transfer_timeout, self.settings.timeout)

    def to_transport_error(
        self, call: Call, error: Exception, timer: RequestTimer | None = None
    ) -> RingEventsTransportError:
        """Return the error of this package for one of ``HTTP_ERRORS``.

        :param timer: the timer of the request; where its time has passed, the error says so.
        """
        if is_certificate_error(error):
            return RingEventsTransportError(
                f"{call.operation}: the server's certificate is not trusted; if it is your own, set 'verify' in the"
                " connection's extra to the path of its CA bundle",
                sent=False,
                retryable=False,
                reason=describe_os_error(error),
            )
        timed_out = isinstance(error, TIMEOUT_ERRORS)
        has_passed = timed_out and timer is not None and timer.remaining <= 0
        return transport_error(
            call,
            timer.error() if has_passed and timer is not None else error,
            sent=not isinstance(error, NOT_SENT_ERRORS),
            timed_out=timed_out,
            reason=describe_os_error(error),
        )

    def _parse(self, call: Call, response: HttpResponse, body: bytes) -> Envelope:
        return parse_response(call, response.status_code, response.headers, body, secret=self._api_key)

    def _file_error(self, call: Call, response: HttpResponse, body: bytes) -> RingEventsError:
        return api_error(call, response.status_code, response.headers, body, secret=self._api_key)

    def reading(self, call: Call, *, per_page: int | None = None) -> ListReading:
        """Return the state of a list that is about to be read, for :meth:`Client.pages`.

        :param per_page: rows per page; default: the client's.
        """
        requested = self.settings.per_page if per_page is None else per_page
        check_number("per_page", requested, integer=True, minimum=1, maximum=defaults.MAX_PAGE_ROWS)
        return ListReading(
            call, per_page=requested, base_url=self.settings.base_url, trust_count=self.settings.trust_count
        )

    def _accept(self, reading: ListReading, page: Page) -> Page:
        """Return the page with those of its rows alone that are new."""
        accepted = replace(page, items=reading.accept(page))
        if (origin := reading.foreign_origin) and origin not in self._foreign_origins:
            self._foreign_origins.add(origin)
            log.info("Links of lists name %s; their query is used, and sent to %s", origin, self.settings.base_url)
        return accepted

    @staticmethod
    def _take_probe(reading: ListReading, page: Page) -> None:
        """Raise where the service ignores the filter; at the end, warn of the row that does not fit it."""
        probe = reading.filter_probe
        probe.accept(page, reading.count)
        if probe.next_call() is None:
            log.warning("%s: a row does not fit the filter in %r; it is kept", reading.call.operation, probe.field)

    @staticmethod
    def _conclude(reading: ListReading, on_incomplete: OnIncomplete) -> None:
        """Raise, or warn, if rows are missing."""
        error = reading.finish()
        if error is None:
            return
        if on_incomplete == "fail":
            raise error
        log.warning("%s", error)
