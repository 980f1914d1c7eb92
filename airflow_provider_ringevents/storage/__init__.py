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

from airflow_provider_ringevents.storage.destination import (
    Destination,
    IfExists,
    ObjectExistsError,
    check_destination,
)
from airflow_provider_ringevents.storage.file_names import safe_file_name
from airflow_provider_ringevents.storage.writer import ObjectWriter

__all__ = ["Destination", "IfExists", "ObjectExistsError", "ObjectWriter", "check_destination", "safe_file_name"]
