"""The commands that list: ids are strings that nobody can guess."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any, Final

from airflow_provider_ringevents.cli.exit_codes import ExitCode
from airflow_provider_ringevents.cli.hook import CliHook
from airflow_provider_ringevents.cli.output import print_rows
from airflow_provider_ringevents.cli.parsing import parse_filters
from airflow_provider_ringevents.cli.runner import command, print_error
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
"""What tables and plain lines show."""


class _LimitedRows:
    """The first rows of a list, without what is secret. Iterate over it once."""

    def __init__(self, client: Client, name: str, parent_id: str | None, filter: FilterLike | None, limit: int) -> None:
        collection = COLLECTIONS[name]
        self._name = name
        self._limit = limit
        # Pages that are not shown are not asked for ahead.
        self._reading = CollectionReader(
            client,
            collection.call(parent_id, filter),
            concurrency=1 if limit else None,
            hidden=collection.dropped | collection.credentials,
        )
        self._rows = 0
        self._cut = False

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for page in self._reading:
            for row in page:
                if self._limit and self._rows == self._limit:
                    self._cut = True
                    return
                self._rows += 1
                yield row
            count = self._reading.count
            if self._limit and self._rows == self._limit and count is not None:
                self._cut = count > self._rows
                return

    def tell(self) -> None:
        """Say what a reader could miss."""
        if not self._rows:
            print_error(f"no {self._name}")
        if self._cut:
            count = self._reading.count
            of = f" of {count}" if count and count > self._rows else ""
            print_error(f"the first {self._rows}{of} {self._name}; --limit 0 shows all")


def _list(
    args: argparse.Namespace, hook: CliHook, name: str, parent_id: str | None, filter: FilterLike | None = None
) -> ExitCode:
    rows = _LimitedRows(hook.client, name, parent_id, filter, args.limit)
    print_rows(rows, COLUMNS[name], args.output)
    rows.tell()
    return ExitCode.DONE


def _of_the_organization(args: argparse.Namespace, name: str) -> ExitCode:
    with CliHook(args.conn_id) as hook:
        return _list(args, hook, name, hook.organization(args.organization_id))


def _of_the_event(args: argparse.Namespace, name: str, filter: FilterLike | None = None) -> ExitCode:
    validate_identifier("EVENT_ID", args.event_id)
    with CliHook(args.conn_id) as hook:
        return _list(args, hook, name, args.event_id, filter)


@command
def organizations(args: argparse.Namespace) -> ExitCode:
    """``ringevents organizations``"""
    with CliHook(args.conn_id) as hook:
        return _list(args, hook, "organizations", None)


@command
def templates(args: argparse.Namespace) -> ExitCode:
    """``ringevents templates``"""
    return _of_the_organization(args, "templates")


@command
def events(args: argparse.Namespace) -> ExitCode:
    """``ringevents events``"""
    return _of_the_organization(args, "events")


@command
def tickets(args: argparse.Namespace) -> ExitCode:
    """``ringevents tickets EVENT_ID``"""
    return _of_the_event(args, "tickets")


@command
def reports(args: argparse.Namespace) -> ExitCode:
    """``ringevents reports EVENT_ID``"""
    return _of_the_event(args, "reports")


@command
def registrations(args: argparse.Namespace) -> ExitCode:
    """``ringevents registrations EVENT_ID``"""
    return _of_the_event(args, "registrations", parse_filters("--filter", args.filter))
