"""What a client takes, and what it refuses before anything is sent."""

from __future__ import annotations

import math
import sys
from typing import Any

import pytest
from client_drivers import KEY, SyncDriver
from raw_server import RawServer, Request, Response, json_response

from airflow_provider_ringevents.client import defaults, endpoints
from airflow_provider_ringevents.client.errors import RingEventsConfigError, RingEventsTransportError
from airflow_provider_ringevents.client.settings import ClientSettings, is_loopback


def refused(name: str, **values: Any) -> str:
    with pytest.raises(RingEventsConfigError) as caught:
        ClientSettings(**{"api_key": KEY, **values})
    assert caught.value.parameter == name
    return str(caught.value)


# --- host


@pytest.mark.parametrize(
    "url",
    [
        "https://api.events.ringcentral.com",
        "https://example.org:8443/base/path",
        "HTTPS://Example.ORG",
        "https://münchen.example",
        "https://under_score.example.org",
        "https://192.0.2.1",
        "https://[2001:db8::1]:8443",
        "http://localhost:8080",
        "http://LOCALHOST",
        "http://127.0.0.1",
        "http://127.9.9.9:1",
        "http://[::1]:8080",
    ],
)
def test_a_base_url_that_can_be_used(url: str) -> None:
    assert ClientSettings(base_url=url, api_key=KEY).base_url == url
    assert ClientSettings(base_url=f"{url}//", api_key=KEY).base_url == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.events.ringcentral.com",
        "//example.org",
        "https://",
        "https:///path",
        "ftp://example.org",
        "https//example.org",
        "https://exa mple.org",
        "https://a..b",
        "https://.",
        "https://xn--/",
        "https://" + "a" * 300 + ".org",
        "https://exa<m>ple.org",
        "https://ex%61mple.org",
        "https://host\\path",
        "https://[::1",
        "https://::1",
        "https://[1.2.3.4]",
        "https://host:99999",
        "https://host:port",
        "https://host:-1",
        "https://host:0",
        "https://host:",
        "https:",
        "https:/host",
        "https://https:/host",
        "https://host//a",
        "https://host/a//b",
        "https://host/..",
        "https://host/%2e%2E/a",
        "https://host/a%2f../b",
        "https://host/./a",
        "https://host/a b",
        "https://example.org\n",
        "https://exam\x00ple.org",
        None,
        5,
        b"https://example.org",
    ],
    ids=ascii,
)
def test_a_base_url_that_cannot_be_used_is_named(url: Any) -> None:
    assert "https://api.events.ringcentral.com" in refused("host", base_url=url)


@pytest.mark.parametrize("url", ["http://example.org", "http://10.0.0.1", "http://[2001:db8::1]", "http://127.1"])
def test_plain_http_leaves_this_machine_by_no_name(url: str) -> None:
    assert "unencrypted" in refused("host", base_url=url)


@pytest.mark.parametrize(
    "url",
    [
        "https://user:hunter2@example.org",
        "https://hunter2@example.org",
        "https://@example.org",
        "https://example.org?key=hunter2",
        "https://example.org#hunter2",
        "https://localhost\\@example.org",
        "https://user:hunter2@[::1",
        "user:hunter2@example.org",
    ],
)
def test_a_base_url_takes_no_user_query_or_fragment_and_does_not_repeat_them(url: str) -> None:
    assert "hunter2" not in refused("host", base_url=url)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("x.localhost", False),
        ("127.0.0.1", True),
        ("127.255.0.1", True),
        ("::1", True),
        ("localhost.example.org", False),
        ("notlocalhost", False),
        ("0.0.0.0", False),
        ("10.0.0.1", False),
        ("::", False),
        ("", False),
    ],
)
def test_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) == loopback


# --- key


@pytest.mark.parametrize("key", ["", " ", "\t\n", None, 5, b"key"], ids=repr)
def test_a_missing_key_is_said_with_where_to_get_one(key: Any) -> None:
    assert "Organization settings > API" in refused("password", api_key=key)


@pytest.mark.parametrize(
    "key", ["hunter2\n", " hunter2", "hunter2 ", "hunter\r\n2X-Evil: 1", "hunter\x002", "hünter2", "hunter2\u200b"]
)
def test_a_key_that_no_header_takes_is_refused_and_not_repeated(key: str) -> None:
    message = refused("password", api_key=key)
    assert "hunter" not in message
    assert "hünter" not in message


def test_settings_do_not_show_the_key_or_the_proxy() -> None:
    shown = repr(ClientSettings(api_key=KEY, proxy="http://user:hunter2@localhost:1"))
    assert KEY not in shown
    assert "hunter2" not in shown


@pytest.mark.parametrize("scheme", ["Bearer ", "Bea rer", "Bearer:", "Bearer\n", "Bäarer", None, 5])
def test_an_authorization_scheme_is_one_word(scheme: Any) -> None:
    refused("auth_scheme", auth_scheme=scheme)


def test_a_whole_header_as_the_scheme_is_not_repeated() -> None:
    assert "hunter2" not in refused("auth_scheme", auth_scheme="Bearer hunter2")


# --- numbers and the rest

NUMBERS: dict[str, tuple[list[Any], list[Any]]] = {
    "timeout": (
        [0.001, 1, 60, 86_400],
        [0, -1, 86_401, 10**400, math.nan, math.inf, -math.inf, True, "60", None, [60]],
    ),
    "max_attempts": ([1, 20], [0, -1, 21, 10**400, 2.0, 2.5, math.nan, True, "5", None]),
    "per_page": ([1, 100, 100_000], [0, -1, 2.5, 100_001, 10**400, math.inf, True, "100", None]),
    "concurrency": ([1, 16], [0, 17, 4.0, True, "4", None]),
    "rate_limit": ([None, 0.001, 0.5, 100], [0, -1, 1e-300, 1e300, 10**400, math.nan, True, "5"]),
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, (good, _) in NUMBERS.items() for value in good])
def test_a_number_that_can_be(name: str, value: Any) -> None:
    assert getattr(ClientSettings(api_key=KEY, **{name: value}), name) == value


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, (_, bad) in NUMBERS.items() for value in bad],
    ids=lambda part: str(part)[:20],
)
def test_a_number_that_cannot_be_is_refused_by_name_and_value(name: str, value: Any) -> None:
    message = refused(name, **{name: value})
    shown = repr(value)
    assert f"got {shown}" in message or (len(shown) > 40 and f"got {shown[:10]}" in message)
    assert "a number" in message or "an integer" in message


@pytest.mark.parametrize("value", ["", 0, 1, None, ["ca.pem"], "a\0b", "a\ud800b"], ids=repr)
def test_verify_is_a_boolean_or_a_path(value: Any) -> None:
    refused("verify", verify=value)


@pytest.mark.parametrize(
    "proxy", ["http://proxy:3128", "https://u:p@proxy", "http://[::1]:3128", "socks5://proxy:1080"]
)
def test_a_proxy_that_can_be(proxy: str) -> None:
    assert ClientSettings(api_key=KEY, proxy=proxy).proxy == proxy


@pytest.mark.parametrize(
    "proxy",
    ["", "proxy:3128", "ftp://u:hunter2@proxy", "http://", "http://u:hunter2@[::1", "http://u:hunter2@h:99999", 5],
    ids=repr,
)
def test_a_proxy_that_cannot_be_is_refused_and_not_repeated(proxy: Any) -> None:
    assert "hunter2" not in refused("proxy", proxy=proxy)


def test_socks_without_its_package_is_said_so(driver: type[SyncDriver], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "socksio", None)
    with pytest.raises(RingEventsConfigError, match=r"`proxy` .*socksio"):
        driver("http://localhost", proxy="socks5://localhost:1080").client()


@pytest.mark.parametrize(
    "proxy", ["socks5://u:hunter2@localhost:1", "ftp://u:hunter2@localhost", "http://u:hunter2@[::1"]
)
def test_a_proxy_of_the_environment_that_cannot_be_is_said_so(
    driver: type[SyncDriver], monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy)
    with pytest.raises(RingEventsConfigError, match=r"^`proxy` .*environment") as caught:
        driver("https://api.example.org").client()
    assert "hunter2" not in str(caught.value)


def test_an_unreadable_ca_bundle_is_said_so(driver: type[SyncDriver], tmp_path: Any) -> None:
    no_bundle = tmp_path / "no.pem"
    no_bundle.write_text("no certificate here")
    for path in ("/no/such/ca.pem", str(tmp_path), str(no_bundle)):
        with pytest.raises(RingEventsConfigError, match=r"^`verify` .*CA bundle"):
            driver("https://localhost", verify=path).client()


@pytest.mark.parametrize(("name", "hint"), [("timeuot", "Did you mean 'timeout'"), ("organization_id", "per_page")])
def test_an_unknown_setting_is_named(driver: type[SyncDriver], name: str, hint: str) -> None:
    with pytest.raises(RingEventsConfigError, match=f"^`{name}` must be left out.* timeout.*{hint}") as caught:
        driver("https://localhost", **{name: "hunter2"}).client()
    assert caught.value.parameter == name
    assert "hunter2" not in str(caught.value)


def test_defaults_are_usable() -> None:
    settings = ClientSettings(api_key=KEY)
    assert settings.base_url == defaults.BASE_URL
    assert settings.authorization == f"Bearer {KEY}"
    assert ClientSettings(api_key=KEY, auth_scheme="").authorization == KEY


def test_a_client_without_a_key_is_refused_before_it_opens_anything(driver: type[SyncDriver]) -> None:
    with pytest.raises(RingEventsConfigError, match="password"):
        driver("https://localhost", api_key="").client()


def test_ipv6_works(driver: type[SyncDriver]) -> None:
    with RawServer(lambda seen: json_response({"status": "ok"}), host="::1") as server:
        assert driver(server.url).send(endpoints.health()) == {"status": "ok"}


def test_a_name_with_a_label_too_long_for_any_resolver_is_an_error_of_ours(driver: type[SyncDriver]) -> None:
    link = f"https://{'a' * 70}.example.org/f?secret"

    def handler(seen: Request) -> Response:
        if seen.path.endswith("/download"):
            return Response(302, headers={"Location": link})
        return json_response({"data": {"id": "r", "attributes": {"url": link}}})

    with (
        RawServer(handler) as server,
        pytest.raises(RingEventsTransportError, match=r"no complete response|could not be reached") as caught,
    ):
        driver(server.url, max_attempts=1).download(endpoints.download_report("r"))
    assert "secret" not in str(caught.value)
