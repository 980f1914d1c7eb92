"""The sensor for reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from airflow.providers.common.compat.sdk import Context, PokeReturnValue

from airflow_provider_ringevents import _compat, clock
from airflow_provider_ringevents.client.errors import RingEventsError
from airflow_provider_ringevents.operators.arguments import Arguments
from airflow_provider_ringevents.operators.base import DEFAULT_DEFERRABLE, translate_errors
from airflow_provider_ringevents.operators.plain_values import is_literal
from airflow_provider_ringevents.sensors.base import RingEventsBaseSensor
from airflow_provider_ringevents.triggers._payload import parse_payload

_TRIGGER = "airflow_provider_ringevents.triggers.reports.RingEventsReportTrigger"


class RingEventsReportSensor(RingEventsBaseSensor):
    """A sensor that waits until a report is ready, with ``GET /v1/reports/{reportId}``.

    Takes Airflow's own arguments: ``timeout``, ``poke_interval`` (deferred: the longest delay between polls), ``mode``,
    ``soft_fail``, ``never_fail``. A timeout raises :class:`AirflowSensorTimeout`, also if the sensor is deferred.

    :param report_id: the report (templated).
    :param deferrable: wait in the triggerer; default: Airflow's ``[operators] default_deferrable``.
    :param start_from_trigger: start in the triggerer, without a worker slot (Airflow 3.3 and later; needs
        ``deferrable`` and a report id that is literal or Jinja; ``xcom_pull`` in it needs ``map_indexes=-1``). Pools
        do not limit such tasks.
    :param ringevents_conn_id: the Airflow connection (templated).
    :returns: the report's id.
    :raises RingEventsReportFailedError: the service could not generate the report (fails the task without retries).
    """

    template_fields: Sequence[str] = ("report_id", *RingEventsBaseSensor.template_fields)
    literal_switches: Sequence[str] = ("start_from_trigger", *RingEventsBaseSensor.literal_switches)
    start_from_trigger = False

    def __init__(
        self,
        *,
        report_id: str,
        deferrable: bool = DEFAULT_DEFERRABLE,
        start_from_trigger: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(deferrable=deferrable, **kwargs)
        self.report_id = report_id
        self.start_from_trigger = start_from_trigger
        self.validate_literals()
        if start_from_trigger:
            self._start_in_triggerer()

    @property
    def description(self) -> str:
        """Return the report."""
        return f"report {self.report_id}"

    def check_arguments(self, arguments: Arguments) -> None:
        """Check the arguments, as far as they are known."""
        arguments.identifier("report_id")
        if self.start_from_trigger is True:
            self._check_start_in_triggerer(arguments)

    def _check_start_in_triggerer(self, arguments: Arguments) -> None:
        if self.deferrable is not True:
            arguments.refuse("start_from_trigger", "False without deferrable=True", True)
        if not _compat.AIRFLOW_V_3_3_PLUS:
            arguments.refuse(
                "start_from_trigger", "False before Airflow 3.3", True, hint="Leave it out to defer from a worker."
            )
        for name in self.template_fields:
            value = arguments[name]
            if not isinstance(value, str):
                arguments.refuse(
                    name,
                    "a literal or Jinja string with `start_from_trigger`",
                    value,
                    hint="Write \"{{ ti.xcom_pull('the task before', map_indexes=-1) }}\" instead.",
                )
            elif is_literal(value) and not arguments.is_known(value):
                arguments.refuse(
                    name,
                    "written with Jinja's standard delimiters with `start_from_trigger`",
                    value,
                    hint="Airflow's triggerer does not use the `jinja_environment_kwargs` of the DAG.",
                )
            elif unavailable := _unavailable_in_triggerer(value):
                arguments.refuse(
                    name,
                    f"free of {unavailable} with `start_from_trigger`: Airflow's triggerer cannot fetch it",
                    value,
                    hint="Write \"{{ ti.xcom_pull('the task before', map_indexes=-1) }}\" for the result of a task.",
                )

    def _start_in_triggerer(self) -> None:
        from airflow.triggers.base import StartTriggerArgs

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
        self.validate_rendered()
        if self.deferrable:
            from airflow_provider_ringevents.triggers.reports import RingEventsReportTrigger

            self.defer(
                trigger=RingEventsReportTrigger(
                    self.report_id, self.ringevents_conn_id, self.poke_interval, clock.now() + self.timeout
                ),
                method_name="execute_complete",
            )
        self.wait_on_worker(context)
        return self.report_id

    def poke(self, context: Context) -> bool | PokeReturnValue:
        """Return True when the report is ready."""
        from airflow_provider_ringevents.client.endpoints import get_report
        from airflow_provider_ringevents.client.report_status import ReportState, report_status
        from airflow_provider_ringevents.polling.reports import describe_status, report_failed_error

        pokes = self.pokes(context)
        if pokes.are_paused:
            return False
        with translate_errors():
            try:
                with self.hook as hook:
                    status = report_status(hook.client.send(get_report(self.report_id), budget=pokes.budget()))
            except RingEventsError as error:
                pokes.on_error(error)
                return False
            pokes.on_success()
            if status.state is ReportState.FAILED:
                raise report_failed_error(self.report_id, status)
        if status.state is not ReportState.READY:
            pokes.progress_log.log_pending(describe_status(status))
            return False
        pokes.progress_log.log_done(f"Report {self.report_id} is ready")
        return True

    def execute_complete(self, context: Context, event: Mapping[str, Any] | None = None) -> str:
        """Return the report's id, from the event of the trigger."""
        with self.translate_trigger_errors():
            report_id: str = parse_payload(event)["report_id"]
        self.log.info("Report %s is ready", report_id)
        return report_id


def _unavailable_in_triggerer(template: str) -> str | None:
    """Return the part of a template that only a worker can render; None if there is none.

    The triggerer of Airflow 3.3 does not answer the request that ``xcom_pull`` sends without ``map_indexes``, nor those
    of ``prev_..._success``: the task would hang until its timeout.
    """
    from jinja2 import Environment, TemplateSyntaxError, nodes

    try:
        tree = Environment(autoescape=True).parse(template)
    except TemplateSyntaxError:  # Airflow reports it, or the delimiters are others
        return None
    answered = {
        id(call.node) for call in tree.find_all(nodes.Call) if "map_indexes" in {keyword.key for keyword in call.kwargs}
    }
    # A pull that is named otherwise than by its call (`{% set pull = ti.xcom_pull %}`) may be called in any way.
    named = [node for node in tree.find_all(nodes.Getattr) if node.attr == "xcom_pull"]
    named_by_text = [  # ti['xcom_pull'] and ti | attr('xcom_pull')
        node
        for node in tree.find_all((nodes.Getitem, nodes.Filter))
        if any(isinstance(part, nodes.Const) and part.value == "xcom_pull" for part in node.iter_child_nodes())
    ]
    if any(id(node) not in answered for node in (*named, *named_by_text)):
        return "xcom_pull without map_indexes"
    previous = (name.name for name in tree.find_all(nodes.Name) if name.name.startswith("prev_"))
    return next((name for name in previous if name.endswith("_success")), None)
