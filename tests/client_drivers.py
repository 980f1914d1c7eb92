"""Both clients behind one face, so that one table of tests runs through both."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass
from typing import Any

from airflow_provider_ringevents.client import AsyncClient, Client, Envelope
from airflow_provider_ringevents.client.downloads.state import DownloadState
from airflow_provider_ringevents.client.endpoints import Call
from airflow_provider_ringevents.client.pagination import Page
from airflow_provider_ringevents.client.transport.retry import RetryPolicy

KEY = "canary-key-8f2e1b"
AT_ONCE = RetryPolicy(initial_delay=0.0)
"""Retries as always, without the pauses."""


@dataclass
class Fetched:
    """What a download gave, also when it ended with an error."""

    state: DownloadState
    content: bytes


class SyncDriver:
    """``Client``."""

    name = "Client"

    def __init__(self, base_url: str, **options: Any) -> None:
        self.options = {"base_url": base_url, "api_key": KEY, "policy": AT_ONCE, **options}

    def client(self) -> Client:
        return Client(**self.options)

    def send(self, call: Call, **options: Any) -> Envelope:
        with self.client() as client:
            return client.send(call, **options)

    def pages(self, call: Call, **options: Any) -> list[Page]:
        with self.client() as client:
            return list(client.pages(call, **options))

    def items(self, call: Call, **options: Any) -> list[dict[str, Any]]:
        with self.client() as client:
            return list(client.items(call, **options))

    def download(self, call: Call, into: list[bytes] | None = None) -> Fetched:
        """:param into: takes the blocks as they come, to see what came before an error."""
        blocks = into if into is not None else []
        with self.client() as client, client.download(call) as download:
            blocks.extend(download)
            return Fetched(download.state, b"".join(blocks))


class AsyncDriver(SyncDriver):
    """``AsyncClient``."""

    name = "AsyncClient"

    def client(self) -> Any:
        return AsyncClient(**self.options)

    def send(self, call: Call, **options: Any) -> Envelope:
        async def run() -> Envelope:
            async with self.client() as client:
                envelope: Envelope = await client.send(call, **options)
                return envelope

        return _run(run())

    def pages(self, call: Call, **options: Any) -> list[Page]:
        return _run(self._all("pages", call, options))

    def items(self, call: Call, **options: Any) -> list[dict[str, Any]]:
        return _run(self._all("items", call, options))

    async def _all(self, method: str, call: Call, options: dict[str, Any]) -> list[Any]:
        options.pop("concurrency", None)
        async with self.client() as client:
            found: AsyncIterator[Any] = getattr(client, method)(call, **options)
            return [each async for each in found]

    def download(self, call: Call, into: list[bytes] | None = None) -> Fetched:
        blocks = into if into is not None else []

        async def run() -> Fetched:
            async with self.client() as client, client.download(call) as download:
                async for block in download:
                    blocks.append(block)
                return Fetched(download.state, b"".join(blocks))

        return _run(run())


def _run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(coroutine)
