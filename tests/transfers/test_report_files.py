"""The file of a report through the whole export: what is refused, and what the manifest says, over real HTTP."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow_harness import Run
from raw_server import RawServer, Request, Response

from airflow_provider_ringevents.client import Client
from airflow_provider_ringevents.client.errors import RingEventsTransferError
from airflow_provider_ringevents.client.transport.retry import RetryPolicy
from airflow_provider_ringevents.storage import Destination
from airflow_provider_ringevents.transfers.report_upload import upload_report

Export = Callable[..., Run]

CSV = 'id;"name"\n1;"a\n\nb"\n2;c\n'


@pytest.fixture
def deferrable() -> bool:
    """The worker alone: the file is handled in the same place in both modes."""
    return False


def serve(emulator: Any, body: str, **headers: str) -> None:
    """Answer every download with a file of the test's own."""
    headers = {"Content-Type": "text/csv", **headers}
    emulator.fault("body", path="/download", body=body, headers=headers, times=None)


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_columns_and_rows_are_in_the_manifest(export: Export, emulator: Any) -> None:
    serve(emulator, CSV)
    result = export(required_columns=["name", "id"]).to_end()
    assert (result.xcom["columns"], result.xcom["rows"]) == (["id", "name"], 2)


def test_a_destination_in_gz_is_gzip_of_the_same_bytes_each_time(export: Export, emulator: Any, tmp_path: Path) -> None:
    serve(emulator, CSV)
    uri = f"file://{tmp_path}/out/report.csv.gz"
    first, second = (export(destination=uri).to_end() for _ in range(2))
    content = (tmp_path / "out/report.csv.gz").read_bytes()
    assert gzip.decompress(content) == CSV.encode()
    assert first.xcom["bytes"] == len(content)
    assert first.xcom["sha256"] == second.xcom["sha256"] == hashlib.sha256(content).hexdigest()
    assert first.xcom["content_type"] == "application/gzip"
    assert first.xcom["rows"] == 2


def test_a_servers_gz_name_for_what_is_not_gzip_loses_its_suffix(export: Export, emulator: Any, tmp_path: Path) -> None:
    serve(emulator, CSV, **{"Content-Disposition": 'attachment; filename="r.csv.gz"'})
    result = export(destination=f"file://{tmp_path}/out/").to_end()
    assert result.xcom["uri"] == f"file://{tmp_path}/out/r.csv"


@pytest.mark.parametrize(
    ("body", "content_type", "message"),
    [
        ("<!DOCTYPE html><html></html>", "text/csv", "HTML or XML"),
        ("<?xml version='1.0'?><Error/>", "application/xml", "HTML or XML"),
        ("<Error/>", "text/plain", "HTML or XML"),
        ('{"error": "later"}', "text/json", "JSON"),
        ("", "text/csv", "empty"),
    ],
)
def test_what_is_no_report_is_not_published(
    export: Export, emulator: Any, tmp_path: Path, body: str, content_type: str, message: str
) -> None:
    serve(emulator, body, **{"Content-Type": content_type})
    result = export().to_end()
    assert result.state == "failed"
    assert message in str(result.exception)
    assert files(tmp_path) == []


@pytest.mark.parametrize("cut", [1, 2])
@pytest.mark.parametrize("name", ["r.csv", "r.csv.gz", ""])
@pytest.mark.parametrize(
    "sent", [CSV.encode(), gzip.compress(CSV.encode()), b"\n<html>", b"PK\x03\x04"], ids=["csv", "gzip", "html", "zip"]
)
def test_a_connection_cut_after_the_first_bytes_hides_no_format(
    tmp_path: Path, sent: bytes, name: str, cut: int
) -> None:
    def handler(seen: Request) -> Response:
        headers = {"ETag": '"1"', "Content-Disposition": "attachment; filename=r.csv.gz"}
        if "range" not in seen.headers:
            return Response(200, sent, headers, cut=cut)
        return Response(206, sent[cut:], {**headers, "Content-Range": f"bytes {cut}-{len(sent) - 1}/{len(sent)}"})

    destination = Destination.parse(f"file://{tmp_path}/{name}").connect()
    with RawServer(handler) as server, Client(server.url, "key", policy=RetryPolicy(initial_delay=0.0)) as client:
        if sent.startswith((b"\n", b"PK")):
            with pytest.raises(RingEventsTransferError, match="Nothing was published"):
                upload_report(client, "r", destination, if_exists="overwrite", fallback_name="f.csv")
            assert files(tmp_path) == []
            return
        manifest = upload_report(client, "r", destination, if_exists="overwrite", fallback_name="f.csv")
    (written,) = files(tmp_path)
    assert written == (name or ("r.csv" if sent == CSV.encode() else "r.csv.gz"))
    content = (tmp_path / written).read_bytes()
    assert (gzip.decompress(content) if written.endswith(".gz") else content) == CSV.encode()
    assert (manifest["columns"], manifest["rows"]) == (["id", "name"], 2)


def test_an_empty_report_is_published_when_it_is_allowed(export: Export, emulator: Any, tmp_path: Path) -> None:
    serve(emulator, "")
    result = export(allow_empty=True).to_end()
    assert (result.state, result.xcom["bytes"], result.xcom["columns"]) == ("success", 0, None)


def test_a_key_in_the_header_of_a_report_is_not_shown(export: Export, emulator: Any) -> None:
    serve(emulator, f"id,{emulator.api_key}\n1,2\n")
    assert export().to_end().xcom["columns"] == ["id", "***"]
    message = str(export(required_columns=["email"]).to_end().exception)
    assert "lacks 'email'" in message
    assert emulator.api_key not in message


def test_a_report_that_lost_a_column_fails_the_task(export: Export, emulator: Any, tmp_path: Path) -> None:
    serve(emulator, CSV)
    result = export(required_columns=["id", "email"]).to_end()
    assert result.state == "failed"
    assert "lacks 'email'" in str(result.exception)
    assert files(tmp_path) == []


@pytest.mark.parametrize(("if_exists", "state"), [("skip", "success"), ("fail", "failed")])
def test_an_object_that_appeared_during_the_wait_is_kept(
    export: Export, emulator: Any, tmp_path: Path, if_exists: str, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_provider_ringevents.storage.destination import Destination

    target = tmp_path / "out/report.csv"
    looks = iter([None, None])

    def exists(self: Destination, real: Callable[[Destination], bool] = Destination.exists) -> bool:
        found = real(self)
        if next(looks, "published") is None and emulator.count("POST", "*/reports/*"):
            target.parent.mkdir(exist_ok=True)
            target.write_text("somebody else's")
        return found

    monkeypatch.setattr(Destination, "exists", exists)
    result = export(if_exists=if_exists).to_end()
    assert result.state == state
    assert result.tries == 1
    assert target.read_text() == "somebody else's"
    assert files(tmp_path) == ["out/report.csv"]


@pytest.mark.parametrize("suffix", ["parquet", "xlsx", "json.gz"])
def test_a_suffix_that_is_not_csv_is_refused_while_the_dag_is_parsed(export: Export, suffix: str) -> None:
    with pytest.raises(ValueError, match="`destination` must be a name that fits a report"):
        export(destination=f"s3://bucket/report.{suffix}").to_end()


@pytest.mark.parametrize(
    "arguments",
    [
        {"required_columns": "id"},
        {"required_columns": [""]},
        {"allow_empty": "yes"},
        {"destination": "s3://b/k.csv", "object_options": {"SSECustomerKey": "x"}},
    ],
)
def test_invalid_demands_are_refused_while_the_dag_is_parsed(export: Export, arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be") as caught:
        export(**arguments).to_end()
    assert list(arguments)[-1] in str(caught.value)
