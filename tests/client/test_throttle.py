"""When a request may start: evenly, and not while the service wants a pause. No time passes here but the one given."""

from __future__ import annotations

import pytest

from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.transport.rate_limiter import AdaptiveThrottle


def starts(pacer: AdaptiveThrottle, number: int, now: float = 0.0) -> list[float]:
    return [now + pacer.reserve(now) for _ in range(number)]


def test_without_a_limit_everything_starts_at_once() -> None:
    assert starts(AdaptiveThrottle(None), 100) == [0.0] * 100


def test_requests_of_a_limit_are_spaced_evenly() -> None:
    pacer = AdaptiveThrottle(4)
    assert starts(pacer, 4) == pytest.approx([0, 0.25, 0.5, 0.75])
    assert starts(pacer, 2, now=10) == pytest.approx([10, 10.25]), "what was not used is not made up for"


def test_another_limit_counts_from_now_on() -> None:
    pacer = AdaptiveThrottle(None)
    pacer.set_rate(2)
    assert starts(pacer, 3) == pytest.approx([0, 0.5, 1])
    pacer.set_rate(None)
    assert starts(pacer, 2, now=2) == [2, 2]


@pytest.mark.parametrize(("asked", "held"), [(30.0, 30.0), (0.5, 0.5), (120.0, 120.0), (86_400.0, 120.0)])
def test_nothing_starts_within_the_pause_that_the_service_asks_for(asked: float, held: float) -> None:
    pacer = AdaptiveThrottle(None)
    pacer.on_rejected(started=0, now=1, retry_after=asked)
    assert pacer.reserve(1) == pytest.approx(held)
    assert pacer.rejection_count == 1


@pytest.mark.parametrize("asked", [None, 0.0])
def test_without_a_pause_requests_are_spaced_all_the_same(asked: float | None) -> None:
    pacer = AdaptiveThrottle(None)
    pacer.on_rejected(started=0, now=1, retry_after=asked)
    assert starts(pacer, 3, now=1) == pytest.approx(
        [1 + defaults.THROTTLE_MIN_INTERVAL * number for number in (1, 2, 3)]
    )


def test_a_shorter_pause_does_not_end_a_longer_one() -> None:
    pacer = AdaptiveThrottle(None)
    pacer.on_rejected(started=0, now=1, retry_after=30)
    pacer.on_rejected(started=0.5, now=2, retry_after=1)
    assert pacer.reserve(2) == pytest.approx(29)


def test_what_was_reserved_before_a_refusal_is_void() -> None:
    pacer = AdaptiveThrottle(2)
    starts(pacer, 100)
    pacer.on_rejected(started=0, now=1, retry_after=10)
    assert pacer.reserve(1) == pytest.approx(10), "not behind those that have to ask again"


def spacing(pacer: AdaptiveThrottle, now: float) -> float:
    first, second = starts(pacer, 2, now)
    return second - first


def accept(pacer: AdaptiveThrottle, now: float, seconds: float) -> float:
    """Let ten requests a second through, and return the time at the end."""
    for _ in range(round(10 * seconds)):
        now += 0.1
        pacer.on_accepted(now)
    return now


def test_each_refusal_doubles_the_spacing_up_to_a_second() -> None:
    pacer = AdaptiveThrottle(None)
    found = []
    for now in range(0, 8000, 1000):
        pacer.on_rejected(started=now, now=now + 1, retry_after=1)
        found.append(spacing(pacer, now + 500))
    assert found == pytest.approx([0.05, 0.1, 0.2, 0.4, 0.8, 1, 1, 1])


def test_those_that_were_on_their_way_together_count_once() -> None:
    pacer = AdaptiveThrottle(None)
    for number in range(16):
        pacer.on_rejected(started=0.9, now=1 + number / 100, retry_after=1)
    assert spacing(pacer, 500) == pytest.approx(defaults.THROTTLE_MIN_INTERVAL)


def test_what_is_let_through_makes_it_quicker_until_nothing_is_left() -> None:
    pacer = AdaptiveThrottle(None)
    pacer.on_rejected(started=0, now=1, retry_after=None)
    now = accept(pacer, 1, defaults.THROTTLE_HALF_LIFE)
    assert spacing(pacer, now) == pytest.approx(0.025, rel=0.02)
    accept(pacer, now, 30)
    assert starts(pacer, 5, now=1000) == [1000] * 5


@pytest.mark.parametrize("latency", [0.0, 1.5])
def test_the_old_pace_is_back_a_minute_after_a_storm(latency: float) -> None:
    pacer = AdaptiveThrottle(None)
    for now in range(10):
        pacer.on_rejected(started=now, now=now, retry_after=2)
    assert spacing(pacer, 50) == defaults.THROTTLE_MAX_INTERVAL
    now = 52.0
    while now < 52 + 62:
        now += pacer.reserve(now) + latency + 0.01
        pacer.on_accepted(now)
    assert starts(pacer, 5, now=now) == [now] * 5


def test_responses_from_before_the_pause_do_not_shorten_it() -> None:
    pacer = AdaptiveThrottle(None)
    pacer.on_rejected(started=0, now=1, retry_after=30)
    for _ in range(1000):
        pacer.on_accepted(20)
    assert spacing(pacer, 500) == pytest.approx(defaults.THROTTLE_MIN_INTERVAL)


def test_a_long_silence_is_no_recovery() -> None:
    pacer = AdaptiveThrottle(None)
    pacer.on_rejected(started=0, now=1, retry_after=None)
    pacer.on_accepted(100_000)
    assert spacing(pacer, 100_001) > 0.5 * defaults.THROTTLE_MIN_INTERVAL


def test_a_refusal_slows_down_what_was_limited_already() -> None:
    pacer = AdaptiveThrottle(5)
    pacer.on_rejected(started=0, now=1, retry_after=None)
    assert spacing(pacer, 500) == pytest.approx(0.4)
    accept(pacer, 501, 60)
    assert spacing(pacer, 1000) == pytest.approx(0.2)


def test_after_a_refusal_a_lower_limit_still_holds() -> None:
    pacer = AdaptiveThrottle(0.1)
    pacer.on_rejected(started=0, now=1, retry_after=2)
    assert starts(pacer, 3, now=1) == pytest.approx([11, 21, 31])
