"""From an Airflow connection to the settings of a client. Pure."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Protocol
from urllib.parse import urlsplit

from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.errors import RingEventsConfigError, invalid_argument
from airflow_provider_ringevents.client.secrets import Secret, conceal_items, conceal_url
from airflow_provider_ringevents.client.settings import SECRET_SETTINGS, ClientSettings
from airflow_provider_ringevents.client.validation.numbers import parse_number

log = logging.getLogger(__name__)


class ConnectionLike(Protocol):
    """The fields of an Airflow connection that are read."""

    @property
    def conn_id(self) -> str | None:
        """Return the field ``conn_id``."""

    @property
    def conn_type(self) -> str | None:
        """Return the field ``conn_type``."""

    @property
    def host(self) -> str | None:
        """Return the field ``host``."""

    @property
    def schema(self) -> str | None:
        """Return the field ``schema``."""

    @property
    def port(self) -> int | None:
        """Return the field ``port``."""

    @property
    def password(self) -> str | None:
        """Return the field ``password``."""


@dataclass(frozen=True, slots=True)
class ConnectionFields:
    """The fields of a connection, without its password in the representation, as that of Airflow's own has."""

    conn_id: str | None
    conn_type: str | None
    host: str | Secret | None
    schema: str | None
    port: int | None
    password: Secret | None
    extra: Any

    @classmethod
    def read(cls, connection: ConnectionLike, extra: Any) -> ConnectionFields:
        """Read the fields of a connection.

        :param extra: its extra, decoded; a parameter of its own, since an event loop reads it differently.
        """
        return cls(
            connection.conn_id,
            connection.conn_type,
            conceal_url(connection.host),
            connection.schema,
            connection.port,
            Secret(connection.password) if connection.password else None,
            conceal_extra(extra),
        )


def _finite(value: Any) -> float | None:
    number = parse_number(value) if isinstance(value, str) else value
    if isinstance(number, bool) or not isinstance(number, (int, float)) or not abs(number) <= sys.float_info.max:
        return None
    return float(number)


def _number(name: str, value: Any) -> float:
    number = _finite(value)
    if number is None:
        raise _unreadable(name, "a number", value)
    return number


def _whole_number(name: str, value: Any) -> int:
    number = _finite(value)
    if number is None or not number.is_integer():
        raise _unreadable(name, "an integer", value)
    return int(number)


def _secret(name: str, value: Any) -> Secret:
    if not isinstance(value, Secret):
        raise _unreadable(name, "a string", None)
    return value


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise _unreadable(name, "a string", value)
    return value


def _verify(name: str, value: Any) -> bool | str:
    if isinstance(value, bool) or value in (0, 1):  # a URI's "0" is a number to some versions of Airflow
        return bool(value)
    word = _text(name, value).strip()
    return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}.get(word.lower(), word)


def _boolean(name: str, value: Any) -> bool:
    flag = _verify(name, value)
    if not isinstance(flag, bool):
        raise _unreadable(name, "true or false", value)
    return flag


def _unreadable(name: str, expected: str, value: Any) -> RingEventsConfigError:
    expected = f"{expected} in the connection's extra"
    if name in ("auth_scheme", "proxy"):  # a whole header holds the key, and a URL may hold a password
        return invalid_argument(name, expected)
    return invalid_argument(name, expected, value)


_READERS: Mapping[str, Callable[[str, Any], Any]] = {
    "organization_id": _text,
    "auth_scheme": _text,
    "timeout": _number,
    "request_timeout": _number,
    "transfer_timeout": _number,
    "max_attempts": _whole_number,
    "per_page": _whole_number,
    "concurrency": _whole_number,
    "rate_limit": _number,
    "verify": _verify,
    "proxy": _secret,
    "trust_count": _boolean,
    "allow_private_links": _boolean,
}
EXTRA_KEYS = tuple(_READERS)
"""The keys that the connection's extra may have."""

CONNECTION_TYPES = ("ringevents", "generic")
"""The types that a connection may have. The second is for Airflow web servers that do not have this package."""

_EMPTY_MEANS_SOMETHING = ("auth_scheme",)
_warned: set[tuple[str | None, str]] = set()


def conceal_extra(extra: Any) -> Any:
    """Return a connection's extra with the URL of its proxy, which may hold a password, as a secret."""
    return conceal_items(extra, SECRET_SETTINGS) if isinstance(extra, Mapping) else extra


def conceal_overrides(overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields of client settings with those that are or may hold a secret as secrets."""
    concealed = conceal_items(overrides, SECRET_SETTINGS | {"api_key"})
    return {name: conceal_url(value) if name == "base_url" else value for name, value in concealed.items()}


def read_extra(conn_id: str | None, extra: Any) -> dict[str, Any]:
    """Return the values of a connection's extra; numbers and booleans may be strings, as in a connection URI.

    An unknown key warns once per connection and process.

    :param extra: the decoded JSON.
    :raises RingEventsConfigError: it is no object, or a value cannot be read; the message names its key.
    """
    if extra is not None and not isinstance(extra, Mapping):
        raise invalid_argument("extra", f"a JSON object, not {type(extra).__name__}")
    # Rebound, so that a traceback from below holds no password of a proxy in a variable.
    extra = conceal_extra(extra)
    values = {}
    for name, value in (extra or {}).items():
        reader = _READERS.get(name)
        if reader is None:
            _warn_unknown(conn_id, name)
        elif value is not None and (value != "" or name in _EMPTY_MEANS_SOMETHING):
            values[name] = reader(name, value)
    return values


def base_url(connection: ConnectionLike | ConnectionFields) -> str | Secret:
    """Return the base URL: the host if it is a URL, else one built from schema, host and port.

    A host that may hold a password is returned as it is, for the settings to refuse.

    :raises RingEventsConfigError: the port or the schema is invalid.
    """
    port, schema = connection.port, (connection.schema or "").strip()
    if port is not None and (isinstance(port, bool) or not isinstance(port, int) or not 1 <= port <= 65535):
        raise invalid_argument("port", "a port from 1 to 65535, or empty", port)
    given = conceal_url(connection.host)
    if isinstance(given, Secret):
        return given
    host = (given or "").strip()
    if not host:
        return defaults.BASE_URL
    if "://" in host:
        scheme, _, rest = host.partition("://")
    else:
        scheme, rest = schema or "https", host
        if scheme.lower() not in ("https", "http"):
            raise invalid_argument("schema", "https, or http on loopback, or empty", schema)
    place, slash, path = rest.partition("/")
    if place.count(":") > 1 and not place.startswith("["):
        place = f"[{place}]"  # an IPv6 address, as a connection URI hands it on
    has_port = place.rpartition("]")[2].count(":") == 1
    if port is not None and not has_port:
        place = f"{place}:{port}"
    return f"{scheme}://{place}{slash}{path}"


def client_settings(connection: ConnectionFields, overrides: Mapping[str, Any]) -> ClientSettings:
    """Return the settings of a client.

    :param overrides: fields of :class:`~airflow_provider_ringevents.client.settings.ClientSettings` that win over
        the connection's.
    :raises RingEventsConfigError: a field is invalid; the message names the connection and the field.
    """
    try:
        _check_type(connection.conn_type)
        values: dict[str, Any] = {"base_url": base_url(connection), "api_key": connection.password or ""}
        values.update(read_extra(connection.conn_id, connection.extra))
        values.pop("organization_id", None)
        settings = ClientSettings(**{**values, **overrides})
    except RingEventsConfigError as error:
        raise RingEventsConfigError(
            f"connection {connection.conn_id!r}: {error}",
            parameter=error.parameter,
            expected=error.expected,
            got=error.got,
        ) from None
    if urlsplit(settings.base_url).hostname == defaults.LEGACY_HOST:
        _hint_at_legacy_host(connection.conn_id)
    return settings


def _hint_at_legacy_host(conn_id: str | None) -> None:
    if (conn_id, defaults.LEGACY_HOST) not in _warned:
        _warned.add((conn_id, defaults.LEGACY_HOST))
        log.warning(
            "Connection %r has the host %s, which is the API's former one; the present one is %s",
            conn_id,
            defaults.LEGACY_HOST,
            defaults.BASE_URL,
        )


def _check_type(conn_type: str | None) -> None:
    # The password of another service must not be sent to this one.
    if conn_type and conn_type not in CONNECTION_TYPES:
        allowed = " or ".join(map(repr, CONNECTION_TYPES))
        raise invalid_argument("conn_type", allowed, conn_type, hint="The password was not used.")


def _warn_unknown(conn_id: str | None, name: str) -> None:
    if (conn_id, name) in _warned:
        return
    _warned.add((conn_id, name))
    close = get_close_matches(name, EXTRA_KEYS, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"known are: {', '.join(EXTRA_KEYS)}"
    warnings.warn(f"connection {conn_id!r}: extra {name!r} is not known and has no effect; {hint}", stacklevel=2)
