"""Destinations as users write them: what is refused, when, and in which words."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_ringevents.client.errors import RingEventsConfigError
from airflow_provider_ringevents.storage import Destination, uri


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A mock: the test environment has some of the packages, and none can be uninstalled for a test."""
    find_spec = importlib.util.find_spec

    def find(name: str, package: str | None = None) -> Any:
        return None if name in {"s3fs", "gcsfs", "adlfs"} else find_spec(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", find)
    uri._installed.cache_clear()
    yield
    uri._installed.cache_clear()


GOOD = [
    "s3://bucket/key.csv",
    "s3://conn@bucket/key.csv",
    "S3://bucket/key.csv",
    "s3a://bucket/a//b",
    "s3://bucket/",
    "s3://bucket/folder/",
    "s3://bucket/key with @ and : in it",
    "file:///data/report.csv",
    "file://conn@/data/report.csv",
    "/data/report.csv",
    "/data/../other/report.csv",
    "/data/",
    "memory://anything",
    "ftp://host:21/path",
]


@pytest.mark.parametrize("uri", GOOD)
def test_what_can_be_published_to(uri: str) -> None:
    Destination.parse(uri)


BAD = [
    (None, "must be a string: an absolute path or a URI"),
    (Path("/data/report.csv"), "must be a string: an absolute path or a URI"),
    ("", "must be a string: an absolute path or a URI"),
    ("  \n", "must be a string: an absolute path or a URI"),
    ("report.csv", "got 'report.csv'. It is not absolute"),
    ("out/report.csv", "It is not absolute"),
    ("./report.csv", "It is not absolute"),
    ("~/report.csv", "It is not absolute"),
    ("s3:/bucket/key", "It is not absolute"),
    ("file://data/report.csv", "three slashes"),
    ("s3://", "It names no bucket"),
    ("s3:///key", "It names no bucket"),
    ("s3://conn@/key", "It names no bucket"),
    ("s3://bucket", "It names a bucket but no key"),
    ("s3://bucket/a/../b", "a key without the parts '.' and '..'"),
    ("s3://bucket/./b", "a key without the parts '.' and '..'"),
    ("s3://bucket/key?versionId=3", "a key without a version"),
    ("s3://bucket/key?", "'?' and '#' at the end"),
    ("/data/report#", "'?' and '#' at the end"),
    (" s3://bucket/key", "free of white space at both ends"),
    ("/data/report.csv ", "free of white space at both ends"),
    ("s3://bucket/a\nb", "control characters"),
    ("/data/\x00", "control characters"),
    ("/data/\ud800", "control characters"),
]


@pytest.mark.parametrize(("uri", "message"), BAD)
def test_what_cannot_is_refused_at_parse_time_and_at_run_time(uri: Any, message: str) -> None:
    for refuse in (Destination.parse, Destination.resolve):
        with pytest.raises(RingEventsConfigError) as caught:
            refuse(uri, parameter="my_destination")
        assert caught.value.parameter == "my_destination"
        assert str(caught.value).startswith("`my_destination` must be ")
        assert message in str(caught.value)


def test_credentials_in_a_uri_are_refused_and_not_repeated() -> None:
    with pytest.raises(RingEventsConfigError, match="a user name and a password") as caught:
        Destination.parse("s3://AKIACANARY:canary-secret@bucket/key")
    assert "canary" not in str(caught.value).lower()


def test_jinja_must_still_be_something_when_it_is_rendered() -> None:
    with pytest.raises(RingEventsConfigError, match="It is not absolute"):
        Destination.resolve("{{ params.destination }}")


@pytest.mark.usefixtures("nothing_installed")
@pytest.mark.parametrize(
    ("scheme", "extra"),
    [
        ("s3", "amazon"),
        ("s3a", "amazon"),
        ("s3n", "amazon"),
        ("gs", "google"),
        ("gcs", "google"),
        ("abfs", "azure"),
        ("abfss", "azure"),
        ("adl", "azure"),
    ],
)
def test_a_missing_filesystem_names_the_extra(scheme: str, extra: str) -> None:
    for refuse in (Destination.parse, Destination.resolve):
        with pytest.raises(RingEventsConfigError) as caught:
            refuse(f"{scheme}://conn@bucket/key", parameter="dest")
        message = str(caught.value)
        assert message.startswith(f"`dest` '{scheme}://bucket/key' needs a filesystem for {scheme}://")
        assert message.endswith(f"pip install 'airflow-provider-ringevents[{extra}]'")


def test_the_provider_must_be_there_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uri, "_installed", lambda module: not module.startswith("airflow.providers"))
    with pytest.raises(RingEventsConfigError, match=r"ringevents\[amazon\]"):
        Destination.parse("s3://bucket/key")


def test_a_scheme_that_nobody_knows() -> None:
    Destination.parse("nosuch://bucket/key")
    with pytest.raises(
        RingEventsConfigError, match=r"`dest` must be on a store that has a filesystem, got 'nosuch://bucket/key'"
    ):
        Destination.resolve("nosuch://bucket/key", parameter="dest")


def test_a_scheme_that_fsspec_knows_and_airflow_does_not() -> None:
    with pytest.raises(
        RingEventsConfigError, match=r"`dest` must be on a store that has a filesystem, got 'ftp://host/key'"
    ):
        Destination.resolve("ftp://host/key", parameter="dest")


@pytest.mark.integration  # On Airflow 2 a connection is looked up in the database.
def test_an_azure_uri_with_the_container_before_the_at_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uri, "_installed", lambda module: True)
    with pytest.raises(RingEventsConfigError, match=r"the Airflow connection 'container'.*the part before the '@'"):
        Destination.resolve("abfs://container@account.dfs.core.windows.net/report.csv")


def test_local_paths() -> None:
    plain, uri = Destination.resolve("/data/a b#c?d%41.csv"), Destination.resolve("file:///data/a b#c?d%41.csv")
    assert plain == uri
    assert uri.uri == "file:///data/a b#c?d%41.csv"
    assert not uri.is_prefix
    assert Destination.resolve("/data/").is_prefix
    assert Destination.resolve("local:///data/x").uri == "file:///data/x"


def test_a_local_file_ignores_the_connection_of_the_store() -> None:
    assert Destination.resolve("/data/x.csv", "no_such_connection").uri == "file:///data/x.csv"


def test_checking_imports_no_filesystem() -> None:
    script = """
import sys
from airflow.providers.common.compat.sdk import DAG
from airflow_provider_ringevents.storage import Destination
before = set(sys.modules)
Destination.parse("s3://bucket/key")
Destination.parse("/data/x")
sys.exit(str(sys.modules.keys() - before) if sys.modules.keys() - before else 0)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
