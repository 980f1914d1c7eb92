"""The one place of the test harness that knows Airflow versions."""

from __future__ import annotations

from importlib.metadata import version
from importlib.util import find_spec

AIRFLOW_VERSION: tuple[int, ...] = tuple(int(part) for part in version("apache-airflow").split(".")[:2])

HAS_TASK_SDK = AIRFLOW_VERSION >= (3, 0)
"""Workers talk to an Execution API, which the harness keeps in memory; before that they talk to a database."""

WORKER_REDACTS_FIELDS = AIRFLOW_VERSION >= (3, 1)
"""Rendered fields reach the Execution API without what their names call secret; before that the API takes it out."""

HAS_STATE_STORE = AIRFLOW_VERSION >= (3, 3)
"""`context["task_state_store"]` and `context["asset_state_store"]` exist."""

HAS_RETRY_POLICY = AIRFLOW_VERSION >= (3, 3)
"""Operators take `retry_policy`."""

HAS_START_FROM_TRIGGER = AIRFLOW_VERSION >= (3, 3)
"""A task may start in the triggerer with templates in its trigger's arguments."""

HAS_OPENLINEAGE = find_spec("airflow.providers.openlineage") is not None
"""The OpenLineage provider is installed: the tests' own environments have it, a user's may not."""

SERDE_NEXT_KWARGS = AIRFLOW_VERSION >= (3, 2)
"""`defer(kwargs=...)` is stored as serde writes it; before that as the older BaseSerialization does."""

if AIRFLOW_VERSION >= (3, 2):
    from airflow.serialization.decoders import smart_decode_trigger_kwargs
elif HAS_TASK_SDK:
    from airflow.serialization.serialized_objects import smart_decode_trigger_kwargs

__all__ = [
    "AIRFLOW_VERSION",
    "HAS_OPENLINEAGE",
    "HAS_RETRY_POLICY",
    "HAS_START_FROM_TRIGGER",
    "HAS_STATE_STORE",
    "HAS_TASK_SDK",
    "SERDE_NEXT_KWARGS",
    "WORKER_REDACTS_FIELDS",
    "smart_decode_trigger_kwargs",
]
