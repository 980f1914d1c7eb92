"""The tasks of the documentation run as they are shown, in runs with a logical date and in runs without one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG
from airflow_harness import HAS_STATE_STORE, HAS_TASK_SDK, Run
from operator_arguments import OPERATORS
from s3_server import S3Server

from airflow_provider_ringevents.client import Client, endpoints
from airflow_provider_ringevents.emulator import Emulator
from docs import Block, blocks
from docs.test_code_blocks import names_of_the_package

NEEDS = re.compile(r"# needs a (logical date|data interval)$", re.MULTILINE)
DAY = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC))
BUCKETS = ("exports", "lake", "my-bucket", "crm")
CRM = "E-Mail,Contact ID,Interests\n{email},C-1,Talks\n"


def shown_tasks() -> list[tuple[Block, str]]:
    """Each operator of the package in a block, with its task id."""
    operators = "|".join(operator.__name__ for operator in OPERATORS)
    call = re.compile(rf"(?:{operators})(?:\.partial)?\(\s*task_id=\"(\w+)\"")
    return [(block, task_id) for block in blocks("python") for task_id in call.findall(block.text)]


TASKS = shown_tasks()


# For as long as the process lives: Airflow keeps the filesystem of "my_s3" as well.
@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with S3Server(tmp_path_factory.mktemp("s3")) as server:
        for bucket in BUCKETS:
            server.make_bucket(bucket)
        yield server


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(seed=1, registrations=5, report_seconds=0) as running:
        yield running


def ids_of(emulator: Emulator) -> dict[str, str]:
    """What the pages leave to the reader: ids of things that exist."""
    ticket = next(iter(emulator.state.events[emulator.event_id].tickets))
    with Client(emulator.url, emulator.api_key) as client:
        registration = next(client.items(endpoints.list_registrations(emulator.event_id)))
        guest = {"email": "guest@example.org", "firstName": "Guest", "lastName": "One"}
        return {
            "event_id": emulator.event_id,
            "ticket_id": ticket,
            "registration_id": registration["id"],
            "email": registration["email"],
            "magic_link_id": client.send(endpoints.create_magic_link(ticket, guest))["data"]["id"],
            "report_id": client.send(endpoints.create_report(emulator.event_id, "registrations"))["data"]["id"],
        }


def run_of(
    block: Block,
    task_id: str,
    emulator: Emulator,
    s3: S3Server,
    folder: Path,
    interval: tuple[datetime, datetime] | None,
    monkeypatch: pytest.MonkeyPatch,
) -> Run:
    ids = ids_of(emulator)
    (s3.data_dir / "crm" / "people.csv").write_text(CRM.format(**ids))
    source = block.text.replace("file:///tmp", f"file://{folder}")
    code = compile(source, str(block.page), "exec")
    entered = list[DAG]()
    enter = DAG.__enter__
    monkeypatch.setattr(DAG, "__enter__", lambda dag: entered.append(dag) or enter(dag))

    def make() -> DAG:
        before = len(entered) - 1  # the DAG that the harness has opened around
        exec(code, {**names_of_the_package(), "__name__": "documentation"})
        return next(dag for dag in entered[before:] if dag.has_task(task_id))

    named = re.search(r'\bDAG\(\s*"(\w+)"', block.text)
    row = {"parent_id": emulator.event_id, "window": ["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"]}
    storage = s3.airflow_connection()
    xcoms: dict[str, Any] = {"create": {"id": ids["report_id"]}} if "xcom_pull('create'" in block.text else {}
    if "changes()" in block.text:
        xcoms["changes"] = [row]
    return Run(
        make,
        task_id=task_id,
        dag_id=named[1] if named else "dag",
        connections={"ringevents_default": emulator.connection(), "my_aws": storage, "my_s3": storage},
        variables={"webhook_secret_url": "https://example.org/hook"},
        conf={**ids, "folder": f"file://{folder}"},
        xcoms=xcoms,
        map_index=0 if f'.partial(\n        task_id="{task_id}"' in block.text else -1,
        data_interval=interval,
    )


@pytest.mark.parametrize(
    "interval",
    [
        pytest.param(DAY, id="with-a-logical-date"),
        pytest.param(
            None,
            id="without",
            marks=pytest.mark.skipif(not HAS_TASK_SDK, reason="every run of Airflow 2 has a logical date"),
        ),
    ],
)
@pytest.mark.parametrize(("block", "task_id"), TASKS, ids=[f"{block}-{task_id}" for block, task_id in TASKS])
def test_a_shown_task_succeeds_or_says_what_it_needs(
    block: Block,
    task_id: str,
    interval: Any,
    emulator: Emulator,
    s3: S3Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if "AssetWatcher" in block.text and not HAS_TASK_SDK:
        pytest.skip("Airflow 2 has no asset watchers")
    if re.search(r"(watermark|start_from_trigger)=True", block.text) and not HAS_STATE_STORE:
        pytest.skip("Airflow 3.3 and later")
    run = run_of(block, task_id, emulator, s3, tmp_path, interval, monkeypatch)
    emulator.requests.clear()
    result = run.to_end()
    if not HAS_TASK_SDK and "# Airflow 3\n" in block.text:
        assert "run_after" in str(result.exception)
        assert emulator.count() == 0
    elif interval is None and NEEDS.search(block.text):
        assert result.state == "failed"
        assert re.search(r"is undefined|No filter|NoneType", str(result.exception)), result.exception
        assert emulator.count() == 0
    else:
        assert result.state == "success", result.log_text


def test_every_shown_task_is_here() -> None:
    made = [
        task_id
        for block in blocks("python")
        if "def test_" not in block.text
        for task_id in re.findall(r'\btask_id="(\w+)"', block.text)
    ]
    functions = {"changes", "check_people_in"}
    assert sorted(task_id for _, task_id in TASKS) == sorted(task_id for task_id in made if task_id not in functions)
    assert json.dumps([str(block) for block, _ in TASKS if NEEDS.search(block.text)]).count("md") >= 8
