"""`example_ringevents_invite_from_file` on the emulator, with local files and on S3."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow_harness import DagOutcome, run_dag
from s3_server import S3Server

NAME = "example_ringevents_invite_from_file"
FILE = Path(__file__).parents[2] / "example_dags" / f"{NAME}.py"
HEADER = ("Contact ID", "E-Mail", "First name", "Last name", "Company", "Owner")


@pytest.fixture
def ticket(emulator: Any) -> Any:
    event = next(event for event in emulator.state.events.values() if event.name == "Unfinished Draft")
    return emulator.state.create_ticket(event, {"name": "VIP"})


def crm_export(count: int) -> str:
    text = io.StringIO()
    rows = [
        (f"{n}", f"guest{n}@people.example", "Given", f"Family {n} {{{{ ds }}}}", "Engines, Inc.", "x")
        for n in range(count)
    ]
    csv.writer(text).writerows([HEADER, *rows, ("999", "no address", "A", "B", "", "")])
    return text.getvalue()


def check(emulator: Any, ticket: Any, outcome: DagOutcome, files: dict[str, bytes]) -> None:
    assert outcome.state == "success"
    assert outcome.task("preview").xcom["counts"] == {"create": 30, "invalid": 1}
    assert outcome.task("invite").xcom["counts"] == {"created": 30, "invalid": 1}
    links = {link.email: link for link in emulator.state.ticket_links(ticket)}
    assert len(links) == 30
    assert links["guest7@people.example"].metadata == {"crm_id": "7"}
    assert links["guest7@people.example"].last_name == "Family 7 {{ ds }}"
    assert links["guest7@people.example"].extra_fields == {"Company": "Engines, Inc."}
    rows = list(csv.DictReader(io.StringIO(files["links.csv"].decode())))
    assert [row["magicLink"] for row in rows[:30]] == [
        links[f"guest{n}@people.example"].attributes()["magicLink"] for n in range(30)
    ]
    assert files["failed.csv"].decode().split() == ",".join(HEADER).split()
    assert {row["status"] for row in csv.DictReader(io.StringIO(files["preview.csv"].decode()))} == {
        "create",
        "invalid",
    }


def test_everybody_has_a_link_in_the_results(
    emulator: Any,
    ticket: Any,
    run_example: Callable[..., DagOutcome],
    exported: Callable[[], dict[str, bytes]],
    tmp_path: Path,
) -> None:
    (tmp_path / "guests.csv").write_text(crm_export(30))
    outcome = run_example(NAME, ticket_id=ticket.id, source=f"file://{tmp_path}/guests.csv")
    check(emulator, ticket, outcome, exported())
    again = run_example(NAME, ticket_id=ticket.id, source=f"file://{tmp_path}/guests.csv")
    assert again.task("invite").xcom["counts"] == {"exists": 30, "invalid": 1}


def test_the_files_may_be_on_s3(emulator: Any, ticket: Any, ringevents_conn: str, tmp_path: Path) -> None:
    with S3Server(tmp_path) as server:
        server.make_bucket("crm")
        bucket = server.data_dir / "crm"
        (bucket / "guests.csv").write_text(crm_export(30))
        outcome = run_dag(
            FILE,
            connections={
                ringevents_conn: os.environ[f"AIRFLOW_CONN_{ringevents_conn.upper()}"],
                server.conn_id: json.dumps(server.airflow_connection()),
            },
            run_conf={
                "ticket_id": ticket.id,
                "source": f"s3://{server.conn_id}@crm/guests.csv",
                "destination": f"s3://{server.conn_id}@crm/out",
            },
        )
        check(emulator, ticket, outcome, {file.name: file.read_bytes() for file in (bucket / "out").iterdir()})
