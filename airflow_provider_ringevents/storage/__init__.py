"""Bytes -> a verified object in any store that Airflow's ``ObjectStoragePath`` knows, published whole or not at all.

::

    check_destination(uri)                              # at parse time: costs nothing, looks nothing up
    destination = Destination.resolve(uri, conn_id)     # at run time: scheme and connection are checked
    with destination.publish(expected_size) as writer:  # a clean exit publishes, any exception leaves what was there
        for chunk in chunks:
            writer.write(chunk)
    writer.bytes, writer.sha256
"""

from __future__ import annotations

from airflow_provider_ringevents.storage.destination import Destination
from airflow_provider_ringevents.storage.file_names import safe_file_name
from airflow_provider_ringevents.storage.uri import check_destination
from airflow_provider_ringevents.storage.writer import ObjectWriter

__all__ = ["Destination", "ObjectWriter", "check_destination", "safe_file_name"]
