"""JSON as services send it: half surrogate pairs, numbers that no double holds, digits that must not change."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any, NoReturn

import msgspec

_MAX_INTEGER_DIGITS = 300
"""Longer integers are no finite double; Python converts no more than 4,300 digits."""
_scan = msgspec.json.Decoder(msgspec.Raw).decode
_decode_exactly = msgspec.json.Decoder(float_hook=msgspec.Raw).decode
_SAMPLE_STEP = _MAX_INTEGER_DIGITS // 2
_TWO_DIGITS = re.compile(rb"[0-9](?=[0-9])")


def decode_json(body: bytes | msgspec.Raw, *, exact: bool = False) -> Any:
    """Decode JSON; half a surrogate pair becomes U+FFFD, a number that no finite double holds becomes its text.

    A service that cuts text by UTF-16 units makes such halves out of emoji, and one of them in one row must not make
    its whole page unreadable; nor must a number like ``1e400``.

    :param exact: give numbers with a fraction or an exponent as ``msgspec.Raw``, which keeps their digits.
    :raises ValueError: it is not JSON.
    :raises RecursionError: it is nested too deeply.
    """
    text = bytes(body)
    try:
        if not _has_long_number(text):
            return _decode_exactly(text) if exact else msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        if b"\\ud" not in text.lower() and "out of range" not in str(error):
            raise ValueError(str(error)) from None  # a subclass of it since msgspec 0.21 only
    read_float, read_int = (msgspec.Raw, _exact_integer) if exact else (_read_float, _read_integer)
    decoded = json.loads(text, parse_constant=_reject_constant, parse_float=read_float, parse_int=read_int)
    return replace_lone_surrogates(decoded)


def _has_long_number(text: bytes) -> bool:
    """Return whether a text may hold an integer that is no finite double, which the fast decoder reads all the same."""
    if len(text) <= _MAX_INTEGER_DIGITS:
        return False
    # So many digits in a row cover two neighbours of such a sample, which is a fraction of the work.
    sample = text[::_SAMPLE_STEP]
    return any(
        text[match.start() * _SAMPLE_STEP : (match.start() + 1) * _SAMPLE_STEP].isdigit()
        for match in _TWO_DIGITS.finditer(sample)
    )


def _exact_integer(digits: str) -> int | msgspec.Raw:
    return int(digits) if len(digits) <= _MAX_INTEGER_DIGITS else msgspec.Raw(digits)


def _read_float(digits: str) -> float | str:
    number = float(digits)
    return number if math.isfinite(number) else digits


def _read_integer(digits: str) -> int | str:
    return int(digits) if len(digits) <= _MAX_INTEGER_DIGITS else digits


def is_well_formed(body: bytes) -> bool:
    """Return whether it is complete, well-formed JSON, without building its values, which takes ten times as long.

    The encoding of its strings and halves of surrogate pairs are left to :func:`decode_json`.
    """
    try:
        _scan(body)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def replace_lone_surrogates(value: Any) -> Any:
    """Return a copy in which halves of surrogate pairs, which no encoding can write, are U+FFFD."""
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, Mapping):
        replaced: dict[Any, Any] = {}
        for key, item in value.items():
            name = replace_lone_surrogates(key)
            if name != key and (name in value or name in replaced):
                # Keys that differ in such a half alone stay two.
                name = key.encode("utf-8", "backslashreplace").decode()
            replaced[name] = replace_lone_surrogates(item)
        return replaced
    if isinstance(value, list | tuple):
        return [replace_lone_surrogates(item) for item in value]
    return value


def _reject_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
