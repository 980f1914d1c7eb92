"""What a caller is told when an answer is an error, or not what the API speaks."""

from __future__ import annotations

import json
import traceback
from http import HTTPStatus
from typing import Any

import pytest
from client_drivers import KEY, SyncDriver
from raw_server import NO_RESPONSE, RawServer, Request, Response, closed_port, error_response, json_response

from airflow_provider_ringevents.client import defaults, endpoints
from airflow_provider_ringevents.client.errors import (
    ErrorDetail,
    RingEventsApiError,
    RingEventsAuthError,
    RingEventsError,
    RingEventsTransferError,
    RingEventsTransportError,
    RingEventsValidationError,
)

GET = endpoints.get_event("e1")
POST = endpoints.create_event("o1", {"name": "n"})
SIGNED = "https://files.example.org/r/1.csv?X-Amz-Signature=deadbeef&X-Amz-Credential=AKIA"


def failure(driver: type[SyncDriver], answer: Response, call: endpoints.Call = GET, **options: Any) -> RingEventsError:
    with RawServer(lambda seen: answer) as server:
        with pytest.raises(RingEventsError) as caught:
            driver(server.url, **{"max_attempts": 1, **options}).send(call)
        return caught.value


# --- what a message says


def test_the_message_names_operation_path_status_details_and_advice(driver: type[SyncDriver]) -> None:
    error = failure(
        driver,
        error_response(
            422,
            {
                "code": "invalid",
                "title": "Invalid",
                "detail": "must be after timeStart",
                "source": {"pointer": "/data/attributes/timeEnd"},
            },
            {"title": "Too long", "source": {"parameter": "filter"}},
            {"code": "odd"},
            {},
            X_Request_Id="req-77",
        ),
        POST,
    )
    assert isinstance(error, RingEventsValidationError)
    assert str(error) == (
        f"create_event (POST /v1/organizations/o1/events): the service responded 422 {HTTPStatus(422).phrase}: must be"
        " after timeStart (at /data/attributes/timeEnd); Too long (at filter); odd; no detail given."
    )
    assert error.errors[0] == ErrorDetail(
        code="invalid",
        title="Invalid",
        detail="must be after timeStart",
        pointer="/data/attributes/timeEnd",
    )
    assert error.request_id == "req-77"
    assert error.retry_after is None
    assert not error.retryable


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        (401, "API key"),
        (403, "lacks the permission"),
        (404, "Check the id"),
        (429, "rate_limit"),
    ],
)
def test_the_message_says_what_to_do(driver: type[SyncDriver], status: int, advice: str) -> None:
    assert advice in str(failure(driver, error_response(status)))


def test_the_message_names_the_page_of_a_list(driver: type[SyncDriver]) -> None:
    with RawServer(lambda seen: error_response(403)) as server, pytest.raises(RingEventsAuthError, match="page 1"):
        driver(server.url).items(endpoints.list_tickets("e"))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 304, 300])
def test_a_redirect_is_not_followed_with_the_key_and_names_the_host_alone(
    driver: type[SyncDriver], status: int
) -> None:
    with RawServer(lambda seen: json_response({})) as elsewhere:
        location = f"{elsewhere.url}/login?token=hunter2"
        error = failure(driver, Response(status, headers={"Location": location}))
        assert elsewhere.requests == []
    assert isinstance(error, RingEventsApiError)
    assert error.status == status
    assert "127.0.0.1" in str(error)
    assert "hunter2" not in str(error)


@pytest.mark.parametrize("location", ["", "http://[::1", "https://host:99999999/", "//", "\x7f", "javascript:alert(1)"])
def test_a_redirect_to_nowhere_is_an_ordinary_error(driver: type[SyncDriver], location: str) -> None:
    error = failure(driver, Response(302, headers={"Location": location}))
    # httpx itself refuses what is no URL at all, and gives no answer then.
    assert isinstance(error, RingEventsApiError | RingEventsTransportError)


def test_a_transport_error_says_whether_anything_may_have_happened(driver: type[SyncDriver]) -> None:
    assert "may have been applied" in str(failure(driver, NO_RESPONSE, POST))
    assert "may have been applied" not in str(failure(driver, NO_RESPONSE, GET))
    with pytest.raises(RingEventsTransportError, match=r"create_event \(POST .*could not be reached") as caught:
        driver(f"http://127.0.0.1:{closed_port()}", max_attempts=1).send(POST)
    assert "may have been applied" not in str(caught.value)


# --- what a message never says


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422, 429, 500])
def test_the_key_is_not_repeated_even_if_the_server_echoes_it(driver: type[SyncDriver], status: int) -> None:
    echo = f"no such key: {KEY} (Authorization: Bearer {KEY})"
    answer = error_response(
        status,
        {"code": KEY, "title": echo, "detail": echo, "source": {"pointer": f"/{KEY}", "parameter": KEY}},
        X_Request_Id=KEY,
    )
    error = failure(driver, answer)
    assert KEY not in str(error)
    assert KEY not in repr(error.__dict__)
    assert KEY not in json.dumps(error.to_payload())
    assert KEY not in "".join(traceback.format_exception(error))
    assert "***" in str(error)


def test_a_key_at_the_edge_of_a_shortened_detail_is_not_shown_in_part(driver: type[SyncDriver]) -> None:
    for offset in range(480, 500, 3):
        error = failure(driver, error_response(400, {"detail": "x" * offset + KEY}))
        assert KEY[:8] not in str(error)


def test_a_link_in_an_error_keeps_its_host_alone(driver: type[SyncDriver]) -> None:
    error = failure(driver, error_response(400, {"detail": f"cannot read {SIGNED}: expired"}))
    assert "deadbeef" not in str(error)
    assert "AKIA" not in str(error)
    assert "files.example.org" in str(error)
    assert "expired" in str(error)


def test_a_filter_is_not_repeated(driver: type[SyncDriver]) -> None:
    call = endpoints.list_registrations("e", {"email": "ada@example.org"})
    assert "ada" not in str(failure(driver, error_response(500), call))
    assert "ada" not in str(failure(driver, NO_RESPONSE, call))


def test_a_body_is_not_repeated(driver: type[SyncDriver]) -> None:
    call = endpoints.create_event("o", {"name": "n", "password": "hunter2"})
    for answer in (error_response(422), NO_RESPONSE, Response(body=b"<html>")):
        error = failure(driver, answer, call)
        assert "hunter2" not in "".join(traceback.format_exception(error))


@pytest.mark.parametrize(
    "call",
    [
        endpoints.create_event("o", {"name": "n", "password": "hunter2"}),
        endpoints.create_event_from_template("t", {"name": "n", "password": "hunter2"}),
        endpoints.duplicate_event("e", {"password": "hunter2"}),
    ],
    ids=lambda call: call.operation,
)
def test_an_event_s_password_is_not_repeated_even_if_the_server_echoes_it(
    driver: type[SyncDriver], call: endpoints.Call
) -> None:
    """Found shown: only the key was taken out of what the service says."""
    entry = {"detail": "'hunter2' is too easy to guess", "source": {"parameter": "hunter2"}}
    error = failure(driver, error_response(422, entry, X_Request_Id="hunter2"), call)
    assert "hunter2" not in str(error) + repr(error.__dict__) + json.dumps(error.to_payload())
    assert "'***' is too easy to guess" in str(error)


PERSON = {"email": "Ada.L@example.org", "firstName": "Ada", "lastName": "Li", "externalBarcode": "4711-x"}
PERSONAL = {
    **PERSON,
    "ticketId": "t1",
    "answers": [{"questionId": "q1", "answer": ["vegan", "no nuts"]}],
    "metadata": {"crm": "C-99"},
}


@pytest.mark.parametrize("status", [409, 422, 500, 200])
@pytest.mark.parametrize(
    "call",
    [
        endpoints.create_registration("e1", PERSONAL),
        endpoints.update_registration("r1", attributes=PERSONAL),
        endpoints.create_magic_link("t1", {**PERSON, "metadata": {"crm": "C-99"}, "extraFields": {"Diet": "vegan"}}),
        endpoints.create_redeem_code(ticket_id="t1", first_name="Ada", last_name="Li", email=PERSON["email"]),
    ],
    ids=lambda call: call.operation,
)
def test_what_was_sent_of_a_person_is_not_repeated(driver: type[SyncDriver], call: endpoints.Call, status: int) -> None:
    entry = {
        "title": "Ada Li is here already",
        "detail": "ADA.L@example.org or ada.l%40example.org of Ada LI, 'vegan', C-99 is taken; Li is no Limit",
        "source": {"pointer": "/data/attributes/email", "parameter": "Ada.L@example.org"},
    }
    answer = json_response({"errors": [entry]}, status)
    error = failure(driver, answer, call)
    shown = str(error) + repr(error.__dict__) + json.dumps(error.to_payload())
    sent = json.dumps(call.body)
    for text in ("da.l@", "DA.L@", "da.l%40", "Ada", "LI", "vegan", "C-99"):
        assert text not in shown or text not in sent, text
    assert "is no Limit" in shown
    assert "/data/attributes/email" in shown


def test_the_place_of_an_error_is_kept_where_a_value_is_called_like_it(driver: type[SyncDriver]) -> None:
    call = endpoints.create_registration(
        "e1", {"email": "ada@example.org", "ticketId": "t1", "metadata": {"by": "email"}}
    )
    entry = {"code": "email", "source": {"pointer": "/data/attributes/email", "parameter": "email"}}
    (detail,) = failure(driver, json_response({"errors": [entry]}, 422), call).errors  # type: ignore[attr-defined]
    assert (detail.code, detail.pointer, detail.parameter) == ("email", "/data/attributes/email", "email")


def test_the_address_of_a_filter_is_not_repeated_even_if_the_server_echoes_it(driver: type[SyncDriver]) -> None:
    call = endpoints.list_registrations("e", {"email": {"in": ["ada@example.org", "bob@example.org"]}})
    error = failure(driver, error_response(400, {"detail": "no rows for bob@example.org"}), call)
    assert "no rows for ***" in str(error)


def test_lines_and_control_characters_in_a_detail_cannot_forge_log_lines(driver: type[SyncDriver]) -> None:
    error = failure(driver, error_response(400, {"detail": "a\r\nINFO - all is well\x1b[2J\x00\u2028b"}))
    assert str(error).isprintable()
    assert "INFO - all is well" in str(error)


# --- answers that are not what the API speaks

HTML = b"<!doctype html><title>Sign in</title>" + b"<p>hunter2</p>" * 100
NOT_JSON = {
    "html": Response(body=HTML, headers={"Content-Type": "text/html; charset=utf-8"}),
    "cut": Response(body=b'{"data": {"id": "e1", "attr', headers={"Content-Type": "application/json"}),
    "array": Response(body=b"[1, 2]", headers={"Content-Type": "application/json"}),
    "string": Response(body=b'"hello"'),
    "null": Response(body=b"null"),
    "two": Response(body=b"{}{}"),
    "not utf-8": Response(body=b'{"a": "\xff\xfe"}'),
    "nested": Response(body=b'{"a":' * 200_000),
    "nested and whole": Response(body=b'{"a":' * 50_000 + b"1" + b"}" * 50_000),
}


@pytest.mark.parametrize("answer", NOT_JSON.values(), ids=NOT_JSON)
@pytest.mark.parametrize("status", [200, 201, 202])
def test_a_success_that_is_no_json_object_is_an_error(driver: type[SyncDriver], status: int, answer: Response) -> None:
    odd = Response(status, answer.body, answer.headers)
    for call in (GET, POST):
        error = failure(driver, odd, call)
        assert isinstance(error, RingEventsTransportError)
        assert error.ambiguous == (call is POST)
        assert f"({status}" in str(error)
        assert call.operation in str(error)
        assert "hunter2" not in str(error)
        assert len(str(error)) < 500


CONTRADICTORY = {
    "data": {"id": "r1", "attributes": {"name": "n"}},
    "errors": [{"code": "partial", "detail": "not saved for ada@example.org"}],
}


@pytest.mark.parametrize("call", [GET, POST, endpoints.list_registrations("e1")], ids=lambda call: call.operation)
@pytest.mark.parametrize("status", [200, 202])
def test_a_success_that_lists_errors_is_none(driver: type[SyncDriver], call: endpoints.Call, status: int) -> None:
    body = {**CONTRADICTORY, "data": [CONTRADICTORY["data"]]} if call.is_list else CONTRADICTORY
    error = failure(driver, json_response(body, status), call)
    assert isinstance(error, RingEventsTransportError)
    assert f"the response ({status}) lists errors although its status is a success: " in str(error)
    assert "not saved for" in str(error)
    assert error.ambiguous is (call is POST)


def test_a_large_page_that_lists_errors_is_none(driver: type[SyncDriver]) -> None:
    rows = [{"id": str(number), "attributes": {"name": "x" * 1000}} for number in range(2000)]
    answer = json_response({"data": rows, "errors": [{"title": "rows are left out"}], "meta": {"count": 2000}})
    with (
        RawServer(lambda seen: answer) as server,
        pytest.raises(RingEventsTransportError, match="lists errors although its status is a success"),
    ):
        driver(server.url, max_attempts=1).items(endpoints.list_registrations("e1"))


@pytest.mark.parametrize("errors", [[], None, {}])
def test_no_errors_beside_data_are_a_success(driver: type[SyncDriver], errors: Any) -> None:
    with RawServer(lambda seen: json_response({**CONTRADICTORY, "errors": errors})) as server:
        assert driver(server.url).send(GET)["data"]["id"] == "r1"


@pytest.mark.parametrize("answer", NOT_JSON.values(), ids=NOT_JSON)
@pytest.mark.parametrize("status", [400, 401, 404, 500, 503])
def test_an_error_whose_body_is_no_json_keeps_its_status(
    driver: type[SyncDriver], status: int, answer: Response
) -> None:
    error = failure(driver, Response(status, answer.body, answer.headers))
    assert isinstance(error, RingEventsApiError)
    assert error.status == status
    assert error.errors == ()
    assert "hunter2" not in str(error)
    assert len(str(error)) < 500


def test_an_unreadable_answer_to_a_get_is_asked_for_again(driver: type[SyncDriver]) -> None:
    answers = iter([NOT_JSON["html"], NOT_JSON["cut"], json_response({"data": {"id": "e1"}})])
    with RawServer(lambda seen: next(answers)) as server:
        assert driver(server.url).send(GET)["data"]["id"] == "e1"
        assert len(server.requests) == 3


@pytest.mark.parametrize("body", [b"", b"  \r\n"])
@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_an_empty_success_is_an_empty_envelope(driver: type[SyncDriver], status: int, body: bytes) -> None:
    with RawServer(lambda seen: Response(status, body)) as server:
        envelope = driver(server.url).send(GET)
    assert envelope == {}
    assert envelope.status == status


def test_an_envelope_keeps_all_that_came(driver: type[SyncDriver]) -> None:
    body = {"data": {"id": "1", "type": "x", "attributes": {"new": None}}, "brandNew": [1.5, "ü"], "meta": {}}
    with RawServer(lambda seen: json_response(body, 202, X_Request_Id="r")) as server:
        envelope = driver(server.url).send(GET)
    assert envelope == body
    assert (envelope.status, envelope.request_id) == (202, "r")


@pytest.mark.parametrize(
    "errors",
    [None, "x", 5, {}, [], [1, "x", None], [{"source": 1, "detail": [1], "code": 5, "title": None}], [[[]]]],
    ids=repr,
)
def test_odd_error_lists_do_not_hide_the_status(driver: type[SyncDriver], errors: Any) -> None:
    error = failure(driver, json_response({"errors": errors}, 422))
    assert isinstance(error, RingEventsValidationError)
    assert len(str(error)) < 400


def test_a_huge_error_stays_short(driver: type[SyncDriver]) -> None:
    many = [{"detail": f"{number} " + "x" * 5_000, "source": {"pointer": "/p" * 5_000}} for number in range(500)]
    error = failure(driver, json_response({"errors": many}, 400))
    assert isinstance(error, RingEventsApiError)
    # 500 entries are more than is read of an error page: what is left of it is no JSON.
    assert len(error.errors) <= 10
    assert len(str(error)) < 15_000
    few = failure(driver, json_response({"errors": many[:12]}, 400))
    assert isinstance(few, RingEventsApiError)
    assert len(few.errors) == 10
    assert len(str(few)) < 15_000


def test_an_endless_error_page_is_left_early(driver: type[SyncDriver]) -> None:
    error = failure(driver, Response(500, b"x" * 65_536, {"Content-Type": "text/html"}, framing="close", endless=True))
    assert isinstance(error, RingEventsApiError)
    assert error.status == 500


def test_an_endless_success_is_left_at_the_limit(driver: type[SyncDriver], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(defaults, "MAX_RESOURCE_BYTES", 1_000_000)
    answer = Response(200, b" " * 65_536, framing="close", endless=True)
    for call in (GET, POST):
        error = failure(driver, answer, call, max_attempts=3)
        assert isinstance(error, RingEventsTransportError)
        assert "more than 1000000 bytes" in str(error)
        assert error.ambiguous == (call is POST)
        assert not error.retryable


def test_compressed_answers_are_read(driver: type[SyncDriver]) -> None:
    import gzip

    body = gzip.compress(b'{"data": {"id": "e1"}}')
    with RawServer(lambda seen: Response(body=body, headers={"Content-Encoding": "gzip"})) as server:
        assert driver(server.url).send(GET)["data"]["id"] == "e1"
    error = failure(driver, Response(body=b"no gzip", headers={"Content-Encoding": "gzip"}))
    assert isinstance(error, RingEventsTransportError)


def test_an_error_crosses_to_the_task_and_back(driver: type[SyncDriver]) -> None:
    from airflow_provider_ringevents.client.errors import error_from_payload

    for error in (
        failure(driver, error_response(429, Retry_After="300", X_Request_Id="r")),
        failure(driver, error_response(500), POST),
        failure(driver, error_response(404)),
        failure(driver, NO_RESPONSE, POST),
        failure(driver, NO_RESPONSE),
    ):
        again = error_from_payload(json.loads(json.dumps(error.to_payload())))
        assert type(again) is type(error)
        assert str(again) == str(error)
        for name in ("ambiguous", "retryable", "status", "request_id", "retry_after", "sent"):
            assert getattr(again, name, None) == getattr(error, name, None)


# --- half an emoji


def test_half_an_emoji_does_not_make_its_page_unreadable(driver: type[SyncDriver]) -> None:
    body = b'{"data": {"id": "e1", "attributes": {"name": "cut \\ud83d", "whole": "\\ud83d\\ude00 \\\\ud83d"}}}'
    with RawServer(lambda seen: Response(200, body, {"Content-Type": "application/json"})) as server:
        attributes = driver(server.url).send(GET)["data"]["attributes"]
    assert attributes == {"name": "cut \ufffd", "whole": "\U0001f600 \\ud83d"}


@pytest.mark.parametrize("body", [b'{"a": "\\ud83d", "b": NaN}', b'{"a": "\\ud83d"', b'{"a": "\\ud8'])
def test_what_is_no_json_stays_none_beside_half_an_emoji(driver: type[SyncDriver], body: bytes) -> None:
    assert "is not valid JSON" in str(failure(driver, Response(200, body, {"Content-Type": "application/json"})))


# --- another report than the one that was requested


def test_a_file_of_another_report_is_not_downloaded(driver: type[SyncDriver]) -> None:
    def respond(seen: Request) -> Response:
        if seen.path.endswith("/download"):
            return Response(200, b"<html>", {"Content-Type": "text/html"})
        return json_response({"data": {"id": "b2", "attributes": {"url": f"{server.url}/file.csv"}}})

    with RawServer(respond) as server:
        with pytest.raises(RingEventsTransferError, match="another report"):
            driver(server.url, max_attempts=1).download(endpoints.download_report("a1"))
        assert "/file.csv" not in [request.path for request in server.requests]
