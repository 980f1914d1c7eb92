"""A server of Google's storage API for tests: ``gcp-storage-emulator``, in this process, on a free loopback port.

It is not Google's. It lacks one thing that is needed here, the cancelling of an upload, which is added below as Google
documents it. ``make stores`` installs it, and gcsfs; where they are missing the test is skipped, unless the environment
says ``RINGEVENTS_NO_SKIP=1``: then it fails.
"""

from __future__ import annotations

import importlib.util
from types import SimpleNamespace
from typing import Any, Self

from server_process import skip_or_fail

CANCELLED = 499
"""What Google answers when an upload was cancelled."""


def _cancel(request: Any, response: Any, storage: Any, *_arguments: Any, **_named: Any) -> None:
    storage.delete_resumable_file_obj(request.query["upload_id"][0])
    response.status = SimpleNamespace(value=CANCELLED, phrase="Client Closed Request")


class GcsServer:
    """The server as a context manager.

    :ivar url: where it listens.
    """

    def __init__(self, bucket: str) -> None:
        if missing := [name for name in ("gcsfs", "gcp_storage_emulator") if not importlib.util.find_spec(name)]:
            skip_or_fail(f"no server of Google's storage API: {', '.join(missing)} not installed (make stores)")
        from gcp_storage_emulator.server import HANDLERS, create_server

        for path, methods in HANDLERS:
            if "upload" in path:
                methods["DELETE"] = _cancel
        self._server = create_server("127.0.0.1", 0, in_memory=True, default_bucket=bucket)
        self._bucket = bucket
        self.url = ""

    def __enter__(self) -> Self:
        self._server.start()
        # gcsfs leaves answers unread that it does not need; the server would print a traceback for each.
        self._server._api._httpd.handle_error = lambda request, address: None
        self.url = f"http://127.0.0.1:{self._server._api._httpd.server_address[1]}"
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._server.stop()

    def empty(self) -> None:
        """Forget all objects and uploads; the bucket stays."""
        self._server._storage.wipe(keep_buckets=True)

    def open_uploads(self) -> list[str]:
        """The names of objects with an upload that was begun and neither finished nor cancelled."""
        return [upload["name"] for upload in self._server._storage.resumable.values()]

    def read(self, name: str) -> bytes | None:
        """What is in an object, past the code under test; None where there is none."""
        from gcp_storage_emulator.exceptions import NotFound

        try:
            return bytes(self._server._storage.get_file(self._bucket, name))
        except NotFound:
            return None
