"""The places to which redirects and signed links may lead the worker, and what goes along."""

from __future__ import annotations

import ssl
from typing import Any

import pytest
from certificates import Authority
from client_drivers import KEY, SyncDriver
from raw_server import RawServer, Request, Response, json_response

from airflow_provider_ringevents.client import endpoints
from airflow_provider_ringevents.client.downloads.destinations import LinkPolicy
from airflow_provider_ringevents.client.errors import RingEventsTransferError
from airflow_provider_ringevents.client.settings import ClientSettings

CALL = endpoints.download_report("r")
CSV = {"Content-Type": "text/csv"}
PUBLIC = "https://api.example.org"
PRIVATE_LITERALS = [
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0.0.0.0",
    "::1",
    "::ffff:127.0.0.1",
    "localhost",
    "x.localhost",
    "169.254.169.254",
    "fe80::1",
    "fe80::1%eth0",
    "10.0.0.5",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "fd00::1",
    "64:ff9b::a00:5",
    "::ffff:10.0.0.5",
    "::127.0.0.1",
    "64:ff9b:1::a00:5",
    "::ffff:0:10.0.0.1",
    "fec0::1",
    "\uff11\uff10.0.0.5",
    "127\u30020\u30020\u30021",
]


def policy(base_url: str = PUBLIC, **settings: Any) -> LinkPolicy:
    return LinkPolicy(ClientSettings(base_url, KEY, **settings))


def leads_to(url: str) -> Any:
    """An API whose download redirects there, and whose signed link leads there."""

    def handler(seen: Request) -> Response:
        if seen.path.endswith("/download"):
            return Response(302, headers={"Location": url})
        return json_response({"data": {"id": "r", "attributes": {"url": url}}})

    return handler


@pytest.mark.unit
@pytest.mark.parametrize("host", PRIVATE_LITERALS)
def test_a_literal_address_of_a_private_network_is_refused(host: str) -> None:
    assert policy().objection("https", host) is not None
    assert policy().objection("http", host) is not None
    assert policy(allow_private_links=True).objection("https", host) is None


@pytest.mark.unit
def test_what_the_base_url_is_itself_is_allowed_and_nothing_else() -> None:
    assert policy("https://10.0.0.5").objection("https", "10.9.9.9") is None
    assert policy("https://10.0.0.5").objection("https", "169.254.169.254") is not None
    assert policy("https://localhost").objection("https", "127.0.0.1") is None
    assert policy("https://localhost").objection("http", "127.0.0.1") is not None
    assert policy("http://localhost").objection("http", "127.0.0.1") is None
    assert policy("http://localhost").objection("http", "files.example.org") is not None
    assert policy("http://localhost").objection("https", "10.0.0.5") is not None


@pytest.mark.unit
def test_a_public_address_is_allowed() -> None:
    for host in ("93.184.216.34", "2606:2800:220:1::1", "files.example.org"):
        assert policy().objection("https", host) is None
        assert policy().objection("http", host) is not None


@pytest.mark.unit
@pytest.mark.parametrize(
    ("addresses", "verify", "refused"),
    [
        (["93.184.216.34"], True, False),
        (["10.0.0.5"], True, False),
        (["10.0.0.5"], False, True),
        (["93.184.216.34", "10.0.0.5"], False, True),
        (["127.0.0.1"], True, True),
        (["93.184.216.34", "169.254.169.254"], True, True),
        (["::ffff:169.254.169.254"], True, True),
        ([], True, False),
    ],
)
def test_a_name_is_judged_by_its_addresses(addresses: list[str], verify: bool, refused: bool) -> None:
    rule = policy(verify=verify)
    assert rule.needs_lookup("https", "files.example.org")
    assert (rule.objection_to_addresses(addresses) is not None) is refused


@pytest.mark.unit
def test_names_that_need_no_look_up(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not policy().needs_lookup("https", "api.example.org"), "the API's own host"
    assert not policy().needs_lookup("https", "93.184.216.34")
    assert not policy(allow_private_links=True).needs_lookup("https", "files.example.org")
    assert not policy(proxy="http://proxy:3128").needs_lookup("https", "files.example.org")
    monkeypatch.setenv("https_proxy", "http://proxy:3128")
    monkeypatch.setenv("no_proxy", "inside.example.org")
    assert not policy().needs_lookup("https", "files.example.org")
    assert policy().needs_lookup("https", "inside.example.org")


@pytest.mark.parametrize("place", ["http://127.0.0.1:{port}", "http://x.localhost:{port}"])
def test_an_api_under_tls_cannot_send_the_worker_to_a_server_of_its_own_machine(
    driver: type[SyncDriver], authority: Authority, trusted: ssl.SSLContext, place: str
) -> None:
    with RawServer(lambda seen: Response(body=b"secret of the host", headers=CSV)) as inside:
        link = f"{place.format(port=inside.port)}/latest?token=1"
        with (
            RawServer(leads_to(link), context=trusted) as api,
            pytest.raises(RingEventsTransferError, match="not read unencrypted") as caught,
        ):
            driver(api.url, verify=str(authority.bundle)).download(CALL)
        assert inside.connections == 0
    assert "token" not in str(caught.value)
    assert not caught.value.retryable


def test_a_name_that_resolves_to_a_place_inside_is_refused_before_the_connection(driver: type[SyncDriver]) -> None:
    asked: list[str] = []

    def resolver(host: str) -> list[str]:
        asked.append(host)
        return ["169.254.169.254"]

    with (
        RawServer(leads_to("https://files.example.org/f?sig=1")) as api,
        pytest.raises(RingEventsTransferError, match="resolves to a link-local address"),
    ):
        driver(api.url, resolver=resolver).download(CALL)
    assert set(asked) == {"files.example.org"}


def test_a_private_literal_is_refused_by_redirect_and_by_link(driver: type[SyncDriver]) -> None:
    with (
        RawServer(leads_to("https://10.0.0.5/f?sig=1")) as api,
        pytest.raises(RingEventsTransferError, match="allow_private_links"),
    ):
        driver(api.url).download(CALL)


def test_the_way_back_to_the_api_goes_without_the_key(driver: type[SyncDriver]) -> None:
    keys: list[str | None] = []

    def handler(seen: Request) -> Response:
        keys.append(seen.headers.get("authorization"))
        if seen.path.endswith("/download"):
            return Response(302, headers={"Location": store.url + "/hop"})
        return Response(body=b"x", headers=CSV)

    with (
        RawServer(handler) as api,
        RawServer(lambda seen: Response(302, headers={"Location": f"{api.url}/v1/organizations"})) as store,
    ):
        driver(api.url).download(CALL)
        assert "authorization" not in store.requests[0].headers
    assert keys == [f"Bearer {KEY}", None]


@pytest.mark.parametrize("part_headers", [{}, {"ETag": '"v1"', "Content-Encoding": "gzip"}], ids=["no ETag", "encoded"])
def test_a_part_that_may_be_of_another_file_is_not_sewn_on(
    driver: type[SyncDriver], part_headers: dict[str, str]
) -> None:
    from airflow_provider_ringevents.client.downloads.state import DownloadRestartRequired

    content = bytes(range(256)) * 8192

    def handler(seen: Request) -> Response:
        if "range" not in seen.headers:
            return Response(body=content, headers={**CSV, "ETag": '"v1"'}, cut=1_500_000)
        start = int(seen.headers["range"].removeprefix("bytes=").rstrip("-"))
        total = len(content)
        span = {"Content-Range": f"bytes {start}-{total - 1}/{total}"}
        return Response(206, b"?" * (total - start), {**CSV, **span, **part_headers})

    with RawServer(handler) as api, pytest.raises(DownloadRestartRequired, match="cannot resume it"):
        driver(api.url).download(CALL)
