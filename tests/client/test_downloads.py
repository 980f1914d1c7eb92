"""How a report's file is had: directly, by redirect, by its signed link, in one go or in several."""

from __future__ import annotations

import gzip
import random
import threading
import zlib
from typing import Any

import pytest
from client_drivers import SyncDriver
from hypothesis import given, settings
from hypothesis import strategies as st
from raw_server import (
    NO_RESPONSE,
    RawServer,
    Request,
    Response,
    closed_port,
    error_response,
    json_response,
)

from airflow_provider_ringevents.client import defaults, endpoints
from airflow_provider_ringevents.client.downloads.state import DownloadRestartRequired, file_name
from airflow_provider_ringevents.client.errors import (
    RingEventsApiError,
    RingEventsAuthError,
    RingEventsError,
    RingEventsNotFoundError,
    RingEventsRateLimitError,
    RingEventsTransferError,
    RingEventsTransportError,
)

CALL = endpoints.download_report("r")
SIGNATURE = "sig=c0ffee5167"
CSV = {"Content-Type": "text/csv; charset=utf-8"}
CONTENT = b"".join(b"%07d,some row of the report\n" % number for number in range(36_000))
"""About a megabyte: several blocks."""
ETAG = '"v1"'


class Store:
    """A server of files, as object stores are: ETag, Range, If-Range.

    :ivar cuts: for each answer in turn the bytes after which it is cut; then whole ones.
    """

    def __init__(self, *cuts: int, etag: str | None = ETAG, ranges: bool = True, **odd: Any) -> None:
        self.cuts = list(cuts)
        self.etag = etag
        self.ranges = ranges
        self.content = CONTENT
        self.odd = odd

    def __call__(self, seen: Request) -> Response:
        headers = {**CSV, **({"ETag": self.etag} if self.etag else {}), **self.odd.get("headers", {})}
        status, body = 200, self.content
        wanted = seen.headers.get("range")
        if wanted and self.ranges and seen.headers.get("if-range") == self.etag:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            status, body = 206, self.content[start:]
            first, total = start + self.odd.get("first_off", 0), len(self.content) + self.odd.get("total_off", 0)
            headers["Content-Range"] = f"bytes {first}-{len(self.content) - 1}/{total}"
            headers |= self.odd.get("part_headers", {})
        cut = self.cuts.pop(0) if self.cuts else None
        return Response(
            self.odd.get("part_status", status) if status == 206 else status,
            body,
            headers,
            cut=cut,
            framing=self.odd.get("framing", "length"),
            reset=self.odd.get("reset", False),
        )


def whole(seen: Request) -> Response:
    return Response(200, CONTENT, CSV)


def redirect(url: str, status: int = 302) -> Response:
    return Response(status, headers={"Location": url})


class Api:
    """The API: `/download` answers with ``download``, the report's link leads to ``link``."""

    def __init__(self, download: Any, link: Any = None) -> None:
        self.download = download
        self.link = link

    def __call__(self, seen: Request) -> Response:
        if seen.path == "/v1/reports/r/download":
            return self.download(seen) if callable(self.download) else self.download
        if seen.path == "/v1/reports/r":
            link = self.link() if callable(self.link) else self.link
            return json_response({"data": {"id": "r", "type": "report", "attributes": {"url": link}}})
        raise AssertionError(seen.target)


# --- the way to the file


def test_a_file_from_download_itself(driver: type[SyncDriver]) -> None:
    headers = {**CSV, "ETag": ETAG, "Content-Disposition": 'attachment; filename="regs.csv"'}
    with RawServer(lambda seen: Response(200, CONTENT, headers)) as api:
        fetched = driver(api.url).download(CALL)
        assert len(api.requests) == 1
    plan = fetched.state
    assert fetched.content == CONTENT
    assert (plan.size, plan.received, plan.verified, plan.etag) == (len(CONTENT), len(CONTENT), True, ETAG)
    assert (plan.content_type, plan.file_name, plan.encoded, plan.resumes) == ("text/csv", "regs.csv", False, 0)


def test_blocks_are_large_and_an_empty_file_is_a_file(driver: type[SyncDriver]) -> None:
    blocks: list[bytes] = []
    with RawServer(whole) as api:
        driver(api.url).download(CALL, blocks)
    assert b"".join(blocks) == CONTENT
    assert all(len(block) >= defaults.CHUNK_BYTES for block in blocks[:-1])
    with RawServer(lambda seen: Response(200, b"", CSV)) as api:
        fetched = driver(api.url).download(CALL)
    assert (fetched.content, fetched.state.verified) == (b"", True)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_the_key_does_not_go_along_to_another_origin(driver: type[SyncDriver], status: int) -> None:
    with (
        RawServer(whole) as store,
        RawServer(lambda seen: redirect(f"{store.url}/f?{SIGNATURE}", status)) as api,
    ):
        assert driver(api.url).download(CALL).content == CONTENT
        assert "authorization" in api.requests[0].headers
        (seen,) = store.requests
        assert seen.target == f"/f?{SIGNATURE}"
        assert "authorization" not in seen.headers
        assert seen.headers["accept-encoding"] == "identity"


def test_the_key_goes_along_on_the_apis_own_origin(driver: type[SyncDriver]) -> None:
    def handler(seen: Request) -> Response:
        return whole(seen) if seen.path == "/files/1" else redirect("/files/1")

    with RawServer(handler) as api:
        assert driver(api.url).download(CALL).content == CONTENT
        assert "authorization" in api.requests[1].headers


def test_the_key_does_not_come_back_into_play_by_way_of_another_origin(driver: type[SyncDriver]) -> None:
    """There and back again: what another origin chose to link to gets the key only as the API's own origin."""
    with RawServer(whole) as last:
        with (
            RawServer(lambda seen: redirect(f"{last.url}/b")) as middle,
            RawServer(lambda seen: redirect(f"{middle.url}/a")) as api,
        ):
            assert driver(api.url).download(CALL).content == CONTENT
            assert "authorization" not in middle.requests[0].headers
        assert "authorization" not in last.requests[0].headers


@pytest.mark.parametrize("hops", [1, 3, 5])
def test_a_chain_of_redirects_is_followed(driver: type[SyncDriver], hops: int) -> None:
    def handler(seen: Request) -> Response:
        at = int(seen.path.rpartition("/")[2]) if seen.path.startswith("/hop/") else 0
        return whole(seen) if at == hops else redirect(f"/hop/{at + 1}")

    with RawServer(handler) as api:
        assert driver(api.url).download(CALL).content == CONTENT
        assert len(api.requests) == hops + 1


def test_redirects_without_end_are_left(driver: type[SyncDriver]) -> None:
    with RawServer(lambda seen: redirect("/round")) as api:
        with pytest.raises(RingEventsTransferError, match="redirects endlessly"):
            driver(api.url).download(CALL)
        assert len(api.requests) == defaults.MAX_REDIRECTS + 1


@pytest.mark.parametrize(
    ("location", "message"),
    [
        (f"http://files.example.org/f?{SIGNATURE}", "http://files.example.org: a report is not read unencrypted"),
        (f"ftp://files.example.org/f?{SIGNATURE}", "not http or https"),
        ("file:///etc/passwd", "not http or https"),
        ("https:///f", "not http or https"),
        (f"https://host:99999999/f?{SIGNATURE}", "not http or https"),
        ("", "redirects without a location"),
    ],
)
def test_a_redirect_to_what_is_not_safe_is_an_error(driver: type[SyncDriver], location: str, message: str) -> None:
    with RawServer(lambda seen: redirect(location)) as api:
        with pytest.raises(RingEventsTransferError, match=message) as caught:
            driver(api.url).download(CALL)
        assert len(api.requests) == 1
    assert SIGNATURE not in str(caught.value)


@pytest.mark.parametrize("location", ["http://[::1/f", "\x7f", "javascript:alert(1)"])
def test_a_redirect_to_no_address_at_all_ends_as_an_error_of_ours(driver: type[SyncDriver], location: str) -> None:
    with (
        RawServer(Api(redirect(location), location)) as api,
        pytest.raises((RingEventsTransferError, RingEventsTransportError)),
    ):
        driver(api.url, max_attempts=1).download(CALL)


@pytest.mark.parametrize("link", ["http://[::1/f", "https://host:port/f", "ftp://host/f", "mailto:a@b", "https://"])
def test_a_link_that_is_no_address_ends_as_an_error_of_ours(driver: type[SyncDriver], link: str) -> None:
    with (
        RawServer(Api(error_response(404), link)) as api,
        pytest.raises(RingEventsTransferError, match=r"not http or https|malformed"),
    ):
        driver(api.url).download(CALL)


NO_FILE = {
    "403": error_response(403),
    "404": error_response(404),
    "400": error_response(400),
    "500": error_response(500),
    "202": json_response({"data": {}}, 202),
    "202 csv": Response(202, b"a,b", CSV),
    "204": Response(204),
    "html": Response(200, b"<html>", {"Content-Type": "text/html; charset=utf-8"}),
    "json": json_response({"data": {}}),
    "json api": Response(200, b"{}", {"Content-Type": "Application/vnd.api+json"}),
    "no answer": NO_RESPONSE,
}


@pytest.mark.parametrize("answer", NO_FILE.values(), ids=NO_FILE)
def test_where_download_will_not_do_the_signed_link_does(driver: type[SyncDriver], answer: Response) -> None:
    with (
        RawServer(whole) as store,
        RawServer(Api(answer, lambda: f"{store.url}/f?{SIGNATURE}")) as api,
    ):
        assert driver(api.url, max_attempts=2).download(CALL).content == CONTENT
        assert "authorization" not in store.requests[0].headers
        assert api.paths[-1] == "/v1/reports/r"


@pytest.mark.parametrize(
    ("answer", "error"),
    [(error_response(401), RingEventsAuthError), (error_response(429, Retry_After="200"), RingEventsRateLimitError)],
)
def test_a_refused_key_and_a_rate_limit_are_not_walked_around(
    driver: type[SyncDriver], answer: Response, error: type[RingEventsError]
) -> None:
    with RawServer(Api(answer, "https://example.org")) as api:
        with pytest.raises(error):
            driver(api.url).download(CALL)
        assert len(api.requests) == 1


@pytest.mark.parametrize("answer", [NO_FILE["html"], NO_FILE["json"], NO_FILE["202"], NO_FILE["204"]])
def test_no_file_anywhere_is_an_error_and_never_a_file(driver: type[SyncDriver], answer: Response) -> None:
    with (
        RawServer(lambda seen: answer) as store,
        RawServer(Api(answer, lambda: f"{store.url}/f?{SIGNATURE}")) as api,
        pytest.raises(RingEventsTransferError, match="where a file was expected") as caught,
    ):
        driver(api.url).download(CALL)
    assert SIGNATURE not in str(caught.value)
    assert caught.value.retryable


@pytest.mark.parametrize("link", [None, "", 5])
def test_without_a_link_what_went_wrong_at_download_is_raised(driver: type[SyncDriver], link: Any) -> None:
    with RawServer(Api(error_response(403, {"detail": "not yours"}), link)) as api:
        with pytest.raises(RingEventsAuthError, match="not yours"):
            driver(api.url).download(CALL)
        assert api.paths == ["/v1/reports/r/download", "/v1/reports/r"]


def test_a_report_that_is_not_there_is_not_found(driver: type[SyncDriver]) -> None:
    with (
        RawServer(lambda seen: error_response(404)) as api,
        pytest.raises(RingEventsNotFoundError, match="get_report"),
    ):
        driver(api.url).download(CALL)


# --- links that expire


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
@pytest.mark.parametrize("by", ["redirect", "link"])
def test_an_expired_link_is_asked_for_anew(driver: type[SyncDriver], status: int, by: str) -> None:
    given_out: list[str] = []

    def store_handler(seen: Request) -> Response:
        fresh = len(given_out) >= 3
        return whole(seen) if fresh else Response(status, b"<Error><Code>AccessDenied</Code></Error>")

    with RawServer(store_handler) as store:

        def link() -> str:
            given_out.append(f"{store.url}/f?{SIGNATURE}{len(given_out)}")
            return given_out[-1]

        by_redirect = Api(lambda seen: redirect(link()), None)
        with RawServer(by_redirect if by == "redirect" else Api(error_response(404), link)) as api:
            assert driver(api.url).download(CALL).content == CONTENT
        assert [seen.target for seen in store.requests] == [f"/f?{SIGNATURE}{number}" for number in range(3)]


def test_a_link_that_never_works_ends_as_a_transfer_error_not_as_a_refused_key(driver: type[SyncDriver]) -> None:
    with (
        RawServer(lambda seen: Response(403)) as store,
        RawServer(lambda seen: Api(redirect(f"{store.url}/f?{SIGNATURE}"), f"{store.url}/g")(seen)) as api,
    ):
        with pytest.raises(RingEventsTransferError, match="answered 403") as caught:
            driver(api.url).download(CALL)
        assert len(store.requests) <= 2 * (1 + defaults.MAX_LINK_REFRESHES)
    assert SIGNATURE not in str(caught.value)
    assert caught.value.retryable


def test_a_store_that_fails_is_tried_again_and_then_by_the_other_way(driver: type[SyncDriver]) -> None:
    with (
        RawServer(lambda seen: Response(503) if seen.path == "/a" else whole(seen)) as store,
        RawServer(lambda seen: Api(redirect(f"{store.url}/a"), f"{store.url}/b")(seen)) as api,
    ):
        assert driver(api.url, max_attempts=3).download(CALL).content == CONTENT
        assert store.paths == ["/a", "/a", "/a", "/b"]


def test_a_store_that_cannot_be_reached_is_an_error_without_the_link(driver: type[SyncDriver]) -> None:
    link = f"http://127.0.0.1:{closed_port()}/secret?{SIGNATURE}"
    with RawServer(Api(redirect(link), link)) as api, pytest.raises(RingEventsTransportError) as caught:
        driver(api.url).download(CALL)
    error: BaseException | None = caught.value
    while error is not None:
        assert SIGNATURE not in str(error)
        error = error.__cause__


# --- bodies that do not come whole

CUTS = {"orderly": {}, "reset": {"reset": True}, "chunked": {"framing": "chunked"}}


@pytest.mark.parametrize("how", CUTS.values(), ids=CUTS)
@pytest.mark.parametrize("cuts", [(700_000,), (300_001, 400_000, 1), (0, 0), (len(CONTENT) - 1,)])
def test_a_cut_file_goes_on_where_it_was_cut(driver: type[SyncDriver], how: dict[str, Any], cuts: tuple[int]) -> None:
    with RawServer(Store(*cuts, **how)) as api:
        fetched = driver(api.url).download(CALL)
        later = api.requests[1:]
    assert fetched.content == CONTENT
    assert fetched.state.resumes == len(cuts)
    went_on = [seen for seen in later if "range" in seen.headers]
    assert {seen.headers["if-range"] for seen in went_on} <= {ETAG}
    # Without a Content-Length the size is known from a range alone.
    assert fetched.state.verified == (how.get("framing") != "chunked" or bool(went_on))
    # What came is not sent again; a reset may drop what was still on its way.
    if cuts[0] and "reset" not in how:
        assert later[0].headers["range"] == f"bytes={cuts[0]}-"


def test_after_a_cut_the_way_begins_where_fresh_links_come_from(driver: type[SyncDriver]) -> None:
    links: list[str] = []
    with RawServer(Store(700_000)) as store:

        def download(seen: Request) -> Response:
            links.append(f"{store.url}/f?{SIGNATURE}{len(links)}")
            return redirect(links[-1])

        with RawServer(Api(download)) as api:
            assert driver(api.url).download(CALL).content == CONTENT
        assert len(links) == 2
        assert "authorization" not in store.requests[1].headers
        assert "range" in store.requests[1].headers


def restarts(driver: type[SyncDriver], handler: Any, **options: Any) -> DownloadRestartRequired:
    blocks: list[bytes] = []
    with RawServer(handler) as api, pytest.raises(DownloadRestartRequired) as caught:
        driver(api.url, **options).download(CALL, blocks)
    received = b"".join(blocks)
    assert CONTENT.startswith(received)
    assert f"{len(received)} bytes are discarded" in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    "options",
    [
        {"etag": None},
        {"etag": 'W/"weak"'},
        {"ranges": False},
        {"part_status": 200},
        {"part_headers": {"Content-Range": ""}},
        {"first_off": 1},
        {"first_off": -1},
        {"total_off": 1},
        {"part_headers": {"Content-Range": "items 1-2/3"}},
        {"part_headers": {"Content-Range": f"bytes 700000-700001/{'9' * 5000}"}},
        {"part_headers": {"Content-Range": f"bytes {'9' * 5000}-700001/700002"}},
        {"part_headers": {"Content-Type": "multipart/byteranges; boundary=x", "Content-Range": "x"}},
        {"part_headers": {"ETag": '"v2"'}},
    ],
    ids=[
        "no etag",
        "weak etag",
        "no ranges",
        "200 for a range",
        "no content-range",
        "from a later byte",
        "from an earlier byte",
        "other size",
        "other unit",
        "size of 5000 digits",
        "first byte of 5000 digits",
        "multipart",
        "other etag",
    ],
)
def test_what_cannot_be_taken_up_again_starts_over(driver: type[SyncDriver], options: dict[str, Any]) -> None:
    restarts(driver, Store(700_000, **options))


def test_a_file_that_changed_in_between_starts_over(driver: type[SyncDriver]) -> None:
    store = Store(700_000)

    def handler(seen: Request) -> Response:
        answer = store(seen)
        store.etag = '"v2"'
        return answer

    restarts(driver, handler)


def test_a_file_that_is_shorter_now_starts_over(driver: type[SyncDriver]) -> None:
    def handler(seen: Request) -> Response:
        return Response(416) if "range" in seen.headers else Store(700_000)(seen)

    assert "shorter" in str(restarts(driver, handler))


def test_the_size_is_learnt_from_a_range_where_the_first_answer_did_not_say(driver: type[SyncDriver]) -> None:
    with RawServer(Store(700_000, framing="chunked")) as api:
        fetched = driver(api.url).download(CALL)
    assert fetched.content == CONTENT
    assert fetched.state.size == len(CONTENT)
    assert fetched.state.verified


def test_a_range_that_ends_early_is_not_taken_for_the_whole_file(driver: type[SyncDriver]) -> None:
    def handler(seen: Request) -> Response:
        if "range" not in seen.headers:
            return Store(700_000)(seen)
        start = int(seen.headers["range"].removeprefix("bytes=").rstrip("-"))
        part = CONTENT[start : start + 1000]
        headers = {**CSV, "ETag": ETAG, "Content-Range": f"bytes {start}-{start + 999}/{len(CONTENT)}"}
        return Response(206, part, headers)

    with RawServer(handler) as api, pytest.raises(RingEventsTransferError, match=f"of a file of {len(CONTENT)}"):
        driver(api.url).download(CALL)


@pytest.mark.parametrize("sent", [100, 500_000])
def test_a_part_that_is_shorter_than_its_range_is_not_the_rest_of_a_file_of_unknown_size(
    driver: type[SyncDriver], sent: int
) -> None:
    def handler(seen: Request) -> Response:
        if "range" not in seen.headers:
            return Store(700_000, framing="chunked")(seen)
        start = int(seen.headers["range"].removeprefix("bytes=").rstrip("-"))
        headers = {**CSV, "ETag": ETAG, "Content-Range": f"bytes {start}-{len(CONTENT) - 1}/*"}
        return Response(206, CONTENT[start : start + sent], headers)

    with RawServer(handler) as api:
        if 700_000 + sent < len(CONTENT):
            with pytest.raises(RingEventsTransferError, match=f"its range ends after {len(CONTENT)}"):
                driver(api.url).download(CALL)
        else:
            assert driver(api.url).download(CALL).content == CONTENT


def test_a_part_where_all_was_asked_for_is_an_error(driver: type[SyncDriver]) -> None:
    answer = Response(206, b"part", {**CSV, "Content-Range": "bytes 5-8/100"})
    with RawServer(lambda seen: answer) as api, pytest.raises(RingEventsTransferError, match="a part of the file"):
        driver(api.url).download(CALL)


def test_a_file_that_is_cut_again_and_again_is_given_up(driver: type[SyncDriver]) -> None:
    with RawServer(Store(*[0] * 100)) as api:
        with pytest.raises(RingEventsTransferError, match="cut the file 6 times") as caught:
            driver(api.url).download(CALL)
        assert len(api.requests) == 1 + defaults.MAX_RESUMES
    assert not isinstance(caught.value, DownloadRestartRequired)


def test_silence_in_the_middle_is_a_cut(driver: type[SyncDriver]) -> None:
    answers = [Response(200, CONTENT, {**CSV, "ETag": ETAG}, stall=700_000)]
    store = Store()
    with RawServer(lambda seen: answers.pop() if answers else store(seen)) as api:
        fetched = driver(api.url, timeout=1.0).download(CALL)
        assert "range" in api.requests[1].headers
    assert fetched.content == CONTENT


def test_a_file_longer_than_it_said_keeps_to_what_it_said(driver: type[SyncDriver]) -> None:
    """The bytes after Content-Length belong to no body; the connection is not used again."""
    with RawServer(lambda seen: Response(200, CONTENT, CSV, declared=1000)) as api:
        assert driver(api.url).download(CALL).content == CONTENT[:1000]


@pytest.mark.parametrize("framing", ["close", "chunked"])
def test_a_file_whose_length_is_not_said_is_not_verified(driver: type[SyncDriver], framing: str) -> None:
    with RawServer(lambda seen: Response(200, CONTENT, CSV, framing=framing)) as api:
        fetched = driver(api.url).download(CALL)
    assert fetched.content == CONTENT
    assert not fetched.state.verified
    assert fetched.state.size is None


# --- compressed although identity was asked for


@pytest.mark.parametrize(
    ("encoding", "compressed"),
    [("gzip", gzip.compress(CONTENT)), ("Deflate", zlib.compress(CONTENT))],
    ids=["gzip", "deflate"],
)
def test_a_compressed_file_is_unpacked_and_its_length_checked_as_sent(
    driver: type[SyncDriver], encoding: str, compressed: bytes
) -> None:
    with RawServer(lambda seen: Response(200, compressed, {**CSV, "Content-Encoding": encoding})) as api:
        fetched = driver(api.url).download(CALL)
    assert fetched.content == CONTENT
    assert fetched.state.encoded
    assert fetched.state.verified
    assert fetched.state.size is None, "the size of the file itself is not known"


def test_a_compressed_file_that_is_cut_starts_over(driver: type[SyncDriver]) -> None:
    noise = random.Random(1).randbytes(2_000_000)
    compressed = gzip.compress(noise)
    headers = {**CSV, "Content-Encoding": "gzip", "ETag": ETAG}
    with (
        RawServer(lambda seen: Response(200, compressed, headers, cut=1_500_000)) as api,
        pytest.raises(DownloadRestartRequired),
    ):
        driver(api.url).download(CALL)


@pytest.mark.parametrize("encoding", ["br", "zstd", "compress", "gzip, br", "rot13"])
def test_an_encoding_that_cannot_be_unpacked_is_not_taken_for_the_file(driver: type[SyncDriver], encoding: str) -> None:
    with (
        RawServer(lambda seen: Response(200, b"\x1b\x03packed", {**CSV, "Content-Encoding": encoding})) as api,
        pytest.raises(RingEventsTransferError, match="encoding"),
    ):
        driver(api.url).download(CALL)


@pytest.mark.parametrize("encoding", ["", "identity", "Identity"])
def test_identity_is_no_compression(driver: type[SyncDriver], encoding: str) -> None:
    with RawServer(lambda seen: Response(200, CONTENT, {**CSV, "Content-Encoding": encoding})) as api:
        fetched = driver(api.url).download(CALL)
    assert fetched.content == CONTENT
    assert not fetched.state.encoded


# --- connections


def test_a_download_that_is_left_early_drops_its_connection() -> None:
    answer = Response(200, CONTENT, CSV, stall=defaults.CHUNK_BYTES + 1)
    with RawServer(lambda seen: answer) as api, SyncDriver(api.url).client() as client:
        with client.download(CALL) as download:
            assert next(iter(download))
        api.stopping.set()  # the server sees that the client has left as soon as it writes or ends
        assert api.wait_until_closed()


def test_the_client_goes_on_after_downloads_that_were_left() -> None:
    with RawServer(Api(whole, "x")) as api, SyncDriver(api.url).client() as client:
        for _ in range(2 * defaults.MAX_CONNECTIONS):
            with client.download(CALL) as download:
                next(iter(download))
        assert client.send(endpoints.get_report("r"))["data"]["id"] == "r"


def test_downloads_side_by_side_share_a_client() -> None:
    results: list[bytes] = []
    with RawServer(Store()) as api, SyncDriver(api.url).client() as client:

        def fetch() -> None:
            with client.download(CALL) as download:
                results.append(b"".join(download))

        threads = [threading.Thread(target=fetch) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert results == [CONTENT] * 8


def test_the_other_errors_of_download_keep_their_kind(driver: type[SyncDriver]) -> None:
    """What the API says of the report itself, not of a link."""
    with (
        RawServer(lambda seen: error_response(403, {"detail": "no"})) as api,
        pytest.raises(RingEventsApiError) as caught,
    ):
        driver(api.url).download(CALL)
    assert isinstance(caught.value, RingEventsAuthError)


# --- Content-Disposition


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("", ""),
        ("attachment", ""),
        ("inline; filename=a.csv", "a.csv"),
        ('attachment; filename="a b.csv"', "a b.csv"),
        ("attachment; FileName = a.csv ; x=y", "a.csv"),
        ('attachment; filename="a\\"b\\\\c.csv"', 'a"b\\c.csv'),
        ('attachment; filename="a;b.csv"', "a;b.csv"),
        ("attachment; filename*=UTF-8''na%C3%AFve%20file.csv", "naïve file.csv"),
        ("attachment; filename*=utf-8'en'%e2%82%ac.csv", "€.csv"),
        ("attachment; filename=\"plain.csv\"; filename*=UTF-8''better.csv", "better.csv"),
        ("attachment; filename*=UTF-8''better.csv; filename=\"plain.csv\"", "better.csv"),
        ("attachment; filename*=iso-8859-1''%A3.csv", "£.csv"),
        ("attachment; filename=\"plain.csv\"; filename*=nonsense''%A3.csv", "plain.csv"),
        ("attachment; filename=\"plain.csv\"; filename*=UTF-8''%FF.csv", "plain.csv"),
        ("attachment; filename=\"plain.csv\"; filename*=undefined''%41.csv", "plain.csv"),
        ("attachment; filename=\"plain.csv\"; filename*=hex''%41.csv", "plain.csv"),
        ("attachment; filename*=UTF-8''%FF.csv", ""),
        ("attachment; filename*=better.csv", ""),
        ("attachment; notfilename=evil.csv", ""),
        ('attachment; filename=""', ""),
        ('attachment; filename="../../etc/passwd"', "../../etc/passwd"),
        ("attachment; filename*=UTF-8''..%2F..%2Fetc%2Fpasswd", "../../etc/passwd"),
        ("filename=bare.csv", "bare.csv"),
        ("attachment; filename=", ""),
        ('attachment; filename="open', '"open'),
        ('attachment; name="x; filename=evil.csv"; filename="good.csv"', "good.csv"),
        ("attachment; name=\"x; filename*=UTF-8''evil.csv\"; filename=good.csv", "good.csv"),
    ],
)
def test_the_servers_name_for_the_file(header: str, name: str) -> None:
    assert file_name(header) == name


@given(st.text(max_size=60), st.text(max_size=20))
@settings(derandomize=True, max_examples=300, deadline=None)
def test_any_content_disposition_gives_a_name_or_nothing(text: str, charset: str) -> None:
    assert isinstance(file_name(text), str)
    assert isinstance(file_name(f"attachment; filename*={charset}''{text}"), str)
    assert isinstance(file_name(f'attachment; filename="{text}"'), str)
