"""Resources as they go into XCom, which everybody who can see the DAG can read."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from airflow_provider_ringevents.client.secrets import Secret, without_secrets
from airflow_provider_ringevents.client.transport.redaction import clean_text, hide_in

log = logging.getLogger(__name__)

MAX_FIELD_BYTES: Final = 64 * 1024
"""Bytes of one field as JSON: XCom is a column of Airflow's database."""
_MIN_LENGTH: Final = 8
"""Shorter secrets are hidden only where they are a whole value: a password such as 2027 would mangle times."""


def xcom_resource(resource: Mapping[str, Any], secrets: Sequence[Secret] = ()) -> dict[str, Any]:
    """Return a resource without passwords and API keys, whatever the service repeats and however it spells them.

    A field of more than :data:`MAX_FIELD_BYTES` is left out whole, and named under ``_omitted`` and in the log.

    :param secrets: the secrets of the request.
    """
    short = tuple(secret for secret in secrets if len(secret.reveal()) < _MIN_LENGTH)
    shown = {name: "***" if value in short else value for name, value in without_secrets(resource).items()}
    hidden: dict[str, Any] = hide_in(shown, tuple(secret for secret in secrets if secret not in short))
    return within_limit(hidden)


def within_limit(resource: Mapping[str, Any]) -> dict[str, Any]:
    """Return a resource without the fields that are too large for XCom, and their names under ``_omitted``."""
    encode = msgspec.json.Encoder(enc_hook=str).encode
    omitted = [name for name, value in resource.items() if len(encode(value)) > MAX_FIELD_BYTES]
    if not omitted:
        return dict(resource)
    names = [clean_text(name) for name in omitted]
    log.warning("Left out of the result, being larger than %d bytes: %s", MAX_FIELD_BYTES, ", ".join(names))
    return {**{name: value for name, value in resource.items() if name not in omitted}, "_omitted": names}
