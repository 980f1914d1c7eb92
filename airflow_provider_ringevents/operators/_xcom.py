"""Resources as they go into XCom, which everybody who can see the DAG can read."""

from __future__ import annotations

import functools
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final, get_args, get_type_hints, is_typeddict

import msgspec

from airflow_provider_ringevents.client.secrets import RESPONSE_SECRETS, Secret
from airflow_provider_ringevents.client.transport.redaction import clean_text, hide_in

log = logging.getLogger(__name__)

MAX_FIELD_BYTES: Final = 64 * 1024
"""Bytes of one field as JSON: XCom is a column of Airflow's database."""
_MIN_LENGTH: Final = 8
"""Shorter secrets are hidden only where they are a whole value: a password such as 2027 would mangle times."""


def xcom_resource(
    resource: Mapping[str, Any],
    documented: type,
    *,
    secrets: Sequence[Secret] = (),
    with_credentials: bool = False,
) -> dict[str, Any]:
    """Return the documented fields of a resource, without passwords, API keys, and links that admit their holder.

    A field of more than :data:`MAX_FIELD_BYTES` is left out whole, and named under ``_omitted`` and in the log.

    :param documented: the resource as the API documents it, such as :class:`~..client.types.Event`.
    :param secrets: the secrets of the request, which the service may repeat in any field and spelling.
    :param with_credentials: keep links that admit their holder to an event.
    """
    withheld = frozenset() if with_credentials else RESPONSE_SECRETS
    fields: dict[str, Any] = _documented(resource, documented)
    short = tuple(secret for secret in secrets if len(secret.reveal()) < _MIN_LENGTH)
    shown = {name: "***" if value in short else value for name, value in fields.items() if name not in withheld}
    return within_limit(hide_in(shown, tuple(secret for secret in secrets if secret not in short)))


def within_limit(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields without those that are too large for XCom, and the names of these under ``_omitted``."""
    encode = msgspec.json.Encoder(enc_hook=str).encode
    omitted = [name for name, value in fields.items() if len(encode(value)) > MAX_FIELD_BYTES]
    if not omitted:
        return dict(fields)
    names = [clean_text(name) for name in omitted]
    log.warning("Left out of the result, being larger than %d bytes: %s", MAX_FIELD_BYTES, ", ".join(names))
    return {**{name: value for name, value in fields.items() if name not in omitted}, "_omitted": names}


def _documented(value: Any, annotation: Any) -> Any:
    """Return a value without the fields that its type does not have, at any depth."""
    if isinstance(value, Mapping) and (resource := _typed_dict_in(annotation)) is not None:
        types = _types_of_fields(resource)
        return {name: _documented(item, types[name]) for name, item in value.items() if name in types}
    if isinstance(value, list):
        return [_documented(item, annotation) for item in value]
    return value


@functools.cache
def _types_of_fields(resource: type) -> dict[str, Any]:
    return get_type_hints(resource)


def _typed_dict_in(annotation: Any) -> type | None:
    """Return the typed dict in an annotation such as ``list[Option] | None``; None if there is none."""
    if is_typeddict(annotation):
        found: type = annotation
        return found
    return next(filter(None, map(_typed_dict_in, get_args(annotation))), None)
