"""Airflow 3.3: a task with `start_from_trigger` is deferred by the scheduler; no worker sees it before its event."""

from __future__ import annotations

from typing import Any

from airflow.sdk.api.datamodels._generated import TaskInstance

from airflow_harness.spec import Spec


class StartInTriggerer:
    """What scheduler and triggerer know of such a task: its serialized DAG."""

    def __init__(self, spec: Spec, task_id: str) -> None:
        from airflow.serialization.serialized_objects import DagSerialization

        self._encoded_dag = DagSerialization.to_dict(spec.build().dag)
        self._task = DagSerialization.from_dict(self._encoded_dag).get_task(task_id)

    @property
    def wanted(self) -> bool:
        return bool(self._task.start_from_trigger and self._task.start_trigger_args)

    def deferral(self) -> dict[str, Any]:
        """What the scheduler stores instead of queueing the task."""
        from airflow.models.trigger import stringify_encoding_keys
        from airflow.sdk.serde import serialize

        args = self._task.start_trigger_args
        return {
            "classpath": args.trigger_cls,
            "trigger_kwargs": serialize(stringify_encoding_keys(args.trigger_kwargs or {})),
            "trigger_timeout": args.timeout,
            "next_method": args.next_method,
            "next_kwargs": stringify_encoding_keys(args.next_kwargs or {}),
        }

    def render(self, trigger: Any, instance: TaskInstance, dag_run: dict[str, Any]) -> None:
        """Fill in the trigger's templated arguments, as the triggerer does before it runs."""
        from airflow.jobs.triggerer_job_runner import TriggerRunner

        trigger.task_instance = TriggerRunner.create_runtime_ti(instance, self._encoded_dag, dag_run)
        trigger.render_template_fields(context=trigger.task_instance.get_template_context())
