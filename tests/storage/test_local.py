"""Local files: modes, links, folders, a killed try, overlapping tries, a full disk."""

# ruff: noqa: PT012, SIM117 - what happens before the error is what these tests are about

from __future__ import annotations

import errno
import os
import signal
import socket
import stat
from pathlib import Path
from typing import Any

import pytest
from storage.stores import Child, LocalStore, destination, payload

from airflow_provider_ringevents.client.errors import RingEventsConfigError, RingEventsTransferError
from airflow_provider_ringevents.storage import Destination
from airflow_provider_ringevents.storage.sinks.local import LocalSink

MIB = 2**20
PART = ".report.csv.ringevents-part"


def publish(place: Destination, data: bytes) -> None:
    with place.publish() as writer:
        writer.write(data)


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_a_new_file_has_the_mode_that_the_umask_gives(local_store: LocalStore, umask: int) -> None:
    before = os.umask(umask)
    try:
        publish(destination(local_store), b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((local_store.folder / "report.csv").stat().st_mode) == 0o666 & ~umask


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444, 0o775])
def test_an_existing_file_keeps_its_mode(local_store: LocalStore, mode: int) -> None:
    path = local_store.folder / "report.csv"
    path.write_bytes(b"old")
    path.chmod(mode)
    with destination(local_store).publish() as writer:
        writer.write(b"new")
        assert stat.S_IMODE((local_store.folder / PART).stat().st_mode) == mode
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"new", mode)


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP])
def test_a_file_system_without_modes_takes_a_second_export(
    local_store: LocalStore, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refused(descriptor: int, mode: int) -> None:
        raise OSError(number, os.strerror(number))

    # A mock: mounting SMB or FUSE needs rights that tests do not have.
    monkeypatch.setattr(os, "fchmod", refused)
    publish(destination(local_store), b"first")
    publish(destination(local_store), b"second")
    assert local_store.read("report.csv") == b"second"


def test_another_error_of_chmod_is_raised(local_store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(descriptor: int, mode: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    publish(destination(local_store), b"first")
    monkeypatch.setattr(os, "fchmod", broken)
    with pytest.raises(RingEventsTransferError, match="Input/output error"):
        publish(destination(local_store), b"second")
    assert local_store.read("report.csv") == b"first"
    assert local_store.left_behind() == []


def test_missing_folders_are_made(local_store: LocalStore) -> None:
    publish(destination(local_store, "2026/11/22/report.csv"), b"x")
    assert local_store.read("2026/11/22/report.csv") == b"x"


def test_a_link_stays_a_link(local_store: LocalStore) -> None:
    (local_store.folder / "real").mkdir()
    (local_store.folder / "latest.csv").symlink_to("real/today.csv")
    publish(destination(local_store, "latest.csv"), b"first")
    publish(destination(local_store, "latest.csv"), b"second")
    assert (local_store.folder / "latest.csv").is_symlink()
    assert local_store.read("real/today.csv") == b"second"


def test_a_folder_is_refused(local_store: LocalStore) -> None:
    (local_store.folder / "report.csv").mkdir()
    with pytest.raises(RingEventsConfigError, match=r"must be a plain file.*A folder"):
        publish(destination(local_store), b"x")


def test_what_is_no_plain_file_is_refused(local_store: LocalStore) -> None:
    os.mkfifo(local_store.folder / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(local_store.folder / "socket"))
        for name in ("pipe", "socket"):
            with pytest.raises(RingEventsConfigError, match="must be a plain file"):
                publish(destination(local_store, name), b"x")
    with pytest.raises(RingEventsConfigError, match="must be a plain file"):
        publish(Destination.resolve("/dev/null"), b"x")


def test_a_file_in_the_place_of_a_folder(local_store: LocalStore) -> None:
    local_store.put("file", b"x")
    place = destination(local_store, "file/report.csv")
    with pytest.raises(RingEventsTransferError, match=r"Opening file://.*/file/report.csv failed"):
        publish(place, b"x")
    with pytest.raises(RingEventsTransferError, match="Looking for"):
        place.exists()


IMPOSSIBLE = {
    "a device": ("/dev/null", "must be a plain file"),
    "a folder": ("{folder}/folder", r"must be a plain file.*A folder ends in /"),
    "below a file": ("{folder}/file/report.csv", "folders can be made.*Not a directory"),
    "far below a file": ("{folder}/file/a/b/report.csv", "folders can be made.*Not a directory"),
    "a folder that is a file": ("{folder}/file/", "folders can be made.*(File exists|Not a directory)"),
    "a folder that is a device": ("/dev/null/", "folders can be made"),
    "a loop of links": ("{folder}/loop/report.csv", "folders can be made"),
    "a system of the kernel": ("/proc/ringevents/report.csv", "folders can be made.*No such file or directory"),
    "a path that is too long": (
        "{folder}/" + "folder/" * 600 + "report.csv",
        "folders can be made.*File name too long",
    ),
}


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_a_place_that_cannot_be_is_known_when_it_is_connected(local_store: LocalStore, name: str) -> None:
    (local_store.folder / "folder").mkdir()
    local_store.put("file", b"x")
    (local_store.folder / "loop").symlink_to("loop")
    place, message = IMPOSSIBLE[name]
    parsed = Destination.parse(place.format(folder=local_store.folder), parameter="results")
    with pytest.raises(RingEventsConfigError, match=message) as raised:
        parsed.connect()
    assert raised.value.parameter == "results"
    assert raised.value.retryable is False


@pytest.mark.parametrize("place", ["{name}", "{name}/report.csv", "folder/{name}/"])
def test_a_name_that_no_file_system_takes_is_refused_while_the_dag_is_parsed(place: str) -> None:
    for name in ("x" * 256, "\u00fc" * 128):
        with pytest.raises(
            RingEventsConfigError, match="`destination` must be a path whose names have at most 255 bytes"
        ):
            Destination.parse(f"file:///data/{place.format(name=name)}")
    assert Destination.parse(f"file:///data/{place.format(name='x' * 255)}")
    assert Destination.parse(f"s3://bucket/{'x' * 256}")


def test_a_folder_that_may_not_be_written_to_is_known_when_it_is_connected(
    local_store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root, as which the tests may run, is denied nothing: hence the patch."""
    monkeypatch.setattr(os, "access", lambda *arguments, **options: False)
    with pytest.raises(RingEventsTransferError, match=r"Permission denied.*Check the permissions.*Nothing was changed"):
        Destination.parse(f"{local_store.prefix}report.csv").connect()


def test_connecting_leaves_what_is_there_and_makes_the_folder(local_store: LocalStore) -> None:
    local_store.put("file", b"x")
    Destination.parse(f"{local_store.prefix}file").connect()
    Destination.parse(f"{local_store.prefix}new/report.csv").connect()
    Destination.parse(f"{local_store.prefix}other/").connect()
    assert local_store.read("file") == b"x"
    assert list((local_store.folder / "new").iterdir()) == []
    assert (local_store.folder / "other").is_dir()


def test_a_place_to_read_from_is_not_made(local_store: LocalStore) -> None:
    assert Destination.resolve(f"{local_store.prefix}absent/report.csv").exists() is False
    assert not (local_store.folder / "absent").exists()


def test_long_names_have_part_files_too(local_store: LocalStore) -> None:
    name = "ü" * 127 + "x"  # 255 bytes, all that a file system takes
    publish(destination(local_store, name), b"x")
    assert local_store.read(name) == b"x"


def test_a_link_planted_under_the_part_name_is_not_followed(local_store: LocalStore) -> None:
    local_store.put("victim", b"precious")
    (local_store.folder / PART).symlink_to(local_store.folder / "victim")
    publish(destination(local_store), b"x")
    assert (local_store.read("victim"), local_store.read("report.csv")) == (b"precious", b"x")


def test_what_a_killed_attempt_left_is_removed_by_the_next(local_store: LocalStore) -> None:
    local_store.put("report.csv", b"old")
    with Child("hang", local_store.prefix + "report.csv", str(10 * MIB)) as child:
        assert child.said() == "written"
        assert (local_store.folder / PART).stat().st_size == 10 * MIB
        child.process.send_signal(signal.SIGKILL)
    assert local_store.read("report.csv") == b"old"
    assert local_store.left_behind() == [str(local_store.folder / PART)]
    publish(destination(local_store), b"new")
    assert local_store.read("report.csv") == b"new"
    assert local_store.left_behind() == []


def test_a_block_that_is_never_left_does_not_hold_the_process(local_store: LocalStore) -> None:
    local_store.put("report.csv", b"old")
    with Child("leave", local_store.prefix + "report.csv", str(MIB)) as child:
        assert child.said() == "written"
        child.wait()
    assert local_store.read("report.csv") == b"old"
    assert local_store.left_behind() == []


def test_of_two_attempts_that_overlap_the_newer_wins(local_store: LocalStore) -> None:
    local_store.put("report.csv", b"before")
    newer = destination(local_store).publish()
    with pytest.raises(RingEventsTransferError, match="A newer try is writing"):
        with destination(local_store).publish() as older_writer:
            older_writer.write(payload(MIB))
            newer_writer = newer.__enter__()
            newer_writer.write(b"half of ")
            _ = newer_writer.sha256
    assert local_store.read("report.csv") == b"before"
    newer_writer.write(b"the newer")
    newer.__exit__(None, None, None)
    assert local_store.read("report.csv") == b"half of the newer"
    assert local_store.left_behind() == []


def test_an_older_attempt_that_fails_leaves_the_newer_its_part(local_store: LocalStore) -> None:
    newer = destination(local_store).publish()
    with pytest.raises(ZeroDivisionError), destination(local_store).publish() as older_writer:
        older_writer.write(b"older")
        newer.__enter__().write(b"newer")
        raise ZeroDivisionError
    newer.__exit__(None, None, None)
    assert local_store.read("report.csv") == b"newer"


def test_a_newer_attempt_that_ends_first_is_not_overwritten(local_store: LocalStore) -> None:
    with pytest.raises(RingEventsTransferError, match="A newer try"):
        with destination(local_store).publish() as older_writer:
            older_writer.write(b"older")
            publish(destination(local_store), b"newer")
    assert local_store.read("report.csv") == b"newer"


def test_a_full_disk_leaves_what_was_there(local_store: LocalStore) -> None:
    local_store.put("report.csv", b"old")
    with Child("limit", local_store.prefix + "report.csv", str(4 * MIB)) as child:
        said = child.said()
    assert "Writing to file://" in said
    assert "File too large" in said
    assert "Nothing was published" in said
    assert "caused by OSError(27, 'File too large')" in said
    assert local_store.read("report.csv") == b"old"
    assert local_store.left_behind() == []


def test_a_part_file_that_vanished_is_not_published(local_store: LocalStore) -> None:
    with pytest.raises(RingEventsTransferError, match="A newer try"):
        with destination(local_store).publish() as writer:
            writer.write(b"x")
            (local_store.folder / PART).unlink()
    assert local_store.read("report.csv") is None


def test_a_folder_that_cannot_be_locked_still_works(local_store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    # A mock, since no file system at hand refuses to lock a folder.
    def refuse(*args: object) -> None:
        raise OSError(9, "Bad file descriptor")

    monkeypatch.setattr("fcntl.flock", refuse)
    publish(destination(local_store), b"x")
    assert local_store.read("report.csv") == b"x"


def test_another_size_after_the_commit_says_that_the_file_was_replaced(
    local_store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_size = LocalSink.size

    def size_after_another_writer(sink: LocalSink) -> int:
        local_store.put("report.csv", b"somebody else's")
        return real_size(sink)

    monkeypatch.setattr(LocalSink, "size", size_after_another_writer)
    with pytest.raises(RingEventsTransferError, match=r"has 15 bytes in the store, but 3 were written.*was replaced"):
        publish(destination(local_store), b"new")


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    with Child("measure", f"file://{tmp_path}/big.bin", str(300 * MIB)) as child:
        assert int(child.said()) <= 24 * 1024  # KiB
    assert (tmp_path / "big.bin").stat().st_size == 300 * MIB


def test_a_link_that_has_the_name_which_a_server_gave_does_not_lead_outside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    outside = tmp_path / "outside.csv"
    outside.write_bytes(b"not ours")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "report.csv").symlink_to(outside)
    destination = Destination.resolve(f"file://{folder}/").child("report.csv")
    with destination.publish() as writer:
        writer.write(b"rows")
    assert outside.read_bytes() == b"not ours"
    assert not (folder / "report.csv").is_symlink()
    assert (folder / "report.csv").read_bytes() == b"rows"
    assert "is replaced, since a server gave its name" in caplog.text


def test_a_link_that_the_user_named_is_followed_still(tmp_path: Path) -> None:
    target = tmp_path / "target.csv"
    target.write_bytes(b"before")
    (tmp_path / "link.csv").symlink_to(target)
    with Destination.resolve(f"file://{tmp_path}/link.csv").publish() as writer:
        writer.write(b"rows")
    assert (tmp_path / "link.csv").is_symlink()
    assert target.read_bytes() == b"rows"


def test_somebody_elses_file_under_the_hidden_name_fails_no_export(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A test that runs as root may remove everything, so the refusal of the system is made here."""
    taken = tmp_path / PART
    taken.write_bytes(b"theirs")
    unlink = os.unlink

    def guarded(path: Any, **options: Any) -> None:
        if os.fspath(path) == str(taken):
            raise PermissionError(errno.EPERM, "Operation not permitted", str(taken))
        unlink(path, **options)

    monkeypatch.setattr(os, "unlink", guarded)
    with Destination.resolve(f"file://{tmp_path}/report.csv").publish() as writer:
        writer.write(b"rows")
    assert (tmp_path / "report.csv").read_bytes() == b"rows"
    assert taken.read_bytes() == b"theirs"
    assert sorted(path.name for path in tmp_path.iterdir()) == [taken.name, "report.csv"]
    assert "belongs to another user" in caplog.text
