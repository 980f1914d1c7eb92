"""The spelling of ``data.type`` on which the reference and the vendor's collection disagree."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from client_drivers import AT_ONCE, KEY
from raw_server import RawServer, Request, Response, error_response, json_response

from airflow_provider_ringevents.client import AsyncClient, Client, RingEventsValidationError, endpoints
from airflow_provider_ringevents.client.endpoints import Call
from airflow_provider_ringevents.emulator import Emulator

RESOURCE = {"data": {"id": "r", "type": "registration", "attributes": {"id": "r"}}}
UPDATE = endpoints.update_registration("r", {"seat": "A1"})


def send_twice(kind: str, base_url: str, call: Call, key: str = KEY) -> None:
    """Send a call twice with one client."""

    async def run() -> None:
        async with AsyncClient(base_url, key, policy=AT_ONCE) as client:
            await client.send(call)
            await client.send(call)

    if kind == "async":
        asyncio.run(run())
        return
    with Client(base_url, key, policy=AT_ONCE) as client:
        client.send(call)
        client.send(call)


def accepting(*spellings: str, status: int = 422, **error: Any) -> Any:
    """Return a handler that refuses the other spellings."""

    def handle(request: Request) -> Response:
        if request.json["data"]["type"] in spellings:
            return json_response(RESOURCE)
        return error_response(status, {"detail": "wrong type", **error})

    return handle


def types(server: RawServer) -> list[str]:
    return [request.json["data"]["type"] for request in server.requests]


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize("pointer", ["/data/type", "data.type", "#/data/type", "/data/type/"])
def test_the_other_spelling_is_sent_once_and_remembered(kind: str, status: int, pointer: str) -> None:
    with RawServer(accepting("registration", status=status, source={"pointer": pointer})) as server:
        send_twice(kind, server.url, UPDATE)
        assert types(server) == ["Registration", "registration", "registration"]
        assert [request.json["data"]["attributes"] for request in server.requests] == [{"metadata": {"seat": "A1"}}] * 3


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_the_spelling_of_the_reference_is_kept_where_it_is_accepted(kind: str) -> None:
    with RawServer(accepting("Registration")) as server:
        send_twice(kind, server.url, UPDATE)
        assert types(server) == ["Registration", "Registration"]


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize(
    ("call", "source"),
    [
        (UPDATE, {"pointer": "/data/attributes/metadata"}),
        (UPDATE, {"pointer": "/data/attributes/data/type"}),
        (UPDATE, {}),
        (endpoints.create_ticket("e", {"name": "Day"}), {"pointer": "/data/type"}),
    ],
)
def test_another_error_or_a_type_without_a_second_spelling_is_raised_at_once(
    kind: str, call: Call, source: dict[str, str]
) -> None:
    with RawServer(accepting(source=source)) as server:
        with pytest.raises(RingEventsValidationError, match="wrong type"):
            send_twice(kind, server.url, call)
        assert len(server.requests) == 1


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_service_that_accepts_neither_is_asked_twice(kind: str) -> None:
    with RawServer(accepting(source={"pointer": "/data/type"})) as server:
        with pytest.raises(RingEventsValidationError, match="wrong type"):
            send_twice(kind, server.url, UPDATE)
        assert types(server) == ["Registration", "registration"]


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize(("accepted", "requests"), [("Registration", 2), ("registration", 3), ("any", 2)])
def test_the_emulator_can_want_either(kind: str, accepted: Any, requests: int) -> None:
    with Emulator(registration_type=accepted) as emulator:
        event = emulator.state.events[emulator.event_id]
        call = endpoints.update_registration(event.registrations.id(3), attributes={"headline": "CTO"})
        send_twice(kind, emulator.url, call, emulator.api_key)
        assert event.registrations.attributes(3)["headline"] == "CTO"
        assert emulator.count("PATCH") == requests
