"""Ways of reading a list into a file, one in each process: `python -m benchmarks.list_readers NAME ORIGIN ROWS FILE`.

Prints what it took as JSON: seconds, CPU seconds, growth of memory in bytes over what the imports need, rows.
"""

from __future__ import annotations

import gc
import gzip
import json
import os
import re
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

from benchmarks.machine import memory

Reader = Callable[[str, int, Path], Callable[[], None] | None]
"""Origin of the server, rows of the list, file to write -> what makes it that one file, not measured; None: it is."""

KEY = "benchmark"


def ours(concurrency: int | None) -> Reader:
    """The export that the operator makes."""
    from airflow_provider_ringevents.client import Client
    from airflow_provider_ringevents.exports.catalog import COLLECTIONS
    from airflow_provider_ringevents.exports.formats.file_format import FileFormat
    from airflow_provider_ringevents.storage import Destination
    from airflow_provider_ringevents.transfers.collection_upload import CollectionExport, upload_collection

    def read(origin: str, rows: int, target: Path) -> None:
        kind = FileFormat.from_destination(str(target), None)
        export = CollectionExport(COLLECTIONS["registrations"], kind, concurrency=concurrency, include_credentials=True)
        with Client(origin, KEY) as client:
            upload_collection(client, export, str(rows), Destination.resolve(str(target)))

    return read


def requests_loop() -> Reader:
    """A loop over `links.next` that writes every page when it comes."""
    import requests

    def read(origin: str, rows: int, target: Path) -> None:
        session = requests.Session()
        session.headers["Authorization"] = f"Bearer {KEY}"
        link = f"{origin}/v1/events/{rows}/registrations?page=1&perPage=100"
        with target.open("w") as file:
            while link:
                answer = session.get(link, timeout=60).json()
                for row in answer["data"]:
                    file.write(json.dumps(row["attributes"]) + "\n")
                link = answer["links"]["next"]

    return read


def http_operator() -> Reader:
    """`HttpOperator` with a pagination function; its response filter writes the file."""
    from airflow.providers.http.operators.http import HttpOperator

    def read(origin: str, rows: int, target: Path) -> None:
        os.environ["AIRFLOW_CONN_HTTP_LISTS"] = json.dumps({"conn_type": "http", "host": origin, "password": KEY})

        def following(response: Any) -> dict[str, Any] | None:
            link = response.json()["links"]["next"]
            return {"data": {"page": re.findall(r"\bpage=(\d+)", link)[0], "perPage": "100"}} if link else None

        def write(responses: list[Any]) -> str:
            with target.open("w") as file:
                for response in responses:
                    for row in response.json()["data"]:
                        file.write(json.dumps(row["attributes"]) + "\n")
            return str(target)

        operator = HttpOperator(
            task_id="read",
            http_conn_id="http_lists",
            method="GET",
            endpoint=f"/v1/events/{rows}/registrations",
            data={"page": "1", "perPage": "100"},
            pagination_function=following,
            response_filter=write,
        )
        operator.execute({})

    return read


def dlt() -> Reader:
    """dlt's `rest_api` source to its `filesystem` destination, as JSON Lines."""
    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    import dlt
    from dlt.sources.rest_api import rest_api_source

    def read(origin: str, rows: int, target: Path) -> Callable[[], None]:
        folder = target.parent / "dlt"
        resource = {
            "name": "registrations",
            "max_table_nesting": 0,
            "endpoint": {
                "path": f"v1/events/{rows}/registrations",
                "params": {"perPage": 100},
                "data_selector": "data",
                "paginator": {"type": "json_link", "next_url_path": "links.next"},
            },
        }
        client = {"base_url": origin, "auth": {"type": "bearer", "token": KEY}}
        source = rest_api_source({"client": client, "resources": [resource]})
        pipeline = dlt.pipeline(
            "benchmark",
            pipelines_dir=str(folder / "state"),
            destination=dlt.destinations.filesystem(folder.as_uri()),
            dataset_name="lists",
        )
        pipeline.run(source, loader_file_format="jsonl")
        return partial(_join, folder / "lists" / "registrations", target)

    return read


def _join(parts: Path, target: Path) -> None:
    with target.open("wb") as file:
        for part in sorted(parts.iterdir()):
            packed = part.read_bytes()
            file.write(gzip.decompress(packed) if packed[:2] == b"\x1f\x8b" else packed)


def sockets(width: int) -> Reader:
    """What the machine and the server allow: the answers are counted and thrown away, an empty line for each row."""

    def read(origin: str, rows: int, target: Path) -> None:
        numbers, parts, context = iter(range(1, rows // 100 + 1)), urlsplit(origin), ssl.create_default_context()
        lines: list[bytes] = []

        def fetch() -> None:
            plain = socket.create_connection((parts.hostname, parts.port))
            with context.wrap_socket(plain, server_hostname=parts.hostname) as connection:
                while number := next(numbers, None):
                    request = f"GET /v1/events/{rows}/registrations?page={number} HTTP/1.1\r\nHost: lists\r\n\r\n"
                    connection.sendall(request.encode())
                    answer = connection.recv(1 << 20)
                    head, _, _ = answer.partition(b"\r\n\r\n")
                    length = len(head) + 4 + int(head.rpartition(b"Content-Length: ")[2])
                    while len(answer) < length:
                        answer += connection.recv(1 << 20)
                    lines.append(b"\n" * answer.count(b'"type":"registration"'))

        threads = [threading.Thread(target=fetch) for _ in range(width)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        target.write_bytes(b"".join(lines))

    return read


def json_alone(compress: bool) -> Reader:
    """The least that Python's own modules can do: the same rows, read and written as JSON, without a network."""

    def read(origin: str, rows: int, target: Path) -> None:
        with gzip.open(target, "wt", compresslevel=6) if compress else target.open("w") as file:
            for body in _bodies(origin, rows):
                for row in json.loads(body)["data"]:
                    file.write(json.dumps(row["attributes"]) + "\n")

    return read


def _bodies(origin: str, rows: int) -> Iterator[bytes]:
    pages = [urlopen(f"{origin}/v1/events/{rows}/registrations?page={page}").read() for page in range(1, 11)]
    for page in range(rows // 100):
        yield pages[page % 10]


READERS: dict[str, Callable[[], Reader]] = {
    "requests": requests_loop,
    "http": http_operator,
    "dlt": dlt,
    "sockets-4": partial(sockets, 4),
    "sockets-8": partial(sockets, 8),
    "json": partial(json_alone, False),
    "json.gz": partial(json_alone, True),
    "ours": partial(ours, None),
    **{f"ours-{width}": partial(ours, width) for width in (1, 8, 16)},
}


def main() -> None:
    name, origin, rows, target = sys.argv[1:]
    read = READERS[name]()
    gc.collect()  # what the imports have left for the collector is not part of the reading
    before = memory("VmRSS")
    started, cpu = time.perf_counter(), time.process_time()
    join = read(origin, int(rows), Path(target))
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    grown = memory("VmHWM") - before
    if join:
        join()
    with gzip.open(target, "rb") if target.endswith(".gz") else open(target, "rb") as file:
        written = sum(1 for _ in file)
    print(json.dumps({"seconds": seconds, "cpu": cpu, "memory": grown, "rows": written}))


if __name__ == "__main__":
    main()
