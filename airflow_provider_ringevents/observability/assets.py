"""Asset URIs of the API's resources: ``ringevents://api.events.ringcentral.com/events/{id}/registrations``.

Airflow imports this module for the URI of any asset, so it imports next to nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult, unquote

from airflow_provider_ringevents.contract._generated import OPERATIONS
from airflow_provider_ringevents.observability.lineage import API_ROOT, SCHEME

if TYPE_CHECKING:
    from airflow.providers.common.compat.assets import Asset
    from airflow.providers.common.compat.openlineage.facet import Dataset as OpenLineageDataset

_NOT_DATA: Final = frozenset({"health", "download_report"})
_SHAPE: Final = f"{SCHEME}://<host of the API>/<path of the API, without /v1>"


def sanitize_uri(uri: SplitResult) -> SplitResult:
    """Normalize an asset URI. Airflow calls this for every asset of the scheme.

    :raises ValueError: The URI names no resource of the API, or holds a user, a query or the version ``/v1``.
    """
    given = uri.geturl()
    if "@" in uri.netloc:
        raise ValueError(
            f"`uri` must be {_SHAPE}, without a user or a connection, got {SCHEME}://***@{uri.netloc.rpartition('@')[2]}"
        )
    if uri.query:
        raise ValueError(
            f"`uri` must be {_SHAPE}, without a query (filters and windows are not part of an asset), got {given}"
        )
    try:
        port = uri.port
    except ValueError:
        raise ValueError(f"`uri` must be {_SHAPE} with a valid port, got {given}") from None
    if not uri.hostname:
        raise ValueError(f"`uri` must be {_SHAPE}, with a host, got {given}")
    path = uri.path.strip("/")
    _check_path(given, path)
    host = f"[{uri.hostname}]" if ":" in uri.hostname else uri.hostname
    return uri._replace(netloc=host if port in (None, 443, 80) else f"{host}:{port}", path=f"/{path}")


def convert_asset_to_openlineage(asset: Asset, lineage_context: Any) -> OpenLineageDataset:
    """Return the dataset of an asset, which is the one that an export of it reports as its input."""
    from airflow.providers.common.compat.openlineage.facet import Dataset

    host, _, path = asset.uri.removeprefix(f"{SCHEME}://").partition("/")
    return Dataset(namespace=f"{SCHEME}://{host}", name=path)


def _check_path(given: str, path: str) -> None:
    parts = path.split("/")
    if not any(_matches(shape, parts) for shape in _shapes()):
        similar = [shape for shape in _shapes() if shape[0] == parts[0]] or _shapes()
        raise ValueError(f"`uri` must have a path of the API ({', '.join(map('/'.join, similar))}), got {given}")


def _matches(shape: Sequence[str], parts: Sequence[str]) -> bool:
    return len(shape) == len(parts) and all(
        expected == part or (expected.startswith("{") and _can_be_id(part))
        for expected, part in zip(shape, parts, strict=True)
    )


def _can_be_id(part: str) -> bool:
    id = unquote(part)
    return bool(id.strip()) and id not in (".", "..") and id.isprintable() and "/" not in id


@cache
def _shapes() -> tuple[tuple[str, ...], ...]:
    """Return the paths of everything that can be read, split, with identifiers in braces."""
    readable = (
        path
        for operation, (method, paths, _) in OPERATIONS.items()
        for path in paths
        if (method == "GET" and operation not in _NOT_DATA) or operation == "create_report"
    )
    return tuple(sorted({tuple(path.removeprefix(API_ROOT).split("/")) for path in readable}))
