"""The base of the operators that write the rows of a file. Cheap to import: DAGs are parsed often."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

from airflow.providers.common.compat.sdk import Context

from airflow_provider_ringevents.observability.links import LinkStateMixin, ObjectLink
from airflow_provider_ringevents.operators.arguments import Arguments
from airflow_provider_ringevents.operators.base import RingEventsBaseOperator, translate_errors

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

    from airflow_provider_ringevents.bulk.targets import Target
    from airflow_provider_ringevents.observability.lineage import LoadRecord
    from airflow_provider_ringevents.storage import IfExists

_LOAD_ARGUMENTS: Final = (
    "source",
    "results",
    "columns",
    "format",
    "delimiter",
    "encoding",
    "on_invalid",
    "max_failures",
    "failed_rows",
    "concurrency",
    "is_dry_run",
    "settle_timeout",
    "if_exists",
    "allow_undocumented",
    "source_conn_id",
    "results_conn_id",
    "object_options",
)


class RingEventsBaseBulkLoadOperator(LinkStateMixin, RingEventsBaseOperator):
    """Base class of the operators that write the rows of a file to the API."""

    template_fields: Sequence[str] = (*_LOAD_ARGUMENTS, "identity", *RingEventsBaseOperator.template_fields)
    switches: Sequence[str] = ("is_dry_run", "allow_undocumented")
    # To Airflow `dry_run` of a task is a method, which `airflow tasks test --dry-run` calls.
    renamed_arguments: Mapping[str, str] = {"is_dry_run": "dry_run"}
    load_arguments: Sequence[str] = _LOAD_ARGUMENTS
    """The attributes that the load takes under the names of their arguments."""
    target_arguments: Sequence[str] = ("identity", "allow_undocumented")
    """The arguments on which the attributes of a row depend."""
    result_arguments: Sequence[str] = ()
    """The arguments that the result repeats."""
    operator_extra_links = (ObjectLink(),)
    loaded: LoadRecord | None = None

    def __init__(
        self,
        *,
        source: str,
        results: str,
        columns: Mapping[str, str] | None = None,
        identity: Literal["email", "registrationId"] = "email",
        format: str | None = None,
        delimiter: str = ",",
        encoding: str = "utf-8",
        on_invalid: Literal["fail", "skip"] = "fail",
        max_failures: int = 0,
        failed_rows: str | None = None,
        concurrency: int | None = None,
        dry_run: bool = False,
        settle_timeout: float = 60,
        if_exists: IfExists = "overwrite",
        allow_undocumented: bool = False,
        source_conn_id: str | None = None,
        results_conn_id: str | None = None,
        object_options: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.source = source
        self.results = results
        self.columns = columns
        self.identity = identity
        self.format = format
        self.delimiter = delimiter
        self.encoding = encoding
        self.on_invalid = on_invalid
        self.max_failures = max_failures
        self.failed_rows = failed_rows
        self.concurrency = concurrency
        self.is_dry_run = dry_run
        self.settle_timeout = settle_timeout
        self.if_exists = if_exists
        self.allow_undocumented = allow_undocumented
        self.source_conn_id = source_conn_id
        self.results_conn_id = results_conn_id
        self.object_options = object_options

    def pre_execute(self, context: Any) -> None:
        """Forget the load of an earlier try; called by Airflow before each worker session."""
        super().pre_execute(context)
        self.loaded = None

    @abstractmethod
    def make_target(self) -> Target:
        """Return the operation that writes the rows."""

    def check_arguments(self, arguments: Arguments) -> None:
        """Check the arguments, as far as they are known."""
        # Imports the formats and the client, which a DAG without such tasks does not pay for.
        from airflow_provider_ringevents.transfers._bulk_task import check_load_arguments

        check_load_arguments(arguments, self)

    @translate_errors()
    def execute(self, context: Context) -> dict[str, Any]:
        """Check the rows, send them, publish the results, and return the counts."""
        from airflow_provider_ringevents.transfers._bulk_task import run_load

        self.validate_rendered()
        return run_load(self, context)

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any]:
        """Return the datasets that the task read and wrote; called by OpenLineage, also after a failure."""
        from airflow_provider_ringevents.observability.lineage import load_lineage

        return load_lineage(self.loaded)
