"""The place of one object, or of several under one prefix: parsed once, connected when it is needed."""

from __future__ import annotations

import logging
import os
import stat
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Self

from airflow_provider_ringevents.client.errors import (
    RingEventsConfigError,
    RingEventsError,
    RingEventsTransferError,
    invalid_argument,
)
from airflow_provider_ringevents.storage import IfExists
from airflow_provider_ringevents.storage.errors import format_error, is_forbidden, transfer_error
from airflow_provider_ringevents.storage.object_options import open_arguments, validate_object_options
from airflow_provider_ringevents.storage.sinks.local import LocalSink, prepare_folder
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
"""Seconds that a failed transfer spends on its cleanup at most; the next try does the rest."""

SIZE_DELAYS = (0.5, 1.0, 2.0)
"""Seconds before an object that was just published is looked for again in an eventually consistent store."""

DEFAULT_CONTENT_TYPE = "application/octet-stream"


class ObjectExistsError(RingEventsConfigError):
    """The destination holds an object that must be kept."""


@dataclass(frozen=True, slots=True)
class Destination:
    """The place of an object, or a prefix of objects. Made by :meth:`parse`, used after :meth:`connect`.

    :ivar uri: the URI without a connection.
    :ivar is_prefix: the URI ends in ``/``, and :meth:`child` names the object.
    """

    uri: str
    is_prefix: bool
    _parsed: ParsedUri = field(repr=False)
    _conn_id: str | None = field(repr=False)
    _parameter: str = field(repr=False)
    _options: Mapping[str, Any] = field(repr=False)
    _fs: Any = field(default=None, repr=False)  # None: a local file
    _path: str = field(default="", repr=False)
    _is_child: bool = field(default=False, repr=False, compare=False)

    @classmethod
    def parse(
        cls, uri: str, conn_id: str | None = None, *, parameter: str = "destination", options: Any = None
    ) -> Self:
        """Parse a destination without importing a filesystem or looking up a connection.

        :param uri: ``s3://bucket/key``, ``s3://connection@bucket/key``, ``file:///folder/name``, ``/folder/name``, or
            any other URI that ``ObjectStoragePath`` accepts.
        :param conn_id: the connection to the store, if the URI names none. A local file needs none and ignores it.
        :param parameter: the name of the argument, for errors.
        :param options: headers of the object: encryption, storage class, ... (``object_options``).
        :raises RingEventsConfigError: the URI cannot name an object, the URI and ``conn_id`` name different
            connections, an option is not allowed, or the packages for the scheme are missing.
        """
        parsed = parse(uri, parameter)
        if parsed.conn_id and conn_id and parsed.conn_id != conn_id:
            raise invalid_argument(
                parameter, f"free of another connection than {conn_id!r}, which is given beside it", uri
            )
        require_packages(parsed, parameter)
        checked = validate_object_options(parsed.scheme, options)
        conn_id = parsed.conn_id or conn_id or None
        parsed = replace(parsed, conn_id=None)
        return cls(parsed.uri, parsed.uri.endswith("/"), parsed, conn_id, parameter, checked)

    def connect(self) -> Self:
        """Look up the connection and open the filesystem. For run time: it may import packages and use the network.

        The folder of a local file is made, so that a place that cannot be is known before anything is requested.

        :raises RingEventsConfigError: the connection does not exist, no filesystem is installed for the scheme, or no
            local file can be there.
        :raises RingEventsTransferError: the store's library failed to start, for another reason, or a local folder
            cannot be written to.
        """
        if self._parsed.is_local:
            with self._translate_errors("Opening", "Nothing was changed."):
                prepare_folder(self._parsed.path, self._parameter)
        return self._connect()

    def _connect(self) -> Self:
        if self._parsed.is_local:
            return replace(self, _path=self._parsed.path)
        fs, path = _filesystem(self._parsed, self._conn_id, self._parameter)
        return replace(self, _fs=fs, _path=path)

    @classmethod
    def resolve(cls, uri: str, conn_id: str | None = None, *, parameter: str = "destination") -> Self:
        """Parse the place of an object that may only be read, and connect to its store."""
        return cls.parse(uri, conn_id, parameter=parameter)._connect()

    @property
    def account(self) -> str | None:
        """Return the storage account that the URI does not name (Azure), or None."""
        return storage_account(self._fs)

    def is_same_object(self, other: Destination) -> bool:
        """Return True if both name one object, however they spell its scheme or its local path.

        Connections do not count: two of them may lead to one store.
        """
        return self._parsed.place == other._parsed.place

    def child(self, name: str) -> Self:
        """Return the destination of one object under this prefix.

        :param name: the safe name of the object.
        :raises RingEventsConfigError: this is not a prefix, or the name is empty or holds a slash.
        """
        if not self.is_prefix or not name or "/" in name:
            raise invalid_argument(self._parameter, f"a folder that can hold an object {name!r}", self.uri)
        parsed = replace(self._parsed, path=self._parsed.path + name)
        path = parsed.path if parsed.is_local else str(_object_path(parsed, self._conn_id).path)
        return replace(self, uri=parsed.uri, is_prefix=False, _parsed=parsed, _path=path, _is_child=True)

    def exists(self) -> bool:
        """Return True if the store holds an object there now.

        :raises RingEventsTransferError: the store did not answer.
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

    def must_skip(self, if_exists: IfExists) -> bool:
        """Return True if an existing object makes the export unnecessary; False for a prefix.

        :raises ObjectExistsError: there is an object, and ``if_exists`` is ``fail``.
        """
        if if_exists == "overwrite" or self.is_prefix or not self.exists():
            return False
        if if_exists == "fail":
            raise self._exists_error()
        log.info("%s exists already and is kept", self.uri)
        return True

    def publish(
        self,
        expected_size: int | None = None,
        *,
        content_type: str = DEFAULT_CONTENT_TYPE,
        if_exists: IfExists = "overwrite",
    ) -> AbstractContextManager[ObjectWriter]:
        """Write the object: a clean exit of the ``with`` block publishes it, any exception leaves the earlier object.

        Of two overlapping tries at one destination the newer wins on a local file and on S3; elsewhere either may.
        The other one fails, or its whole object is replaced; the result is never a mixture.

        :param expected_size: bytes that must come; with another number nothing is published.
        :param content_type: the media type that the store keeps with the object.
        :param if_exists: with ``skip`` and ``fail`` an object that appeared in the meantime is kept.
        :raises RingEventsConfigError: this is a prefix, or a folder or device is there.
        :raises ObjectExistsError: an object is there when this one would be published.
        :raises RingEventsTransferError: the store failed, the size is not the expected one (nothing was published,
            the error says so), or the store reports another size afterwards (the object was replaced, it says so).
        """
        self._require_object()
        return self._publishing(expected_size, content_type, if_exists)

    @contextmanager
    def _publishing(self, expected_size: int | None, content_type: str, if_exists: IfExists) -> Iterator[ObjectWriter]:
        sink = self._sink(expected_size, content_type)
        writer: ObjectWriter | None = None
        try:
            with self._translate_errors("Opening", "Nothing was changed."):
                sink.open()
            writer = ObjectWriter(sink, self.uri, expected_size)
            yield writer
            writer.finish()
            if if_exists != "overwrite" and self.exists():
                raise self._exists_error()
            with self._translate_errors(
                "Publishing", "The destination holds a whole object: the earlier one, or the new one."
            ):
                sink.commit()
        except BaseException:
            if writer is not None:
                writer.abort()
            self._discard(sink)
            raise
        self._verify(sink, writer.bytes)

    def _sink(self, expected_size: int | None, content_type: str) -> Sink:
        if self._fs is None:
            return LocalSink(self._path, follow_link=not self._is_child)
        if store := STAGED_STORES.get(self._parsed.scheme):
            arguments = open_arguments(self._parsed.scheme, content_type, self._options)
            return StagedSink(self._fs, self._path, store, expected_size, arguments)
        return RenameSink(self._fs, self._path)

    def _exists_error(self) -> ObjectExistsError:
        return ObjectExistsError(
            f"`{self._parameter}` must be a place without an object while `if_exists` is 'fail' or 'skip', got"
            f" {self.uri}, which holds one. Nothing was changed.",
            parameter=self._parameter,
        )

    @contextmanager
    def _translate_errors(self, action: str, state: str) -> Iterator[None]:
        try:
            yield
        except RingEventsError:
            raise
        except Exception as e:
            error = transfer_error(f"{action} {self.uri}", e, state=state)
            raise error from error.__cause__

    def _discard(self, sink: Sink) -> None:
        """Clean up without hiding the error that led here, and without waiting long for a server that is gone."""

        def discard() -> None:
            try:
                sink.discard()
            except Exception as e:
                log.warning("Could not clean up after the failed write to %s: %s", self.uri, format_error(e))

        if sys.is_finalizing():  # a block left open until interpreter shutdown, where no thread can be started
            discard()
            return
        thread = threading.Thread(target=discard, name="ringevents-discard", daemon=True)
        thread.start()
        thread.join(DISCARD_TIMEOUT)
        if thread.is_alive():
            log.warning(
                "The cleanup after the failed write to %s is still running; the next try completes it", self.uri
            )

    def _verify(self, sink: Sink, written: int) -> None:
        replaced = "The object at the destination was replaced by the new one."
        try:
            size = _published_size(sink)
        except Exception as e:
            if is_forbidden(e):
                reason = format_error(e)
                log.warning("The size of %s could not be verified, reading it is not permitted: %s", self.uri, reason)
                return
            error = transfer_error(f"Reading back the size of {self.uri}", e, state=replaced)
            raise error from error.__cause__
        if size is None:
            log.warning("The size of %s could not be verified: the store does not report it", self.uri)
        elif size != written:
            raise RingEventsTransferError(
                f"{self.uri} has {size} bytes in the store, but {written} were written. {replaced}"
            )

    def _require_object(self) -> None:
        if self.is_prefix:
            raise invalid_argument(self._parameter, "the place of one object", self.uri, hint="It names a folder.")


def storage_account(fs: Any) -> str | None:
    """Return the storage account of an Azure filesystem; None for any other."""
    # The filesystem itself knows it only where the connection names it apart from the address.
    account = getattr(getattr(fs, "service_client", None), "account_name", None)
    return account if isinstance(account, str) and account else None


def _published_size(sink: Sink) -> int | None:
    for delay in SIZE_DELAYS:
        try:
            return sink.size()
        except FileNotFoundError:
            time.sleep(delay)
    return sink.size()


def _filesystem(parsed: ParsedUri, conn_id: str | None, parameter: str) -> tuple[Any, str]:
    from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook

    if conn_id:
        # Some filesystems fall back to anonymous or ambient credentials where the connection is missing.
        try:
            BaseHook.get_connection(conn_id)
        except AirflowNotFoundException as e:
            raise RingEventsConfigError(
                f"`{parameter}` {parsed.uri!r} needs the Airflow connection {conn_id!r}, which does not exist."
                f" Add it, or name another. {_azure_hint(parsed, conn_id)}".rstrip(),
                parameter=parameter,
            ) from e
    try:
        path = _object_path(parsed, conn_id)
        return path.fs, str(path.path)
    except (ImportError, ValueError) as e:
        hint = install_hint(parsed.scheme)
        if conn_id and is_supported_scheme(parsed.scheme) and isinstance(e, ValueError):  # its packages were checked
            hint = f"Check the fields of the connection {conn_id!r}."
        raise RingEventsConfigError(
            f"`{parameter}` must be on a store that has a filesystem, got {parsed.uri!r} ({format_error(e)}). {hint}",
            parameter=parameter,
        ) from e
    except Exception as e:
        error = transfer_error(f"Connecting to the store of {parsed.uri}", e, state="Nothing was changed.")
        raise error from error.__cause__


def _object_path(parsed: ParsedUri, conn_id: str | None) -> Any:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    # Not every version reads a path that starts with another name of the same scheme.
    scheme = {"s3n": "s3", "adl": "abfs"}.get(parsed.scheme, parsed.scheme)
    return ObjectStoragePath(f"{scheme}://{parsed.path}", conn_id=conn_id)


def _azure_hint(parsed: ParsedUri, conn_id: str) -> str:
    if parsed.scheme not in AZURE_SCHEMES:
        return ""
    return (
        "Airflow reads the part before the '@' as the connection: the container comes after it, as in "
        f"{parsed.scheme}://my_connection@container/report.csv."
    )
