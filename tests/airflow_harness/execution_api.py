"""Airflow's Execution API for one task instance, kept in memory: no server, no database."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import httpx

from airflow_harness.child_process import Channel
from airflow_harness.versions import WORKER_REDACTS_FIELDS

XComKey = tuple[str, int, str]
"""Task id, map index (-1: not mapped), key."""


@dataclass
class ExecutionApi:
    """Answers what a supervisor asks about one task instance, and keeps what it is told.

    :param dag_run: body of the `dag_run` part of the run context.
    :param task_id: the task under test.
    :param map_index: its map index, -1 when it is not mapped.
    :param max_tries: retries that are allowed.
    :param connections: `ConnectionResponse` bodies by connection id.
    :param variables: values by key.
    :param assets: names and URIs of assets that are known.
    """

    dag_run: Mapping[str, Any]
    task_id: str
    map_index: int
    max_tries: int
    connections: dict[str, dict[str, Any]]
    variables: dict[str, str]
    try_number: int = 1
    resume: dict[str, Any] | None = None
    xcoms: dict[XComKey, Any] = field(default_factory=dict)
    store: dict[str, Any] = field(default_factory=dict)
    asset_store: dict[tuple[str, str], Any] = field(default_factory=dict)
    assets: Mapping[str, str] = field(default_factory=dict)
    rendered_fields: dict[str, Any] = field(default_factory=dict)
    reported: list[dict[str, Any]] = field(default_factory=list)
    reschedule_start: str | None = None
    reschedules: int = 0
    dead: bool = False

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.dead and request.method != "GET":
            return httpx.Response(204)  # the worker is gone: nothing that it still does may have an effect
        path = [unquote(part) for part in request.url.raw_path.decode().split("?")[0].strip("/").split("/")]
        body = json.loads(request.content) if request.content else None
        room = getattr(self, "_" + path[0].replace("-", "_"), None)
        answer = room(request, path[1:], body) if room is not None else None
        return answer if answer is not None else _missing(f"{request.method} {request.url.path}")

    def _task_instances(self, request: httpx.Request, path: list[str], body: Any) -> httpx.Response | None:
        match path[1:]:
            case ["run"]:
                return httpx.Response(200, json=self._run_context())
            case ["state"]:
                self.reported.append(body)
                return httpx.Response(204)
            case ["rtif"]:
                self.rendered_fields = body if WORKER_REDACTS_FIELDS else _redacted_by_name(body)
                return httpx.Response(201, json={"message": "ok"})
            case ["validate-inlets-and-outlets"]:
                return httpx.Response(200, json={"inactive_assets": []})
            case ["heartbeat"] | ["rendered-map-index"] | ["skip-downstream"]:
                return httpx.Response(204)
            case ["previous-successful-dagrun"]:
                return httpx.Response(200, json={})
        return None

    def _run_context(self) -> dict[str, Any]:
        mine = [key for task, index, key in self.xcoms if (task, index) == (self.task_id, self.map_index)]
        return {
            "dag_run": dict(self.dag_run),
            "task_reschedule_count": self.reschedules,
            "max_tries": self.max_tries,
            "should_retry": self.max_tries > 0 and self.try_number <= self.max_tries,
            "xcom_keys_to_clear": [] if self.resume or self.reschedules else mine,
            **(self.resume or {}),
        }

    def _task_reschedules(self, request: httpx.Request, path: list[str], body: Any) -> httpx.Response:
        return httpx.Response(200, json=self.reschedule_start)

    def _connections(self, request: httpx.Request, path: list[str], body: Any) -> httpx.Response:
        conn = self.connections.get(path[0])
        return httpx.Response(200, json=conn) if conn is not None else _missing(path[0])

    def _variables(self, request: httpx.Request, path: list[str], body: Any) -> httpx.Response:
        if request.method == "PUT":
            self.variables[path[0]] = body["value"]
            return httpx.Response(201, json={"message": "ok"})
        if path[0] not in self.variables:
            return _missing(path[0])
        return httpx.Response(200, json={"key": path[0], "value": self.variables[path[0]]})

    def _xcoms(self, request: httpx.Request, path: list[str], body: Any) -> httpx.Response | None:
        _dag_id, _run_id, task_id, key, *rest = path
        where = (task_id, int(request.url.params.get("map_index", -1)), key)
        if rest:
            return self._xcom_of_mapped(request, task_id, key, rest)
        if request.method == "POST":
            self.xcoms[where] = body
            return httpx.Response(201, json={"message": "ok"})
        if request.method == "DELETE":
            self.xcoms.pop(where, None)
            return httpx.Response(200, json={"message": "ok"})
        if request.method == "HEAD":
            count = len(self._mapped_values(task_id, key))
            return httpx.Response(200, headers={"Content-Range": f"map_indexes {count}"})
        if where not in self.xcoms:
            return _missing(key)
        return httpx.Response(200, json={"key": key, "value": self.xcoms[where]})

    def _mapped_values(self, task_id: str, key: str) -> list[Any]:
        found = sorted(
            (index, value) for (task, index, name), value in self.xcoms.items() if (task, name) == (task_id, key)
        )
        return [value for _, value in found]

    def _xcom_of_mapped(self, request: httpx.Request, task_id: str, key: str, rest: list[str]) -> httpx.Response:
        values = self._mapped_values(task_id, key)
        if rest[0] == "slice":
            bounds = [request.url.params.get(name) for name in ("start", "stop", "step")]
            return httpx.Response(200, json=values[slice(*(int(b) if b is not None else None for b in bounds))])
        offset = int(rest[1])
        return httpx.Response(200, json=values[offset]) if offset < len(values) else _missing(key)

    def _assets(self, request: httpx.Request, path: list[str], body: Any) -> httpx.Response:
        wanted = request.url.params["name" if path == ["by-name"] else "uri"]
        for name, uri in self.assets.items():
            if wanted == (name if path == ["by-name"] else uri):
                return httpx.Response(200, json={"name": name, "uri": uri, "group": "asset", "extra": {}})
        return _missing(wanted)

    def _store(self, request: httpx.Request, path: list[str], body: Any) -> httpx.Response:
        if path[0] == "ti":
            return _key_value(self.store, path[2] if len(path) > 2 else None, request.method, body)
        asset = request.url.params.get("name") or request.url.params.get("uri") or ""
        if path[-1] == "clear":
            for entry in [entry for entry in self.asset_store if entry[0] == asset]:
                del self.asset_store[entry]
            return httpx.Response(204)
        return _key_value(self.asset_store, (asset, request.url.params["key"]), request.method, body)


class ChannelTransport(httpx.BaseTransport):
    """Carries requests from a child process to the API in its parent."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        message = {"method": request.method, "url": str(request.url), "content": request.read().decode()}
        answer = self._channel.ask(message)
        return httpx.Response(answer["status"], headers=answer["headers"], text=answer["text"])


def answer_over_channel(api: ExecutionApi, message: Mapping[str, Any]) -> dict[str, Any]:
    """The parent's half of `ChannelTransport`."""
    response = api(httpx.Request(message["method"], message["url"], content=message["content"]))
    read = ("content-range", "content-type")  # what Airflow's client looks at
    headers = {name: value for name, value in response.headers.items() if name in read}
    return {"status": response.status_code, "headers": headers, "text": response.text}


def _key_value(store: dict[Any, Any], key: Any, method: str, body: Any) -> httpx.Response:
    if method == "PUT":
        store[key] = body["value"]
    elif method == "DELETE" and key is None:
        store.clear()
    elif method == "DELETE":
        store.pop(key, None)
    elif key in store:
        return httpx.Response(200, json={"value": store[key]})
    else:
        return _missing(str(key))
    return httpx.Response(204)


def _redacted_by_name(fields: Mapping[str, Any]) -> dict[str, Any]:
    from airflow.sdk.execution_time.secrets_masker import SecretsMasker

    masker = SecretsMasker()  # the server has not heard of any secret by its value
    return {name: masker.redact(value, name) for name, value in fields.items()}


def _missing(what: str) -> httpx.Response:
    return httpx.Response(404, json={"detail": {"reason": "not_found", "message": what}})
