"""Airflow connections, in every form that Airflow reads, and what a client is made of them."""

from __future__ import annotations

import asyncio
import json
import warnings
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest
from airflow_harness.versions import AIRFLOW_VERSION
from client_drivers import KEY

from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.errors import RingEventsConfigError
from airflow_provider_ringevents.client.secrets import Secret
from airflow_provider_ringevents.client.settings import ClientSettings
from airflow_provider_ringevents.hooks import connection as connection_module
from airflow_provider_ringevents.hooks.connection import EXTRA_KEYS, ConnectionFields, client_settings
from airflow_provider_ringevents.hooks.ringevents import RingEventsHook

Connect = Callable[..., str]


@pytest.fixture(autouse=True)
def _warn_again(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(connection_module, "_warned", set())
    return


def read(conn_id: str = "ringevents_default", **overrides: Any) -> ClientSettings:
    """The settings of the connection, which the hook reads alike from a worker and from an event loop."""
    hook = RingEventsHook(conn_id, **overrides)
    with hook.get_conn() as client:
        settings = client.settings

    async def from_a_loop() -> ClientSettings:
        async with await hook.get_async_conn() as client:
            found: ClientSettings = client.settings
            return found

    assert asyncio.run(from_a_loop()) == settings
    return settings


def read_uri(monkeypatch: pytest.MonkeyPatch, uri: str) -> ClientSettings:
    monkeypatch.setenv("AIRFLOW_CONN_RINGEVENTS_DEFAULT", uri)
    return read()


def refused(**overrides: Any) -> str:
    with pytest.raises(RingEventsConfigError, match=r"^connection 'ringevents_default': ") as caught:
        RingEventsHook(**overrides).get_conn()
    return str(caught.value)


# --- where to


@pytest.mark.parametrize(
    ("fields", "base_url"),
    [
        ({}, defaults.BASE_URL),
        ({"host": ""}, defaults.BASE_URL),
        ({"host": "  "}, defaults.BASE_URL),
        ({"host": "https://example.org"}, "https://example.org"),
        ({"host": " https://example.org/ "}, "https://example.org"),
        ({"host": "https://example.org:8443/base"}, "https://example.org:8443/base"),
        ({"host": "https://example.org", "port": 8443}, "https://example.org:8443"),
        ({"host": "https://example.org/base", "port": 8443}, "https://example.org:8443/base"),
        ({"host": "https://example.org:1", "port": 8443}, "https://example.org:1"),
        ({"host": "https://example.org", "schema": "http"}, "https://example.org"),
        ({"host": "example.org"}, "https://example.org"),
        ({"host": "example.org", "schema": "https", "port": 8443}, "https://example.org:8443"),
        ({"host": "example.org:1", "port": 8443}, "https://example.org:1"),
        ({"host": "127.0.0.1", "schema": "http", "port": 8080}, "http://127.0.0.1:8080"),
        ({"host": "localhost:8080", "schema": "http"}, "http://localhost:8080"),
        ({"host": "::1", "schema": "http"}, "http://[::1]"),
        ({"host": "::1", "schema": "http", "port": 8080}, "http://[::1]:8080"),
        ({"host": "[::1]", "schema": "http", "port": 8080}, "http://[::1]:8080"),
        ({"host": "[::1]:1", "schema": "http", "port": 8080}, "http://[::1]:1"),
        ({"host": "http://[::1]", "port": 8080}, "http://[::1]:8080"),
    ],
    ids=str,
)
def test_the_base_url_of_a_connection(connect: Connect, fields: dict[str, Any], base_url: str) -> None:
    connect(**fields)
    settings = read()
    assert settings.base_url == base_url
    assert settings.api_key == KEY


@pytest.mark.parametrize("conn_type", ["ringevents", "generic", "", None])
def test_types_of_a_connection(monkeypatch: pytest.MonkeyPatch, conn_type: str | None) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_RINGEVENTS_DEFAULT", json.dumps({"conn_type": conn_type, "password": KEY}))
    assert read().api_key == KEY


def test_a_connection_of_another_service_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_RINGEVENTS_DEFAULT", f"http://user:{KEY}@example.org")
    message = refused()
    assert "`conn_type` must be 'ringevents' or 'generic', got 'http'" in message
    assert KEY not in message


@pytest.mark.parametrize(
    ("uri", "base_url"),
    [
        (f"ringevents://:{KEY}@", defaults.BASE_URL),
        (f"ringevents://:{KEY}@/", defaults.BASE_URL),
        (f"ringevents://:{KEY}@example.org", "https://example.org"),
        (f"ringevents://:{KEY}@example.org:8443/", "https://example.org:8443"),
        (f"ringevents://:{KEY}@127.0.0.1:8080/http", "http://127.0.0.1:8080"),
        (f"ringevents://http://:{KEY}@127.0.0.1:8080/", "http://127.0.0.1:8080"),
        (f"ringevents://https://:{KEY}@example.org", "https://example.org"),
        (f"ringevents://:{KEY}@{quote('http://127.0.0.1:8080', safe='')}", "http://127.0.0.1:8080"),
        (f"ringevents://:{KEY}@[::1]:8080/http", "http://[::1]:8080"),
    ],
)
def test_the_base_url_of_a_connection_uri(monkeypatch: pytest.MonkeyPatch, uri: str, base_url: str) -> None:
    settings = read_uri(monkeypatch, uri)
    assert settings.base_url == base_url
    assert settings.api_key == KEY


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"host": "http://example.org"}, "unencrypted"),
        ({"host": "example.org", "schema": "http"}, "unencrypted"),
        ({"host": "ftp://example.org"}, "base URL"),
        ({"host": "https:/example.org"}, "base URL"),
        ({"host": "//a"}, "base URL"),
        ({"host": "/.."}, "base URL"),
        ({"host": "example.org/.."}, "base URL"),
        ({"host": "example.org:0"}, "base URL"),
        ({"host": "https://"}, "base URL"),
        ({"host": "https://[::1"}, "base URL"),
        ({"host": "https://exa mple.org"}, "base URL"),
        ({"host": "https://example.org?x=1"}, "without user"),
    ],
    ids=str,
)
def test_a_host_that_cannot_be_used_names_the_connection_and_the_field(
    connect: Connect, fields: dict[str, Any], message: str
) -> None:
    connect(**fields)
    said = refused()
    assert "`host` must be" in said
    assert message in said
    assert KEY not in said


@pytest.mark.parametrize("schema", ["ringevents", "ftp", "https://", "http:", "folder"])
def test_a_schema_that_cannot_be_used_is_named_itself(connect: Connect, schema: str) -> None:
    connect(host="example.org", schema=schema)
    assert f"`schema` must be https, or http on loopback, or empty, got {schema!r}" in refused()


@pytest.mark.parametrize("schema", ["HTTPS", " ", ""])
def test_a_schema_is_read_in_any_case_and_https_without_one(connect: Connect, schema: str) -> None:
    connect(host="example.org", schema=schema)
    assert read().base_url.lower() == "https://example.org"


@pytest.mark.parametrize("host", ["", "example.org", "https://example.org", "https://example.org:1"])
@pytest.mark.parametrize("port", [0, -1, 65_536, True, 1.5, "x"])
def test_a_port_that_cannot_be_used_is_named_itself(host: str, port: Any) -> None:
    # As secrets backends make it: Airflow itself refuses some of these ports where it reads a text.
    fields = ConnectionFields("odd", "ringevents", host, None, port, Secret(KEY), None)
    with pytest.raises(
        RingEventsConfigError, match=r"^connection 'odd': `port` must be a port from 1 to 65535"
    ) as caught:
        client_settings(fields, {})
    assert caught.value.got == repr(port)


@pytest.mark.parametrize("key", ["", "  ", None])
def test_a_connection_without_a_key_says_where_to_get_one(connect: Connect, key: str | None) -> None:
    connect(password=key)
    assert "`password` of the connection must be an API key" in refused()


def test_a_key_with_a_line_end_is_refused_and_not_repeated(connect: Connect) -> None:
    connect(password=f"{KEY}\n")
    assert KEY not in refused()


def test_a_key_from_a_uri_is_unquoted(monkeypatch: pytest.MonkeyPatch) -> None:
    odd = "k/e:y@%+?#=&"
    assert read_uri(monkeypatch, f"ringevents://:{quote(odd, safe='')}@").api_key == odd


@pytest.mark.integration  # On Airflow 2 a connection is looked up in the database.
def test_a_missing_connection_is_named() -> None:
    hook = RingEventsHook("no_such")
    with pytest.raises(RingEventsConfigError, match="`ringevents_conn_id` must be the id of a connection"):
        hook.get_conn()
    with pytest.raises(RingEventsConfigError, match="`ringevents_conn_id` must be the id of a connection"):
        asyncio.run(hook.get_async_conn())
    with pytest.raises(RingEventsConfigError, match="no_such"):
        hook.organization_id()
    assert hook.organization_id("given") == "given"


# --- extra

# Key: as JSON, as text, what the client then has.
EXTRAS: list[tuple[str, Any, str, Any]] = [
    ("auth_scheme", "Token", "Token", "Token"),
    ("auth_scheme", "", "", ""),
    ("timeout", 5, "5", 5.0),
    ("request_timeout", 90, "90", 90.0),
    ("transfer_timeout", 3600, "3600", 3600.0),
    ("timeout", 0.25, "0.25", 0.25),
    ("timeout", 5, " 5 ", 5.0),
    ("max_attempts", 3, "3", 3),
    ("max_attempts", 3.0, "3.0", 3),
    ("per_page", 25, "25", 25),
    ("concurrency", 16, "16", 16),
    ("rate_limit", 2.5, "2.5", 2.5),
    ("verify", True, "true", True),
    ("verify", False, "False", False),
    ("verify", "no", "0", False),
    ("verify", "yes", "1", True),
    ("proxy", "http://proxy:3128", "http://proxy:3128", Secret("http://proxy:3128")),
    ("trust_count", False, "false", False),
    ("allow_private_links", True, "true", True),
]


@pytest.mark.parametrize(("name", "typed", "text", "value"), EXTRAS, ids=str)
def test_an_extra_key_is_read_in_typed_and_in_string_form(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, name: str, typed: Any, text: str, value: Any
) -> None:
    connect(extra={name: typed})
    from_json = read()
    assert getattr(from_json, name) == value
    assert type(getattr(from_json, name)) is type(value)
    connect(extra=json.dumps({name: text}))
    assert read() == from_json
    if text:
        assert read_uri(monkeypatch, f"ringevents://:{KEY}@?{name}={quote(text, safe='')}") == from_json
    nested = quote(json.dumps({name: typed}), safe="")
    assert read_uri(monkeypatch, f"ringevents://:{KEY}@?__extra__={nested}") == from_json


def test_every_extra_key_is_covered() -> None:
    assert {name for name, *_ in EXTRAS} | {"organization_id"} == set(EXTRA_KEYS)
    fields = {*ClientSettings.__slots__} - {"base_url", "api_key"}
    assert fields | {"organization_id"} == set(EXTRA_KEYS)


@pytest.mark.parametrize("name", [name for name in EXTRA_KEYS if name != "auth_scheme"])
@pytest.mark.parametrize("empty", [None, ""])
def test_an_empty_extra_key_means_the_default(connect: Connect, name: str, empty: Any) -> None:
    connect(extra={name: empty})
    assert read() == ClientSettings(api_key=KEY)
    assert RingEventsHook().default_organization_id is None


def test_a_null_authorization_scheme_is_the_default(connect: Connect) -> None:
    connect(extra={"auth_scheme": None})
    assert read().authorization == f"Bearer {KEY}"


def test_the_organization_is_the_hooks_not_the_clients(connect: Connect) -> None:
    connect(extra={"organization_id": "mine"})
    assert RingEventsHook().default_organization_id == "mine"
    assert read() == ClientSettings(api_key=KEY)


NUMBERS = ("timeout", "request_timeout", "transfer_timeout", "max_attempts", "per_page", "concurrency", "rate_limit")
WRONG: list[tuple[str, Any]] = [
    ("organization_id", 5),
    ("auth_scheme", "two words"),
    ("auth_scheme", 5),
    ("timeout", "soon"),
    ("request_timeout", 0),
    ("request_timeout", "a minute"),
    ("transfer_timeout", -1),
    ("transfer_timeout", 1e9),
    ("timeout", True),
    ("timeout", [5]),
    ("timeout", 0),
    ("timeout", "nan"),
    ("timeout", 10**400),
    ("max_attempts", "3.5"),
    ("max_attempts", 0),
    ("max_attempts", {"a": 1}),
    ("max_attempts", "inf"),
    ("per_page", "all"),
    ("per_page", 0),
    ("per_page", 1e308),
    ("concurrency", 17),
    ("concurrency", "many"),
    ("rate_limit", -1),
    ("rate_limit", "1/s"),
    *((name, text) for name in NUMBERS for text in ("1_0", "\u0661\u0662", "0x10", "1e400", "9" * 5_000, "5 5")),
    ("verify", "a\0b"),
    ("verify", 5),
    ("verify", ["ca.pem"]),
    ("verify", " "),
    ("proxy", 5),
    ("proxy", "proxy:3128"),
    ("trust_count", "maybe"),
    ("allow_private_links", "maybe"),
]


@pytest.mark.parametrize(("name", "value"), WRONG, ids=lambda part: str(part)[:20])
def test_an_extra_that_cannot_be_read_is_an_error_that_names_it(connect: Connect, name: str, value: Any) -> None:
    connect(extra={name: value})
    message = refused()
    assert f" `{name}` must be" in message
    assert KEY not in message


def test_a_proxys_password_is_never_repeated(connect: Connect) -> None:
    for value in ("user:hunter2@proxy", {"url": "http://user:hunter2@proxy"}, ["hunter2"]):
        connect(extra={"proxy": value})
        assert "hunter2" not in refused()


@pytest.mark.parametrize("name", sorted({*EXTRA_KEYS} - {"organization_id", "proxy"}))
@pytest.mark.parametrize(
    "url",
    [
        "https://user:hunter2@example.org",
        "https://hunter2@example.org",
        "//user:hunter2@example.org",
        "see https://user:p/?#@:hunter2@example.org",
        f"https://user:{'x' * 300}hunter2@example.org/{'y' * 20}",
    ],
)
@pytest.mark.parametrize("wrap", [lambda url: url, lambda url: [url], lambda url: {"url": {"url": url}}])
def test_a_password_in_a_url_is_never_repeated(
    connect: Connect, name: str, url: str, wrap: Callable[[str], Any]
) -> None:
    connect(extra={name: wrap(url)})
    with pytest.raises(RingEventsConfigError, match=f"`{name}` must be") as caught:
        RingEventsHook().get_conn()
    assert "hunter2" not in f"{caught.value} {caught.value.got}"


@pytest.mark.parametrize("value", ["Bearer hunter2", {"Authorization": "Bearer hunter2"}, ["hunter2"]])
def test_a_key_in_the_place_of_the_scheme_is_never_repeated(connect: Connect, value: Any) -> None:
    connect(extra={"auth_scheme": value})
    assert "hunter2" not in refused()


def test_a_ca_bundle_is_a_path(connect: Connect) -> None:
    connect(extra={"verify": "/no/such/bundle.pem"})
    with pytest.raises(RingEventsConfigError, match=r"`verify` must be .* got '/no/such/bundle.pem'"):
        RingEventsHook().get_conn()


@pytest.mark.integration  # Airflow 3.0 looks for the connection in its database then
@pytest.mark.parametrize("extra", ["[1]", '"x"', "5"])
def test_an_extra_that_is_no_object_is_an_error(connect: Connect, extra: str) -> None:
    connect(extra=extra)
    with pytest.raises(ValueError, match=r"(?i)extra|json|object"):  # Airflow itself may refuse it first
        RingEventsHook().get_conn()


@pytest.mark.skipif((3, 0) <= AIRFLOW_VERSION < (3, 2), reason="Airflow 3.0 and 3.1 refuse it themselves")
def test_an_extra_of_null_is_none(connect: Connect) -> None:
    connect(extra="null")
    assert read() == ClientSettings(api_key=KEY)


# --- unknown keys


def test_an_unknown_key_warns_once_and_names_the_nearest(connect: Connect) -> None:
    connect(extra={"timeuot": 5})
    with pytest.warns(UserWarning, match="'ringevents_default'.*'timeuot' .* did you mean 'timeout'"):
        RingEventsHook().get_conn().close()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(3):
            assert read() == ClientSettings(api_key=KEY)


def test_an_unknown_key_like_no_other_lists_what_is_known(connect: Connect) -> None:
    connect(extra={"zzz": "hunter2"})
    with pytest.warns(UserWarning, match="organization_id, auth_scheme") as caught:
        RingEventsHook().get_conn().close()
    assert "hunter2" not in str(caught[0].message)


def test_each_connection_and_key_warns_for_itself(connect: Connect) -> None:
    connect("one", extra={"a_key": 1, "b_key": 2})
    connect("two", extra={"a_key": 1})
    with pytest.warns(UserWarning, match="is not known") as caught:
        _ = [RingEventsHook(conn_id).get_conn().close() for conn_id in ("one", "two")]
    assert len(caught) == 3


# --- overrides


def test_overrides_win_over_the_connection(connect: Connect) -> None:
    connect(host="https://example.org", extra={"timeout": 5, "concurrency": 2})
    settings = read(timeout=9, per_page=7)
    assert (settings.timeout, settings.concurrency, settings.per_page) == (9, 2, 7)


def test_an_override_that_cannot_be_is_named(connect: Connect) -> None:
    connect()
    assert "`timeout` must be a number" in refused(timeout="5")


@pytest.mark.parametrize("name", ["timeuot", "organization_id", "conn_id", "host", "password", "extra"])
def test_an_override_that_is_unknown_is_named_when_the_hook_is_made(name: str) -> None:
    with pytest.raises(RingEventsConfigError, match=f"^`{name}` must be left out.* timeout, .* verify") as caught:
        RingEventsHook(**{name: "hunter2"})
    assert caught.value.parameter == name
    assert "hunter2" not in str(caught.value)


def test_the_former_host_is_accepted_with_one_hint(connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    connect(host="https://api.hopin.com")
    assert read().base_url == read().base_url == "https://api.hopin.com"
    hints = [record.getMessage() for record in caplog.records if "former" in record.getMessage()]
    assert len(hints) == 1
    assert defaults.BASE_URL in hints[0]
    assert "'ringevents_default'" in hints[0]
