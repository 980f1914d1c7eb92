"""An emulator whose clock the tests move, and a client that holds every answer against the reference."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from contract import check_request, check_response, operations
from quiet_logs import quiet_logs

from airflow_provider_ringevents.emulator import Emulator, ManualClock

# The reference leaves these out; what is answered then has the shape of errors all the same.
UNDOCUMENTED = {("create_data_subscription", 422), ("get_schedule_item", 401)}


class Api:
    """Talks to an emulator; every answer is checked against the reference, and every request that is accepted."""

    def __init__(self, emulator: Emulator) -> None:
        headers = {"Authorization": f"Bearer {emulator.api_key}"}
        # Nothing here is encrypted, and reading all certificates takes a tenth of a second for every client.
        self.http = httpx.Client(base_url=emulator.url, headers=headers, timeout=10, verify=False)

    def call(self, method: str, path: str, status: int = 200, **more: Any) -> httpx.Response:
        response = self.http.request(method, path, **more)
        assert response.status_code == status, response.text
        request = response.request
        raw_path, _, query = request.url.raw_path.decode().partition("?")
        if status < 400:
            operation = check_request(method, raw_path, query, request.content)
        else:
            operation = operation_of(method, raw_path)
        bad_page = status == 400 and operation.startswith("list_")
        if (operation, status) in UNDOCUMENTED or bad_page:
            check_response("list_registrations", 400, response.content)
        else:
            check_response(operation, status, response.content)
        if status >= 400:
            assert [error["status"] for error in response.json()["errors"]] == [str(status)] * len(
                self.errors(response)
            )
        return response

    def get(self, path: str, status: int = 200, **params: Any) -> Any:
        return self.call("GET", path, status, params=params or None).json()

    def post(self, path: str, attributes: Any = None, kind: str = "event", status: int = 201) -> Any:
        body = None if attributes is None else {"data": {"type": kind, "attributes": attributes}}
        response = self.call("POST", path, status, json=body)
        return response.json() if response.content else None

    def rows(self, path: str, **params: Any) -> list[dict[str, Any]]:
        """All rows of a list, by following its links; the first page is held against the reference."""
        rows: list[dict[str, Any]] = []
        answer = self.get(path, **params)
        while True:
            rows += [row["attributes"] for row in answer["data"]]
            following = answer["links"]["next"]
            if following is None:
                return rows
            answer = self.http.get(following).json()

    @staticmethod
    def errors(response: httpx.Response) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = response.json()["errors"]
        return listed


def fetch(url: str, **headers: str) -> httpx.Response:
    """GET without a key; for signed links."""
    with httpx.Client(verify=False, timeout=10) as client:
        return client.get(url, headers=headers)


def operation_of(method: str, path: str) -> str:
    """Which documented operation a path belongs to, whatever the request holds otherwise."""
    for name, described in operations().items():
        for template in described["paths"]:
            if described["method"] == method and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path):
                return name
    raise AssertionError(f"{method} {path} is not documented")


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with quiet_logs("httpx", "httpcore"):
        yield


@pytest.fixture(scope="module")
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(scope="module")
def shared_emulator(clock: ManualClock) -> Iterator[Emulator]:
    with Emulator(seed=7, clock=clock, registrations=250) as running:
        yield running


@pytest.fixture
def emulator(shared_emulator: Emulator) -> Emulator:
    shared_emulator.reset()
    return shared_emulator


@pytest.fixture
def api(emulator: Emulator) -> Iterator[Api]:
    api = Api(emulator)
    with api.http:
        yield api


@pytest.fixture
def event_path(emulator: Emulator) -> str:
    """The path of an event that has ended and has registrations."""
    return f"/v1/events/{emulator.event_id}"


@pytest.fixture
def foreign_event_path(emulator: Emulator) -> str:
    """The path of an event that the key may not see."""
    [event] = [event for event in emulator.state.events.values() if not event.organization.visible]
    return f"/v1/events/{event.id}"
