"""Hostile and merely broken responses, drawn from a seed, and the work that meets them in a process of its own.

The service runs in the test's process, on a real socket; the client runs in a forked one, whose memory is measured.
"""

from __future__ import annotations

import asyncio
import base64
import csv
import gzip
import hashlib
import io
import json
import logging
import os
import random
import resource
import signal
import socket
import time
import traceback
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import cache, partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

from raw_server import RawServer, Request, Response, json_response

from airflow_provider_ringevents.bulk import engine
from airflow_provider_ringevents.bulk.columns import DirectMapping
from airflow_provider_ringevents.bulk.results import write_results
from airflow_provider_ringevents.bulk.source import ListSource
from airflow_provider_ringevents.bulk.spool import Spool
from airflow_provider_ringevents.bulk.targets import MagicLinkTarget
from airflow_provider_ringevents.client import AsyncClient, Client, defaults, endpoints
from airflow_provider_ringevents.client.errors import RingEventsError, RingEventsWaitTimeoutError, error_from_payload
from airflow_provider_ringevents.client.settings import ClientSettings
from airflow_provider_ringevents.client.transport.retry import RetryPolicy
from airflow_provider_ringevents.exports.catalog import COLLECTIONS
from airflow_provider_ringevents.exports.formats import FileFormat
from airflow_provider_ringevents.polling.duplications import DuplicationWaiter
from airflow_provider_ringevents.polling.reports import ReportWaiter
from airflow_provider_ringevents.polling.waiter import Waiter, async_wait_until_done, wait_until_done
from airflow_provider_ringevents.provisioning.event_identity import MARKER_METADATA_KEY, ExpectedEvent
from airflow_provider_ringevents.provisioning.event_lookup import EventLookup
from airflow_provider_ringevents.provisioning.idempotent_create import IdempotentCreation
from airflow_provider_ringevents.provisioning.request_journal import RequestJournal
from airflow_provider_ringevents.state.watch_cursor import WatchCursor
from airflow_provider_ringevents.storage import Destination
from airflow_provider_ringevents.transfers.collection_upload import CollectionExport, upload_collection
from airflow_provider_ringevents.transfers.report_upload import upload_report
from airflow_provider_ringevents.triggers import _registration_poller
from airflow_provider_ringevents.triggers._change_detection import ChangeSet
from airflow_provider_ringevents.triggers._client_registry import ConnectionReader, SharedClient
from airflow_provider_ringevents.triggers._registration_poller import PollKey, RegistrationPoller, Subscriber

MEBIBYTE = 2**20
MAX_GROWTH = 250 * MEBIBYTE
DEADLINE = 30.0
"""Seconds for one seed: the limits of the client add up to less."""
KEY = "canary-key-8f2e1b"
SIGNATURE = "canary-signature-51c07d"
ROWS_PER_PAGE = 20
PAGES = 3
EVENT = {"name": "Data Hour", "slug": "data-hour-5f3a"}
REPORT = b"email,name\n" + b"".join(b"guest%d@example.com,Guest\n" % number for number in range(2_000))
PRIVATE_URLS = (
    "http://10.0.0.5/file",
    "https://10.0.0.5/file",
    "https://192.168.1.1:8443/file",
    "http://169.254.169.254/latest/meta-data/",
    "http://[fe80::1]/file",
    "https://[fd00::1]/file",
)


@dataclass(frozen=True)
class Outcome:
    """The end of one seed.

    :ivar job: the work that met the responses.
    :ivar piece: the kind of the responses.
    :ivar error: the class of the error; empty if the work was done.
    :ivar is_ours: there was no error, or one of this package.
    :ivar seconds: from the start of the work to its end; None: it was killed after ``DEADLINE`` seconds.
    :ivar growth: bytes by which the process grew at most.
    :ivar requests: the requests that the service saw.
    :ivar problems: broken promises, in words.
    """

    job: str
    piece: str
    error: str
    is_ours: bool
    seconds: float | None
    growth: int
    requests: int
    problems: tuple[str, ...]

    @property
    def broken(self) -> list[str]:
        """Return the promises that were broken, in words."""
        found = list(self.problems)
        if self.seconds is None:
            found.append(f"not ended after {DEADLINE:g} s")
        if not self.is_ours:
            found.append(f"a foreign error: {self.error}")
        if self.growth > MAX_GROWTH:
            found.append(f"grew by {self.growth / MEBIBYTE:.0f} MiB")
        return found


# --- the service


@dataclass
class Scene:
    """A place at which a hostile response is made.

    :ivar dice: all chance of this seed.
    :ivar trap: the URL of another server, which must never see the key.
    :ivar request: the request that is responded to.
    :ivar usual: the response of the service itself.
    """

    dice: random.Random
    trap: str
    request: Request
    usual: Response

    def document(self) -> Any:
        """Return the usual JSON, or that of an empty list."""
        try:
            return json.loads(self.usual.body)
        except ValueError:
            return {"data": []}

    def respond(self, body: bytes, **headers: str) -> Response:
        """Return a response with the usual status, and a type that fits JSON."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return Response(self.usual.status, body, {"Content-Type": "application/json", **named})

    def fields(self, value: Any) -> Response:
        """Return the usual document with a hostile value in each attribute."""

        def changed(found: Any) -> Any:
            if isinstance(found, dict):
                return {key: value if isinstance(inner, str) else changed(inner) for key, inner in found.items()}
            return [changed(inner) for inner in found] if isinstance(found, list) else found

        document = self.document()
        rows = document["data"] if isinstance(document["data"], list) else [document["data"]]
        for row in rows:
            row["attributes"] = changed(row.get("attributes", {"name": ""}))
        return self.respond(json.dumps(document).encode())


Piece = Callable[[Scene], Response]


def _retry_after(scene: Scene) -> Response:
    far = ("86399999999999", "Fri, 31 Dec 9999 23:59:59 GMT", "9" * 5_000, "-1", "1e400", "inf")
    return Response(scene.dice.choice((429, 503)), b"{}", {"Retry-After": scene.dice.choice(far)})


def _content_length(scene: Scene) -> Response:
    return Response(
        scene.usual.status, scene.usual.body, scene.usual.headers, declared=scene.dice.choice((10**13, 10**30))
    )


def _times(scene: Scene) -> Response:
    far = scene.dice.choice(("2099-01-01T00:00:00Z", "9999-12-31T23:59:59.999999-14:00", "0001-01-01T00:00:00+14:00"))
    response = scene.fields(far)
    date = format_datetime(datetime(scene.dice.choice((2099, 9999)), 1, 1, tzinfo=UTC), usegmt=True)
    return Response(response.status, response.body, {**dict(response.headers), "Date": date})


def _numbers(scene: Scene) -> Response:
    number = scene.dice.choice(("9" * 5_000, "-1e400", "1" + "0" * 5_000 + ".5", "NaN", "1e-400"))
    document = scene.document()
    for row in document["data"] if isinstance(document["data"], list) else [document["data"]]:
        row.setdefault("attributes", {})["amount"] = "@@"
    document["meta"] = {"count": "@@", "page": "@@"}
    return scene.respond(json.dumps(document).replace('"@@"', number).encode())


def _surrogates(scene: Scene) -> Response:
    return scene.fields(scene.dice.choice(("\ud83d", "\ude00\ud83d", "a\udcffb", "\0\ud800")))


def _links(scene: Scene) -> Response:
    document = scene.document()
    target = scene.dice.choice(
        (
            f"{scene.request.path}?page=2&filler=" + "x" * 65_536,
            f"{scene.request.path}?page=" + "9" * 5_000,
            f"{scene.request.path}?page=-1",
            f"{scene.trap}/v1/events?page=2",
            "http://[::bad/?page=2",
            "\x00\r\n?page=2",
            {"href": ["?page=2"]},
        )
    )
    document["links"] = {"next": target}
    return scene.respond(json.dumps(document).encode())


def _count(scene: Scene) -> Response:
    document = scene.document()
    document["meta"] = {"count": scene.dice.choice((10_000_000, 10**18, -5, True, "ten", [1]))}
    return scene.respond(json.dumps(document).encode())


@cache
def _zeros(mebibytes: int) -> bytes:
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=9) as stream:
        for _ in range(mebibytes):
            stream.write(bytes(MEBIBYTE))
    return buffer.getvalue()


def _gzip(scene: Scene) -> Response:
    usual = gzip.compress(scene.usual.body)
    body = scene.dice.choice(
        (usual + os.urandom(10 * MEBIBYTE), usual + bytes(10 * MEBIBYTE), usual[:-9], usual * 3, _bomb(scene))
    )
    encoding = scene.dice.choice(("gzip", "gzip", "gzip, gzip", "br", "deflate"))
    return scene.respond(body, Content_Encoding=encoding)


def _bomb(scene: Scene) -> bytes:
    # A report of any size is a report: what is unpacked of one has no bound but the transfer's time.
    return _zeros(8 if scene.request.path.endswith("/download") else 200)


@cache
def _packed_rows(row: bytes, count: int) -> bytes:
    return gzip.compress(b'{"data":[' + b",".join([row] * count) + b"]}")


def _many_objects(scene: Scene) -> Response:
    row = scene.dice.choice((b"{}", b"[]", b'{"a":{}}', b"0"))
    return scene.respond(_packed_rows(row, scene.dice.choice((90_000, 1_000_000, 5_000_000))), Content_Encoding="gzip")


def _cookies(scene: Scene) -> Response:
    cookies = [("Set-Cookie", f"name{number}={'x' * 1_000}; Path=/") for number in range(40)]
    return Response(scene.usual.status, scene.usual.body, [*dict(scene.usual.headers).items(), *cookies])


def _megabytes(scene: Scene) -> Response:
    text = scene.dice.choice("ax\u202e") * scene.dice.choice((300_000, 900_000))
    document = scene.document()
    row = document["data"][0] if isinstance(document["data"], list) and document["data"] else {}
    row.update(id=text, attributes={"name": text, "title": text, "status": text, "slug": text})
    document["data"] = [row] if isinstance(document["data"], list) else row
    if scene.dice.random() < 0.5:
        return json_response({"errors": [{"title": text, "detail": text, "code": text}]}, 422)
    return scene.respond(json.dumps(document).encode())


def _secrets(scene: Scene) -> Response:
    encoded = base64.b64encode(KEY.encode()).decode()
    text = f"\x1b[31m\x9b{KEY}\u202e {encoded} https://files.invalid/r?X-Amz-Signature={SIGNATURE}\r\n{KEY}"
    status = scene.dice.choice((scene.usual.status, 400, 401, 404, 422, 500))
    if status == scene.usual.status:
        return scene.fields(text)
    body = json.dumps({"errors": [{"title": text, "detail": text, "code": text, "source": {"pointer": text}}]})
    head = f"HTTP/1.1 {status} {KEY}\r\nContent-Type: text/{KEY}\r\nContent-Length: {len(body)}\r\n\r\n"
    return Response(raw=head.encode() + body.encode())


def _drip_body(scene: Scene) -> Response:
    head = f"HTTP/1.1 {scene.usual.status} OK\r\nContent-Type: application/json\r\nContent-Length: 90000\r\n\r\n"
    return Response(raw=head.encode(), drip=b" ", pause=0.2)


def _drip_head(scene: Scene) -> Response:
    return Response(raw=b"HTTP/1.1 200 OK\r\nX-Filler: ", drip=b"x", pause=0.2)


def _redirect(scene: Scene) -> Response:
    target = scene.dice.choice((*PRIVATE_URLS, f"{scene.trap}/file?X-Amz-Signature={SIGNATURE}", "//10.0.0.5/file"))
    return Response(scene.dice.choice((301, 302, 307, 308)), b"", {"Location": target})


def _malformed_head(scene: Scene) -> Response:
    signed = f"https://files.invalid/r?X-Amz-Signature={SIGNATURE}"
    heads = (
        f"HTTP/1.1 302 Found\r\nLocation : {signed}\r\nContent-Length: 0\r\n\r\n",
        f"HTTP/1.1 200 OK\r\n{KEY}\r\n\r\n",
        f"{KEY} HTTP\r\n\r\n",
        f"HTTP/1.1 200 OK\r\nContent-Length: {KEY}\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nabcde",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffffffffff\r\n",
        f"HTTP/1.1 302 Found\r\nLocation: \x01{signed}\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX-Filler: " + "x" * 200_000 + "\r\n\r\n",
        "HTTP/9.9 999 \r\n\r\n",
    )
    return Response(raw=scene.dice.choice(heads).encode("latin-1"), ends=True)


def _bad_ids(scene: Scene) -> Response:
    ids = ("", "a/b", "..", "x" * 300, "a b", "\u202eid", None, 7, ["id"], {"id": 1}, "a?b", "a%2fb", "\ud800")
    document = scene.document()
    rows = document["data"] if isinstance(document["data"], list) else [document["data"]]
    for row in rows:
        row["id"] = scene.dice.choice(ids)
    return scene.respond(json.dumps(document).encode())


def _shapes(scene: Scene) -> Response:
    bodies = (
        b"[" * 100_000,
        b'{"data":' * 50_000,
        b'{"data": "text", "meta": 3, "links": []}',
        b'{"data": [1, null, "x", [[]]]}',
        b"null",
        b"",
        b"\xff\xfe{}",
        b"<html><body>Sign in</body></html>",
        scene.usual.body[: len(scene.usual.body) // 2],
    )
    return scene.respond(scene.dice.choice(bodies))


PIECES: Mapping[str, Piece] = {
    "huge `Retry-After`": _retry_after,
    "huge `Content-Length`": _content_length,
    "times of 2099 and 9999": _times,
    "numbers of 5,000 digits": _numbers,
    "lone surrogates": _surrogates,
    "links of 64 KB": _links,
    "counts of ten million": _count,
    "gzip with more behind it": _gzip,
    "kilobytes that unpack to millions of objects": _many_objects,
    "cookies": _cookies,
    "titles and ids of a megabyte": _megabytes,
    "control characters, the key and links in texts": _secrets,
    "bodies that drip": _drip_body,
    "heads that drip": _drip_head,
    "redirects to private addresses": _redirect,
    "malformed heads": _malformed_head,
    "bad ids": _bad_ids,
    "other shapes of JSON": _shapes,
}


def _usual(request: Request) -> Response:
    """Return the response of a service that is well."""
    path = request.path
    if path.startswith("/files/"):
        return Response(200, REPORT, {"Content-Type": "text/csv"})
    if path.endswith("/download"):
        if request.number % 2:
            return Response(302, b"", {"Location": f"/files/report.csv?X-Amz-Signature={SIGNATURE}"})
        return Response(200, REPORT, {"Content-Type": "text/csv"})
    if path.startswith("/v1/reports/"):
        status = "done" if request.number > 1 else "in_progress"
        return json_response({"data": {"type": "report", "id": "r", "attributes": {"status": status}}})
    if request.method == "POST":
        return json_response({"data": {"type": "event", "id": "created", "attributes": EVENT}}, 201)
    if path.endswith(("/registrations", "/magicLinks")):
        return json_response(_list_page(request, "registration"))
    if path.endswith("/events"):
        return json_response(_list_page(request, "event"))
    return json_response({"data": {"type": "event", "id": "e", "attributes": {**EVENT, "timezone": "UTC"}}})


def _list_page(request: Request, kind: str) -> dict[str, Any]:
    number = int(request.query.get("page", "1"))
    numbers = range((number - 1) * ROWS_PER_PAGE, min(number, PAGES) * ROWS_PER_PAGE)
    time_of_rows = datetime.now(UTC).isoformat()
    marked = {"metadata": {MARKER_METADATA_KEY: "copy-key"}}
    attributes = {"name": "Guest", "email": "guest@example.com", "updatedAt": time_of_rows, "metadata": {"a": "b"}}
    return {
        "data": [
            {"type": kind, "id": f"{kind}-{row}", "attributes": attributes if row < 59 else {**attributes, **marked}}
            for row in numbers
        ],
        "meta": {"count": PAGES * ROWS_PER_PAGE},
        "links": {"next": f"{request.path}?page={number + 1}" if number < PAGES else None},
    }


# --- the work


class _ClientHolder:
    """The owner of one client."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def with_reauthentication(self, use: Callable[[Client], Any], /) -> Any:
        return use(self._client)


def _limits(url: str) -> dict[str, Any]:
    return {
        "base_url": url,
        "api_key": KEY,
        "policy": RetryPolicy(initial_delay=0.0, retry_after_max=0.5),
        "max_attempts": 2,
        "timeout": 1.0,
        "request_timeout": 1.5,
        "transfer_timeout": 4.0,
        "per_page": ROWS_PER_PAGE,
        "resolver": lambda host: [],
    }


def _export_list(directory: Path, url: str) -> None:
    export = CollectionExport(COLLECTIONS["registrations"], FileFormat("jsonl"))
    target = directory / "rows.jsonl"
    with Client(**_limits(url)) as client:
        manifest = upload_collection(client, export, "e", Destination.resolve(str(target)))
    rows = target.read_bytes().split(b"\n")[:-1]
    # Exports keep all digits of a number, more than an int of Python may be read from.
    read = [json.loads(row, parse_int=str) for row in rows]
    assert len(read) == manifest["rows"], "the file has other rows than the manifest says"
    _compare(target, manifest)


def _export_report(directory: Path, url: str) -> None:
    target = directory / "report.csv"
    with Client(**_limits(url)) as client:
        manifest = upload_report(
            client, "r", Destination.resolve(str(target)), if_exists="overwrite", fallback_name="report.csv"
        )
    _compare(target, manifest)


def _compare(target: Path, manifest: Mapping[str, Any]) -> None:
    content = target.read_bytes()
    assert len(content) == manifest["bytes"], "the file has another size than the manifest says"
    assert hashlib.sha256(content).hexdigest() == manifest["sha256"], "the file is not the one of the manifest"


_log_of_waits = logging.getLogger("wait").info


def _report() -> Waiter:
    return ReportWaiter("r", time.time() + 3.0, 0.3, None, _log_of_waits)


def _copy() -> Waiter:
    expected = ExpectedEvent("copy-key", source_id="event-0")
    return DuplicationWaiter("o", expected, time.time() - 60.0, time.time() + 3.0, 0.3, _log_of_waits)


def _on_the_worker(make: Callable[[], Waiter], directory: Path, url: str) -> None:
    with Client(**_limits(url)) as client:
        wait_until_done(make(), _ClientHolder(client))


def _in_the_triggerer(make: Callable[[], Waiter], directory: Path, url: str) -> None:
    """Two waits that share a client and its listings, as in a triggerer; what they raise travels as an event."""

    async def wait() -> None:
        client = _shared_client(url)
        try:
            outcomes = await asyncio.gather(
                *(async_wait_until_done(make(), client) for _ in range(2)), return_exceptions=True
            )
        finally:
            await client.aclose()
        for outcome in outcomes:
            if isinstance(outcome, RingEventsError):
                payload = json.dumps(outcome.to_payload())
                assert len(payload) < 20_000, f"an event of {len(payload)} characters"
                raise error_from_payload(json.loads(payload))
            if outcome is not None:
                raise outcome

    asyncio.run(wait())


class _SameConnection(ConnectionReader):
    """Reads one connection that never changes."""

    def __init__(self, settings: ClientSettings) -> None:
        super().__init__()
        self._settings = settings

    async def read(self, conn_id: str, max_age: float = 0.0) -> ClientSettings:
        return self._settings


def _shared_client(url: str) -> SharedClient:
    own = {name: value for name, value in _limits(url).items() if name in ClientSettings.__slots__}
    settings = ClientSettings(**own)
    client = SharedClient("connection", settings, _SameConnection(settings))
    client.ref_count = 2
    return client


def _provision(directory: Path, url: str) -> None:
    with Client(**_limits(url)) as client:
        IdempotentCreation(
            client,
            endpoints.create_event("o", EVENT),
            ExpectedEvent(key="key", name=EVENT["name"], slug=EVENT["slug"]),
            EventLookup(client, "o"),
            RequestJournal(None, "key"),
            has_explicit_key=True,
            is_first_attempt=True,
            settle_timeout=1.0,
        ).create_and_fetch()


def _watch(directory: Path, url: str) -> None:
    now = datetime.now(UTC)

    async def poll() -> WatchCursor:
        poller = RegistrationPoller(PollKey.from_arguments("connection", "e", "updatedAt", None))
        subscriber = Subscriber(WatchCursor.baseline_at(now - timedelta(hours=1)), 60.0)
        async with AsyncClient(**_limits(url)) as client:
            with poller.subscribed(subscriber):
                changes = (await poller._scan(client))[subscriber]
        json.dumps(changes.payload("e", "updatedAt"))
        return changes.cursor

    cursor = asyncio.run(poll())
    # The service's clock counts for a day at most.
    assert cursor.time <= now + timedelta(days=1, minutes=10), "the watcher's place is beyond every clock"


def _watch_together(directory: Path, url: str) -> None:
    """Two watchers that share their polls, until a poll succeeds or three seconds have passed."""
    now = datetime.now(UTC)
    poller = RegistrationPoller(PollKey.from_arguments("connection", "e", "updatedAt", None))
    watchers = [Subscriber(WatchCursor.baseline_at(now - timedelta(hours=hours)), 0.2) for hours in (1, 2)]
    unforeseen = _ForeignErrors()

    @asynccontextmanager
    async def share(conn_id: str) -> AsyncIterator[SharedClient]:
        client = _shared_client(url)
        try:
            yield client
        finally:
            await client.aclose()

    async def watch() -> Mapping[Subscriber, ChangeSet]:
        with poller.subscribed(watchers[0]), poller.subscribed(watchers[1]):
            async with aclosing(poller.stream()) as stream:
                async for found in stream:
                    return found
        raise AssertionError("the stream has ended")

    logging.getLogger().addHandler(unforeseen)
    with (
        patch.object(_registration_poller, "acquire_shared_client", share),
        patch.object(defaults, "WATCH_INITIAL_JITTER", 0.0),
        patch.object(defaults, "WATCH_BACKOFF_MAX", 0.5),
        patch.object(defaults, "WATCH_RETRY_AFTER_MAX", 0.5),
    ):
        try:
            found = asyncio.run(asyncio.wait_for(watch(), 3.0))
        except TimeoutError:
            assert not unforeseen.names, f"foreign errors in the log: {unforeseen.names}"
            raise RingEventsWaitTimeoutError("no poll succeeded") from None
    assert not unforeseen.names, f"foreign errors in the log: {unforeseen.names}"
    for changes in found.values():
        assert len(json.dumps(changes.cursor.to_json())) < 100_000, "the place is too large for the asset's state"
        assert changes.cursor.time <= now + timedelta(days=1, minutes=10), "the watcher's place is beyond every clock"


class _ForeignErrors(logging.Handler):
    """Keeps the names of errors of other packages that a loop has logged and outlived."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[0] is not None:
            self.names.append(record.exc_info[0].__name__)


def _load(directory: Path, url: str) -> None:
    """People of whom one has a link: each has one afterwards, or a reason in the results."""
    people = [
        {"email": f"guest{number}@example.com", "firstName": "Guest", "lastName": "G"} for number in ("", *range(5))
    ]
    target = directory / "results.csv"
    with Client(**_limits(url)) as client, Spool() as spool, patch.object(engine, "LOOKUP_DELAYS", (0.1, 0.1)):
        run = engine.BulkRun(client, MagicLinkTarget("t"), spool, engine.BulkOptions(concurrency=4))
        run.execute(ListSource("people", people), DirectMapping())
        results = Destination.resolve(str(target)).publish()
        write_results(results, spool, format="csv", gzip=False, include_links=False)
        rows = list(csv.DictReader(target.open(encoding="utf-8")))
        assert len(rows) == len(people), "the results have other rows than the source"
        for row in rows:
            assert row["id"] or row["reason"], f"neither an id nor a reason: {row}"
            assert max(map(len, row.values())) <= 10_000, "a text without a bound in the results"


JOBS: Mapping[str, Callable[[Path, str], None]] = {
    "export of a list": _export_list,
    "export of a report": _export_report,
    "wait for a report, worker": partial(_on_the_worker, _report),
    "wait for a report, triggerer": partial(_in_the_triggerer, _report),
    "wait for a copy, worker": partial(_on_the_worker, _copy),
    "wait for a copy, triggerer": partial(_in_the_triggerer, _copy),
    "idempotent creation": _provision,
    "poll of one watcher": _watch,
    "polls that watchers share": _watch_together,
    "load of people": _load,
}


# --- one seed


def play(seed: int, directory: Path) -> Outcome:
    """Do the work of a seed against its hostile responses, in a process of its own."""
    dice = random.Random(seed)
    jobs, pieces = list(JOBS), list(PIECES)
    job = jobs[seed % len(jobs)]
    piece = pieces[seed // len(jobs) % len(pieces)]
    first, times = dice.choice((0, 0, 0, 1, 2)), dice.choice((1, 2, 3, 10**9))
    return play_piece(job, PIECES[piece], range(first, first + times), directory, dice, piece)


def play_piece(
    job: str, piece: Piece, hostile: Sequence[int], directory: Path, dice: random.Random, name: str
) -> Outcome:
    """Do a job while the requests of these numbers are responded to by a piece."""
    directory.mkdir(exist_ok=True)
    trap = RawServer(lambda request: Response(200, REPORT, {"Content-Type": "text/csv"}))

    def handle(request: Request) -> Response:
        usual = _usual(request)
        return piece(Scene(dice, trap.url, request, usual)) if request.number in hostile else usual

    service = RawServer(handle)
    # Forked before the threads of the servers start; until then connections wait in the queue of the socket.
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        _be_the_child(job, directory, service.url, writer)
    os.close(writer)
    with service, trap:
        said = _read_until(reader, pid)
    os.waitpid(pid, 0)
    os.close(reader)
    problems = [f"the handler failed: {error!r}" for error in service.errors]
    if any("authorization" in request.headers for request in trap.requests):
        problems.append("the key was sent to another origin")
    if said is None:
        return Outcome(job, name, "", True, None, 0, len(service.requests), tuple(problems))
    left = sorted(path.name for path in directory.iterdir())
    if said["error"] and left:
        problems.append(f"published or left behind: {left}")
    problems += said["problems"]
    return Outcome(
        job,
        name,
        said["error"],
        said["is_ours"],
        said["seconds"],
        said["growth"],
        len(service.requests),
        tuple(problems),
    )


def _read_until(reader: int, pid: int) -> dict[str, Any] | None:
    """Return what the child says before the deadline; kill it when it says nothing."""
    pieces: list[bytes] = []
    timer = time.monotonic() + DEADLINE
    os.set_blocking(reader, False)
    while time.monotonic() < timer:
        try:
            block = os.read(reader, 65_536)
        except BlockingIOError:
            time.sleep(0.01)
            continue
        if not block:
            found: dict[str, Any] = json.loads(b"".join(pieces))
            return found
        pieces.append(block)
    os.kill(pid, signal.SIGKILL)
    return None


def _be_the_child(job: str, directory: Path, url: str, writer: int) -> None:
    said: dict[str, Any] = {}
    try:
        said = _work(job, directory, url)
    except BaseException as error:
        said = {"error": repr(error), "is_ours": False, "seconds": 0.0, "growth": 0, "problems": []}
    finally:
        with os.fdopen(writer, "w") as stream:
            json.dump(said, stream)
        os._exit(0)  # Nothing of pytest's may run twice.


def _work(job: str, directory: Path, url: str) -> dict[str, Any]:
    shown = io.StringIO()
    problems: list[str] = []
    error: Exception | None = None
    root = logging.getLogger()
    root.handlers[:] = [logging.StreamHandler(shown)]
    root.setLevel(logging.DEBUG)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.monotonic()
    with (
        patch.object(defaults, "LOOKUP_TIMEOUT", 5.0),
        patch.object(defaults, "DEADLINE_GRACE", 2.0),
        patch.object(defaults, "LISTING_STALL", 1.0),
        _no_way_out() as out,
    ):
        try:
            JOBS[job](directory, url)
        except AssertionError as failed:
            problems.append(str(failed))
        except Exception as caught:
            error = caught
    seconds = time.monotonic() - began
    growth = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    problems += [f"a connection to {address}" for address in out]
    if error is not None:
        text = "".join(traceback.format_exception(error)) + repr(error)
        if isinstance(error, RingEventsError):
            text += json.dumps(error.to_payload(), default=str)
        problems += _leaks("an error", text)
        if len(str(error)) > 20_000:
            problems.append(f"an error of {len(str(error))} characters")
    problems += _leaks("a log line", shown.getvalue())
    return {
        "error": type(error).__name__ if error is not None else "",
        "is_ours": error is None or isinstance(error, RingEventsError),
        "seconds": seconds,
        "growth": growth,
        "problems": problems,
    }


def _leaks(where: str, text: str) -> list[str]:
    secrets = {
        "the key": KEY,
        "the key in base64": base64.b64encode(KEY.encode()).decode().rstrip("="),
        "a signed link": SIGNATURE,
        "a control character": "\x1b",
    }
    return [f"{name} in {where}: {_around(text, secret)!r}" for name, secret in secrets.items() if secret in text]


def _around(text: str, secret: str) -> str:
    at = text.index(secret)
    return text[max(0, at - 200) : at + 60]


@contextmanager
def _no_way_out() -> Iterator[list[str]]:
    """Refuse connections to other machines, and yield the list of those that were tried."""
    tried: list[str] = []
    connect = socket.socket.connect

    def guarded(sock: socket.socket, address: Any) -> None:
        if sock.family in (socket.AF_INET, socket.AF_INET6) and address[0] != "127.0.0.1":
            tried.append(str(address[0]))
            raise OSError("unreachable")
        connect(sock, address)

    with patch.object(socket.socket, "connect", guarded):
        yield tried
