"""One client for all waits of an event loop."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from client_drivers import KEY
from raw_server import (
    NO_RESPONSE,
    RawServer,
    Request,
    Response,
    closed_port,
    error_response,
    json_response,
)

from airflow_provider_ringevents import clock
from airflow_provider_ringevents.client import defaults, endpoints
from airflow_provider_ringevents.client.errors import (
    RingEventsAuthError,
    RingEventsConfigError,
    RingEventsServerError,
    RingEventsTransportError,
)
from airflow_provider_ringevents.hooks.ringevents import RingEventsHook
from airflow_provider_ringevents.polling.waiter import EventListing
from airflow_provider_ringevents.triggers._client_registry import SharedClient, acquire_shared_client

Connect = Callable[..., str]
POLL = endpoints.get_report("r")
IN_PROGRESS = json_response({"data": {"id": "r", "attributes": {}}}, 202)
NEW_KEY = "fresh-key-31c9"


@pytest.fixture
def lookups(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The connections that were looked up; the lookups themselves are real."""
    seen: list[str] = []
    real = RingEventsHook.get_async_settings

    async def noted(hook: RingEventsHook) -> Any:
        seen.append(hook.ringevents_conn_id)
        return await real(hook)

    monkeypatch.setattr(RingEventsHook, "get_async_settings", noted)
    return seen


def test_waits_of_one_loop_and_connection_share_a_client(connect: Connect, lookups: list[str]) -> None:
    async def run() -> None:
        async with (
            acquire_shared_client("one") as first,
            acquire_shared_client("one") as second,
            acquire_shared_client("two") as other,
        ):
            assert first is second
            assert other is not first
            for _ in range(3):
                await first.fetch(POLL)
                await second.fetch(POLL)
                await other.fetch(POLL)

    with RawServer(lambda seen: IN_PROGRESS) as server:
        connect("one", host=server.url)
        connect("two", host=server.url)
        asyncio.run(run())
        assert lookups == ["one", "two"]
        assert server.connections == 2
        assert len(server.requests) == 9


def test_each_loop_has_its_own(connect: Connect, lookups: list[str]) -> None:
    found: list[SharedClient] = []

    async def run() -> None:
        async with acquire_shared_client("one") as client:
            found.append(client)
            await client.fetch(POLL)

    with RawServer(lambda seen: IN_PROGRESS) as server:
        connect("one", host=server.url)
        threads = [threading.Thread(target=lambda: asyncio.run(run())) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(set(map(id, found))) == 2
    assert lookups == ["one", "one"]


def test_it_is_closed_when_the_last_one_leaves(connect: Connect, lookups: list[str]) -> None:
    async def run(server: RawServer) -> None:
        async with acquire_shared_client("one") as first:
            await first.fetch(POLL)
            async with acquire_shared_client("one") as second:
                await second.fetch(POLL)
            await asyncio.sleep(0.02)
            assert server.open_connections == 1
            await first.fetch(POLL)
        assert await asyncio.to_thread(server.wait_until_closed)
        async with acquire_shared_client("one") as later:
            assert later is not first
            await later.fetch(POLL)
        assert await asyncio.to_thread(server.wait_until_closed)

    with RawServer(lambda seen: IN_PROGRESS) as server:
        connect("one", host=server.url)
        asyncio.run(run(server))
        assert server.connections == 2
        assert lookups == ["one"], "within five seconds"


def test_it_is_closed_when_a_wait_fails_or_is_cancelled(connect: Connect) -> None:
    async def failing() -> None:
        async with acquire_shared_client("one") as client:
            await client.fetch(POLL)
            raise ValueError("a bug in a wait")

    async def run(server: RawServer) -> None:
        with pytest.raises(ValueError, match="a bug"):
            await failing()
        assert await asyncio.to_thread(server.wait_until_closed)
        hanging = asyncio.create_task(_poll_for_ever())
        while not server.open_connections:
            await asyncio.sleep(0.005)
        hanging.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hanging
        assert await asyncio.to_thread(server.wait_until_closed)

    with RawServer(lambda seen: IN_PROGRESS) as server:
        connect("one", host=server.url)
        asyncio.run(run(server))


async def _poll_for_ever() -> None:
    async with acquire_shared_client("one") as client:
        while True:
            await client.fetch(POLL)


def test_two_hundred_waits_keep_to_the_clients_connections(connect: Connect, lookups: list[str]) -> None:
    def handler(seen: Request) -> Response:
        time.sleep(0.002)
        return IN_PROGRESS

    async def run() -> None:
        async with acquire_shared_client("one") as client:
            answers = await asyncio.gather(*(client.fetch(POLL) for _ in range(200)))
        assert [answer.status for answer in answers] == [202] * 200

    with RawServer(handler) as server:
        connect("one", host=server.url)
        asyncio.run(run())
        assert len(server.requests) == 200
        assert server.peak <= defaults.MAX_CONNECTIONS
        assert server.connections <= defaults.MAX_CONNECTIONS
    assert lookups == ["one"]


@pytest.mark.parametrize(
    "answer", [error_response(503), error_response(429), NO_RESPONSE], ids=["503", "429", "no answer"]
)
def test_a_poll_is_one_request(connect: Connect, answer: Response) -> None:
    async def run() -> None:
        async with acquire_shared_client("one") as client:
            await client.fetch(POLL)

    with RawServer(lambda seen: answer) as server:
        connect("one", host=server.url)
        with pytest.raises(Exception, match="get_report"):
            asyncio.run(run())
        assert len(server.requests) == 1


# --- keys that are rotated


class Rotating:
    """A server whose key has changed; the connection is changed when the old key is first refused."""

    def __init__(self, connect: Connect) -> None:
        self.connect = connect
        self.url = ""
        self.refused = 0

    def __call__(self, seen: Request) -> Response:
        if seen.headers["authorization"] == f"Bearer {NEW_KEY}":
            time.sleep(0.001)
            return IN_PROGRESS if seen.path.startswith("/v1/reports") else json_response({"data": []})
        self.refused += 1
        self.connect("one", host=self.url, password=NEW_KEY)
        return error_response(401)


def test_a_rotated_key_is_read_once_for_all_waits(connect: Connect, lookups: list[str]) -> None:
    """Two hundred waits are refused together: no request is lost when the old client is closed."""
    handler = Rotating(connect)

    async def run() -> None:
        async with acquire_shared_client("one") as client:
            answers = await asyncio.gather(*(client.fetch(POLL) for _ in range(200)))
            assert [answer.status for answer in answers] == [202] * 200
            await client.fetch(POLL)

    with RawServer(handler) as server:
        handler.url = server.url
        connect("one", host=server.url)
        asyncio.run(run())
        assert lookups == ["one", "one"]
        assert handler.refused <= 200
        assert server.wait_until_closed()


def test_the_refused_client_is_closed_when_nobody_uses_it_any_more(connect: Connect) -> None:
    handler = Rotating(connect)

    async def run(server: RawServer) -> None:
        async with acquire_shared_client("one") as client:
            await asyncio.gather(*(client.fetch(POLL) for _ in range(50)))
            await client.fetch(POLL)
            new = {seen.connection for seen in server.requests if NEW_KEY in seen.headers["authorization"]}
            deadline = time.monotonic() + 5
            while server.open_connections > len(new) and time.monotonic() < deadline:
                await asyncio.sleep(0.01)
            assert server.open_connections <= len(new)

    with RawServer(handler) as server:
        handler.url = server.url
        connect("one", host=server.url)
        asyncio.run(run(server))


def test_a_key_that_is_still_the_same_stays_refused(connect: Connect, lookups: list[str]) -> None:
    async def run(client: SharedClient) -> None:
        with pytest.raises(RingEventsAuthError):
            await client.fetch(POLL)

    async def main() -> None:
        async with acquire_shared_client("one") as client:
            await run(client)
            await run(client)

    with RawServer(lambda seen: error_response(401)) as server:
        connect("one", host=server.url)
        asyncio.run(main())
        assert len(server.requests) == 2
    assert lookups == ["one", "one", "one"]


async def test_a_key_that_may_not_do_this_is_not_looked_up_again(connect: Connect, lookups: list[str]) -> None:
    with RawServer(lambda seen: error_response(403)) as server:
        connect("one", host=server.url)
        with pytest.raises(RingEventsAuthError):
            async with acquire_shared_client("one") as client:
                await client.fetch(POLL)
        assert len(server.requests) == 1
    assert lookups == ["one"]


@pytest.mark.integration  # On Airflow 2 a connection is looked up in the database.
async def test_a_missing_connection_is_an_error_of_the_poll(lookups: list[str]) -> None:
    with pytest.raises(RingEventsConfigError, match="no_such"):
        async with acquire_shared_client("no_such") as client:
            await client.fetch(POLL)


# --- connections that are changed


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """`later(seconds)`: so much time has passed."""
    real, passed = clock.monotonic, [0.0]
    monkeypatch.setattr(clock, "monotonic", lambda: real() + passed[0])

    def move(seconds: float) -> None:
        passed[0] += seconds

    return move


async def test_a_wait_that_begins_reads_the_connection_whatever_other_waits_use(
    connect: Connect, lookups: list[str], later: Callable[[float], None]
) -> None:
    with RawServer(lambda seen: IN_PROGRESS) as old, RawServer(lambda seen: IN_PROGRESS) as new:
        connect("one", host=old.url)
        async with acquire_shared_client("one") as first:
            await first.fetch(POLL)
            connect("one", host=new.url, password=NEW_KEY)
            later(5)
            async with acquire_shared_client("one") as second, acquire_shared_client("one") as third:
                assert second is third is not first
                await second.fetch(POLL)
                await first.fetch(POLL)
        assert (len(old.requests), len(new.requests)) == (2, 1)
        assert [seen.headers["authorization"] for seen in new.requests] == [f"Bearer {NEW_KEY}"]
        assert old.wait_until_closed()
        assert new.wait_until_closed()
    assert lookups == ["one", "one"]


async def test_waits_of_an_unchanged_connection_share_a_client_however_far_apart_they_begin(
    connect: Connect, lookups: list[str], later: Callable[[float], None]
) -> None:
    with RawServer(lambda seen: IN_PROGRESS) as server:
        connect("one", host=server.url)
        async with acquire_shared_client("one") as first:
            later(3600)
            async with acquire_shared_client("one") as second:
                assert first is second
    assert lookups == ["one", "one"]


async def test_a_thousand_waits_that_begin_together_read_the_connection_once(
    connect: Connect, lookups: list[str]
) -> None:
    async def wait() -> None:
        async with acquire_shared_client("one"):
            await asyncio.sleep(0.01)

    with RawServer(lambda seen: IN_PROGRESS) as server:
        connect("one", host=server.url)
        await asyncio.gather(*(wait() for _ in range(1000)))
    assert lookups == ["one"]


async def test_a_connection_that_cannot_be_read_is_read_once_for_all_that_begin_together(
    connect: Connect, lookups: list[str], later: Callable[[float], None]
) -> None:
    async def wait() -> None:
        async with acquire_shared_client("absent"):
            raise AssertionError("there is no such connection")

    errors = await asyncio.gather(*(wait() for _ in range(20)), return_exceptions=True)
    assert {type(error) for error in errors} == {RingEventsConfigError}
    assert len(set(map(id, errors))) == 20
    assert lookups == ["absent"]
    with RawServer(lambda seen: IN_PROGRESS) as server:
        connect("absent", host=server.url)
        later(5)
        async with acquire_shared_client("absent") as client:
            await client.fetch(POLL)


# --- listings that waits share


def listing(seen: Request) -> Response:
    time.sleep(0.01)
    return json_response({"data": [{"id": "e", "attributes": {"name": "n"}}], "meta": {"count": 1}})


async def test_waits_of_one_organization_share_a_listing(connect: Connect) -> None:
    with RawServer(listing) as server:
        connect("one", host=server.url)
        async with acquire_shared_client("one") as client:
            found = await asyncio.gather(*(client.fetch(EventListing("o"), max_age=60) for _ in range(50)))
            assert found == [[{"id": "e", "name": "n"}]] * 50
            assert len(server.requests) == 1
            await client.fetch(EventListing("o"), max_age=60)
            assert len(server.requests) == 1
            await client.fetch(EventListing("o"))
            assert len(server.requests) == 2
            await client.fetch(EventListing("other"), max_age=60)
            assert len(server.requests) == 3


async def test_a_listing_that_takes_longer_than_waits_pause_is_not_begun_again_beside_itself(connect: Connect) -> None:
    all_asked = threading.Event()

    def slow(seen: Request) -> Response:
        all_asked.wait(10)
        return listing(seen)

    with RawServer(slow) as server:
        connect("one", host=server.url)
        async with acquire_shared_client("one") as client:
            asked = []
            for _ in range(10):
                asked.append(asyncio.create_task(client.fetch(EventListing("o"))))
                await asyncio.sleep(0.02)
            all_asked.set()
            assert await asyncio.gather(*asked) == [[{"id": "e", "name": "n"}]] * 10
            assert len(server.requests) == 1


async def test_a_listing_that_failed_is_not_kept(connect: Connect) -> None:
    answers = iter([error_response(404), listing])

    def handler(seen: Request) -> Response:
        answer = next(answers)
        return answer if isinstance(answer, Response) else answer(seen)

    with RawServer(handler) as server:
        connect("one", host=server.url)
        async with acquire_shared_client("one") as client:
            with pytest.raises(Exception, match="404"):
                await client.fetch(EventListing("o"), max_age=60)
            assert await client.fetch(EventListing("o"), max_age=60) == [{"id": "e", "name": "n"}]


async def test_a_wait_that_is_cancelled_leaves_the_listing_to_the_others(connect: Connect) -> None:
    with RawServer(listing) as server:
        connect("one", host=server.url)
        async with acquire_shared_client("one") as client:
            first = asyncio.create_task(client.fetch(EventListing("o"), max_age=60))
            second = asyncio.create_task(client.fetch(EventListing("o"), max_age=60))
            await asyncio.sleep(0)
            first.cancel()
            assert await second == [{"id": "e", "name": "n"}]
            with pytest.raises(asyncio.CancelledError):
                await first
        assert len(server.requests) == 1


async def test_a_listing_too_reads_a_rotated_key_again(connect: Connect, lookups: list[str]) -> None:
    handler = Rotating(connect)

    with RawServer(handler) as server:
        handler.url = server.url
        connect("one", host=server.url)
        async with acquire_shared_client("one") as client:
            assert await client.fetch(EventListing("o")) == []
    assert lookups == ["one", "one"]


async def test_a_page_size_that_the_service_refuses_is_left_for_the_usual_one(connect: Connect) -> None:
    def handler(seen: Request) -> Response:
        return error_response(422) if int(seen.query["perPage"]) > defaults.PER_PAGE else listing(seen)

    with RawServer(handler) as server:
        connect("one", host=server.url)
        async with acquire_shared_client("one") as client:
            assert len(await client.fetch(EventListing("o"))) == 1


@pytest.mark.parametrize("answer", [error_response(404), NO_RESPONSE], ids=["error", "no answer"])
async def test_a_listing_that_nobody_waits_for_any_more_fails_in_silence(connect: Connect, answer: Response) -> None:
    complaints: list[Any] = []
    asked = threading.Event()
    go_on = threading.Event()

    def handler(seen: Request) -> Response:
        asked.set()
        go_on.wait(5)
        return answer

    with RawServer(handler) as server:
        connect("one", host=server.url, extra={"max_attempts": 1})
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context))
        async with acquire_shared_client("one") as client:
            waiting = asyncio.create_task(client.fetch(EventListing("o")))
            await asyncio.to_thread(asked.wait, 5)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            go_on.set()
            await asyncio.sleep(0.05)
    assert complaints == []


async def test_leaving_ends_a_listing_that_is_under_way(connect: Connect) -> None:
    asked = threading.Event()
    go_on = threading.Event()

    def handler(seen: Request) -> Response:
        asked.set()
        go_on.wait(5)
        return listing(seen)

    with RawServer(handler) as server:
        connect("one", host=server.url)
        async with acquire_shared_client("one") as client:
            tasks = [asyncio.create_task(client.fetch(EventListing("o"))) for _ in range(3)]
            await asyncio.to_thread(asked.wait, 5)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert left == set()
        go_on.set()


async def test_server_errors_reach_the_wait(connect: Connect) -> None:
    with RawServer(lambda seen: error_response(500)) as server:
        connect("one", host=server.url, password=KEY)
        async with acquire_shared_client("one") as client:
            with pytest.raises(RingEventsServerError):
                await client.fetch(POLL)


async def test_the_service_that_is_down_is_an_error_of_the_poll(connect: Connect) -> None:
    connect("one", host=f"http://127.0.0.1:{closed_port()}")
    async with acquire_shared_client("one") as client:
        with pytest.raises(RingEventsTransportError):
            await client.fetch(POLL)
