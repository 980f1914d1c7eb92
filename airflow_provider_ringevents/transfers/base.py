"""What the transfers share: arguments, results, what they leave behind. Cheap to import: DAGs are parsed often."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, get_args

from airflow.providers.common.compat.sdk import Context

from airflow_provider_ringevents.links import ObjectLink
from airflow_provider_ringevents.operators.base import RingEventsBaseOperator

IfExists = Literal["overwrite", "skip", "fail"]


def check_target(known: Callable[[Any], bool], destination: Any, if_exists: Any) -> None:
    """Refuse a destination that cannot be, as far as it is known, or an unknown ``if_exists``.

    :raises RingEventsConfigError: the message names the argument, its value and what is allowed.
    """
    from airflow_provider_ringevents.client.types import check_choice
    from airflow_provider_ringevents.storage.uris import check_destination

    check_choice("if_exists", if_exists, get_args(IfExists), closed=True)
    if known(destination):
        check_destination(destination)


def manifest(
    published: Mapping[str, Any],
    *,
    report_id: str | None,
    event_id: str | None,
    report_type: str | None,
    title: str | None,
) -> dict[str, Any]:
    """What a transfer returns: what was published, and what it is."""
    return {
        **published,
        "report_id": report_id,
        "event_id": event_id,
        "report_type": report_type,
        "title": title,
    }


class RingEventsBaseExportOperator(RingEventsBaseOperator):
    """Base of the operators that write objects."""

    operator_extra_links = (ObjectLink(),)
    object_is_known = True

    def pre_execute(self, context: Any) -> None:
        """Airflow calls it before each worker session."""
        super().pre_execute(context)
        self.object_is_known = False

    def tell(self, context: Context, manifests: Sequence[Mapping[str, Any]], **more: Any) -> None:
        """Tell the link, and the assets in ``outlets``, what was published.

        :param more: as of :func:`~airflow_provider_ringevents.transfers.outlets.tell_outlets`.
        """
        from airflow_provider_ringevents.transfers.outlets import tell_outlets

        if manifests:
            ObjectLink.keep(context, manifests[0]["uri"])
        tell_outlets(context, self.outlets, manifests, **more)
