"""Every default number, with its unit and its reason. A connection's extra or an argument overrides most of them."""

from __future__ import annotations

from typing import Final

BASE_URL: Final = "https://api.events.ringcentral.com"
"""Where the API lives, as its reference says."""
LEGACY_HOST: Final = "api.hopin.com"
"""The host of the API before December 2023, by the vendor's collection; it may still respond."""
AUTH_SCHEME: Final = "Bearer"
"""The reference shows both a bare key and ``Bearer``; public clients in use send ``Bearer`` everywhere."""

# --- time limits of one request, seconds
CONNECT_TIMEOUT: Final = 10.0
"""A handshake that takes longer will not come."""
READ_TIMEOUT: Final = 60.0
"""Silence between two reads: long enough for a slow list page, short enough that no task hangs for an hour."""
MAX_TIMEOUT: Final = 86_400.0
"""The longest silence that may be set: what is longer means "for ever", which no task should wait."""
REQUEST_TIMEOUT: Final = 120.0
"""From the first byte sent to the last byte of the response: a response that drips is not silent, and never ends."""
PAGE_TIMEOUT: Final = 600.0
"""The same for a page of a list, which may be a thousand times larger than a resource."""
TRANSFER_TIMEOUT: Final = 6 * 3600.0
"""A whole download, with all retries and pauses: a report of 20 GB at 1 MB/s takes less."""
MAX_TRANSFER_TIMEOUT: Final = 7 * 86_400.0
"""The longest download that may be set: signed links and tasks do not live longer."""
MIN_TRANSFER_RATE: Final = 1024
"""Bytes per second that a server must send of a file; a slower one would not end within any useful time."""
TRANSFER_RATE_WINDOW: Final = 60.0
"""Seconds of waiting for the server over which that rate is measured: a pause shorter than this is no drip."""
DEADLINE_GRACE: Final = 5.0
"""Seconds that the poll at the deadline of a wait has for its response."""
POOL_TIMEOUT: Final = 120.0
"""Waiting for a free connection of the pool: our own queue, so more patient than the network."""

# --- connections
MAX_CONNECTIONS: Final = 16
"""Requests in flight per client: httpx gets slower, not faster, beyond (685 requests/s at 10 in flight, 299 at 100)."""
KEEPALIVE_SECONDS: Final = 5.0
"""Idle connections are dropped before servers and proxies drop them: a POST on a dead one would be ambiguous."""

MIN_RATE: Final = 0.001
"""Requests per second that may be set at least: one in a quarter of an hour."""
MAX_RATE: Final = 10_000.0
"""And at most: more than one client ever sends."""

# --- retries (full jitter: random(0, min(cap, base * 2^n)))
MAX_ATTEMPTS: Final = 5
"""Requests per call, the first one included."""
BACKOFF_BASE: Final = 0.5
"""Seconds."""
BACKOFF_CAP: Final = 8.0
"""Seconds: more attempts than five do not wait longer between two of them."""
BACKOFF_TOTAL: Final = 60.0
"""Seconds slept in all besides Retry-After: after that, Airflow's own retries are the better wait."""
RETRY_AFTER_MAX: Final = 120.0
"""Seconds: a longer Retry-After is carried up instead of slept, so that a worker slot is not held for it."""
RETRY_AFTER_LIMIT: Final = 86_400.0
"""Seconds: a longer ``Retry-After`` counts as this one. A date in 9999 is a mistake, and overflows calendars."""
RETRY_STATUSES: Final = frozenset({408, 429, 500, 502, 503, 504})
"""Answers that another attempt may better, for requests that are safe to repeat."""

# --- lists
PER_PAGE: Final = 100
"""Rows asked for in a page. The largest allowed is not documented: a server that gives fewer is believed."""
CONCURRENCY: Final = 4
"""Pages of one list in flight: rate limits are not documented, so modest."""
MAX_CONCURRENCY: Final = 16
"""The most that may be asked for: as many as a client has connections."""

LIST_GROWTH_ROWS: Final = 10_000
"""Rows by which a list may outgrow twice its first count while it is read; beyond that its pages are invented."""
MAX_LIST_ROWS: Final = 10_000_000
"""Rows of one reading of a list, whatever its count: a hundred times the largest event."""

# --- requests that share a pace, after a 429
THROTTLE_MIN_INTERVAL: Final = 0.05
"""Seconds between the starts of two requests after the first 429: 20 per second, fewer with each that follows."""
THROTTLE_MAX_INTERVAL: Final = 1.0
"""And at most, so that a crowd of waits still moves."""
THROTTLE_HALF_LIFE: Final = 6.0
"""Seconds in which requests that are let through double the rate: the slowest pace is forgotten after a minute."""
THROTTLE_MAX_STEP: Final = 3.0
"""Seconds for which one of them counts at most: a long silence says nothing of what the service bears."""
THROTTLE_RESET_BELOW: Final = 0.001
"""Seconds of spacing that are none: more requests per second than one client sends."""

# --- sizes, bytes
MAX_RESOURCE_BYTES: Final = 2**20
"""A resource beyond this, in JSON, is no answer of this API: a registration has some 2 KB."""
MAX_PAGE_BYTES: Final = 16 * 2**20
"""A page of a list beyond this costs hundreds of megabytes once it is decoded."""
MAX_PAGE_ROWS: Final = 100_000
"""Rows of one page: a hundred times the largest page that is requested."""
MAX_PAGE_VALUES: Final = 1_500_000
"""Commas, braces and brackets of one page: two bytes of JSON may become 64 of memory, an empty object or list."""
MAX_PAGES_BYTES: Final = 32 * 2**20
"""All pages of one list that are held at a time, in JSON."""
DECODE_SLICE_BYTES: Final = 2**20
"""A longer page is decoded row by row, in slices of a quarter of it: an event loop must run in between."""
MAX_ERROR_BYTES: Final = 256 * 1024
"""Read of an error page; enough for any JSON error, and an endless page does not fill memory."""
CHUNK_BYTES: Final = 256 * 1024
"""Block handed on while downloading: smaller ones cost more calls, larger ones leave the processor's cache."""

# --- downloads
MAX_REDIRECTS: Final = 5
"""From ``/download`` to the file. One is expected."""
MAX_RESUMES: Final = 5
"""Times that one download is taken up again after a cut, and times that it is begun again from nothing."""
MAX_LINK_REFRESHES: Final = 3
"""Times that an expired link is asked for anew: a link lives for a minute, a download starts within seconds."""

# --- create once
SETTLE_TIMEOUT: Final = 600.0
"""Seconds within which the service is taken to show an event that it created, and to drop a request that it lost."""

CONNECTION_TEST_TIMEOUT: Final = 30.0
"""Seconds of the Test button, whose answer a person waits for and which occupies Airflow's web server."""
LOOKUP_TIMEOUT: Final = 900.0
"""Seconds for reading the whole list of an organization's events, in which one is looked up."""
LISTING_STALL: Final = 20.0
"""Seconds without a page after which a shared listing may hang, so that another one is begun beside it."""
MAX_LISTINGS: Final = 3
"""Listings of one organization at a time: a service that is slow for all of them must not get ever more."""

# --- watermarks
WATERMARK_DELAY: Final = 60.0
"""Seconds before now that a window ends: what is written with a time a little ago may be shown only now."""

# --- waits, seconds
POLL_INTERVAL: Final = 60.0
"""The longest pause between two polls."""
MIN_POLL_INTERVAL: Final = 0.01
"""And the shortest that may be set: a wait without pauses would flood the service."""
MAX_DURATION: Final = 100 * 365 * 86_400
"""The longest wait, pause or delay that may be set, a century: calendars and Airflow's timers overflow beyond."""
POLL_FIRST: Final = 2.0
"""The first pause: small reports are ready within seconds."""
POLL_GROWTH: Final = 1.5
"""Each pause is this many times the one before, up to the poll interval."""
POLL_JITTER: Final = 0.1
"""A pause is up to this fraction longer or shorter, so that many waits do not poll in step."""
POLL_RATE_TARGET: Final = 50.0
"""Polls per second of all waits of one connection in one triggerer, above which their early, quicker polls slow down
to their usual interval: a triggerer that starts with thousands of waits must not flood the service."""
POLL_STARTUP_DELAY: Final = 1.0
"""Seconds that a wait of a crowd lets pass at its beginning, so that it knows of those that start behind it."""
TIMER_COALESCING: Final = 0.05
"""Polls of a crowd start at multiples of this: a thousand waits at 10 seconds cost half the CPU, and poll as evenly."""
CONNECTION_MAX_AGE: Final = 5.0
"""Seconds within which the triggers of one event loop read a connection once: a thousand waits that start together must
not ask Airflow a thousand times."""
POLL_FAILURES: Final = 10
"""Polls that fail in a row before a wait gives up: a blip never ends it."""
WAIT_TIMEOUT: Final = 6 * 3600.0
"""From the start of a wait to its deadline."""
NOT_FOUND_GRACE: Final = 60.0
"""A 404 on a report that we created less than this ago means that it is not visible yet."""
EVENT_RECHECK: Final = 6 * 3600.0
"""Longest sleep towards the known start or end of an event: one that was moved forward is noticed by then."""

# --- watchers
WATCH_INITIAL_JITTER: Final = 10.0
"""Seconds over which first polls are spread, so that a triggerer that starts does not send them in one burst."""
WATCH_CONNECTION_MAX_AGE: Final = 300.0
"""Seconds after which a watcher has read its connection again, at the latest: it never ends, and keys are rotated."""
WATCH_BACKOFF_MAX: Final = 600.0
"""Longest pause in seconds after polls that failed: an outage is over unnoticed for ten minutes at most."""
WATCH_RETRY_AFTER_MAX: Final = 3600.0
"""Longest Retry-After in seconds that is obeyed."""
WATCH_CLOCK_SLACK: Final = 3600.0
"""Seconds by which our clock may be ahead of the service's at the first start, and nothing is missed."""
WATCH_MAX_AHEAD: Final = 300.0
"""Seconds by which a row's time may be ahead of both clocks, ours and the service's, and still move the place."""
WATCH_MAX_ROWS: Final = 1_000_000
"""Rows of one scan; a list of changes that is longer is invented, and its ids would fill memory."""
WATCH_MAX_BOUNDARY_IDS: Final = 1000
"""Rows with one and the same time whose ids are kept: 28 KB in the asset's state, and ten pages for each poll."""
WATCH_CHECKPOINT_DELAY: Final = 3.0
"""Seconds from an event to the watermark that says it is done: Airflow stores events a second or two after they fire,
and a triggerer that dies in between must find the change again."""
