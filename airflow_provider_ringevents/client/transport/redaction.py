"""Keeps secrets out of what the HTTP libraries log.

httpx logs whole URLs at INFO, httpcore response headers (redirect targets, cookies) at DEBUG. A filter on a logger
sees only what that very logger is given, not what its children are, so it is put on each.
"""

from __future__ import annotations

import logging
import re
from urllib.parse import urlsplit

_SHORTEST_KEY = 8
"""A shorter text is no key of this API, and striking it out would tear every other word apart."""

_LOGGERS = (
    "httpx",
    "httpcore.connection",
    "httpcore.http11",
    "httpcore.http2",
    "httpcore.proxy",
    "httpcore.socks",
    "aiohttp.client",
)
# Up to white space or what no URL holds: brackets and quotes may stand in the middle of a signed query.
_URL = re.compile(r"https?://[^\s\"<>]+", re.IGNORECASE)
_QUERY = re.compile(r"\?[^\s\"<>]+")
_HEADER = re.compile(
    r"(\(b?'(?:authorization|proxy-authorization|set-cookie|location)', b?)(?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")",
    re.IGNORECASE,
)


def redact_url(url: str, trusted: frozenset[str] | set[str] = frozenset()) -> str:
    """Strip a URL of what may be secret: user, query and fragment; elsewhere than on a trusted host the path too."""
    try:
        parts = urlsplit(url)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        place = f"{parts.scheme}://{host}{f':{parts.port}' if parts.port else ''}"
    except ValueError:
        return "***"
    path = parts.path if place in trusted else ("/***" if parts.path.strip("/") else parts.path)
    return f"{place}{path}{'?***' if parts.query else ''}"


def redact_text(text: str, trusted: frozenset[str] | set[str] = frozenset()) -> str:
    """Redact every URL in a text, and what looks like the query of one."""
    return _QUERY.sub("?***", _URL.sub(lambda match: redact_url(match[0], trusted), text))


class RedactingFilter(logging.Filter):
    """Rewrites records so that URLs keep no query, headers no credentials, and nothing a key.

    :ivar trusted: origins below which paths stay readable.
    :ivar keys: as they are and as ``repr`` writes them. A service may repeat them in any header of an answer.
    """

    def __init__(self) -> None:
        super().__init__()
        self.trusted: set[str] = set()
        self.keys: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        message = redacted = record.getMessage()
        redacted = redact_text(_HEADER.sub(r"\1'***'", redacted), self.trusted)
        for key in tuple(self.keys):
            redacted = redacted.replace(key, "***")
        if redacted != message:
            record.msg, record.args = redacted, ()
        return True


_FILTER = RedactingFilter()


def install(base_url: str, key: str = "") -> None:
    """Put the filter on the HTTP libraries' loggers, once; paths below ``base_url``'s origin stay readable."""
    _FILTER.trusted.add(redact_url(base_url).removesuffix("/***"))
    if len(key) >= _SHORTEST_KEY:
        _FILTER.keys |= {key, repr(key)[1:-1]}
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_FILTER)
