"""Publication of a local file: written beside its final name, then renamed."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import secrets
import stat
import time
from collections.abc import Iterator
from io import FileIO

from airflow_provider_ringevents.client.errors import RingEventsTransferError, invalid_argument
from airflow_provider_ringevents.storage.file_names import temporary_name

log = logging.getLogger(__name__)

WRITEBACK_BYTES = 8 * 2**20
"""Bytes after which the kernel is asked to start writing to the disk, so that the final fsync has little left to do."""

_LOCK_TRIES = 200
_LOCK_PAUSE = 0.01
_NO_SYNC = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP)
_NOT_OURS = (errno.EPERM, errno.EISDIR)
_NO_CHMOD = (errno.EPERM, errno.EACCES, errno.EINVAL, errno.ENOSYS, errno.ENOTSUP)
_NEVER = (errno.EEXIST, errno.ELOOP, errno.ENAMETOOLONG, errno.ENOENT, errno.ENOTDIR)
"""Reasons for which a folder cannot be made, and which no later try changes."""


def prepare_folder(path: str, parameter: str) -> None:
    """Make the folder of a file, or the folder that the path names, and require that files can be put there.

    :param path: the absolute path; one of a folder ends in a slash.
    :param parameter: the name of the argument, for errors.
    :raises RingEventsConfigError: no plain file can ever be there.
    :raises OSError: the folder cannot be made or written to now.
    """
    try:
        target = os.path.realpath(path)
        if not path.endswith("/"):
            _plain_file_mode(target, parameter)
        folder = target if path.endswith("/") else os.path.dirname(target)
        os.makedirs(folder, exist_ok=True)
    except OSError as e:
        if e.errno not in _NEVER:
            raise
        expected = "a path on which folders can be made and a file can be put"
        raise invalid_argument(parameter, expected, path, hint=f"The system says: {e.strerror}.") from e
    if not os.access(folder, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), folder)


def _plain_file_mode(path: str, parameter: str = "destination", *, follow_link: bool = True) -> int | None:
    """Return the mode of a plain file, or None if there is nothing, or a link that is not followed.

    :raises RingEventsConfigError: something else is there.
    """
    try:
        found = os.stat(path, follow_symlinks=follow_link)
    except FileNotFoundError:
        return None
    if stat.S_ISLNK(found.st_mode):
        log.warning("%s is a symbolic link and is replaced, since a server gave its name", path)
        return None
    if not stat.S_ISREG(found.st_mode):
        hint = "A folder ends in /." if stat.S_ISDIR(found.st_mode) else None
        raise invalid_argument(parameter, "a plain file", path, hint=hint)
    return stat.S_IMODE(found.st_mode) & 0o777


class LocalSink:
    """A sink for one file: hidden part file in the same folder, fsync, rename, fsync of the folder.

    Of two overlapping tries the newer wins: it takes over the name of the part file, and the older one, finding
    another file under that name, publishes nothing.
    """

    queue_bytes = 16 * 2**20

    def __init__(self, path: str, *, follow_link: bool = True) -> None:
        # A link at the destination stays a link, and its target is replaced: the user has named it. One that has the
        # name that a server gave is replaced itself, as its target may lie outside the folder.
        folder, name = os.path.split(os.path.abspath(path))
        self._follow_link = follow_link
        self._target = os.path.realpath(path) if follow_link else os.path.join(os.path.realpath(folder), name)
        self._folder, name = os.path.split(self._target)
        self._part = os.path.join(self._folder, temporary_name(name))
        self._file: FileIO | None = None
        self._written = 0
        self._started = 0

    def open(self) -> None:
        """Create the part file beside the destination."""
        mode = _plain_file_mode(self._target, follow_link=self._follow_link)
        os.makedirs(self._folder, exist_ok=True)
        with self._folder_locked():
            self._remove_earlier_part()
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            self._file = FileIO(os.open(self._part, flags, 0o666 if mode is None else 0o600), "wb")
        if mode is not None:
            try:
                os.fchmod(self._file.fileno(), mode)
            except OSError as e:  # SMB and FUSE mounts have modes of their own
                if e.errno not in _NO_CHMOD:
                    raise

    def _remove_earlier_part(self) -> None:
        """Remove what an earlier try has left; where that is another user's, take another name."""
        try:
            os.unlink(self._part)
        except FileNotFoundError:
            pass
        except OSError as e:
            if e.errno not in _NOT_OURS:
                raise
            # A shared folder with the sticky bit, where anybody can put a file under this name and only they remove it.
            taken, self._part = self._part, f"{self._part}-{secrets.token_hex(8)}"
            log.warning(
                "%s belongs to another user and cannot be removed (%s); writing to %s instead, which no later try"
                " removes if this one is killed",
                taken,
                e.strerror,
                self._part,
            )

    def write(self, data: bytes | bytearray) -> None:
        """Append ``data`` to the part file."""
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
        """Sync the part file and rename it onto the destination."""
        file = self._opened()
        _sync(file.fileno())
        with self._folder_locked():
            if not self._part_is_ours():
                raise RingEventsTransferError(f"A newer try is writing {self._target} now. This try publishes nothing.")
            os.replace(self._part, self._target)
        file.close()
        with contextlib.suppress(OSError):  # the file is whole either way: this is for power cuts
            folder = os.open(self._folder, os.O_RDONLY)
            try:
                _sync(folder)
            finally:
                os.close(folder)

    def discard(self) -> None:
        """Remove the part file."""
        if self._file is None:
            return
        try:
            with self._folder_locked():
                if self._part_is_ours():
                    os.unlink(self._part)
        finally:
            self._file.close()

    def size(self) -> int:
        """Return the size of the published file in bytes."""
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
        """Lock out other tries while the name of the part file is checked and changed, where the file system can."""
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
