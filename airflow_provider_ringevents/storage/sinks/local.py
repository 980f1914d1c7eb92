"""Publishing to a file of this machine: written beside its place, then renamed onto it."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import time
from collections.abc import Iterator
from io import FileIO

from airflow_provider_ringevents.client.errors import RingEventsConfigError, RingEventsTransferError
from airflow_provider_ringevents.storage.file_names import temporary_name

WRITEBACK_BYTES = 8 * 2**20
"""How often the kernel is asked to start writing to the disk, so that the final fsync finds little left to do."""

_LOCK_TRIES = 200
_LOCK_PAUSE = 0.01
_NO_SYNC = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP)


class LocalSink:
    """One file: hidden part file in the same folder, fsync, rename, fsync of the folder.

    Of two attempts that overlap the newer wins: it takes the part file's name over, and the older one, finding another
    file under that name, publishes nothing.
    """

    queue_bytes = 16 * 2**20

    def __init__(self, path: str) -> None:
        # A link at the destination stays a link: what it points to is replaced.
        self._target = os.path.realpath(path)
        self._folder, name = os.path.split(self._target)
        self._part = os.path.join(self._folder, temporary_name(name))
        self._file: FileIO | None = None
        self._written = 0
        self._started = 0

    def open(self) -> None:
        mode = self._existing_mode()
        os.makedirs(self._folder, exist_ok=True)
        with self._folder_locked():
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._part)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            self._file = FileIO(os.open(self._part, flags, 0o666 if mode is None else 0o600), "wb")
        if mode is not None:
            os.fchmod(self._file.fileno(), mode)

    def _existing_mode(self) -> int | None:
        try:
            found = os.stat(self._target)
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(found.st_mode):
            kind = "a folder: end it in / to name one" if stat.S_ISDIR(found.st_mode) else "not a plain file"
            raise RingEventsConfigError(f"The destination {self._target!r} is {kind}.")
        return stat.S_IMODE(found.st_mode) & 0o777

    def write(self, data: bytes | bytearray) -> None:
        file = self._opened()
        rest = memoryview(data)
        while rest:
            rest = rest[file.write(rest) :]
        self._written += len(data)
        if self._written - self._started >= WRITEBACK_BYTES and hasattr(os, "posix_fadvise"):
            with contextlib.suppress(OSError):
                os.posix_fadvise(file.fileno(), self._started, self._written - self._started, os.POSIX_FADV_DONTNEED)
            self._started = self._written

    def commit(self) -> None:
        file = self._opened()
        _sync(file.fileno())
        with self._folder_locked():
            if not self._part_is_ours():
                raise RingEventsTransferError(
                    f"Another attempt is writing {self._target} now: this one publishes nothing, that one will."
                )
            os.replace(self._part, self._target)
        file.close()
        with contextlib.suppress(OSError):  # the file is whole either way: this is about surviving a power cut
            folder = os.open(self._folder, os.O_RDONLY)
            try:
                _sync(folder)
            finally:
                os.close(folder)

    def discard(self) -> None:
        if self._file is None:
            return
        try:
            with self._folder_locked():
                if self._part_is_ours():
                    os.unlink(self._part)
        finally:
            self._file.close()

    def size(self) -> int:
        return os.stat(self._target).st_size

    def _opened(self) -> FileIO:
        if self._file is None:
            raise ValueError("The part file is not open.")
        return self._file

    def _part_is_ours(self) -> bool:
        try:
            return os.path.samestat(os.fstat(self._opened().fileno()), os.stat(self._part, follow_symlinks=False))
        except FileNotFoundError:
            return False

    @contextlib.contextmanager
    def _folder_locked(self) -> Iterator[None]:
        """Keep other attempts out while the part file's name is looked at and changed, where the file system can."""
        try:
            folder = os.open(self._folder, os.O_RDONLY)
        except OSError:  # a folder that may be written but not read
            yield
            return
        try:
            for _ in range(_LOCK_TRIES):
                try:
                    fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    time.sleep(_LOCK_PAUSE)
                    continue
                except OSError:  # network file systems may not lock folders
                    pass
                break
            yield
        finally:
            os.close(folder)


def _sync(descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    except OSError as e:
        if e.errno not in _NO_SYNC:
            raise
