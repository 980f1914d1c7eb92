"""The addresses to which redirects and signed links may lead: a service must not send the worker into its own network.

Refused are plain HTTP, loopback, link-local and private addresses, unless the base URL is itself of that kind. A name
is looked up before the connection. Under TLS one that resolves to private addresses is allowed (split DNS, private
endpoints of stores), since nobody else has a certificate for it; that holds as well where it resolves to another
address between the look-up and the connection.
"""

from __future__ import annotations

import ipaddress
import socket
import unicodedata
from collections.abc import Callable, Iterable
from typing import Final
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from airflow_provider_ringevents.client.settings import ClientSettings, is_loopback

Resolver = Callable[[str], Iterable[str]]
"""A function that returns the IP addresses of a host name; it may block, and raises OSError where there are none."""

_EMBEDDING: Final = tuple(map(ipaddress.ip_network, ("64:ff9b::/96", "64:ff9b:1::/48", "::/96", "::ffff:0:0:0/96")))
"""IPv6 networks whose addresses end in an IPv4 address: NAT64, its local form, IPv4-compatible and IPv4-translated."""
_LOOPBACK: Final = "a loopback address"
_LINK_LOCAL: Final = "a link-local address"
_PRIVATE: Final = "a private address"


def resolve(host: str) -> list[str]:
    """Return the addresses of a host name as the operating system resolves it.

    :raises OSError: it has none.
    :raises UnicodeError: it is no name.
    """
    name = host.encode("idna").decode()
    return [str(found[4][0]) for found in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)]


class LinkPolicy:
    """The rule for the addresses of redirects and signed links.

    :param settings: those of the client.
    """

    def __init__(self, settings: ClientSettings) -> None:
        base = urlsplit(settings.base_url)
        self._allows_http = base.scheme == "http"
        self._base_host = (base.hostname or "").lower()
        base_kind = _kind_of_host(self._base_host)
        self._allowed_kinds = {base_kind} if base_kind else set()
        self._lifted = settings.allow_private_links
        self._verified = settings.verify is not False
        self._proxy = bool(settings.proxy)
        self._trust_env = not settings.is_local

    def objection(self, scheme: str, host: str) -> str | None:
        """Return the reason for which an address is refused before any look-up; None: it is not.

        :param host: a name or an IP address, in lower case and without brackets.
        """
        if scheme == "http" and not (self._allows_http and is_loopback(host)):
            return "a report is not read unencrypted"
        kind = _kind_of_host(host)
        if kind and not self._lifted and kind not in self._allowed_kinds:
            return f"it is {kind}"
        return None

    def needs_lookup(self, scheme: str, host: str) -> bool:
        """Return whether the addresses of a host have to be examined before the connection."""
        return not (
            self._lifted
            or host == self._base_host
            or is_loopback(host)
            or _address(host) is not None
            or self._has_proxy(scheme, host)
        )

    def objection_to_addresses(self, addresses: Iterable[str]) -> str | None:
        """Return the reason for which a host with these addresses is refused; None: it is not."""
        for kind in map(_kind_of_host, addresses):
            if kind and kind not in self._allowed_kinds and not (kind == _PRIVATE and self._verified):
                return f"it resolves to {kind}"
        return None

    def _has_proxy(self, scheme: str, host: str) -> bool:
        """Return whether a proxy connects to the host: it resolves the name, and in a network of its own."""
        if self._proxy or not self._trust_env:
            return self._proxy
        proxies = getproxies()
        return bool(proxies.get(scheme) or proxies.get("all")) and not proxy_bypass(host)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    # As the HTTP library reads a name: digits in full width and ideographic full stops count.
    host = unicodedata.normalize("NFKC", host).replace("\u3002", ".")
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        # The forms that the C library takes for addresses, too: 127.1, 0x7f000001, 2130706433.
        try:
            return ipaddress.IPv4Address(socket.inet_aton(host)) if host[-1:].isalnum() else None
        except (OSError, ValueError):
            return None
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address.sixtofour is not None:
            return address.sixtofour
        if int(address) > 1 and any(address in network for network in _EMBEDDING):
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _kind_of_host(host: str) -> str | None:
    """Return the kind of an address that is not public; None for a name and for a public address."""
    if is_loopback(host):
        return _LOOPBACK
    address = _address(host.removesuffix("."))
    if address is None:
        # RFC 6761: names below it are of this machine, whatever a resolver says.
        return _LOOPBACK if host.removesuffix(".").rpartition(".")[2] == "localhost" else None
    if address.is_loopback or address.is_unspecified:
        return _LOOPBACK
    if address.is_link_local:
        return _LINK_LOCAL
    if isinstance(address, ipaddress.IPv6Address) and address.is_site_local:
        return _PRIVATE
    return None if address.is_global and not address.is_multicast else _PRIVATE
