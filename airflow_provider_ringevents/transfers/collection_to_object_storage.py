"""Whole lists into object storage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import Context

from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.operators.arguments import Arguments
from airflow_provider_ringevents.operators.base import translate_errors
from airflow_provider_ringevents.transfers.base import RingEventsBaseExportOperator

if TYPE_CHECKING:
    from airflow_provider_ringevents.client.types import OnIncomplete
    from airflow_provider_ringevents.storage import IfExists


class RingEventsCollectionToObjectStorageOperator(RingEventsBaseExportOperator):
    """Read a whole list and publish it in object storage as one file, complete or not at all.

    Any list of the API: ``GET /v1/organizations``, ``GET /v1/events/{eventId}/registrations``, ... Pages are read
    several at a time and written in order, in constant memory; a row that comes twice is written once.

    :param collection: ``registrations``, ``events``, ``booth_tags``, ...: the end of the hook's ``list_*`` methods
        (templated).
    :param destination: the URI of the object (``s3://``, ``gs://``, ``abfs://``, ``file://``, ...), with
        ``conn@`` before the bucket if it needs a connection; ``{parent_id}`` in it is replaced; ending in ``/``, the
        file is called ``<collection>-<parent id>`` and after the format (templated).
    :param parent_id: the id of the parent of the list: an event for most, an organization for events and templates
        (default: the connection's), a ticket, booth or schedule item for theirs (templated).
    :param parent_ids: several ids, read one after the other into one object each; one id is a list of one (templated).
    :param filter: conditions that the API documents for the list, for example ``{"email": {"in": [...]}}`` (templated).
    :param format: ``jsonl``, ``csv`` or ``parquet``; default: by the destination's suffix, else ``jsonl``. A suffix
        ``.gz`` compresses the first two (templated).
    :param window_field: export only rows with this time within a window: ``updatedAt``, ``createdAt``,
        ``userUpdatedAt`` (templated).
    :param window: start and end of the window, the end excluded; default: the run's data interval (templated).
    :param watermark: the window goes from the end of the last run (at first: from the beginning) to just before now.
        The watermark is kept in the asset state store of the one asset in ``outlets``. Airflow 3.3 and later
        (templated).
    :param watermark_delay: seconds before now at which such a window ends: for clocks that differ.
    :param concurrency: pages in flight, 1 to 16; default: the connection's, 4.
    :param on_incomplete: the list is read again, twice at most, while rows are missing. If some are missing still,
        ``fail`` publishes nothing, and ``warn`` publishes the rows that came, with ``complete: false`` in the manifest;
        a watermark then does not move (templated).
    :param strict: fail, and publish nothing, when the list has changed during the last reading (templated).
    :param include_credentials: export the fields that admit their holder to the event: magic links, QR codes
        (templated).
    :param escape_formulas: CSV only: put an apostrophe before text that a spreadsheet would take for a formula
        (templated).
    :param if_exists: ``overwrite``, ``skip`` (success, ``skipped`` in the result) or ``fail`` (templated).
    :param object_storage_conn_id: the connection of the storage, instead of ``conn@`` (templated).
    :param object_options: headers of the object, such as ``{"StorageClass": "STANDARD_IA"}`` on S3 (templated).
    :param partition_key: the partition of the asset in ``outlets`` that this export is. Only DAGs that are scheduled by
        partitions start on such an event. Airflow 3.3 and later (templated).
    :param ringevents_conn_id: the Airflow connection (templated).
    :returns: the manifest: ``uri`` (without ``conn@``), ``bytes``, ``sha256``, ``content_type``, ``collection``,
        ``parent_id``, ``rows``, ``count`` and ``count_stable`` (what the service counted, and whether it agrees),
        ``duplicates_dropped`` (within one reading), ``pages``, ``readings`` (how often the list was read),
        ``complete``, ``seconds``, ``window``; with ``parent_ids`` a list of them.
    :raises RingEventsTransferError: the list could not be read, or written, whole.
    """

    template_fields: Sequence[str] = (
        "collection",
        "parent_id",
        "parent_ids",
        "filter",
        "format",
        "window_field",
        "window",
        "on_incomplete",
        "partition_key",
        "watermark",
        "strict",
        "include_credentials",
        "escape_formulas",
        *RingEventsBaseExportOperator.template_fields,
    )
    switches: Sequence[str] = ("watermark", "strict", "include_credentials", "escape_formulas")

    def __init__(
        self,
        *,
        collection: str,
        destination: str,
        parent_id: str | None = None,
        parent_ids: Sequence[str] | None = None,
        filter: Mapping[str, Any] | None = None,
        format: str | None = None,
        window_field: str | None = None,
        window: Sequence[Any] | None = None,
        watermark: bool = False,
        watermark_delay: float = defaults.WATERMARK_DELAY,
        concurrency: int | None = None,
        on_incomplete: OnIncomplete = "fail",
        strict: bool = False,
        include_credentials: bool = False,
        escape_formulas: bool = False,
        partition_key: str | None = None,
        object_storage_conn_id: str | None = None,
        if_exists: IfExists = "overwrite",
        object_options: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            destination=destination,
            object_storage_conn_id=object_storage_conn_id,
            if_exists=if_exists,
            object_options=object_options,
            **kwargs,
        )
        self.collection = collection
        self.parent_id = parent_id
        self.parent_ids = parent_ids
        self.filter = filter
        self.format = format
        self.window_field = window_field
        self.window = window
        self.watermark = watermark
        self.watermark_delay = watermark_delay
        self.concurrency = concurrency
        self.on_incomplete = on_incomplete
        self.strict = strict
        self.include_credentials = include_credentials
        self.escape_formulas = escape_formulas
        self.partition_key = partition_key
        self.validate_literals()

    def check_arguments(self, arguments: Arguments) -> None:
        """Check the arguments, as far as they are known."""
        # Imports the formats and the lists of the API, which a DAG without such exports does not pay for.
        from airflow_provider_ringevents.transfers._collection_validation import check_collection_arguments

        check_collection_arguments(arguments, self.outlets)

    @translate_errors()
    def execute(self, context: Context) -> dict[str, Any] | list[dict[str, Any]]:
        """Read the lists, publish them, and emit the asset events."""
        from airflow_provider_ringevents.transfers._collection_export import export_lists

        self.validate_rendered()
        manifests = export_lists(self, context)
        return manifests if self.parent_ids is not None else manifests[0]
