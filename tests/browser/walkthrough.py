"""What somebody should see who goes from an empty list of connections to an exported file in the web pages."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

from browser.chromium import browse
from browser.environment import browser_environment

from airflow_provider_ringevents.get_provider_info import get_provider_info

(FORM,) = get_provider_info()["connection-types"]


def walk(folder: Path, limit: float, *, standalone: bool = False, **choices: Any) -> dict[str, Any]:
    """Go the way, check what is seen, and return it.

    :param folder: an empty one.
    :param limit: seconds.
    :param standalone: have ``airflow standalone`` start Airflow.
    :param choices: of the script.
    """
    # In pictures the emulator is where the documentation says.
    with browser_environment(folder, port=8765 if "pictures" in choices else 0, standalone=standalone) as where:
        given = {**where.given(), **choices, "failure": str(folder / "failed.png")}
        seen = browse("walkthrough.mjs", given, limit)
        _check_form(seen)
        _check_answers(seen, where.emulator)
        _check_export(seen, where.emulator, where.store)
        if choices.get("everything"):
            _check_the_rest(seen, given)
    return seen


def _check_form(seen: dict[str, Any]) -> None:
    shown = {field["label"]: field for field in seen["form"]}
    assert list(shown) == ["Connection ID", "Connection Type", "Description", "Base URL", "API key", "Port", "Scheme"]
    placeholders = FORM["ui-field-behaviour"]["placeholders"]
    assert shown["Base URL"]["placeholder"] == placeholders["host"]
    assert shown["API key"]["placeholder"] == placeholders["password"]
    assert shown["API key"]["hidden"]
    assert shown["Port"]["placeholder"] == placeholders["port"]
    assert shown["Scheme"]["placeholder"] == placeholders["schema"]
    extra = {field["label"]: field for field in seen["extra"]}
    for field in FORM["conn-fields"].values():
        assert extra[field["label"]]["help"] == field["description"]
    assert extra["Proxy"]["hidden"]


def _check_answers(seen: dict[str, Any], emulator: Any) -> None:
    title, words = seen["refused"]
    assert title == "Test Connection Failed"
    assert words.startswith("The key was refused (401): ")
    assert "a-wrong-key" not in words
    title, words = seen["accepted"]
    assert title == "Test Connection Successful"
    named = [f"{owner.attributes['name']} (id {owner.id})" for owner in emulator.state.visible_organizations()]
    assert words == f"Key accepted; sees 2 organizations: {', '.join(named)}"


def _check_export(seen: dict[str, Any], emulator: Any, store: Path) -> None:
    assert seen["trigger"]["unpauses"]
    helps = {field["label"]: field["help"] for field in seen["trigger"]["fields"]}
    assert helps["Event"].startswith("Id of the event")
    assert seen["states"][-1] == "Success"
    name = f"registrations-{emulator.event_id}.csv"
    (report,) = emulator.reports
    written = (store / "reports" / name).read_bytes()
    assert hashlib.sha256(written).hexdigest() == emulator.report_sha256(report.id)
    assert f"Requested the registrations report of event {emulator.event_id}: report {report.id}" in seen["log"]
    assert re.search(rf"Report {report.id} is ready after [\d.]+ ", seen["log"])
    assert f"Wrote s3://{store.name}/reports/{name}" in seen["log"]
    page = f"https://s3.console.aws.amazon.com/s3/object/{store.name}?prefix=reports/{name}"
    assert seen["links"] == {"Exported object": page}
    assert seen["followed"] == page


def _check_the_rest(seen: dict[str, Any], given: dict[str, Any]) -> None:
    title, words = seen["unreachable"]
    assert title == "Test Connection Failed"
    assert words.startswith(f"No answer from http://127.0.0.1:{given['closed_port']}: Connection refused. ")
    assert seen["series_states"][-1] == "Success"
    (page,) = seen["event_links"].values()
    assert page.startswith(f"{given['emulator']}/#")
    assert seen["event_followed"] == page
    assert "Getting started" in seen["event_row"]
    assert [title.partition(" (")[0] for title in seen["emulator"]] == [
        *("Connection", "What may go wrong", "Reports", "Requests", "Events", "Organizations", "Templates"),
    ]
