"""What a client needs to know, checked before anything is sent. Pure."""

from __future__ import annotations

import ipaddress
import math
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx

from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.errors import RingEventsConfigError

_NAME = re.compile(r"[A-Za-z0-9_.-]+")


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """Settings of a client.

    :ivar base_url: scheme, host, optional port and path prefix; plain http only on loopback.
    :ivar api_key: the key, sent to the base URL's origin alone.
    :ivar auth_scheme: word before the key in ``Authorization``; empty sends the key bare.
    :ivar timeout: seconds without a byte before a request is given up.
    :ivar max_attempts: requests per call, the first one included.
    :ivar per_page: rows asked for in a page of a list.
    :ivar concurrency: pages of one list in flight, 1 to 16.
    :ivar rate_limit: requests per second; None: as fast as they come.
    :ivar verify: check the server's certificate: True, False, or the path of a CA bundle.
    :ivar proxy: URL of a proxy; None: the environment's.
    :raises RingEventsConfigError: a value cannot be used; the message names it.
    """

    base_url: str = defaults.BASE_URL
    api_key: str = field(default="", repr=False)
    auth_scheme: str = defaults.AUTH_SCHEME
    timeout: float = defaults.READ_TIMEOUT
    max_attempts: int = defaults.MAX_ATTEMPTS
    per_page: int = defaults.PER_PAGE
    concurrency: int = defaults.CONCURRENCY
    rate_limit: float | None = None
    verify: bool | str = True
    proxy: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "base_url", _checked_url(self.base_url))
        if not isinstance(self.api_key, str) or not self.api_key.strip():
            raise RingEventsConfigError(
                "password: the connection holds no API key; make one in RingCentral Events under"
                " Organization settings > API and put it into the connection's password"
            )
        # Not echoed: it is the secret, whatever is wrong with it.
        if not self.api_key.isascii() or not self.api_key.isprintable() or self.api_key != self.api_key.strip():
            raise RingEventsConfigError(
                "password: the API key holds characters that no header may have (spaces around it, line ends, or"
                " non-ASCII letters); copy it again"
            )
        scheme = self.auth_scheme
        if not isinstance(scheme, str) or not scheme.isascii() or (scheme and not scheme.isalnum()):
            raise RingEventsConfigError(
                f"auth_scheme: one word such as 'Bearer', or nothing, is wanted, got {scheme!r}"
            )
        check_number("timeout", self.timeout, above=0, most=defaults.MAX_TIMEOUT)
        check_number("max_attempts", self.max_attempts, whole=True, least=1, most=20)
        check_number("per_page", self.per_page, whole=True, least=1)
        check_number("concurrency", self.concurrency, whole=True, least=1, most=defaults.MAX_CONCURRENCY)
        if self.rate_limit is not None:
            check_number("rate_limit", self.rate_limit, least=defaults.MIN_RATE, most=defaults.MAX_RATE)
        if not isinstance(self.verify, (bool, str)) or self.verify == "":
            raise RingEventsConfigError(f"verify: true, false or a CA bundle's path is wanted, got {self.verify!r}")
        if self.proxy is not None and not _is_proxy_url(self.proxy):
            # Not echoed: it may hold a password.
            raise RingEventsConfigError("proxy: a URL such as http://host:3128 (or https://, socks5://) is wanted")

    @property
    def authorization(self) -> str:
        """The ``Authorization`` header."""
        return f"{self.auth_scheme} {self.api_key}" if self.auth_scheme else self.api_key


def is_loopback(host: str) -> bool:
    """Whether a host name or address stays on this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _checked_url(url: Any) -> str:
    # What looks like a user, a password or a query is not echoed.
    got = "something else" if isinstance(url, str) and set(url) & set("@?#") else repr(url)
    wanted = RingEventsConfigError(f"host: a base URL such as {defaults.BASE_URL} is wanted, got {got}")
    if not isinstance(url, str) or not url.isprintable():
        raise wanted
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname or "", parts.port
    except ValueError as error:
        raise RingEventsConfigError(f"{wanted} ({error})") from error
    if parts.username is not None or parts.query or parts.fragment:
        raise RingEventsConfigError("host: the base URL takes no user, password, query or fragment")
    if parts.scheme not in ("http", "https") or not _is_host(host):
        raise wanted
    if parts.scheme == "http" and not is_loopback(host):
        raise RingEventsConfigError(
            f"host: http://{host} would send the API key in the clear; use https:// (plain http is for loopback only)"
        )
    return url.rstrip("/")


def _is_host(host: str) -> bool:
    """Whether it is an IP address or a name that a resolver takes."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        pass
    else:
        return True
    try:
        host = httpx.URL(f"https://{host}").host
        return _NAME.fullmatch(host.encode("idna").decode()) is not None
    except (ValueError, httpx.InvalidURL):
        return False


def _is_proxy_url(url: Any) -> bool:
    if not isinstance(url, str):
        return False
    try:
        parts = urlsplit(url)
        return (
            parts.scheme in ("http", "https", "socks5", "socks5h")
            and _is_host(parts.hostname or "")
            and parts.port != 0
        )
    except ValueError:
        return False


def check_number(
    name: str,
    value: Any,
    *,
    whole: bool = False,
    above: float | None = None,
    least: float | None = None,
    most: float | None = None,
) -> None:
    """Refuse what is no finite number within the bounds.

    :raises RingEventsConfigError: the message names it, its value and what is allowed.
    """
    wanted = ["a whole number" if whole else "a number"]
    wanted += [f"above {above}"] if above is not None else []
    if least is not None and most is not None:
        wanted.append(f"from {least} to {most}")
    else:
        wanted += [f"of at least {least}"] if least is not None else []
        wanted += [f"of at most {most}"] if most is not None else []
    numeric = not isinstance(value, bool) and isinstance(value, int if whole else (int, float))
    if (
        not numeric
        or (isinstance(value, float) and not math.isfinite(value))
        or (above is not None and value <= above)
        or (least is not None and value < least)
        or (most is not None and value > most)
    ):
        raise RingEventsConfigError(f"{name}: {' '.join(wanted)} is wanted, got {value!r}")
