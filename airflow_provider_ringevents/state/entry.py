"""One entry of Airflow's task or asset state store."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Generic, TypeVar

_Value = TypeVar("_Value")

log = logging.getLogger(__name__)


class StateEntry(Generic[_Value]):
    """One key of a state store of Airflow 3.3 and later. Without a store nothing is kept.

    A value that cannot be decoded is dropped, and a warning names its key.

    :param store: the store of a task or an asset; None where Airflow has none.
    :param key: the key in the store.
    :param decode: turns the stored JSON value into one of ours; raises :class:`LookupError`, :class:`TypeError` or
        :class:`ValueError` where it cannot.
    """

    def __init__(self, store: Any | None, key: str, decode: Callable[[Any], _Value]) -> None:
        self._store = store
        self._key = key
        self._decode = decode

    @property
    def is_durable(self) -> bool:
        """Return True when values outlive this process."""
        return self._store is not None

    def load(self) -> _Value | None:
        """Return the stored value; None where there is none that can be decoded."""
        if self._store is None:
            return None
        is_readable, value = self._read(self._store.get(self._key))
        if not is_readable:
            self.clear()
        return value

    def save(self, value: Any) -> None:
        """Store a JSON value."""
        if self._store is not None:
            self._store.set(self._key, value)

    def clear(self) -> None:
        """Remove the entry."""
        if self._store is not None:
            self._store.delete(self._key)

    async def aload(self) -> _Value | None:
        """Return the stored value without blocking the event loop, as :meth:`load`."""
        if self._store is None:
            return None
        is_readable, value = self._read(await self._store.aget(self._key))
        if not is_readable:
            await self._store.adelete(self._key)
        return value

    async def asave(self, value: Any) -> None:
        """Store a JSON value without blocking the event loop."""
        if self._store is not None:
            await self._store.aset(self._key, value)

    def _read(self, stored: Any) -> tuple[bool, _Value | None]:
        if stored is None:
            return True, None
        try:
            return True, self._decode(stored)
        except (LookupError, TypeError, ValueError) as error:
            log.warning("The state store has an unreadable value under %s, which is dropped: %.200r", self._key, error)
            return False, None
