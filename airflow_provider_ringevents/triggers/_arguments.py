"""The checks of the arguments of triggers, which Airflow neither renders nor checks.

Triggers of waits check them when they run, since an error of a constructor would end Airflow's triggerer.
"""

from __future__ import annotations

from typing import Any, Final

from airflow_provider_ringevents.client.errors import invalid_argument
from airflow_provider_ringevents.client.validation.identifiers import validate_identifier
from airflow_provider_ringevents.client.validation.numbers import check_number, check_poll_interval
from airflow_provider_ringevents.polling.events import LAST_SECOND

_JINJA_STARTS: Final = ("{{", "{%", "{#")


def check_id(name: str, value: Any) -> None:
    """Require an id of the API, and no template.

    :raises RingEventsConfigError: it is not one.
    """
    _refuse_jinja(name, value)
    validate_identifier(name, value)


def check_wait(ringevents_conn_id: Any, poll_interval: Any, deadline: Any = None) -> None:
    """Check the arguments that all triggers of waits take.

    :raises RingEventsConfigError: one of them is invalid.
    """
    _refuse_jinja("ringevents_conn_id", ringevents_conn_id)
    if not isinstance(ringevents_conn_id, str) or ringevents_conn_id.strip() in ("", "None"):
        raise invalid_argument("ringevents_conn_id", "the id of a connection", ringevents_conn_id)
    check_poll_interval("poll_interval", poll_interval)
    check_time("deadline", deadline)


def check_time(name: str, value: Any, *, required: bool = False) -> None:
    """Require seconds since the epoch or, unless it is required, None.

    :raises RingEventsConfigError: it is neither.
    """
    if value is not None or required:
        check_number(name, value, minimum=0, maximum=LAST_SECOND)


def _refuse_jinja(name: str, value: Any) -> None:
    if isinstance(value, str) and any(start in value for start in _JINJA_STARTS):
        raise invalid_argument(name, "an id, since the arguments of a trigger are not templated", value)
