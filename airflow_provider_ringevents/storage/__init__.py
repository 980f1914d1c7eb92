"""Verified objects in any store that Airflow's ``ObjectStoragePath`` supports, published whole or not at all.

::

    destination = Destination.parse(uri, conn_id)       # at parse time: pure
    destination = destination.connect()                 # at run time: looks up the connection, opens the filesystem
    with destination.publish(expected_size) as writer:  # a clean exit publishes, an exception changes nothing
        for chunk in chunks:
            writer.write(chunk)
    writer.bytes, writer.sha256
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from airflow_provider_ringevents.storage.destination import Destination as Destination
    from airflow_provider_ringevents.storage.destination import ObjectExistsError as ObjectExistsError
    from airflow_provider_ringevents.storage.file_names import identifier_file_name as identifier_file_name
    from airflow_provider_ringevents.storage.file_names import safe_file_name as safe_file_name
    from airflow_provider_ringevents.storage.writer import ObjectWriter as ObjectWriter

IfExists = Literal["overwrite", "skip", "fail"]
"""The treatment of an object that is at the destination already."""

_MODULES = {
    "Destination": "destination",
    "ObjectExistsError": "destination",
    "identifier_file_name": "file_names",
    "safe_file_name": "file_names",
    "ObjectWriter": "writer",
}
__all__ = ["Destination", "IfExists", "ObjectExistsError", "ObjectWriter", "identifier_file_name", "safe_file_name"]


def __getattr__(name: str) -> Any:
    # Operators import ``IfExists`` at every parse of a DAG: they must not pay for the sinks.
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
