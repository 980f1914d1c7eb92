"""Links from a task to web pages: the page of its event, the page of the object that it exported."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

from airflow.providers.common.compat.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator, Context

EVENT_URL: Final = "https://events.ringcentral.com/events/{slug}"
"""The URL of an event's page. The API's reference does not name it: it is the one that the web application shows."""

CONSOLE_URLS: Final = {
    "s3": "https://s3.console.aws.amazon.com/s3/object/{bucket}?prefix={key}",
    "gs": "https://console.cloud.google.com/storage/browser/_details/{bucket}/{key}",
}
"""The URL of an object's page in the console of its cloud, by the scheme of its URI."""

_MAX_SLUG_CHARACTERS: Final = 255
_EVENT_KEY = "ringevents_event_page"
_OBJECT_KEY = "ringevents_object"


# On Airflow 2 the web server looks links up. Later the worker does after each session, and an XCom that is not there
# would put an error into the log of a task that failed, possibly while its arguments were rendered.
_LOOKED_UP_LATER: Final = not BaseOperatorLink.__module__.startswith("airflow.sdk.")


class LinkStateMixin:
    """A mixin of operators and sensors with links: before each worker session no link has been persisted."""

    has_event_link = _LOOKED_UP_LATER
    has_object_link = _LOOKED_UP_LATER

    def pre_execute(self, context: Any) -> None:
        """Reset the state of the links; Airflow calls it before each worker session."""
        super().pre_execute(context)  # type: ignore[misc] # mixed into an operator
        self.has_event_link = self.has_object_link = False


class EventLink(BaseOperatorLink):
    """The link to the page of the event, once the task knows its event."""

    name = "RingCentral Events"

    @staticmethod
    def persist(context: Context, event: Mapping[str, Any], base_url: str) -> None:
        """Persist the link, also for the time in which the task is deferred.

        :param base_url: the base URL of the API that the event is from.
        """
        EventLink.persist_url(context, event_url(event, base_url))

    @staticmethod
    def persist_url(context: Context, url: str | None) -> None:
        """Persist a URL that :func:`event_url` has returned."""
        if url:
            context["ti"].xcom_push(key=_EVENT_KEY, value=url)
            _running_task(context).has_event_link = True

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        """Return the URL; empty while there is no event."""
        return _load(_EVENT_KEY, ti_key) if getattr(operator, "has_event_link", _LOOKED_UP_LATER) else ""


class ObjectLink(BaseOperatorLink):
    """The link to the exported object, the first of several, in the console of S3 or Google Cloud Storage."""

    name = "Exported object"

    @staticmethod
    def persist(context: Context, uri: str) -> None:
        """Persist the link.

        :param uri: the URI of the object, without a connection.
        """
        if url := _object_url(uri):
            context["ti"].xcom_push(key=_OBJECT_KEY, value=url)
            _running_task(context).has_object_link = True

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        """Return the URL; empty for other stores, and while there is no object."""
        return _load(_OBJECT_KEY, ti_key) if getattr(operator, "has_object_link", _LOOKED_UP_LATER) else ""


def event_url(event: Mapping[str, Any], base_url: str) -> str | None:
    """Return the URL of an event's page, None if the event has none.

    :param base_url: the base URL of the API that the event is from.
    """
    from airflow_provider_ringevents.client.settings import is_loopback  # 11 ms that no DAG needs while it is parsed

    slug = event.get("slug")
    # What the service says may be anything, and the link goes into XCom and the events of triggers.
    if not isinstance(slug, str) or not 0 < len(slug) <= _MAX_SLUG_CHARACTERS:
        return None
    parts = urlsplit(base_url)
    # On this machine it is the emulator, whose events the service does not know.
    url = f"{parts.scheme}://{parts.netloc}/#{{slug}}" if is_loopback(parts.hostname or "") else EVENT_URL
    return url.format(slug=quote(slug, safe=""))


def _object_url(uri: str) -> str:
    scheme, _, path = uri.partition("://")
    bucket, _, key = path.partition("/")
    url = CONSOLE_URLS.get(scheme)
    return url.format(bucket=quote(bucket), key=quote(key)) if url and key else ""


def _load(key: str, ti_key: Any) -> str:
    from airflow.providers.common.compat.sdk import XCom  # not when a DAG is parsed: it imports the database's models

    return XCom.get_value(key=key, ti_key=ti_key) or ""


def _running_task(context: Context) -> Any:
    """Return the task that Airflow asks for links: ``task`` in the context of Airflow 3.0 is another copy."""
    return getattr(context["ti"], "task", None) or context["task"]
