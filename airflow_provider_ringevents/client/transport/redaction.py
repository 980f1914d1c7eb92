"""Redaction of secrets in texts of the service and in the log records of the HTTP libraries.

httpx logs whole URLs at INFO, httpcore response headers (redirect targets, cookies) at DEBUG. A filter on a logger does
not see the records of its children, so each logger gets it.
"""

from __future__ import annotations

import functools
import logging
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import islice
from typing import Any, Final
from urllib.parse import urlsplit

from airflow_provider_ringevents.client.secrets import Secret

MAX_TEXT_CHARACTERS: Final = 500
"""The longest text of the service that is shown."""

MAX_LISTED: Final = 10
"""The most things of the service that one message lists."""

_MIN_KEY_LENGTH = 8
"""A shorter text is not a key of this API, and replacing it would mangle unrelated words."""
_MAX_READ_CHARACTERS = 20 * MAX_TEXT_CHARACTERS
_MIN_BASE64_LENGTH = 8
"""Characters of base64 that prove a secret: fewer occur by chance."""

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
_EXCEPTION = re.compile(r"(\bexception=\w+)\(.*", re.DOTALL)
"""An error of the HTTP library in its own log; its text may quote a response's head."""
_hides_paths: ContextVar[bool] = ContextVar("ringevents_hides_paths", default=False)


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


def hide_userinfo(text: str) -> str:
    """Hide user and password of a URL in a text: all from ``//`` to the last ``@``, since a password may hold anything.

    A user alone stays, such as the connection of ``s3://connection@bucket``; that of http may be a token.
    """
    start, end = text.find("//"), text.rfind("@")
    if not -1 < start < end:
        return text
    is_http = text[:start].lower().endswith(("http:", "https:"))
    return f"{text[: start + 2]}***{text[end:]}" if is_http or ":" in text[start:end] else text


def redact_text(text: str, trusted: frozenset[str] | set[str] = frozenset()) -> str:
    """Redact every URL in a text, and everything that looks like the query of one."""
    return _QUERY.sub("?***", _URL.sub(lambda match: redact_url(match[0], trusted), text))


@functools.lru_cache(maxsize=128)
def _spellings(secret: Secret) -> re.Pattern[str]:
    """Return a pattern of a secret: plain, quoted for a URL, escaped for JSON, any mixture of these, and base64."""
    escaped = (
        f"(?:{''.join(f'%(?i:{byte:02x})' for byte in character.encode('utf-8', 'replace'))}"
        f"|{re.escape(chr(92))}u(?i:{ord(character):04x})|{re.escape(chr(92) + character)}|{re.escape(character)}"
        f"{'|[+]' if character == ' ' else ''})"
        for character in secret.reveal()
    )
    alternatives = ["".join(escaped)]
    for offset in range(3):
        # Three texts, since base64 joins bytes by threes; at the ends there are bits of the neighbours.
        encoded = b64encode(bytes(offset) + secret.reveal().encode("utf-8", "replace")).decode().rstrip("=")
        middle = encoded[(0, 2, 3)[offset] : len(encoded) - 1]
        if len(middle) >= _MIN_BASE64_LENGTH:
            standard = re.escape(middle).replace("\\+", "[+-]").replace("/", "[/_]")
            alternatives.append(f"{standard}[A-Za-z0-9+/_-]?={{0,2}}")
    return re.compile("|".join(alternatives))


_keys: dict[Secret, None] = {}
"""The API keys of all clients of the process."""


def hide_secrets(text: str, secrets: Sequence[Secret] = ()) -> str:
    """Replace the API keys of this process, and further secrets, in a text, however they are spelt there."""
    for secret in (*tuple(_keys), *secrets):
        if secret:
            text = _spellings(secret).sub("***", text)
    return text


def hide_values(text: str, values: Sequence[str]) -> str:
    """Replace values that were sent in a text of the service, such as the address of a person.

    Addresses are found in any case and however they are spelt, other values as whole words, so that a name of two
    letters does not take other words apart.
    """
    if len(text) > _MAX_READ_CHARACTERS:
        text = text[:_MAX_READ_CHARACTERS]
    for value in values:
        if "@" in value:
            text = re.sub(_spellings(Secret(value)).pattern, "***", text, flags=re.IGNORECASE)
        else:
            text = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", "***", text, flags=re.IGNORECASE)
    return text


def clean_text(text: str, secrets: Sequence[Secret] = ()) -> str:
    """Return a text of the service as it may be shown.

    Without secrets, queries of links, and control characters, on one line, of at most 500 characters.

    :param secrets: secrets besides the API keys of this process.
    """
    read = text[:_MAX_READ_CHARACTERS]
    redacted = redact_text(hide_secrets(read, secrets))
    if len(text) > len(read):
        # A secret may have been cut in two.
        longest = max((len(secret.reveal()) for secret in (*tuple(_keys), *secrets)), default=0)
        redacted = redacted[: max(0, len(redacted) - 6 * longest)]
    shown = "".join(character if character.isprintable() else " " for character in redacted)
    return shown if len(shown) <= MAX_TEXT_CHARACTERS else f"{shown[: MAX_TEXT_CHARACTERS - 3]}..."


def clean_value(value: Any, secrets: Sequence[Secret] = ()) -> str:
    """Return a value of a response, whatever its type, as it may be shown; see :func:`clean_text`."""
    return clean_text(value if isinstance(value, str) else str(value), secrets)


def list_texts(texts: Iterable[str]) -> str:
    """Return the first ten of several texts for a message, with a mark where there are more."""
    first = list(islice(texts, MAX_LISTED + 1))
    return ", ".join([*first[:MAX_LISTED], *(["..."] if len(first) > MAX_LISTED else [])])


def hide_in(value: Any, secrets: Sequence[Secret] = ()) -> Any:
    """Return a copy of a JSON value without secrets in its texts and names; their length and characters are kept."""
    if isinstance(value, str):
        return hide_secrets(value, secrets)
    if isinstance(value, Mapping):
        return {hide_in(name, secrets): hide_in(item, secrets) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [hide_in(item, secrets) for item in value]
    return value


@contextmanager
def paths_hidden(hidden: bool) -> Iterator[None]:
    """Hide the paths of URLs in what is logged in the block, also those of the API: a signed link may lie there."""
    token = _hides_paths.set(hidden)
    try:
        yield
    finally:
        _hides_paths.reset(token)


class RedactingFilter(logging.Filter):
    """A logging filter that removes queries of URLs, credentials in headers, and API keys anywhere.

    :ivar trusted: origins below which paths stay readable.
    """

    def __init__(self) -> None:
        super().__init__()
        self.trusted: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact the message of a record."""
        message = redacted = record.getMessage()
        redacted = _EXCEPTION.sub(r"\1(***)", _HEADER.sub(r"\1'***'", redacted))
        redacted = hide_secrets(redact_text(redacted, frozenset() if _hides_paths.get() else self.trusted))
        if redacted != message:
            record.msg, record.args = redacted, ()
        return True


_FILTER = RedactingFilter()


def install(base_url: str, key: Secret | str = "") -> None:
    """Install the filter on the loggers of the HTTP libraries; paths below the origin of ``base_url`` stay readable.

    :param key: an API key; from now on no text that is shown holds it.
    """
    _FILTER.trusted.add(redact_url(base_url).removesuffix("/***"))
    secret = Secret(key)
    if len(secret.reveal()) >= _MIN_KEY_LENGTH:
        _keys[secret] = None
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_FILTER)
