"""The base of the operators that write the rows of a file. Cheap to import: DAGs are parsed often."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from airflow.providers.common.compat.sdk import Context

from airflow_provider_ringevents._compat import task_state_store
from airflow_provider_ringevents.bulk.text_options import validate_delimiter, validate_encoding
from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.observability.links import LinkStateMixin, ObjectLink
from airflow_provider_ringevents.operators.arguments import Arguments
from airflow_provider_ringevents.operators.base import RingEventsBaseOperator, translate_errors

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

    from airflow_provider_ringevents.bulk.targets import Target
    from airflow_provider_ringevents.observability.lineage import LoadRecord
    from airflow_provider_ringevents.storage import IfExists
    from airflow_provider_ringevents.transfers._bulk_load import BulkLoad

_CHOICES: Final[Mapping[str, Sequence[str]]] = {
    "identity": ("email", "registrationId"),
    "on_invalid": ("fail", "skip"),
    "if_exists": ("overwrite", "skip", "fail"),
}
_MAX_COUNT: Final = 2**31
_DAY: Final = 86_400
_OF_THE_LOAD: Final = (
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
"""The attributes that the work takes under the names of their arguments."""


class RingEventsBaseBulkLoadOperator(LinkStateMixin, RingEventsBaseOperator):
    """Base class of the operators that write the rows of a file to the API."""

    template_fields: Sequence[str] = (*_OF_THE_LOAD, "identity", *RingEventsBaseOperator.template_fields)
    switches: Sequence[str] = ("is_dry_run", "allow_undocumented")
    # To Airflow `dry_run` of a task is a method, which `airflow tasks test --dry-run` calls.
    renamed_arguments: Mapping[str, str] = {"is_dry_run": "dry_run"}
    target_arguments: Sequence[str] = ("identity", "allow_undocumented")
    """The arguments on which the attributes of a row depend."""
    operator_extra_links = (ObjectLink(),)
    loaded: LoadRecord | None = None

    def __init__(
        self,
        *,
        source: str,
        results: str,
        columns: Mapping[str, str] | None = None,
        identity: str = "email",
        format: str | None = None,
        delimiter: str = ",",
        encoding: str = "utf-8",
        on_invalid: str = "fail",
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

    # --- for the operators

    @abstractmethod
    def make_target(self) -> Target:
        """Return the operation that writes the rows."""

    @abstractmethod
    def list_path(self) -> str:
        """Return the quoted path of the list that the operation adds to or changes."""

    def summary(self) -> dict[str, Any]:
        """Return what is written to, for the result of the task."""
        return {}

    def load_options(self) -> dict[str, Any]:
        """Return further options of the load."""
        return {}

    # --- arguments

    def check_arguments(self, arguments: Arguments) -> None:
        """Check the arguments, as far as they are known."""
        from airflow_provider_ringevents.client.types import validate_choice

        for name, allowed in _CHOICES.items():
            if arguments.knows(name):
                with arguments.gather():
                    validate_choice(name, arguments[name], allowed, closed=True)
        for name in ("max_failures", "settle_timeout", "concurrency"):
            self._check_count(arguments, name)
        for name, validate in (("delimiter", validate_delimiter), ("encoding", validate_encoding)):
            if arguments.knows(name):
                with arguments.gather():
                    validate(arguments[name])
        self._check_files(arguments)
        if arguments.knows("columns", *self.target_arguments) and arguments["columns"] is not None:
            if isinstance(arguments["columns"], Mapping):
                with arguments.gather():
                    self._load().mapping(self.make_target())
            else:
                arguments.refuse("columns", "a mapping of attributes to columns", arguments["columns"])

    @staticmethod
    def _check_count(arguments: Arguments, name: str) -> None:
        value = arguments.number(name)
        if (value is None and name == "concurrency") or not arguments.is_known(value):
            return
        from airflow_provider_ringevents.client.settings import check_number

        with arguments.gather():
            if name == "concurrency":
                check_number(name, value, integer=True, minimum=1, maximum=defaults.MAX_CONCURRENCY)
            elif name == "settle_timeout":
                check_number(name, value, minimum=0, maximum=_DAY)
            else:
                check_number(name, value, integer=True, minimum=0, maximum=_MAX_COUNT)

    def _check_files(self, arguments: Arguments) -> None:
        names = ("source", "results", "failed_rows", "format", "source_conn_id", "results_conn_id", "object_options")
        arguments.connection("source_conn_id", required=False)
        arguments.connection("results_conn_id", required=False)
        for name in ("source", "results", "failed_rows"):
            value = arguments[name]
            if not arguments.is_known(value) or (value is None and name == "failed_rows"):
                continue
            if not isinstance(value, str) or not value.strip():
                arguments.refuse(name, "the URI of an object", value)
                return
            if not arguments.path(name):
                return
        if arguments.knows(*names):
            # 30 ms, and a DAG may have no such operator.
            from airflow_provider_ringevents.transfers._bulk_load import BulkLoad, check_files

            with arguments.gather():
                check_files(BulkLoad(**{name: arguments[name] for name in names}))

    # --- execution

    def _load(self) -> BulkLoad:
        from airflow_provider_ringevents.transfers._bulk_load import BulkLoad

        options = {self.renamed_arguments.get(name, name): getattr(self, name) for name in _OF_THE_LOAD}
        return BulkLoad(**options, **self.load_options())

    @translate_errors()
    def execute(self, context: Context) -> dict[str, Any]:
        """Check the rows, send them, publish the results, and return the counts."""
        from airflow_provider_ringevents.observability.lineage import LoadRecord
        from airflow_provider_ringevents.state.send_journal import SendJournal
        from airflow_provider_ringevents.transfers._asset_events import emit_asset_events
        from airflow_provider_ringevents.transfers._bulk_load import load_rows

        self.validate_rendered()
        journal = SendJournal(task_state_store(context), context["ti"].try_number)
        with self.hook as hook:
            outcome = load_rows(hook.client, self.make_target(), self._load(), journal=journal)
            base_url = hook.base_url
        manifest = {**outcome.manifest, **self.summary()}
        ObjectLink.persist(context, manifest["uri"])
        if not manifest.get("skipped"):
            self.loaded = LoadRecord(
                base_url=base_url,
                path=self.list_path(),
                rows=outcome.written,
                source=manifest["source"],
                source_account=outcome.source_account,
                results=manifest["uri"],
                results_account=outcome.results_account,
                results_size=manifest["bytes"],
                results_rows=manifest["rows"],
            )
        if outcome.error is not None:
            raise outcome.error
        emit_asset_events(context, self.outlets, [manifest])
        return manifest

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any]:
        """Return the datasets that the task read and wrote; called by OpenLineage, also after a failure."""
        from airflow.providers.openlineage.extractors import OperatorLineage

        from airflow_provider_ringevents.observability.lineage import load_lineage

        return load_lineage(self.loaded) if self.loaded is not None else OperatorLineage()
