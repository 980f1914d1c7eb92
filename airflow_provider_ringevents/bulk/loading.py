"""The rows of a source, checked one by one before anything is sent."""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING, Final

from airflow_provider_ringevents.bulk.columns import ColumnMapping, DirectMapping
from airflow_provider_ringevents.bulk.failures import describe_problems, problem_kind
from airflow_provider_ringevents.bulk.spool import Spool, SpooledRow
from airflow_provider_ringevents.bulk.targets import Target
from airflow_provider_ringevents.client.errors import RingEventsConfigError
from airflow_provider_ringevents.observability.formatting import format_count

if TYPE_CHECKING:
    from airflow_provider_ringevents.bulk.source import RowSource, SourceRow

log = logging.getLogger(__name__)

_SPOOL_BATCH: Final = 500


class RowLoader:
    """A reader of sources that validates each row and puts it into a spool.

    :param failures: takes the number of invalid rows by reason.
    :ivar unidentified: the number of rows of which it is not known whose they are.
    """

    def __init__(
        self, target: Target, mapping: ColumnMapping | DirectMapping, spool: Spool, failures: Counter[str]
    ) -> None:
        self._target = target
        self._mapping = mapping
        self._spool = spool
        self._failures = failures
        self._unspooled: dict[str, int] = {}
        self.unidentified = 0

    def load(self, source: RowSource) -> None:
        """Read a source.

        :raises RingEventsConfigError: the source or its columns cannot be used.
        :raises RingEventsError: the source could not be read whole.
        """
        mapping = self._mapping
        with source.open() as file:
            if file.columns is not None:
                mapping.require_columns(file.columns)
            seen: dict[str, None] = {}
            batch: list[SpooledRow] = []
            count = 0
            for count, row in enumerate(file.rows(), start=1):  # noqa: B007
                if file.columns is None:
                    seen.update(dict.fromkeys(row.values))
                    if len(seen) > mapping.MAX_COLUMNS:
                        mapping.require_columns(seen)
                batch.append(self._check(row))
                if len(batch) >= _SPOOL_BATCH:
                    self._spool.add_rows(batch)
                    batch.clear()
                    self._unspooled.clear()
            self._spool.add_rows(batch)
            if file.columns is None and seen:
                mapping.require_columns(seen)
        log.info("%s has %s", source.uri, format_count(count, "row"))

    def _check(self, row: SourceRow) -> SpooledRow:
        target = self._target
        if row.problem:
            return self._invalid(row, "unreadable row", row.problem)
        attributes, problems = self._mapping.attributes_of(row.values)
        identity = target.identity_of(attributes)
        if problems:
            return self._invalid(row, "value of another type", "; ".join(problems), identity)
        try:
            checked = target.validate(attributes)
        except RingEventsConfigError as error:
            names_nobody = any(problem.parameter == target.identity for problem in error.problems or (error,))
            kind = problem_kind(error, target.attributes)
            return self._invalid(row, kind, describe_problems(error), identity, names_nobody=names_nobody)
        identity = target.identity_of(checked)
        if identity is None:
            return self._invalid(row, "no identity", f"`{target.identity}` must be given")
        first = self._unspooled.get(identity) or self._spool.first_row_of(identity)
        if first is not None:
            return self._invalid(row, "duplicate in the source", f"the same person as row {first}", identity)
        self._unspooled[identity] = row.number
        return SpooledRow(row.number, identity, row.cells, checked, None, None, None, None)

    def _invalid(
        self, row: SourceRow, kind: str, reason: str, identity: str | None = None, *, names_nobody: bool = False
    ) -> SpooledRow:
        self._failures[kind] += 1
        self.unidentified += identity is None or names_nobody
        return SpooledRow(row.number, identity, row.cells, None, "invalid", None, None, reason)
