"""Redaction of secrets in the log records of the HTTP libraries.

httpx logs whole URLs at INFO, httpcore response headers (redirect targets, cookies) at DEBUG. A filter on a logger does
not see the records of its children, so each logger gets it.
"""

from __future__ import annotations

import logging
import re
from urllib.parse import urlsplit

_MIN_KEY_LENGTH = 8
"""A shorter text is not a key of this API, and replacing it would mangle unrelated words."""

_LOGGERS = (
    "httpx",
    "httpcore.connection",
    "httpcore.http11",
    "httpcore.http2",
    "httpcore.proxy",
    "httpcore.socks",
)
# Up to white space or what no URL holds: brackets and quotes may stand in the middle of a signed query.
_URL = re.compile(r"https?://[^\s\"<>]+", re.IGNORECASE)
_QUERY = re.compile(r"\?[^\s\"<>]+")
_HEADER = re.compile(
    r"(\(b?'(?:authorization|proxy-authorization|set-cookie|location)', b?)(?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")",
    re.IGNORECASE,
)


def redact_url(url: str, trusted: frozenset[str] | set[str] = frozenset()) -> str:
    """Remove user, query and fragment from a URL, which may be secret; off the trusted origins also its path."""
    try:
        parts = urlsplit(url)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        place = f"{parts.scheme}://{host}{f':{parts.port}' if parts.port else ''}"
    except ValueError:
        return "***"
    path = parts.path if place in trusted else ("/***" if parts.path.strip("/") else parts.path)
    return f"{place}{path}{'?***' if parts.query else ''}"


def redact_text(text: str, trusted: frozenset[str] | set[str] = frozenset()) -> str:
    """Redact every URL in a text, and everything that looks like the query of one."""
    return _QUERY.sub("?***", _URL.sub(lambda match: redact_url(match[0], trusted), text))


class RedactingFilter(logging.Filter):
    """A logging filter that removes queries of URLs, credentials in headers, and API keys anywhere.

    :ivar trusted: origins below which paths stay readable.
    :ivar keys: the keys, plain and as ``repr`` writes them. A service may repeat them in any header of a response.
    """

    def __init__(self) -> None:
        super().__init__()
        self.trusted: set[str] = set()
        self.keys: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact the message of a record."""
        message = redacted = record.getMessage()
        redacted = redact_text(_HEADER.sub(r"\1'***'", redacted), self.trusted)
        for key in tuple(self.keys):
            redacted = redacted.replace(key, "***")
        if redacted != message:
            record.msg, record.args = redacted, ()
        return True


_FILTER = RedactingFilter()


def install(base_url: str, key: str = "") -> None:
    """Install the filter on the loggers of the HTTP libraries; paths below the origin of ``base_url`` stay readable."""
    _FILTER.trusted.add(redact_url(base_url).removesuffix("/***"))
    if len(key) >= _MIN_KEY_LENGTH:
        _FILTER.keys |= {key, repr(key)[1:-1]}
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_FILTER)
