"""The emulator's web page: what is there, what was asked, and buttons for what may go wrong. Plain HTML, no build."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from html import escape
from itertools import chain, islice, repeat
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from airflow_provider_ringevents.emulator.backend.reports import Report
    from airflow_provider_ringevents.emulator.server.runner import Emulator

_REQUESTS: Final = 20
_EVENTS: Final = 200

BUTTONS: Final[tuple[tuple[str, str, dict[str, Any]], ...]] = (
    ("Next request: 503", "faults", {"kind": "status", "status": 503}),
    ("Next request: connection reset", "faults", {"kind": "reset"}),
    ("Next request: an HTML page", "faults", {"kind": "html"}),
    ("Next 5 requests: 429", "faults", {"kind": "status", "status": 429, "headers": {"Retry-After": "1"}, "times": 5}),
    ("Key refused from now on", "faults", {"kind": "status", "status": 401, "times": None}),
    ("Next download cut after 1,000 bytes", "faults", {"kind": "cut_body", "path": "/download$", "after": 1000}),
    ("Next event created, answer lost", "faults", {"kind": "applied_then_cut", "method": "POST", "path": "event"}),
    ("Next signed link has expired", "faults", {"kind": "expired_link"}),
    ("Somebody registers", "registrations", {"add": 1}),
    ("Somebody cancels", "registrations", {"cancel": 1}),
)
"""What a button says, and what it sends where below ``/_emulator``."""

_STYLE: Final = """
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 20%, transparent); }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; margin-bottom: 0; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
table { border-collapse: collapse; width: 100%; } caption { text-align: left; opacity: .7; }
th, td { text-align: left; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td.number, th.number { text-align: right; } code { font-size: .85em; word-break: break-all; user-select: all; }
button { font: inherit; margin: 0 .4rem .4rem 0; padding: .3rem .7rem; border: 1px solid var(--line);
  border-radius: .4rem; background: none; color: inherit; cursor: pointer; } button:hover { border-color: #ff7a00; }
tr:target td { background: color-mix(in srgb, #ff7a00 20%, transparent); }
.bad { color: #d33; font-weight: 600; } .good { color: #2a8a3e; } .soft { opacity: .7; }
"""

_SCRIPT: Final = """
const send = async (path, method, body) => {
  const answer = await fetch('/_emulator/' + path, {method, body: body && JSON.stringify(body)});
  if (!answer.ok) { alert((await answer.json()).error); return; }
  location.reload();
};
for (const button of document.querySelectorAll('button')) {
  const [path, method, body] = JSON.parse(button.dataset.send);
  button.addEventListener('click', () => send(path, method, body));
}
const live = document.getElementById('live');
live.checked = sessionStorage.live !== 'no';
live.addEventListener('change', () => { sessionStorage.live = live.checked ? 'yes' : 'no'; });
setInterval(() => { if (live.checked && !document.hidden && !String(getSelection())) location.reload(); }, 3000);
"""


def page(emulator: Emulator) -> str:
    """The page as it is now."""
    with emulator.state.lock:
        parts = [
            "<!doctype html><html lang=en><meta charset=utf-8><title>RingCentral Events emulator</title>",
            f"<meta name=viewport content='width=device-width'><style>{_STYLE}</style>",
            "<h1>RingCentral Events, emulated</h1>",
            f"<p class=soft>{_text(emulator.url)}, seed {emulator.settings.seed}."
            " <label><input type=checkbox id=live> reload every 3 seconds</label></p>",
            "<h2>Connection</h2>",
            f"<p><code>export AIRFLOW_CONN_RINGEVENTS_DEFAULT='{_text(emulator.connection_json())}'</code></p>",
            "<h2>What may go wrong</h2>",
            "".join(_button(words, path, "POST", body) for words, path, body in BUTTONS),
            _faults(emulator),
            _reports(emulator),
            _requests(emulator),
            _events(emulator),
            _organizations(emulator),
            f"<p>{_button('Start over', 'reset', 'POST', None)}</p>",
            f"<script>{_SCRIPT}</script></html>",
        ]
    return "\n".join(parts)


def _faults(emulator: Emulator) -> str:
    rows = [
        (
            _text(fault.kind),
            _text(fault.method or "any"),
            _text(fault.path or "any"),
            _left(fault.times, fault.hit_count),
        )
        for fault in emulator.faults
    ]
    if not rows:
        return "<p class=soft>No fault is set.</p>"
    clear = _button("Clear all faults", "faults", "DELETE", None)
    return _table("", ("fault", "method", "path", "still to come"), rows) + clear


def _left(times: int | None, hit_count: int) -> str:
    return "always" if times is None else str(max(0, times - hit_count))


def _organizations(emulator: Emulator) -> str:
    owners = [(_text(owner.attributes["name"]), _code(owner.id)) for owner in emulator.state.visible_organizations()]
    templates = [
        (_text(template.name), _code(template.id), _text(template.organization.attributes["name"]))
        for template in emulator.state.templates.values()
        if template.organization.visible
    ]
    return _table("Organizations", ("name", "id"), owners) + _table(
        "Templates", ("name", "id", "organization"), templates
    )


def _events(emulator: Emulator) -> str:
    """Those that were made by requests come first."""
    there = [event for event in emulator.state.events.values() if event.organization.visible]
    shown = list(islice(sorted(there, key=lambda event: -event.created if event.request else 0), _EVENTS))
    rows = [
        (
            _text(event.name),
            _code(event.id),
            _text(event.organization.attributes["name"]),
            "<span class=good>published</span>" if event.published else "draft",
            _moment(event.start),
            _moment(event.end),
            f"{len(event.registrations):,}",
        )
        for event in shown
    ]
    heads = ("name", "id", "organization", "status", "start (UTC)", "end (UTC)", "registrations")
    # A task's link to its event leads to the row.
    anchors = [event.slug for event in shown]
    return _table(f"Events ({len(there):,})", heads, rows, numbers={"registrations"}, anchors=anchors)


def _reports(emulator: Emulator) -> str:
    now = emulator.state.now()
    rows = [
        (_text(report.title), _code(report.id), _status(report, now), _age(now - report.visible_at))
        for report in reversed(list(emulator.reports))
    ]
    return _table(f"Reports ({len(rows):,})", ("title", "id", "status", "age"), rows)


def _status(report: Report, now: int) -> str:
    if now < report.ready_at:
        return f"in progress, ready in {_age(report.ready_at - now)}"
    return f"<span class={'bad' if report.failed else 'good'}>{_text(report.status)}</span>"


def _requests(emulator: Emulator) -> str:
    log = emulator.requests
    rows = [
        (
            datetime.fromtimestamp(seen.time, UTC).strftime("%H:%M:%S"),
            _text(seen.method),
            _text(seen.path + ("?" + seen.query if seen.query and seen.origin == "api" else "")),
            _answered(seen.status),
            _text(seen.fault or ""),
        )
        for seen in islice(reversed(log.entries), _REQUESTS)
    ]
    title = f"Requests ({len(log.entries):,}, {log.in_flight} in flight, at most {log.peak} at a time)"
    return _table(title, ("time (UTC)", "method", "path", "answer", "fault"), rows)


def _answered(status: int | None) -> str:
    if status is None:
        return "<span class=bad>none</span>"
    return str(status) if status < 400 else f"<span class=bad>{status}</span>"


def _table(
    title: str,
    heads: tuple[str, ...],
    rows: Iterable[tuple[str, ...]],
    numbers: Iterable[str] = frozenset(),
    anchors: Iterable[str] = (),
) -> str:
    """:param rows: cells that are HTML already.
    :param anchors: what a link to a row has after the ``#``; as many as rows, or none.
    """
    kinds = [" class=number" if head in numbers else "" for head in heads]

    def line(tag: str, cells: tuple[str, ...]) -> Iterator[str]:
        return (f"<{tag}{kind}>{cell}</{tag}>" for kind, cell in zip(kinds, cells, strict=True))

    tags = chain((f"<tr id='{_text(anchor)}'>" for anchor in anchors), repeat("<tr>"))
    body = "".join(f"{tag}{''.join(line('td', row))}</tr>" for row, tag in zip(rows, tags, strict=False))
    head = f"<h2>{_text(title)}</h2>" if title else ""
    return f"{head}<table><thead><tr>{''.join(line('th', heads))}</tr></thead><tbody>{body}</tbody></table>"


def _button(words: str, path: str, method: str, body: Any) -> str:
    return f"<button type=button data-send='{_text(json.dumps([path, method, body]))}'>{_text(words)}</button>"


def _moment(milliseconds: int | None) -> str:
    return "" if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M")


def _age(milliseconds: int) -> str:
    seconds = max(0, milliseconds) / 1000
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _code(text: str) -> str:
    return f"<code>{_text(text)}</code>"


def _text(text: str) -> str:
    return escape(text, quote=True)
