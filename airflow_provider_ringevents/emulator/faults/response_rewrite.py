"""Faults that change what an answer says: its headers, or its JSON once it is whole."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from airflow_provider_ringevents.emulator.backend.signed_urls import error_xml
from airflow_provider_ringevents.emulator.faults.context import Action, BufferedResponse, FaultContext, with_header
from airflow_provider_ringevents.emulator.server.connection import origin_of

if TYPE_CHECKING:
    from starlette.types import Message

_Change = Callable[[FaultContext, Any], None]
"""Changes the parsed JSON of an answer in its place."""


async def headers(exchange: FaultContext) -> None:
    """Other headers."""
    fault = exchange.fault
    given = {name.lower(): value for name, value in fault.headers.items()}
    if fault.kind == "content_type":
        given["content-type"] = fault.body or "text/plain"

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            for name, value in given.items():
                changed = with_header(message["headers"], name.encode("latin-1"), value.encode())
                message = {**message, "headers": changed}
        await exchange.send(message)

    await exchange.answer(send)


async def truncated_json(exchange: FaultContext) -> None:
    """Half of the body, with a Content-Length that fits the half."""
    answer = await exchange.collect()
    await exchange.reply(BufferedResponse(answer.status, answer.headers, answer.body[: len(answer.body) // 2]))


async def gzipped(exchange: FaultContext) -> None:
    """The whole body, compressed."""
    answer = await exchange.collect()
    headers = with_header(answer.headers, b"content-encoding", b"gzip")
    await exchange.reply(BufferedResponse(answer.status, headers, gzip.compress(answer.body, mtime=0)))


async def expired_link(exchange: FaultContext) -> None:
    """Links that have expired already, or the answer to one."""
    if origin_of(exchange.scope) == "links":
        headers = [(b"content-type", b"application/xml")]
        await exchange.reply(BufferedResponse(403, headers, error_xml("AccessDenied")))
        return
    answer = await exchange.collect()
    for name, value in answer.headers:
        if name.lower() == b"location":
            expired = exchange.signer.expired(value.decode()).encode()
            answer.headers = with_header(answer.headers, b"location", expired)
    await exchange.reply(_changed(exchange, answer, _expire))


def _rewriting(change: _Change) -> Action:
    async def run(exchange: FaultContext) -> None:
        await exchange.reply(_changed(exchange, await exchange.collect(), change))

    return run


def _changed(exchange: FaultContext, answer: BufferedResponse, change: _Change) -> BufferedResponse:
    try:
        body = json.loads(answer.body)
    except ValueError:
        return answer
    change(exchange, body)
    return BufferedResponse(answer.status, answer.headers, json.dumps(body, ensure_ascii=False).encode())


def _expire(exchange: FaultContext, body: Any) -> None:
    data = body.get("data") or []
    for resource in data if isinstance(data, list) else [data]:
        attributes = resource["attributes"]
        if "url" in attributes:
            attributes["url"] = exchange.signer.expired(attributes["url"])


def _wrong_count(exchange: FaultContext, body: Any) -> None:
    if "meta" in body:
        body["meta"]["count"] = exchange.fault.value


def _missing_count(_: FaultContext, body: Any) -> None:
    body.pop("meta", None)


def _next_loop(_: FaultContext, body: Any) -> None:
    if "links" in body:
        body["links"]["next"] = body["links"]["self"]


def _next_foreign(exchange: FaultContext, body: Any) -> None:
    if "links" in body:
        there = urlsplit(exchange.fault.url or "")
        here = urlsplit(body["links"]["self"])
        body["links"]["next"] = urlunsplit(here._replace(scheme=there.scheme, netloc=there.netloc))


ACTIONS: dict[str, Action] = {
    "headers": headers,
    "content_type": headers,
    "gzip": gzipped,
    "truncated_json": truncated_json,
    "expired_link": expired_link,
    "wrong_count": _rewriting(_wrong_count),
    "missing_count": _rewriting(_missing_count),
    "next_loop": _rewriting(_next_loop),
    "next_foreign": _rewriting(_next_foreign),
}
