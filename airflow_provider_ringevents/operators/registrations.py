"""Operators that change registrations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow.providers.common.compat.sdk import Context

from airflow_provider_ringevents.operators.arguments import Arguments
from airflow_provider_ringevents.operators.base import RingEventsBaseOperator, translate_errors


class RingEventsUpdateRegistrationOperator(RingEventsBaseOperator):
    """Set metadata of a registration, with ``PATCH /v1/registrations/{registrationId}``.

    The API does not document whether the service merges or replaces. ``merge=True`` reads the metadata and sends the
    union, which is correct in both cases but not atomic: a concurrent change by somebody else may be lost.

    :param registration_id: the id of the registration (templated).
    :param metadata: names and values, all of them strings (templated).
    :param merge: keep the metadata that is not named here; False: send ``metadata`` as given (templated).
    :param ringevents_conn_id: the Airflow connection (templated).
    :returns: ``id`` and ``metadata`` of the registration.
    :raises InvalidArgumentError: an argument is invalid; nothing was sent, and the task is not retried.
    :raises RingEventsError: the request failed.
    """

    template_fields: Sequence[str] = ("registration_id", "metadata", "merge", *RingEventsBaseOperator.template_fields)
    switches: Sequence[str] = ("merge",)

    def __init__(self, *, registration_id: str, metadata: Mapping[str, str], merge: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.registration_id = registration_id
        self.metadata = metadata
        self.merge = merge
        self.validate_literals()

    def check_arguments(self, arguments: Arguments) -> None:
        """Check the arguments, as far as they are known."""
        arguments.identifier("registration_id")
        arguments.require("metadata")
        arguments.request("update_registration", {"metadata": self.metadata})

    @translate_errors()
    def execute(self, context: Context) -> dict[str, Any]:
        """Set the metadata, and return the id and the metadata of the registration."""
        self.validate_rendered()
        with self.hook as hook:
            metadata = dict(self.metadata)
            if self.merge:
                existing = hook.get_registration(self.registration_id).get("metadata") or {}
                metadata = {**existing, **metadata}
            updated = hook.update_registration(self.registration_id, metadata)
        self.log.info("Set %s of registration %s", ", ".join(self.metadata), self.registration_id)
        return {"id": updated.get("id", self.registration_id), "metadata": updated.get("metadata", metadata)}
