"""What ``airflow ringevents`` and ``ringevents`` understand.

Every call of ``airflow`` loads this: nothing but Airflow's own words is imported. Help texts hold no square brackets,
which Airflow's formatter takes for markup.
"""

from __future__ import annotations

from airflow.cli.cli_config import ActionCommand, Arg, GroupCommand, lazy_load_command, positive_int

EXIT_CODES = (
    "Exit codes: 0 done; 1 failed, and would again; 2 wrong arguments or connection; 3 the key was refused; 4 there is"
    " no such thing; 5 failed, and may work later; 130 interrupted; 141 the reader of the output has left."
)
EMULATOR_OPTIONS = (
    ("port", "Port of the API, 0 for a free one (default: 8765)"),
    ("seed", "Same seed, same ids and content (default: 1)"),
    ("api-key", "The key that is accepted (default: emulator-api-key)"),
    ("registrations", "Registrations of each published event (default: 250)"),
    ("events", "Events of the first organization, at least 8 (default: 12)"),
    ("report-seconds", "Seconds until a report is ready (default: 2)"),
    ("report-bytes", "Size of report files in bytes (default: as their rows make them)"),
    ("link-seconds", "Seconds that a signed link works (default: 60)"),
    ("template-seconds", "Seconds that an event from a template takes (default: 1)"),
    ("duplicate-seconds", "Seconds until a copy of an event appears (default: 1)"),
    ("latency", "Seconds before every answer (default: 0)"),
    ("rate-limit", "Requests per second, more are answered with 429 (default: none)"),
    ("max-per-page", "Largest page of a list (default: 100)"),
)
"""Handed on as they are: the emulator knows their kinds and their defaults."""


def _seconds(text: str) -> float:
    if 0 < (seconds := float(text)) < float("inf"):
        return seconds
    raise ValueError(text)


_seconds.__name__ = "number of seconds"  # what argparse calls it in an error

_CONN_ID = Arg(
    ("--conn-id",),
    default="ringevents_default",
    help="The Airflow connection, of type ringevents (default: ringevents_default)",
)
_OUTPUT = Arg(
    ("-o", "--output"),
    choices=("table", "json", "plain"),
    default="table",
    help="table; json: all fields; plain: the table's columns divided by tabs, without a head (default: table)",
)
_VERBOSE = Arg(("-v", "--verbose"), action="store_true", help="Log to stderr what is asked and done")
_COMMON = (_CONN_ID, _OUTPUT, _VERBOSE)
_LIMIT = Arg(
    ("--limit",),
    type=positive_int(allow_zero=True),
    default=100,
    help="Rows to show at most, 0 for all (default: 100)",
)
_ORGANIZATION_ID = Arg(
    ("--organization-id",),
    help="Default: the connection's, else the only one that the key sees",
)
_EVENT_ID = Arg(("event_id",), metavar="EVENT_ID", help="See: ringevents events")
_FILTER = Arg(
    ("--filter",),
    action="append",
    default=None,
    metavar="FIELD=VALUE",
    help="Only rows with that value; FIELD.OPERATOR=VALUE for others, as updatedAt.gte=2026-01-01T00:00:00Z"
    " (may be given several times)",
)
_DESTINATION = Arg(
    ("destination",),
    metavar="DESTINATION",
    help="A path, or a URI such as s3://connection@bucket/key; ending in / it is a folder",
)
_IF_EXISTS = Arg(
    ("--if-exists",),
    choices=("overwrite", "skip", "fail"),
    default="overwrite",
    help="What to do when something is at the destination (default: overwrite)",
)
_STORAGE_CONN_ID = Arg(
    ("--object-storage-conn-id",), help="The connection of the storage, instead of connection@ in the destination"
)

_LISTS = (
    ("organizations", "List the organizations that the key sees", ()),
    ("templates", "List the event templates of an organization", (_ORGANIZATION_ID,)),
    ("events", "List the events of an organization", (_ORGANIZATION_ID,)),
    ("tickets", "List the tickets of an event", (_EVENT_ID,)),
    ("reports", "List the reports of an event, without their signed links", (_EVENT_ID,)),
    (
        "registrations",
        "List the registrations of an event: personal data (names, e-mail addresses), no magic links or QR codes",
        (_EVENT_ID, _FILTER),
    ),
)


def get_ringevents_cli_commands() -> list[GroupCommand]:
    """The group ``ringevents``; named in the provider's metadata under ``cli``."""
    room = "airflow_provider_ringevents.cli"
    lists = [
        ActionCommand(
            name=name,
            help=text,
            func=lazy_load_command(f"{room}.list.{name}"),
            args=(*arguments, _LIMIT, *_COMMON),
            epilog=EXIT_CODES,
        )
        for name, text, arguments in _LISTS
    ]
    exports = [
        ActionCommand(
            name="export-report",
            help="Ask for a report, wait until it is ready, and write it: the whole file, or nothing",
            func=lazy_load_command(f"{room}.export.export_report"),
            args=(
                _EVENT_ID,
                Arg(("report_type",), metavar="REPORT_TYPE", help="One that the API documents, e.g. registrations"),
                _DESTINATION,
                Arg(("--report-version",), help="The report's version (default: the service's)"),
                Arg(
                    ("--attribute",),
                    action="append",
                    default=None,
                    metavar="NAME=VALUE",
                    help="What some reports can be narrowed by, as segmentType=session (may be given several times)",
                ),
                Arg(
                    ("--report-id",),
                    help="Take up this report of the event, asked for before, instead of asking for a new one",
                ),
                Arg(
                    ("--allow-undocumented",),
                    action="store_true",
                    help="Let report types, versions and attributes through that the API does not document",
                ),
                Arg(
                    ("--poll-interval",),
                    type=_seconds,
                    default=60.0,
                    help="The longest pause between two looks at the report, in seconds (default: 60)",
                ),
                Arg(
                    ("--wait-timeout",),
                    type=_seconds,
                    default=21600.0,
                    help="Give up waiting after so many seconds (default: 21600, 6 hours)",
                ),
                _IF_EXISTS,
                _STORAGE_CONN_ID,
                *_COMMON,
            ),
            epilog=EXIT_CODES,
        ),
        ActionCommand(
            name="export-list",
            help="Read a whole list and write it: all of it, or nothing",
            func=lazy_load_command(f"{room}.export.export_list"),
            args=(
                Arg(("collection",), metavar="COLLECTION", help="registrations, events, tickets, booths, ..."),
                _DESTINATION,
                Arg(
                    ("--parent-id",),
                    help="What the list belongs to: an event's id for most lists; for events and templates an"
                    " organization's (default: as the command events has it)",
                ),
                _FILTER,
                Arg(
                    ("--format",),
                    choices=("jsonl", "csv", "parquet"),
                    default=None,
                    help="Default: by the destination's suffix, else jsonl; a suffix .gz compresses jsonl and csv",
                ),
                Arg(
                    ("--strict",),
                    action="store_true",
                    help="Fail, and write nothing, when the list has changed while it was read",
                ),
                _IF_EXISTS,
                _STORAGE_CONN_ID,
                *_COMMON,
            ),
            epilog=EXIT_CODES,
        ),
    ]
    others = [
        ActionCommand(
            name="check",
            help="Try the connection: the service, the key, what it sees, and the clocks",
            func=lazy_load_command(f"{room}.check.check"),
            args=_COMMON,
            epilog=EXIT_CODES,
        ),
        ActionCommand(
            name="emulator",
            help="Run the Events API on this machine, to try things without an account",
            func=lazy_load_command(f"{room}.emulator.emulator"),
            args=tuple(Arg((f"--{name}",), help=text) for name, text in EMULATOR_OPTIONS),
        ),
    ]
    return [
        GroupCommand(
            name="ringevents",
            help="RingCentral Events: find ids, export reports and lists, check the connection",
            subcommands=(*lists, *exports, *others),
        )
    ]
