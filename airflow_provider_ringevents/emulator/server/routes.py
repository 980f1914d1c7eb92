"""The two applications: the API and the origin of the signed links."""

from __future__ import annotations

import inspect
import secrets
from collections.abc import Awaitable, Callable, Iterable
from typing import Final
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from airflow_provider_ringevents.contract._generated import OPERATIONS
from airflow_provider_ringevents.contract.openapi import document_text
from airflow_provider_ringevents.emulator.api.errors import ApiError, not_found, unauthorized
from airflow_provider_ringevents.emulator.api.events import EventsApi
from airflow_provider_ringevents.emulator.api.reports import ReportsApi, signed_file
from airflow_provider_ringevents.emulator.api.responses import Handler, RequestContext, error_response
from airflow_provider_ringevents.emulator.api.tickets import TicketsApi
from airflow_provider_ringevents.emulator.backend.backend import Backend
from airflow_provider_ringevents.emulator.backend.signed_urls import PREFIX, error_xml
from airflow_provider_ringevents.emulator.settings import Settings

_BEARER: Final = "bearer "

Endpoint = Callable[[Request], Awaitable[Response]]


def api_application(backend: Backend) -> Starlette:
    """Return the application of the API."""
    store = backend.store

    def endpoint(handler: Handler) -> Endpoint:
        async def run(request: Request) -> Response:
            if not authorized(request.headers.get("authorization"), store.settings):
                return error_response(unauthorized())
            if store.settings.read_only_key and request.method != "GET":
                return error_response(ApiError(403, "the role of the key's user does not allow this"))
            body = await request.body()
            query = parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True)
            try:
                with store.lock:
                    response = handler(RequestContext(request, body, query, backend.urls.api, store.settings))
                return await response if inspect.isawaitable(response) else response
            except ApiError as problem:
                return error_response(problem)

        return run

    groups = (EventsApi(store), ReportsApi(backend), TicketsApi(store))
    routes = [
        Route(path, endpoint(_handler(operation, groups)), methods=[method])
        for operation, (method, paths, _) in OPERATIONS.items()
        for path in paths
    ]
    routes.append(Route("/openapi.json", _openapi, methods=["GET"]))
    return _strict(Starlette(routes=routes, exception_handlers={404: _no_route, 405: _no_route}))


def links_application(backend: Backend) -> Starlette:
    """Return the application of the signed links' origin, which knows no API key."""

    async def file(request: Request) -> Response:
        return await signed_file(request, backend)

    async def nothing(request: Request, error: Exception) -> Response:
        return Response(error_xml("NoSuchKey"), 404, media_type="application/xml")

    route = Route(f"{PREFIX}{{report_id}}/{{filename}}", file, methods=["GET"])
    return _strict(Starlette(routes=[route], exception_handlers={404: nothing, 405: nothing}))


def authorized(header: str | None, settings: Settings) -> bool:
    """Return True when an ``Authorization`` header holds the API key in an accepted form."""
    if header is None:
        return False
    bearer = header[: len(_BEARER)].lower() == _BEARER
    if settings.auth == ("bare" if bearer else "bearer"):
        return False
    key = header[len(_BEARER) :] if bearer else header
    return secrets.compare_digest(key.strip().encode(), settings.api_key.encode())


def _handler(operation: str, groups: Iterable[object]) -> Handler:
    """Return the handler of an operation: the method that has its name."""
    handler: Handler = next(getattr(group, operation) for group in groups if hasattr(group, operation))
    return handler


async def _openapi(request: Request) -> Response:
    return Response(document_text(), media_type="application/json")


async def _no_route(request: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException) and error.status_code == 405:
        return error_response(ApiError(405, f"{request.method} is not allowed here"))
    return error_response(not_found("path"))


def _strict(application: Starlette) -> Starlette:
    # A path with a trailing slash is an unknown path, not one to redirect.
    application.router.redirect_slashes = False
    return application
