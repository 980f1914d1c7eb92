"""Each operator with text that consists of digits, in a DAG that renders native objects: Jinja makes numbers of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from airflow.providers.common.compat.sdk import DAG
from operator_arguments import OPERATORS, make

DIGITS = "{{ params.digits }}"
TEXTS = {
    *("event_id", "ticket_id", "registration_id", "magic_link_id", "report_id", "template_id", "organization_id"),
    *("parent_id", "idempotency_key", "name", "first_name", "last_name", "ringevents_conn_id"),
}
"""Arguments of which a number can only be meant as text."""


def digits(operator: type[Any]) -> dict[str, Any]:
    """Return these arguments of an operator, all of them digits."""
    given: dict[str, Any] = {field: DIGITS for field in operator.template_fields if field in TEXTS}
    if "report_version" in operator.template_fields:
        given["report_version"] = "{{ params.version }}"
    for field in ("destination", "source", "results"):
        if field in operator.template_fields:
            suffix = ".jsonl" if "Collection" in operator.__name__ else ".csv"
            name = "people" if field == "source" else f"{operator.__name__}-{field}"
            given[field] = f"{{{{ params.folder }}}}/{name}{suffix}"
    return given


with DAG("native", schedule=None, start_date=datetime(2026, 1, 1), render_template_as_native_obj=True) as dag:
    for operator in OPERATORS:
        make(operator, task_id=operator.__name__, **digits(operator))
