"""The sensor for reports."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from airflow.providers.common.compat.sdk import Context, PokeReturnValue, conf

from airflow_provider_ringevents import _compat, clock
from airflow_provider_ringevents.client.errors import RingEventsError, invalid_argument
from airflow_provider_ringevents.client.validation.identifiers import validate_identifier
from airflow_provider_ringevents.operators.base import is_known, is_literal, reject_invalid_arguments, translate_errors
from airflow_provider_ringevents.sensors.base import RingEventsBaseSensor
from airflow_provider_ringevents.triggers._payload import parse_payload

_TRIGGER = "airflow_provider_ringevents.triggers.reports.RingEventsReportTrigger"


class RingEventsReportSensor(RingEventsBaseSensor):
    """A sensor that waits until a report is ready, with ``GET /v1/reports/{reportId}``.

    Takes Airflow's own arguments: ``timeout``, ``poke_interval`` (deferred: the longest delay between polls), ``mode``,
    ``soft_fail``, ``never_fail``; the timeout is :class:`AirflowSensorTimeout` deferred, too.

    :param report_id: the report (templated).
    :param deferrable: wait in the triggerer; default: Airflow's ``[operators] default_deferrable``.
    :param start_from_trigger: start in the triggerer, without a worker slot (Airflow 3.3 and later; needs
        ``deferrable`` and a report id that is literal or Jinja). Pools do not limit such tasks.
    :param ringevents_conn_id: the Airflow connection (templated).
    :returns: the report's id.
    :raises RingEventsReportFailedError: the service could not make the report (fails the task without retries).
    """

    template_fields: Sequence[str] = ("report_id", "ringevents_conn_id")
    start_from_trigger = False

    def __init__(
        self,
        *,
        report_id: str,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        start_from_trigger: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.report_id = report_id
        self.deferrable = deferrable
        self._check(is_literal)
        if start_from_trigger:
            self._start_from_trigger()

    @property
    def description(self) -> str:
        """Return the report."""
        return f"report {self.report_id}"

    @reject_invalid_arguments
    def _check(self, known: Callable[[Any], bool]) -> None:
        if known(self.report_id):
            validate_identifier("report_id", self.report_id)

    @reject_invalid_arguments
    def _start_from_trigger(self) -> None:
        if not self.deferrable:
            raise invalid_argument("start_from_trigger", "False without deferrable=True", True)
        if not _compat.AIRFLOW_V_3_3_PLUS:
            raise invalid_argument(
                "start_from_trigger", "False before Airflow 3.3", True, hint="Leave it out to defer from a worker."
            )
        for name in self.template_fields:
            value = getattr(self, name)
            if not isinstance(value, str):
                raise invalid_argument(
                    name,
                    "a literal or Jinja string with start_from_trigger",
                    value,
                    hint="Write \"{{ ti.xcom_pull('the task before') }}\" instead.",
                )
        from airflow.triggers.base import StartTriggerArgs

        self.start_from_trigger = True
        self.start_trigger_args = StartTriggerArgs(
            trigger_cls=_TRIGGER,
            trigger_kwargs={
                "report_id": self.report_id,
                "ringevents_conn_id": self.ringevents_conn_id,
                "poll_interval": self.poke_interval,
            },
            next_method="execute_complete",
            next_kwargs=None,
            # The deadline is unknown before the start, so Airflow's own timeout of the trigger takes its place.
            timeout=timedelta(seconds=self.timeout),
        )

    def execute(self, context: Context) -> str:
        """Wait on the worker or, deferrable, in the triggerer."""
        self._check(is_known)
        if self.deferrable:
            from airflow_provider_ringevents.triggers.reports import RingEventsReportTrigger

            self.defer(
                trigger=RingEventsReportTrigger(
                    self.report_id, self.ringevents_conn_id, self.poke_interval, clock.now() + self.timeout
                ),
                method_name="execute_complete",
            )
        super().execute(context)
        return self.report_id

    def poke(self, context: Context) -> bool | PokeReturnValue:
        """Return True when the report is ready."""
        from airflow_provider_ringevents.client.endpoints import get_report
        from airflow_provider_ringevents.client.report_status import ReportState, report_status
        from airflow_provider_ringevents.polling.reports import describe_status, report_failed_error

        if self.is_paused(context):
            return False
        with translate_errors():
            try:
                with self.hook as hook:
                    status = report_status(hook.client.send(get_report(self.report_id)))
            except RingEventsError as error:
                self.on_poke_error(error, context)
                return False
            self.on_poke_success(context)
            if status.state is ReportState.FAILED:
                raise report_failed_error(self.report_id, status)
        if status.state is not ReportState.READY:
            self.progress_log.log_pending(describe_status(status))
            return False
        self.progress_log.log_done(f"Report {self.report_id} is ready")
        return True

    def execute_complete(self, context: Context, event: Mapping[str, Any] | None = None) -> str:
        """Return the report's id, from the event of the trigger."""
        with self.translate_trigger_errors():
            report_id: str = parse_payload(event)["report_id"]
        self.log.info("Report %s is ready", report_id)
        return report_id
