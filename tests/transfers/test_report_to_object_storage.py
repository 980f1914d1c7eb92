"""The report export, in worker mode and deferred, through Airflow's own task runner and over real HTTP."""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow_harness import Run
from airflow_harness.versions import HAS_STATE_STORE

from airflow_provider_ringevents.transfers.report_to_object_storage import RingEventsReportToObjectStorageOperator

Export = Callable[..., Run]


def files(folder: Path) -> dict[str, bytes]:
    """Everything below a folder: leftovers count, too."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def posts(emulator: Any) -> int:
    return emulator.count("POST", "*/reports/*")


# --- what it is for


def test_publishes_the_whole_report_and_returns_its_manifest(export: Export, emulator: Any, tmp_path: Path) -> None:
    result = export().to_end()

    assert result.state == "success"
    report_id = result.xcom["report_id"]
    content = emulator.report_content(report_id)
    assert files(tmp_path) == {"out/report.csv": content}
    assert result.xcom == {
        "uri": f"file://{tmp_path}/out/report.csv",
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "content_type": "text/csv",
        "verified": True,
        "columns": next(csv.reader(content.decode().splitlines())),
        "rows": 40,
        "report_id": report_id,
        "event_id": emulator.event_id,
        "report_type": "registrations",
        "title": emulator.report(report_id).title,
    }
    assert posts(emulator) == 1


def test_version_is_left_out_when_not_given_and_sent_when_given(export: Export, emulator: Any) -> None:
    export().to_end()
    export(report_version="2", attributes={"segmentType": "expo"}, report_type="all").to_end()

    asked = [request.path for request in emulator.requests.entries if request.method == "POST"]
    assert asked == [
        f"/v1/events/{emulator.event_id}/reports/registrations",
        f"/v1/events/{emulator.event_id}/reports/all/2",
    ]


def test_a_folder_takes_the_servers_file_name_made_safe(export: Export, emulator: Any, tmp_path: Path) -> None:
    emulator.state.settings.disposition = (
        "attachment; filename=\"../../etc/pass\\wd\"; filename*=UTF-8''%C3%A9t%C3%A9.csv"
    )
    result = export(destination=f"file://{tmp_path}/out/").to_end()

    assert result.xcom["uri"] == f"file://{tmp_path}/out/été.csv"
    assert list(files(tmp_path)) == ["out/été.csv"]


def test_a_folder_falls_back_on_type_and_event(export: Export, emulator: Any, tmp_path: Path) -> None:
    emulator.state.settings.disposition = ""
    result = export(destination=f"file://{tmp_path}/out/").to_end()

    assert result.xcom["uri"] == f"file://{tmp_path}/out/registrations-{emulator.event_id}.csv"


@pytest.mark.parametrize("download", ["file", "redirect"])
def test_reads_the_file_directly_or_behind_a_redirect_without_showing_the_key(
    export: Export, emulator: Any, tmp_path: Path, download: str
) -> None:
    emulator.state.settings.download = download
    result = export().to_end()

    assert result.state == "success"
    assert files(tmp_path)["out/report.csv"] == emulator.report_content(result.xcom["report_id"])
    assert emulator.leaked_authorizations == 0


# --- waiting


def test_waits_until_the_report_is_ready(export: Export, emulator: Any) -> None:
    in_progress = '{"data": {"attributes": {"status": "in_progress"}}}'
    emulator.fault("body", method="GET", path="/v1/reports/[^/]+$", status=202, body=in_progress, times=3)
    result = export().to_end()

    assert result.state == "success"
    assert emulator.count("GET", f"/v1/reports/{result.xcom['report_id']}") >= 4


@pytest.mark.parametrize("word", ["failed", "error", "cancelled"])
def test_a_failed_report_fails_the_task_without_retries(
    export: Export, emulator: Any, tmp_path: Path, word: str
) -> None:
    emulator.state.settings.report_status = word
    result = export(retries=3).to_end()

    assert (result.state, result.tries) == ("failed", 1)
    assert word in str(result.exception)
    assert files(tmp_path) == {}
    assert result.store == {}


def test_an_unknown_word_is_not_taken_for_success_and_is_named_at_the_deadline(export: Export, emulator: Any) -> None:
    emulator.state.settings.report_status = "marinating"
    emulator.state.settings.report_url = False
    result = export(wait_timeout=0.4).to_end()

    assert result.state == "failed"
    assert type(result.exception).__name__ == "RingEventsWaitTimeoutError"
    assert "'marinating'" in str(result.exception)


def test_a_report_that_is_not_visible_yet_is_waited_for(export: Export, emulator: Any) -> None:
    emulator.state.settings.report_missing_seconds = 0.4
    assert export().to_end().state == "success"


def test_nine_failed_polls_do_not_end_the_wait(export: Export, emulator: Any) -> None:
    emulator.fault("status", method="GET", path=r"/v1/reports/[^/]+$", status=503, times=9)
    assert export().to_end().state == "success"


def test_ten_failed_polls_in_a_row_end_the_wait_and_the_retry_takes_up_the_report(
    export: Export, emulator: Any, tmp_path: Path
) -> None:
    emulator.state.settings.report_seconds = 0.3
    emulator.fault("status", method="GET", path=r"/v1/reports/[^/]+$", status=503, times=10)
    result = export(retries=1).to_end()

    assert (result.state, result.tries) == ("success", 2)
    assert posts(emulator) == (1 if HAS_STATE_STORE else 2)
    assert len(files(tmp_path)) == 1


def test_a_rejected_key_ends_the_wait_at_once(export: Export, emulator: Any) -> None:
    emulator.fault("status", method="GET", path=r"/v1/reports/[^/]+$", status=401, times=None)
    result = export(retries=3).to_end()

    assert (result.state, result.tries) == ("failed", 1)
    assert "Check the API key" in str(result.exception)


# --- resuming


@pytest.mark.skipif(not HAS_STATE_STORE, reason="Airflow before 3.3 has no task state store")
def test_a_retry_resumes_the_same_report(export: Export, emulator: Any, tmp_path: Path) -> None:
    emulator.fault("cut_body", path="/download", after=200, times=None)
    emulator.fault("cut_body", origin="links", after=200, times=None)
    run = export(retries=2)
    while run.result.state != "up_for_retry":
        if run.result.state == "deferred":
            run.trigger()
        run.attempt()
    assert files(tmp_path) == {}
    emulator.faults.clear()
    result = run.to_end()

    assert (result.state, result.tries) == ("success", 2)
    assert posts(emulator) == 1
    assert result.store == {}


@pytest.mark.skipif(not HAS_STATE_STORE, reason="Airflow before 3.3 has no task state store")
def test_clearing_a_finished_export_makes_a_fresh_report(export: Export, emulator: Any) -> None:
    run = export()
    first = run.to_end().xcom["report_id"]
    run.clear()
    second = run.to_end().xcom["report_id"]

    assert first != second
    assert posts(emulator) == 2


@pytest.mark.skipif(not HAS_STATE_STORE, reason="Airflow before 3.3 has no task state store")
@pytest.mark.parametrize("remembered", ["failed", "gone", "other request", "too old"])
def test_a_remembered_report_that_is_dead_is_dropped(
    emulator: Any, export: Export, remembered: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_provider_ringevents.client import Client, endpoints
    from airflow_provider_ringevents.state import report_checkpoint as memory

    with Client(emulator.url, emulator.api_key) as client:
        emulator.state.settings.report_status = "failed" if remembered == "failed" else None
        old = client.send(endpoints.create_report(emulator.event_id, "registrations"))["data"]["id"]
        emulator.state.settings.report_status = None
    run = export(wait_timeout=3600)
    saved: dict[str, Any] = {}
    original = memory.ReportCheckpoint.load

    def load(self: Any, client: Any) -> Any:
        if not saved:
            import time

            saved.update(
                id="gone" if remembered == "gone" else old,
                fingerprint="other" if remembered == "other request" else self._fingerprint,
                time=time.time() - (7200 if remembered == "too old" else 0),
            )
            self._entry.save(saved)
        return original(self, client)

    monkeypatch.setattr(memory.ReportCheckpoint, "load", load)
    import time

    time.sleep(0.1)
    result = run.to_end()

    assert result.state == "success"
    assert result.xcom["report_id"] not in (old, "gone")


# --- what is there already


@pytest.mark.parametrize("if_exists", ["skip", "fail"])
def test_what_is_there_is_kept_and_no_report_is_asked_for(
    export: Export, emulator: Any, tmp_path: Path, if_exists: str
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "report.csv").write_bytes(b"yesterday's")
    result = export(if_exists=if_exists, retries=2).to_end()

    assert files(tmp_path) == {"out/report.csv": b"yesterday's"}
    assert posts(emulator) == 0
    if if_exists == "skip":
        assert (result.state, result.xcom["skipped"]) == ("success", True)
    else:
        assert (result.state, result.tries) == ("failed", 1)
        assert "if_exists" in str(result.exception)


@pytest.mark.parametrize("if_exists", ["skip", "fail"])
def test_in_a_folder_it_is_looked_at_when_the_name_is_known(
    export: Export, emulator: Any, tmp_path: Path, if_exists: str
) -> None:
    emulator.state.settings.disposition = 'attachment; filename="r.csv"'
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "r.csv").write_bytes(b"yesterday's")
    result = export(if_exists=if_exists, destination=f"file://{tmp_path}/out/").to_end()

    assert files(tmp_path) == {"out/r.csv": b"yesterday's"}
    assert result.state == ("success" if if_exists == "skip" else "failed")


# --- bad weather while downloading


BAD_ENDS = {
    "cut": {"kind": "cut_body", "after": 500},
    "reset": {"kind": "cut_body", "after": 500, "rst": True},
    "ends early without a length": {"kind": "truncate_chunked", "after": 500},
    "an HTML page": {"kind": "html"},
    "server error": {"kind": "status", "status": 503},
}


@pytest.mark.parametrize("there", [True, False], ids=["over an object", "nothing there"])
@pytest.mark.parametrize("name", BAD_ENDS)
def test_a_download_that_never_works_publishes_nothing(
    export: Export, emulator: Any, tmp_path: Path, name: str, there: bool
) -> None:
    before = {}
    if there:
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "report.csv").write_bytes(b"yesterday's")
        before = {"out/report.csv": b"yesterday's"}
    emulator.fault(path="/download", times=None, **BAD_ENDS[name])
    emulator.fault(origin="links", times=None, **BAD_ENDS[name])
    result = export().to_end()

    assert result.state == "failed"
    assert files(tmp_path) == before


@pytest.mark.parametrize("ranges", [True, False], ids=["resumed", "started over"])
def test_a_cut_download_ends_whole(export: Export, emulator: Any, tmp_path: Path, ranges: bool) -> None:
    emulator.state.settings.ranges = ranges
    emulator.state.settings.etag = ranges
    emulator.state.settings.report_bytes = 3_000_000
    emulator.fault("cut_body", path="/download", after=1_500_000, times=3)
    result = export().to_end()

    assert result.state == "success"
    assert files(tmp_path)["out/report.csv"] == emulator.report_content(result.xcom["report_id"])


@pytest.mark.parametrize("checksum", ["content-md5", "repr-digest"])
@pytest.mark.parametrize("cuts", [0, 2], ids=["whole", "resumed twice"])
def test_a_flipped_byte_fails_the_task_where_there_is_a_checksum(
    export: Export, emulator: Any, tmp_path: Path, checksum: str, cuts: int
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "report.csv").write_bytes(b"yesterday's")
    emulator.settings.change(checksum=checksum, report_bytes=600_000, download="redirect")
    if cuts:
        emulator.fault("cut_body", origin="links", after=150_000, times=cuts)
    emulator.fault("flip_byte", origin="links", after=100_000, times=1)
    failed = export().to_end()

    assert failed.state == "failed"
    assert "do not match its checksum" in failed.log_text
    assert files(tmp_path) == {"out/report.csv": b"yesterday's"}

    mended = export().to_end()
    assert mended.state == "success"
    assert files(tmp_path) == {"out/report.csv": emulator.report_content(mended.xcom["report_id"])}


def test_when_download_will_not_do_the_signed_link_does(export: Export, emulator: Any, tmp_path: Path) -> None:
    emulator.fault("status", path="/download", status=403, times=None)
    result = export().to_end()

    assert result.state == "success"
    assert files(tmp_path)["out/report.csv"] == emulator.report_content(result.xcom["report_id"])
    assert emulator.leaked_authorizations == 0


def test_an_expired_link_is_asked_for_anew(export: Export, emulator: Any) -> None:
    emulator.state.settings.download = "redirect"
    emulator.fault("expired_link", path="/download", times=2)
    assert export().to_end().state == "success"


def test_a_body_without_a_length_is_published_but_not_called_verified(export: Export, emulator: Any) -> None:
    emulator.state.settings.chunked = True
    result = export().to_end()

    assert (result.state, result.xcom["verified"]) == ("success", False)


# --- bad input


def operator() -> Any:
    from airflow_provider_ringevents.transfers.report_to_object_storage import RingEventsReportToObjectStorageOperator

    return RingEventsReportToObjectStorageOperator


GOOD = {"task_id": "t", "event_id": "e", "report_type": "registrations", "destination": "file:///tmp/x.csv"}


@pytest.mark.parametrize(
    ("argument", "value", "said"),
    [
        ("report_type", "registration", "registrations"),
        ("report_type", "", "report_type"),
        ("report_version", "3", "report_version"),
        ("event_id", "", "event_id"),
        ("event_id", "..", "event_id"),
        ("event_id", "a/b", "without white space"),
        ("destination", "", "destination"),
        ("destination", "gs://bucket/x.csv", "airflow-provider-ringevents[google]"),
        ("if_exists", "replace", "overwrite"),
        ("poll_interval", 0, "poll_interval"),
        ("wait_timeout", -1, "wait_timeout"),
        ("attributes", {"segmentType": "schedul"}, "schedule"),
        ("attributes", {"segment": "schedule"}, "segmentType"),
    ],
)
def test_bad_input_is_refused_when_the_dag_is_parsed(argument: str, value: Any, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)) as caught:
        operator()(**{**GOOD, argument: value})
    if argument != "attributes":  # its error names the attribute instead
        assert argument in str(caught.value)


def test_bad_input_of_a_mapped_task_is_not_retried() -> None:
    from airflow.providers.common.compat.sdk import AirflowFailException

    with pytest.raises(AirflowFailException):  # what Airflow meets when it puts the mapped task together on a worker
        operator()(**{**GOOD, "report_type": "registration"})


def test_what_the_api_may_have_learnt_since_is_let_through() -> None:
    operator()(**{**GOOD, "report_type": "brandNew", "allow_undocumented": True})


@pytest.mark.parametrize(
    ("argument", "value", "said"),
    [
        ("report_type", "{{ 'registration' }}", "registrations"),
        ("event_id", "{{ '' }}", "event_id"),
        ("destination", "{{ '' }}", "destination"),
        ("object_storage_conn_id", "no_such_connection", "no_such_connection"),
        ("ringevents_conn_id", "no_such_connection", "no_such_connection"),
    ],
)
def test_bad_input_that_is_known_late_is_refused_before_any_request(
    export: Export, emulator: Any, argument: str, value: str, said: str
) -> None:
    arguments: dict[str, Any] = {argument: value}
    if argument == "object_storage_conn_id":
        arguments["destination"] = "s3://bucket/report.csv"
    result = export(retries=2, **arguments).to_end()

    assert (result.state, result.tries) == ("failed", 1)
    assert said in str(result.exception)
    assert emulator.count() == 0


def test_an_event_that_is_not_there_fails_at_once(export: Export) -> None:
    result = export(event_id="nobody-knows", retries=2).to_end()

    assert (result.state, result.tries) == ("failed", 1)
    assert "404" in str(result.exception)


# --- secrets


def test_neither_key_nor_signature_is_left_anywhere(export: Export, emulator: Any) -> None:
    emulator.state.settings.download = "redirect"
    emulator.fault("status", path="/download", status=500, times=1)
    emulator.fault("cut_body", origin="links", after=100, times=1)
    result = export(retries=1).to_end()

    assert result.state == "success"
    seen = "\n".join(
        str(part)
        for part in (
            result.log_text,
            result.xcoms,
            result.trigger_rows,
            result.events,
            result.rendered_fields,
            result.store,
            result.links,
        )
    )
    assert "HTTP Request" in result.log_text, "the HTTP library's log is part of what is searched"
    assert emulator.api_key not in seen
    assert "signature=" not in seen


@pytest.mark.parametrize("changed", ["event_id", "report_type", "report_version", "attributes"])
def test_arguments_that_change_during_the_wait_publish_no_report_as_another_one(
    emulator: Any, tmp_path: Path, quick: None, changed: str
) -> None:
    """The file of the DAG is edited, or a variable set: what is rendered after the wait names another report."""
    other = {
        "event_id": next(id for id in emulator.state.events if id != emulator.event_id),
        "report_type": "all",
        "report_version": "2",
        "attributes": {"segmentType": "expo"},
    }
    arguments: dict[str, Any] = {
        "event_id": emulator.event_id,
        "report_type": "registrations" if changed == "report_type" else "all",
    }

    def make() -> RingEventsReportToObjectStorageOperator:
        place = f"file://{tmp_path}/report.csv"
        return RingEventsReportToObjectStorageOperator(
            task_id="export", destination=place, poll_interval=0.05, deferrable=True, **arguments
        )

    run = Run(make, connections={"ringevents_default": emulator.connection()}, retries=1)
    run.attempt()
    run.trigger()
    arguments[changed] = other[changed]
    result = run.attempt()
    assert result.state == "up_for_retry"
    assert f"`{changed}` was" in str(result.exception)
    assert files(tmp_path) == {}
    result = run.to_end()
    assert result.state == "success"
    assert result.xcom.get(changed, other[changed]) == other[changed]
    assert posts(emulator) == 2


@pytest.mark.parametrize(
    "place",
    ["/dev/null", "{folder}/file/report.csv", "{folder}", "/proc/ringevents/report.csv", "{folder}/" + "x" * 300],
)
def test_nothing_is_requested_for_a_place_where_no_file_can_be(
    export: Callable[..., Run], emulator: Any, tmp_path: Path, place: str
) -> None:
    (tmp_path / "file").touch()
    name = place.format(folder=tmp_path)
    result = export(destination="{{ params.place }}", params={"place": name}, retries=2).to_end()
    assert (result.state, result.tries) == ("failed", 1), result.log_text
    assert "`destination` must be " in str(result.exception)
    assert emulator.count() == 0
