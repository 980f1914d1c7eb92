"""Values that must not be shown: API keys, passwords and signed links."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from airflow_provider_ringevents.contract.overlay import CREDENTIAL_FIELDS, SECRET_ATTRIBUTES

RESPONSE_SECRETS: Final = CREDENTIAL_FIELDS | {"url"}
"""Attributes of responses that admit their holder to an event or a file."""

_URL_SECRETS: Final = frozenset("@?#")
"""Characters that begin the parts of a URL in which a secret may stand."""


class Secret:
    """A text whose representation does not show it, so that no traceback with its local variables does.

    Tools that record the variables of a failed call, such as Sentry, keep the representation of an object. It compares
    with its plain text, too.

    :param value: the text, or a secret, whose text is taken.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str | Secret) -> None:
        self._value: str = value.reveal() if isinstance(value, Secret) else value

    def reveal(self) -> str:
        """Return the text; use it in the expression that needs it, and keep it in no variable."""
        return self._value

    def __repr__(self) -> str:
        return "Secret('***')"

    def __str__(self) -> str:
        return "***"

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return self._value == (other._value if isinstance(other, Secret) else other)

    def __hash__(self) -> int:
        return hash(self._value)


def conceal(value: Any) -> Any:
    """Return a non-empty string as a secret, and anything else as it is."""
    return Secret(value) if isinstance(value, str) and value else value


def conceal_url(value: Any) -> Any:
    """Return a base URL as a secret where it may hold a user, a password or a token, and anything else as it is.

    Such a URL is refused, but the variables of the failed call would show it.
    """
    return Secret(value) if isinstance(value, str) and not _URL_SECRETS.isdisjoint(value) else value


def conceal_items(values: Mapping[str, Any], names: frozenset[str]) -> dict[str, Any]:
    """Return a copy of a mapping whose strings under some names are secrets."""
    return {name: conceal(value) if name in names else value for name, value in values.items()}


def conceal_attributes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes of a request with its password as a secret.

    What is no mapping is returned as it is, for the validation of the request to refuse.
    """
    return conceal_items(attributes, SECRET_ATTRIBUTES) if isinstance(attributes, Mapping) else attributes


def conceal_credentials(resource: Mapping[str, Any]) -> dict[str, Any]:
    """Return a resource of a response whose links and passwords are secrets."""
    return conceal_items(resource, RESPONSE_SECRETS)


def conceal_response(envelope: dict[str, Any]) -> dict[str, Any]:
    """Make the credentials and the signed link in a response with one resource secrets, and return it."""
    data = envelope.get("data")
    if isinstance(data, dict):
        envelope["data"] = data = conceal_credentials(data)
        if isinstance(attributes := data.get("attributes"), dict):
            data["attributes"] = conceal_credentials(attributes)
    return envelope


def without_secrets(resource: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of a resource without the attributes that are secret in requests, such as a password."""
    return {name: value for name, value in resource.items() if name not in SECRET_ATTRIBUTES}


def reveal_all(value: Any) -> Any:
    """Return a copy of a JSON value with the texts of its secrets."""
    if isinstance(value, Secret):
        return value.reveal()
    if isinstance(value, Mapping):
        return {name: reveal_all(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [reveal_all(item) for item in value]
    return value
