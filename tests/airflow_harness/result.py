"""What a test can look at after a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class TriggerRow:
    """One deferral, as Airflow stored it: everything here was JSON in the metadata database.

    :param classpath: import path of the trigger.
    :param kwargs: the trigger's arguments in their stored (serialized) form.
    :param next_method: name of the operator's method that the event is given to.
    :param next_kwargs: `defer(kwargs=...)` in its stored (serialized) form.
    :param timeout: seconds given to `defer(timeout=...)`, or None.
    """

    classpath: str
    kwargs: Mapping[str, Any]
    next_method: str
    next_kwargs: Mapping[str, Any]
    timeout: float | None = None


@dataclass(frozen=True)
class Result:
    """The task instance as it stands, with all that happened to it since the `Run` was made.

    :param state: `success`, `failed`, `skipped`, `up_for_retry`, `up_for_reschedule`, `deferred`, or `none` (cleared).
    :param tries: number of the last try, from 1.
    :param sessions: how each worker session ended, oldest first: `["deferred", "success"]`.
    :param xcom: the return value (None when there is none).
    :param xcoms: every XCom of the task instance by key, extra links left out.
    :param exception: what the last worker session raised, or None.
    :param log_text: every log record of worker and triggerer, down to DEBUG, before Airflow masks secrets.
    :param trigger_rows: every deferral, oldest first.
    :param events: payload of every event that a trigger fired, after JSON, oldest first.
    :param links: extra links by name; empty ones left out.
    :param rendered_fields: the rendered template fields as Airflow stored them.
    :param store: the task state store (always empty before Airflow 3.3).
    :param outlet_events: one mapping with `name`, `uri` and `extra` for each asset event of a successful task, and
        `partition_key` where it has one.
    :param retry_delays: seconds that a retry policy asked for, one entry for each failed try that may be retried
        (None where nothing was asked).
    """

    state: str
    tries: int
    sessions: Sequence[str]
    xcom: Any
    xcoms: Mapping[str, Any]
    exception: BaseException | None
    log_text: str
    trigger_rows: Sequence[TriggerRow]
    events: Sequence[Any]
    links: Mapping[str, str]
    rendered_fields: Mapping[str, Any]
    store: Mapping[str, Any]
    outlet_events: Sequence[Mapping[str, Any]]
    retry_delays: Sequence[float | None]
