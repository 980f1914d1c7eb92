"""The lines of the report: one probe for each assumption that reading can test."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urljoin

from airflow_provider_ringevents.cli.check_report.session import Exchange
from airflow_provider_ringevents.cli.check_report.survey import FILTER_SPELLINGS, Evidence, attributes_of
from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.downloads.checksums import Checksum
from airflow_provider_ringevents.client.pagination import url_origin
from airflow_provider_ringevents.client.report_status import FAILED_WORDS, IN_PROGRESS_WORDS, READY_WORDS
from airflow_provider_ringevents.client.secrets import conceal
from airflow_provider_ringevents.contract import openapi

_RATE_LIMIT_HEADER: Final = re.compile(r"rate-?limit|retry-after|throttl|quota")
_REQUEST_ID_HEADER: Final = re.compile(r"(request|correlation|trace)-?id|^traceparent$|^cf-ray$")
_CHECKSUM_HEADER: Final = re.compile(r"digest|md5|goog-hash|checksum|crc32|sha\d")
_WORD: Final = re.compile(r"[A-Za-z][A-Za-z0-9_ -]{0,39}")
"""A status or the name of a field; anything else could be personal data and is not shown."""
_LONGEST_WITH_DIGITS: Final = 15
"""Characters of a word with digits; a longer one could be an id or a key."""
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?P<s>:\d\d)?(?P<f>[.,]\d+)?(?P<o>Z|[+-]\d\d:?\d\d)?")
_KNOWN_WORDS: Final = FAILED_WORDS | IN_PROGRESS_WORDS | READY_WORDS


@dataclass(frozen=True, slots=True)
class Finding:
    """The reading of one probe.

    :ivar seen: the behaviour of the service.
    :ivar fits: it is as assumed; None where it could not be seen.
    """

    seen: str
    fits: bool | None


_NOT_SHOWN: Final = "(not shown)"
NOT_SEEN: Final = Finding("not seen", None)


def _authorization(evidence: Evidence) -> Finding:
    names = {scheme: f"{scheme} KEY" if scheme else "the bare key" for scheme in evidence.auth}
    seen = ", ".join(f"{names[scheme]}: {status}" for scheme, status in sorted(evidence.auth.items(), reverse=True))
    default = evidence.auth.get(defaults.AUTH_SCHEME)
    return Finding(seen or "not seen", None if default is None else default == 200)


def _permissions(evidence: Evidence) -> Finding:
    denied = sorted({each.operation for each in evidence.exchanges if each.status == 403})
    operations = {each.operation for each in evidence.exchanges}
    if not operations:
        return NOT_SEEN
    return Finding(f"403 for {', '.join(denied)}" if denied else f"no 403 in {len(operations)} operations", not denied)


def _page_size(evidence: Evidence) -> Finding:
    total, default, hundred = evidence.registrations, evidence.pages.get(0), evidence.pages.get(100)
    if total is None or default is None or hundred is None:
        return NOT_SEEN
    if total < 100:
        return Finding(f"{len(default.rows)} by default; too few rows to see more", None)
    size = len(hundred.rows)
    return Finding(f"{len(default.rows)} by default, {size} where 100 are requested", size == 100)


def _large_pages(evidence: Evidence) -> Finding:
    page = evidence.pages.get(1000)
    if page is None:
        return NOT_SEEN
    if page.status != 200:
        return Finding(f"{page.status} where 1000 are requested", False)
    return Finding(f"{len(page.rows)} rows where 1000 are requested", True)


def _page_number(evidence: Evidence) -> Finding:
    if len(evidence.numbered) < 2 or not evidence.numbered[1].rows or evidence.numbered[0].status != 200:
        return NOT_SEEN
    first, second = ({row.get("id") for row in page.rows} for page in evidence.numbered)
    return Finding("the same rows on both pages" if first & second else "obeyed", not first & second)


def _filters(evidence: Evidence) -> Finding:
    if not evidence.filters or not evidence.registrations:
        return NOT_SEEN
    seen = []
    for spelling, exchange in evidence.filters.items():
        if exchange.status != 200:
            effect = f"refused with {exchange.status}"
        else:
            effect = "ignored" if exchange.rows else "obeyed"
        seen.append(f"{spelling}: {effect}")
    first = evidence.filters.get(FILTER_SPELLINGS[0])
    return Finding(", ".join(seen), first is not None and first.status == 200 and not first.rows)


def _count(evidence: Evidence) -> Finding:
    page = evidence.pages.get(0)
    if page is None or page.status != 200:
        return NOT_SEEN
    if page.count is None:
        return Finding("no number in meta.count", False)
    plausible = page.count >= len(page.rows)
    return Finding("a number" if plausible else "a number smaller than the rows of the page", plausible)


def _link(evidence: Evidence) -> Any:
    page = evidence.numbered[0] if evidence.numbered else None
    links = page.body.get("links") if page else None
    return links.get("next", ...) if isinstance(links, Mapping) else ...


def _link_form(evidence: Evidence) -> Finding:
    if len(evidence.numbered) < 2 or not evidence.numbered[1].rows:
        return NOT_SEEN
    link = _link(evidence)
    if isinstance(link, str) and link:
        return Finding("a string", True)
    if isinstance(link, Mapping) and isinstance(link.get("href"), str):
        return Finding("an object with href", True)
    form = "null" if link is None else "absent" if link is ... else "neither a string nor an object with href"
    return Finding(f"{form}, although more rows follow", False)


def _link_host(evidence: Evidence) -> Finding:
    link = _link(evidence)
    target = link.get("href") if isinstance(link, Mapping) else link
    if not isinstance(target, str) or not target:
        return NOT_SEEN
    base = evidence.settings.base_url
    try:
        origin = url_origin(urljoin(base, target))
    except ValueError:
        return Finding("not a URL", False)
    if origin == url_origin(base):
        return Finding("that of the base URL", True)
    return Finding(f"another one: {origin[0]}://{origin[1]}", False)


def _ids(evidence: Evidence) -> Finding:
    operations = ("list_organizations", "list_events", "list_registrations", "list_tickets", "list_magic_links")
    ids = [str(row["id"]) for name in operations for row in evidence.rows(name) if row.get("id") is not None]
    if not ids:
        return NOT_SEEN
    usual = all(re.fullmatch(r"[A-Za-z0-9]{25}", each) for each in ids)
    if usual:
        return Finding("25 letters and digits", True)
    lengths = sorted({len(each) for each in ids})
    kind = "letters and digits" if all(each.isalnum() for each in ids) else "other characters, too"
    return Finding(f"{lengths[0]} to {lengths[-1]} characters, {kind}", False)


def _header_names(evidence: Evidence, pattern: re.Pattern[str]) -> list[str]:
    return sorted({name for each in evidence.exchanges for name in each.headers if pattern.search(name)})


def _rate_limit_headers(evidence: Evidence) -> Finding:
    names = _header_names(evidence, _RATE_LIMIT_HEADER)
    return Finding(", ".join(names) or "none", set(names) <= {"retry-after"}) if evidence.exchanges else NOT_SEEN


def _request_ids(evidence: Evidence) -> Finding:
    names = _header_names(evidence, _REQUEST_ID_HEADER)
    return Finding(", ".join(names) or "none", "x-request-id" in names) if evidence.exchanges else NOT_SEEN


def _words(evidence: Evidence, rows: Iterable[Mapping[str, Any]]) -> list[str]:
    words = [attributes_of(row).get("status") for row in rows]
    personal = evidence.personal_texts()
    return sorted({"null" if word is None else _shown(evidence, word, personal) for word in words})


def _shown(evidence: Evidence, word: object, personal: Collection[str]) -> str:
    """Return a word that the service has sent, unless it is, or could be, an id, a name, or the key."""
    key = conceal(evidence.settings.api_key).reveal().lower()
    if not isinstance(word, str) or not _WORD.fullmatch(word):
        return _NOT_SHOWN
    is_code = len(word) > _LONGEST_WITH_DIGITS and any(letter.isdigit() for letter in word)
    return _NOT_SHOWN if is_code or word.strip().lower() in personal or key in word.lower() else word


def _report_status(evidence: Evidence) -> Finding:
    rows = [*evidence.reports, *evidence.rows("get_report")]
    if not rows:
        return NOT_SEEN
    words = _words(evidence, rows)
    plain = {word.lower().replace("-", "_").replace(" ", "_") for word in words}
    return Finding(", ".join(words), plain <= _KNOWN_WORDS | {"null"})


def _event_status(evidence: Evidence) -> Finding:
    if not evidence.events:
        return NOT_SEEN
    flags = all(isinstance(attributes_of(row).get("published"), bool) for row in evidence.events)
    suffix = "" if flags else "; published is not true or false everywhere"
    return Finding(f"{', '.join(_words(evidence, evidence.events))}{suffix}", flags)


def _link_status(evidence: Evidence) -> Finding:
    rows = list(evidence.rows("list_magic_links"))
    return Finding(", ".join(_words(evidence, rows)), True) if rows else NOT_SEEN


def _file(evidence: Evidence) -> Exchange | None:
    return evidence.file[-1] if evidence.file and evidence.file[-1].status == 200 else None


def _download_answer(evidence: Evidence) -> Finding:
    if not evidence.file:
        return NOT_SEEN
    statuses = ", ".join(str(exchange.status) for exchange in evidence.file)
    file = _file(evidence)
    if file is None:
        return Finding(statuses, False)
    kind = _media_type(file)
    redirects = len(evidence.file) - 1
    how = f"a redirect to the file ({statuses})" if redirects else f"the file ({statuses})"
    return Finding(how, "html" not in kind and "json" not in kind)


def _media_type(file: Exchange) -> str:
    return file.headers.get("content-type", "").split(";")[0].strip().lower()


def _download_type(evidence: Evidence) -> Finding:
    file = _file(evidence)
    if file is None:
        return NOT_SEEN
    kind, encoding = _media_type(file) or "no type", file.headers.get("content-encoding", "")
    shown = kind if re.fullmatch(r"[\w.+-]+/[\w.+-]+|no type", kind) else _NOT_SHOWN
    packing = _shown(evidence, encoding, ()) if encoding and encoding != "identity" else "not compressed"
    return Finding(f"{shown}, {packing}", kind == "text/csv" and packing == "not compressed")


def _download_length(evidence: Evidence) -> Finding:
    file = _file(evidence)
    if file is None:
        return NOT_SEEN
    if "content-length" in file.headers:
        return Finding("Content-Length", True)
    return Finding("chunked" if "transfer-encoding" in file.headers else "until the connection ends", False)


def _download_checksum(evidence: Evidence) -> Finding:
    file = _file(evidence)
    if file is None:
        return NOT_SEEN
    names = sorted(name for name in file.headers if _CHECKSUM_HEADER.search(name))
    return Finding(", ".join(names) or "none", not names or Checksum.from_headers(file.headers) is not None)


def _download_etag(evidence: Evidence) -> Finding:
    file = _file(evidence)
    if file is None:
        return NOT_SEEN
    etag = file.headers.get("etag", "")
    return Finding("none" if not etag else "weak" if etag.startswith("W/") else "strong", etag.startswith('"'))


def _download_ranges(evidence: Evidence) -> Finding:
    part = evidence.part
    if part is None:
        return NOT_SEEN
    honoured = part.status == 206 and part.headers.get("content-range", "").startswith("bytes 0-0/")
    return Finding(f"{part.status}{'' if honoured else ', not the range'}", honoured)


def _times(rows: Iterable[Mapping[str, Any]], *names: str) -> Finding:
    forms, fits = set(), True
    for row in rows:
        for name in names:
            value = attributes_of(row).get(name)
            if value is None:
                continue
            found = _TIME.fullmatch(value) if isinstance(value, str) else None
            if found is None:
                forms.add("not ISO 8601")
            else:
                digits = len(found["f"]) - 1 if found["f"] else 0
                precision = f"{digits} digits of seconds" if digits else "seconds" if found["s"] else "minutes"
                offset = {None: "without an offset", "Z": "in UTC"}.get(found["o"], "with an offset")
                forms.add(f"{offset}, {precision}")
            fits = fits and found is not None and found["o"] is not None
    return Finding("; ".join(sorted(forms)), fits) if forms else NOT_SEEN


def _event_times(evidence: Evidence) -> Finding:
    return _times(evidence.events, "createdAt", "timeStart", "timeEnd")


def _registration_times(evidence: Evidence) -> Finding:
    return _times(evidence.rows("list_registrations"), "createdAt", "updatedAt", "firstCheckIn")


def _link_times(evidence: Evidence) -> Finding:
    return _times(evidence.rows("list_magic_links"), "createdAt", "updatedAt")


_RESOURCES: Final = {
    "list_organizations": "organization",
    "list_templates": "template",
    "list_events": "event",
    "list_registrations": "registration",
    "list_tickets": "ticket",
    "list_magic_links": "magicLink",
    "list_bank_questions": "bankQuestion",
    "list_reports": "report",
}


def _fields(evidence: Evidence) -> Iterator[tuple[str, set[str], set[str]]]:
    """Yield the name of each resource that came, its documented fields, and those that came."""
    schemas = openapi.document()["components"]["schemas"]
    for operation, name in _RESOURCES.items():
        rows = [attributes_of(row) for row in evidence.rows(operation)]
        if any(rows):
            documented = set(schemas[name]["properties"]["attributes"]["properties"])
            yield name, documented, {field for row in rows for field in row}


def _new_fields(evidence: Evidence) -> Finding:
    found = [(name, there - documented) for name, documented, there in _fields(evidence)]
    personal = evidence.personal_texts()
    new = sorted(
        {
            f"{name}.{_shown(evidence, field, personal) if ' ' not in field else _NOT_SHOWN}"
            for name, fields in found
            for field in fields
        }
    )
    return Finding(", ".join(new) or "none", not new) if found else NOT_SEEN


def _missing_fields(evidence: Evidence) -> Finding:
    found = [(name, documented - there) for name, documented, there in _fields(evidence)]
    missing = [f"{name}.{field}" for name, fields in found for field in sorted(fields)]
    return Finding(", ".join(missing) or "none", not missing) if found else NOT_SEEN


def _bank_questions(evidence: Evidence) -> Finding:
    exchange = evidence.questions
    if exchange is None:
        return NOT_SEEN
    if exchange.status != 200:
        return Finding(str(exchange.status), False)
    paged = "links" in exchange.body or "meta" in exchange.body
    return Finding(f"200, {'with' if paged else 'without'} pages", True)


PROBES: Final[Mapping[str, Callable[[Evidence], Finding]]] = {
    "authorization": _authorization,
    "permissions": _permissions,
    "page-size": _page_size,
    "large-pages": _large_pages,
    "page-number": _page_number,
    "filters": _filters,
    "count": _count,
    "link-form": _link_form,
    "link-host": _link_host,
    "ids": _ids,
    "rate-limit-headers": _rate_limit_headers,
    "request-ids": _request_ids,
    "report-status": _report_status,
    "event-status": _event_status,
    "download-answer": _download_answer,
    "download-type": _download_type,
    "download-length": _download_length,
    "download-checksum": _download_checksum,
    "download-etag": _download_etag,
    "download-ranges": _download_ranges,
    "event-times": _event_times,
    "registration-times": _registration_times,
    "link-times": _link_times,
    "new-fields": _new_fields,
    "missing-fields": _missing_fields,
    "bank-questions": _bank_questions,
    "link-status": _link_status,
}
"""The probes by the id of the note in the contract that they test."""


def lines(evidence: Evidence) -> list[dict[str, str]]:
    """Return the lines of the report."""
    notes = openapi.document()["x-notes"]
    words = {True: "yes", False: "no", None: "unknown"}
    return [
        {"point": point, "fits": words[finding.fits], "seen": finding.seen, "assumed": notes[point]["assumption"]}
        for point, finding in ((point, probe(evidence)) for point, probe in PROBES.items())
    ]
