"""What datasets are called in OpenLineage, and which asset URIs there are: the same names."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest
from airflow.providers.common.compat.sdk import Asset
from airflow_harness.versions import HAS_TASK_SDK

from airflow_provider_ringevents.client import endpoints
from airflow_provider_ringevents.client.types import REPORT_TYPES
from airflow_provider_ringevents.exports.catalog import COLLECTIONS
from airflow_provider_ringevents.get_provider_info import get_provider_info
from airflow_provider_ringevents.observability import assets
from airflow_provider_ringevents.observability.lineage import DatasetName, source_dataset, target_dataset
from airflow_provider_ringevents.storage import Destination

API = "https://api.events.ringcentral.com"

# --- names


@pytest.mark.parametrize(
    ("base_url", "namespace"),
    [
        (API, "ringevents://api.events.ringcentral.com"),
        ("https://API.events.RingCentral.com:443", "ringevents://api.events.ringcentral.com"),
        ("https://gateway.example:8443/ringevents", "ringevents://gateway.example:8443"),
        ("http://127.0.0.1:8765", "ringevents://127.0.0.1:8765"),
        ("http://[::1]:8765", "ringevents://[::1]:8765"),
        ("http://localhost:80", "ringevents://localhost"),
    ],
)
def test_what_is_read_is_in_the_namespace_of_the_apis_host(base_url: str, namespace: str) -> None:
    assert source_dataset(base_url, "/v1/events/e1/registrations") == DatasetName(namespace, "events/e1/registrations")


@pytest.mark.parametrize(
    ("uri", "account", "namespace", "name"),
    [
        ("s3://exports/2026/report.csv", None, "s3://exports", "2026/report.csv"),
        ("s3a://exports/report.csv", None, "s3://exports", "report.csv"),
        ("gs://exports/a/b.parquet", None, "gs://exports", "a/b.parquet"),
        ("gcs://exports/a/b.parquet", None, "gs://exports", "a/b.parquet"),
        ("file:///data/out/rows.jsonl", None, "file", "/data/out/rows.jsonl"),
        ("abfs://box/a/b.csv", "acme", "abfss://box@acme.dfs.core.windows.net", "a/b.csv"),
        ("abfss://box/a/b.csv", None, "abfss://box", "a/b.csv"),
        ("hdfs://namenode:8020/a/b.csv", None, "hdfs://namenode:8020", "/a/b.csv"),
    ],
)
def test_what_is_written_is_called_after_the_rules_for_its_store(
    uri: str, account: str | None, namespace: str, name: str
) -> None:
    assert target_dataset(uri, account) == DatasetName(namespace, name)


@pytest.mark.integration  # The first use of the filesystem binds a socket.
@pytest.mark.parametrize(
    "arguments",
    [
        {"connection_string": "AccountName=acme;AccountKey=a2V5;EndpointSuffix=core.windows.net"},
        {"connection_string": "BlobEndpoint=https://acme.blob.core.windows.net/;SharedAccessSignature=sv=1&sig=x"},
        {"account_name": "acme", "account_key": "a2V5"},
    ],
    ids=["key", "signature", "name"],
)
def test_the_storage_account_is_known_however_the_connection_says_it(
    arguments: dict[str, str],
) -> None:
    adlfs = pytest.importorskip("adlfs", reason="needs the extra azure")
    filesystem = adlfs.AzureBlobFileSystem(**arguments)
    assert replace(Destination.resolve("/data/rows.csv"), _fs=filesystem).account == "acme"


def test_a_file_has_no_storage_account() -> None:
    assert Destination.resolve("/data/rows.csv").account is None


# --- asset URIs


def normal(uri: str) -> str:
    return assets.sanitize_uri(urlsplit(uri)).geturl()


READABLE = [
    *(
        collection.call(f"{collection.parent}1" if collection.parent else None).path
        for collection in COLLECTIONS.values()
    ),
    *(endpoints.create_report("e1", report_type).path for report_type in REPORT_TYPES),
    endpoints.create_report("e1", "registrations", "2").path,
    endpoints.get_event("e1").path,
    endpoints.get_registration("r1").path,
    endpoints.get_report("r1").path,
]


@pytest.mark.parametrize("path", READABLE)
def test_every_list_and_report_has_an_asset_uri_and_the_same_name_in_lineage(path: str) -> None:
    named = source_dataset(API, path)
    uri = f"{named.namespace}/{named.name}"
    assert normal(uri) == uri
    assert Asset(uri=uri).uri == uri if HAS_TASK_SDK else Asset(uri).uri == uri


@pytest.mark.parametrize(
    "uri",
    [
        "ringevents://API.events.ringcentral.com/events/e1/registrations",
        "ringevents://api.events.ringcentral.com:443/events/e1/registrations",
        "ringevents://api.events.ringcentral.com/events/e1/registrations/",
        "RingEvents://api.events.ringcentral.com/events/e1/registrations#top",
    ],
)
def test_one_thing_has_one_uri(uri: str) -> None:
    asset = Asset(uri=uri) if HAS_TASK_SDK else Asset(uri)
    assert asset.uri == "ringevents://api.events.ringcentral.com/events/e1/registrations"


WRONG = {
    "no host": ("ringevents:///events/e1/registrations", "with a host"),
    "no path": ("ringevents://api.test/", "path of the API .*organizations"),
    "misspelt": ("ringevents://api.test/events/e1/registration", r"\(events/\{eventId\}, .*/registrations, "),
    "the version": ("ringevents://api.test/v1/events/e1/registrations", "path of the API"),
    "no id": ("ringevents://api.test/events//registrations", "path of the API"),
    "a blank id": ("ringevents://api.test/events/%20/registrations", "path of the API"),
    "a dot": ("ringevents://api.test/events/../registrations", "path of the API"),
    "a slash in an id": ("ringevents://api.test/events/a%2Fb/registrations", "path of the API"),
    "a query": ("ringevents://api.test/events/e1/registrations?filter=x", "without a query"),
    "a port that is none": ("ringevents://api.test:port/events/e1/registrations", "valid port"),
    "a connection": ("ringevents://my_conn@api.test/events/e1/registrations", "without a user or a connection"),
}


@pytest.mark.parametrize(("uri", "message"), WRONG.values(), ids=WRONG)
def test_a_uri_of_nothing_is_refused(uri: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        normal(uri)
    assert "my_conn" not in str(caught.value)


def test_airflow_looks_at_the_asset_while_the_dag_is_parsed() -> None:
    message = "must have a path of the API"
    if HAS_TASK_SDK:
        with pytest.raises(ValueError, match=message):
            Asset("registrations", "ringevents://api.test/event/e1/registrations")
    else:
        with pytest.warns(UserWarning, match=message):
            Asset("ringevents://api.test/event/e1/registrations")


def test_both_names_of_the_key_say_the_same() -> None:
    info: dict[str, Any] = get_provider_info()
    assert info["asset-uris"] == info["dataset-uris"]
    assert info["asset-uris"][0]["schemes"] == ["ringevents"]
