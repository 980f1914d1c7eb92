"""Every switch of the emulator, in one place."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final, Literal, get_args

DEFAULT_API_KEY: Final = "emulator-api-key"

AuthForm = Literal["both", "bearer", "bare"]
RegistrationsOrder = Literal["created", "newest_first"]
SEEDED: Final = ("seed", "registrations", "events")
"""Settings of what is there to begin with: they cannot change while it is there."""


@dataclass
class Settings:
    """How the emulated service behaves. May be changed while it runs, but for ``SEEDED``.

    Times are seconds, sizes are bytes.
    """

    seed: int = 1
    """Same seed, same ids, names and content."""
    api_key: str = DEFAULT_API_KEY
    """The only key that is accepted."""
    auth: AuthForm = "both"
    """Which ``Authorization`` is accepted: ``Bearer KEY``, the bare key, or both."""

    registrations: int = 250
    """Registrations of each seeded event that is published. Any number: none is held in memory."""
    events: int = 12
    """Seeded events of the first organization; at least 8 (each of them shows something else)."""
    events_order: Literal["shuffled", "created"] = "shuffled"
    """The order of the list of events; the API documents none."""
    registrations_order: RegistrationsOrder = "created"
    """``newest_first`` shifts all pages when somebody registers, as many services do."""

    latency: float = 0.0
    """Pause before every answer of the API."""
    rate_limit: float | None = None
    """Requests per second; more are answered with 429 and Retry-After."""
    max_per_page: int = 100
    """Largest ``perPage``."""
    refuse_large_pages: bool = False
    """Answer 422 to a larger ``perPage`` instead of lowering it silently."""

    report_seconds: float = 2.0
    """From the creation of a report until it is ready."""
    report_missing_seconds: float = 0.0
    """For so long a new report answers 404."""
    report_status: str | None = None
    """Status word of new reports once they are done, instead of ``completed``; see ``report_url``."""
    report_pending_status: str = "in_progress"
    """Status word while a report is being made."""
    report_pending_code: int = 202
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
    naive_event_times: bool = False
    """Give the times of events as local times of their zone, without an offset."""

    def __post_init__(self) -> None:
        self.check()

    def check(self) -> None:
        """:raises ValueError: a value that no service could have; the message names it."""
        for name, least in (
            ("registrations", 0),
            ("events", 8),
            ("latency", 0),
            ("max_per_page", 1),
            ("report_seconds", 0),
            ("report_missing_seconds", 0),
            ("link_seconds", 0),
            ("template_seconds", 0),
            ("duplicate_seconds", 0),
            ("visible_seconds", 0),
        ):
            if getattr(self, name) < least:
                raise ValueError(f"{name}: {getattr(self, name)!r} is too small, at least {least} is wanted")
        if not self.api_key:
            raise ValueError("api_key: an empty key would let everybody in")
        if self.rate_limit is not None and self.rate_limit <= 0:
            raise ValueError(f"rate_limit: {self.rate_limit!r} requests per second are none; None means no limit")
        if self.report_bytes is not None and self.report_bytes < 0:
            raise ValueError(f"report_bytes: {self.report_bytes!r} is negative")
        for name, choices in (
            ("auth", get_args(AuthForm)),
            ("registrations_order", get_args(RegistrationsOrder)),
            ("download", ("file", "redirect")),
            ("events_order", ("shuffled", "created")),
            ("checksum", ("none", "content-md5", "repr-digest")),
            ("patch_metadata", ("replace", "merge")),
            ("report_pending_code", (200, 202)),
        ):
            if getattr(self, name) not in choices:
                allowed = ", ".join(map(repr, choices))
                raise ValueError(f"{name}: {getattr(self, name)!r} is not one of {allowed}")

    def change(self, **values: Any) -> None:
        """Set several switches while the emulator runs.

        :raises ValueError: there is no such switch, the value is not allowed, or the switch is one of what is seeded;
            then nothing is changed.
        """
        if seeded := [name for name in SEEDED if name in values]:
            raise ValueError(
                f"{', '.join(seeded)}: cannot change while what was seeded is there; start over with other values: "
                "reset() in a test, POST /_emulator/reset over HTTP"
            )
        self.apply(**values)

    def apply(self, **values: Any) -> None:
        """Set several switches before anything is seeded.

        :raises ValueError: there is no such switch, or the value is not allowed; then nothing is changed.
        """
        known = [field.name for field in fields(self)]
        unknown = sorted(set(values) - set(known))
        if unknown:
            raise ValueError(f"no such setting: {', '.join(unknown)}; there are {', '.join(known)}")
        before = {name: getattr(self, name) for name in values}
        for name, value in values.items():
            setattr(self, name, value)
        try:
            self.check()
        except (TypeError, ValueError):
            for name, value in before.items():
                setattr(self, name, value)
            raise
