"""Faults that change the headers or the JSON of a response."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from airflow_provider_ringevents.emulator.backend.signed_urls import error_xml
from airflow_provider_ringevents.emulator.faults.context import Action, BufferedResponse, FaultContext, with_header
from airflow_provider_ringevents.emulator.server.connection import origin_of

if TYPE_CHECKING:
    from starlette.types import Message

_Change = Callable[[FaultContext, Any], None]
"""Changes the parsed JSON of a response in place."""


async def headers(context: FaultContext) -> None:
    """Replace headers."""
    fault = context.fault
    given = {name.lower(): value for name, value in fault.headers.items()}
    if fault.kind == "content_type":
        given["content-type"] = fault.body or "text/plain"

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            for name, value in given.items():
                changed = with_header(message["headers"], name.encode("latin-1"), value.encode())
                message = {**message, "headers": changed}
        await context.send(message)

    await context.answer(send)


async def truncated_json(context: FaultContext) -> None:
    """Send half of the body, with a matching Content-Length."""
    answer = await context.collect()
    await context.reply(BufferedResponse(answer.status, answer.headers, answer.body[: len(answer.body) // 2]))


async def gzipped(context: FaultContext) -> None:
    """Return the whole body, compressed."""
    answer = await context.collect()
    headers = with_header(answer.headers, b"content-encoding", b"gzip")
    await context.reply(BufferedResponse(answer.status, headers, gzip.compress(answer.body, mtime=0)))


async def expired_link(context: FaultContext) -> None:
    """Replace links by expired ones, or respond as to an expired one."""
    if origin_of(context.scope) == "links":
        headers = [(b"content-type", b"application/xml")]
        await context.reply(BufferedResponse(403, headers, error_xml("AccessDenied")))
        return
    answer = await context.collect()
    for name, value in answer.headers:
        if name.lower() == b"location":
            expired = context.backend.signer.expired(value.decode()).encode()
            answer.headers = with_header(answer.headers, b"location", expired)
    await context.reply(_changed(context, answer, _expire))


def _rewriting(change: _Change) -> Action:
    async def run(context: FaultContext) -> None:
        await context.reply(_changed(context, await context.collect(), change))

    return run


def _changed(context: FaultContext, answer: BufferedResponse, change: _Change) -> BufferedResponse:
    try:
        body = json.loads(answer.body)
    except ValueError:
        return answer
    change(context, body)
    return BufferedResponse(answer.status, answer.headers, json.dumps(body, ensure_ascii=False).encode())


def _expire(context: FaultContext, body: Any) -> None:
    data = body.get("data") or []
    for resource in data if isinstance(data, list) else [data]:
        attributes = resource["attributes"]
        if "url" in attributes:
            attributes["url"] = context.backend.signer.expired(attributes["url"])


async def repeated_page(context: FaultContext) -> None:
    """Answer the rows of the page before, within the links and the count of the requested page."""
    query = dict(parse_qsl(context.scope["query_string"].decode("latin-1"), keep_blank_values=True))
    page = query.get("page", "")
    query["page"] = str(max(1, int(page) - 1)) if page.isdecimal() else "1"
    before = json.loads((await context.collect(urlencode(query).encode())).body)

    def change(_: FaultContext, body: Any) -> None:
        if "data" in body and "data" in before:
            body["data"] = before["data"]

    await context.reply(_changed(context, await context.collect(), change))


def _short_page(context: FaultContext, body: Any) -> None:
    if isinstance(body.get("data"), list):
        body["data"] = body["data"][: context.fault.value or 0]


def _wrong_count(context: FaultContext, body: Any) -> None:
    if "meta" in body:
        body["meta"]["count"] = context.fault.value


def _missing_count(_: FaultContext, body: Any) -> None:
    body.pop("meta", None)


def _next_loop(_: FaultContext, body: Any) -> None:
    if "links" in body:
        body["links"]["next"] = body["links"]["self"]


def _next_foreign(context: FaultContext, body: Any) -> None:
    if "links" in body:
        there = urlsplit(context.fault.url or "")
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
    "short_page": _rewriting(_short_page),
    "repeated_page": repeated_page,
}
