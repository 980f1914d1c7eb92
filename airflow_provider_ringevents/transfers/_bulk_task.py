"""The work of the operators that write the rows of a file: the checks of their arguments, and one run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, get_args

from airflow_provider_ringevents._compat import task_state_store
from airflow_provider_ringevents.bulk.text_options import validate_delimiter, validate_encoding
from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.observability.lineage import LoadRecord
from airflow_provider_ringevents.observability.links import ObjectLink
from airflow_provider_ringevents.operators.arguments import Arguments
from airflow_provider_ringevents.state.send_journal import SendJournal
from airflow_provider_ringevents.storage import IfExists
from airflow_provider_ringevents.transfers._asset_events import emit_asset_events
from airflow_provider_ringevents.transfers._bulk_load import BulkLoad, check_files, load_rows

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_ringevents.transfers._bulk_operator import RingEventsBaseBulkLoadOperator

_FILE_ARGUMENTS: Final = (
    "source",
    "results",
    "failed_rows",
    "format",
    "source_conn_id",
    "results_conn_id",
    "object_options",
)
_MAX_FAILURES: Final = 2**31
_MAX_SETTLE_TIMEOUT: Final = 86_400


def check_load_arguments(arguments: Arguments, operator: RingEventsBaseBulkLoadOperator) -> None:
    """Check the arguments that all bulk loads have, as far as they are known."""
    arguments.choice("identity", ("email", "registrationId"))
    arguments.choice("on_invalid", ("fail", "skip"))
    arguments.choice("if_exists", get_args(IfExists))
    arguments.number_within("max_failures", 0, _MAX_FAILURES, integer=True)
    arguments.number_within("settle_timeout", 0, _MAX_SETTLE_TIMEOUT)
    if arguments["concurrency"] is not None:
        arguments.number_within("concurrency", 1, defaults.MAX_CONCURRENCY, integer=True)
    for name, validate in (("delimiter", validate_delimiter), ("encoding", validate_encoding)):
        if arguments.knows(name):
            with arguments.gather():
                validate(arguments[name])
    _check_files(arguments)
    columns = arguments["columns"]
    if columns is not None and arguments.knows("columns", *operator.target_arguments):
        if isinstance(columns, Mapping):
            with arguments.gather():
                _load(operator).mapping(operator.make_target())
        else:
            arguments.refuse("columns", "a mapping of attributes to columns", columns)


def _check_files(arguments: Arguments) -> None:
    arguments.connection("source_conn_id", required=False)
    arguments.connection("results_conn_id", required=False)
    for name in ("source", "results", "failed_rows"):
        value = arguments[name]
        if not arguments.is_known(value) or (value is None and name == "failed_rows"):
            continue
        if not isinstance(value, str) or not value.strip():
            arguments.refuse(name, "the URI of an object", value)
            return
        if not arguments.path(name):
            return
    if arguments.knows(*_FILE_ARGUMENTS):
        with arguments.gather():
            check_files(BulkLoad(**{name: arguments[name] for name in _FILE_ARGUMENTS}))


def run_load(operator: RingEventsBaseBulkLoadOperator, context: Context) -> dict[str, Any]:
    """Write the rows, and return the manifest.

    :raises RingEventsError: rows were refused, or too many failed.
    """
    target = operator.make_target()
    journal = SendJournal(task_state_store(context), context["ti"].try_number)
    with operator.hook as hook:
        outcome = load_rows(hook.client, target, _load(operator), journal=journal)
        base_url = hook.base_url
    manifest = {**outcome.manifest, **{name: getattr(operator, name) for name in operator.result_arguments}}
    ObjectLink.persist(context, manifest["uri"])
    if not manifest.get("skipped"):
        operator.loaded = LoadRecord(
            base_url=base_url,
            path=target.list_call().path,
            rows=outcome.written,
            source=manifest["source"],
            source_account=outcome.source_account,
            results=manifest["uri"],
            results_account=outcome.results_account,
            results_size=manifest["bytes"],
            results_rows=manifest["rows"],
        )
    if outcome.error is not None:
        raise outcome.error
    emit_asset_events(context, operator.outlets, [manifest])
    return manifest


def _load(operator: RingEventsBaseBulkLoadOperator) -> BulkLoad:
    names = operator.renamed_arguments
    return BulkLoad(**{names.get(name, name): getattr(operator, name) for name in operator.load_arguments})
