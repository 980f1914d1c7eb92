"""Content types and options of objects: what reaches the store, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from storage.recording_s3 import RecordingS3

from airflow_provider_ringevents.client.errors import RingEventsConfigError, RingEventsTransferError
from airflow_provider_ringevents.storage import Destination, destination
from airflow_provider_ringevents.storage.object_options import (
    allowed_options,
    open_arguments,
    validate_object_options,
)
from docs import code, rows

pytestmark = pytest.mark.system


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[RecordingS3]:
    """A server of the test's own, under a connection of its own: filesystems are cached by their connection."""
    with RecordingS3() as server:
        monkeypatch.setenv(f"AIRFLOW_CONN_{server.conn_id.upper()}", json.dumps(server.airflow_connection()))
        yield server


def place(server: RecordingS3, **options: Any) -> Destination:
    return Destination.parse(f"s3://{server.conn_id}@bucket/report.csv", options=options or None).connect()


@pytest.mark.parametrize(("size", "operation"), [(0, "put"), (3, "create_upload"), (6 * 2**20, "create_upload")])
def test_s3_gets_the_content_type_and_the_options(s3: RecordingS3, size: int, operation: str) -> None:
    target = place(
        s3,
        ServerSideEncryption="aws:kms",
        SSEKMSKeyId="alias/exports",
        StorageClass="STANDARD_IA",
        Metadata={"team": "events"},
        BucketKeyEnabled=True,
        Tagging="a=b",
        ACL="bucket-owner-full-control",
    )
    with target.publish(content_type="text/csv; charset=utf-8") as writer:
        writer.write(bytes(size))
    headers = s3.headers_of(operation)
    assert headers["content-type"] == "text/csv; charset=utf-8"
    assert headers["x-amz-server-side-encryption"] == "aws:kms"
    assert headers["x-amz-server-side-encryption-aws-kms-key-id"] == "alias/exports"
    assert headers["x-amz-server-side-encryption-bucket-key-enabled"] == "true"
    assert headers["x-amz-storage-class"] == "STANDARD_IA"
    assert headers["x-amz-meta-team"] == "events"
    assert headers["x-amz-tagging"] == "a=b"
    assert headers["x-amz-acl"] == "bucket-owner-full-control"
    assert len(s3.objects["/bucket/report.csv"]) == size


def test_a_head_that_answers_404_just_after_publishing_is_asked_again(
    s3: RecordingS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(destination, "SIZE_DELAYS", (0.01, 0.01, 0.01))
    s3.missing_heads = 1
    with place(s3).publish() as writer:
        writer.write(b"new")
    assert [name for name, _ in s3.requests].count("head") == 2


def test_an_object_that_stays_away_is_an_error(s3: RecordingS3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(destination, "SIZE_DELAYS", (0.01, 0.01, 0.01))
    s3.missing_heads = 100
    with pytest.raises(RingEventsTransferError, match="Reading back the size"), place(s3).publish() as writer:
        writer.write(b"new")


@pytest.mark.parametrize(
    ("scheme", "options", "arguments"),
    [
        ("gs", {}, {"content_type": "text/csv"}),
        (
            "gcs",
            {"kms_key_name": "k", "cache_control": "no-store", "metadata": {"a": "b"}},
            {
                "content_type": "text/csv",
                "kms_key_name": "k",
                "metadata": {"a": "b"},
                "fixed_key_metadata": {"cache_control": "no-store"},
            },
        ),
        ("abfs", {}, {"content_settings": {"content_type": "text/csv"}}),
        (
            "abfss",
            {"cache_control": "no-store", "metadata": {"a": "b"}},
            {
                "content_settings": {"content_type": "text/csv", "cache_control": "no-store"},
                "metadata": {"is_directory": "false", "a": "b"},
            },
        ),
        ("memory", {}, {}),
    ],
)
def test_other_stores_get_them_in_their_own_words(
    scheme: str, options: dict[str, Any], arguments: dict[str, Any]
) -> None:
    assert open_arguments(scheme, "text/csv", validate_object_options(scheme, options)) == arguments


@pytest.mark.parametrize(
    ("uri", "options", "parameter"),
    [
        ("s3://b/k", {"SSECustomerKey": "x"}, "object_options[SSECustomerKey]"),
        ("s3://b/k", {"aws_secret_access_key": "x"}, "object_options[aws_secret_access_key]"),
        ("s3://b/k", {"ContentEncoding": "gzip"}, "object_options[ContentEncoding]"),
        ("s3://b/k", {"serversideencryption": "aws:kms"}, "object_options[serversideencryption]"),
        ("s3://b/k", {"Body": "x"}, "object_options[Body]"),
        ("s3://b/k", {7: "x"}, "object_options[7]"),
        ("/data/k", {"StorageClass": "x"}, "object_options[StorageClass]"),
        ("memory://b/k", {"StorageClass": "x"}, "object_options[StorageClass]"),
        ("s3://b/k", ["StorageClass"], "object_options"),
        ("s3://b/k", {"StorageClass": ""}, "object_options[StorageClass]"),
        ("s3://b/k", {"StorageClass": 7}, "object_options[StorageClass]"),
        ("s3://b/k", {"BucketKeyEnabled": "yes"}, "object_options[BucketKeyEnabled]"),
        ("s3://b/k", {"Metadata": {"a": 1}}, "object_options[Metadata]"),
    ],
)
def test_anything_else_is_refused_by_name_while_the_dag_is_parsed(uri: str, options: Any, parameter: str) -> None:
    with pytest.raises(RingEventsConfigError) as caught:
        Destination.parse(uri, options=options)
    assert caught.value.parameter == parameter


def test_a_credential_is_refused_with_a_hint_and_its_value_is_not_repeated() -> None:
    with pytest.raises(RingEventsConfigError, match="belong into the connection") as caught:
        Destination.parse("s3://b/k", options={"SSECustomerKey": "canary"})
    assert "canary" not in str(caught.value)


def test_every_option_is_listed() -> None:
    listed = {
        code(store)[0]: tuple(code(options)) for store, options in rows("guides/object-storage.md", "## Object options")
    }
    assert listed == {f"{scheme}://": allowed_options(scheme) for scheme in ("s3", "gs", "abfs")}
