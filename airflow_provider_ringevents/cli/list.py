"""The commands that list organizations, templates, events, tickets, reports and registrations."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any, Final

from airflow_provider_ringevents.cli.hook import CliHook
from airflow_provider_ringevents.cli.output import print_rows
from airflow_provider_ringevents.cli.parsing import parse_filters
from airflow_provider_ringevents.cli.runner import ExitCode, command, print_hint
from airflow_provider_ringevents.client.client import Client
from airflow_provider_ringevents.client.filters import FilterLike
from airflow_provider_ringevents.client.validation.identifiers import validate_identifier
from airflow_provider_ringevents.exports.catalog import COLLECTIONS
from airflow_provider_ringevents.exports.reader import CollectionReader

COLUMNS: Final = {
    "organizations": ("id", "name"),
    "templates": ("id", "name"),
    "events": ("id", "name", "status", "timeStart", "timeEnd"),
    "tickets": ("id", "name", "price", "count", "claimed", "remaining"),
    "reports": ("id", "title", "status"),
    "registrations": ("id", "firstName", "lastName", "email", "attended", "createdAt"),
}
"""The columns of tables and of plain lines."""


class _LimitedRows:
    """The first rows of a list, without secrets. Iterate over it once."""

    def __init__(self, client: Client, name: str, parent_id: str | None, filter: FilterLike | None, limit: int) -> None:
        collection = COLLECTIONS[name]
        self._name = name
        self._limit = limit
        # Pages beyond the limit are not prefetched.
        self._reader = CollectionReader(
            client,
            collection.call(parent_id, filter),
            concurrency=1 if limit else None,
            hidden=collection.dropped | collection.credentials,
        )
        self._rows = 0
        self._truncated = False

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for page in self._reader:
            for row in page:
                if self._limit and self._rows == self._limit:
                    self._truncated = True
                    return
                self._rows += 1
                yield row
            count = self._reader.count
            if self._limit and self._rows == self._limit and count is not None:
                self._truncated = count > self._rows
                return

    def print_hint(self) -> None:
        """Report an empty or a truncated list on stderr."""
        if not self._rows:
            print_hint(f"no {self._name}")
        if self._truncated:
            count = self._reader.count
            total = f" of {count}" if count and count > self._rows else ""
            print_hint(f"the first {self._rows}{total} {self._name}; --limit 0 shows all")


def _list(
    args: argparse.Namespace, hook: CliHook, name: str, parent_id: str | None, filter: FilterLike | None = None
) -> ExitCode:
    rows = _LimitedRows(hook.client, name, parent_id, filter, args.limit)
    print_rows(rows, COLUMNS[name], args.output)
    rows.print_hint()
    return ExitCode.SUCCESS


def _list_of_organization(args: argparse.Namespace, name: str) -> ExitCode:
    with CliHook(args.conn_id) as hook:
        return _list(args, hook, name, hook.resolve_organization_id("organization_id", args.organization_id))


def _list_of_event(args: argparse.Namespace, name: str, filter: FilterLike | None = None) -> ExitCode:
    validate_identifier("event_id", args.event_id)
    with CliHook(args.conn_id) as hook:
        return _list(args, hook, name, args.event_id, filter)


@command
def organizations(args: argparse.Namespace) -> ExitCode:
    """Run ``ringevents organizations``."""
    with CliHook(args.conn_id) as hook:
        return _list(args, hook, "organizations", None)


@command
def templates(args: argparse.Namespace) -> ExitCode:
    """Run ``ringevents templates``."""
    return _list_of_organization(args, "templates")


@command
def events(args: argparse.Namespace) -> ExitCode:
    """Run ``ringevents events``."""
    return _list_of_organization(args, "events")


@command
def tickets(args: argparse.Namespace) -> ExitCode:
    """Run ``ringevents tickets EVENT_ID``."""
    return _list_of_event(args, "tickets")


@command
def reports(args: argparse.Namespace) -> ExitCode:
    """Run ``ringevents reports EVENT_ID``."""
    return _list_of_event(args, "reports")


@command
def registrations(args: argparse.Namespace) -> ExitCode:
    """Run ``ringevents registrations EVENT_ID``."""
    return _list_of_event(args, "registrations", parse_filters("filter", args.filter))
