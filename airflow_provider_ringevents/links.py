"""Links from a task to the service's web pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from airflow.providers.common.compat.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator, Context

EVENT_PAGE: Final = "https://events.ringcentral.com/events/{slug}"
"""Where an event's page is. The API's reference does not say: this is what the web application's address bar shows."""

_SLUG = "ringevents_event_slug"


class EventLink(BaseOperatorLink):
    """The event's page, once the task knows its event."""

    name = "RingCentral Events"

    @staticmethod
    def keep(context: Context, event: Mapping[str, Any]) -> None:
        """Keep what the link needs, also while the task is deferred."""
        if slug := event.get("slug"):
            context["ti"].xcom_push(key=_SLUG, value=slug)
            task: Any = context["task"]
            task.event_is_known = True

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        """The address; empty while there is no event."""
        from airflow.providers.common.compat.sdk import XCom

        if not getattr(operator, "event_is_known", True):
            return ""  # a look for what was never kept would put an error into the log of a task that failed
        slug = XCom.get_value(key=_SLUG, ti_key=ti_key)
        return EVENT_PAGE.format(slug=slug) if slug else ""
