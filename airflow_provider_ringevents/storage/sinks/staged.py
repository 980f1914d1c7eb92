"""Publishing to a store that keeps an upload out of sight until it is committed: S3, GCS, Azure.

The bytes go straight to the final key, block by block, and the store shows nothing of them before the commit. What a
killed attempt leaves:

- S3: an open multipart upload of that key. The next attempt aborts every open upload of exactly its key, also one
  that a live attempt still feeds: of two attempts at one key the newer wins, and the older fails without publishing.
  An age limit would leave the uploads of a task that is retried after minutes. Where no attempt follows, a lifecycle
  rule (AbortIncompleteMultipartUpload) is the way.
- GCS: a resumable session, which cannot be listed, costs nothing and expires after a week.
- Azure: uncommitted blocks of that key, which the next commit removes and the service drops after a week. adlfs ignores
  ``autocommit`` and commits when the file is closed: until then nothing is visible, so discarding is not closing.
"""

from __future__ import annotations

import contextlib
import logging
import math
import sys
from dataclasses import dataclass
from functools import cache
from typing import Any

from airflow_provider_ringevents.client.errors import RingEventsTransferError
from airflow_provider_ringevents.storage.errors import format_error
from airflow_provider_ringevents.storage.uri import AZURE_SCHEMES, GCS_SCHEMES, S3_SCHEMES

log = logging.getLogger(__name__)

BLOCK_BYTES = 5 * 2**20
"""Bytes of one block. S3 takes no less, and more is not faster, but s3fs holds about four blocks at a time."""

_MIB = 2**20


@dataclass(frozen=True, slots=True)
class StagedStore:
    """What differs between the stores.

    :ivar max_blocks: how many blocks one object may have, if there is a limit.
    :ivar has_commit: closing the file is not yet the commit.
    :ivar lists_uploads: uploads that were begun and not ended can be listed and aborted.
    """

    max_blocks: int | None
    has_commit: bool
    lists_uploads: bool


STAGED_STORES: dict[str, StagedStore] = {
    **dict.fromkeys(S3_SCHEMES, StagedStore(max_blocks=10_000, has_commit=True, lists_uploads=True)),
    **dict.fromkeys(GCS_SCHEMES, StagedStore(max_blocks=None, has_commit=True, lists_uploads=False)),
    **dict.fromkeys(AZURE_SCHEMES, StagedStore(max_blocks=50_000, has_commit=False, lists_uploads=False)),
}
"""By scheme."""


def block_size(store: StagedStore, expected_size: int | None) -> int:
    """Return the size of a block in bytes: 5 MiB, or as many whole MiB as the store's number of blocks demands.

    With S3's 10,000 parts that is 5 MiB up to 48.8 GiB, and up to 68 GiB (7 MiB) the transfer stays within 32 MiB of
    memory; above that the parts that S3 demands grow, and memory grows with them. An object of unknown size can have
    48.8 GiB at most.
    """
    if store.max_blocks is None or expected_size is None:
        return BLOCK_BYTES
    needed = math.ceil(expected_size / store.max_blocks)
    return max(BLOCK_BYTES, math.ceil(needed / _MIB) * _MIB)


class StagedSink:
    """One object of such a store, over its fsspec filesystem."""

    queue_bytes = 4 * 2**20

    def __init__(self, fs: Any, path: str, store: StagedStore, expected_size: int | None) -> None:
        self._fs = fs
        self._path = path
        self._store = store
        self._block = block_size(store, expected_size)
        self._file: Any = None

    def open(self) -> None:
        if self._store.lists_uploads:
            _abort_open_uploads(self._fs, self._path)
        options = {"autocommit": False} if self._store.has_commit else {}
        self._file = self._fs.open(self._path, "wb", block_size=self._block, **options)
        # fsspec notes the file for a transaction that nobody began; a later one must not commit it again.
        with contextlib.suppress(ValueError):
            self._fs.transaction.files.remove(self._file)

    def write(self, data: bytes | bytearray) -> None:
        most = self._block * self._store.max_blocks if self._store.max_blocks else None
        if most is not None and self._file.tell() + len(data) > most:
            raise RingEventsTransferError(
                f"The object {self._path} grows over {most} bytes, the most that this store takes in "
                f"{self._store.max_blocks} blocks of {self._block} bytes. Its size was not known beforehand, so the "
                "blocks could not be chosen larger. Nothing was published."
            )
        rest = memoryview(data)
        while rest:
            # Blocks of exactly one size: some stores of the S3 kind refuse others, GCS wants multiples of 256 KiB.
            room = self._block - self._file.tell() % self._block
            self._file.write(rest[:room])
            rest = rest[room:]

    def commit(self) -> None:
        self._file.close()
        if self._store.has_commit:
            self._file.commit()

    def discard(self) -> None:
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
        return stored_size(self._fs, self._path)


def stored_size(fs: Any, path: str) -> int | None:
    """Ask the store, not a cache, for an object's size in bytes."""
    fs.invalidate_cache()
    size = fs.info(path).get("size")
    return None if size is None else int(size)


def _abort_open_uploads(fs: Any, path: str) -> None:
    bucket, key, _ = fs.split_path(path)
    aborted: set[str] = set()
    while True:
        try:
            page = fs.call_s3("list_multipart_uploads", Bucket=bucket, Prefix=key)
            found = {u["UploadId"] for u in page.get("Uploads", []) if u["Key"] == key} - aborted
            for upload_id in found:
                with contextlib.suppress(FileNotFoundError):  # its own attempt ended it just now
                    fs.abort_mpu(bucket, key, upload_id)
                log.info("Aborted an upload of s3://%s/%s that an earlier attempt left open", bucket, key)
        except FileNotFoundError as e:
            if _error_code(e) == "NoSuchBucket":  # better known now than after the first block
                raise
            return  # what some servers answer where there is no upload at all
        except OSError as e:  # the service answered, but not with a list
            _warn_once(bucket, format_error(e))
            return
        aborted |= found
        # What was aborted is off the list, and a prefix lists the exact key first: the next look starts over.
        if not found or not page.get("IsTruncated"):
            return


def _error_code(error: OSError) -> str:
    """Return S3's own word for an error, of which s3fs makes a Python exception."""
    response = getattr(error.__cause__, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))


@cache
def _warn_once(bucket: str, reason: str) -> None:
    log.warning(
        "Cannot look for uploads to s3://%s that a killed attempt left open (%s). Allow s3:ListBucketMultipartUploads "
        "and s3:AbortMultipartUpload, or give the bucket a lifecycle rule that aborts incomplete multipart uploads.",
        bucket,
        reason,
    )
