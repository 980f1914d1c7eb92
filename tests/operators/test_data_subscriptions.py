"""Subscribing to signals."""

from __future__ import annotations

import re
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, BaseOperator
from airflow_harness import Result, Run
from outcomes import refused, run_of, succeeded

from airflow_provider_ringevents.client.types import SIGNALS
from airflow_provider_ringevents.operators.data_subscriptions import RingEventsCreateDataSubscriptionOperator
from airflow_provider_ringevents.operators.gathered_arguments import InvalidArgumentError

CONFIGURATION = {
    "url": "https://hooks.example.com/canary-4711",
    "type": "webhook",
    "expiresAt": "2027-03-01T10:00:00+01:00",
}


def task(emulator: Any, **arguments: Any) -> Run:
    usual = {"event_id": emulator.event_id, "configuration": CONFIGURATION, "signals": ["attendance"]}
    return run_of(RingEventsCreateDataSubscriptionOperator, emulator, **{**usual, **arguments})


def subscriptions(emulator: Any) -> list[Any]:
    return list(emulator.state.events[emulator.event_id].subscriptions)


def test_a_subscription_is_made_and_its_configuration_kept_back(emulator: Any) -> None:
    result = task(emulator, signals=list(SIGNALS)).to_end()
    made = succeeded(result)
    (there,) = subscriptions(emulator)
    assert made["id"] == there["id"]
    assert made["signals"] == list(SIGNALS)
    assert "configuration" not in made
    assert "canary-4711" not in result.log_text
    assert there["expiresAt"] == "2027-03-01T09:00:00Z"


@pytest.mark.parametrize("rendered", [False, True], ids=["literal", "rendered"])
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"signals": ["attendence"]}, "`signals[0]` must be a documented value, got 'attendence'"),
        ({"signals": ["attendance", "poll_vote"]}, "`signals[1]` must be a documented value, got 'poll_vote'"),
        (
            {"configuration": {"expiresAt": "2027-03-01T10:00:00"}},
            "`configuration.expiresAt` must be a time with an offset",
        ),
        ({"event_id": " "}, "`event_id` must be an id"),
    ],
)
def test_bad_input(emulator: Any, arguments: dict[str, Any], words: str, rendered: bool) -> None:
    if rendered:
        assert words in refused(task(emulator, retries=2, **_templated(arguments)).to_end())
        assert emulator.count() == 0
    else:
        with pytest.raises(InvalidArgumentError, match=re.escape(words)):
            task(emulator, **arguments)


def _templated(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _templated(item) for name, item in value.items()}
    return [_templated(item) for item in value] if isinstance(value, list) else f"{{{{ '{value}' }}}}"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"signals": []}, "`signals` must be a list with at least one string"),
        ({"signals": "attendance"}, "`signals` must be a list with at least one string, got 'attendance'"),
        ({"signals": None}, "`signals` must be given, got None"),
        ({"configuration": None}, "`configuration` must be given, got None"),
        ({"configuration": "https://a"}, "`configuration` must be an object, not str"),
        (
            {"configuration": {"urll": "https://a"}},
            "`configuration.urll` must be a documented attribute. Did you mean url",
        ),
    ],
)
def test_bad_shapes(emulator: Any, arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidArgumentError, match=re.escape(words)):
        task(emulator, **arguments)


def test_all_problems_at_once(emulator: Any) -> None:
    with pytest.raises(ValueError, match="nothing was sent") as caught:
        task(emulator, signals=["nothing"], configuration={"url": 5, "expiresAt": "soon"})
    assert str(caught.value).count("\n- ") == 3


def test_what_other_tasks_give_is_checked_when_the_task_runs(emulator: Any) -> None:
    def make() -> Any:
        given = BaseOperator(task_id="row").output
        return RingEventsCreateDataSubscriptionOperator(
            task_id="subscribe", event_id=emulator.event_id, configuration=CONFIGURATION, signals=given
        )

    def run(signals: Any) -> Result:
        connections = {"ringevents_default": emulator.connection()}
        return Run(make, task_id="subscribe", connections=connections, xcoms={"row": signals}).to_end()

    assert "`signals[0]` must be a documented value, got 'nothing'" in refused(run(["nothing"]))
    succeeded(run(["attendance"]))
    with DAG("dag", schedule=None):
        make()


def test_a_request_that_may_have_been_applied_is_not_sent_again_in_the_same_try(emulator: Any) -> None:
    """At least once: the API has no list of subscriptions to look at."""
    emulator.fault("applied_then_cut", method="POST")
    run = task(emulator, retries=1)
    assert run.attempt().state == "up_for_retry"
    assert emulator.count("POST") == 1
    succeeded(run.to_end())
    assert len(subscriptions(emulator)) == 2
