"""The commands that export: the transfers of the operators, with a progress bar."""

from __future__ import annotations

import argparse
import logging
import time
from typing import Any

from airflow_provider_ringevents.cli.exit_codes import ExitCode
from airflow_provider_ringevents.cli.hook import CliHook
from airflow_provider_ringevents.cli.output import print_record
from airflow_provider_ringevents.cli.parsing import parse_filters, parse_key_values, resolve_destination
from airflow_provider_ringevents.cli.progress import ProgressBar
from airflow_provider_ringevents.cli.runner import command, print_error
from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.endpoints import create_report
from airflow_provider_ringevents.client.errors import RingEventsConfigError
from airflow_provider_ringevents.client.validation.identifiers import validate_identifier
from airflow_provider_ringevents.exports.catalog import Collection, collection_named
from airflow_provider_ringevents.exports.formats.file_format import FileFormat
from airflow_provider_ringevents.polling.waiter import ReportWaiter, wait_until_done
from airflow_provider_ringevents.storage import Destination
from airflow_provider_ringevents.transfers.base import manifest
from airflow_provider_ringevents.transfers.collection_upload import CollectionExport, upload_collection
from airflow_provider_ringevents.transfers.report_upload import skip_if_exists, upload_report

log = logging.getLogger(__name__)


@command
def export_report(args: argparse.Namespace) -> ExitCode:
    """``ringevents export-report EVENT_ID REPORT_TYPE DESTINATION``"""
    validate_identifier("EVENT_ID", args.event_id)
    attributes = parse_key_values("--attribute", args.attribute)
    # Builds the request only: nothing is asked for where the destination or the request is wrong.
    create_report(
        args.event_id,
        args.report_type,
        args.report_version,
        attributes,
        allow_undocumented=args.allow_undocumented,
    )
    destination = Destination.resolve(resolve_destination(args.destination), args.object_storage_conn_id)
    if skip_if_exists(destination, args.if_exists):
        return _told(args, {"uri": destination.uri, "skipped": True})
    with ProgressBar("Asking for the report") as bar, CliHook(args.conn_id, bar) as hook:
        report_id, visible_from = _report(args, hook, attributes)
        bar.doing(f"Waiting for report {report_id}")
        deadline = time.time() + args.wait_timeout
        wait_until_done(hook, ReportWaiter(report_id, deadline, args.poll_interval, visible_from, log.info))
        bar.doing(f"Reading report {report_id}")
        title = hook.get_report(report_id).get("title")
        published = upload_report(
            hook.client,
            report_id,
            destination,
            if_exists=args.if_exists,
            fallback_name=f"{args.report_type}-{args.event_id}.csv",
        )
    told = manifest(published, report_id=report_id, event_id=args.event_id, report_type=args.report_type, title=title)
    return _told(args, told)


def _report(args: argparse.Namespace, hook: CliHook, attributes: dict[str, str]) -> tuple[str, float | None]:
    """The report to wait for, and until when a 404 means that it is not visible yet."""
    if args.report_id:
        validate_identifier("--report-id", args.report_id)
        return args.report_id, None
    report = hook.create_report(
        args.event_id,
        args.report_type,
        args.report_version,
        attributes,
        allow_undocumented=args.allow_undocumented,
    )
    report_id: str = report["id"]
    print_error(f"asked for report {report_id}; if this ends before it is written: --report-id {report_id}")
    return report_id, time.time() + defaults.NOT_FOUND_GRACE


@command
def export_list(args: argparse.Namespace) -> ExitCode:
    """``ringevents export-list COLLECTION DESTINATION``"""
    collection = collection_named(args.collection)
    filter = parse_filters("--filter", args.filter)
    collection.check_filter(filter)
    _check_parent(collection, args.parent_id)
    target = resolve_destination(args.destination)
    kind = FileFormat.from_destination(target, args.format)
    kind.check_installed()
    export = CollectionExport(collection, kind, if_exists=args.if_exists, filter=filter, strict=args.strict)
    destination = Destination.resolve(target, args.object_storage_conn_id)
    with ProgressBar(f"Reading {args.collection}") as bar, CliHook(args.conn_id, bar) as hook:
        parent_id = hook.organization(args.parent_id) if collection.parent == "organization" else args.parent_id
        published = upload_collection(hook.client, export, parent_id, destination)
    return _told(args, {**published, "collection": args.collection, "parent_id": parent_id})


def _check_parent(collection: Collection, parent_id: str | None) -> None:
    if parent_id is not None:
        validate_identifier("--parent-id", parent_id)
        if collection.parent is None:
            raise RingEventsConfigError(f"--parent-id: {collection.name} belong to the key and have no parent")
    elif collection.parent not in (None, "organization"):
        raise RingEventsConfigError(f"--parent-id: {collection.name} belong to one {collection.parent}: give its id")


def _told(args: argparse.Namespace, manifest: dict[str, Any]) -> ExitCode:
    print_record(manifest, args.output)
    return ExitCode.DONE
