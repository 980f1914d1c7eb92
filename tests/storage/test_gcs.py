"""Google Cloud Storage over gcsfs, on a server of its API that is not Google's; without Airflow's own connection."""

# ruff: noqa: PT012, SIM117 - what happens before the error is what these tests are about

from __future__ import annotations

from collections.abc import Iterator

import pytest
from gcs_server import GcsServer
from storage.stores import attach, payload

from airflow_provider_ringevents.client.errors import RingEventsTransferError
from airflow_provider_ringevents.storage import Destination, uri
from airflow_provider_ringevents.storage.sinks.staged import BLOCK_BYTES

BUCKET = "exports"
BIG = 2 * BLOCK_BYTES + 7


@pytest.fixture(scope="session")
def shared_server() -> Iterator[GcsServer]:
    """One server for all: Airflow keeps the filesystem that is attached to a scheme as long as the process lives."""
    with GcsServer(BUCKET) as running:
        from gcsfs.core import GCSFileSystem

        attach(protocol="gs", fs=GCSFileSystem(endpoint_url=running.url, token="anon", skip_instance_cache=True))
        yield running


@pytest.fixture
def server(shared_server: GcsServer, monkeypatch: pytest.MonkeyPatch) -> GcsServer:
    # Airflow's provider for Google, a hundred packages, only makes the filesystem that is attached here.
    monkeypatch.setattr(uri, "_installed", lambda module: True)
    shared_server.empty()
    return shared_server


def place(name: str = "report.csv") -> Destination:
    return Destination.resolve(f"gs://{BUCKET}/{name}")


def publish(data: bytes, *, known: bool = False) -> None:
    with place().publish(len(data) if known else None) as writer:
        writer.write(data)


@pytest.mark.parametrize("size", [0, 1, 262_144, 300_000, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, BIG])
@pytest.mark.parametrize("known", [True, False])
def test_what_is_written_is_published(server: GcsServer, size: int, known: bool) -> None:
    publish(b"what was there")
    publish(payload(size), known=known)
    assert server.read("report.csv") == payload(size)
    assert server.open_uploads() == []


def test_nothing_is_there_before_the_end(server: GcsServer) -> None:
    with place().publish() as writer:
        writer.write(payload(BIG))
        _ = writer.sha256
        assert server.read("report.csv") is None
        assert not place().exists()
        assert server.open_uploads() == ["report.csv"]
    assert place().exists()


@pytest.mark.parametrize("size", [10, 300_000, BIG])
@pytest.mark.parametrize("error", [ValueError("cut"), KeyboardInterrupt()])
def test_any_exception_leaves_what_was_there(
    server: GcsServer, size: int, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    publish(b"old")
    with pytest.raises(type(error)), place().publish() as writer:
        writer.write(payload(size))
        _ = writer.sha256
        raise error
    assert server.read("report.csv") == b"old"
    assert server.open_uploads() == []
    assert "Could not clean up" not in caplog.text


def test_too_few_bytes_are_not_published(server: GcsServer) -> None:
    publish(b"old")
    with pytest.raises(RingEventsTransferError, match="Nothing was published"):
        with place().publish(10) as writer:
            writer.write(b"123456789")
    assert server.read("report.csv") == b"old"


def test_of_two_attempts_that_overlap_either_is_whole(server: GcsServer) -> None:
    with place().publish() as first:
        first.write(bytes(BIG))
        _ = first.sha256
        publish(payload(BIG))
        assert server.read("report.csv") == payload(BIG)
        first.write(bytes(BIG))
    assert server.read("report.csv") == bytes(2 * BIG)


@pytest.mark.parametrize("name", ["with space.csv", "Ünï-報告.csv", "hash#tag.csv", "100%.csv", "folder.d/a+b&c.csv"])
def test_awkward_names_are_taken_literally(server: GcsServer, name: str) -> None:
    with place(name).publish() as writer:
        writer.write(b"content")
    assert server.read(name) == b"content"
    assert place(name).exists()
