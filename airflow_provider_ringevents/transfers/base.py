"""What the transfers share: arguments, results, what they leave behind. Cheap to import: DAGs are parsed often."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

from airflow.providers.common.compat.sdk import Context

from airflow_provider_ringevents.observability.links import ObjectLink
from airflow_provider_ringevents.operators.base import RingEventsBaseOperator

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

    from airflow_provider_ringevents.hooks.ringevents import RingEventsHook
    from airflow_provider_ringevents.observability.lineage import ExportRecord
    from airflow_provider_ringevents.storage import Destination

IfExists = Literal["overwrite", "skip", "fail"]


def validate_target(known: Callable[[Any], bool], destination: Any, if_exists: Any) -> None:
    """Refuse a destination that cannot be, as far as it is known, or an unknown ``if_exists``.

    :raises RingEventsConfigError: the message names the argument, its value and what is allowed.
    """
    from airflow_provider_ringevents.client.types import validate_choice
    from airflow_provider_ringevents.storage import check_destination

    validate_choice("if_exists", if_exists, get_args(IfExists), closed=True)
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
    has_object_link = True
    exported: tuple[ExportRecord, ...] = ()

    def pre_execute(self, context: Any) -> None:
        """Airflow calls it before each worker session."""
        super().pre_execute(context)
        self.has_object_link = False
        self.exported = ()

    def record_lineage(
        self, hook: RingEventsHook, path: str, published: Mapping[str, Any], destination: Destination
    ) -> None:
        """Keep what one object was made of. What was skipped is nothing that this run has read or written.

        :param path: what was read, as the API's quoted path.
        """
        from airflow_provider_ringevents.observability.lineage import ExportRecord

        if not published.get("skipped"):
            one = ExportRecord(
                base_url=hook.base_url,
                path=path,
                uri=published["uri"],
                account=destination.account,
                size=published["bytes"],
                rows=published.get("rows"),
            )
            self.exported = (*self.exported, one)

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any]:
        """What the task has read and written; the OpenLineage provider asks, also when the task has failed."""
        from airflow_provider_ringevents.observability.lineage import operator_lineage

        return operator_lineage(self.exported)

    def publish_outcome(self, context: Context, manifests: Sequence[Mapping[str, Any]], **more: Any) -> None:
        """Tell the link, and the assets in ``outlets``, what was published.

        :param more: as of :func:`~airflow_provider_ringevents.transfers._asset_events.emit_asset_events`.
        """
        from airflow_provider_ringevents.transfers._asset_events import emit_asset_events

        if manifests:
            ObjectLink.persist(context, manifests[0]["uri"])
        emit_asset_events(context, self.outlets, manifests, **more)
