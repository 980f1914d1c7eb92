"""Changing registrations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from airflow.providers.common.compat.sdk import Context

from airflow_provider_ringevents.client.validation.identifiers import validate_identifier
from airflow_provider_ringevents.operators.base import (
    RingEventsBaseOperator,
    is_known,
    is_literal,
    reject_invalid_arguments,
    require,
    translate_errors_decorator,
)


class RingEventsUpdateRegistrationOperator(RingEventsBaseOperator):
    """Sets metadata of a registration. ``PATCH /v1/registrations/{registrationId}``

    Whether the service merges or replaces is not documented. ``merge=True`` reads what is there and sends the union,
    which is right either way, though not atomic: what somebody else sets in between may be lost.

    :param registration_id: the registration (templated).
    :param metadata: names and values, all strings (templated).
    :param merge: keep what is there and not named here; False: send ``metadata`` as given.
    :param ringevents_conn_id: the Airflow connection (templated).
    :returns: ``id`` and ``metadata`` of the registration.
    """

    template_fields: Sequence[str] = ("registration_id", "metadata", *RingEventsBaseOperator.template_fields)

    def __init__(self, *, registration_id: str, metadata: Mapping[str, str], merge: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.registration_id = registration_id
        self.metadata = metadata
        self.merge = merge
        self._check(is_literal)

    @reject_invalid_arguments
    def _check(self, known: Callable[[Any], bool]) -> None:
        from airflow_provider_ringevents.client.validation.requests import validate_request

        if known(self.registration_id):
            validate_identifier("registration_id", self.registration_id)
        require(metadata=self.metadata)
        validate_request("update_registration", {"metadata": self.metadata}, known=known)

    @translate_errors_decorator
    def execute(self, context: Context) -> dict[str, Any]:
        """Set the metadata."""
        self._check(is_known)
        with self.hook as hook:
            metadata = dict(self.metadata)
            if self.merge:
                there = hook.get_registration(self.registration_id).get("metadata") or {}
                metadata = {**there, **metadata}
            changed = hook.update_registration(self.registration_id, metadata)
        self.log.info("Set %s of registration %s", ", ".join(self.metadata), self.registration_id)
        return {"id": changed.get("id", self.registration_id), "metadata": changed.get("metadata", metadata)}
