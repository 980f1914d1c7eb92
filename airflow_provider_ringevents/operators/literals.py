"""Arguments of mapped tasks that Airflow passes on as they are: data are never templates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.providers.common.compat.sdk import literal


def literal_arguments(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Mark the arguments of one mapped task as data, in which Airflow looks for no Jinja.

    Airflow renders what ``expand_kwargs`` hands to a task, also where it comes from another task: a name such as
    ``{{ conn.my_db.password }}`` in a spreadsheet would be replaced by a secret. For the rows of an upstream task::

        RingEventsCreateEventFromTemplateOperator.partial(...).expand_kwargs(read_rows().map(literal_arguments))
    """
    return {name: literal(value) for name, value in arguments.items()}
