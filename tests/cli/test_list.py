"""Listing: the ids that a user cannot guess, and nothing that must not be seen."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_ringevents.cli.list import COLUMNS
from airflow_provider_ringevents.client import Client, endpoints
from airflow_provider_ringevents.exports.catalog import COLLECTIONS

pytestmark = pytest.mark.usefixtures("connect")


def arguments(name: str, emulator: Any) -> list[str]:
    return [name, emulator.event_id] if COLLECTIONS[name].parent == "event" else [name]


def make_report(emulator: Any) -> None:
    """One that is ready, so that it has a signed link."""
    emulator.settings.change(report_seconds=0)
    with Client(emulator.url, emulator.api_key) as client:
        client.send(endpoints.create_report(emulator.event_id, "registrations"))


@pytest.mark.parametrize("name", COLUMNS)
def test_all_outputs_show_the_same_rows(name: str, emulator: Any, run: Any) -> None:
    if name == "reports":
        make_report(emulator)
    command = [*arguments(name, emulator), "--limit", "0"]
    rows = run(*command, "--output", "json").json
    assert (
        len(rows)
        == {
            "organizations": 2,
            "templates": 4,
            "events": 12,
            "tickets": 3,
            "reports": 1,
            "registrations": 250,
        }[name]
    )
    ids = [row["id"] for row in rows]
    plain = run(*command, "--output", "plain")
    assert [line.split("\t")[0] for line in plain.out.splitlines()] == ids
    assert {line.count("\t") for line in plain.out.splitlines()} == {len(COLUMNS[name]) - 1}
    table = run(*command)
    head, rule, *lines = table.out.splitlines()
    assert [word.strip() for word in head.split("|")] == list(COLUMNS[name])
    assert set(rule) == {"=", "+"}
    assert [line.split(" ")[0] for line in lines] == ids
    assert (plain.err, table.err, table.code) == ("", "", 0)


@pytest.mark.parametrize("name", COLUMNS)
def test_columns_are_fields_that_there_are(name: str, emulator: Any, run: Any) -> None:
    if name != "reports":
        (row,) = run(*arguments(name, emulator), "--limit", "1", "-o", "json").json
        assert set(COLUMNS[name]) <= set(row)


@pytest.mark.parametrize("name", COLUMNS)
def test_secrets_are_never_shown(name: str, emulator: Any, run: Any) -> None:
    make_report(emulator)
    with Client(emulator.url, emulator.api_key) as client:
        collection = COLLECTIONS[name]
        parent = {"event": emulator.event_id, "organization": emulator.organization_id}.get(collection.parent)
        whole = list(client.items(collection.call(parent)))
        report = client.send(endpoints.list_reports(emulator.event_id))["data"][0]
    assert report["attributes"]["url"]
    hidden = {"url", "magicLink", "qrCodeData", "qrCodeImageUrl", "password"}
    if name in ("reports", "registrations"):
        assert any(row.get(field) for row in whole for field in hidden), "else this would test nothing"
    ran = run(*arguments(name, emulator), "--limit", "0", "-o", "json", "--verbose")
    assert not any(hidden & set(row) for row in ran.json)
    for text in (ran.out, ran.err):
        assert emulator.api_key not in text
        assert not any(str(row[field]) in text for row in whole for field in hidden & set(row) if row[field])


# --- the limit


def test_a_limit_is_said_and_no_page_beyond_it_is_asked_for(emulator: Any, run: Any) -> None:
    ran = run("registrations", emulator.event_id, "-o", "plain")
    assert len(ran.out.splitlines()) == 100
    assert ran.err == "ringevents: the first 100 of 250 registrations; --limit 0 shows all\n"
    assert emulator.count("GET", "/v1/events/*/registrations") == 1


def test_a_limit_within_a_page(emulator: Any, run: Any) -> None:
    ran = run("registrations", emulator.event_id, "-o", "json", "--limit", "101")
    assert len(ran.json) == 101
    assert "the first 101 of 250 " in ran.err


def test_a_limit_that_is_not_reached_is_not_said(run: Any) -> None:
    assert run("events", "--limit", "12").err == ""
    assert "the first 11 of 12 events" in run("events", "--limit", "11").err


def test_a_cut_is_said_where_the_service_does_not_count(emulator: Any, run: Any) -> None:
    emulator.fault("missing_count", times=None)
    assert "the first 100 registrations; --limit 0 shows all" in run("registrations", emulator.event_id).err


def test_nothing_is_said_in_words(emulator: Any, run: Any) -> None:
    ran = run("reports", emulator.event_id)
    assert (ran.code, ran.out, ran.err) == (0, "", "ringevents: no reports\n")
    assert run("reports", emulator.event_id, "-o", "json").json == []


# --- which organization, which event


def test_without_an_organization_the_error_names_those_that_there_are(connect: Any, emulator: Any, run: Any) -> None:
    connect(extra={"organization_id": None})
    ran = run("events")
    assert ran.code == 2
    for row in run("organizations", "-o", "json").json:
        assert f"{row['name']} ({row['id']})" in ran.err
        assert run("events", "--organization-id", row["id"]).code == 0


def test_the_only_organization_needs_no_id(connect: Any, emulator: Any, run: Any) -> None:
    connect(extra={"organization_id": None})
    only = {"id": emulator.organization_id, "type": "organization", "attributes": {"name": "Alone"}}
    emulator.fault("body", body=json.dumps({"data": [only], "meta": {"count": 1}}), path="/organizations$", times=None)
    assert len(run("events", "-o", "json").json) == 12


@pytest.mark.parametrize(
    "command",
    [
        ("events", "--organization-id", "a/b"),
        ("events", "--organization-id", ""),
        ("tickets", "a/b"),
        ("registrations", "https://app/event"),
    ],
)
def test_an_address_in_place_of_an_id_is_refused_before_anything_is_sent(
    command: tuple[str, ...], emulator: Any, run: Any
) -> None:
    ran = run(*command)
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert not emulator.requests.entries


# --- filters


def test_filters_narrow(emulator: Any, run: Any) -> None:
    rows = run("registrations", emulator.event_id, "-o", "json", "--limit", "0").json
    email = rows[7]["email"]
    found = run("registrations", emulator.event_id, "-o", "json", "--filter", f"email={email}").json
    assert [row["email"] for row in found] == [email]
    middle = sorted(row["updatedAt"] for row in rows)[125]
    later = run(
        "registrations", emulator.event_id, "-o", "json", "--limit", "0", "--filter", f"updatedAt.gte={middle}"
    ).json
    assert len(later) == sum(row["updatedAt"] >= middle for row in rows)


@pytest.mark.parametrize(
    ("given", "quoted"),
    [
        ("email", "'email'"),
        ("=x", "'=x'"),
        ("email.=x", "'email.=x'"),
        (".eq=x", "'.eq=x'"),
    ],
)
def test_an_invalid_filter_is_refused(given: str, quoted: str, emulator: Any, run: Any) -> None:
    ran = run("registrations", emulator.event_id, "--filter", given)
    assert ran.code == 2
    assert ran.err.startswith("ringevents: --filter ")
    assert quoted in ran.err
    assert not emulator.requests.entries


def test_a_filter_given_twice(emulator: Any, run: Any) -> None:
    ran = run("registrations", emulator.event_id, "--filter", "email=a", "--filter", "email=b")
    assert (ran.code, "--filter must be given once for each name, here for 'email'" in ran.err) == (2, True)
    ran = run("registrations", emulator.event_id, "--filter", "email=a", "--filter", "email.eq=b")
    assert (ran.code, "--filter must be given once for each condition, here for email.eq" in ran.err) == (2, True)
