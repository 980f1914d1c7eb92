"""An object of a store, for reading."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, Any, Self, cast

from airflow_provider_ringevents.client.errors import RingEventsConfigError, invalid_argument
from airflow_provider_ringevents.storage.destination import Destination, storage_account
from airflow_provider_ringevents.storage.errors import transfer_error

_BLOCK_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class ReadableObject:
    """One object that is read as a stream. Made by :meth:`resolve`.

    :ivar uri: the URI without a connection.
    """

    uri: str
    _path: str = field(repr=False)
    _fs: Any = field(repr=False)
    _parameter: str = field(repr=False)

    @classmethod
    def resolve(cls, uri: str, conn_id: str | None = None, *, parameter: str = "source") -> Self:
        """Look up the connection and open the filesystem; arguments and errors as :meth:`Destination.resolve`."""
        place = Destination.resolve(uri, conn_id, parameter=parameter)
        if place.is_prefix:
            raise invalid_argument(parameter, "the place of one object", uri, hint="It names a folder.")
        return cls(place.uri, place._path, place._fs, parameter)

    @property
    def account(self) -> str | None:
        """Return the storage account that the URI does not name (Azure), or None."""
        return storage_account(self._fs)

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """Open the object.

        :raises RingEventsConfigError: there is no such object.
        """
        try:
            stream = (
                open(self._path, "rb")  # noqa: SIM115
                if self._fs is None
                else self._fs.open(self._path, "rb", block_size=_BLOCK_BYTES, cache_type="readahead")
            )
        except (FileNotFoundError, IsADirectoryError):
            raise self._missing() from None
        with stream:
            yield cast("IO[bytes]", stream)

    def fingerprint(self) -> tuple[Any, ...]:
        """Return values that change when the object is replaced: its size, and its ETag or time of change.

        :raises RingEventsConfigError: there is no such object.
        :raises RingEventsTransferError: the store failed.
        """
        try:
            if self._fs is None:
                found = os.stat(self._path)
                return found.st_ino, found.st_size, found.st_mtime_ns
            self._fs.invalidate_cache()
            info = self._fs.info(self._path)
        except (FileNotFoundError, NotADirectoryError):
            raise self._missing() from None
        except Exception as error:
            failure = transfer_error(f"Looking for {self.uri}", error, state="Nothing was sent.")
            raise failure from failure.__cause__
        names = ("ETag", "etag", "md5Hash", "generation", "LastModified", "last_modified", "mtime", "updated")
        return (info.get("size"), *(str(info.get(name)) for name in names))

    def _missing(self) -> RingEventsConfigError:
        return invalid_argument(self._parameter, "the place of an object that exists", self.uri)
