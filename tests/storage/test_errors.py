"""What the store said, without what a log must not show."""

# ruff: noqa: PT012 - what happens before the error is what these tests are about

from __future__ import annotations

import traceback

import pytest

from airflow_provider_ringevents.client.errors import RingEventsTransferError
from airflow_provider_ringevents.storage.errors import StoreError, format_error, redact, transfer_error

SIGNED = "https://bucket.s3.amazonaws.com/key?X-Amz-Signature=canary&X-Amz-Credential=canary"


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        (f"cannot connect to {SIGNED}", "cannot connect to https://bucket.s3.amazonaws.com/key?***"),
        (f'url: "{SIGNED}", try again', 'url: "https://bucket.s3.amazonaws.com/key?***", try again'),
        (f"('{SIGNED}',)", "('https://bucket.s3.amazonaws.com/key?***',)"),
        ("https://h/p#access_token=canary x", "https://h/p?*** x"),
        ("HTTPS://user:canary@h/p", "HTTPS://***@h/p"),
        ("proxy http://me:canary@proxy:8080 refused", "proxy http://***@proxy:8080 refused"),
        ("abfs://container/blob?sig=canary", "abfs://container/blob?***"),
        ("s3://conn@bucket/key is missing", "s3://conn@bucket/key is missing"),
        ("what? no address here", "what? no address here"),
    ],
)
def test_clean(text: str, cleaned: str) -> None:
    assert redact(text) == cleaned


def test_long_texts_are_cut_and_put_on_one_line() -> None:
    assert len(format_error(ValueError("x" * 10_000))) < 600
    assert format_error(ValueError("The container is missing.\nRequestId:1\r\n")) == (
        "ValueError: The container is missing. RequestId:1"
    )


def test_a_harmless_cause_is_kept() -> None:
    cause = OSError("disk on fire")
    assert transfer_error("Writing", cause, state="").__cause__ is cause


def fail(how: str) -> None:
    if how == "itself":
        raise OSError(f"cannot connect to {SIGNED}")
    try:
        fail("itself")
    except OSError as e:
        if how == "its cause":
            raise OSError("outer") from e
        raise OSError("outer")  # noqa: B904 - the case that is tested


@pytest.mark.parametrize("how", ["itself", "its cause", "its context"])
def test_a_cause_with_a_secret_is_replaced(how: str) -> None:
    with pytest.raises(RingEventsTransferError) as caught:
        try:
            fail(how)
        except OSError as e:
            error = transfer_error("Writing", e, state="Nothing was published.")
            raise error from error.__cause__
    assert isinstance(caught.value.__cause__, StoreError)
    shown = "".join(traceback.format_exception(caught.value))
    assert "canary" not in shown
    assert "in fail" in shown
