"""Publishing to any other fsspec filesystem: written to a temporary key beside the final one, checked, moved there.

The temporary key lies in a hidden folder whose name follows from the final name. Inside, every attempt has a name of
its own, so that two that overlap never write into one file; the newer one empties the folder first, and the older then
has nothing to move. What appears at the final key is as whole as the filesystem's own move or copy.
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
    """One object of a filesystem of which nothing but fsspec's own interface is known."""

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
        self._empty_folder()
        # Stores without folders refuse or ignore this; where folders are needed, opening the file says what is wrong.
        with contextlib.suppress(OSError, NotImplementedError):
            self._fs.makedirs(self._folder, exist_ok=True)
        self._file = self._fs.open(self._temporary, "wb")

    def write(self, data: bytes | bytearray) -> None:
        self._file.write(bytes(data))  # not every library takes a bytearray
        self._written += len(data)

    def commit(self) -> None:
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

        # fsspec's own move expands wildcards, and a key may hold them. A filesystem that brings its own renames.
        if type(self._fs).mv is not AbstractFileSystem.mv:
            self._fs.mv(self._temporary, self._path)
        else:
            self._fs.cp_file(self._temporary, self._path)
            self._fs.rm_file(self._temporary)

    def discard(self) -> None:
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
        return stored_size(self._fs, self._path)

    def _empty_folder(self) -> None:
        self._fs.invalidate_cache()
        with contextlib.suppress(FileNotFoundError):
            for left in self._fs.ls(self._folder, detail=False):
                self._fs.rm_file(left)
                log.info("Removed %s, which an earlier attempt left", left)

    def _remove_folder(self) -> None:
        # Not empty when another attempt works in it, and not there at all in a store without folders.
        with contextlib.suppress(Exception):
            self._fs.rmdir(self._folder)
