"""Signed links, which give read access to one file for a short time.

Their form is made up: the reference says only that they expire.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from typing import Final
from urllib.parse import quote, unquote

from airflow_provider_ringevents.emulator.backend.clock import Clock

PREFIX: Final = "/reports/"


class Signer:
    """A signer and verifier of the links of one seed.

    :param origin: returns scheme, host and port of the server of the links.
    """

    def __init__(self, seed: int, clock: Clock, origin: Callable[[], str]) -> None:
        self._key = hashlib.blake2b(f"links of {seed}".encode(), digest_size=32).digest()
        self._clock = clock
        self._origin = origin

    def sign(self, report_id: str, filename: str, lifetime: float) -> str:
        """Return a URL of a file that is valid for ``lifetime`` seconds; a negative lifetime has passed already."""
        path = f"{PREFIX}{report_id}/{quote(filename)}"
        expires = f"{self._clock() + lifetime:.3f}"
        return f"{self._origin()}{path}?expires={expires}&signature={self._signature(report_id, expires)}"

    def expired(self, url: str) -> str:
        """Return a link as an expired one, and any other URL unchanged."""
        path = url.removeprefix(self._origin()).partition("?")[0]
        if path == url or not path.startswith(PREFIX):
            return url
        report_id, filename = path.removeprefix(PREFIX).split("/", 1)
        return self.sign(report_id, unquote(filename), -1)

    def check(self, report_id: str, expires: str, signature: str) -> str | None:
        """Return the S3-like error code for a link, or None when it is valid."""
        if not hmac.compare_digest(self._signature(report_id, expires).encode(), signature.encode()):
            return "SignatureDoesNotMatch"
        return "AccessDenied" if float(expires) < self._clock() else None

    def _signature(self, report_id: str, expires: str) -> str:
        return hmac.new(self._key, f"{report_id}\n{expires}".encode(), hashlib.sha256).hexdigest()


def error_xml(code: str) -> bytes:
    """Return the XML error document of an object store."""
    messages = {
        "AccessDenied": "Request has expired",
        "SignatureDoesNotMatch": "The request signature we calculated does not match the signature you provided.",
        "NoSuchKey": "The specified key does not exist.",
    }
    error = f"<Error><Code>{code}</Code><Message>{messages[code]}</Message></Error>"
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{error}'.encode()
