"""Reports: made after a while, downloaded whole or in parts, through links that expire."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import time
import tracemalloc
from typing import Any

import httpx
import pytest

from airflow_provider_ringevents.client.types import REPORT_TYPES
from airflow_provider_ringevents.emulator import Emulator, ManualClock
from airflow_provider_ringevents.emulator.backend.report_files import BLOCK, SyntheticContent
from emulator.conftest import Api, fetch


def _create(api: Api, event_path: str, kind: str = "registrations") -> str:
    identifier: str = api.post(f"{event_path}/reports/{kind}")["data"]["id"]
    return identifier


def _ready(api: Api, event_path: str, clock: ManualClock, kind: str = "registrations") -> tuple[str, str]:
    """A report that is done, and a link to its file."""
    report = _create(api, event_path, kind)
    clock.advance(60)
    url: str = api.get(f"/v1/reports/{report}")["data"]["attributes"]["url"]
    return report, url


def test_report_takes_its_time(event_path: str, emulator: Emulator, api: Api, clock: ManualClock) -> None:
    created = api.post(f"{event_path}/reports/registrations")["data"]
    assert created["attributes"]["status"] == "enqueued"
    assert "url" not in created["attributes"]
    path = f"/v1/reports/{created['id']}"
    pending = api.get(path, 202)["data"]["attributes"]
    assert pending == {"id": created["id"], "status": "in_progress"}
    api.get(f"{path}/download", 404)
    assert api.rows(f"{event_path}/reports") == [{**pending, "title": created["attributes"]["title"]}]
    clock.advance(emulator.settings.report_seconds)
    done = api.get(path)["data"]["attributes"]
    assert done["status"] == "completed"
    assert done["url"].startswith(f"{emulator.links_url}/")
    assert [row["id"] for row in api.rows(f"{event_path}/reports")] == [created["id"]]


def test_file_is_the_same_everywhere(event_path: str, emulator: Emulator, api: Api, clock: ManualClock) -> None:
    report, url = _ready(api, event_path, clock)
    linked = fetch(url)
    direct = api.call("GET", f"/v1/reports/{report}/download")
    assert linked.status_code == 200
    assert linked.content == direct.content == emulator.report_content(report)
    assert hashlib.sha256(linked.content).hexdigest() == emulator.report_sha256(report)
    assert linked.headers["content-length"] == str(len(linked.content))
    assert linked.headers["content-type"] == "text/csv; charset=utf-8"
    assert 'filename="registrations-data-engineering-summit' in linked.headers["content-disposition"]


def test_file_has_the_events_registrations(event_path: str, emulator: Emulator, api: Api, clock: ManualClock) -> None:
    report, _ = _ready(api, event_path, clock)
    text = emulator.report_content(report).decode()
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    shown = api.rows(f"{event_path}/registrations", perPage=100)
    assert [row["Registration ID"] for row in rows] == [row["id"] for row in shown]
    assert [row["First name"] for row in rows] == [row["firstName"] for row in shown]
    assert [row["Last name"] for row in rows] == [row["lastName"] for row in shown]
    assert "\n" in "".join(row["Company"] for row in rows)


@pytest.mark.parametrize("kind", REPORT_TYPES)
def test_every_type_has_a_file(kind: str, event_path: str, emulator: Emulator, api: Api, clock: ManualClock) -> None:
    report, _ = _ready(api, event_path, clock, kind)
    rows = list(csv.reader(io.StringIO(emulator.report_content(report).decode(), newline="")))
    assert len(rows) > 50
    assert {len(row) for row in rows} == {len(rows[0])}


def test_types_differ(event_path: str, emulator: Emulator, api: Api, clock: ManualClock) -> None:
    sizes = [_ready(api, event_path, clock, kind)[0] for kind in ("registrations", "attendees", "noShows")]
    lines = [list(csv.DictReader(io.StringIO(emulator.report_content(each).decode(), newline=""))) for each in sizes]
    everybody, came, missed = ({row["Registration ID"] for row in rows} for rows in lines)
    assert came | missed == everybody
    assert came & missed == set()


def test_file_holds_who_had_registered_when_it_was_asked_for(
    event_path: str, emulator: Emulator, api: Api, clock: ManualClock
) -> None:
    report = _create(api, event_path)
    emulator.state.add_registrations(emulator.event_id, 10)
    clock.advance(60)
    before = emulator.report_content(report)
    emulator.reports.change_file(report)
    after = emulator.report_content(report)
    assert after.startswith(before)
    assert after.count(b"\r\n") - before.count(b"\r\n") == 11


def test_link_expires(event_path: str, emulator: Emulator, api: Api, clock: ManualClock) -> None:
    _, url = _ready(api, event_path, clock)
    clock.advance(60)
    assert fetch(url).status_code == 200
    clock.advance(0.01)
    refused = fetch(url)
    assert refused.status_code == 403
    assert refused.headers["content-type"] == "application/xml"
    assert b"<Code>AccessDenied</Code><Message>Request has expired</Message>" in refused.content
    emulator.settings.change(link_seconds=5)
    _, url = _ready(api, event_path, clock)
    clock.advance(6)
    assert fetch(url).status_code == 403


def test_link_cannot_be_made_up(event_path: str, api: Api, clock: ManualClock) -> None:
    report, url = _ready(api, event_path, clock)
    other, _ = _ready(api, event_path, clock)
    for wrong in (
        url[:-1] + ("0" if url[-1] != "0" else "1"),
        url.replace("expires=", "expires=9"),
        url.replace(report, other),
        url.partition("&")[0],
        url.partition("?")[0],
    ):
        refused = fetch(wrong)
        assert refused.status_code == 403
        assert b"SignatureDoesNotMatch" in refused.content
    nothing = fetch(url.partition("/reports/")[0] + "/elsewhere")
    assert (nothing.status_code, nothing.headers["content-type"]) == (404, "application/xml")


def test_leaked_keys_are_counted(event_path: str, emulator: Emulator, api: Api, clock: ManualClock) -> None:
    _, url = _ready(api, event_path, clock)
    fetch(url)
    assert emulator.leaked_authorizations == 0
    assert fetch(url, Authorization="Bearer secret").status_code == 200
    assert emulator.leaked_authorizations == 1
    assert "secret" not in repr(emulator.requests.entries)


def test_download_may_redirect(event_path: str, emulator: Emulator, api: Api, clock: ManualClock) -> None:
    emulator.settings.change(download="redirect")
    report, _ = _ready(api, event_path, clock)
    response = api.http.get(f"/v1/reports/{report}/download")
    assert response.status_code == 302
    assert fetch(response.headers["location"]).content == emulator.report_content(report)


@pytest.mark.parametrize(
    ("status", "url", "has_url"),
    [("failed", True, False), ("Error", True, False), ("done", True, True), ("ready", False, False)],
)
def test_status_words(
    status: str, url: bool, has_url: bool, event_path: str, emulator: Emulator, api: Api, clock: ManualClock
) -> None:
    emulator.settings.change(report_status=status, report_url=url)
    report = _create(api, event_path)
    api.get(f"/v1/reports/{report}", 202)
    clock.advance(60)
    attributes = api.get(f"/v1/reports/{report}")["data"]["attributes"]
    assert attributes["status"] == status
    assert ("url" in attributes) is has_url
    api.call("GET", f"/v1/reports/{report}/download", 404 if status in ("failed", "Error") else 200)


def test_pending_may_be_200_with_any_word(event_path: str, emulator: Emulator, api: Api) -> None:
    emulator.settings.change(report_pending_code=200, report_pending_status="cooking")
    report = _create(api, event_path)
    assert api.get(f"/v1/reports/{report}")["data"]["attributes"]["status"] == "cooking"


def test_one_report_may_be_changed(event_path: str, emulator: Emulator, api: Api, clock: ManualClock) -> None:
    first, second = _create(api, event_path), _create(api, event_path)
    emulator.report(first).status = "failed"
    clock.advance(60)
    words = [api.get(f"/v1/reports/{each}")["data"]["attributes"]["status"] for each in (first, second)]
    assert words == ["failed", "completed"]


def test_new_report_may_be_missing_for_a_while(
    event_path: str, emulator: Emulator, api: Api, clock: ManualClock
) -> None:
    emulator.settings.change(report_missing_seconds=5)
    report = _create(api, event_path)
    api.get(f"/v1/reports/{report}", 404)
    assert api.rows(f"{event_path}/reports") == []
    clock.advance(5)
    api.get(f"/v1/reports/{report}")


# --- parts, headers, sizes


RANGES = [
    ("bytes=0-9", 0, 10),
    ("bytes=100-", 100, None),
    ("bytes=-7", -7, None),
    ("bytes=10-999999999", 10, None),
    ("bytes=0-0", 0, 1),
]


@pytest.mark.parametrize(("header", "start", "stop"), RANGES)
def test_parts(
    header: str, start: int, stop: int | None, event_path: str, emulator: Emulator, api: Api, clock: ManualClock
) -> None:
    report, url = _ready(api, event_path, clock)
    content = emulator.report_content(report)
    response = fetch(url, Range=header)
    assert response.status_code == 206
    assert response.content == content[start:stop]
    assert response.headers["accept-ranges"] == "bytes"
    first = start % len(content)
    assert response.headers["content-range"] == f"bytes {first}-{first + len(response.content) - 1}/{len(content)}"
    assert response.headers["content-length"] == str(len(response.content))


@pytest.mark.parametrize("header", ["bytes=5-2", "bytes=", "bytes=-", "bytes=0-1,4-5", "rows=0-1", "bytes=x-y"])
def test_ranges_that_mean_nothing_are_ignored(header: str, event_path: str, api: Api, clock: ManualClock) -> None:
    _, url = _ready(api, event_path, clock)
    assert fetch(url, Range=header).status_code == 200


def test_a_part_behind_the_end_is_416(event_path: str, emulator: Emulator, api: Api, clock: ManualClock) -> None:
    report, url = _ready(api, event_path, clock)
    size = len(emulator.report_content(report))
    for header in (f"bytes={size}-", "bytes=-0"):
        response = fetch(url, Range=header)
        assert (response.status_code, response.content) == (416, b"")
        assert response.headers["content-range"] == f"bytes */{size}"


def test_if_range(event_path: str, emulator: Emulator, api: Api, clock: ManualClock) -> None:
    report, url = _ready(api, event_path, clock)
    etag = fetch(url).headers["etag"]
    assert etag.startswith('"')
    assert fetch(url, **{"Range": "bytes=5-", "If-Range": etag}).status_code == 206
    emulator.reports.change_file(report)
    changed = fetch(url, **{"Range": "bytes=5-", "If-Range": etag})
    assert changed.status_code == 200
    assert changed.headers["etag"] != etag
    assert changed.content == emulator.report_content(report)


def test_parts_and_etag_can_be_switched_off(event_path: str, emulator: Emulator, api: Api, clock: ManualClock) -> None:
    emulator.settings.change(ranges=False, etag=False)
    _, url = _ready(api, event_path, clock)
    response = fetch(url, Range="bytes=5-")
    assert response.status_code == 200
    assert not response.headers.keys() & {"etag", "accept-ranges", "content-range"}


def test_headers_of_files(event_path: str, emulator: Emulator, api: Api, clock: ManualClock) -> None:
    report, url = _ready(api, event_path, clock)
    content = emulator.report_content(report)
    emulator.settings.change(chunked=True, disposition="", content_type="text/plain", checksum="content-md5")
    response = fetch(url)
    assert response.headers["transfer-encoding"] == "chunked"
    assert not response.headers.keys() & {"content-length", "content-disposition"}
    assert response.headers["content-type"] == "text/plain"
    assert response.headers["content-md5"] == base64.b64encode(hashlib.md5(content).digest()).decode()
    assert response.content == content
    emulator.settings.change(disposition='attachment; filename="../x"', checksum="repr-digest")
    response = fetch(url)
    assert response.headers["content-disposition"] == 'attachment; filename="../x"'
    digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
    assert response.headers["repr-digest"] == f"sha-256=:{digest}:"


def test_head_of_a_file(event_path: str, emulator: Emulator, api: Api, clock: ManualClock) -> None:
    report, url = _ready(api, event_path, clock)
    with httpx.Client(verify=False) as client:
        response = client.head(url)
    assert response.headers["content-length"] == str(len(emulator.report_content(report)))
    assert response.content == b""


@pytest.mark.parametrize("size", [0, 1, 27, 28, 500, 4096, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 12_345])
def test_file_of_any_size(size: int) -> None:
    content = SyntheticContent(size, "label")
    whole = b"".join(content.read(0, size))
    assert len(whole) == size
    assert all(len(piece) <= BLOCK for piece in content.read(0, size))
    for start, stop in ((0, 1), (1, size), (size // 2, size), (size // 3, size // 2), (BLOCK - 5, BLOCK + 5)):
        if start < stop <= size:
            assert b"".join(content.read(start, stop)) == whole[start:stop]
    if size >= 500:
        rows = list(csv.reader(io.StringIO(whole.decode())))
        assert {len(row) for row in rows} == {6}
        assert whole.endswith(b"\r\n")
    other = b"".join(SyntheticContent(size, "labels").read(0, size))
    assert (other == whole) is (size < 300)


def test_blocks_of_a_large_file_differ() -> None:
    blocks = list(SyntheticContent(10 * BLOCK, "x").read(0, 10 * BLOCK))
    assert len({hashlib.sha256(block).digest() for block in blocks}) == len(blocks)


def test_large_file_is_streamed(emulator: Emulator, event_path: str, api: Api, clock: ManualClock) -> None:
    size = 64 * 1024 * 1024
    emulator.settings.change(report_bytes=size)
    report, url = _ready(api, event_path, clock)
    digest, received = hashlib.sha256(), 0
    tracemalloc.start()
    try:
        with httpx.Client(verify=False) as client, client.stream("GET", url) as response:
            assert response.headers["content-length"] == str(size)
            for piece in response.iter_raw():
                digest.update(piece)
                received += len(piece)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert received == size
    assert digest.hexdigest() == emulator.report_sha256(report)
    # Server and client are one process here: a few blocks each.
    assert peak < 8 * 1024 * 1024


def test_a_reader_that_leaves_does_not_keep_the_server_busy(
    emulator: Emulator, event_path: str, api: Api, clock: ManualClock
) -> None:
    emulator.settings.change(report_bytes=1 << 50)
    _, url = _ready(api, event_path, clock)
    with httpx.Client(verify=False) as client, client.stream("GET", url) as response:
        assert next(response.iter_raw())
    deadline = time.monotonic() + 10
    while emulator.requests.in_flight and time.monotonic() < deadline:
        time.sleep(0.01)
    assert emulator.requests.in_flight == 0


def test_many_rows_are_written_beside_other_answers(clock: ManualClock) -> None:
    with Emulator(seed=1, clock=clock, registrations=6_000) as emulator:
        api = Api(emulator)
        _, url = _ready(api, f"/v1/events/{emulator.event_id}", clock)
        content = fetch(url).content
        api.http.close()
    rows: list[Any] = list(csv.reader(io.StringIO(content.decode(), newline="")))
    assert len(rows) == 6_001
    assert len({row[0] for row in rows}) == 6_001
