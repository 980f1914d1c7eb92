"""``ringevents check``: what could be wrong before a DAG runs, one line for each thing."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial

from airflow_provider_ringevents import clock
from airflow_provider_ringevents.cli.exit_codes import ExitCode, exit_code
from airflow_provider_ringevents.cli.hook import CliHook, ProgressListener
from airflow_provider_ringevents.cli.output import print_rows
from airflow_provider_ringevents.cli.runner import command, print_error
from airflow_provider_ringevents.cli.wording import in_the_shell
from airflow_provider_ringevents.client import defaults, endpoints
from airflow_provider_ringevents.client.endpoints import Call
from airflow_provider_ringevents.client.errors import RingEventsError
from airflow_provider_ringevents.client.pagination import Page

_SHOWN_ORGANIZATIONS = 5


class _ClockSkewProbe(ProgressListener):
    """Compares the clocks whenever an answer comes.

    :ivar ahead: seconds that this machine is ahead of the service; None: it did not say its time.
    """

    ahead: float | None = None

    def answered(self, date: str | None) -> None:
        try:
            said = parsedate_to_datetime(date or "")
        except ValueError:
            return
        # The header has whole seconds, cut off: on average it is half a second old.
        self.ahead = clock.now() - (said if said.tzinfo else said.replace(tzinfo=UTC)).timestamp() - 0.5


class _CheckReport:
    """What was found, in order, and the exit code that it adds up to: the first failure's."""

    def __init__(self) -> None:
        self.rows: list[dict[str, str]] = []
        self.code = ExitCode.DONE

    def add(self, check: str, result: str, found: str) -> None:
        """Take note of a result."""
        self.rows.append({"check": check, "result": result, "found": found})

    def tried(self, check: str, attempt: Callable[[], str]) -> bool:
        """Make an attempt and take note of what it says; False when it failed."""
        try:
            found = attempt()
        except RingEventsError as error:
            self.add(check, "failed", in_the_shell(error))
            self.code = self.code or exit_code(error)
            return False
        self.add(check, "ok", found)
        return True


@command
def check(args: argparse.Namespace) -> ExitCode:
    """``ringevents check``"""
    servers_clock = _ClockSkewProbe()
    findings = _CheckReport()
    with CliHook(args.conn_id, servers_clock) as hook:
        if findings.tried("connection", lambda: _connection(hook)):
            findings.tried("service", lambda: _service(hook))
            if findings.tried("key", lambda: _key(hook)) and hook.default_organization_id:
                organization_id = hook.default_organization_id
                findings.tried("organization", lambda: str(hook.get_organization(organization_id).get("name")))
                for what, call in (
                    ("events", endpoints.list_events(organization_id)),
                    ("templates", endpoints.list_templates(organization_id)),
                ):
                    findings.tried(what, partial(_counted, hook, call))
            _clocks(findings, servers_clock.ahead)
    print_rows(findings.rows, ("check", "result", "found"), args.output)
    if findings.code:
        print_error("something is wrong, see above")
    return findings.code


def _connection(hook: CliHook) -> str:
    settings = hook.client.settings
    organization = hook.default_organization_id
    default = f"organization {organization}" if organization else "no organization_id in its extra"
    return f"{hook.ringevents_conn_id}: {settings.base_url}, has a key, {default}"


def _service(hook: CliHook) -> str:
    started = clock.monotonic()
    hook.health()
    return f"answers in {1000 * (clock.monotonic() - started):.0f} ms"


def _key(hook: CliHook) -> str:
    page = _first_page(hook, endpoints.list_organizations())
    shown = page.items[:_SHOWN_ORGANIZATIONS]
    count = page.count if page.count is not None else len(page.items)
    named = ", ".join(f"{item.get('name')} ({item['id']})" for item in shown)
    more = ", ..." if count > len(shown) else ""
    return f"accepted; sees {count} organization{'' if count == 1 else 's'}{f': {named}{more}' if named else ''}"


def _counted(hook: CliHook, call: Call) -> str:
    page = _first_page(hook, call)
    return f"sees {page.count if page.count is not None else len(page.items)}"


def _first_page(hook: CliHook, call: Call) -> Page:
    with closing(hook.client.pages(call)) as pages:
        return next(pages)


def _clocks(findings: _CheckReport, ahead: float | None) -> None:
    if ahead is None:
        findings.add("clock", "unknown", "the service did not say its time")
        return
    far = abs(ahead) > defaults.WATERMARK_DELAY
    way = "ahead of" if ahead > 0 else "behind"
    now = datetime.fromtimestamp(clock.now(), UTC).isoformat(timespec="seconds")
    findings.add(
        "clock",
        "warning" if far else "ok",
        f"this machine ({now}) is {abs(ahead):.0f} s {way} the service; windows up to now may miss rows"
        if far
        else f"within {defaults.WATERMARK_DELAY:.0f} s of the service's",
    )
