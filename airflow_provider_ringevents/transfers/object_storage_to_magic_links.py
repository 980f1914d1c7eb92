"""Magic links for the people in a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_ringevents.operators.arguments import Arguments
from airflow_provider_ringevents.transfers._bulk_operator import RingEventsBaseBulkLoadOperator

if TYPE_CHECKING:
    from airflow_provider_ringevents.bulk.targets import Target
    from airflow_provider_ringevents.storage import IfExists


class RingEventsObjectStorageToMagicLinksOperator(RingEventsBaseBulkLoadOperator):
    """Create a magic link of a ticket for each person in a file.

    The request is ``POST /v1/tickets/{ticketId}/magicLinks``. Each row is checked before anything is sent; people who
    have a link keep it, and each of the others gets one. The results have the status of each row. Rows are data and
    are never rendered as templates.

    :param ticket_id: the id of the ticket (templated).
    :param source: the file as a URI of object storage: ``.csv`` with a header, ``.jsonl`` or ``.parquet``, the first
        two also with ``.gz`` (templated).
    :param results: the URI of the file of results, in any of these formats (templated).
    :param columns: the column of the source for each attribute of the API, such as ``{"email": "E-Mail",
        "metadata.crm_id": "Id", "extraFields.Company": "Company"}``; default: the columns are named like the
        attributes (templated).
    :param identity: the attribute that identifies a person: ``email``, or ``registrationId`` where several people
        share an address (templated).
    :param format: ``csv``, ``jsonl`` or ``parquet``; default: by the suffix of the source (templated).
    :param delimiter: the character between the cells of CSV (templated).
    :param encoding: the encoding of CSV and JSON Lines (templated).
    :param on_invalid: ``fail``: send nothing if any row is invalid; ``skip``: send the others (templated).
    :param max_failures: the number of failed rows above which the task fails (templated).
    :param failed_rows: the URI of a file for the failed rows, in the form of the source, to be loaded again
        (templated).
    :param delete_missing: delete the links of people who are not in the source (templated).
    :param max_deletions: the most links that may be deleted; if there are more, the task fails before it sends
        anything (templated).
    :param concurrency: requests in flight, 1 to 16; default: the connection's (templated).
    :param dry_run: send nothing, and write into the results what would happen to each row (templated).
    :param include_links: write the links into the results (templated).
    :param settle_timeout: seconds after the last request of an earlier try before this one treats a person without a
        link as missing (templated).
    :param if_exists: ``overwrite``, ``skip`` (send nothing, ``skipped`` in the result) or ``fail``, if there are
        results already (templated). Results of a dry run, and those with rows that were not sent, are replaced.
    :param allow_undocumented: accept attributes that the API does not document (templated).
    :param source_conn_id: the connection of the source's storage, instead of ``conn@`` (templated).
    :param results_conn_id: the connection of the storage of ``results`` and ``failed_rows`` (templated).
    :param object_options: headers of the results: encryption, storage class, ... (templated).
    :param ringevents_conn_id: the Airflow connection (templated).
    :returns: ``uri``, ``bytes``, ``sha256`` and ``content_type`` of the results, ``source``, ``ticket_id``, ``rows``,
        ``counts`` by status, ``failures`` by reason, ``failed_rows``, ``dry_run`` and ``seconds``.
    :raises InvalidArgumentError: an argument is invalid; nothing was sent, and the task is not retried.
    :raises RingEventsError: nothing was sent, or too many rows failed. The task is not retried if all of the failed
        rows were refused.
    """

    template_fields: Sequence[str] = (
        "ticket_id",
        "delete_missing",
        "max_deletions",
        "include_links",
        *RingEventsBaseBulkLoadOperator.template_fields,
    )
    switches: Sequence[str] = ("delete_missing", "include_links", *RingEventsBaseBulkLoadOperator.switches)
    load_arguments: Sequence[str] = (
        "delete_missing",
        "max_deletions",
        "include_links",
        *RingEventsBaseBulkLoadOperator.load_arguments,
    )
    result_arguments: Sequence[str] = ("ticket_id",)

    def __init__(
        self,
        *,
        ticket_id: str,
        source: str,
        results: str,
        columns: Mapping[str, str] | None = None,
        identity: Literal["email", "registrationId"] = "email",
        format: str | None = None,
        delimiter: str = ",",
        encoding: str = "utf-8",
        on_invalid: Literal["fail", "skip"] = "fail",
        max_failures: int = 0,
        failed_rows: str | None = None,
        delete_missing: bool = False,
        max_deletions: int = 0,
        concurrency: int | None = None,
        dry_run: bool = False,
        include_links: bool = True,
        settle_timeout: float = 60,
        if_exists: IfExists = "overwrite",
        allow_undocumented: bool = False,
        source_conn_id: str | None = None,
        results_conn_id: str | None = None,
        object_options: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            source=source,
            results=results,
            columns=columns,
            identity=identity,
            format=format,
            delimiter=delimiter,
            encoding=encoding,
            on_invalid=on_invalid,
            max_failures=max_failures,
            failed_rows=failed_rows,
            concurrency=concurrency,
            dry_run=dry_run,
            settle_timeout=settle_timeout,
            if_exists=if_exists,
            allow_undocumented=allow_undocumented,
            source_conn_id=source_conn_id,
            results_conn_id=results_conn_id,
            object_options=object_options,
            **kwargs,
        )
        self.ticket_id = ticket_id
        self.delete_missing = delete_missing
        self.max_deletions = max_deletions
        self.include_links = include_links
        self.validate_literals()

    def check_arguments(self, arguments: Arguments) -> None:
        """Check the arguments, as far as they are known."""
        arguments.identifier("ticket_id")
        arguments.number_within("max_deletions", 0, 2**31, integer=True)
        super().check_arguments(arguments)

    def make_target(self) -> Target:
        """Return the creation of magic links."""
        from airflow_provider_ringevents.bulk.targets import MagicLinkTarget

        return MagicLinkTarget(
            self.ticket_id,
            identity="registrationId" if self.identity == "registrationId" else "email",
            allow_undocumented=bool(self.allow_undocumented),
        )
