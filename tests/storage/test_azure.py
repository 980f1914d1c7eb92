"""Azure Blob Storage on a real server: blocks that were never committed, a server that dies, wrong names and keys."""

# ruff: noqa: PT012 - what happens before the error is what these tests are about

from __future__ import annotations

import json
import signal
from datetime import UTC, datetime, timedelta

import pytest
from storage.stores import AZURE_CONN_ID, AzureStore, Child, destination, payload

from airflow_provider_ringevents.client.errors import RingEventsConfigError, RingEventsTransferError
from airflow_provider_ringevents.storage import Destination, uri
from airflow_provider_ringevents.storage.sinks.staged import BLOCK_BYTES

MIB = 2**20
BIG = 2 * BLOCK_BYTES + 7


def publish(place: Destination, data: bytes) -> None:
    with place.publish() as writer:
        writer.write(data)


def test_what_a_killed_attempt_left_is_invisible_and_removed_by_the_next(azure_store: AzureStore) -> None:
    azure_store.put("report.csv", b"old")
    with Child("hang", azure_store.prefix + "report.csv", str(BIG)) as child:
        assert child.said() == "written"
        child.process.send_signal(signal.SIGKILL)
    assert azure_store.read("report.csv") == b"old"
    assert azure_store.uncommitted("report.csv") == [BLOCK_BYTES] * 2
    assert [blob.name for blob in azure_store.client.list_blobs()] == ["report.csv"]
    publish(destination(azure_store), b"new")
    assert azure_store.read("report.csv") == b"new"
    assert azure_store.uncommitted("report.csv") == []


def test_of_two_attempts_that_overlap_the_first_to_end_wins(azure_store: AzureStore) -> None:
    azure_store.put("report.csv", b"before")
    with (
        pytest.raises(RingEventsTransferError, match="holds a whole object"),
        destination(azure_store).publish() as slow,
    ):
        slow.write(bytes(BIG))
        _ = slow.sha256
        publish(destination(azure_store), payload(BIG))
        slow.write(bytes(BIG))
    assert azure_store.read("report.csv") == payload(BIG)


def test_blocks_of_two_attempts_are_never_mixed(azure_store: AzureStore) -> None:
    with destination(azure_store).publish() as first:
        first.write(bytes(BIG))
        _ = first.sha256
        with pytest.raises(ZeroDivisionError), destination(azure_store).publish() as second:
            second.write(payload(BIG))
            _ = second.sha256
            raise ZeroDivisionError
    assert azure_store.read("report.csv") == bytes(BIG)
    assert azure_store.uncommitted("report.csv") == []


def test_blocks_are_of_one_size(azure_store: AzureStore) -> None:
    with destination(azure_store).publish() as writer:
        for _ in range(16):
            writer.write(payload(1_000_003))
    committed, _ = azure_store.client.get_blob_client("report.csv").get_block_list("committed")
    assert [block.size for block in committed] == [BLOCK_BYTES] * 3 + [16 * 1_000_003 - 3 * BLOCK_BYTES]


def test_a_listing_that_fsspec_remembers_does_not_mislead(azure_store: AzureStore) -> None:
    place = destination(azure_store)
    azure_store.put("other.csv", b"x")
    place._fs.ls(azure_store.container)
    azure_store.put("report.csv", b"from elsewhere")
    assert place.exists()
    place._fs.ls(azure_store.container)
    publish(place, b"of another size")
    assert azure_store.read("report.csv") == b"of another size"


def test_a_missing_container(azure_store: AzureStore) -> None:
    place = Destination.resolve(f"abfs://{AZURE_CONN_ID}@no-such-container/report.csv")
    with pytest.raises(
        RingEventsTransferError, match=r"Publishing abfs://no-such-container/report.csv failed"
    ) as caught:
        publish(place, b"x")
    assert "ContainerNotFound" in str(caught.value)
    assert "Check that the bucket or container exists" in str(caught.value)
    assert not place.exists()


def test_a_wrong_key(azure_store: AzureStore, monkeypatch: pytest.MonkeyPatch) -> None:
    server = azure_store.server
    wrong = "d3JvbmctY2FuYXJ5LXNlY3JldA=="
    connection = {"conn_type": "wasb", "extra": {"connection_string": server.connection_string}}
    connection["extra"]["connection_string"] = server.connection_string.replace(server.key, wrong)
    monkeypatch.setenv("AIRFLOW_CONN_STORAGE_WRONG", json.dumps(connection))
    azure_store.put("report.csv", b"old")
    place = Destination.resolve(f"abfs://storage_wrong@{azure_store.container}/report.csv")
    with pytest.raises(RingEventsTransferError, match=r"Publishing|Writing") as caught:
        publish(place, b"new")
    assert wrong not in repr(caught.value) + repr(caught.value.__cause__)
    assert "Check the permissions of the connection" in str(caught.value)
    with pytest.raises(RingEventsTransferError, match="Looking for"):
        place.exists()
    assert azure_store.read("report.csv") == b"old"


def test_a_connection_that_lacks_the_account(azure_store: AzureStore, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = {"conn_type": "wasb", "login": azure_store.server.account, "password": azure_store.server.key}
    monkeypatch.setenv("AIRFLOW_CONN_STORAGE_LOGIN", json.dumps(connection))
    with pytest.raises(RingEventsConfigError, match=r"account_name.*Check the fields of the connection"):
        Destination.resolve(f"abfs://{azure_store.container}/report.csv", "storage_login")


@pytest.mark.parametrize("scheme", ["abfs", "abfss", "adl", "ABFS"])
def test_all_schemes_of_azure(azure_store: AzureStore, scheme: str) -> None:
    place = Destination.resolve(f"{scheme}://{azure_store.container}/report.csv", AZURE_CONN_ID)
    publish(place, b"x")
    assert place.uri == f"{scheme.lower()}://{azure_store.container}/report.csv"
    assert azure_store.read("report.csv") == b"x"


@pytest.mark.parametrize("version", ["2023.10.0", "2024.7.0", "2024.12.0"])
def test_a_library_that_deletes_or_mixes_is_refused(
    azure_store: AzureStore, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    monkeypatch.setattr(uri, "installed_version", lambda name: version)
    uri._too_old.cache_clear()
    try:
        with pytest.raises(
            RingEventsConfigError, match=rf"adlfs 2026\.8\.0 or later, got {version}.*ringevents\[azure\]"
        ):
            destination(azure_store)
    finally:
        uri._too_old.cache_clear()


def test_memory_does_not_grow_with_the_object(azure_store: AzureStore) -> None:
    with Child("measure", azure_store.prefix + "big.bin", str(200 * MIB)) as child:
        assert int(child.said()) <= 32 * 1024  # KiB
    assert azure_store.client.get_blob_client("big.bin").get_blob_properties().size == 200 * MIB


def with_permissions(store: AzureStore, monkeypatch: pytest.MonkeyPatch, permissions: str) -> str:
    """A prefix whose connection may do no more than the letters of a shared access signature say."""
    from azure.storage.blob import generate_container_sas

    server = store.server
    signature = generate_container_sas(
        server.account,
        store.container,
        account_key=server.key,
        permission=permissions,
        expiry=datetime.now(UTC) + timedelta(hours=1),
    )
    text = f"BlobEndpoint={server.url}/{server.account};SharedAccessSignature={signature}"
    conn_id = f"storage_{permissions}_{server.account}"
    connection = {"conn_type": "wasb", "extra": {"connection_string": text}}
    monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(connection))
    return f"abfs://{conn_id}@{store.container}/"


def test_the_permissions_that_are_needed(azure_store: AzureStore, monkeypatch: pytest.MonkeyPatch) -> None:
    prefix = with_permissions(azure_store, monkeypatch, "wrl")
    place = Destination.resolve(prefix + "report.csv")
    assert not place.exists()
    publish(place, payload(BIG))
    publish(place, b"again")
    assert place.exists()
    assert azure_store.read("report.csv") == b"again"


def test_without_permission_to_read_the_size_is_not_verified(
    azure_store: AzureStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    place = Destination.resolve(with_permissions(azure_store, monkeypatch, "w") + "report.csv")
    publish(place, payload(BIG))
    assert azure_store.read("report.csv") == payload(BIG)
    assert "could not be verified, reading it is not permitted" in caplog.text
    assert "sig=" not in caplog.text
    with pytest.raises(RingEventsTransferError, match=r"Looking for.*Check the permissions of the connection"):
        place.exists()


def test_without_permission_to_write_what_was_there_stays(
    azure_store: AzureStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    azure_store.put("report.csv", b"old")
    place = Destination.resolve(with_permissions(azure_store, monkeypatch, "rl") + "report.csv")
    with pytest.raises(RingEventsTransferError, match="Check the permissions of the connection"):
        publish(place, payload(BIG))
    assert azure_store.read("report.csv") == b"old"
