"""The export into a real S3 server, in both modes."""

from __future__ import annotations

import hashlib
import json
import logging
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow_harness import Run
from s3_server import S3Server

MEGABYTE = 1_000_000
Export = Callable[..., Run]


_TALKATIVE = ("aiobotocore", "botocore", "s3fs", "urllib3", "fsspec", "asyncio")


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every block of an upload would log a hundred lines."""
    for name in _TALKATIVE:
        monkeypatch.setattr(logging.getLogger(name), "level", logging.WARNING)
        logging.getLogger(name)._cache.clear()


@pytest.fixture(scope="module")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with S3Server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def bucket(s3_server: S3Server, emulator: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    s3_server.connect(monkeypatch)
    emulator.state.settings.report_bytes = 9 * MEGABYTE
    return s3_server.make_bucket("b" + hashlib.sha256(str(tmp_path).encode()).hexdigest()[:20])


def objects(bucket: Path) -> dict[str, bytes]:
    return {str(path.relative_to(bucket)): path.read_bytes() for path in bucket.rglob("*") if path.is_file()}


@pytest.mark.parametrize("download", ["file", "redirect"])
@pytest.mark.parametrize("given", ["in the URI", "as an argument"])
def test_nine_megabytes_arrive_whole(
    export: Export, emulator: Any, bucket: Path, s3_server: S3Server, download: str, given: str
) -> None:
    emulator.state.settings.download = download
    arguments: dict[str, Any] = {"destination": f"s3://{s3_server.conn_id}@{bucket.name}/a/b.csv"}
    if given == "as an argument":
        arguments = {"destination": f"s3://{bucket.name}/a/b.csv", "object_storage_conn_id": s3_server.conn_id}
    result = export(**arguments).to_end()

    assert result.state == "success"
    content = emulator.report_content(result.xcom["report_id"])
    assert len(content) == 9 * MEGABYTE
    assert objects(bucket) == {"a/b.csv": content}
    assert result.xcom["uri"] == f"s3://{bucket.name}/a/b.csv"
    assert result.xcom["sha256"] == hashlib.sha256(content).hexdigest()
    assert s3_server.open_uploads(bucket.name) == []
    page = f"https://s3.console.aws.amazon.com/s3/object/{bucket.name}?prefix=a/b.csv"
    assert result.links == {"Exported object": page}


@pytest.mark.parametrize("there", [True, False], ids=["over an object", "nothing there"])
@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "cut_body", "after": 7 * MEGABYTE},
        {"kind": "truncate_chunked", "after": 7 * MEGABYTE},
        {"kind": "html"},
        {"kind": "status", "status": 500},
    ],
    ids=lambda fault: fault["kind"],
)
def test_a_download_that_never_works_leaves_the_bucket_as_it_was(
    export: Export, emulator: Any, bucket: Path, s3_server: S3Server, fault: dict[str, Any], there: bool
) -> None:
    emulator.state.settings.ranges = emulator.state.settings.etag = False
    before = {}
    if there:
        (bucket / "a").mkdir()
        (bucket / "a" / "b.csv").write_bytes(b"yesterday's")
        before = {"a/b.csv": b"yesterday's"}
    emulator.fault(path="/download", times=None, **fault)
    emulator.fault(origin="links", times=None, **fault)
    result = export(destination=f"s3://{s3_server.conn_id}@{bucket.name}/a/b.csv").to_end()

    assert result.state == "failed"
    assert objects(bucket) == before
    assert s3_server.open_uploads(bucket.name) == []


def test_a_store_that_is_gone_fails_the_try_and_the_retry_does_it(
    export: Export, tmp_path: Path, deferrable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with S3Server(tmp_path / "away", port=port) as server:
        name = f"store_that_goes_{deferrable}".lower()
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(server.airflow_connection()))
        bucket = server.make_bucket("exports")
        run = export(destination=f"s3://{name}@exports/b.csv", retries=1)
        server.kill()
        while run.result.state != "up_for_retry":
            if run.result.state == "deferred":
                run.trigger()
            run.attempt()
        server.start()
        result = run.to_end()

    assert (result.state, result.tries) == ("success", 2)
    assert list(objects(bucket)) == ["b.csv"]
