"""Publication on any other fsspec filesystem: written to a temporary key beside the final one, checked, and moved.

The temporary key lies in a hidden folder whose name follows from the final name. Every try has a name of its own in
it, so that overlapping tries never write into one file; the newer one empties the folder first, and the older then
has nothing to move. The final key appears as atomically as the filesystem's own move or copy.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import uuid
from typing import Any

from airflow_provider_ringevents.client.errors import RingEventsTransferError
from airflow_provider_ringevents.storage.file_names import temporary_name
from airflow_provider_ringevents.storage.sinks.staged import stored_size

log = logging.getLogger(__name__)


class RenameSink:
    """A sink for one object of a filesystem that is known by the interface of fsspec alone."""

    queue_bytes = 4 * 2**20

    def __init__(self, fs: Any, path: str) -> None:
        self._fs = fs
        self._path = path
        parent, _, name = path.rpartition("/")
        self._folder = f"{parent}/{temporary_name(name)}" if parent or path.startswith("/") else temporary_name(name)
        self._temporary = f"{self._folder}/{uuid.uuid4().hex}"
        self._written = 0
        self._file: Any = None

    def open(self) -> None:
        """Empty the hidden folder and open a temporary key in it."""
        self._empty_folder()
        # Stores without folders refuse or ignore this; where folders are needed, opening the file raises the error.
        with contextlib.suppress(OSError, NotImplementedError):
            self._fs.makedirs(self._folder, exist_ok=True)
        self._file = self._fs.open(self._temporary, "wb")

    def write(self, data: bytes | bytearray) -> None:
        """Append ``data`` to the temporary key."""
        self._file.write(bytes(data))  # not every library accepts a bytearray
        self._written += len(data)

    def commit(self) -> None:
        """Check the size of the temporary key and move it to the final key."""
        self._file.close()
        size = stored_size(self._fs, self._temporary)
        if size is not None and size != self._written:
            raise RingEventsTransferError(
                f"The store holds {size} bytes of the {self._written} written for {self._path}. Nothing was published."
            )
        self._move()
        self._remove_folder()

    def _move(self) -> None:
        from fsspec import AbstractFileSystem

        # The move of fsspec itself expands wildcards, and a key may hold them; a move of the filesystem's own renames.
        if type(self._fs).mv is not AbstractFileSystem.mv:
            self._fs.mv(self._temporary, self._path)
        else:
            self._fs.cp_file(self._temporary, self._path)
            self._fs.rm_file(self._temporary)

    def discard(self) -> None:
        """Remove the temporary key and its folder."""
        if self._file is None:
            return
        self._file.forced = True  # fsspec's buffered files then close without sending the rest
        if sys.is_finalizing():
            return
        with contextlib.suppress(Exception):
            self._file.close()
        with contextlib.suppress(FileNotFoundError):
            self._fs.rm_file(self._temporary)
        self._remove_folder()

    def size(self) -> int | None:
        """Return the size in bytes that the filesystem reports."""
        return stored_size(self._fs, self._path)

    def _empty_folder(self) -> None:
        self._fs.invalidate_cache()
        with contextlib.suppress(FileNotFoundError):
            for left in self._fs.ls(self._folder, detail=False):
                self._fs.rm_file(left)
                log.info("Removed %s, left by an earlier try", left)

    def _remove_folder(self) -> None:
        # It is not empty while another try uses it, and does not exist in a store without folders.
        with contextlib.suppress(Exception):
            self._fs.rmdir(self._folder)
