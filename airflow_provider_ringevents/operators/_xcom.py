"""Resources as they go into XCom, which everybody who can see the DAG can read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from airflow_provider_ringevents.client.secrets import Secret, without_secrets
from airflow_provider_ringevents.client.transport.redaction import hide_in

_MIN_LENGTH: Final = 8
"""Shorter secrets are hidden only where they are a whole value: a password such as 2027 would mangle times."""


def xcom_resource(resource: Mapping[str, Any], secrets: Sequence[Secret] = ()) -> dict[str, Any]:
    """Return a resource without passwords and API keys, whatever the service repeats and however it spells them.

    :param secrets: the secrets of the request.
    """
    short = tuple(secret for secret in secrets if len(secret.reveal()) < _MIN_LENGTH)
    shown = {name: "***" if value in short else value for name, value in without_secrets(resource).items()}
    hidden: dict[str, Any] = hide_in(shown, tuple(secret for secret in secrets if secret not in short))
    return hidden
