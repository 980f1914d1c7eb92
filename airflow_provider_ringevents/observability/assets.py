"""Asset URIs of what the API holds: ``ringevents://api.events.ringcentral.com/events/{id}/registrations``.

Imported whenever Airflow meets the URI of an asset, whichever: nothing heavy here.
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
    """Bring a URI into the one form that it has for the same thing; Airflow calls it for every asset of the scheme.

    :raises ValueError: it names nothing that the API has, or holds a user, a query or the version's ``/v1``.
    """
    given = uri.geturl()
    if "@" in uri.netloc:
        raise ValueError(f"{SCHEME}://...@{uri.netloc.rpartition('@')[2]}: no user or connection belongs into {_SHAPE}")
    if uri.query:
        raise ValueError(f"{given}: no query belongs into {_SHAPE}; a filter or a window is no part of what it names")
    try:
        port = uri.port
    except ValueError:
        raise ValueError(f"{given}: the port is none, wanted is {_SHAPE}") from None
    if not uri.hostname:
        raise ValueError(f"{given}: names no host; wanted is {_SHAPE}")
    path = uri.path.strip("/")
    _check_path(given, path)
    host = f"[{uri.hostname}]" if ":" in uri.hostname else uri.hostname
    return uri._replace(netloc=host if port in (None, 443, 80) else f"{host}:{port}", path=f"/{path}")


def convert_asset_to_openlineage(asset: Asset, lineage_context: Any) -> OpenLineageDataset:
    """The dataset that an asset stands for: the same that an export of it has read."""
    from airflow.providers.common.compat.openlineage.facet import Dataset

    host, _, path = asset.uri.removeprefix(f"{SCHEME}://").partition("/")
    return Dataset(namespace=f"{SCHEME}://{host}", name=path)


def _check_path(given: str, path: str) -> None:
    parts = path.split("/")
    if not any(_fits(shape, parts) for shape in _shapes()):
        alike = [shape for shape in _shapes() if shape[0] == parts[0]] or _shapes()
        raise ValueError(f"{given}: the API has nothing of that path; it has {', '.join(map('/'.join, alike))}")


def _fits(shape: Sequence[str], parts: Sequence[str]) -> bool:
    return len(shape) == len(parts) and all(
        wanted == part or (wanted.startswith("{") and _can_be_id(part))
        for wanted, part in zip(shape, parts, strict=True)
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
