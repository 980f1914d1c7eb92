"""Links from a task to web pages: of its event, of what it exported."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from airflow.providers.common.compat.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator, Context

EVENT_URL: Final = "https://events.ringcentral.com/events/{slug}"
"""Where an event's page is. The API's reference does not say: this is what the web application's address bar shows."""

CONSOLE_URLS: Final = {
    "s3": "https://s3.console.aws.amazon.com/s3/object/{bucket}?prefix={key}",
    "gs": "https://console.cloud.google.com/storage/browser/_details/{bucket}/{key}",
}
"""Where an object's page is in its cloud's console, by the scheme of its URI."""

_EVENT = "ringevents_event_page"
_OBJECT = "ringevents_object"


class EventLink(BaseOperatorLink):
    """The event's page, once the task knows its event."""

    name = "RingCentral Events"

    @staticmethod
    def keep(context: Context, event: Mapping[str, Any], base_url: str) -> None:
        """Keep what the link needs, also while the task is deferred.

        :param base_url: of the API that the event is from.
        """
        EventLink.keep_page(context, event_url(event, base_url))

    @staticmethod
    def keep_page(context: Context, page: str | None) -> None:
        """As :meth:`keep`, where :func:`event_page` has already said the address."""
        if page:
            context["ti"].xcom_push(key=_EVENT, value=page)
            _running_task(context).event_is_known = True

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        """Return the address; empty if there is no event."""
        from airflow.providers.common.compat.sdk import XCom

        if not getattr(operator, "event_is_known", True):
            return ""  # a look for what was never kept would put an error into the log of a task that failed
        return XCom.get_value(key=_EVENT, ti_key=ti_key) or ""


class ObjectLink(BaseOperatorLink):
    """The page of the exported object in the console of S3 or Google Cloud Storage; of several the first one's."""

    name = "Exported object"

    @staticmethod
    def keep(context: Context, uri: str) -> None:
        """Keep what the link needs.

        :param uri: without a connection.
        """
        if address := _object_page(uri):
            context["ti"].xcom_push(key=_OBJECT, value=address)
            _running_task(context).object_is_known = True

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        """Return the address; empty for other stores, or if there is no object."""
        from airflow.providers.common.compat.sdk import XCom

        if not getattr(operator, "object_is_known", True):
            return ""
        return XCom.get_value(key=_OBJECT, ti_key=ti_key) or ""


def _running_task(context: Context) -> Any:
    """Return the running task; on Airflow 3.0 ``task`` in the context is a copy without links."""
    return getattr(context["ti"], "task", None) or context["task"]


def event_url(event: Mapping[str, Any], base_url: str) -> str | None:
    """Return the address of an event's page; None if it has none.

    :param base_url: of the API that the event is from.
    """
    from urllib.parse import quote, urlsplit

    from airflow_provider_ringevents.client.settings import is_loopback

    slug = event.get("slug")
    if not slug:
        return None
    parts = urlsplit(base_url)
    # On this machine it is the emulator, whose events the service does not know.
    page = f"{parts.scheme}://{parts.netloc}/#{{slug}}" if is_loopback(parts.hostname or "") else EVENT_URL
    return page.format(slug=quote(slug, safe=""))


def _object_page(uri: str) -> str:
    from urllib.parse import quote

    scheme, _, place = uri.partition("://")
    bucket, _, key = place.partition("/")
    page = CONSOLE_URLS.get(scheme)
    return page.format(bucket=quote(bucket), key=quote(key)) if page and key else ""
