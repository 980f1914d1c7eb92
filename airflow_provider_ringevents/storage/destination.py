"""A place for one object, or for several under one prefix, with its connection looked up and its filesystem ready."""

from __future__ import annotations

import logging
import os
import stat
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Self

from airflow_provider_ringevents.client.errors import (
    RingEventsConfigError,
    RingEventsError,
    RingEventsTransferError,
)
from airflow_provider_ringevents.storage.errors import format_error, is_forbidden, transfer_error
from airflow_provider_ringevents.storage.sinks.local import LocalSink
from airflow_provider_ringevents.storage.sinks.rename import RenameSink
from airflow_provider_ringevents.storage.sinks.staged import STAGED_STORES, StagedSink
from airflow_provider_ringevents.storage.uri import (
    AZURE_SCHEMES,
    ParsedUri,
    install_hint,
    is_supported_scheme,
    parse,
    require_packages,
)
from airflow_provider_ringevents.storage.writer import ObjectWriter, Sink

log = logging.getLogger(__name__)

DISCARD_TIMEOUT = 20.0
"""Seconds that a failed transfer takes at most to clean up after itself; the rest is the next attempt's."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where an object goes, or (a prefix) where objects go. Made by :meth:`resolve`.

    :ivar uri: the URI without a connection in it.
    :ivar is_prefix: it ends in ``/``: :meth:`child` names the object.
    """

    uri: str
    is_prefix: bool
    _scheme: str = field(repr=False)
    _path: str = field(repr=False)
    _fs: Any = field(repr=False)  # None: a local file
    _conn_id: str | None = field(repr=False)
    _parameter: str = field(repr=False)

    @classmethod
    def resolve(cls, uri: str, conn_id: str | None = None, *, parameter: str = "destination") -> Self:
        """Look up the connection and make the filesystem ready. For run time: it may import and ask the network.

        :param uri: ``s3://bucket/key``, ``s3://connection@bucket/key``, ``file:///folder/name``, ``/folder/name``, or
            any other URI that ``ObjectStoragePath`` takes.
        :param conn_id: the connection to the store, if the URI names none. A local file needs none and ignores it.
        :param parameter: the argument's name, for errors.
        :raises RingEventsConfigError: the URI can name no object, the URI and ``conn_id`` name different
            connections, there is no such connection, or no filesystem is installed for the scheme.
        :raises RingEventsTransferError: the store's library failed to start, for another reason.
        """
        parsed = parse(uri, parameter)
        if parsed.conn_id and conn_id and parsed.conn_id != conn_id:
            raise RingEventsConfigError(
                f"{parameter} {uri!r} names the connection {parsed.conn_id!r}, and the connection id given beside it "
                f"is {conn_id!r}: name one."
            )
        conn_id = parsed.conn_id or conn_id or None
        if parsed.is_local:
            fs, path = None, parsed.path
        else:
            require_packages(parsed, parameter)
            fs, path = _filesystem(parsed, conn_id, parameter)
        return cls(parsed.uri, parsed.uri.endswith("/"), parsed.scheme, path, fs, conn_id, parameter)

    @property
    def account(self) -> str | None:
        """The storage account, where the store has such a thing and the URI does not say it: Azure."""
        # The filesystem itself knows it only where the connection names it apart from the address.
        account = getattr(getattr(self._fs, "service_client", None), "account_name", None)
        return account if isinstance(account, str) and account else None

    def child(self, name: str) -> Destination:
        """Name one object under this prefix.

        :param name: its name, already made safe.
        :raises RingEventsConfigError: this is no prefix, or the name is empty or has a slash.
        """
        if not self.is_prefix or not name or "/" in name:
            raise RingEventsConfigError(f"{self._parameter} {self.uri!r} cannot have an object {name!r} under it.")
        parsed = parse(self.uri + name, self._parameter)
        path = parsed.path if parsed.is_local else str(_object_path(parsed, self._conn_id).path)
        return replace(self, uri=parsed.uri, is_prefix=False, _path=path)

    def exists(self) -> bool:
        """Whether an object is there now.

        :raises RingEventsTransferError: the store did not say.
        """
        self._require_object()
        with self._translate_errors("Looking for", "Nothing was changed."):
            try:
                if self._fs is None:
                    return not stat.S_ISDIR(os.stat(self._path).st_mode)
                self._fs.invalidate_cache()
                return bool(self._fs.info(self._path).get("type") != "directory")
            except FileNotFoundError:
                return False

    def publish(self, expected_size: int | None = None) -> AbstractContextManager[ObjectWriter]:
        """Write the object: a clean exit of the ``with`` block publishes it, any exception leaves what was there.

        Of two attempts that overlap at one destination the newer wins on a local file and on S3; elsewhere either may.
        The other one fails, or its whole object is replaced: what is there is never a mixture.

        :param expected_size: bytes that must come; with another number nothing is published.
        :raises RingEventsConfigError: this is a prefix, or a folder or device is there.
        :raises RingEventsTransferError: the store failed, the size is not the expected one (nothing was published,
            the error says so), or the store reports another size afterwards (the object was replaced, it says so).
        """
        self._require_object()
        return self._publishing(expected_size)

    @contextmanager
    def _publishing(self, expected_size: int | None) -> Iterator[ObjectWriter]:
        sink = self._sink(expected_size)
        writer: ObjectWriter | None = None
        try:
            with self._translate_errors("Opening", "Nothing was changed."):
                sink.open()
            writer = ObjectWriter(sink, self.uri, expected_size)
            yield writer
            writer.finish()
            with self._translate_errors(
                "Publishing", "What is there is whole: the earlier object, or all of the new one."
            ):
                sink.commit()
        except BaseException:
            if writer is not None:
                writer.abort()
            self._discard(sink)
            raise
        self._verify(sink, writer.bytes)

    def _sink(self, expected_size: int | None) -> Sink:
        if self._fs is None:
            return LocalSink(self._path)
        if store := STAGED_STORES.get(self._scheme):
            return StagedSink(self._fs, self._path, store, expected_size)
        return RenameSink(self._fs, self._path)

    @contextmanager
    def _translate_errors(self, what: str, state: str) -> Iterator[None]:
        try:
            yield
        except RingEventsError:
            raise
        except Exception as e:
            error = transfer_error(f"{what} {self.uri}", e, state=state)
            raise error from error.__cause__

    def _discard(self, sink: Sink) -> None:
        """Clean up, but never hide the error that led here, nor wait long for a server that is gone."""

        def discard() -> None:
            try:
                sink.discard()
            except Exception as e:
                log.warning("Could not clean up after the failed write to %s: %s", self.uri, format_error(e))

        if sys.is_finalizing():  # a block that was left open until the end of Python, where no thread starts any more
            discard()
            return
        thread = threading.Thread(target=discard, name="ringevents-discard", daemon=True)
        thread.start()
        thread.join(DISCARD_TIMEOUT)
        if thread.is_alive():
            log.warning("Still cleaning up after the failed write to %s, the next attempt does the rest", self.uri)

    def _verify(self, sink: Sink, written: int) -> None:
        replaced = "The object at the destination was replaced by the new one."
        try:
            size = sink.size()
        except Exception as e:
            if is_forbidden(e):
                said = format_error(e)
                log.warning("The size of %s could not be verified, reading it is not permitted: %s", self.uri, said)
                return
            error = transfer_error(f"Reading back the size of {self.uri}", e, state=replaced)
            raise error from error.__cause__
        if size is None:
            log.warning("The size of %s could not be verified: the store does not say it", self.uri)
        elif size != written:
            raise RingEventsTransferError(
                f"{self.uri} has {size} bytes in the store, but {written} were written. {replaced}"
            )

    def _require_object(self) -> None:
        if self.is_prefix:
            raise RingEventsConfigError(
                f"{self._parameter} {self.uri!r} ends in '/': it names a folder, not an object."
            )


def _filesystem(parsed: ParsedUri, conn_id: str | None, parameter: str) -> tuple[Any, str]:
    from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook

    if conn_id:
        # Some filesystems fall back to anonymous or ambient credentials where the connection is missing.
        try:
            BaseHook.get_connection(conn_id)
        except AirflowNotFoundException as e:
            raise RingEventsConfigError(
                f"{parameter} {parsed.uri!r}: there is no Airflow connection {conn_id!r}. Add it, or name another. "
                + _azure_hint(parsed, conn_id)
            ) from e
    try:
        path = _object_path(parsed, conn_id)
        return path.fs, str(path.path)
    except (ImportError, ValueError) as e:
        hint = install_hint(parsed.scheme)
        if (
            conn_id and is_supported_scheme(parsed.scheme) and isinstance(e, ValueError)
        ):  # it is installed: that was checked
            hint = f"Check the fields of the connection {conn_id!r}."
        raise RingEventsConfigError(
            f"{parameter} {parsed.uri!r}: there is no filesystem for it ({format_error(e)}). {hint}"
        ) from e
    except Exception as e:
        error = transfer_error(f"Connecting to the store of {parsed.uri}", e, state="Nothing was changed.")
        raise error from error.__cause__


def _object_path(parsed: ParsedUri, conn_id: str | None) -> Any:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    # The same filesystem under its usual name: not every version reads a path that starts with the other.
    scheme = {"s3n": "s3", "adl": "abfs"}.get(parsed.scheme, parsed.scheme)
    return ObjectStoragePath(f"{scheme}://{parsed.path}", conn_id=conn_id)


def _azure_hint(parsed: ParsedUri, conn_id: str) -> str:
    if parsed.scheme not in AZURE_SCHEMES:
        return ""
    return (
        "Airflow reads what stands before the '@' as the connection: the container comes after it, as in "
        f"{parsed.scheme}://my_connection@container/report.csv."
    )
