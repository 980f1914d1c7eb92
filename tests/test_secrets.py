"""Nothing secret is left behind: canaries are put into everything secret, all kinds of tasks run, and what they have
left is searched, with the HTTP libraries' debug log on. The search itself is shown to find what is there."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import Asset, BaseOperator, BaseOperatorLink
from airflow.triggers.base import BaseTrigger, TriggerEvent
from airflow_harness import Result, Run
from airflow_harness.lineage import LineageBook, recorded_lineage
from airflow_harness.versions import HAS_OPENLINEAGE, HAS_STATE_STORE, HAS_TASK_SDK
from secret_scanner import PLACES, leaks

from airflow_provider_ringevents.emulator import Emulator

KEY = "canary-key-Zq7x3Lm9TfW2"
PASSWORD = "canary-password-Kd84hsPw"
PLANT = "canary-planted-Wm5rJt2Vb8Ly"
GUEST = {"email": "ada@example.org", "firstName": "Ada", "lastName": "L"}
TOLD = Asset(name="told", uri="s3://told/here") if HAS_TASK_SDK else Asset("s3://told/here")
both_modes = pytest.mark.parametrize("deferrable", [False, True], ids=["worker", "deferrable"])


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(seed=1, api_key=KEY, report_seconds=0.05, registrations=40, download="redirect") as running:
        yield running


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses that cost a test nothing."""
    from airflow_provider_ringevents.client import defaults
    from airflow_provider_ringevents.client.transport.retry import RetryPolicy

    monkeypatch.setattr(defaults, "POLL_FIRST", 0.02)
    monkeypatch.setattr(RetryPolicy, "backoff", lambda self, attempt: 0.0)


@pytest.fixture
def lineage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LineageBook | None]:
    """What OpenLineage is told; None where its provider is not installed."""
    if not HAS_OPENLINEAGE:
        yield None
        return
    with recorded_lineage(tmp_path_factory.mktemp("lineage")) as book:
        yield book


class Searched:
    """Runs tasks against an emulator and searches what each has left."""

    def __init__(self, emulator: Emulator, lineage: LineageBook | None) -> None:
        self.emulator = emulator
        self.lineage = lineage

    def canaries(self) -> dict[str, list[str]]:
        """Everything secret that there is by now."""
        made = [link for event in self.emulator.state.events.values() for link in event.magic_links.values()]
        links = [link.attributes()["magicLink"] for link in made]
        signatures = [
            seen.query.partition("signature=")[2]
            for seen in self.emulator.requests.entries
            if "signature=" in seen.query
        ]
        assert all(len(secret) > 8 for secret in [*links, *signatures])
        return {"key": [KEY], "password": [PASSWORD], "magic link": links, "signature": [*{*signatures}]}

    def ticket(self) -> str:
        """The id of a ticket."""
        event = self.emulator.state.events[self.emulator.event_id]
        return next(iter(event.tickets.values())).id

    def run(self, make: Callable[[], Any], state: str = "success", *, sends: bool = True, **options: Any) -> Result:
        """One task to its end, and the search.

        :param sends: whether it sends any request.
        """
        result = Run(make, connections={"ringevents_default": self.emulator.connection_json()}, **options).to_end()
        assert result.state == state, result.log_text
        assert ("HTTP Request" in result.log_text) == sends, "the HTTP libraries' log was on"
        assert ("send_request_headers" in result.log_text) == sends, "down to their debugging"
        told = self.lineage.text if self.lineage is not None else ""
        ended = '"COMPLETE"' if state == "success" else '"FAIL"'
        assert (ended in told) == HAS_OPENLINEAGE
        assert leaks(result, self.canaries(), told) == []
        return result

    def echo(self, status: int = 500, times: int | None = 1, password: str = "", **where: Any) -> None:
        """The service answers with a page that repeats every secret it was sent."""
        said = f"Bearer {KEY} {KEY} '{password}' https://links.example/x?signature={KEY} /x?signature={KEY}"
        body = json.dumps({"errors": [{"code": KEY, "title": said, "detail": said, "source": {"pointer": password}}]})
        headers = {"X-Request-Id": f"for {KEY}", "Set-Cookie": f"key={KEY}", "Location": f"/{KEY}?{password}"}
        self.emulator.fault("body", status=status, body=body, headers=headers, times=times, **where)


@pytest.fixture
def searched(emulator: Emulator, lineage: LineageBook | None) -> Searched:
    return Searched(emulator, lineage)


# --- the tasks


@both_modes
def test_exports_of_reports(searched: Searched, tmp_path: Path, deferrable: bool) -> None:
    from airflow_provider_ringevents.transfers.report_to_object_storage import RingEventsReportToObjectStorageOperator

    def make() -> Any:
        return RingEventsReportToObjectStorageOperator(
            task_id="export",
            event_id=searched.emulator.event_id,
            report_type="registrations",
            destination=f"file://{tmp_path}/report.csv",
            poll_interval=0.05,
            deferrable=deferrable,
            outlets=[TOLD],
        )

    searched.echo(method="GET", path="/v1/reports/[^/]*$")
    searched.emulator.fault("cut_body", origin="links", after=100)
    searched.emulator.fault("expired_link", origin="links")
    result = searched.run(make, retries=1)
    assert result.outlet_events
    assert searched.canaries()["signature"], "signed links were used"

    searched.echo(403, None, origin="links")
    assert str(searched.run(make, "failed").exception)

    searched.emulator.faults.clear()
    searched.echo(401, None)
    assert "***" in str(searched.run(make, "failed").exception)


def test_magic_links(searched: Searched) -> None:
    from airflow_provider_ringevents.operators.magic_links import RingEventsCreateMagicLinkOperator

    ticket = searched.ticket()

    def make(*attendees: dict[str, Any]) -> Callable[[], Any]:
        return lambda: RingEventsCreateMagicLinkOperator(task_id="links", ticket_id=ticket, attendees=[*attendees])

    before = len(searched.canaries()["magic link"])
    searched.run(make(GUEST))
    assert len(searched.canaries()["magic link"]) == before + 1
    searched.echo(422, None, method="POST")
    searched.run(make(GUEST, {**GUEST, "email": "bob@example.org"}), "failed")


PEOPLE = [(f"canary{n}@people.example", f"Canarygiven{n}", f"Canaryfamily{n}") for n in range(30)]


@pytest.mark.parametrize("kind", ["links", "create", "update"])
@pytest.mark.parametrize("trouble", ["none", "refused", "invalid", "skipped", "no header"])
def test_people_from_files(
    searched: Searched, tmp_path: Path, kind: str, trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither an address, nor a name, nor a link is anywhere but in the files."""
    from airflow_provider_ringevents.transfers.object_storage_to_magic_links import (
        RingEventsObjectStorageToMagicLinksOperator,
    )
    from airflow_provider_ringevents.transfers.object_storage_to_registrations import (
        RingEventsObjectStorageToRegistrationsOperator,
    )

    emulator, ticket = searched.emulator, searched.ticket()
    event = emulator.state.events[emulator.event_id]
    if kind == "update":
        for email, _, _ in PEOPLE:
            person = {"email": email, "firstName": "Old", "lastName": "Old", "ticketId": ticket}
            emulator.state.create_registration(event, person)
    rows = [",".join(person) for person in PEOPLE]
    if trouble in ("invalid", "skipped"):
        rows[3] += ",one cell too many"
        rows[5] = rows[4]
        rows[6] = rows[6].replace("@", " at ")
    update = "email,firstName,lastName"
    header = [] if trouble == "no header" else [update]
    (tmp_path / "people.csv").write_text("\n".join([*header, *rows]))
    canaries = searched.canaries

    def with_people() -> dict[str, list[str]]:
        addresses = [person[0] for person in PEOPLE]
        names = [name for person in PEOPLE for name in person[1:]]
        return {**canaries(), "address": addresses, "name": names, "no address": [PEOPLE[6][0].replace("@", " at ")]}

    monkeypatch.setattr(searched, "canaries", with_people)
    files = {
        "source": f"file://{tmp_path}/people.csv",
        "results": f"file://{tmp_path}/results.csv",
        "failed_rows": f"file://{tmp_path}/failed.csv",
        "on_invalid": "skip" if trouble == "skipped" else "fail",
    }

    def make() -> Any:
        if kind == "links":
            return RingEventsObjectStorageToMagicLinksOperator(
                task_id="load", ticket_id=ticket, outlets=[TOLD], **files
            )
        return RingEventsObjectStorageToRegistrationsOperator(
            task_id="load", event_id=event.id, ticket_id=ticket, mode=kind, outlets=[TOLD], **files
        )

    if trouble == "refused":
        said = f"{PEOPLE[0][0]} {PEOPLE[0][1]} is not welcome"
        body = json.dumps({"errors": [{"title": said, "detail": said, "source": {"pointer": f"/{said}"}}]})
        method = "PATCH" if kind == "update" else "POST"
        emulator.fault("body", status=422, body=body, times=4, method=method)
    state = "success" if trouble in ("none", "skipped") else "failed"
    result = searched.run(make, state, sends=trouble not in ("invalid", "no header"))
    if trouble == "none":
        assert result.outlet_events
        assert PEOPLE[0][0] in (tmp_path / "results.csv").read_text()
    if trouble == "refused":
        assert "is not welcome" in (tmp_path / "results.csv").read_text()


@pytest.mark.parametrize("how", ["literal", "variable"])
def test_events_with_a_password(searched: Searched, how: str) -> None:
    from airflow_provider_ringevents.operators.events import RingEventsCreateEventOperator

    password = PASSWORD if how == "literal" else "{{ var.value.event_password }}"

    def make(name: str) -> Callable[[], Any]:
        return lambda: RingEventsCreateEventOperator(
            task_id="create",
            name=name,
            time_start="2027-03-01T09:00:00Z",
            time_end="2027-03-01T10:00:00Z",
            timezone="UTC",
            currency="EUR",
            attributes={"password": password},
        )

    variables = {"event_password": PASSWORD}
    searched.run(make("one"), variables=variables)
    assert any((event.request or {}).get("password") == PASSWORD for event in searched.emulator.state.events.values())
    searched.echo(422, None, PASSWORD, method="POST")
    assert "***" in str(searched.run(make("two"), "failed", variables=variables).exception)


@pytest.mark.parametrize("collection", ["registrations", "magic_links"])
@pytest.mark.parametrize("credentials", [False, True], ids=["without", "with credentials"])
def test_exports_of_lists(searched: Searched, tmp_path: Path, collection: str, credentials: bool) -> None:
    from airflow_provider_ringevents.client import Client, endpoints
    from airflow_provider_ringevents.transfers.collection_to_object_storage import (
        RingEventsCollectionToObjectStorageOperator,
    )

    emulator = searched.emulator
    ticket = searched.ticket()
    with Client(emulator.url, KEY) as client:
        made = client.send(endpoints.create_magic_link(ticket, GUEST))["data"]["attributes"]["magicLink"]

    def make() -> Any:
        return RingEventsCollectionToObjectStorageOperator(
            task_id="export",
            collection=collection,
            parent_id=ticket if collection == "magic_links" else emulator.event_id,
            destination=f"file://{tmp_path}/rows.jsonl",
            include_credentials=credentials,
            outlets=[TOLD],
        )

    searched.echo(500, 2, method="GET")
    assert searched.run(make).outlet_events
    assert (made in (tmp_path / "rows.jsonl").read_text()) == (credentials and collection == "magic_links")
    searched.echo(403, None, method="GET")
    searched.run(make, "failed")


@both_modes
@pytest.mark.parametrize("status", [401, 422, 500])
@pytest.mark.parametrize("sensor", ["report", "event"])
def test_sensors_that_fail(searched: Searched, deferrable: bool, status: int, sensor: str) -> None:
    from airflow_provider_ringevents.sensors.events import RingEventsEventSensor
    from airflow_provider_ringevents.sensors.reports import RingEventsReportSensor

    def make() -> Any:
        common: dict[str, Any] = {"task_id": "wait", "poke_interval": 0.02, "timeout": 30, "deferrable": deferrable}
        if sensor == "report":
            return RingEventsReportSensor(report_id="r", **common)
        return RingEventsEventSensor(event_id="e", condition="published", **common)

    searched.echo(status, None)
    assert "***" in str(searched.run(make, "failed").exception)


# --- the search


class PlantedLink(BaseOperatorLink):
    name = "Planted"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        return f"https://pages.test/?key={PLANT}"


class PlantedTrigger(BaseTrigger):
    def __init__(self, given: str, fired: str) -> None:
        super().__init__()
        self.given, self.fired = given, fired

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return f"{__name__}.PlantedTrigger", {"given": self.given, "fired": self.fired}

    async def run(self) -> Any:
        yield TriggerEvent({"said": self.fired[::-1]})


class Planted(BaseOperator):
    """Leaves the key in one place."""

    template_fields = ("text",)

    def __init__(self, *, place: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.place = place
        self.text = "{{ var.value.planted }}" if place == "rendered fields" else ""

    def execute(self, context: Any) -> Any:
        self.text = ""
        planted = {place: PLANT if place == self.place else "" for place in PLACES}
        if planted["log"]:
            self.log.debug("Authorization: Bearer %s", PLANT)
        if planted["outlet events"]:
            context["outlet_events"][TOLD].extra = {"key": PLANT}
        if planted["state store"]:
            context["task_state_store"].set("key", PLANT)
        if planted["error"]:
            try:
                raise KeyError(PLANT)
            except KeyError as error:
                raise ValueError("something else") from error
        if self.place in ("trigger rows", "next_kwargs", "events"):
            trigger = PlantedTrigger(planted["trigger rows"], planted["events"][::-1])
            self.defer(trigger=trigger, method_name="resume", kwargs={"kept": planted["next_kwargs"]})
        return {"key": planted["XComs"]}

    def resume(self, context: Any, event: Any = None, kept: Any = None) -> None:
        return None


class PlantedInLinks(Planted):
    operator_extra_links = (PlantedLink(),)


class PlantedInLineage(Planted):
    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        from airflow.providers.common.compat.openlineage.facet import Dataset
        from airflow.providers.openlineage.extractors import OperatorLineage

        return OperatorLineage(inputs=[Dataset(namespace="planted", name=f"of {PLANT}")])


SEARCHED = [
    place
    for place in PLACES
    if (HAS_STATE_STORE or place != "state store") and (HAS_OPENLINEAGE or place != "OpenLineage events")
]


@pytest.mark.parametrize("place", SEARCHED)
def test_the_search_finds_a_canary_in_every_place(place: str, lineage: LineageBook | None) -> None:
    operator = {"links": PlantedInLinks, "OpenLineage events": PlantedInLineage}.get(place, Planted)
    outlets = [TOLD] if place == "outlet events" else []
    result = Run(lambda: operator(task_id="t", place=place, outlets=outlets), variables={"planted": PLANT}).to_end()

    assert result.state == ("failed" if place == "error" else "success")
    told = lineage.text if lineage is not None else ""
    leaked = leaks(result, {"plant": [PLANT]}, told)
    found = {leak.removeprefix("plant in ").partition(" as ")[0] for leak in leaked}
    assert place in found
    # What is planted elsewhere may be logged, too; and OpenLineage is told of an error.
    assert found <= {place, "log", "OpenLineage events"}


@pytest.mark.parametrize("spelling", ["plain", "quoted", "base64", "json", "beginning"])
def test_the_search_finds_a_canary_however_it_is_spelt(spelling: str) -> None:
    import base64
    from urllib.parse import quote

    secret = 'canary "key" /with+all-of-them'
    written = {
        "plain": secret,
        "quoted": quote(secret, safe=""),
        "base64": base64.b64encode(secret.encode()).decode(),
        "json": json.dumps({"key": secret}),
        "beginning": secret[:17],
    }[spelling]

    class Says(BaseOperator):
        def execute(self, context: Any) -> None:
            self.log.info("%s", written)

    assert leaks(Run(lambda: Says(task_id="t")).to_end(), {"key": [secret]})
    assert not leaks(Run(lambda: Says(task_id="t")).to_end(), {"key": ["another canary entirely"]})
