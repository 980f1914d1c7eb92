"""The forms of lists, files and permissions that a service may have, each a setting or a fault."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from airflow_provider_ringevents.emulator import Emulator

PER_PAGE = 100
SEEDED = 250


@pytest.fixture
def http(emulator: Emulator) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {emulator.api_key}"}
    with httpx.Client(base_url=emulator.url, headers=headers, verify=False) as opened:
        yield opened


def page(http: httpx.Client, path: str, number: int = 1, **query: Any) -> Any:
    response = http.get(path, params={"perPage": PER_PAGE, "page": number, **query})
    assert response.status_code == 200, response.text
    return response.json()


def ids(body: Any) -> list[str]:
    return [row["id"] for row in body["data"]]


@pytest.fixture
def path(emulator: Emulator) -> str:
    return f"/v1/events/{emulator.event_id}/registrations"


def test_a_short_or_empty_page_keeps_count_and_links(emulator: Emulator, http: httpx.Client, path: str) -> None:
    whole = page(http, path, 2)
    for fields, rows in (({}, 0), ({"value": 40}, 40)):
        emulator.fault("short_page", query=r"\bpage=2\b", **fields)
        short = page(http, path, 2)
        assert ids(short) == ids(whole)[:rows]
        assert (short["meta"], short["links"]) == (whole["meta"], whole["links"])


def test_a_repeated_page_has_the_rows_of_the_page_before(emulator: Emulator, http: httpx.Client, path: str) -> None:
    first, second = page(http, path, 1), page(http, path, 2)
    emulator.fault("repeated_page", query=r"\bpage=2\b")
    repeated = page(http, path, 2)
    assert ids(repeated) == ids(first) != ids(second)
    assert (repeated["meta"], repeated["links"]) == (second["meta"], second["links"])


def test_an_ignored_page_is_the_first_one_and_its_next_never_ends(
    emulator: Emulator, http: httpx.Client, path: str
) -> None:
    first = page(http, path)
    emulator.settings.change(ignore_page=True)
    for number in (2, 3, 99):
        assert page(http, path, number) == first


def test_next_without_an_end(emulator: Emulator, http: httpx.Client, path: str) -> None:
    assert page(http, path, 3)["links"]["next"] is None
    emulator.settings.change(endless_next=True)
    last = page(http, path, 3)
    beyond = page(http, path, 4)
    assert "page=4" in last["links"]["next"]
    assert (beyond["data"], "page=5" in beyond["links"]["next"]) == ([], True)


@pytest.mark.parametrize(
    ("form", "cap", "expected"),
    [
        ("exact", 1000, [250, 250, 250]),
        ("missing", 1000, [None, None, None]),
        ("capped", 120, [120, 120, 120]),
        ("approximate", 1000, [263, 237, 263]),
    ],
)
def test_forms_of_the_count(
    emulator: Emulator, http: httpx.Client, path: str, form: Any, cap: int, expected: list[int | None]
) -> None:
    emulator.settings.change(count=form, count_cap=cap)
    pages = [page(http, path, number) for number in (1, 2, 3)]
    assert [body.get("meta", {}).get("count") for body in pages] == expected
    assert len({row for body in pages for row in ids(body)}) == SEEDED


def test_forms_of_the_links(emulator: Emulator, http: httpx.Client, path: str) -> None:
    plain = page(http, path)["links"]
    emulator.settings.change(links="object")
    assert page(http, path)["links"] == {name: link and {"href": link} for name, link in plain.items()}
    emulator.settings.change(links="null")
    assert page(http, path)["links"] == dict.fromkeys(plain)
    emulator.settings.change(links="missing")
    assert "links" not in page(http, path)


def test_links_of_another_host(emulator: Emulator, http: httpx.Client, path: str) -> None:
    emulator.settings.change(links_origin="https://api.internal.example:8443")
    following = page(http, path)["links"]["next"]
    assert following.startswith(f"https://api.internal.example:8443{path}?")
    assert dict(parse_qsl(urlsplit(following).query))["page"] == "2"


def test_a_raw_plus_in_links_reads_as_a_space(emulator: Emulator, http: httpx.Client, path: str) -> None:
    query = {"filter[email][in]": "a+b@x.org,c@x.org"}
    sound = dict(parse_qsl(urlsplit(page(http, path, **query)["links"]["self"]).query))
    assert sound["filter[email][in]"] == "a+b@x.org,c@x.org"
    emulator.settings.change(raw_plus_in_links=True)
    broken = dict(parse_qsl(urlsplit(page(http, path, **query)["links"]["self"]).query))
    assert broken["filter[email][in]"] == "a b@x.org,c@x.org"


def test_filters_are_ignored(emulator: Emulator, http: httpx.Client, path: str) -> None:
    nobody = {"filter[email][eq]": "nobody@example.org"}
    assert page(http, path, **nobody)["meta"]["count"] == 0
    emulator.settings.change(ignore_filters=True)
    assert page(http, path, **nobody)["meta"]["count"] == SEEDED


def test_null_for_an_empty_list(emulator: Emulator, http: httpx.Client, path: str) -> None:
    nobody = {"filter[email][eq]": "nobody@example.org"}
    emulator.settings.change(empty_data="null")
    assert page(http, path, **nobody)["data"] is None
    assert len(page(http, path)["data"]) == PER_PAGE


@pytest.mark.parametrize("of", ["registrations", "tickets"])
def test_rows_without_attributes(emulator: Emulator, http: httpx.Client, of: str) -> None:
    path = f"/v1/events/{emulator.event_id}/{of}"
    nested = page(http, path)["data"]
    emulator.settings.change(row_form="flat")
    assert page(http, path)["data"] == [{"type": row["type"], **row["attributes"]} for row in nested]
    emulator.settings.change(row_form="bare")
    assert page(http, path)["data"] == [{"id": row["id"]} for row in nested]


def test_rows_that_change_move_to_the_end(emulator: Emulator, http: httpx.Client, path: str) -> None:
    emulator.settings.change(registrations_order="updated")
    before = [row for number in (1, 2, 3) for row in ids(page(http, path, number))]
    emulator.fault("registrations_updated", query=r"\bpage=1\b", value=3)
    seen = [row for number in (1, 2, 3) for row in ids(page(http, path, number))]
    assert seen == [*before[:100], *before[103:], *before[:3]]
    assert set(before) - set(seen) == set(before[100:103])


# --- files


def report(emulator: Emulator) -> Any:
    emulator.settings.change(report_seconds=0)
    return emulator.reports.create(emulator.state.events[emulator.event_id], "registrations", {})


@pytest.mark.parametrize(("form", "members"), [("gzip", 1), ("gzip_members", 2)])
def test_compressed_files(emulator: Emulator, http: httpx.Client, form: Any, members: int) -> None:
    made = report(emulator)
    emulator.settings.change(file_encoding=form, checksum="repr-digest")
    with http.stream("GET", f"/v1/reports/{made.id}/download") as response:
        raw = b"".join(response.iter_raw())
    assert response.headers["content-encoding"] == "gzip"
    assert int(response.headers["content-length"]) == len(raw)
    assert gzip.decompress(raw) == emulator.report_content(made.id)
    first = zlib.decompressobj(wbits=31)
    first.decompress(raw)
    assert bool(first.unused_data) is (members > 1)
    emulator.settings.change(content_encoding="x-gzip", checksum="content-md5")
    with http.stream("GET", f"/v1/reports/{made.id}/download") as response:
        assert b"".join(response.iter_raw()) == raw
    assert response.headers["content-encoding"] == "x-gzip"
    assert hashlib.md5(raw, usedforsecurity=False).hexdigest() == _md5(response)


def _md5(response: httpx.Response) -> str:
    import base64

    return base64.b64decode(response.headers["content-md5"]).hex()


@pytest.mark.parametrize("encoding", ["aws-chunked", "utf-8", "identity", "br"])
def test_an_encoding_that_is_only_named(emulator: Emulator, http: httpx.Client, encoding: str) -> None:
    made = report(emulator)
    emulator.settings.change(content_encoding=encoding)
    with http.stream("GET", f"/v1/reports/{made.id}/download") as response:
        assert b"".join(response.iter_raw()) == emulator.report_content(made.id)
    assert response.headers["content-encoding"] == encoding


def test_an_error_document_with_status_200_and_an_empty_file(emulator: Emulator, http: httpx.Client) -> None:
    emulator.settings.change(report_bytes=0)
    made = report(emulator)
    emulator.fault("body", path="/download$", body="<Error/>", headers={"Content-Type": "text/csv"})
    wrong = http.get(f"/v1/reports/{made.id}/download")
    assert (wrong.status_code, wrong.text, wrong.headers["content-type"]) == (200, "<Error/>", "text/csv")
    empty = http.get(f"/v1/reports/{made.id}/download")
    assert (empty.status_code, empty.content, empty.headers["content-length"]) == (200, b"", "0")


# --- permissions and words


@pytest.mark.parametrize(
    ("expected", "statuses"), [("Registration", [200, 422]), ("registration", [422, 200]), ("any", [200, 200])]
)
def test_the_type_of_an_update(
    emulator: Emulator, http: httpx.Client, path: str, expected: Any, statuses: list[int]
) -> None:
    emulator.settings.change(registration_type=expected)
    row = ids(page(http, path))[0]
    for word, status in zip(("Registration", "registration"), statuses, strict=True):
        body = {"data": {"type": word, "attributes": {"metadata": {"a": "b"}}}}
        response = http.patch(f"/v1/registrations/{row}", json=body)
        assert response.status_code == status, response.text
        if status == 422:
            assert response.json()["errors"][0]["source"]["pointer"] == "/data/type"


PERSON = {"data": {"type": "magicLink", "attributes": {"email": "a@x.org", "firstName": "A", "lastName": "B"}}}


def test_a_member_without_rights_reads_only(emulator: Emulator, http: httpx.Client, path: str) -> None:
    emulator.settings.change(read_only_key=True)
    assert len(page(http, path)["data"]) == PER_PAGE
    refused = http.post(f"/v1/organizations/{emulator.organization_id}/events", json={})
    assert refused.status_code == 403
    assert "role" in refused.json()["errors"][0]["detail"]


def test_a_plan_without_magic_links(emulator: Emulator, http: httpx.Client) -> None:
    ticket = next(iter(emulator.state.events[emulator.event_id].tickets))
    assert http.post(f"/v1/tickets/{ticket}/magicLinks", json=PERSON).status_code == 201
    emulator.settings.change(plan_has_magic_links=False)
    refused = http.post(f"/v1/tickets/{ticket}/magicLinks", json=PERSON)
    assert refused.status_code == 403
    assert "plan" in refused.json()["errors"][0]["detail"]


def test_magic_links_of_an_unpublished_event(emulator: Emulator, http: httpx.Client) -> None:
    draft = next(event for event in emulator.state.events.values() if not event.published)
    ticket = emulator.state.create_ticket(draft, {"name": "Guest"})
    assert http.post(f"/v1/tickets/{ticket.id}/magicLinks", json=PERSON).status_code == 201
    emulator.settings.change(draft_magic_links=False)
    refused = http.post(f"/v1/tickets/{ticket.id}/magicLinks", json=PERSON)
    assert refused.status_code == 422
    assert "not published" in refused.json()["errors"][0]["detail"]


def test_publishing_without_a_ticket(emulator: Emulator, http: httpx.Client) -> None:
    emulator.settings.change(publish_needs_ticket=True)
    body = {"data": {"type": "event", "attributes": {"auto_publish": True}}}
    draft = next(event for event in emulator.state.events.values() if not event.published)
    refused = http.post(f"/v1/events/{draft.id}/duplications", json=body)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["source"]["pointer"] == "/data/attributes/auto_publish"
    assert http.post(f"/v1/events/{emulator.event_id}/duplications", json=body).status_code == 202
