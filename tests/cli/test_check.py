"""``check``: each thing that can be wrong has a line, and the first one decides the exit code."""

from __future__ import annotations

from email.utils import formatdate
from typing import Any

import pytest
from airflow_harness.database import ensure_database

from airflow_provider_ringevents import clock

ORGANIZATIONS = r"/organizations$"


@pytest.fixture
def check(connect: Any, run: Any) -> Any:
    """Runs it: check -> (result, found), and how it ended."""

    def check(*arguments: str) -> tuple[dict[str, tuple[str, str]], Any]:
        ran = run("check", "-o", "json", *arguments)
        return {row["check"]: (row["result"], row["found"]) for row in ran.json}, ran

    return check


def date(emulator: Any, seconds: float) -> None:
    """The service's clock is so many seconds ahead of ours."""
    emulator.fault("headers", headers={"Date": formatdate(clock.now() + seconds, usegmt=True)}, times=None)


def test_all_is_well(check: Any, emulator: Any) -> None:
    date(emulator, 0)
    found, ran = check()
    assert list(found) == ["connection", "service", "key", "organization", "events", "templates", "filters", "clock"]
    assert {result for result, _ in found.values()} == {"ok"}
    assert found["connection"][1].startswith(f"ringevents_default: {emulator.url}, has a key")
    assert "sees 2 organizations: " in found["key"][1]
    assert emulator.organization_id in found["key"][1]
    assert (found["events"][1], found["templates"][1]) == ("sees 12", "sees 4")
    assert (ran.code, ran.err) == (0, "")
    assert emulator.api_key not in ran.out


@pytest.mark.parametrize(
    ("seconds", "said"), [(-3600, "3600 s ahead of"), (3600, "3600 s behind"), (90, "90 s behind")]
)
def test_clocks_that_differ_are_a_warning(seconds: int, said: str, check: Any, emulator: Any) -> None:
    date(emulator, seconds)
    found, ran = check()
    result, text = found["clock"]
    number = int(text.partition(") is ")[2].partition(" ")[0])
    assert (result, ran.code) == ("warning", 0)
    assert abs(number - abs(seconds)) <= 5, "the test itself takes time"
    assert said.partition(" ")[2] in text


def test_a_service_that_does_not_say_its_time(check: Any, emulator: Any) -> None:
    emulator.fault("headers", headers={"Date": "soon"}, times=None)
    found, ran = check()
    assert (found["clock"], ran.code) == (("unknown", "the service sent no Date header"), 0)


def test_a_key_that_is_refused(check: Any, connect: Any, emulator: Any) -> None:
    connect(password="another-key-of-mine")
    found, ran = check()
    assert found["key"][0] == "failed"
    assert "401" in found["key"][1]
    assert "events" not in found
    assert ran.code == 3
    assert "another-key-of-mine" not in ran.out + ran.err
    assert ran.err == "ringevents: a check failed, see above\n"


def test_what_the_key_may_not_see_is_told_by_name(check: Any, emulator: Any) -> None:
    emulator.fault("status", status=403, path="/templates$", times=None)
    found, ran = check()
    assert (found["events"][0], found["templates"][0], ran.code) == ("ok", "failed", 3)


def test_an_organization_that_is_not_the_keys(check: Any, connect: Any) -> None:
    connect(extra={"organization_id": "0" * 25})
    found, ran = check()
    assert (found["key"][0], found["organization"][0], ran.code) == ("ok", "failed", 4)


def test_no_organization_in_the_connection_is_no_failure(check: Any, connect: Any) -> None:
    connect(extra={"organization_id": None})
    found, ran = check()
    assert "no organization_id in its extra" in found["connection"][1]
    assert list(found) == ["connection", "service", "key", "clock"]
    assert ran.code == 0


def test_nobody_there(check: Any, emulator: Any) -> None:
    emulator.stop()
    found, ran = check()
    assert (found["service"][0], found["key"][0], ran.code) == ("failed", "failed", 5)


def test_no_connection(check: Any) -> None:
    ensure_database()
    found, ran = check("--conn-id", "nobody")
    assert list(found) == ["connection"]
    assert (found["connection"][0], ran.code) == ("failed", 2)


def test_a_service_that_ignores_filters_is_told(check: Any, emulator: Any) -> None:
    found, ran = check()
    assert (found["filters"], ran.code) == (("ok", "the service filters"), 0)
    emulator.settings.change(ignore_filters=True)
    found, ran = check()
    assert found["filters"][0] == "failed"
    assert "ignores filters" in found["filters"][1]
    assert ran.code == 1


def test_filters_cannot_be_tested_without_registrations(check: Any, emulator: Any) -> None:
    for event in emulator.state.events.values():
        for index in range(event.registrations.size):
            event.registrations.delete(index)
    found, ran = check()
    assert (found["filters"][0], ran.code) == ("ok", 0)
    assert "not tested" in found["filters"][1]


def test_json_is_a_form_of_output(run: Any, connect: Any) -> None:
    assert {row["check"] for row in run("check", "--json").json} >= {"key", "filters"}
