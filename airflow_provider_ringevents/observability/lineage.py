"""The inputs and outputs of exports as OpenLineage datasets. OpenLineage is imported only where it is installed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

SCHEME: Final = "ringevents"
"""Of what the API holds: the namespaces of datasets, and asset URIs."""

API_ROOT: Final = "/v1/"
"""What every path of the API begins with, and no dataset's name."""

_AZURE_ENDPOINT = "dfs.core.windows.net"


class ExportRecord(NamedTuple):
    """One object that a task has written.

    :ivar base_url: of the API that it was read from.
    :ivar path: what was read, as the API's quoted path.
    :ivar uri: the object, without a connection.
    :ivar account: the storage account, where the URI does not say it (Azure).
    :ivar size: bytes.
    :ivar rows: None where they were not counted.
    """

    base_url: str
    path: str
    uri: str
    account: str | None
    size: int
    rows: int | None


class LoadRecord(NamedTuple):
    """One file whose rows a task has written to the API.

    :ivar base_url: the base URL of the API.
    :ivar path: the quoted path of the list that was written.
    :ivar rows: the number of records that were created, updated or deleted.
    :ivar source: the file, without a connection.
    :ivar source_account: the storage account of the source, where the URI does not name it (Azure).
    :ivar results: the file of the results, without a connection.
    :ivar results_account: the storage account of the results.
    :ivar results_size: bytes.
    :ivar results_rows: the number of its rows.
    """

    base_url: str
    path: str
    rows: int
    source: str
    source_account: str | None
    results: str
    results_account: str | None
    results_size: int
    results_rows: int


class DatasetName(NamedTuple):
    """A dataset, as OpenLineage tells it from others."""

    namespace: str
    name: str


def source_dataset(base_url: str, path: str) -> DatasetName:
    """Return the input dataset: the host of the API, and the path without its version.

    :param base_url: its path, if it has one, is a gateway's and left out.
    :param path: from ``/v1/``, quoted.
    """
    return DatasetName(f"{SCHEME}://{_host(base_url)}", path.removeprefix(API_ROOT))


def _host(base_url: str) -> str:
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    own = {"https": 443, "http": 80}.get(parts.scheme)
    return host if parts.port in (None, own) else f"{host}:{parts.port}"


def target_dataset(uri: str, account: str | None = None) -> DatasetName:
    """Return the output dataset, by OpenLineage's naming rules for the store.

    :param uri: the object, without a connection.
    :param account: the Azure storage account; without it the namespace is the container alone.
    """
    scheme, _, rest = uri.partition("://")
    if scheme in ("file", "local"):
        return DatasetName("file", rest)
    place, _, key = rest.partition("/")
    if scheme in ("s3", "s3a", "s3n"):
        return DatasetName(f"s3://{place}", key)
    if scheme in ("gs", "gcs"):
        return DatasetName(f"gs://{place}", key)
    if scheme in ("abfs", "abfss", "adl"):
        return DatasetName(f"abfss://{place}@{account}.{_AZURE_ENDPOINT}" if account else f"abfss://{place}", key)
    return DatasetName(f"{scheme}://{place}", f"/{key}")


def operator_lineage(exports: Sequence[ExportRecord]) -> OperatorLineage[Any, Any]:
    """Return the distinct datasets of exports, with the bytes of each object and its rows if known."""
    return _lineage(
        [source_dataset(one.base_url, one.path) for one in exports],
        {target_dataset(one.uri, one.account): (one.rows, one.size) for one in exports},
    )


def load_lineage(load: LoadRecord | None) -> OperatorLineage[Any, Any]:
    """Return the source of a bulk load as the input, and the list of the API and the results as the outputs.

    :param load: the load; None: nothing was read or written.
    """
    if load is None:
        return _lineage([], {})
    return _lineage(
        [target_dataset(load.source, load.source_account)],
        {
            source_dataset(load.base_url, load.path): (load.rows, None),
            target_dataset(load.results, load.results_account): (load.results_rows, load.results_size),
        },
    )


def _lineage(
    inputs: Sequence[DatasetName], outputs: Mapping[DatasetName, tuple[int | None, int | None]]
) -> OperatorLineage[Any, Any]:
    """Return distinct inputs, and outputs with their rows and, of files, their bytes."""
    from airflow.providers.common.compat.openlineage.facet import (
        Dataset,
        OutputDataset,
        OutputStatisticsOutputDatasetFacet,
    )
    from airflow.providers.openlineage.extractors import OperatorLineage

    return OperatorLineage(
        inputs=[Dataset(namespace=one.namespace, name=one.name) for one in dict.fromkeys(inputs)],
        outputs=[
            OutputDataset(
                namespace=one.namespace,
                name=one.name,
                outputFacets={
                    "outputStatistics": OutputStatisticsOutputDatasetFacet(
                        rowCount=rows, size=size, fileCount=None if size is None else 1
                    )
                },
            )
            for one, (rows, size) in outputs.items()
        ],
    )
