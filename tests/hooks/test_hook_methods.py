"""Each method of the hook: its signature, what it sends, what it gives back."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from client_drivers import KEY
from contract import check_request, operations
from raw_server import RawServer, Request, Response, error_response, json_response

from airflow_provider_ringevents.client import endpoints
from airflow_provider_ringevents.client.errors import (
    RingEventsConfigError,
    RingEventsError,
    RingEventsNotFoundError,
    RingEventsTransportError,
)
from airflow_provider_ringevents.hooks.ringevents import RingEventsHook

TIMES = {"timeStart": "2026-05-01T09:00:00Z", "timeEnd": "2026-05-01T17:00:00Z", "timezone": "Abu Dhabi"}
RESOURCE = {"id": "x1", "type": "thing", "attributes": {"id": "x1", "name": "Thing", "brandNew": [1]}}
FLAT = {"id": "x1", "name": "Thing", "brandNew": [1]}

# Operation: parameters of the documented signature, arguments, the path they lead to.
METHODS: dict[str, tuple[str, tuple[Any, ...], str]] = {
    "health": ("", (), "/v1/health"),
    "list_organizations": ("", (), "/v1/organizations"),
    "get_organization": ("organization_id", ("o:1",), "/v1/organizations/o%3A1"),
    "list_templates": ("organization_id", ("o",), "/v1/organizations/o/templates"),
    "list_events": ("organization_id", ("o",), "/v1/organizations/o/events"),
    "create_event": (
        "organization_id, attributes",
        ("o", {"name": "n", "currency": "USD", **TIMES}),
        "/v1/organizations/o/events",
    ),
    "create_event_from_template": (
        "template_id, attributes",
        ("t", {"name": "n", "organizationId": "o", **TIMES}),
        "/v1/templates/t/event",
    ),
    "duplicate_event": ("event_id, attributes=None", ("e",), "/v1/events/e/duplications"),
    "get_event": ("event_id", ("e",), "/v1/events/e"),
    "list_registrations": ("event_id, filter=None", ("e",), "/v1/events/e/registrations"),
    "get_registration": ("registration_id", ("r",), "/v1/registrations/r"),
    "create_registration": (
        "event_id, attributes",
        ("e", {"email": "a@b.org", "firstName": "A", "lastName": "B", "ticketId": "t"}),
        "/v1/events/e/registrations",
    ),
    "update_registration": (
        "registration_id, metadata=None, attributes=None",
        ("r", {"a": "b"}),
        "/v1/registrations/r",
    ),
    "create_report": (
        "event_id, report_type, report_version=None, attributes=None",
        ("e", "all"),
        "/v1/events/e/reports/all",
    ),
    "list_reports": ("event_id", ("e",), "/v1/events/e/reports"),
    "get_report": ("report_id", ("r",), "/v1/reports/r"),
    "download_report": ("report_id", ("r",), "/v1/reports/r/download"),
    "list_schedule_items": ("event_id", ("e",), "/v1/events/e/scheduleItems"),
    "get_schedule_item": ("schedule_item_id", ("s",), "/v1/scheduleItems/s"),
    "list_schedule_item_tags": ("schedule_item_id", ("s",), "/v1/scheduleItems/s/tags"),
    "list_booth_tags": ("booth_id", ("b",), "/v1/booths/b/tags"),
    "list_booths": ("event_id", ("e",), "/v1/events/e/booths"),
    "list_sessions": ("event_id", ("e",), "/v1/events/e/sessions"),
    "list_stages": ("event_id", ("e",), "/v1/events/e/stages"),
    "list_tickets": ("event_id", ("e",), "/v1/events/e/tickets"),
    "create_ticket": ("event_id, attributes", ("e", {"name": "n"}), "/v1/events/e/tickets"),
    "get_ticket": ("ticket_id", ("t",), "/v1/tickets/t"),
    "list_magic_links": ("ticket_id, filter=None", ("t",), "/v1/tickets/t/magicLinks"),
    "create_magic_link": (
        "ticket_id, attributes",
        ("t", {"email": "a@b.org", "firstName": "A", "lastName": "B"}),
        "/v1/tickets/t/magicLinks",
    ),
    "list_bank_questions": ("ticket_id", ("t",), "/v1/tickets/t/bankQuestions"),
    "get_magic_link": ("magic_link_id", ("m",), "/v1/magicLinks/m"),
    "delete_magic_link": ("magic_link_id", ("m",), "/v1/magicLinks/m"),
    "create_data_subscription": (
        "event_id, configuration, signals",
        ("e", {"url": "https://example.org", "type": "webhook"}, ["attendance"]),
        "/v1/events/e/dataSubscriptions",
    ),
    "create_redeem_code": (
        "ticket_id, first_name, last_name, email, created_at=None",
        ("t", "A", "B", "a@b.org"),
        "/v1/magic_link",
    ),
}
LISTS = [name for name in METHODS if name.startswith("list_")]
ONES = [
    name
    for name in METHODS
    if name not in (*LISTS, "health", "duplicate_event", "delete_magic_link", "download_report")
]


def documented(seen: Request) -> Response:
    """The answer that the reference documents for each operation."""
    operation = check_request(seen.method, seen.path, seen.raw_query, seen.body)
    if operation == "health":
        return json_response({"status": "ok"})
    if operation == "duplicate_event":
        return Response(202)
    if operation == "delete_magic_link":
        return Response(204)
    if operation == "download_report":
        return Response(body=b"a,b\n1,2\n", headers={"Content-Type": "text/csv"})
    if operation.startswith("list_"):
        return json_response({"data": [RESOURCE], "meta": {"count": 1}, "links": {"next": None}})
    return json_response({"data": RESOURCE}, 201 if seen.method == "POST" else 200)


@pytest.fixture
def server() -> Iterator[RawServer]:
    with RawServer(documented) as running:
        yield running
        assert running.errors == []


@pytest.fixture
def hook(server: RawServer, connect: Callable[..., str]) -> Iterator[RingEventsHook]:
    connect(host=server.url)
    with RingEventsHook() as made:
        yield made


def called(hook: RingEventsHook, name: str, *arguments: Any) -> Any:
    if name == "create_redeem_code":
        with pytest.warns(DeprecationWarning, match="create_magic_link"):
            return hook.create_redeem_code(*arguments)
    return getattr(hook, name)(*arguments)


@pytest.mark.parametrize("name", METHODS)
def test_method_has_the_documented_signature(name: str) -> None:
    signature = inspect.signature(getattr(RingEventsHook, name))
    promised = [part.strip() for part in METHODS[name][0].split(",") if part.strip()]
    taken = [parameter for parameter in signature.parameters.values() if parameter.name != "self"]
    positional = [parameter for parameter in taken if parameter.kind is parameter.POSITIONAL_OR_KEYWORD]
    assert [parameter.name for parameter in positional] == [part.partition("=")[0] for part in promised]
    for parameter, part in zip(positional, promised, strict=True):
        if "=" in part:
            assert parameter.default is None
    # What is more than promised may be left out.
    assert all(parameter.default is not parameter.empty for parameter in taken if parameter not in positional)


def test_there_is_a_method_for_every_documented_operation() -> None:
    assert set(METHODS) == set(operations())


@pytest.mark.parametrize("name", METHODS)
def test_method_sends_its_operation(hook: RingEventsHook, server: RawServer, name: str) -> None:
    _, arguments, path = METHODS[name]
    result = called(hook, name, *arguments)
    if name in LISTS:
        list(result)
    if name == "download_report":
        with result as download:
            assert b"".join(download) == b"a,b\n1,2\n"
    (seen,) = server.requests
    assert check_request(seen.method, seen.path, seen.raw_query, seen.body) == name
    assert seen.path == path
    assert seen.headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("name", ONES)
def test_a_resource_is_a_plain_dict_with_its_id(hook: RingEventsHook, name: str) -> None:
    result = called(hook, name, *METHODS[name][1])
    assert type(result) is dict
    assert result == FLAT
    assert next(iter(result)) == "id"


@pytest.mark.parametrize("name", LISTS)
def test_a_list_is_an_iterator_of_plain_dicts(hook: RingEventsHook, server: RawServer, name: str) -> None:
    result = called(hook, name, *METHODS[name][1])
    assert iter(result) is result
    assert server.requests == []
    (row,) = result
    assert type(row) is dict
    assert row == FLAT


def test_what_has_no_body_gives_none(hook: RingEventsHook) -> None:
    assert hook.duplicate_event("e") is None
    assert hook.delete_magic_link("m") is None


def test_health_gives_what_the_service_says(hook: RingEventsHook) -> None:
    health = hook.health()
    assert type(health) is dict
    assert health == {"status": "ok"}


def test_the_resources_id_wins_over_an_attribute_of_that_name(connect: Callable[..., str]) -> None:
    resource = {"id": "real", "attributes": {"id": 5, "name": "n"}}
    with RawServer(lambda seen: json_response({"data": resource})) as server:
        connect(host=server.url)
        with RingEventsHook() as hook:
            assert hook.get_event("real") == {"id": "real", "name": "n", "_other": {"attributes.id": 5}}


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b'{"data": null}', b'{"data": []}', b'{"data": "x"}', b'{"data": {"id": "x", "attributes": [1]}}'],
)
@pytest.mark.parametrize("name", ["get_event", "create_event", "update_registration"])
def test_an_answer_without_its_resource_is_an_error_not_an_empty_dict(
    connect: Callable[..., str], body: bytes, name: str
) -> None:
    with RawServer(lambda seen: Response(body=body, headers={"Content-Type": "application/json"})) as server:
        connect(host=server.url)
        with RingEventsHook(max_attempts=1) as hook, pytest.raises(RingEventsTransportError, match=name) as caught:
            called(hook, name, *METHODS[name][1])
        assert caught.value.ambiguous == (name == "create_event")


def test_wrong_ids_and_attributes_are_refused_before_anything_is_sent(hook: RingEventsHook, server: RawServer) -> None:
    with pytest.raises(RingEventsConfigError, match="event_id"):
        hook.get_event("..")
    with pytest.raises(RingEventsConfigError, match="event_id"):
        hook.list_tickets("")
    with pytest.raises(RingEventsConfigError, match="report_type"):
        hook.create_report("e", "regs")
    with pytest.raises(RingEventsConfigError, match="currency"):
        hook.create_event("o", {"name": "n", **TIMES})
    with pytest.raises(RingEventsConfigError, match="filter"):
        hook.list_registrations("e", {"mail": "a@b.org"})
    assert server.requests == []


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("get_organization", ()),
        ("list_templates", ()),
        ("list_events", ()),
        ("create_event", (None, {"name": "n", "currency": "USD", **TIMES})),
    ],
)
def test_the_connections_organization_is_the_default(
    server: RawServer, connect: Callable[..., str], name: str, arguments: tuple[Any, ...]
) -> None:
    connect(host=server.url, extra={"organization_id": "mine"})
    with RingEventsHook() as hook:
        result = getattr(hook, name)(*arguments)
        if name in LISTS:
            list(result)
        assert server.requests[0].path.startswith("/v1/organizations/mine")
        assert hook.organization_id("other") == "other"


def test_without_a_default_organization_the_error_says_where_to_put_one(hook: RingEventsHook) -> None:
    with pytest.raises(RingEventsConfigError, match=r"`organization_id` must be given: .*'ringevents_default' .*extra"):
        hook.list_events()


@pytest.mark.parametrize("given", ["", " ", 0, "None"], ids=repr)
def test_a_blank_organization_is_refused_where_the_connection_has_one(
    connect: Callable[..., str], server: RawServer, given: Any
) -> None:
    connect(host=server.url, extra={"organization_id": "mine"})
    with RingEventsHook() as hook, pytest.raises(RingEventsConfigError, match=r"^`organization_id` must be an id"):
        list(hook.list_events(given))
    assert server.requests == []


@pytest.mark.parametrize(
    ("parameter", "request_"),
    [
        ("attributes", lambda hook: hook.create_event("o", None)),
        ("attributes", lambda hook: hook.create_event_from_template("t", "name=x")),
        ("attributes", lambda hook: hook.duplicate_event("e", "name=x")),
        ("configuration", lambda hook: hook.create_data_subscription("e", None, ["attendance"])),
        ("signals", lambda hook: hook.create_data_subscription("e", {"url": "https://example.org"}, None)),
    ],
)
def test_what_is_no_mapping_is_refused_by_name(
    hook: RingEventsHook, server: RawServer, parameter: str, request_: Callable[[RingEventsHook], Any]
) -> None:
    with pytest.raises(RingEventsConfigError) as caught:
        request_(hook)
    assert caught.value.parameter == parameter
    assert server.requests == []


def test_errors_of_the_service_reach_the_caller(connect: Callable[..., str]) -> None:
    with RawServer(lambda seen: error_response(404, {"detail": "no such event"})) as server:
        connect(host=server.url)
        with RingEventsHook() as hook, pytest.raises(RingEventsNotFoundError, match="no such event"):
            hook.get_event("e")
        with RingEventsHook() as hook, pytest.raises(RingEventsNotFoundError):
            next(hook.list_tickets("e"))


def test_methods_share_one_client_that_is_closed_with_the_hook(server: RawServer, connect: Callable[..., str]) -> None:
    connect(host=server.url)
    with RingEventsHook() as hook:
        for _ in range(5):
            hook.get_event("e")
        assert server.connections == 1
        assert server.open_connections == 1
    assert server.wait_until_closed()
    hook.get_event("e")
    assert server.connections == 2
    hook.close()
    hook.close()
    assert server.wait_until_closed()


def test_get_conn_is_a_client_of_the_callers_own(server: RawServer, connect: Callable[..., str]) -> None:
    connect(host=server.url)
    hook = RingEventsHook(timeout=5)
    with hook.get_conn() as first, hook.get_conn() as second:
        assert first is not second
        assert first.settings.timeout == 5


def test_every_error_of_the_hook_is_of_one_family(connect: Callable[..., str]) -> None:
    connect(host="https://[::1", extra={"timeout": "soon"})
    with pytest.raises(RingEventsError):
        RingEventsHook().get_conn()


OPTIONAL_ATTRIBUTES = {
    "duplicate_event": ("e",),
    "create_report": ("e", "registrations"),
    "update_registration": ("r", {"seat": "B2"}),
}
SWITCHED = [
    name for name in METHODS if "allow_undocumented" in inspect.signature(getattr(RingEventsHook, name)).parameters
]


@pytest.mark.parametrize("name", OPTIONAL_ATTRIBUTES)
@pytest.mark.parametrize("value", ["", 0, False, [], (), "name", [("name", "x")]])
def test_attributes_are_a_mapping_or_none(hook: RingEventsHook, server: RawServer, name: str, value: Any) -> None:
    with pytest.raises(RingEventsConfigError, match="`attributes` must be "):
        getattr(hook, name)(*OPTIONAL_ATTRIBUTES[name], attributes=value)
    with pytest.raises(RingEventsConfigError, match="`attributes` must be "):
        getattr(endpoints, name)(*OPTIONAL_ATTRIBUTES[name], attributes=value)
    assert server.requests == []


@pytest.mark.parametrize("name", SWITCHED)
@pytest.mark.parametrize("value", ["false", "", 0, 1, None])
def test_a_switch_is_true_or_false(hook: RingEventsHook, server: RawServer, name: str, value: Any) -> None:
    with pytest.raises(RingEventsConfigError, match="`allow_undocumented` must be True or False, got "):
        getattr(hook, name)(*METHODS[name][1], allow_undocumented=value)
    assert server.requests == []


GUEST: dict[str, Any] = {"ticket_id": "t", "first_name": "Ada", "last_name": "Li", "email": "ada@example.org"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[(name, value) for name in GUEST for value in (None, "", " ", 5, ["a"], "\ud800")],
        *[("ticket_id", "a/b"), ("email", "nobody"), ("created_at", 5), ("created_at", "\ud800")],
    ],
    ids=ascii,
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_attributes_of_a_redeem_code_are_checked(
    hook: RingEventsHook, server: RawServer, name: str, value: Any
) -> None:
    with pytest.raises(RingEventsConfigError) as raised:
        hook.create_redeem_code(**{**GUEST, name: value})
    assert raised.value.parameter == name
    assert server.requests == []
