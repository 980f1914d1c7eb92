"""The definition of the commands ``airflow ringevents`` and ``ringevents``.

Airflow loads this module at every call, so it imports Airflow's own building blocks alone. Help texts hold no square
brackets, which Airflow's formatter takes for markup.
"""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Callable
from typing import Any, cast

from airflow.cli.cli_config import ActionCommand, Arg, GroupCommand, lazy_load_command

EXIT_CODES = (
    "Exit codes: 0 success; 1 permanent failure; 2 invalid arguments or connection; 3 the API key was rejected; 4 not"
    " found; 5 temporary failure, retry later; 130 interrupted; 141 broken pipe."
)
EMULATOR_OPTIONS = (
    ("port", "Port of the API, 0 for a free one (default: 8765)"),
    ("seed", "Seed of all ids and content (default: 1)"),
    ("api-key", "API key that is accepted (default: emulator-api-key)"),
    ("allowed-host", "Name by which it is reached besides localhost, such as a container's (default: none)"),
    ("registrations", "Number of registrations of each published event (default: 250)"),
    ("events", "Number of events of the first organization, at least 8 (default: 12)"),
    ("report-seconds", "Seconds until a report is ready (default: 2)"),
    ("report-bytes", "Size of report files in bytes (default: as their rows make them)"),
    ("link-seconds", "Seconds until a signed link expires (default: 60)"),
    ("template-seconds", "Seconds until an event from a template is ready (default: 1)"),
    ("duplicate-seconds", "Seconds until a copy of an event appears (default: 1)"),
    ("latency", "Seconds of delay before every response (default: 0)"),
    ("rate-limit", "Requests per second above which the emulator responds 429 (default: none)"),
    ("max-per-page", "Largest page of a list (default: 100)"),
)
"""Options that are passed on unchanged; the emulator validates them and has their defaults."""


def _number(check: str = "check_number", **bounds: Any) -> Callable[[str], float]:
    """Return the type of an option that takes numbers.

    :param check: the function of the client that validates the number.
    """

    def read(text: str) -> float:
        from airflow_provider_ringevents.client.errors import RingEventsConfigError
        from airflow_provider_ringevents.client.validation import numbers

        number = numbers.parse_number(text)
        try:
            getattr(numbers, check)("number", text if number is None else number, **bounds)
        except RingEventsConfigError as error:
            # argparse puts the flag in front of it.
            raise ArgumentTypeError(f"must be {error.expected}, got {error.got}") from None
        return cast(float, number)

    return read


def _switch(flag: str, help: str) -> Arg:
    return Arg((flag,), action="store_true", help=help)


def _choice(flag: str, choices: tuple[str, ...], help: str) -> Arg:
    """Return an option with the first choice as its default."""
    return Arg((flag,), choices=choices, default=choices[0], help=help)


def _count(flag: str, default: int, help: str) -> Arg:
    return Arg((flag,), type=_number(integer=True, minimum=0), default=default, help=help)


def _repeatable(flag: str, metavar: str, help: str) -> Arg:
    return Arg((flag,), action="append", default=None, metavar=metavar, help=f"{help} (repeatable)")


def _command(function: str, help: str, *arguments: Arg) -> ActionCommand:
    """Return the command that runs a function, given as ``module.name``; the command has dashes in its name."""
    return ActionCommand(
        name=function.rpartition(".")[2].replace("_", "-"),
        help=help,
        func=lazy_load_command(f"airflow_provider_ringevents.cli.{function}"),
        args=(*arguments, *_COMMON),
        epilog=EXIT_CODES,
    )


_CONN_ID = Arg(
    ("--conn-id",),
    default="ringevents_default",
    help="Airflow connection of type ringevents (default: ringevents_default)",
)
_OUTPUT = Arg(
    ("-o", "--output"),
    choices=("table", "json", "plain"),
    default="table",
    help="Output format; json has all fields, plain has tab-separated columns without a header (default: table)",
)
_VERBOSE = Arg(("-v", "--verbose"), action="store_true", help="Log requests and progress to stderr")
_COMMON = (_CONN_ID, _OUTPUT, _VERBOSE)
_LIMIT = _count("--limit", 100, "Maximum number of rows to show, 0 for all (default: 100)")
_ORGANIZATION_ID = Arg(
    ("--organization-id",),
    help="Id of the organization (default: the connection's, or the only one that the API key sees)",
)
_EVENT_ID = Arg(("event_id",), metavar="EVENT_ID", help="Id of the event, as listed by: ringevents events")
_FILTER = _repeatable(
    "--filter",
    "FIELD=VALUE",
    "Only rows whose field has this value; FIELD.OPERATOR=VALUE for another operator, for example"
    " updatedAt.gte=2026-01-01T00:00:00Z",
)
_DESTINATION = Arg(
    ("destination",),
    metavar="DESTINATION",
    help="Path, or URI such as s3://connection@bucket/key; a folder if it ends in /",
)
_IF_EXISTS = _choice(
    "--if-exists", ("overwrite", "skip", "fail"), "Action if the destination exists (default: overwrite)"
)
_STORAGE_CONN_ID = Arg(
    ("--object-storage-conn-id",),
    help="Airflow connection of the object storage, instead of connection@ in the destination",
)
_OBJECT_OPTION = _repeatable(
    "--object-option",
    "NAME=VALUE",
    "Header of the object in the store, for example ServerSideEncryption=aws:kms; a value in braces is JSON",
)

_LISTS = (
    ("organizations", "List the organizations that the API key sees", ()),
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


_LOAD = (
    Arg(
        ("--from",),
        dest="source",
        required=True,
        metavar="FILE",
        help="Path or URI of the people: .csv with a header, .jsonl or .parquet, also .csv.gz and .jsonl.gz",
    ),
    Arg(
        ("--results",),
        required=True,
        metavar="FILE",
        help="Path or URI of the file for the result of each row, in one of these formats",
    ),
    Arg(
        ("--columns",),
        nargs="+",
        action="extend",
        metavar="ATTRIBUTE=COLUMN",
        help="Columns of the attributes, for example email=E-Mail metadata.crm_id=Id (default: columns are named like"
        " the attributes)",
    ),
    _choice("--identity", ("email", "registrationId"), "Attribute that identifies a person (default: email)"),
    Arg(("--format",), choices=("csv", "jsonl", "parquet"), help="Format of the people (default: by the suffix)"),
    Arg(("--delimiter",), default=",", help="Character between the cells of CSV (default: ,)"),
    Arg(("--encoding",), default="utf-8", help="Encoding of CSV and JSON Lines (default: utf-8)"),
    _choice(
        "--on-invalid",
        ("fail", "skip"),
        "Action if rows are invalid: fail and send nothing, or skip them and send the others (default: fail)",
    ),
    _count("--max-failures", 0, "Failed rows that are tolerated (default: 0)"),
    Arg(
        ("--failed-rows",),
        metavar="FILE",
        help="Path or URI of a file for the failed rows, which can be imported again",
    ),
    Arg(
        ("--concurrency",),
        type=_number(integer=True, minimum=1, maximum=16),
        help="Requests in flight, from 1 to 16 (default: the connection's)",
    ),
    _switch("--dry-run", "Send nothing, and write what would happen to each row"),
    _switch("--allow-undocumented", "Accept attributes that the API does not document"),
    Arg(("--source-conn-id",), help="Airflow connection of the storage of the people"),
    Arg(("--results-conn-id",), help="Airflow connection of the storage of the results"),
    _IF_EXISTS,
)


def get_ringevents_cli_commands() -> list[GroupCommand]:
    """Return the command group ``ringevents``; the provider's metadata names this function under ``cli``."""
    lists = [_command(f"list.{name}", text, *arguments, _LIMIT) for name, text, arguments in _LISTS]
    exports = [
        _command(
            "export.export_report",
            "Create a report, wait until it is ready, and write it to a destination: whole, or not at all",
            _EVENT_ID,
            Arg(("report_type",), metavar="REPORT_TYPE", help="Documented report type, for example registrations"),
            _DESTINATION,
            Arg(("--report-version",), help="Version of the report (default: the service's)"),
            _repeatable(
                "--attribute", "NAME=VALUE", "Attribute that narrows some reports, for example segmentType=session"
            ),
            Arg(("--report-id",), help="Resume this report of the event instead of creating a new one"),
            _switch(
                "--allow-undocumented", "Accept report types, versions and attributes that the API does not document"
            ),
            _repeatable("--required-column", "NAME", "Fail, and write nothing, if the report lacks this column"),
            _switch("--allow-empty", "Also write an empty report"),
            Arg(
                ("--poll-interval",),
                type=_number("check_poll_interval"),
                default=60.0,
                help="Longest delay between two polls of the report, in seconds (default: 60)",
            ),
            Arg(
                ("--wait-timeout",),
                type=_number("check_duration"),
                default=21600.0,
                help="Seconds after which to stop waiting (default: 21600, 6 hours)",
            ),
            _IF_EXISTS,
            _STORAGE_CONN_ID,
            _OBJECT_OPTION,
        ),
        _command(
            "export.export_list",
            "Read a list and write it to a destination: whole, or not at all",
            Arg(
                ("collection",),
                metavar="COLLECTION",
                help="List to export: registrations, events, tickets, booths, ...",
            ),
            _DESTINATION,
            Arg(
                ("--parent-id",),
                help="Id of the list's parent: the event for most lists, the organization for events and templates"
                " (default: as for the command events)",
            ),
            _FILTER,
            Arg(
                ("--format",),
                choices=("jsonl", "csv", "parquet"),
                default=None,
                help="File format (default: by the destination's suffix, else jsonl); .gz compresses jsonl and csv",
            ),
            _switch(
                "--escape-formulas",
                "Put an apostrophe before text that a spreadsheet would run as a formula (csv only)",
            ),
            _choice(
                "--on-incomplete",
                ("fail", "warn"),
                "If rows are missing after three readings: fail and write nothing, or warn and write the rows that came"
                " (default: fail)",
            ),
            _switch("--strict", "Fail, and write nothing, if the list changed while it was read"),
            _IF_EXISTS,
            _STORAGE_CONN_ID,
            _OBJECT_OPTION,
        ),
    ]
    loads = [
        _command(
            "load.import_magic_links",
            "Create a magic link for each person in a file who has none",
            Arg(("ticket_id",), metavar="TICKET", help="Id of the ticket, as listed by: ringevents tickets"),
            *_LOAD,
            _switch("--no-links", "Leave the links out of the results"),
            _switch("--delete-missing", "Delete the links of people who are not in the file"),
            _count("--max-deletions", 0, "Links that may be deleted; if there are more, nothing is sent (default: 0)"),
        ),
        _command(
            "load.import_registrations",
            "Register the people in a file, who are mailed by the service, or update their registrations",
            _EVENT_ID,
            *_LOAD,
            _choice(
                "--mode", ("create", "update"), "Register people, or update registrations that exist (default: create)"
            ),
            Arg(("--ticket-id",), help="Id of the ticket (default: the column ticketId)"),
            _switch("--no-merge", "Do not keep metadata that the file does not name"),
        ),
    ]
    others = [
        _command(
            "check.check",
            "Test the connection: the service, the API key, the visible data, filters, and the clocks",
            _switch(
                "--report",
                "Compare the behaviour of the service with the assumptions of this package: up to 40 reading"
                " requests, each listed on stderr; the result holds no personal data, ids, names or keys",
            ),
            _switch("--json", "The same as --output json"),
        ),
        ActionCommand(
            name="openapi",
            help="Print the OpenAPI 3.1 description of the Events API, as JSON",
            func=lazy_load_command("airflow_provider_ringevents.cli.openapi.openapi"),
            args=(),
            epilog=EXIT_CODES,
        ),
        ActionCommand(
            name="schema",
            help="Print the CREATE TABLE statement of a list, for the CSV and Parquet files of export-list",
            func=lazy_load_command("airflow_provider_ringevents.cli.schema.schema"),
            args=(
                Arg(
                    ("collection",),
                    metavar="COLLECTION",
                    help="List of the table: registrations, events, tickets, booths, ...",
                ),
                Arg(
                    ("--dialect",),
                    required=True,
                    choices=("duckdb", "postgres", "bigquery", "snowflake"),
                    help="Database that runs the statement",
                ),
                Arg(
                    ("--table",),
                    metavar="NAME",
                    help="Name of the table, such as raw.registrations (default: the list's)",
                ),
            ),
            epilog=EXIT_CODES,
        ),
        ActionCommand(
            name="emulator",
            help="Run an emulator of the Events API on this machine, without an account",
            func=lazy_load_command("airflow_provider_ringevents.cli.emulator.emulator"),
            args=tuple(Arg((f"--{name}",), help=text) for name, text in EMULATOR_OPTIONS),
        ),
    ]
    return [
        GroupCommand(
            name="ringevents",
            help="RingCentral Events: list ids, export reports and lists, import people, check the connection",
            subcommands=(*lists, *exports, *loads, *others),
        )
    ]
