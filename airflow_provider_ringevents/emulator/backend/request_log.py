"""The log of the requests that an emulator received."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Final

_CAPACITY: Final = 100_000


@dataclass(slots=True)
class RequestRecord:
    """A request in the log.

    :ivar id: value of ``X-Request-Id`` in the response.
    :ivar origin: ``api`` or ``links``.
    :ivar scheme: scheme of the ``Authorization`` header (``Bearer``); empty for a bare key, None without the header.
    :ivar headers: all other headers, names in lower case.
    :ivar time: seconds since the epoch.
    :ivar status: status of the response; None as long as no response was sent.
    :ivar fault: kind of the fault that hit the request.
    """

    id: str
    origin: str
    method: str
    path: str
    query: str
    scheme: str | None
    headers: dict[str, str]
    time: float
    status: int | None = None
    fault: str | None = None


@dataclass
class RequestLog:
    """The latest 100,000 requests.

    :ivar leaked: number of requests to the signed links' origin with an ``Authorization`` header.
    :ivar in_flight: number of requests without a complete response.
    :ivar peak: largest number of requests in flight at one time.
    """

    entries: deque[RequestRecord] = field(default_factory=lambda: deque(maxlen=_CAPACITY))
    leaked: int = 0
    in_flight: int = 0
    peak: int = 0

    def count(
        self,
        method: str | None = None,
        path: str | None = None,
        *,
        status: int | None = None,
        origin: str | None = None,
    ) -> int:
        """Return the number of requests that match; ``*`` in ``path`` stands for anything."""
        return sum(
            1
            for seen in list(self.entries)
            if (method is None or seen.method == method)
            and (path is None or fnmatchcase(seen.path, path))
            and (status is None or seen.status == status)
            and (origin is None or seen.origin == origin)
        )

    def clear(self) -> None:
        """Remove all entries; requests in flight stay counted."""
        self.entries.clear()
        self.leaked = 0
        self.peak = self.in_flight

    def count_by_status(self) -> dict[str, int]:
        """Return the number of requests by status; ``none`` stands for requests without a response."""
        return dict(Counter(str(seen.status or "none") for seen in list(self.entries)))
