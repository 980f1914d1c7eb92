"""The shared part of the transfers: arguments, results, asset events, lineage. Cheap to import at parse time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, get_args

from airflow.providers.common.compat.sdk import Context

from airflow_provider_ringevents import storage
from airflow_provider_ringevents.client.transport.redaction import clean_text
from airflow_provider_ringevents.observability.links import LinkStateMixin, ObjectLink
from airflow_provider_ringevents.operators.arguments import Arguments
from airflow_provider_ringevents.operators.base import RingEventsBaseOperator
from airflow_provider_ringevents.transfers._asset_events import emit_asset_events

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

    from airflow_provider_ringevents.hooks.ringevents import RingEventsHook
    from airflow_provider_ringevents.observability.lineage import ExportRecord


def check_destination(arguments: Arguments) -> bool:
    """Check ``destination``, ``object_storage_conn_id``, ``object_options`` and ``if_exists``.

    :returns: True if the destination is known and a text, so that its suffix can be checked.
    """
    arguments.choice("if_exists", get_args(storage.IfExists))
    arguments.connection("object_storage_conn_id", required=False)
    destination, conn_id, options = (
        arguments[name] for name in ("destination", "object_storage_conn_id", "object_options")
    )
    if not arguments.is_known(destination) or not arguments.path("destination"):
        return False
    with arguments.gather("destination"):
        storage.Destination.parse(
            destination,
            conn_id if arguments.is_known(conn_id) else None,
            options=options if arguments.is_known(options) else None,
        )
    return isinstance(destination, str)


def manifest(
    published: Mapping[str, Any],
    *,
    report_id: str | None = None,
    event_id: str | None = None,
    report_type: str | None = None,
    title: str | None = None,
) -> dict[str, Any]:
    """Return the result of a report transfer: the published object and the report in it."""
    return {
        **published,
        "report_id": report_id,
        "event_id": event_id,
        "report_type": report_type,
        "title": clean_text(title) if isinstance(title, str) else None,
    }


class RingEventsBaseExportOperator(LinkStateMixin, RingEventsBaseOperator):
    """Base class of the operators that write objects; each of them describes the arguments."""

    template_fields: Sequence[str] = (
        "destination",
        "object_storage_conn_id",
        "object_options",
        "if_exists",
        *RingEventsBaseOperator.template_fields,
    )
    operator_extra_links = (ObjectLink(),)
    exported: tuple[ExportRecord, ...] = ()

    def __init__(
        self,
        *,
        destination: str,
        object_storage_conn_id: str | None = None,
        if_exists: storage.IfExists = "overwrite",
        object_options: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.destination = destination
        self.object_storage_conn_id = object_storage_conn_id
        self.if_exists = if_exists
        self.object_options = object_options

    def pre_execute(self, context: Any) -> None:
        """Forget the objects of an earlier try; called by Airflow before each worker session."""
        super().pre_execute(context)
        self.exported = ()

    def connect_destination(self, uri: str | None = None) -> storage.Destination:
        """Return the destination, ready for use.

        :param uri: the URI to use in place of the argument.
        """
        uri = self.destination if uri is None else uri
        return storage.Destination.parse(uri, self.object_storage_conn_id, options=self.object_options).connect()

    def record_lineage(
        self, hook: RingEventsHook, path: str, published: Mapping[str, Any], destination: storage.Destination
    ) -> None:
        """Record the source of one object; a skipped object was neither read nor written.

        :param path: the quoted path of the API that was read.
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
        """Return the datasets that the task read and wrote; called by OpenLineage, also after a failure."""
        from airflow_provider_ringevents.observability.lineage import operator_lineage

        return operator_lineage(self.exported)

    def publish_outcome(self, context: Context, manifests: Sequence[Mapping[str, Any]], **more: Any) -> None:
        """Report the published objects to the link and to the assets in ``outlets``.

        :param more: arguments of :func:`~airflow_provider_ringevents.transfers._asset_events.emit_asset_events`.
        """
        if manifests:
            ObjectLink.persist(context, manifests[0]["uri"])
        emit_asset_events(context, self.outlets, manifests, **more)
