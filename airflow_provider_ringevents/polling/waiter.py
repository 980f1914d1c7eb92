"""How a wait goes: when to poll again, what a failed poll means, when to give up.

The worker's loop and the trigger drive the same :class:`ReportWait`, so that both modes end alike.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from airflow_provider_ringevents import clock
from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.endpoints import Call, get_report
from airflow_provider_ringevents.client.errors import (
    RingEventsAuthError,
    RingEventsConfigError,
    RingEventsError,
    RingEventsNotFoundError,
    RingEventsRateLimitError,
    RingEventsReportFailedError,
    RingEventsWaitTimeoutError,
)
from airflow_provider_ringevents.client.report_status import ReportState, ReportStatus, report_status
from airflow_provider_ringevents.observability.progress_log import WaitProgressLogger, format_count

if TYPE_CHECKING:
    from airflow_provider_ringevents.client.transport.responses import Envelope
    from airflow_provider_ringevents.hooks.ringevents import RingEventsHook


@dataclass(slots=True)
class PollSchedule:
    """One wait.

    :ivar what: names what is waited for, in messages.
    :ivar deadline: seconds since the epoch; None: no end.
    :ivar poll_interval: the longest pause between polls, in seconds.
    :ivar visible_from: seconds since the epoch until which a 404 means "not visible yet"; None: never.
    :ivar polls: polls made so far.
    """

    what: str
    deadline: float | None
    poll_interval: float = defaults.POLL_INTERVAL
    visible_from: float | None = None
    first_pause: float = defaults.POLL_FIRST
    draw: Callable[[float, float], float] = field(default=random.uniform, repr=False)
    polls: int = 0
    _failures: int = 0
    _said: str = ""
    _asked: float = 0.0
    _spread: bool = False
    _began: float = 0.0

    def pause(self, now: float, others: int = 0) -> float:
        """Seconds to sleep before the next poll: short at first, longer each time, never beyond the deadline.

        Longer than ``poll_interval`` only where the service asked to wait.

        :param others: waits that poll beside this one: a crowd is spread evenly, and not quicker than it can be.
        """
        crowded = others / defaults.POLL_RATE_TARGET
        early = max(self.first_pause * defaults.POLL_GROWTH ** min(self.polls, 64), crowded)
        steady = min(self.poll_interval, early)
        longest = min(self.poll_interval, steady * (1 + defaults.POLL_JITTER))
        between = self.draw(steady * (1 - defaults.POLL_JITTER), longest)
        slowest = steady >= self.poll_interval * (1 - defaults.POLL_JITTER)
        if others and (self.polls == 0 or (slowest and not self._spread)):
            # Waits that begin together would poll together for hours: jitter alone takes so long to spread them.
            between = self.draw(0.0, between)
            self._spread = slowest
        # From poll to poll, however long the answer took: else a slow service would stretch the interval.
        taken = max(0.0, now - self._began) if self.polls else 0.0
        pause = max(between - taken, between / 2, self._asked)
        if others > defaults.POLL_RATE_TARGET and steady >= 20 * defaults.TIMER_COALESCING:
            # Waking an idle process costs as much as a poll: those that are due at nearly the same time go together.
            # Not where that would make a short interval noticeably shorter.
            beat = (now + pause) / defaults.TIMER_COALESCING
            earlier = math.floor(beat + 1e-4) * defaults.TIMER_COALESCING - now
            pause = earlier if earlier > self._asked else pause
        self.polls += 1
        self._asked = 0.0
        pause = pause if self.deadline is None else max(0.0, min(pause, self.deadline - now))
        self._began = now + pause
        return pause

    def unfinished(self, now: float, said: str = "") -> None:
        """A poll was answered, and what is waited for has not happened.

        :param said: what the service says of it, for the timeout's message.
        :raises RingEventsWaitTimeoutError: the deadline has passed.
        """
        self._failures = 0
        self._said = said
        self._check_deadline(now)

    def failed(self, error: RingEventsError, now: float) -> None:
        """A poll failed; returns when that is to be lived with.

        A 429 does not count as a failure: the service is there, and has a pause for us.

        :raises RingEventsError: it ends the wait: the key was refused, or too many polls failed in a row.
        """
        if isinstance(error, (RingEventsAuthError, RingEventsConfigError)):
            raise error
        not_visible_yet = (
            isinstance(error, RingEventsNotFoundError) and self.visible_from is not None and now < self.visible_from
        )
        if not not_visible_yet and not isinstance(error, RingEventsRateLimitError):
            self._failures += 1
            if self._failures >= defaults.POLL_FAILURES:
                raise error
        asked = getattr(error, "retry_after", None) or 0.0
        self._asked = min(asked, max(self.poll_interval, defaults.RETRY_AFTER_MAX))
        self._said = f"the last poll failed: {error}"
        self._check_deadline(now)

    def _check_deadline(self, now: float) -> None:
        if self.deadline is not None and now >= self.deadline:
            raise RingEventsWaitTimeoutError(
                f"{self.what} did not happen in time ({format_count(self.polls, 'poll')})"
                f"{f'; {self._said}' if self._said else ''}"
            )


class ReportWaiter:
    """A wait for a report: what each poll's outcome means.

    :param report_id: which report.
    :param deadline: seconds since the epoch; None: no end.
    :param poll_interval: the longest pause between polls, in seconds.
    :param visible_from: seconds since the epoch until which a 404 means "not visible yet"; None: never.
    :param say: told how it goes, once a minute at most; takes a message and its arguments, as ``log.info`` does.
    """

    def __init__(
        self,
        report_id: str,
        deadline: float | None,
        poll_interval: float,
        visible_from: float | None,
        say: Callable[..., None],
    ) -> None:
        self.call = get_report(report_id)
        self.deadline = deadline
        self._report_id = report_id
        self._wait = PollSchedule(f"report {report_id} being ready", deadline, poll_interval, visible_from)
        self._notes = WaitProgressLogger(f"report {report_id}", deadline, say)

    def pause(self, others: int = 0) -> float:
        """Seconds to sleep before the next poll; arguments as :meth:`Wait.pause`."""
        return self._wait.pause(clock.now(), others)

    def answered(self, envelope: Envelope) -> bool:
        """Take an answer; True when the report is ready.

        :raises RingEventsReportFailedError: the service could not make it.
        :raises RingEventsWaitTimeoutError: the deadline has passed.
        """
        status = report_status(envelope)
        if status.state is ReportState.FAILED:
            raise report_failed_error(self._report_id, status)
        if status.state is ReportState.READY:
            self._notes.finished(f"Report {self._report_id} is ready")
            return True
        said = describe_status(status)
        self._wait.unfinished(clock.now(), said)
        self._notes.unfinished(said)
        return False

    def failed(self, error: RingEventsError) -> None:
        """Take a poll that failed; returns when that is to be lived with.

        :raises RingEventsError: it ends the wait.
        """
        self._wait.failed(error, clock.now())
        self._notes.unfinished(f"a poll failed: {error}")


class Waiter(Protocol):
    """What is polled until it has happened: :class:`ReportWait` and its like."""

    call: Call
    deadline: float | None

    def pause(self, others: int = 0) -> float:
        """Seconds to sleep before the next poll; ``others`` poll beside this one."""

    def answered(self, envelope: Envelope) -> bool:
        """Take an answer; True when it has happened."""

    def failed(self, error: RingEventsError) -> None:
        """Take a poll that failed; returns when that is to be lived with."""


def wait_until_done(hook: RingEventsHook, wait: Waiter) -> None:
    """Wait on the worker: what a trigger does, with pauses that hold the worker.

    :raises RingEventsError: what ends the wait.
    """
    while True:
        clock.sleep(wait.pause())
        try:
            envelope = hook.poll(wait.call)
        except RingEventsError as error:
            wait.failed(error)
        else:
            if wait.answered(envelope):
                return


def describe_status(status: ReportStatus) -> str:
    """What the service says of a report that is not ready, in words."""
    if status.word is None:
        return "the service says that it is in progress"
    hint = "" if status.known else " (not a word that we know, so not taken for success)"
    return f"the service says {status.word!r}{hint}"


def report_failed_error(report_id: str, status: ReportStatus) -> RingEventsReportFailedError:
    """The error for a report that the service could not make."""
    return RingEventsReportFailedError(
        f"report {report_id}: the service could not make it (status {status.word!r}); ask for a new one, and if that"
        " fails too, try it in the Events web application"
    )
