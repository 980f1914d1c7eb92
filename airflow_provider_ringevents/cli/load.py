"""The commands that import people from files: the operators' work, with a progress bar."""

from __future__ import annotations

import argparse
from typing import Any

from airflow_provider_ringevents.bulk.registrations import CreateRegistrationTarget, UpdateRegistrationTarget
from airflow_provider_ringevents.bulk.targets import MagicLinkTarget, Target
from airflow_provider_ringevents.bulk.text_options import validate_delimiter, validate_encoding
from airflow_provider_ringevents.cli.hook import CliHook
from airflow_provider_ringevents.cli.output import print_record
from airflow_provider_ringevents.cli.parsing import parse_key_values, resolve_destination
from airflow_provider_ringevents.cli.progress import ProgressBar
from airflow_provider_ringevents.cli.runner import ExitCode, command
from airflow_provider_ringevents.client.errors import invalid_argument
from airflow_provider_ringevents.client.validation.identifiers import validate_identifier
from airflow_provider_ringevents.transfers._bulk_load import BulkLoad, check_files, load_rows

_SAME_NAMES = (
    "format",
    "delimiter",
    "encoding",
    "on_invalid",
    "max_failures",
    "concurrency",
    "dry_run",
    "allow_undocumented",
    "source_conn_id",
    "results_conn_id",
    "if_exists",
)


@command
def import_magic_links(args: argparse.Namespace) -> ExitCode:
    """Run ``ringevents import-magic-links TICKET --from FILE --results FILE``."""
    validate_identifier("ticket_id", args.ticket_id)
    target = MagicLinkTarget(args.ticket_id, identity=args.identity, allow_undocumented=args.allow_undocumented)
    load = _load(
        args,
        include_links=not args.no_links,
        delete_missing=args.delete_missing,
        max_deletions=args.max_deletions,
    )
    return _run(args, target, load)


@command
def import_registrations(args: argparse.Namespace) -> ExitCode:
    """Run ``ringevents import-registrations EVENT_ID --from FILE --results FILE``."""
    validate_identifier("event_id", args.event_id)
    if args.ticket_id is not None:
        validate_identifier("ticket_id", args.ticket_id)
    target: Target
    if args.mode == "create":
        if args.identity != "email":
            raise invalid_argument("identity", "email for the mode create", args.identity)
        target = CreateRegistrationTarget(args.event_id, args.ticket_id, allow_undocumented=args.allow_undocumented)
    else:
        target = UpdateRegistrationTarget(
            args.event_id,
            identity=args.identity,
            ticket_id=args.ticket_id,
            merge=not args.no_merge,
            allow_undocumented=args.allow_undocumented,
        )
    return _run(args, target, _load(args))


def _load(args: argparse.Namespace, **options: Any) -> BulkLoad:
    validate_delimiter(args.delimiter)
    validate_encoding(args.encoding)
    columns = parse_key_values("columns", args.columns, "ATTRIBUTE=COLUMN") if args.columns else None
    load = BulkLoad(
        source=resolve_destination(args.source),
        results=resolve_destination(args.results),
        failed_rows=resolve_destination(args.failed_rows) if args.failed_rows else None,
        columns=columns,
        **{name: getattr(args, name) for name in _SAME_NAMES},
        **options,
    )
    check_files(load)
    return load


def _run(args: argparse.Namespace, target: Target, load: BulkLoad) -> ExitCode:
    """Load the rows and print the summary.

    :raises RingEventsError: rows were refused, or too many failed.
    """
    load.mapping(target)
    with ProgressBar(f"Importing {args.source}") as bar, CliHook(args.conn_id, bar) as hook:
        outcome = load_rows(hook.client, target, load, on_progress=bar.on_sent)
    print_record(_summary(outcome.manifest) if args.output != "json" else outcome.manifest, args.output)
    if outcome.error is not None:
        raise outcome.error
    return ExitCode.SUCCESS


def _summary(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return the manifest with a line for each status and each reason."""
    counts = {f"rows {status}": count for status, count in manifest.get("counts", {}).items()}
    reasons = {f"reason: {reason}": count for reason, count in manifest.get("failures", {}).items()}
    rest = {name: value for name, value in manifest.items() if name not in ("counts", "failures")}
    return {**rest, **counts, **reasons}
