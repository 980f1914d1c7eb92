"""Where the links of a task lead."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.observability.links import EventLink, ObjectLink

PAGES = {
    "s3://lake/a b/ü.csv": "https://s3.console.aws.amazon.com/s3/object/lake?prefix=a%20b/%C3%BC.csv",
    "s3://lake/x?y=1&z#f": "https://s3.console.aws.amazon.com/s3/object/lake?prefix=x%3Fy%3D1%26z%23f",
    "gs://lake/day/r.parquet": "https://console.cloud.google.com/storage/browser/_details/lake/day/r.parquet",
    "s3://lake": None,
    "abfs://container/r.csv": None,
    "file:///tmp/r.csv": None,
}


EVENTS = {
    (defaults.BASE_URL, "data-hour"): "https://events.ringcentral.com/events/data-hour",
    (defaults.BASE_URL, "a b/ü?#"): "https://events.ringcentral.com/events/a%20b%2F%C3%BC%3F%23",
    ("https://gateway.example.org/ringcentral", "data-hour"): "https://events.ringcentral.com/events/data-hour",
    ("http://127.0.0.1:8765", "data-hour"): "http://127.0.0.1:8765/#data-hour",
    ("http://[::1]:8765/prefix", "a b"): "http://[::1]:8765/#a%20b",
    (defaults.BASE_URL, None): None,
}


class _TaskInstance:
    def __init__(self, task: _Task) -> None:
        self.task = task
        self.pushed: dict[str, str] = {}

    def xcom_push(self, key: str, value: str) -> None:
        self.pushed[key] = value


class _Task:
    has_event_link = False
    has_object_link = False


@pytest.mark.parametrize(("uri", "page"), PAGES.items())
def test_an_object_has_a_page_where_its_cloud_has_a_console(uri: str, page: str | None) -> None:
    task = _Task()
    instance = _TaskInstance(task)
    context: Any = {"ti": instance, "task": _Task()}  # of which Airflow 3.0 has two
    ObjectLink.persist(context, uri)
    assert list(instance.pushed.values()) == ([page] if page else [])
    assert task.has_object_link == bool(page)


@pytest.mark.parametrize(("base_url", "slug", "page"), [(*where, page) for where, page in EVENTS.items()])
def test_an_event_s_page_is_where_the_event_is(base_url: str, slug: str | None, page: str | None) -> None:
    task = _Task()
    instance = _TaskInstance(task)
    context: Any = {"ti": instance, "task": _Task()}  # of which Airflow 3.0 has two
    EventLink.persist(context, {"slug": slug}, base_url)
    assert list(instance.pushed.values()) == ([page] if page else [])
    assert task.has_event_link == bool(page)
