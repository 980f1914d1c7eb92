"""Publication in a store that keeps an upload invisible until it is committed: S3, GCS, Azure.

The bytes go straight to the final key, block by block, and the store shows none of them before the commit. A killed
try leaves:

- S3: an open multipart upload of that key. The next try aborts every open upload of exactly its key, also one
  that a live try still feeds: of two tries at one key the newer wins, and the older fails without publishing.
  An age limit would leave the uploads of a task that is retried after minutes. Where no try follows, a lifecycle
  rule (AbortIncompleteMultipartUpload) removes the upload.
- GCS: a resumable session, which cannot be listed, costs nothing and expires after a week.
- Azure: uncommitted blocks of that key, which the next commit removes and the service drops after a week. adlfs ignores
  ``autocommit`` and commits when the file is closed, so discarding must not close the file.
"""

from __future__ import annotations

import contextlib
import logging
import math
import sys
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from airflow_provider_ringevents.client.errors import RingEventsTransferError
from airflow_provider_ringevents.storage.errors import format_error
from airflow_provider_ringevents.storage.uri import AZURE_SCHEMES, GCS_SCHEMES, S3_SCHEMES

log = logging.getLogger(__name__)

BLOCK_BYTES = 5 * 2**20
"""Bytes of one block: the minimum of S3. Larger ones are not faster, and s3fs holds about four blocks at a time."""

MAX_BLOCK_BYTES = 64 * 2**20
"""The largest block: the memory of an upload is a few blocks, and a server may declare any length."""

_MIB = 2**20


class StagedStore(NamedTuple):
    """The differences between the stores.

    :ivar max_blocks: the largest number of blocks of one object, if there is a limit.
    :ivar has_commit: the commit is separate from closing the file.
    :ivar lists_uploads: unfinished uploads can be listed and aborted.
    """

    max_blocks: int | None
    has_commit: bool
    lists_uploads: bool


STAGED_STORES: dict[str, StagedStore] = {
    **dict.fromkeys(S3_SCHEMES, StagedStore(max_blocks=10_000, has_commit=True, lists_uploads=True)),
    **dict.fromkeys(GCS_SCHEMES, StagedStore(max_blocks=None, has_commit=True, lists_uploads=False)),
    **dict.fromkeys(AZURE_SCHEMES, StagedStore(max_blocks=50_000, has_commit=False, lists_uploads=False)),
}
"""The stores by scheme."""


def block_size(store: StagedStore, expected_size: int | None) -> int:
    """Return the size of a block in bytes: 5 MiB, or as many whole MiB as the store's limit of blocks demands.

    With the 10,000 parts of S3 that is 5 MiB up to 48.8 GiB, and up to 68 GiB (7 MiB) the transfer stays within 32 MiB
    of memory; beyond that the parts grow up to 64 MiB, which is enough for 625 GiB, and memory grows with them. An
    object of unknown size can have 48.8 GiB at most.

    :raises RingEventsTransferError: the object would be larger than that.
    """
    if store.max_blocks is None or expected_size is None:
        return BLOCK_BYTES
    largest = store.max_blocks * MAX_BLOCK_BYTES
    if expected_size > largest:
        raise RingEventsTransferError(
            f"The object would have {expected_size} bytes, more than the {largest} ({largest // 2**30} GiB) that"
            f" {store.max_blocks} blocks of {MAX_BLOCK_BYTES // _MIB} MiB hold. Nothing was published."
        )
    needed = math.ceil(expected_size / store.max_blocks)
    return max(BLOCK_BYTES, math.ceil(needed / _MIB) * _MIB)


class StagedSink:
    """A sink for one object of such a store, over its fsspec filesystem.

    :param arguments: further arguments of the filesystem's ``open``: the content type and options of the object.
    """

    queue_bytes = 4 * 2**20

    def __init__(
        self, fs: Any, path: str, store: StagedStore, expected_size: int | None, arguments: Mapping[str, Any]
    ) -> None:
        self._fs = fs
        self._path = path
        self._store = store
        self._block = block_size(store, expected_size)
        self._arguments = arguments
        self._file: Any = None

    def open(self) -> None:
        """Abort the uploads of killed tries and begin one."""
        if self._store.lists_uploads:
            _abort_open_uploads(self._fs, self._path)
        options = {"autocommit": False, **self._arguments} if self._store.has_commit else self._arguments
        self._file = self._fs.open(self._path, "wb", block_size=self._block, **options)
        if self._store.lists_uploads:
            # s3fs writes an empty object in another way, which takes its options from here.
            self._file.kwargs = dict(self._arguments)
        # fsspec records the file for a transaction that was never begun; a later one must not commit it again.
        with contextlib.suppress(ValueError):
            self._fs.transaction.files.remove(self._file)

    def write(self, data: bytes | bytearray) -> None:
        """Append ``data`` in blocks of one size."""
        limit = self._block * self._store.max_blocks if self._store.max_blocks else None
        if limit is not None and self._file.tell() + len(data) > limit:
            raise RingEventsTransferError(
                f"The object {self._path} exceeds {limit} bytes, the limit of this store for {self._store.max_blocks} "
                f"blocks of {self._block} bytes. Its size was not known beforehand, so the blocks could not be larger. "
                "Nothing was published."
            )
        rest = memoryview(data)
        while rest:
            # All blocks have one size: some S3-compatible stores refuse others, and GCS demands multiples of 256 KiB.
            room = self._block - self._file.tell() % self._block
            self._file.write(rest[:room])
            rest = rest[room:]

    def commit(self) -> None:
        """Complete the upload."""
        self._file.close()
        if self._store.has_commit:
            self._file.commit()

    def discard(self) -> None:
        """Abort the upload."""
        if self._file is None:
            return
        # Otherwise closing, which the garbage collector also does, would upload the last block.
        self._file.forced = True
        try:
            if self._store.has_commit and not sys.is_finalizing():
                with contextlib.suppress(FileNotFoundError):  # the store has forgotten the upload already
                    self._file.discard()
        finally:
            self._file.close()

    def size(self) -> int | None:
        """Return the size in bytes that the store reports."""
        return stored_size(self._fs, self._path)


def stored_size(fs: Any, path: str) -> int | None:
    """Return the size of an object in bytes, from the store and not from a cache."""
    fs.invalidate_cache()
    found = fs.info(path)
    if found.get("type") == "directory":  # not visible yet, beside objects below its name
        raise FileNotFoundError(path)
    size = found.get("size")
    return None if size is None else int(size)


def _abort_open_uploads(fs: Any, path: str) -> None:
    bucket, key, _ = fs.split_path(path)
    aborted: set[str] = set()
    while True:
        try:
            page = fs.call_s3("list_multipart_uploads", Bucket=bucket, Prefix=key)
            found = {u["UploadId"] for u in page.get("Uploads", []) if u["Key"] == key} - aborted
            for upload_id in found:
                with contextlib.suppress(FileNotFoundError):  # its own try just ended it
                    fs.abort_mpu(bucket, key, upload_id)
                log.info("Aborted an upload of s3://%s/%s left open by an earlier try", bucket, key)
        except FileNotFoundError as e:
            if _error_code(e) == "NoSuchBucket":  # better raised now than after the first block
                raise
            return  # the answer of some servers without any upload
        except OSError as e:  # the service answered, but not with a list
            _warn_once(bucket, format_error(e))
            return
        aborted |= found
        # Aborted uploads leave the list, and a prefix lists the exact key first: the next request starts over.
        if not found or not page.get("IsTruncated"):
            return


def _error_code(error: OSError) -> str:
    """Return the error code of S3 behind an exception of s3fs."""
    response = getattr(error.__cause__, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))


@cache
def _warn_once(bucket: str, reason: str) -> None:
    log.warning(
        "Cannot list the open uploads to s3://%s left by killed tries (%s). Allow s3:ListBucketMultipartUploads "
        "and s3:AbortMultipartUpload, or give the bucket a lifecycle rule that aborts incomplete multipart uploads.",
        bucket,
        reason,
    )
