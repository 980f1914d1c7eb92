"""The commands that export: the operators' transfers, with a progress bar."""

from __future__ import annotations

import argparse
import logging
from typing import Any

from airflow_provider_ringevents import clock
from airflow_provider_ringevents.cli.hook import CliHook
from airflow_provider_ringevents.cli.output import print_record
from airflow_provider_ringevents.cli.parsing import (
    parse_filters,
    parse_key_values,
    parse_object_options,
    resolve_destination,
)
from airflow_provider_ringevents.cli.progress import ProgressBar
from airflow_provider_ringevents.cli.runner import ExitCode, command, print_hint
from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.endpoints import create_report
from airflow_provider_ringevents.client.errors import invalid_argument
from airflow_provider_ringevents.client.validation.identifiers import validate_identifier
from airflow_provider_ringevents.exports.catalog import Collection, collection_named
from airflow_provider_ringevents.exports.formats.file_format import FileFormat
from airflow_provider_ringevents.polling.reports import ReportWaiter
from airflow_provider_ringevents.polling.waiter import wait_until_done
from airflow_provider_ringevents.storage import Destination, identifier_file_name
from airflow_provider_ringevents.transfers._report_name import validate_report_suffix
from airflow_provider_ringevents.transfers.base import manifest
from airflow_provider_ringevents.transfers.collection_upload import CollectionExport, upload_collection
from airflow_provider_ringevents.transfers.report_upload import upload_report

log = logging.getLogger(__name__)


@command
def export_report(args: argparse.Namespace) -> ExitCode:
    """Run ``ringevents export-report EVENT_ID REPORT_TYPE DESTINATION``."""
    validate_identifier("event_id", args.event_id)
    attributes = parse_key_values("attributes", args.attribute)
    # Validates the arguments before anything is sent.
    create_report(
        args.event_id,
        args.report_type,
        args.report_version,
        attributes,
        allow_undocumented=args.allow_undocumented,
    )
    target = resolve_destination(args.destination)
    validate_report_suffix(target)
    required_columns = args.required_column or []
    if not all(name.strip() for name in required_columns):
        raise invalid_argument("required_columns", "names of columns", required_columns)
    destination = _connect(args, target)
    if destination.must_skip(args.if_exists):
        return _print_manifest(args, {"uri": destination.uri, "skipped": True})
    with ProgressBar("Requesting the report") as bar, CliHook(args.conn_id, bar) as hook:
        report_id, not_found_until = _request_report(args, hook, attributes)
        bar.set_status(f"Waiting for report {report_id}")
        deadline = clock.now() + args.wait_timeout
        wait_until_done(ReportWaiter(report_id, deadline, args.poll_interval, not_found_until, log.info), hook)
        bar.set_status(f"Downloading report {report_id}")
        title = hook.get_report(report_id).get("title")
        published = upload_report(
            hook.client,
            report_id,
            destination,
            if_exists=args.if_exists,
            fallback_name=f"{args.report_type}-{identifier_file_name(args.event_id)}.csv",
            required_columns=required_columns,
            allow_empty=args.allow_empty,
        )
    return _print_manifest(
        args,
        manifest(published, report_id=report_id, event_id=args.event_id, report_type=args.report_type, title=title),
    )


def _request_report(args: argparse.Namespace, hook: CliHook, attributes: dict[str, str]) -> tuple[str, float | None]:
    """Return the report's id, and the time until which a 404 means that it is not visible yet."""
    if args.report_id:
        validate_identifier("report_id", args.report_id)
        return args.report_id, None
    report = hook.create_report(
        args.event_id,
        args.report_type,
        args.report_version,
        attributes,
        allow_undocumented=args.allow_undocumented,
    )
    report_id: str = report["id"]
    print_hint(f"requested report {report_id}; to resume after an interruption, add --report-id {report_id}")
    return report_id, clock.now() + defaults.NOT_FOUND_GRACE


@command
def export_list(args: argparse.Namespace) -> ExitCode:
    """Run ``ringevents export-list COLLECTION DESTINATION``."""
    collection = collection_named(args.collection)
    filter = parse_filters("filter", args.filter)
    collection.check_filter(filter)
    _validate_parent(collection, args.parent_id)
    target = resolve_destination(args.destination)
    file_format = FileFormat.from_destination(target, args.format)
    file_format.check_installed()
    if args.escape_formulas and file_format.format != "csv":
        raise invalid_argument(
            "escape_formulas", f"left out for {file_format.format}: spreadsheets run formulas of CSV"
        )
    export = CollectionExport(
        collection,
        file_format,
        if_exists=args.if_exists,
        filter=filter,
        on_incomplete=args.on_incomplete,
        strict=args.strict,
        escape_formulas=args.escape_formulas,
    )
    destination = _connect(args, target)
    with ProgressBar(f"Reading {args.collection}") as bar, CliHook(args.conn_id, bar) as hook:
        parent_id = args.parent_id
        if collection.parent == "organization":
            parent_id = hook.resolve_organization_id("parent_id", parent_id)
        published = upload_collection(hook.client, export, parent_id, destination)
    return _print_manifest(args, {**published, "collection": args.collection, "parent_id": parent_id})


def _connect(args: argparse.Namespace, target: str) -> Destination:
    options = parse_object_options(args.object_option)
    return Destination.parse(target, args.object_storage_conn_id, options=options).connect()


def _validate_parent(collection: Collection, parent_id: str | None) -> None:
    if parent_id is not None:
        validate_identifier("parent_id", parent_id)
        if collection.parent is None:
            raise invalid_argument("parent_id", f"left out for {collection.name}, which belong to the key", parent_id)
    elif collection.parent not in (None, "organization"):
        raise invalid_argument("parent_id", f"the id of the {collection.parent} that the {collection.name} belong to")


def _print_manifest(args: argparse.Namespace, manifest: dict[str, Any]) -> ExitCode:
    print_record(manifest, args.output)
    return ExitCode.SUCCESS
