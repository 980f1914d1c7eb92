"""``ringevents check``: test a connection before a DAG runs, one line for each check."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Final

from airflow_provider_ringevents import clock
from airflow_provider_ringevents.cli.hook import CliHook, ProgressListener
from airflow_provider_ringevents.cli.output import Output, print_rows
from airflow_provider_ringevents.cli.parsing import describe_error
from airflow_provider_ringevents.cli.runner import ExitCode, command, exit_code, print_error, print_hint
from airflow_provider_ringevents.client import defaults, endpoints
from airflow_provider_ringevents.client.endpoints import Call
from airflow_provider_ringevents.client.errors import RingEventsError
from airflow_provider_ringevents.client.pagination import Page
from airflow_provider_ringevents.hooks.ringevents import describe_organizations

_MAX_FILTERED_EVENTS = 3


class _ClockSkewProbe(ProgressListener):
    """A listener that compares this machine's clock with the service's at each response.

    :ivar ahead: Seconds by which this machine is ahead of the service; None if it sent no time.
    """

    ahead: float | None = None

    def on_response(self, date: str | None) -> None:
        """Compare the clocks."""
        try:
            service_time = parsedate_to_datetime(date or "")
        except ValueError:
            return
        if service_time.tzinfo is None:
            service_time = service_time.replace(tzinfo=UTC)
        # The header is truncated to whole seconds: half a second is the mean error.
        self.ahead = clock.now() - service_time.timestamp() - 0.5


_STYLES: Final = {"result": {"ok": "green", "warning": "yellow", "unknown": "yellow", "failed": "red"}}


class _CheckReport:
    """The results of the checks, in order, and the exit code of the first failure."""

    def __init__(self) -> None:
        self.rows: list[dict[str, str]] = []
        self.code = ExitCode.SUCCESS

    def add(self, check: str, result: str, found: str) -> None:
        """Record a result."""
        self.rows.append({"check": check, "result": result, "found": found})

    def run(self, check: str, perform: Callable[[], str]) -> bool:
        """Run a check and record its result; return False if it failed."""
        try:
            found = perform()
        except RingEventsError as error:
            self.add(check, "failed", describe_error(error))
            self.code = self.code or exit_code(error)
            return False
        self.add(check, "ok", found)
        return True


@command
def check(args: argparse.Namespace) -> ExitCode:
    """Run ``ringevents check``."""
    output: Output = "json" if args.json else args.output
    if args.report:
        return _report(args.conn_id, output)
    clock_skew = _ClockSkewProbe()
    report = _CheckReport()
    with CliHook(args.conn_id, clock_skew) as hook:
        if report.run("connection", lambda: _check_connection(hook)):
            report.run("service", lambda: _check_service(hook))
            if report.run("key", lambda: _check_key(hook)) and hook.default_organization_id:
                organization_id = hook.default_organization_id
                report.run("organization", lambda: str(hook.get_organization(organization_id).get("name")))
                for name, call in (
                    ("events", endpoints.list_events(organization_id)),
                    ("templates", endpoints.list_templates(organization_id)),
                ):
                    report.run(name, partial(_check_list, hook, call))
                _check_filters(report, hook, organization_id)
            _check_clock(report, clock_skew.ahead)
    print_rows(report.rows, ("check", "result", "found"), output, _STYLES)
    if report.code:
        print_error("a check failed, see above")
    return report.code


def _report(conn_id: str, output: Output) -> ExitCode:
    from airflow_provider_ringevents.cli.check_report.probes import lines
    from airflow_provider_ringevents.cli.check_report.session import Session
    from airflow_provider_ringevents.cli.check_report.survey import Survey

    with CliHook(conn_id) as hook, Session(hook.client.settings, print_hint) as session:
        survey = Survey(session, hook.default_organization_id, lambda reason: print_hint(f"not seen: {reason}"))
        print_rows(lines(survey.run()), ("point", "fits", "seen", "assumed"), output)
    return ExitCode.SUCCESS


def _check_filters(report: _CheckReport, hook: CliHook, organization_id: str) -> None:
    """Ask once with a filter that nothing can match."""
    from airflow_provider_ringevents.cli.check_report.survey import NOBODY

    def look() -> str:
        events = _first_page(hook, endpoints.list_events(organization_id)).items
        published = [event for event in events if event.get("published")]
        for event in (published or list(events))[:_MAX_FILTERED_EVENTS]:
            everybody = hook.client.send(endpoints.list_registrations(event["id"]).with_params(perPage=1))
            if not everybody.get("data"):
                continue
            call = endpoints.list_registrations(event["id"], {"email": NOBODY}).with_params(perPage=1)
            if hook.client.send(call).get("data"):
                raise RingEventsError("the service ignores filters: it returned rows for an address that nobody has")
            return "the service filters"
        return "not tested: no event with registrations was found"

    report.run("filters", look)


def _check_connection(hook: CliHook) -> str:
    settings = hook.client.settings
    organization = hook.default_organization_id
    default = f"organization {organization}" if organization else "no organization_id in its extra"
    return f"{hook.ringevents_conn_id}: {settings.base_url}, has a key, {default}"


def _check_service(hook: CliHook) -> str:
    started = clock.monotonic()
    hook.health()
    return f"responds in {1000 * (clock.monotonic() - started):.0f} ms"


def _check_key(hook: CliHook) -> str:
    return f"accepted; {describe_organizations(_first_page(hook, endpoints.list_organizations()))}"


def _check_list(hook: CliHook, call: Call) -> str:
    page = _first_page(hook, call)
    return f"sees {page.count if page.count is not None else len(page.items)}"


def _first_page(hook: CliHook, call: Call) -> Page:
    with closing(hook.client.pages(call)) as pages:
        return next(pages)


def _check_clock(report: _CheckReport, ahead: float | None) -> None:
    if ahead is None:
        report.add("clock", "unknown", "the service sent no Date header")
        return
    if abs(ahead) <= defaults.WATERMARK_DELAY:
        report.add("clock", "ok", f"within {defaults.WATERMARK_DELAY:.0f} s of the service")
        return
    direction = "ahead of" if ahead > 0 else "behind"
    now = datetime.fromtimestamp(clock.now(), UTC).isoformat(timespec="seconds")
    report.add(
        "clock",
        "warning",
        f"this machine ({now}) is {abs(ahead):.0f} s {direction} the service; windows up to now may miss rows",
    )
