"""From the columns of a file to the API's attributes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from airflow_provider_ringevents.client.errors import RingEventsConfigError
from airflow_provider_ringevents.client.types import closest_matches

_SHOWN: Final = 10


class ColumnMapping:
    """Which column of the file becomes which attribute.

    An attribute with members is written with a dot: ``metadata.crm_id``, ``extraFields.Company``, ``answers.Diet``.

    :param columns: attribute to column; None: columns are called like the attributes.
    :param attributes: the attributes that can be sent.
    :param maps: those of them that have members.
    :param required: those that every row needs.
    :param allow_undocumented: let attributes through that are not in ``attributes``.
    :raises RingEventsConfigError: an attribute is not known, or one column is named twice for it.
    """

    def __init__(
        self,
        columns: Mapping[str, str] | None,
        *,
        attributes: Collection[str],
        maps: Collection[str],
        required: Collection[str],
        allow_undocumented: bool = False,
    ) -> None:
        self._columns = dict(columns) if columns is not None else None
        self._attributes = frozenset(attributes)
        self._maps = frozenset(maps)
        self._required = frozenset(required)
        self._allow_undocumented = allow_undocumented
        self._by_column: dict[str, list[str]] = {}
        for attribute, column in (self._columns or {}).items():
            if not isinstance(attribute, str) or not isinstance(column, str) or not column.strip():
                raise RingEventsConfigError(
                    f"`columns` must map attributes to names of columns, got {attribute!r}: {column!r}."
                )
            self._require_known(attribute, "columns")
            self._by_column.setdefault(column.strip(), []).append(attribute)

    def _is_known(self, name: str) -> bool:
        head, dot, member = name.partition(".")
        if dot:
            return bool(member) and (head in self._maps or self._allow_undocumented)
        return name in self._attributes or self._allow_undocumented

    def _require_known(self, name: str, parameter: str) -> None:
        if not self._is_known(name):
            known = sorted(self._attributes | {f"{name}.<name>" for name in self._maps})
            near = closest_matches(name, sorted(self._attributes))
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise RingEventsConfigError(
                f"`{parameter}` must name attributes among {', '.join(known)}, got {name!r}.{hint}"
            )

    def require_columns(self, found: Iterable[str]) -> None:
        """Check the columns of the file, before anything is sent.

        :raises RingEventsConfigError: a column that is mapped is not there, a column is not known, or a required
            attribute has none.
        """
        present = {name for name in found if name}
        if self._columns is not None:
            missing = sorted({column for column in self._by_column if column not in present})
            if missing:
                raise RingEventsConfigError(
                    f"`columns` must name columns of the source, got {_listed(missing)};"
                    f" it has {_listed(sorted(present))}."
                )
            covered = set(self._columns)
        else:
            for name in sorted(present):
                self._require_known(name, "source")
            covered = present
        lacking = sorted(self._required - covered)
        if lacking:
            raise RingEventsConfigError(
                f"`source` must have a column for {_listed(lacking)}, got {_listed(sorted(present)) or 'no column'}."
            )

    def attributes_of(self, values: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
        """Return the attributes of a row, and its problems."""
        attributes: dict[str, Any] = {}
        problems: list[str] = []
        for column, value in values.items():
            targets = [column] if self._columns is None else self._by_column.get(column, ())
            for target in targets:
                head, dot, member = target.partition(".")
                if not dot and head in self._maps:
                    self._take_map(head, value, attributes, problems)
                    continue
                text = _as_text(value)
                if text is None:
                    problems.append(f"`{target}` must be a text, a whole number or a time, got {type(value).__name__}")
                elif dot:
                    attributes.setdefault(head, {})[member] = text
                else:
                    attributes[target] = text.strip()
        return attributes, problems

    @staticmethod
    def _take_map(name: str, value: Any, attributes: dict[str, Any], problems: list[str]) -> None:
        if not isinstance(value, Mapping):
            problems.append(f"`{name}` must be an object, got {type(value).__name__}")
            return
        for member, item in value.items():
            if item is None:
                continue
            text = _as_text(item)
            if text is None:
                problems.append(
                    f"`{name}.{member}` must be a text, a whole number or a time, got {type(item).__name__}"
                )
            else:
                attributes.setdefault(name, {})[str(member)] = text


def _as_text(value: Any) -> str | None:
    """Return a value as the API takes it; None for one that more than one text stands for."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | float):
        return None
    if isinstance(value, int | Decimal):
        return str(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    return None


def _listed(names: list[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:_SHOWN])
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown
