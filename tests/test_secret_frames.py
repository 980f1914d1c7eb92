"""No key, password or link is kept by a tool that records the variables of failed calls, whatever has failed."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from airflow_harness import Run
from frames import recorded
from raw_server import RawServer, Request, Response, closed_port, json_response

from airflow_provider_ringevents.client import AsyncClient, Client, endpoints
from airflow_provider_ringevents.client.errors import RingEventsError
from airflow_provider_ringevents.client.secrets import conceal_response
from airflow_provider_ringevents.client.transport import redaction, responses
from airflow_provider_ringevents.client.transport.retry import RetryPolicy

KEY = "canary-key-Zq7x3Lm9TfW2"
PASSWORD = "canary-password-Kd84hsPw"
LINK = "canary-link-token-Pq52"
MAGIC = "canary-magic-link-Yt61"
CANARIES = (KEY, PASSWORD, LINK, MAGIC)
AT_ONCE = RetryPolicy(initial_delay=0.0)
EVENT = {
    "name": "Summit",
    "timeStart": "2027-03-01T09:00:00Z",
    "timeEnd": "2027-03-01T10:00:00Z",
    "timezone": "UTC",
    "currency": "EUR",
    "password": PASSWORD,
}
ECHO_HEADERS = {"X-Request-Id": KEY, "Set-Cookie": KEY, "Content-Type": f"application/{KEY}"}


def echo(status: int) -> Callable[[Request], Response]:
    """A server that repeats everything secret that it was sent or has made."""

    def handler(seen: Request) -> Response:
        password = PASSWORD if PASSWORD.encode() in seen.body else ""
        said = f"{KEY} {password} https://links.example/{LINK}?s={LINK}"
        entry = {"code": KEY, "title": said, "detail": said, "source": {"pointer": password}}
        return json_response({"errors": [entry]}, status, X_Request_Id=KEY, Set_Cookie=KEY)

    return handler


def broken_head(seen: Request) -> Response:
    head = f"HTTP/1.1 302 {KEY}\r\nLocation : https://links.example/{LINK}?{KEY}\r\n\r\n"
    return Response(raw=head.encode(), ends=True)


def not_json(seen: Request) -> Response:
    return Response(200, f"<html>{KEY} {PASSWORD} {LINK} {MAGIC}".encode(), ECHO_HEADERS)


def wrong_shape(seen: Request) -> Response:
    return json_response({"data": f"{KEY} {PASSWORD} {LINK} {MAGIC}"})


def second_page_fails(seen: Request) -> Response:
    if seen.query.get("page") == "1":
        row = {"id": "m1", "attributes": {"email": "a@example.org", "magicLink": MAGIC, "password": PASSWORD}}
        return json_response({"data": [row], "meta": {"count": 3}})
    return echo(403)(seen)


def unusable_id(seen: Request) -> Response:
    return json_response({"data": {"id": f"a b {LINK}", "attributes": {"name": PASSWORD, "magicLink": MAGIC}}})


def unusable_link(seen: Request) -> Response:
    row = {"id": "m1", "attributes": {"email": "a@example.org", "magicLink": MAGIC}}
    return json_response({"data": [row], "links": {"next": f"https://[::1/{LINK}?s={LINK}"}})


SERVERS: dict[str, Callable[[Request], Response]] = {
    "401": echo(401),
    "422": echo(422),
    "500": echo(500),
    "malformed head": broken_head,
    "no JSON": not_json,
    "wrong shape": wrong_shape,
    "unusable id": unusable_id,
    "unusable link": unusable_link,
    "no answer": lambda seen: Response(cut=-1),
    "second page": second_page_fails,
}


def leaks(error: BaseException) -> list[str]:
    return [text for text in recorded(error) if any(canary in text for canary in CANARIES)]


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[RawServer]:
    with RawServer(SERVERS[request.param]) as running:
        yield running


def failed(use: Callable[[], Any]) -> BaseException:
    with pytest.raises(RingEventsError) as caught:
        use()
    return caught.value


def create(seen: Client) -> Any:
    return responses.parse_resource(CREATE, seen.send(CREATE))


CREATE = endpoints.create_event("o", EVENT)
LIST = endpoints.list_magic_links("t")


def test_a_failed_call_of_the_client_keeps_no_secret(server: RawServer) -> None:
    with Client(server.url, KEY, policy=AT_ONCE) as client:
        for use in (lambda: create(client), lambda: list(client.items(LIST)), lambda: list(client.pages(LIST))):
            assert leaks(failed(use)) == []


def test_a_failed_call_of_the_asynchronous_client_keeps_no_secret(server: RawServer) -> None:
    async def run() -> None:
        async with AsyncClient(server.url, KEY, policy=AT_ONCE) as client:
            with pytest.raises(RingEventsError) as caught:
                responses.parse_resource(CREATE, await client.send(CREATE))
            assert leaks(caught.value) == []
            with pytest.raises(RingEventsError) as caught:
                [row async for row in client.items(LIST)]
            assert leaks(caught.value) == []

    asyncio.run(run())


@pytest.mark.parametrize("options", [{"timeout": -1}, {"proxy": f"ftp://u:{PASSWORD}@proxy"}, {"api_key": f"{KEY} "}])
def test_settings_that_are_refused_are_not_kept(options: dict[str, Any]) -> None:
    def make(kind: Any) -> BaseException:
        return failed(lambda: kind(**{"base_url": "https://api.example.org", "api_key": KEY, **options}))

    assert leaks(make(Client)) == []
    assert leaks(make(AsyncClient)) == []


@pytest.mark.parametrize("extra", [{"timeout": "soon"}, {}], ids=["unreadable", "refused"])
def test_a_failed_call_of_the_hook_keeps_no_secret(
    server: RawServer, monkeypatch: pytest.MonkeyPatch, extra: dict[str, Any]
) -> None:
    proxy = {} if not extra else {"proxy": f"http://u:{PASSWORD}@proxy"}
    connection = {"conn_type": "ringevents", "host": server.url, "password": KEY, "extra": {**proxy, **extra}}
    monkeypatch.setenv("AIRFLOW_CONN_RINGEVENTS_DEFAULT", json.dumps(connection))
    from airflow_provider_ringevents.hooks.ringevents import RingEventsHook

    monkeypatch.setattr(RetryPolicy, "backoff", lambda self, attempt: 0.0)
    with RingEventsHook() as hook:
        assert leaks(failed(lambda: hook.create_event("o", dict(EVENT)))) == []
        assert leaks(failed(lambda: hook.create_event("o", {**EVENT, "currency": 5}))) == []
        assert leaks(failed(lambda: list(hook.list_magic_links("t")))) == []


def report_tasks(target: str) -> dict[str, Callable[[], Any]]:
    from airflow_provider_ringevents.operators.events import RingEventsCreateEventOperator
    from airflow_provider_ringevents.operators.magic_links import RingEventsCreateMagicLinkOperator
    from airflow_provider_ringevents.sensors.reports import RingEventsReportSensor
    from airflow_provider_ringevents.transfers.report_to_object_storage import RingEventsDownloadReportOperator

    def create_event(**attributes: Any) -> Any:
        return RingEventsCreateEventOperator(
            task_id="t",
            name="Summit",
            time_start="2027-03-01T09:00:00Z",
            time_end="2027-03-01T10:00:00Z",
            timezone="UTC",
            currency="EUR",
            organization_id="o",
            settle_timeout=0.01,
            attributes={"password": PASSWORD, **attributes},
        )

    return {
        "create": create_event,
        "invalid": lambda: create_event(color="{{ 'no colour' }}"),
        "links": lambda: RingEventsCreateMagicLinkOperator(
            task_id="t", ticket_id="t", attendees=[{"email": "a@example.org", "firstName": "A", "lastName": "B"}]
        ),
        "download": lambda: RingEventsDownloadReportOperator(task_id="t", report_id="r", destination=target),
        "sensor": lambda: RingEventsReportSensor(task_id="t", report_id="r", poke_interval=0.02, timeout=0.05),
    }


@pytest.mark.parametrize("task", ["create", "invalid", "links", "download", "sensor"])
def test_a_failed_task_keeps_no_secret(
    server: RawServer, task: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_provider_ringevents import clock

    monkeypatch.setattr(RetryPolicy, "backoff", lambda self, attempt: 0.0)
    monkeypatch.setattr(clock, "sleep", lambda seconds: None)
    connection = json.dumps({"conn_type": "ringevents", "host": server.url, "password": KEY})
    make = report_tasks(f"file://{tmp_path}/r.csv")[task]
    result = Run(make, connections={"ringevents_default": connection}).to_end()
    if result.exception is None:
        assert task == "sensor", "a report without a status word is ready"
    else:
        assert leaks(result.exception) == []
    said = json.dumps(result.xcoms, default=str) + json.dumps([str(event) for event in result.events])
    assert not any(canary in said for canary in CANARIES)


@pytest.mark.parametrize("problem", ["refused place", "expired", "cut", "not a file", "unreachable"])
def test_a_failed_download_keeps_no_link(problem: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def files(seen: Request) -> Response:
        if problem == "cut":
            return Response(body=b"x" * 100, headers={"Content-Type": "text/csv"}, cut=10)
        if problem == "expired":
            return Response(403, f"<Error>{LINK}{KEY}</Error>".encode(), ECHO_HEADERS)
        return Response(body=f"<html>{LINK}".encode(), headers={"Content-Type": "text/html"})

    with RawServer(files) as store:
        place = {"refused place": "https://10.0.0.5", "unreachable": f"http://127.0.0.1:{closed_port()}"}.get(
            problem, store.url
        )
        link = f"{place}/{LINK}/f.csv?sig={LINK}"

        def api(seen: Request) -> Response:
            if seen.path.endswith("/download"):
                return Response(302, headers={"Location": link, "Set-Cookie": KEY})
            return json_response({"data": {"id": "r", "attributes": {"url": link, "title": KEY}}})

        with RawServer(api) as running, Client(running.url, KEY, policy=AT_ONCE) as client:

            def download() -> None:
                with client.download(endpoints.download_report("r")) as opened:
                    list(opened)

            assert leaks(failed(download)) == []


@pytest.mark.parametrize("format", ["jsonl", "csv", "parquet"])
def test_an_export_with_credentials_that_fails_records_none(format: str, tmp_path: Path) -> None:
    from airflow_provider_ringevents.exports.catalog import COLLECTIONS
    from airflow_provider_ringevents.exports.formats import FileFormat
    from airflow_provider_ringevents.storage import Destination
    from airflow_provider_ringevents.transfers.collection_upload import CollectionExport, upload_collection

    export = CollectionExport(COLLECTIONS["magic_links"], FileFormat(format), include_credentials=True)
    target = Destination.resolve(f"{tmp_path}/links.{format}")
    with RawServer(second_page_fails) as server, Client(server.url, KEY, policy=AT_ONCE) as client:
        assert leaks(failed(lambda: upload_collection(client, export, "t", target))) == []


def test_readings_of_existing_people_that_fail_record_no_credential() -> None:
    from airflow_provider_ringevents.bulk.registrations import CreateRegistrationTarget, UpdateRegistrationTarget
    from airflow_provider_ringevents.bulk.targets import MagicLinkTarget

    with RawServer(second_page_fails) as server, Client(server.url, KEY, policy=AT_ONCE) as client:
        for target in (MagicLinkTarget("t"), CreateRegistrationTarget("e", "t"), UpdateRegistrationTarget("e")):
            assert leaks(failed(lambda target=target: list(target.existing(client, 1)))) == []


@pytest.mark.parametrize("email", ["a@example.org", "b@example.org"])
def test_a_lookup_of_a_registration_that_fails_records_no_credential(
    email: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_provider_ringevents.hooks.ringevents import RingEventsHook
    from airflow_provider_ringevents.operators._registration_creation import RegistrationCreation

    with RawServer(second_page_fails) as server:
        connection = {"conn_type": "ringevents", "host": server.url, "password": KEY}
        monkeypatch.setenv("AIRFLOW_CONN_RINGEVENTS_DEFAULT", json.dumps(connection))
        attributes = {"ticketId": None, "email": email, "firstName": "A", "lastName": "B"}
        with RingEventsHook() as hook:
            assert leaks(failed(RegistrationCreation(hook, "e", attributes, {}, False).run)) == []


@pytest.mark.unit
@pytest.mark.parametrize(
    "url",
    [
        f"https://user:{PASSWORD}@api.example.org",
        f"https://{PASSWORD}@api.example.org",
        f"https://api.example.org?token={PASSWORD}",
        f"https://api.example.org/#{PASSWORD}",
        f"ftp://user:{PASSWORD}@api.example.org:x",
    ],
)
def test_a_base_url_that_is_refused_for_its_password_is_not_kept(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow_provider_ringevents.client.settings import ClientSettings
    from airflow_provider_ringevents.hooks.ringevents import RingEventsHook

    for make in (Client, AsyncClient):
        assert leaks(failed(lambda make=make: make(url, KEY))) == []
    settings = failed(lambda: ClientSettings(base_url=url, api_key=KEY))
    assert leaks(settings) == []
    connection = {"conn_type": "ringevents", "host": url, "password": KEY}
    monkeypatch.setenv("AIRFLOW_CONN_RINGEVENTS_DEFAULT", json.dumps(connection))
    assert leaks(failed(RingEventsHook().get_conn)) == []
    monkeypatch.setenv("AIRFLOW_CONN_RINGEVENTS_DEFAULT", json.dumps({**connection, "host": "https://api.example.org"}))
    assert leaks(failed(RingEventsHook(base_url=url, api_key=KEY).get_conn)) == []


@pytest.mark.unit
@pytest.mark.parametrize("format", ["csv", "jsonl", "parquet"])
def test_a_store_that_refuses_the_results_of_a_load_records_no_link(format: str, tmp_path: Path) -> None:
    from airflow_provider_ringevents.bulk.results import write_results
    from airflow_provider_ringevents.bulk.spool import ExistingRecord, Spool, SpooledRow
    from airflow_provider_ringevents.client.secrets import Secret
    from airflow_provider_ringevents.storage import Destination

    with Spool() as spool:
        spool.add_rows([SpooledRow(1, "a@example.org", {}, {}, None, None, None, None)])
        spool.update(1, "created", id="m1", link=Secret(MAGIC))
        spool.replace_existing([ExistingRecord("a@example.org", "m1", Secret(MAGIC))])
        assert not any(MAGIC in repr(row) for row in spool.rows())
        assert MAGIC not in repr(spool.find_existing("a@example.org"))
        target = tmp_path / f"results.{format}"
        too_small = Destination.resolve(str(target)).publish(expected_size=1_000_000)
        error = failed(lambda: write_results(too_small, spool, format=format, gzip=False, include_links=True))
        assert leaks(error) == []
        write_results(Destination.resolve(str(target)).publish(), spool, format=format, gzip=False, include_links=True)
    if format != "parquet":
        assert MAGIC in target.read_text(encoding="utf-8"), "the file has the link"


@pytest.mark.unit
@pytest.mark.parametrize(
    "data", [{"url": LINK, "password": PASSWORD}, {"url": LINK, "attributes": {"magicLink": MAGIC}}]
)
def test_credentials_beside_the_attributes_of_a_response_are_concealed(data: dict[str, Any]) -> None:
    concealed = conceal_response({"data": {"id": "r1", "type": "report", **data}})
    assert not any(canary in repr(concealed) for canary in CANARIES)
    assert concealed["data"]["url"].reveal() == LINK


@pytest.mark.unit
def test_the_search_finds_what_is_there() -> None:
    """An API key that is given in place of the base URL is repeated: nobody can know that it is one."""
    assert leaks(failed(lambda: Client(base_url=KEY, api_key="x")))


def test_what_the_service_repeats_is_shown_without_secrets() -> None:
    """Status words, names, titles and ids in messages: spelt in any way, with control characters, or long."""
    spelt = [
        KEY,
        quote(KEY, safe=""),
        base64.b64encode(KEY.encode()).decode(),
        json.dumps(KEY),
        KEY.replace("-", "%2D"),
    ]
    redaction.install("https://api.example.org", KEY)
    for text in spelt:
        shown = redaction.clean_text(f"status \x1b[31m\u202e{text}\x9b https://h/x?sig={LINK} {'y' * 900}")
        assert text not in shown
        assert LINK not in shown
        assert shown.isprintable()
        assert len(shown) <= 500


def test_a_created_event_that_repeats_its_password_leaves_none_in_xcom(emulator: Any) -> None:
    from airflow_provider_ringevents.operators.events import RingEventsCreateEventOperator

    echoed = {"data": {"id": "e1", "attributes": {**EVENT, "description": f"with {PASSWORD} and {KEY}", "slug": "s"}}}
    with RawServer(lambda seen: json_response(echoed, 201) if seen.method == "POST" else not_json(seen)) as server:
        connection = json.dumps({"conn_type": "ringevents", "host": server.url, "password": KEY})
        result = Run(
            lambda: RingEventsCreateEventOperator(
                task_id="t",
                name="Summit",
                time_start=EVENT["timeStart"],
                time_end=EVENT["timeEnd"],
                timezone="UTC",
                currency="EUR",
                organization_id="o",
                attributes={"password": PASSWORD},
            ),
            connections={"ringevents_default": connection},
        ).to_end()
        assert json.loads(server.requests[0].body)["data"]["attributes"]["password"] == PASSWORD
    assert result.state == "success", result.log_text
    said = json.dumps(result.xcoms, default=str)
    assert "Summit" in said
    assert PASSWORD not in said
    assert KEY not in said


def test_a_signed_link_on_the_apis_own_origin_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    def api(seen: Request) -> Response:
        if seen.path.startswith("/v1/"):
            return Response(302, headers={"Location": f"/files/{LINK}/f.csv"})
        return Response(body=b"x", headers={"Content-Type": "text/csv"})

    with caplog.at_level(1), caplog.at_level(1, "httpx"), caplog.at_level(1, "httpcore"), RawServer(api) as running:
        with Client(running.url, KEY) as client, client.download(endpoints.download_report("r")) as opened:
            assert b"".join(opened) == b"x"
        assert any(LINK in seen.path for seen in running.requests)
    text = "\n".join(f"{record.getMessage()} {record.args!r}" for record in caplog.records)
    assert "/v1/reports/r/download" in text
    assert LINK not in text
