"""The Events API without Airflow: usable in any script.

::

    from airflow_provider_ringevents.client import Client, endpoints

    with Client(api_key="...") as client:
        for event in client.items(endpoints.list_events("organization id")):
            print(event["id"], event["name"])
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_ringevents.client import endpoints as endpoints
    from airflow_provider_ringevents.client.async_client import AsyncClient as AsyncClient
    from airflow_provider_ringevents.client.client import Client as Client
    from airflow_provider_ringevents.client.endpoints import Call as Call
    from airflow_provider_ringevents.client.errors import ErrorDetail as ErrorDetail
    from airflow_provider_ringevents.client.errors import RingEventsApiError as RingEventsApiError
    from airflow_provider_ringevents.client.errors import RingEventsAuthError as RingEventsAuthError
    from airflow_provider_ringevents.client.errors import RingEventsConfigError as RingEventsConfigError
    from airflow_provider_ringevents.client.errors import RingEventsError as RingEventsError
    from airflow_provider_ringevents.client.errors import RingEventsNotFoundError as RingEventsNotFoundError
    from airflow_provider_ringevents.client.errors import RingEventsRateLimitError as RingEventsRateLimitError
    from airflow_provider_ringevents.client.errors import RingEventsReportFailedError as RingEventsReportFailedError
    from airflow_provider_ringevents.client.errors import RingEventsServerError as RingEventsServerError
    from airflow_provider_ringevents.client.errors import RingEventsTransferError as RingEventsTransferError
    from airflow_provider_ringevents.client.errors import RingEventsTransportError as RingEventsTransportError
    from airflow_provider_ringevents.client.errors import RingEventsValidationError as RingEventsValidationError
    from airflow_provider_ringevents.client.errors import RingEventsWaitTimeoutError as RingEventsWaitTimeoutError
    from airflow_provider_ringevents.client.filters import Filter as Filter
    from airflow_provider_ringevents.client.transport.responses import Envelope as Envelope

_HOMES = {
    "Client": "client",
    "AsyncClient": "async_client",
    "Call": "endpoints",
    "Envelope": "transport.responses",
    "Filter": "filters",
    "ErrorDetail": "errors",
    "RingEventsError": "errors",
    "RingEventsConfigError": "errors",
    "RingEventsTransportError": "errors",
    "RingEventsApiError": "errors",
    "RingEventsAuthError": "errors",
    "RingEventsNotFoundError": "errors",
    "RingEventsValidationError": "errors",
    "RingEventsRateLimitError": "errors",
    "RingEventsServerError": "errors",
    "RingEventsReportFailedError": "errors",
    "RingEventsWaitTimeoutError": "errors",
    "RingEventsTransferError": "errors",
}
__all__ = [
    "endpoints",
    "Client",
    "AsyncClient",
    "Call",
    "Envelope",
    "Filter",
    "ErrorDetail",
    "RingEventsError",
    "RingEventsConfigError",
    "RingEventsTransportError",
    "RingEventsApiError",
    "RingEventsAuthError",
    "RingEventsNotFoundError",
    "RingEventsValidationError",
    "RingEventsRateLimitError",
    "RingEventsServerError",
    "RingEventsReportFailedError",
    "RingEventsWaitTimeoutError",
    "RingEventsTransferError",
]


def __getattr__(name: str) -> Any:
    # Airflow imports the provider's metadata at every start, operators at every parse: they must not pay for HTTP.
    if name == "endpoints":
        return import_module(f"{__name__}.endpoints")
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
