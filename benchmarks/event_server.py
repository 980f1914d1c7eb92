"""A fast server of an organization's events over TLS: `python -m benchmarks.event_server CERTIFICATE [OPTION ...]`.

It serves the events that the emulator makes, one of which carries a marker. `/requests` says how many pages were sent.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from typing import Any
from urllib.parse import SplitResult, parse_qs
from urllib.request import Request, urlopen

from benchmarks.list_server import serve

ORGANIZATION = "benchmark"
REQUESTS = "/requests"
_DEFAULT_PER_PAGE = 100


class Events:
    """The pages of the list of events.

    :param count: the number of events.
    :param largest: the most rows of a page.
    :param key: the marker of the event in the middle.
    """

    def __init__(self, count: int, largest: int, key: str) -> None:
        from airflow_provider_ringevents.provisioning.event_identity import MARKER_METADATA_KEY

        rows = _rows(count)
        rows[count // 2]["attributes"]["metadata"] = {MARKER_METADATA_KEY: key}
        self._rows = [json.dumps(row).encode() for row in rows]
        self._largest = largest
        self._requests = 0

    def response(self, origin: str, target: SplitResult) -> bytes:
        """The body of the response to a request."""
        if target.path == REQUESTS:
            return json.dumps(self._requests).encode()
        self._requests += 1
        query = {name: int(values[0]) for name, values in parse_qs(target.query).items()}
        number, size = query.get("page", 1), min(query.get("perPage", _DEFAULT_PER_PAGE), self._largest)
        last = -(-len(self._rows) // size)
        link = f"{origin}{target.path}?perPage={size}&page="
        links = {"next": f"{link}{number + 1}" if number < last else None, "last": f"{link}{last}"}
        head = json.dumps({"links": links, "meta": {"count": len(self._rows)}})[:-1].encode()
        rows = self._rows[(number - 1) * size : number * size]
        return b"".join([head, b', "data": [', b",".join(rows), b"]}"])


def _rows(count: int) -> list[dict[str, Any]]:
    from airflow_provider_ringevents.emulator import Emulator

    with Emulator(events=count, registrations=0, max_per_page=count) as emulator:
        url = f"{emulator.url}/v1/organizations/{emulator.organization_id}/events?perPage={count}"
        with urlopen(Request(url, headers={"Authorization": f"Bearer {emulator.api_key}"})) as answer:
            rows: list[dict[str, Any]] = json.load(answer)["data"]
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.event_server", description=__doc__)
    parser.add_argument("certificate", help="file with a key and its certificate")
    parser.add_argument("--events", type=int, default=2_000, help="the number of events")
    parser.add_argument("--max-per-page", type=int, default=100, help="most rows of a page")
    parser.add_argument("--key", default="key", help="the marker of one event")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before every response")
    arguments = parser.parse_args()
    events = Events(arguments.events, arguments.max_per_page, arguments.key)
    asyncio.run(serve(events.response, arguments.certificate, arguments.latency))
    sys.exit(0)
