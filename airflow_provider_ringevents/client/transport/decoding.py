"""Bytes of JSON -> plain values. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NoReturn

import msgspec

_scan = msgspec.json.Decoder(msgspec.Raw).decode


def decode_json(body: bytes) -> Any:
    """Decode an answer.

    A half of a surrogate pair becomes U+FFFD: a service that cuts text by UTF-16 units makes such halves out of emoji,
    and one of them in one row shall not make its whole page unreadable.

    :raises ValueError: it is no JSON.
    :raises RecursionError: it is nested too deeply.
    """
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        if b"\\ud" not in body.lower():
            raise ValueError(str(error)) from None  # which it is since msgspec 0.21
        return replace_lone_surrogates(json.loads(body, parse_constant=_refuse))


def is_well_formed(body: bytes) -> bool:
    """Whether it is whole and well formed, without building what it says, which takes ten times as long.

    Neither the encoding of its texts nor halves of surrogate pairs are looked at: :func:`decode_json` decides.
    """
    try:
        _scan(body)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def replace_lone_surrogates(value: Any) -> Any:
    """A copy without halves of surrogate pairs, which no encoding can write: each becomes U+FFFD."""
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, Mapping):
        return {replace_lone_surrogates(key): replace_lone_surrogates(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [replace_lone_surrogates(item) for item in value]
    return value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")
