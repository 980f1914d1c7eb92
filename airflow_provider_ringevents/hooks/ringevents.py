"""The hook: from an Airflow connection to a client."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any, TypeVar

from airflow.providers.common.compat.connection import get_async_extra_dejson
from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook

from airflow_provider_ringevents._compat import get_connection_async, silence_request_log
from airflow_provider_ringevents.client import AsyncClient, Client, defaults, endpoints
from airflow_provider_ringevents.client.errors import (
    RingEventsAuthError,
    RingEventsConfigError,
    RingEventsError,
    RingEventsTransportError,
)
from airflow_provider_ringevents.client.pagination import Page
from airflow_provider_ringevents.client.settings import ClientSettings, check_setting_names
from airflow_provider_ringevents.client.transport.redaction import clean_value
from airflow_provider_ringevents.client.transport.time_budget import TimeBudget
from airflow_provider_ringevents.client.validation.identifiers import validate_identifier
from airflow_provider_ringevents.hooks import connection_form
from airflow_provider_ringevents.hooks.connection import (
    ConnectionFields,
    client_settings,
    conceal_extra,
    conceal_overrides,
    read_extra,
)
from airflow_provider_ringevents.hooks.operations import OperationsMixin

_SHOWN_ORGANIZATIONS = 5
_Result = TypeVar("_Result")


def _read_connection(connection: Any) -> ConnectionFields:
    return ConnectionFields.read(connection, connection.extra_dejson)


async def _async_read_connection(conn_id: str) -> ConnectionFields:
    connection = await get_connection_async(conn_id)
    return ConnectionFields.read(connection, await get_async_extra_dejson(connection))


def describe_organizations(page: Page) -> str:
    """Return what a key sees, by the first page of its organizations."""
    count = page.count if page.count is not None else len(page.items)
    shown = page.items[:_SHOWN_ORGANIZATIONS]
    named = ", ".join(f"{clean_value(item.get('name'))} (id {clean_value(item['id'])})" for item in shown)
    more = ", ..." if count > len(shown) else ""
    return f"sees {count} organization{'' if count == 1 else 's'}{f': {named}{more}' if named else ''}"


class RingEventsHook(OperationsMixin, BaseHook):
    """A hook for RingCentral Events.

    Resources are returned as plain dicts of their attributes with ``id``; lists as iterators that hold a few pages at a
    time. Requests are checked before they are sent; ``allow_undocumented=True`` accepts attributes and enumeration
    values that the API does not document. Every method raises
    :class:`~airflow_provider_ringevents.client.errors.RingEventsError` or one of its subclasses.

    :param ringevents_conn_id: the Airflow connection, of type ``ringevents``.
    :param overrides: fields of :class:`~airflow_provider_ringevents.client.settings.ClientSettings` that win over the
        connection's, such as ``timeout`` (seconds) or ``concurrency``.
    :raises RingEventsConfigError: an override is no such field.
    """

    conn_name_attr = "ringevents_conn_id"
    default_conn_name = "ringevents_default"
    conn_type = "ringevents"
    hook_name = "RingCentral Events"

    def __init__(self, ringevents_conn_id: str = default_conn_name, **overrides: Any) -> None:
        super().__init__()
        self.ringevents_conn_id = ringevents_conn_id
        # A traceback or a representation of the hook shows no secret.
        self._overrides = overrides = conceal_overrides(overrides)
        check_setting_names(overrides)

    # --- connection

    def get_conn(self) -> Client:
        """Return a new client for the connection; close it, or use it in a ``with`` statement.

        :raises RingEventsConfigError: the connection does not exist or is invalid; the message names the field.
        """
        silence_request_log()
        with self._translate_missing_connection():
            connection = _read_connection(self.get_connection(self.ringevents_conn_id))
        settings = client_settings(connection, self._overrides)
        # One reading of the connection serves both.
        self.__dict__["default_organization_id"] = read_extra(self.ringevents_conn_id, connection.extra).get(
            "organization_id"
        )
        return Client.from_settings(settings)

    async def get_async_conn(self) -> AsyncClient:
        """Return a new asynchronous client; the connection is looked up without blocking the event loop.

        :raises RingEventsConfigError: the connection does not exist or is invalid; the message names the field.
        """
        return AsyncClient.from_settings(await self.get_async_settings())

    async def get_async_settings(self) -> ClientSettings:
        """Look the connection up without blocking the event loop, and return the settings of a client for it.

        :raises RingEventsConfigError: the connection does not exist or is invalid; the message names the field.
        """
        silence_request_log()
        with self._translate_missing_connection():
            connection = await _async_read_connection(self.ringevents_conn_id)
        return client_settings(connection, self._overrides)

    @contextmanager
    def _translate_missing_connection(self) -> Iterator[None]:
        """Raise an error of ours where Airflow finds no connection."""
        try:
            yield
        except AirflowNotFoundException as error:
            raise RingEventsConfigError(
                "`ringevents_conn_id` must be the id of a connection that Airflow can read: there is no connection"
                f" {self.ringevents_conn_id!r}. Create one of type 'ringevents', or check that the one that exists is"
                " valid JSON or a valid URI.",
                parameter="ringevents_conn_id",
                expected="the id of a connection that Airflow can read",
                got=repr(self.ringevents_conn_id),
            ) from error

    @cached_property
    def client(self) -> Client:
        """The client that the methods of the hook share; closed with the hook."""
        return self.get_conn()

    @property
    def base_url(self) -> str:
        """The base URL of the API."""
        return self.client.settings.base_url

    def with_reauthentication(self, use: Callable[[Client], _Result]) -> _Result:
        """Return what ``use`` returns for the client.

        When the key is refused with a 401 and the connection holds other settings by now, run ``use`` once more with a
        client for these: keys are rotated while a wait goes on.
        """
        try:
            return use(self.client)
        except RingEventsAuthError as error:
            if error.status != 401 or not self._reload_connection():
                raise
            return use(self.client)

    def _reload_connection(self) -> bool:
        """Replace the client by one for the current connection; return False if its settings are the same."""
        fresh = self.get_conn()
        if fresh.settings == self.client.settings:
            fresh.close()
            return False
        self.close()
        self.__dict__["client"] = fresh
        return True

    def close(self) -> None:
        """Close the client that the methods of the hook share."""
        if client := self.__dict__.pop("client", None):
            client.close()

    def __enter__(self) -> RingEventsHook:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    @cached_property
    def default_organization_id(self) -> str | None:
        """The ``organization_id`` of the connection's extra; None if it has none."""
        with self._translate_missing_connection():
            extra = conceal_extra(self.get_connection(self.ringevents_conn_id).extra_dejson)
        return read_extra(self.ringevents_conn_id, extra).get("organization_id")

    def organization_id(self, given: str | None = None) -> str:
        """Return the id of the organization to work on: the one given, else the connection's.

        :raises RingEventsConfigError: neither is given, or what is given is no id.
        """
        if given is not None:
            validate_identifier("organization_id", given)
            return given
        found = self.default_organization_id
        if not found:
            raise RingEventsConfigError(
                "`organization_id` must be given: the connection"
                f" {self.ringevents_conn_id!r} has no 'organization_id' in its extra.",
                parameter="organization_id",
                expected="given",
            )
        return found

    def test_connection(self) -> tuple[bool, str]:
        """Read the first organizations that the key can see; the Test button of the connection form shows the result.

        :returns: whether the test succeeded, and a message that does not hold the key.
        """
        try:
            with self.get_conn() as client:
                budget = TimeBudget(defaults.CONNECTION_TEST_TIMEOUT)
                pages = client.pages(endpoints.list_organizations(), per_page=_SHOWN_ORGANIZATIONS, budget=budget)
                page = next(pages)
        except RingEventsAuthError as error:
            return False, f"The key was refused ({error.status}): {error}"
        except RingEventsTransportError as error:
            if error.sent or not error.retryable:
                return False, str(error)
            where = client.settings.base_url
            advice = "Check the base URL, the scheme and the port, and whether a proxy is needed."
            return False, f"No answer from {where}: {error.reason or str(error).rstrip('.')}. {advice}"
        except RingEventsError as error:
            return False, str(error)
        return True, f"Key accepted; {describe_organizations(page)}"

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Return the extra fields of the form, for Airflow before 3.2, which does not read the provider's metadata."""
        return connection_form.widgets()

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return the labels of the form, for Airflow before 3.2."""
        return connection_form.field_behaviour()
