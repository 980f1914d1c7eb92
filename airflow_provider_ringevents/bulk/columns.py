"""From the columns of a file to the API's attributes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Final

from airflow_provider_ringevents.client.errors import invalid_argument
from airflow_provider_ringevents.client.types import closest_matches

_SHOWN: Final = 10
_LONGEST: Final = 60
_ANSWERS: Final = "answers"
"""The one attribute whose members may be lists of texts, and which may itself be a list."""


class ColumnMapping:
    """The columns of a file, mapped to the API's attributes.

    An attribute with members is written with a dot: ``metadata.crm_id``, ``extraFields.Company``, ``answers.Diet``.

    :param columns: attribute to column; None: columns are called like the attributes.
    :param attributes: the attributes that can be sent.
    :param maps: those of them that have members.
    :param required: those that every row needs.
    :param allow_undocumented: accept attributes that are not in ``attributes``.
    :raises RingEventsConfigError: an attribute is not known, or a required one is not mapped.
    """

    MAX_COLUMNS: Final = 10_000
    """Different names of columns after which a file of objects is taken for something else than a table."""

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
                raise invalid_argument("columns", "a mapping of attributes to names of columns", {attribute: column})
            self._require_known(attribute, "columns")
            self._by_column.setdefault(column.strip(), []).append(attribute)
        if columns is not None and (lacking := sorted(self._required - set(columns))):
            raise invalid_argument(
                "columns", f"a mapping that has {', '.join(lacking)}, which each row needs", sorted(columns)
            )

    def _is_known(self, name: str) -> bool:
        head, dot, member = name.partition(".")
        if dot:
            return bool(member) and (head in self._maps or self._allow_undocumented)
        return name in self._attributes or self._allow_undocumented

    def _require_known(self, name: str, parameter: str) -> None:
        if self._is_known(name):
            return
        known = sorted(self._attributes | {f"{name}.<name>" for name in self._maps})
        near = closest_matches(name, sorted(self._attributes))
        hint = f"Did you mean {near[0]!r}?" if near else None
        expected = f"made of attributes among {', '.join(known)}"
        if parameter == "source":
            expected = (
                f"a file whose columns are named like the attributes ({', '.join(known)}), or mapped by `columns`"
            )
        raise invalid_argument(parameter, expected, _Names([name]), hint=hint)

    def require_columns(self, found: Iterable[str]) -> None:
        """Check the columns of the file, before anything is sent.

        :raises RingEventsConfigError: a column that is mapped does not exist, a column is not known, or a required
            attribute has none.
        """
        present = sorted({name for name in found if name})
        require_header(present)
        if self._columns is not None:
            missing = sorted(set(self._by_column) - set(present))
            if missing:
                hint = f"It has {_Names(present)!r}."
                raise invalid_argument("columns", "made of columns of the source", _Names(missing), hint=hint)
            return
        for name in present:
            self._require_known(name, "source")
        if lacking := sorted(self._required - set(present)):
            raise invalid_argument("source", f"a file with the columns {', '.join(lacking)}", _Names(present))

    def attributes_of(self, values: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
        """Return the attributes of a row, and its problems."""
        attributes: dict[str, Any] = {}
        problems: list[str] = []
        whole: dict[str, str] = {}
        parts: dict[str, str] = {}
        for column, value in values.items():
            if value is None:
                continue
            targets = [column] if self._columns is None else self._by_column.get(column, ())
            for target in targets:
                head, dot, member = target.partition(".")
                (parts if dot else whole).setdefault(head, target)
                if not dot and head in self._maps:
                    self._take_map(head, value, attributes, problems)
                    continue
                text = value if head == _ANSWERS and _is_texts(value) else _as_text(value)
                if text is None:
                    problems.append(f"`{target}` must be a text, a whole number or a time, got {type(value).__name__}")
                elif dot and head not in whole:
                    attributes.setdefault(head, {})[member] = text
                elif not dot:
                    attributes[target] = text.strip() if isinstance(text, str) else text
        # Together one of two values would be lost, and which one depends on the order of the columns.
        for name in whole.keys() & parts.keys():
            problems.append(f"`{name}` must be left out beside `{parts[name]}`, or have it as a member")
        return attributes, problems

    @staticmethod
    def _take_map(name: str, value: Any, attributes: dict[str, Any], problems: list[str]) -> None:
        if name == _ANSWERS and isinstance(value, list):
            attributes[name] = value  # in the form of the API, which the target checks
            return
        if not isinstance(value, Mapping):
            problems.append(f"`{name}` must be an object, got {type(value).__name__}")
            return
        for member, item in value.items():
            if item is None:
                continue
            text = item if name == _ANSWERS and _is_texts(item) else _as_text(item)
            if text is None:
                problems.append(
                    f"`{name}.{member}` must be a text, a whole number or a time, got {type(item).__name__}"
                )
            else:
                attributes.setdefault(name, {})[str(member)] = text


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _as_text(value: Any) -> str | None:
    """Return a value as text; None for a type that more than one text could stand for."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | float):
        return None
    if isinstance(value, int | Decimal):
        return f"{value:f}" if isinstance(value, Decimal) else str(value)  # str() of a small one has an exponent
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return None


class _Names:
    """The names of columns in a message, not all of many."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names

    def __repr__(self) -> str:
        shown = ", ".join(repr(name[:_LONGEST]) for name in self._names[:_SHOWN])
        more = len(self._names) - _SHOWN
        return (f"{shown} and {more} more" if more > 0 else shown) or "no column"


def require_header(names: Iterable[str]) -> None:
    """Refuse names of columns that are personal data, which no message may show.

    :raises RingEventsConfigError: one of them is an e-mail address, as in a file without a header.
    """
    if any("@" in name for name in names):
        raise invalid_argument(
            "source", "a file with the names of its columns", hint="One of the names it has is an e-mail address."
        )


class DirectMapping:
    """A mapping of rows that are attributes already."""

    MAX_COLUMNS: Final = ColumnMapping.MAX_COLUMNS

    def require_columns(self, found: Iterable[str]) -> None:
        """Accept all; the target checks the attributes of each row."""

    def attributes_of(self, values: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
        """Return the values of a row as they are."""
        return dict(values), []
