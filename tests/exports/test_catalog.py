"""The table of the API's lists."""

from __future__ import annotations

import re
from typing import Any

import pytest

from airflow_provider_ringevents.client import endpoints
from airflow_provider_ringevents.client.errors import RingEventsConfigError
from airflow_provider_ringevents.exports.catalog import COLLECTIONS, collection_named
from airflow_provider_ringevents.hooks.ringevents import RingEventsHook


def test_every_list_of_the_hook_is_there_under_the_end_of_its_name() -> None:
    lists = {name.removeprefix("list_") for name in dir(RingEventsHook) if name.startswith("list_")}
    assert set(COLLECTIONS) == lists


@pytest.mark.parametrize("name", COLLECTIONS)
def test_its_call_is_that_of_the_hook(name: str) -> None:
    collection = COLLECTIONS[name]
    arguments = [] if collection.parent is None else ["p1"]
    assert collection.call(*(arguments or [None])) == getattr(endpoints, f"list_{name}")(*arguments)
    assert collection.call(*(arguments or [None])).operation == f"list_{name}"


def test_a_filter_reaches_the_call() -> None:
    call = COLLECTIONS["registrations"].call("e", {"refunded": {"eq": True}})
    assert call.params == {"filter[refunded][eq]": "true"}


def test_windows_lie_on_times_alone() -> None:
    assert COLLECTIONS["registrations"].window_fields == ("createdAt", "updatedAt", "userUpdatedAt")
    assert COLLECTIONS["magic_links"].window_fields == ("updatedAt",)
    assert {name for name in COLLECTIONS if COLLECTIONS[name].window_fields} == {"registrations", "magic_links"}


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (
            lambda: collection_named("registration"),
            r"`collection` must be an allowed value, got 'registration'. Did you mean 'registrations'",
        ),
        (
            lambda: COLLECTIONS["organizations"].call("o"),
            r"`parent_id` must be left out: organizations belong to the key, got 'o'",
        ),
        (lambda: COLLECTIONS["registrations"].call(None), r"event_id"),
        (
            lambda: COLLECTIONS["events"].call("o", {"name": "x"}),
            r"`filter` must be left out: .* for events, got \['name'\]. Lists with .*: registrations, magic_links",
        ),
        (
            lambda: COLLECTIONS["registrations"].call("e", {"emails": "x"}),
            r"documented field of registrations, got 'emails'. Did you mean 'email'\?",
        ),
        (
            lambda: COLLECTIONS["tickets"].check_window_field("updatedAt"),
            r"`window_field` .*for tickets, got 'updatedAt'. Lists with one: registrations, magic_links",
        ),
        (
            lambda: COLLECTIONS["registrations"].check_window_field("refunded"),
            r"`window_field` must be an allowed value, got 'refunded'.*createdAt, updatedAt, userUpdatedAt",
        ),
    ],
)
def test_what_cannot_be_is_refused_by_name(act: Any, message: str) -> None:
    with pytest.raises(RingEventsConfigError) as caught:
        act()
    assert re.search(message, str(caught.value))


def test_what_lets_people_in_is_a_credential_wherever_the_reference_has_it() -> None:
    for name in ("registrations", "magic_links"):
        assert {"magicLink", "qrCodeData", "qrCodeImageUrl"} <= COLLECTIONS[name].credentials
    assert COLLECTIONS["reports"].dropped == {"url"}
