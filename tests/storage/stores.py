"""Stores to publish to, all real: local files, S3 (rclone), Azure (azurite), fsspec's memory for the general way."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

from azure_server import AzureServer
from fsspec.implementations.memory import MemoryFileSystem
from s3_server import S3Server

from airflow_provider_ringevents.storage import Destination

try:
    from airflow.sdk.io import attach
except ImportError:  # Airflow 2
    from airflow.io.store import attach

CONN_ID = "storage_s3"
AZURE_CONN_ID = "storage_azure"
CHILD = Path(__file__).with_name("upload_process.py")


def payload(size: int) -> bytes:
    """Return bytes that repeat nowhere, so that swapped or doubled blocks show."""
    return random.Random(size).randbytes(size)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class LocalStore:
    """A folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.prefix = f"file://{folder}/"

    def read(self, key: str) -> bytes | None:
        path = self.folder / key
        return path.read_bytes() if path.exists() else None

    def put(self, key: str, data: bytes) -> None:
        (self.folder / key).write_bytes(data)

    def left_behind(self) -> list[str]:
        return [str(p) for p in self.folder.rglob(".*")]


class S3Store:
    """A bucket of the test's own on a real server."""

    def __init__(self, server: S3Server, bucket: str) -> None:
        self.server = server
        self.bucket = bucket
        self.client: Any = server.client()
        server.make_bucket(bucket)
        self.prefix = f"s3://{CONN_ID}@{bucket}/"

    def read(self, key: str) -> bytes | None:
        try:
            return bytes(self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read())
        except self.client.exceptions.NoSuchKey:
            return None

    def put(self, key: str, data: bytes) -> None:
        self.client.put_object(Bucket=self.bucket, Key=key, Body=data)

    def left_behind(self) -> list[str]:
        return [key for key, _ in self.server.open_uploads(self.bucket)]


class AzureStore:
    """A container of the test's own on a real server."""

    def __init__(self, server: AzureServer, container: str) -> None:
        self.server = server
        self.container = container
        self.client: Any = server.client().create_container(container)
        self.prefix = f"abfs://{AZURE_CONN_ID}@{container}/"

    def read(self, key: str) -> bytes | None:
        from azure.core.exceptions import ResourceNotFoundError

        try:
            return bytes(self.client.download_blob(key).readall())
        except ResourceNotFoundError:
            return None

    def put(self, key: str, data: bytes) -> None:
        self.client.upload_blob(key, data, overwrite=True)

    def left_behind(self) -> list[str]:
        """Nothing is ever visible beside the objects; for what is not, see :meth:`uncommitted`."""
        return [name for name in self.client.list_blob_names() if "ringevents-part" in name]

    def uncommitted(self, key: str) -> list[int]:
        """The sizes of the blocks that were sent for an object and not made part of it."""
        from azure.core.exceptions import ResourceNotFoundError

        try:
            _, blocks = self.client.get_blob_client(key).get_block_list("uncommitted")
        except ResourceNotFoundError:
            return []
        return [block.size for block in blocks]


class MemoryStore:
    """fsspec's memory filesystem, of which the code under test knows nothing."""

    prefix = "memory:///folder/"

    def __init__(self) -> None:
        self.fs = MemoryFileSystem()
        self.fs.store.clear()
        self.fs.pseudo_dirs[:] = [""]
        attach(protocol="memory", fs=self.fs)

    def read(self, key: str) -> bytes | None:
        found = self.fs.store.get(f"/folder/{key}")
        return found.getvalue() if found is not None else None

    def put(self, key: str, data: bytes) -> None:
        self.fs.pipe_file(f"/folder/{key}", data)

    def left_behind(self) -> list[str]:
        return [p for p in [*self.fs.store, *self.fs.pseudo_dirs] if "/." in p]


Store = LocalStore | S3Store | AzureStore | MemoryStore


def destination(store: Store, key: str = "report.csv") -> Destination:
    return Destination.resolve(store.prefix + key)


class Child:
    """A running ``upload_process.py``: what it says, line by line."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", str(CHILD), *arguments],
            # Airflow logs to the standard output.
            env=os.environ | {"AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.process.kill()
        self.process.__exit__(None, None, None)

    def said(self) -> str:
        """Wait for the next line that the child says; an empty one when it has ended."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("SAID "):
                return line.removeprefix("SAID ").rstrip()
        return ""

    def tell(self) -> None:
        """Let the child go on."""
        assert self.process.stdin is not None
        self.process.stdin.write("go on\n")
        self.process.stdin.flush()

    def wait(self) -> None:
        """Wait until the child has ended by itself."""
        assert self.process.wait(60) == 0
