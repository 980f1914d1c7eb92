"""The options of text files. Cheap to import: DAGs are parsed often."""

from __future__ import annotations

import codecs
from typing import Any, Final

from airflow_provider_ringevents.client.errors import invalid_argument

_NO_CHARACTER_SETS: Final = frozenset({"idna", "punycode", "raw-unicode-escape", "unicode-escape"})
"""Codecs from text to bytes that encode host names or source code, and read plain text as something else."""


def validate_delimiter(value: Any) -> None:
    """Refuse what cannot stand between the cells of CSV.

    :raises RingEventsConfigError: it is not one character, or a quote or a line break.
    """
    if not isinstance(value, str) or len(value) != 1 or value in '\r\n"':
        raise invalid_argument("delimiter", "one character other than a quote or a line break", value)


def validate_encoding(value: Any) -> None:
    """Refuse what is not an encoding of text.

    :raises RingEventsConfigError: Python does not know it, or it encodes bytes, host names or source code.
    """
    try:
        codecs.getincrementalencoder(value)
        "".encode(value)
        is_character_set = codecs.lookup(value).name not in _NO_CHARACTER_SETS
    except (LookupError, TypeError, ValueError):  # the last for NUL in a name, and for the codec `undefined`
        is_character_set = False
    if not is_character_set:
        raise invalid_argument("encoding", "the name of an encoding of text", value)
