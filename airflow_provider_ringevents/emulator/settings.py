"""The settings of the emulator."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import Any, Final, Literal, get_args, get_type_hints

from airflow_provider_ringevents.emulator.arguments import (
    check_choice,
    check_header_value,
    check_number,
    check_switch,
    check_text,
    invalid,
)

DEFAULT_API_KEY: Final = "emulator-api-key"

AuthForm = Literal["both", "bearer", "bare"]
RegistrationsOrder = Literal["created", "newest_first", "updated"]
SEEDED: Final = ("seed", "registrations", "events")
"""Settings of the seeded resources, which cannot change while these exist."""
_TEN_YEARS: Final = 315_360_000
_RANGES: Final = {
    "seed": (-(2**63), 2**63),
    "registrations": (0, 100_000_000),
    "events": (8, 20_000),
    "latency": (0, 3600),
    "rate_limit": (0.001, 1_000_000),
    "max_per_page": (1, 1_000_000),
    "count_cap": (0, 100_000_000),
    "report_seconds": (0, _TEN_YEARS),
    "report_missing_seconds": (0, _TEN_YEARS),
    "report_bytes": (0, 2**50),
    "link_seconds": (0, _TEN_YEARS),
    "template_seconds": (0, _TEN_YEARS),
    "duplicate_seconds": (0, _TEN_YEARS),
    "visible_seconds": (0, _TEN_YEARS),
}
"""Smallest and largest value of each number."""
_HEADERS: Final = ("content_encoding", "content_type", "disposition")
_PATTERNS: Final = {
    # An empty key would admit everybody.
    "api_key": (re.compile(r"[!-~]([ -~]*[!-~])?"), "a key of printable ASCII characters, without spaces around it"),
    "allowed_host": (re.compile(r"[A-Za-z0-9._-]+"), "the name of a host, without scheme and port"),
    "links_origin": (re.compile(r"https?://[^\s/?#@]+"), "an origin such as https://api.example.org:8443"),
}
"""The form of strings, and its description."""


def _is_latin(text: str) -> bool:
    return all(ord(character) < 256 for character in text)


@dataclass
class Settings:
    """The behaviour of the emulated service. All but ``SEEDED`` can change while it runs.

    Times are seconds, sizes are bytes.
    """

    seed: int = 1
    """Same seed, same ids, names and content."""
    api_key: str = DEFAULT_API_KEY
    """The only key that is accepted."""
    auth: AuthForm = "both"
    """Which ``Authorization`` is accepted: ``Bearer KEY``, the bare key, or both."""

    allowed_host: str | None = None
    """A name in ``Host`` under which the emulator is reached besides ``localhost`` and ``127.0.0.1``, such as that
    of a container that forwards its port."""

    registrations: int = 250
    """Registrations of each seeded event that is published. Any number: none is held in memory."""
    events: int = 12
    """Seeded events of the first organization; at least 8 (each of them shows something else)."""
    events_order: Literal["shuffled", "created"] = "shuffled"
    """The order of the list of events; the API documents none."""
    registrations_order: RegistrationsOrder = "created"
    """``newest_first`` shifts all pages when someone registers; ``updated`` moves rows that change to the end."""

    latency: float = 0.0
    """Pause before every answer of the API."""
    rate_limit: float | None = None
    """Requests per second; more are answered with 429 and Retry-After."""
    max_per_page: int = 100
    """Largest ``perPage``."""
    refuse_large_pages: bool = False
    """Answer 422 to a larger ``perPage`` instead of lowering it silently."""
    ignore_page: bool = False
    """Answer the first page, whatever ``page`` says."""
    ignore_filters: bool = False
    """Answer all rows, whatever filters say."""
    count: Literal["exact", "missing", "capped", "approximate"] = "exact"
    """The form of ``meta.count``; ``approximate`` is 5 % too large on odd pages and 5 % too small on even ones."""
    count_cap: int = 1000
    """Largest ``meta.count`` with ``count="capped"``."""
    links: Literal["string", "object", "null", "missing"] = "string"
    """The form of the links around a page; ``object`` is ``{"href": ...}``."""
    links_origin: str | None = None
    """Scheme, host and port of the links around a page, instead of the emulator's own."""
    raw_plus_in_links: bool = False
    """Write ``+`` as it is into the links around a page, where it reads as a space."""
    endless_next: bool = False
    """Give the last page and all pages after it a ``links.next``."""
    empty_data: Literal["list", "null"] = "list"
    """The ``data`` of a page without rows."""
    row_form: Literal["nested", "flat", "bare"] = "nested"
    """The form of rows: with ``attributes``, with the attributes beside the id, or with the id alone."""

    report_seconds: float = 2.0
    """From the creation of a report until it is ready."""
    report_missing_seconds: float = 0.0
    """For so long a new report answers 404."""
    report_status: str | None = None
    """Status word of new reports once they are done, instead of ``completed``; see ``report_url``."""
    report_pending_status: str = "in_progress"
    """Status word while a report is being made."""
    report_pending_code: Literal[200, 202] = 202
    """HTTP status while a report is being made; 200 for services that keep to the word alone."""
    report_url: bool = True
    """Whether a report that is done has a ``url``; one whose status is a failure never has."""
    report_bytes: int | None = None
    """Size of new reports' files; None: as long as their rows make them."""
    link_seconds: float = 60.0
    """How long a signed link works."""
    download: Literal["file", "redirect"] = "file"
    """What ``/download`` answers: the file, or 302 to a signed link."""
    etag: bool = True
    """Whether files have an ETag."""
    ranges: bool = True
    """Whether files can be asked for in parts (Range, If-Range)."""
    checksum: Literal["none", "content-md5", "repr-digest"] = "none"
    """Which header of files says what their bytes should be."""
    chunked: bool = False
    """Send files without a Content-Length."""
    file_encoding: Literal["none", "gzip", "gzip_members"] = "none"
    """How files are compressed for the transfer: not, as one member of gzip, or as many."""
    content_encoding: str | None = None
    """``Content-Encoding`` of files, instead of the one that ``file_encoding`` implies."""
    disposition: str | None = None
    """``Content-Disposition`` of files, instead of ``attachment; filename="..."``; empty: none."""
    content_type: str = "text/csv; charset=utf-8"
    """``Content-Type`` of files."""

    template_seconds: float = 1.0
    """How long an event made from a template stays in the status ``templating``."""
    duplicate_seconds: float = 1.0
    """From the request to duplicate until the copy is there."""
    visible_seconds: float = 0.0
    """How much later than by its id a new event appears in the list of its organization."""
    copy_keeps_metadata: bool = True
    """Whether a copy has its source's metadata, besides what the request gives."""
    echo_metadata: bool = True
    """Whether events show the metadata that they were given."""
    patch_metadata: Literal["replace", "merge"] = "replace"
    """What an update of a registration does with metadata that it does not name."""
    registration_type: Literal["Registration", "registration", "any"] = "Registration"
    """The ``data.type`` that an update of a registration must have."""
    bank_questions_paged: bool = True
    """Whether the questions of a ticket come in pages."""
    read_only_key: bool = False
    """Answer 403 to all writing requests, as to a member without rights."""
    plan_has_magic_links: bool = True
    """Whether the plan allows magic links; otherwise creating one is answered with 403."""
    draft_magic_links: bool = True
    """Whether magic links of an unpublished event can be created; otherwise the answer is 422."""
    publish_needs_ticket: bool = False
    """Answer 422 to ``auto_publish`` of a template, or of a copy of an event without a ticket."""
    naive_event_times: bool = False
    """Give the times of events as local times of their zone, without an offset."""
    naive_registration_times: bool = False
    """Give the times of registrations and magic links as local times of the event's zone, without an offset."""

    def __post_init__(self) -> None:
        self.check()

    def check(self) -> None:
        """Check all values.

        :raises ValueError: a setting has a value that is not allowed.
        """
        hints = get_type_hints(type(self))
        for each in fields(self):
            value = getattr(self, each.name)
            kind = str(each.type)
            if value is None and kind.endswith(" | None"):
                continue
            kind = kind.removesuffix(" | None")
            if kind == "bool":
                check_switch(each.name, value)
            elif kind in ("int", "float"):
                check_number(each.name, value, *_RANGES[each.name], integer=kind == "int")
            elif kind != "str":
                check_choice(each.name, value, get_args(hints[each.name]))
            elif each.name in _HEADERS:
                check_header_value(each.name, value)
                if not _is_latin(value):
                    raise invalid(each.name, "the value of a header, in Latin-1", value)
            elif each.name in _PATTERNS:
                pattern, expected = _PATTERNS[each.name]
                if not isinstance(value, str) or not pattern.fullmatch(value):
                    raise invalid(each.name, expected, value)
            else:
                check_text(each.name, value)

    def change(self, /, **values: Any) -> None:
        """Set several settings while the emulator runs.

        :raises ValueError: a setting is unknown, has a value that is not allowed, or is one of ``SEEDED``; then nothing
            changes.
        """
        if seeded := [name for name in SEEDED if name in values]:
            raise ValueError(
                f"{', '.join(seeded)}: cannot change while the seeded resources exist; start over with other values: "
                "reset() in a test, POST /_emulator/reset over HTTP"
            )
        self.apply(**values)

    def apply(self, /, **values: Any) -> None:
        """Set several settings before anything is seeded.

        :raises ValueError: a setting is unknown or has a value that is not allowed; then nothing changes.
        """
        known = [each.name for each in fields(self)]
        if unknown := sorted(set(values) - set(known)):
            raise ValueError(f"Settings must be among {', '.join(known)}, got {', '.join(unknown)}.")
        before = {name: getattr(self, name) for name in values}
        for name, value in values.items():
            setattr(self, name, value)
        try:
            self.check()
        except ValueError:
            for name, value in before.items():
                setattr(self, name, value)
            raise
