"""The general way, for a filesystem of which nothing is known: a temporary key, moved when it is whole."""

# ruff: noqa: PT012, SIM117 - what happens before the error is what these tests are about

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem
from storage.stores import MemoryStore, destination

from airflow_provider_ringevents.client.errors import RingEventsTransferError
from airflow_provider_ringevents.storage.sinks.rename import RenameSink

FOLDER = "/folder/.report.csv.ringevents-part"


def test_what_a_killed_attempt_left_is_removed_by_the_next() -> None:
    store = MemoryStore()
    store.fs.pipe_file(f"{FOLDER}/0123456789abcdef", b"half")
    assert store.left_behind()
    with destination(store).publish() as writer:
        writer.write(b"new")
    assert store.read("report.csv") == b"new"
    assert store.left_behind() == []


def test_of_two_attempts_that_overlap_the_older_publishes_nothing() -> None:
    store = MemoryStore()
    newer = destination(store).publish()
    with pytest.raises(RingEventsTransferError, match=r"Publishing memory:///folder/report\.csv failed"):
        with destination(store).publish() as older_writer:
            older_writer.write(b"older")
            newer_writer = newer.__enter__()
            newer_writer.write(b"half of ")
    assert store.read("report.csv") is None
    newer_writer.write(b"the newer")
    newer.__exit__(None, None, None)
    assert store.read("report.csv") == b"half of the newer"
    assert store.left_behind() == []


class _LossyFileSystem(MemoryFileSystem):
    """Loses the last byte of a temporary file, as a store does whose disk is full and which does not say so."""

    cachable = False

    def info(self, path: str, **kwargs: Any) -> dict[str, Any]:
        found: dict[str, Any] = super().info(path, **kwargs)
        return found | {"size": found["size"] - 1} if "/." in path else found


def test_what_is_not_whole_in_the_store_is_not_moved() -> None:
    store = MemoryStore()
    store.put("report.csv", b"old")
    sink = RenameSink(_LossyFileSystem(), "/folder/report.csv")
    sink.open()
    sink.write(b"12345")
    with pytest.raises(RingEventsTransferError, match="holds 4 bytes of the 5 written"):
        sink.commit()
    sink.discard()
    assert store.read("report.csv") == b"old"
    assert store.left_behind() == []


def test_a_filesystem_that_can_rename_does(tmp_path: Path) -> None:
    class RenamingFileSystem(LocalFileSystem):
        cachable = False

        def cp_file(self, path1: str, path2: str, **kwargs: Any) -> None:
            pytest.fail("copied")

    for content in (b"first", b"second"):
        sink = RenameSink(RenamingFileSystem(), f"{tmp_path}/new/folder/star*[x].csv")
        sink.open()
        sink.write(bytearray(content))
        sink.commit()
        assert sink.size() == len(content)
        assert [p.read_bytes() for p in tmp_path.rglob("*.csv")] == [content]
        assert list(tmp_path.rglob(".*")) == []


def test_a_filesystem_that_can_do_neither_is_an_error() -> None:
    class ReadMostlyFileSystem(MemoryFileSystem):
        cachable = False

        def cp_file(self, path1: str, path2: str, **kwargs: Any) -> None:
            raise NotImplementedError("no copies here")

    store = MemoryStore()
    store.put("report.csv", b"old")
    sink = RenameSink(ReadMostlyFileSystem(), "/folder/report.csv")
    sink.open()
    sink.write(b"new")
    with pytest.raises(NotImplementedError):
        sink.commit()
    sink.discard()
    assert store.read("report.csv") == b"old"
    assert store.left_behind() == []
