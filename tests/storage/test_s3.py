"""S3 on a real server: uploads that stay open, a server that dies, wrong names and keys, memory."""

# ruff: noqa: PT012, SIM117 - what happens before the error is what these tests are about

from __future__ import annotations

import json
import logging
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from s3_server import S3Server
from storage.stores import CONN_ID, Child, S3Store, destination, payload

from airflow_provider_ringevents.client.errors import RingEventsConfigError, RingEventsTransferError
from airflow_provider_ringevents.storage import Destination
from airflow_provider_ringevents.storage.sinks import staged
from airflow_provider_ringevents.storage.sinks.staged import BLOCK_BYTES, STAGED_STORES, StagedSink, block_size

MIB = 2**20
BIG = 2 * BLOCK_BYTES + 7


def publish(place: Destination, data: bytes) -> None:
    with place.publish() as writer:
        writer.write(data)


def filesystem(place: Destination) -> Any:
    return place._fs


def test_what_a_killed_attempt_left_is_removed_by_the_next(s3_store: S3Store) -> None:
    s3_store.put("report.csv", b"old")
    with Child("hang", s3_store.prefix + "report.csv", str(BIG)) as child:
        assert child.said() == "written"
        child.process.send_signal(signal.SIGKILL)
    assert s3_store.read("report.csv") == b"old"
    assert s3_store.left_behind() == ["report.csv"]
    publish(destination(s3_store), b"new")
    assert s3_store.read("report.csv") == b"new"
    assert s3_store.left_behind() == []


def test_a_block_that_is_never_left_does_not_hold_the_process(s3_store: S3Store) -> None:
    s3_store.put("report.csv", b"old")
    with Child("leave", s3_store.prefix + "report.csv", str(BIG)) as child:
        assert child.said() == "written"
        child.wait()
    assert s3_store.read("report.csv") == b"old"
    publish(destination(s3_store), b"new")
    assert s3_store.left_behind() == []


def test_only_uploads_of_exactly_this_key_are_aborted(s3_store: S3Store) -> None:
    neighbours = ["report.csv.gz", "report.cs", "dir/report.csv", "report.csv.d/x"]
    for key in ["report.csv", "report.csv", *neighbours]:
        s3_store.client.create_multipart_upload(Bucket=s3_store.bucket, Key=key)
    publish(destination(s3_store), b"x")
    assert sorted(s3_store.left_behind()) == sorted(neighbours)


def test_more_open_uploads_than_one_page_are_aborted(s3_store: S3Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for key in ["report.csv"] * 5 + ["report.csv2"] * 3:
        s3_store.client.create_multipart_upload(Bucket=s3_store.bucket, Key=key)
    place = destination(s3_store)
    call_s3 = filesystem(place).call_s3

    def two_per_page(method: str, *arguments: Any, **named: Any) -> Any:
        if method == "list_multipart_uploads":
            named["MaxUploads"] = 2
        return call_s3(method, *arguments, **named)

    monkeypatch.setattr(filesystem(place), "call_s3", two_per_page)
    publish(place, b"x")
    assert s3_store.left_behind() == ["report.csv2"] * 3


def test_looking_for_open_uploads_may_be_forbidden(
    s3_store: S3Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # A mock, since this server knows no permissions.
    place = destination(s3_store)
    call_s3 = filesystem(place).call_s3

    def forbid(method: str, *arguments: Any, **named: Any) -> Any:
        if method == "list_multipart_uploads":
            raise PermissionError("Access Denied")
        return call_s3(method, *arguments, **named)

    monkeypatch.setattr(filesystem(place), "call_s3", forbid)
    staged._warn_once.cache_clear()
    with caplog.at_level(logging.WARNING, logger=staged.__name__):
        publish(place, b"one")
        publish(place, b"two")
    assert s3_store.read("report.csv") == b"two"
    said = [record.getMessage() for record in caplog.records if record.name == staged.__name__]
    assert len(said) == 1
    assert "s3:ListBucketMultipartUploads" in said[0]


def test_of_two_attempts_that_overlap_the_newer_wins(s3_store: S3Store) -> None:
    s3_store.put("report.csv", b"before")
    with pytest.raises(RingEventsTransferError), destination(s3_store).publish() as older_writer:
        older_writer.write(payload(BIG))
        _ = older_writer.sha256
        publish(destination(s3_store), b"newer")
        older_writer.write(payload(BIG))
    assert s3_store.read("report.csv") == b"newer"
    assert s3_store.left_behind() == []


def test_blocks_are_of_one_size(s3_store: S3Store, monkeypatch: pytest.MonkeyPatch) -> None:
    place = destination(s3_store)
    fs = filesystem(place)
    call_s3, sizes = fs.call_s3, []

    def note(method: str, *arguments: Any, **named: Any) -> Any:
        if method == "upload_part":
            sizes.append(len(named["Body"]))
        return call_s3(method, *arguments, **named)

    monkeypatch.setattr(fs, "call_s3", note)
    with place.publish() as writer:
        for _ in range(16):
            writer.write(payload(1_000_003))
    assert sizes == [BLOCK_BYTES] * 3 + [16 * 1_000_003 - 3 * BLOCK_BYTES]


def test_a_listing_that_fsspec_remembers_does_not_mislead(s3_store: S3Store) -> None:
    place = destination(s3_store)
    s3_store.put("other.csv", b"x")
    filesystem(place).ls(s3_store.bucket)
    s3_store.put("report.csv", b"from elsewhere")
    assert place.exists()
    filesystem(place).ls(s3_store.bucket)
    publish(place, b"of another size")
    assert s3_store.read("report.csv") == b"of another size"


def test_nothing_stays_in_a_transaction(s3_store: S3Store) -> None:
    place = destination(s3_store)
    publish(place, b"x")
    assert list(filesystem(place).transaction.files) == []


def test_a_missing_bucket_is_known_before_the_first_byte(s3_store: S3Store) -> None:
    place = Destination.resolve(f"s3://{CONN_ID}@no-such-bucket/report.csv")
    with (
        pytest.raises(
            RingEventsTransferError, match=r"Opening s3://no-such-bucket/report.csv failed.*bucket"
        ) as caught,
        place.publish(),
    ):
        pytest.fail("the body ran")
    assert isinstance(caught.value.__cause__, FileNotFoundError)
    assert not place.exists()


def test_a_wrong_secret(s3_store: S3Store, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = s3_store.server.airflow_connection() | {"password": "wrong-canary-secret"}
    monkeypatch.setenv("AIRFLOW_CONN_STORAGE_WRONG", json.dumps(connection))
    s3_store.put("report.csv", b"old")
    place = Destination.resolve(f"s3://storage_wrong@{s3_store.bucket}/report.csv")
    with pytest.raises(RingEventsTransferError, match=r"Publishing|Opening|Writing") as caught:
        publish(place, b"new")
    assert "canary" not in repr(caught.value) + repr(caught.value.__cause__)
    with pytest.raises(RingEventsTransferError, match="Looking for"):
        place.exists()
    assert s3_store.read("report.csv") == b"old"


def test_another_size_after_the_commit_says_that_the_object_was_replaced(
    s3_store: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_size = StagedSink.size

    def size_after_another_writer(sink: StagedSink) -> int | None:
        s3_store.put("report.csv", b"somebody else's")
        return real_size(sink)

    monkeypatch.setattr(StagedSink, "size", size_after_another_writer)
    with pytest.raises(RingEventsTransferError, match=r"has 15 bytes in the store, but 3 were written.*was replaced"):
        publish(destination(s3_store), b"new")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (PermissionError("Access Denied"), "could not be verified, reading it is not permitted"),
        (None, "does not report it"),
    ],
)
def test_a_size_that_cannot_be_read_is_said(
    s3_store: S3Store,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    answer: Exception | None,
    message: str,
) -> None:
    # A mock, since this server knows no permissions.
    def size(sink: StagedSink) -> int | None:
        if answer is not None:
            raise answer
        return None

    monkeypatch.setattr(StagedSink, "size", size)
    publish(destination(s3_store), b"new")
    assert s3_store.read("report.csv") == b"new"
    assert message in caplog.text


def test_the_size_cannot_be_read_for_another_reason(s3_store: S3Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def size(sink: StagedSink) -> int | None:
        raise ConnectionResetError("peer")

    monkeypatch.setattr(StagedSink, "size", size)
    with pytest.raises(RingEventsTransferError, match=r"Reading back the size.*was replaced") as caught:
        publish(destination(s3_store), b"new")
    assert isinstance(caught.value.__cause__, ConnectionResetError)


@pytest.mark.parametrize("scheme", ["s3", "s3a", "s3n", "S3"])
def test_all_schemes_of_s3(s3_store: S3Store, scheme: str) -> None:
    place = Destination.resolve(f"{scheme}://{s3_store.bucket}/report.csv", CONN_ID)
    publish(place, b"x")
    assert place.uri == f"{scheme.lower()}://{s3_store.bucket}/report.csv"
    assert s3_store.read("report.csv") == b"x"


def test_the_connection_in_either_place(s3_store: S3Store) -> None:
    inside = Destination.resolve(f"s3://{CONN_ID}@{s3_store.bucket}/a/b.csv")
    beside = Destination.resolve(f"s3://{s3_store.bucket}/a/b.csv", CONN_ID)
    both = Destination.resolve(f"s3://{CONN_ID}@{s3_store.bucket}/a/b.csv", CONN_ID)
    assert inside == beside == both
    with pytest.raises(RingEventsConfigError, match=r"`dest` must be free of another connection than 'other'"):
        Destination.resolve(f"s3://{CONN_ID}@{s3_store.bucket}/a/b.csv", "other", parameter="dest")


@pytest.mark.integration  # On Airflow 2 a connection is looked up in the database.
@pytest.mark.parametrize(("uri", "conn_id"), [("s3://nowhere@b/k", None), ("s3://b/k", "nowhere")])
def test_an_unknown_connection(uri: str, conn_id: str | None) -> None:
    with pytest.raises(RingEventsConfigError, match=r"^`dest` 's3://b/k' needs the Airflow connection 'nowhere'"):
        Destination.resolve(uri, conn_id, parameter="dest")


@pytest.fixture
def mortal_server(tmp_path: Path) -> Iterator[S3Server]:
    """A server to be killed."""
    with S3Server(tmp_path) as server:
        server.make_bucket("exports")
        yield server


@pytest.fixture
def mortal_uri(mortal_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """An object on it, with a connection that does not try again for long."""
    connection = mortal_server.airflow_connection()
    connection["extra"]["config_kwargs"] = {"retries": {"max_attempts": 0}}
    # Airflow keeps the filesystem of a connection id as long as the process lives: every server needs its own.
    conn_id = f"storage_{mortal_server.key}"
    monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(connection))
    return f"s3://{conn_id}@exports/report.csv"


def test_the_server_dies_in_the_middle_of_an_upload(mortal_server: S3Server, mortal_uri: str) -> None:
    file = mortal_server.data_dir / "exports" / "report.csv"
    file.write_bytes(b"old")
    with Child("broken", mortal_uri, str(BIG)) as child:
        assert child.said() == "written"
        mortal_server.kill()
        child.tell()
        said = child.said()
        child.wait()  # a file of s3fs that is left open would upload again, for ever, when it is collected
    assert "Writing to s3://exports/report.csv failed" in said
    assert "Nothing was published" in said
    assert "uploadId=" not in said
    assert file.read_bytes() == b"old"
    mortal_server.start()
    publish(Destination.resolve(mortal_uri), b"new")
    assert file.read_bytes() == b"new"


def test_a_server_that_was_started_anew_is_not_taken_for_a_missing_bucket(
    mortal_server: S3Server, mortal_uri: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(RingEventsTransferError) as caught:
        with Destination.resolve(mortal_uri).publish() as writer:
            writer.write(payload(BIG))
            _ = writer.sha256
            mortal_server.kill()
            mortal_server.start()
    assert "has lost the upload" in str(caught.value)
    assert "bucket or container" not in str(caught.value)
    assert "Could not clean up" not in caplog.text


def test_cleaning_up_on_a_dead_server_does_not_hide_the_error(
    mortal_server: S3Server, mortal_uri: str, caplog: pytest.LogCaptureFixture
) -> None:
    error = ZeroDivisionError("the body's own")
    with pytest.raises(ZeroDivisionError) as caught:
        with Destination.resolve(mortal_uri).publish() as writer:
            writer.write(payload(BIG))
            _ = writer.sha256
            mortal_server.kill()
            raise error
    assert caught.value is error
    assert "Could not clean up after the failed write to s3://exports/report.csv" in caplog.text


def test_memory_does_not_grow_with_the_object(s3_store: S3Store) -> None:
    with Child("measure", s3_store.prefix + "big.bin", str(300 * MIB)) as child:
        assert int(child.said()) <= 32 * 1024  # KiB
    assert s3_store.client.head_object(Bucket=s3_store.bucket, Key="big.bin")["ContentLength"] == 300 * MIB


@pytest.mark.parametrize("scheme", sorted(STAGED_STORES))
@pytest.mark.parametrize("size", [None, 0, 1, 52_428_800_000, 52_428_800_001, 10**11, 625 * 2**30])
def test_blocks_are_enough_for_any_size(scheme: str, size: int | None) -> None:
    store = STAGED_STORES[scheme]
    block = block_size(store, size)
    assert block >= BLOCK_BYTES
    assert block % (256 * 1024) == 0
    assert block <= 64 * MIB
    if store.max_blocks is not None:
        assert block * store.max_blocks >= (size or 0)
    if size is None or size <= 52_428_800_000:
        assert block == BLOCK_BYTES


@pytest.mark.parametrize("size", [625 * 2**30 + 1, 10_000_000_000_000])
def test_an_object_that_64_mib_blocks_cannot_hold_is_refused(size: int) -> None:
    """Found choosing blocks of 954 MiB for a ``Content-Length`` of ten terabytes, and holding all that came."""
    with pytest.raises(RingEventsTransferError, match=rf"would have {size} bytes, more than the \d+ \(625 GiB\)"):
        block_size(STAGED_STORES["s3"], size)
    assert block_size(STAGED_STORES["gs"], size) == BLOCK_BYTES


def test_an_object_of_unknown_size_that_grows_too_big(s3_store: S3Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(STAGED_STORES, "s3", staged.StagedStore(max_blocks=2, has_commit=True, lists_uploads=True))
    publish(destination(s3_store), payload(2 * BLOCK_BYTES))
    with pytest.raises(RingEventsTransferError, match=r"exceeds 10485760 bytes.*Nothing was published"):
        publish(destination(s3_store), payload(2 * BLOCK_BYTES + 1))
    assert s3_store.read("report.csv") == payload(2 * BLOCK_BYTES)
    assert s3_store.left_behind() == []
