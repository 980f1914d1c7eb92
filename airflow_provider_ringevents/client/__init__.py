"""The Events API without Airflow: usable in any script.

::

    from airflow_provider_ringevents.client import Client, endpoints

    with Client(api_key="...") as client:
        for event in client.items(endpoints.list_events("organization id")):
            print(event["id"], event["name"])
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

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

if TYPE_CHECKING:
    from airflow_provider_ringevents.client import endpoints as endpoints
    from airflow_provider_ringevents.client.async_client import AsyncClient as AsyncClient
    from airflow_provider_ringevents.client.client import Client as Client
    from airflow_provider_ringevents.client.endpoints import Call as Call
    from airflow_provider_ringevents.client.filters import Filter as Filter
    from airflow_provider_ringevents.client.transport.responses import Envelope as Envelope

# Airflow imports the provider's metadata at every start, operators at every parse: they must not pay for HTTP.
_LAZY: Final = {
    "endpoints": "endpoints",
    "Client": "client",
    "AsyncClient": "async_client",
    "Call": "endpoints",
    "Envelope": "transport.responses",
    "Filter": "filters",
}
__all__ = list(_LAZY) + [name for name in globals() if name.startswith(("RingEvents", "ErrorDetail"))]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f"{__name__}.{_LAZY[name]}")
    return getattr(module, name, module)
