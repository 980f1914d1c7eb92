"""Additions of this package to the API's reference: secrets, credentials, deprecations and formats."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

SECRET_ATTRIBUTES: Final = frozenset({"password"})
"""Request attributes whose values no message and no log shows."""

PERSONAL_ATTRIBUTES: Final = (
    *("email", "firstName", "lastName", "first_name", "last_name", "headline", "externalBarcode"),
    *("answers", "extraFields", "metadata"),
)
"""Request attributes that say something of a person, and that no error repeats although the service quotes them."""

CREDENTIAL_FIELDS: Final = frozenset({"magicLink", "password", "qrCodeData", "qrCodeImageUrl"})
"""Response fields that admit their holder to an event; exported only on request."""

SIGNED_LINK_FIELDS: Final[Mapping[str, frozenset[str]]] = {"reports": frozenset({"url"})}
"""List -> fields with signed links, which expire after a minute and are never exported."""

TIMESTAMP_FIELDS: Final = frozenset({"createdAt", "firstCheckIn", "timeEnd", "timeStart"})
"""Response fields that hold times, although the reference documents some of them as plain strings."""

DEPRECATED_ATTRIBUTES: Final[Mapping[str, str]] = {"attendeesVisiblity": "attendeesVisibility"}
"""Deprecated request attribute -> its replacement."""

ATTRIBUTE_PATTERNS: Final[Mapping[str, str]] = {
    # No control characters, invisible characters or halves of surrogate pairs, besides white space.
    "email": (
        r"(?!.*[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ud800-\udfff])"
        r"[^@\s]+@[^@\s]+\.[^@\s]+"
    )
}
"""Request attribute -> a pattern that the reference does not state and the client checks."""

PATTERN_DESCRIPTIONS: Final[Mapping[str, str]] = {
    "color": 'a colour in HEX format ("#fff" or "#ffffff")',
    "email": "an e-mail address",
}
"""Request attribute with a pattern -> the pattern in words."""
