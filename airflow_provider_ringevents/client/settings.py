"""The settings of a client, validated before anything is sent."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.errors import RingEventsConfigError, invalid_argument
from airflow_provider_ringevents.client.secrets import Secret, conceal, conceal_url
from airflow_provider_ringevents.client.transport.http import normalize_host
from airflow_provider_ringevents.client.validation.numbers import check_number

SECRET_SETTINGS: Final = frozenset({"proxy"})
"""Settings besides the API key whose value may hold a password."""

_NAME = re.compile(r"[A-Za-z0-9_.-]+")


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """Settings of a client.

    :ivar base_url: scheme, host, optional port and path prefix; plain http only on loopback.
    :ivar api_key: the key, sent to the origin of the base URL alone.
    :ivar auth_scheme: the word before the key in ``Authorization``; empty sends the bare key.
    :ivar timeout: the longest silence of the server before a request is given up, in seconds.
    :ivar request_timeout: the most seconds from the first byte of a request to the last one of its response; None: 120,
        and 600 for a page of a list.
    :ivar transfer_timeout: the most seconds of a whole download, with all retries and pauses.
    :ivar max_attempts: requests per call, the first one included.
    :ivar per_page: rows per page of a list.
    :ivar concurrency: pages of one list in flight, 1 to 16.
    :ivar rate_limit: requests per second; None: no limit.
    :ivar verify: verify the server's certificate: True, False, or the path of a CA bundle.
    :ivar proxy: URL of a proxy; None: the environment's, except for a base URL on loopback.
    :ivar trust_count: the count of a list is that of the rows which the key can see.
    :ivar allow_private_links: follow redirects and signed links to private addresses where that would be refused.
    :raises RingEventsConfigError: a value is invalid; the message names it.
    """

    base_url: str = defaults.BASE_URL
    api_key: Secret | str = field(default="", repr=False)
    auth_scheme: str = defaults.AUTH_SCHEME
    timeout: float = defaults.READ_TIMEOUT
    request_timeout: float | None = None
    transfer_timeout: float = defaults.TRANSFER_TIMEOUT
    max_attempts: int = defaults.MAX_ATTEMPTS
    per_page: int = defaults.PER_PAGE
    concurrency: int = defaults.CONCURRENCY
    rate_limit: float | None = None
    verify: bool | str = True
    proxy: Secret | str | None = field(default=None, repr=False)
    trust_count: bool = True
    allow_private_links: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "base_url", conceal_url(self.base_url))
        object.__setattr__(self, "base_url", _validate_base_url(self.base_url))
        object.__setattr__(self, "api_key", conceal(self.api_key))
        object.__setattr__(self, "proxy", conceal(self.proxy))
        if not isinstance(self.api_key, Secret) or not self.api_key.reveal().strip():
            raise RingEventsConfigError(
                "`password` of the connection must be an API key, and is empty. Create one in RingCentral Events under"
                " Organization settings > API.",
                parameter="password",
                expected="an API key",
            )
        # Not echoed: it is the secret, whatever is wrong with it.
        if not _is_header_word(self.api_key):
            raise invalid_argument(
                "password",
                "an API key of printable ASCII characters without spaces around it or line ends",
                hint="Copy the key again.",
            )
        scheme = self.auth_scheme
        if not isinstance(scheme, str) or not scheme.isascii() or (scheme and not scheme.isalnum()):
            # Not echoed: whoever pastes a whole Authorization header into it has pasted the key, too.
            raise invalid_argument("auth_scheme", "one word such as 'Bearer', or empty")
        check_number("timeout", self.timeout, greater_than=0, maximum=defaults.MAX_TIMEOUT)
        if self.request_timeout is not None:
            check_number("request_timeout", self.request_timeout, greater_than=0, maximum=defaults.MAX_TIMEOUT)
        check_number("transfer_timeout", self.transfer_timeout, greater_than=0, maximum=defaults.MAX_TRANSFER_TIMEOUT)
        check_number("max_attempts", self.max_attempts, integer=True, minimum=1, maximum=20)
        check_number("per_page", self.per_page, integer=True, minimum=1, maximum=defaults.MAX_PAGE_ROWS)
        check_number("concurrency", self.concurrency, integer=True, minimum=1, maximum=defaults.MAX_CONCURRENCY)
        if self.rate_limit is not None:
            check_number("rate_limit", self.rate_limit, minimum=defaults.MIN_RATE, maximum=defaults.MAX_RATE)
        if not isinstance(self.verify, bool) and not _is_path(self.verify):
            raise invalid_argument("verify", "true, false or the path of a CA bundle", self.verify)
        if not isinstance(self.trust_count, bool):
            raise invalid_argument("trust_count", "true or false", self.trust_count)
        if self.proxy is not None and not _is_proxy_url(self.proxy):
            # Not echoed: it may hold a password.
            raise invalid_argument("proxy", "a URL such as http://host:3128 (or https://, socks5://)")
        if not isinstance(self.allow_private_links, bool):
            raise invalid_argument("allow_private_links", "true or false", self.allow_private_links)

    @property
    def authorization(self) -> Secret:
        """Return the value of the ``Authorization`` header."""
        key = Secret(self.api_key)
        return Secret(f"{self.auth_scheme} {key.reveal()}") if self.auth_scheme else key

    @property
    def is_local(self) -> bool:
        """Return whether the base URL is on loopback."""
        return is_loopback(urlsplit(self.base_url).hostname or "")


def check_setting_names(names: Iterable[str]) -> None:
    """Require names of settings.

    :raises RingEventsConfigError: one is none; the message names it and those that there are.
    """
    known = ClientSettings.__slots__
    for name in names:
        if name not in known:
            close = get_close_matches(name, known, n=1)
            raise invalid_argument(
                name,
                f"left out: it is no setting of a client, which are {', '.join(known)}",
                hint=f"Did you mean {close[0]!r}?" if close else None,
            )


def _is_path(value: Any) -> bool:
    """Return whether the operating system can look for a file of this name."""
    if not isinstance(value, str) or not value or "\0" in value:
        return False
    try:
        os.fsencode(value)
    except UnicodeEncodeError:
        return False
    return True


def _is_header_word(secret: Secret) -> bool:
    """Return whether a text can be sent in a header as it is."""
    return (
        secret.reveal().isascii()
        and secret.reveal().isprintable()
        and len(secret.reveal().strip()) == len(secret.reveal())
    )


def is_loopback(host: str) -> bool:
    """Return whether a host name or address stays on this machine.

    Of the names only ``localhost`` does for certain: resolvers may answer for one below it.
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _validate_base_url(url: Any) -> str:
    expected = f"a base URL such as {defaults.BASE_URL}"
    if isinstance(url, Secret):
        raise invalid_argument("host", f"{expected}, without user, password, query and fragment")
    error = invalid_argument("host", expected, url)
    if not isinstance(url, str) or not url.isprintable():
        raise error
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise error from None
    if (
        parts.scheme not in ("http", "https")
        or not _is_host(host)
        or port == 0
        or parts.netloc.endswith(":")
        or not _is_path_prefix(parts.path)
    ):
        raise error
    if parts.scheme == "http" and not is_loopback(host):
        raise invalid_argument(
            "host",
            "an https:// URL, or http:// on loopback",
            f"http://{host}",
            hint="Plain http would send the API key unencrypted.",
        )
    return url.rstrip("/")


def _is_path_prefix(path: str) -> bool:
    """Return whether the path of a request can be appended, and stays below it.

    Empty segments and dots would be resolved to another path, by the HTTP library or by the service.
    """
    prefix = path.rstrip("/")
    return not prefix or not any(
        segment in ("", ".", "..") or " " in segment for segment in unquote(prefix).split("/")[1:]
    )


def _is_host(host: str) -> bool:
    """Return whether it is an IP address or a name that can be resolved."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        pass
    else:
        return True
    try:
        return _NAME.fullmatch(normalize_host(host)) is not None
    except ValueError:
        return False


def _is_proxy_url(url: Any) -> bool:
    if not isinstance(url, Secret):
        return False
    try:
        parts = urlsplit(url.reveal())
        return (
            parts.scheme in ("http", "https", "socks5", "socks5h")
            and _is_host(parts.hostname or "")
            and parts.port != 0
        )
    except ValueError:
        return False
