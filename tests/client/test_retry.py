from __future__ import annotations

import asyncio
import random
import time
from types import SimpleNamespace
from typing import Any

import pytest
from client_drivers import KEY, SyncDriver
from raw_server import (
    NO_RESPONSE,
    RESET,
    SILENCE,
    RawServer,
    Request,
    Response,
    closed_port,
    error_response,
    json_response,
)

from airflow_provider_ringevents.client import AsyncClient, defaults, endpoints
from airflow_provider_ringevents.client.endpoints import Call
from airflow_provider_ringevents.client.errors import (
    RingEventsApiError,
    RingEventsAuthError,
    RingEventsNotFoundError,
    RingEventsRateLimitError,
    RingEventsServerError,
    RingEventsTransportError,
    RingEventsValidationError,
)
from airflow_provider_ringevents.client.transport.retry import RetryPolicy

GET = endpoints.get_event("e")
DELETE = endpoints.delete_magic_link("m")
PATCH = endpoints.update_registration("r", {"a": "b"})
POST = endpoints.create_event("o", {"name": "n"})
KINDS = {"GET": GET, "DELETE": DELETE, "PATCH": PATCH, "POST": POST}
RETRIED = {408, 429, 500, 502, 503, 504}
GOOD = json_response({"data": {"id": "e", "attributes": {}}})


def expected_class(status: int) -> type[RingEventsApiError]:
    if status >= 500:
        return RingEventsServerError
    return {
        400: RingEventsValidationError,
        422: RingEventsValidationError,
        401: RingEventsAuthError,
        403: RingEventsAuthError,
        404: RingEventsNotFoundError,
        429: RingEventsRateLimitError,
    }.get(status, RingEventsApiError)


# --- every status, every kind of method, both clients


@pytest.mark.parametrize("method", KINDS)
def test_each_error_status_is_retried_raised_and_marked_as_promised(driver: type[SyncDriver], method: str) -> None:
    call = KINDS[method]
    status = 0

    def handler(seen: Request) -> Response:
        return error_response(status)

    with RawServer(handler) as server:
        client = driver(server.url, max_attempts=2)
        for status in range(400, 600):
            server.requests.clear()
            with pytest.raises(RingEventsApiError) as caught:
                client.send(call)
            error = caught.value
            may_repeat = status in RETRIED if method != "POST" else status == 429
            assert len(server.requests) == (2 if may_repeat else 1), status
            assert type(error) is expected_class(status), status
            assert error.status == status
            assert error.ambiguous == (method == "POST" and (status == 408 or status >= 500)), status
            assert error.retryable == (status >= 500 or status in (408, 425, 429)), status
            assert ("may have been applied" in str(error)) == error.ambiguous


@pytest.mark.parametrize("method", ["GET", "DELETE", "PATCH"])
@pytest.mark.parametrize("failure", [NO_RESPONSE, RESET], ids=["closed", "reset"])
def test_an_answer_that_never_comes_is_asked_for_again(
    driver: type[SyncDriver], method: str, failure: Response
) -> None:
    answers = iter([failure, failure, GOOD])
    with RawServer(lambda seen: next(answers)) as server:
        driver(server.url).send(KINDS[method])
        assert len(server.requests) == 3


@pytest.mark.parametrize(
    "failure",
    [
        NO_RESPONSE,
        RESET,
        Response(body=b'{"data": {}}', cut=5),
        Response(body=b'{"data": {}}', cut=5, framing="chunked", reset=True),
        json_response([1]),
        Response(body=b"<html>", headers={"Content-Type": "text/html"}),
    ],
    ids=["closed", "reset", "cut", "chunk cut", "array", "html"],
)
def test_post_is_never_sent_again_once_its_bytes_are_out(driver: type[SyncDriver], failure: Response) -> None:
    with RawServer(lambda seen: failure) as server:
        with pytest.raises(RingEventsTransportError) as caught:
            driver(server.url).send(POST)
        assert len(server.requests) == 1
        assert caught.value.ambiguous
        assert caught.value.sent


@pytest.mark.parametrize(
    "odd",
    [
        Response(302, headers={"Location": "https://xn--/"}),
        Response(307, headers={"Location": "javascript:alert(1)"}),
    ],
)
def test_post_is_never_sent_again_after_a_redirect_to_no_address(driver: type[SyncDriver], odd: Response) -> None:
    """The HTTP client of the synchronous one gives the answer up, and so nothing is known of it."""
    with RawServer(lambda seen: odd) as server:
        with pytest.raises((RingEventsTransportError, RingEventsApiError)) as caught:
            driver(server.url).send(POST)
        assert len(server.requests) == 1
    if isinstance(caught.value, RingEventsApiError):
        assert caught.value.status == odd.status
        assert "redirects to" in str(caught.value)
    else:
        assert caught.value.ambiguous
        assert caught.value.sent


def test_post_without_an_answer_in_time_is_ambiguous(driver: type[SyncDriver]) -> None:
    with RawServer(lambda seen: SILENCE) as server:
        with pytest.raises(RingEventsTransportError, match="ReadTimeout") as caught:
            driver(server.url, timeout=0.5).send(POST)
        assert len(server.wait_for_requests(1)) == 1
        assert caught.value.ambiguous


def test_get_without_an_answer_in_time_is_asked_again(driver: type[SyncDriver]) -> None:
    answers = iter([SILENCE, GOOD])
    with RawServer(lambda seen: next(answers)) as server:
        driver(server.url, timeout=1.0).send(GET)
        assert len(server.requests) == 2


def test_post_is_sent_again_after_429(driver: type[SyncDriver]) -> None:
    answers = iter([error_response(429), error_response(429, Retry_After="0"), GOOD])
    with RawServer(lambda seen: next(answers)) as server:
        envelope = driver(server.url).send(POST)
        assert envelope["data"]["id"] == "e"
        assert [seen.body for seen in server.requests] == [server.requests[0].body] * 3


@pytest.mark.parametrize("method", KINDS)
def test_a_refused_connection_is_tried_again_and_is_not_ambiguous(driver: type[SyncDriver], method: str) -> None:
    told: list[BaseException] = []
    client = driver(f"http://127.0.0.1:{closed_port()}", max_attempts=4)
    with pytest.raises(RingEventsTransportError, match="could not be reached") as caught:
        client.send(KINDS[method], on_retry=told.append)
    assert len(told) == 3
    assert not caught.value.ambiguous
    assert not caught.value.sent
    assert caught.value.retryable


def test_a_name_that_does_not_resolve_is_not_ambiguous(driver: type[SyncDriver]) -> None:
    with pytest.raises(RingEventsTransportError, match="could not be reached") as caught:
        driver("https://no-such-host.invalid", max_attempts=1).send(POST)
    assert not caught.value.sent
    assert not caught.value.ambiguous


@pytest.mark.parametrize("attempts", [1, 2, 5, 7])
def test_max_attempts_counts_the_first_request(driver: type[SyncDriver], attempts: int) -> None:
    with RawServer(lambda seen: error_response(503)) as server:
        with pytest.raises(RingEventsServerError):
            driver(server.url, max_attempts=attempts).send(GET)
        assert len(server.requests) == attempts


def test_max_attempts_of_one_send_wins_over_the_clients(driver: type[SyncDriver]) -> None:
    with RawServer(lambda seen: error_response(503)) as server:
        with pytest.raises(RingEventsServerError):
            driver(server.url, max_attempts=5).send(GET, max_attempts=2)
        assert len(server.requests) == 2


def test_what_was_retried_is_told_in_order(driver: type[SyncDriver]) -> None:
    told: list[Any] = []
    answers = iter([error_response(500), error_response(429), NO_RESPONSE, GOOD])
    with RawServer(lambda seen: next(answers)) as server:
        driver(server.url).send(GET, on_retry=told.append)
    assert [type(error).__name__ for error in told] == [
        "RingEventsServerError",
        "RingEventsRateLimitError",
        "RingEventsTransportError",
    ]


def test_requests_queue_before_the_connection_pool_and_never_time_out_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(defaults, "POOL_TIMEOUT", 0.2)

    def handler(seen: Request) -> Response:
        time.sleep(0.03)
        return GOOD

    async def run() -> None:
        async with AsyncClient(server.url, KEY) as client:
            await asyncio.gather(*(client.send(GET, max_attempts=1) for _ in range(200)))

    with RawServer(handler) as server:
        asyncio.run(run())
        assert len(server.requests) == 200
        assert server.peak <= defaults.MAX_CONNECTIONS


# --- pauses


def test_ten_thousand_draws_stay_within_full_jitter() -> None:
    policy = RetryPolicy(uniform=random.Random(7).uniform)
    for attempt in range(1, 11):
        ceiling = min(8.0, 0.5 * 2 ** (attempt - 1))
        draws = [policy.backoff(attempt) for _ in range(1000)]
        assert all(0 <= pause <= ceiling for pause in draws)
        # Full jitter: down to nothing and up to the ceiling, not half of it.
        assert min(draws) < ceiling * 0.02
        assert max(draws) > ceiling * 0.98
        assert abs(sum(draws) / 1000 - ceiling / 2) < ceiling * 0.05


def test_the_hundredth_attempt_waits_no_longer_than_the_cap() -> None:
    assert RetryPolicy(uniform=lambda low, high: high).backoff(10_000) == defaults.BACKOFF_CAP


def pauses_of_one_call(policy: RetryPolicy, error: BaseException, attempts: int) -> list[float]:
    """What tenacity would sleep for a call that always fails with ``error``, without sleeping."""
    arguments = policy.tenacity_kwargs(idempotent=True, max_attempts=attempts)
    slept = []
    for attempt in range(1, attempts + 1):
        outcome = SimpleNamespace(exception=lambda: error)
        state: Any = SimpleNamespace(outcome=outcome, attempt_number=attempt)
        assert arguments["retry"](state)
        pause = arguments["wait"](state)
        if arguments["stop"](state):
            break
        slept.append(pause)
    return slept


def test_own_sleep_in_all_is_bounded() -> None:
    longest = RetryPolicy(uniform=lambda low, high: high)
    slept = pauses_of_one_call(longest, RingEventsServerError("x", status=500), 20)
    assert slept[:5] == [0.5, 1, 2, 4, 8]
    assert sum(slept) <= defaults.BACKOFF_TOTAL
    assert sum(slept) + defaults.BACKOFF_CAP > defaults.BACKOFF_TOTAL
    generator = random.Random(3)
    for _ in range(500):
        seeded = RetryPolicy(uniform=generator.uniform)
        assert sum(pauses_of_one_call(seeded, RingEventsServerError("x", status=500), 20)) <= defaults.BACKOFF_TOTAL


def test_what_the_service_asks_to_wait_does_not_count_as_own_sleep() -> None:
    error = RingEventsRateLimitError("x", status=429, retry_after=120.0)
    assert pauses_of_one_call(RetryPolicy(), error, 5) == [120.0] * 4


def test_one_policy_serves_many_calls() -> None:
    longest = RetryPolicy(uniform=lambda low, high: high)
    error = RingEventsServerError("x", status=500)
    assert pauses_of_one_call(longest, error, 20) == pauses_of_one_call(longest, error, 20)


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt(), RingEventsTransportError("x", sent=False)])
def test_only_errors_of_the_network_and_the_service_are_repeated(error: BaseException) -> None:
    known = isinstance(error, RingEventsTransportError)
    assert RetryPolicy().should_retry(error, idempotent=True) == known
    assert RetryPolicy().should_retry(error, idempotent=False) == known


def test_each_method_is_idempotent_or_not() -> None:
    made = {
        name: call.idempotent
        for name, call in {**KINDS, "PUT": Call("x", "PUT", "/v1/x"), "HEAD": Call("x", "HEAD", "/v1/x")}.items()
    }
    assert made == {"GET": True, "DELETE": True, "PATCH": True, "POST": False, "PUT": False, "HEAD": False}
