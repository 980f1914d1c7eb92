"""The options of text files. Cheap to import: DAGs are parsed often."""

from __future__ import annotations

import codecs
from typing import Any

from airflow_provider_ringevents.client.errors import invalid_argument


def validate_delimiter(value: Any) -> None:
    """Refuse what cannot stand between the cells of CSV.

    :raises RingEventsConfigError: it is not one character, or a quote or a line break.
    """
    if not isinstance(value, str) or len(value) != 1 or value in '\r\n"':
        raise invalid_argument("delimiter", "one character other than a quote or a line break", value)


def validate_encoding(value: Any) -> None:
    """Refuse what is not an encoding of text.

    :raises RingEventsConfigError: Python does not know it, or it is one of bytes.
    """
    try:
        codecs.getincrementalencoder(value)
        "".encode(value)
    except (LookupError, TypeError, ValueError):  # the last for NUL in a name, and for the codec `undefined`
        raise invalid_argument("encoding", "the name of an encoding of text", value) from None
