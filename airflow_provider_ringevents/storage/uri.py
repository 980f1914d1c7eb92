"""The syntax of destinations: pure functions that may run whenever a DAG file is parsed."""

from __future__ import annotations

import importlib.util
import os
import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from typing import NamedTuple

from airflow_provider_ringevents.client.errors import RingEventsConfigError, invalid_argument

LOCAL_SCHEMES = frozenset({"file", "local"})
S3_SCHEMES = frozenset({"s3", "s3a", "s3n"})
GCS_SCHEMES = frozenset({"gs", "gcs"})
AZURE_SCHEMES = frozenset({"abfs", "abfss", "adl"})

_ALLOWED = (
    "a string: an absolute path or a URI such as s3://bucket/report.csv; one that ends in / takes the file's own name"
)
_URI = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)

_MAX_FILE_NAME = 255
"""Bytes of the name of a file or folder, on every common file system."""


class _Packages(NamedTuple):
    """The packages that a scheme needs.

    :ivar extra: the extra of this package that installs them.
    :ivar minimum_version: the first version of the filesystem that is safe to use.
    """

    extra: str
    provider: str
    filesystem: str
    minimum_version: str | None = None


_AMAZON = _Packages("amazon", "airflow.providers.amazon", "s3fs")
_GOOGLE = _Packages("google", "airflow.providers.google", "gcsfs")
# Earlier releases of adlfs delete the object before they write (until 2024.12), give the first blocks of all writers
# one name (until 2025.8), and ignore content types (until 2026.8).
_AZURE = _Packages("azure", "airflow.providers.microsoft.azure", "adlfs", "2026.8.0")
_PACKAGES = {
    **dict.fromkeys(S3_SCHEMES, _AMAZON),
    **dict.fromkeys(GCS_SCHEMES, _GOOGLE),
    **dict.fromkeys(AZURE_SCHEMES, _AZURE),
}


@dataclass(frozen=True, slots=True)
class ParsedUri:
    """The parts of a destination.

    :ivar scheme: the scheme in lower case; ``file`` for a plain path.
    :ivar conn_id: the connection that the URI names, or None.
    :ivar path: the part after ``://``, without the connection.
    """

    scheme: str
    conn_id: str | None
    path: str

    @property
    def is_local(self) -> bool:
        """Return True for a file of the machine that runs the task."""
        return self.scheme in LOCAL_SCHEMES

    @property
    def uri(self) -> str:
        """Return the URI without the connection."""
        return f"{'file' if self.is_local else self.scheme}://{self.path}"

    @property
    def place(self) -> tuple[str, str]:
        """Return a value that all names of one object have in common, as far as is known without its store."""
        if self.is_local:
            return "file", os.path.realpath(self.path)
        families = (S3_SCHEMES, GCS_SCHEMES, AZURE_SCHEMES)
        return next((min(family) for family in families if self.scheme in family), self.scheme), self.path


def parse(uri: str, parameter: str) -> ParsedUri:
    """Split a rendered destination into its parts.

    :raises RingEventsConfigError: the URI cannot name an object.
    """
    if not isinstance(uri, str) or not uri.strip():
        raise invalid_argument(parameter, _ALLOWED, uri)
    if any(unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"} for c in uri):
        raise invalid_argument(parameter, "free of line breaks and other control characters", uri)
    if uri != uri.strip() or uri.endswith(("?", "#")):
        raise invalid_argument(parameter, "free of white space at both ends and of '?' and '#' at the end", uri)
    scheme, rest = "file", uri
    if found := _URI.fullmatch(uri):
        scheme, rest = found.group(1).lower(), found.group(2)
    authority = re.match(r"[^/?#]*", rest)
    head = authority.group() if authority else ""
    conn_id, at, host = head.rpartition("@")
    if ":" in conn_id:
        raise invalid_argument(
            parameter,
            "free of a user name and a password before its '@'",
            hint="Only the id of an Airflow connection goes there; put the credentials into that connection.",
        )
    parsed = ParsedUri(scheme, conn_id or None, host + rest[len(head) :] if at else rest)
    _require_object_path(parsed, uri, parameter)
    return parsed


def _require_object_path(parsed: ParsedUri, uri: str, parameter: str) -> None:
    if parsed.is_local:
        if not os.path.isabs(parsed.path):
            raise invalid_argument(
                parameter,
                _ALLOWED,
                uri,
                hint="It is not absolute, and the working folder of a task is not known beforehand. The URI of a local"
                " file has three slashes: file:///data/report.csv.",
            )
        if any(len(os.fsencode(name)) > _MAX_FILE_NAME for name in parsed.path.split("/")):
            raise invalid_argument(parameter, f"a path whose names have at most {_MAX_FILE_NAME} bytes each", uri)
    elif parsed.scheme in _PACKAGES:
        container, _, key = parsed.path.partition("/")
        if not container:
            raise invalid_argument(parameter, _ALLOWED, uri, hint="It names no bucket.")
        if not key and not parsed.path.endswith("/"):
            raise invalid_argument(parameter, _ALLOWED, uri, hint="It names a bucket but no key.")
        if {".", ".."} & set(key.split("/")):
            raise invalid_argument(parameter, "a key without the parts '.' and '..'", uri)
        if "?versionid=" in key.lower():
            raise invalid_argument(parameter, "a key without a version: only a new version can be written", uri)


def require_packages(parsed: ParsedUri, parameter: str) -> None:
    """Check, without importing it, that the filesystem package of a known scheme is installed and recent enough.

    :raises RingEventsConfigError: it is not; the error names the extra that installs it.
    """
    packages = _PACKAGES.get(parsed.scheme)
    if packages is None:
        return
    if not (_installed(packages.filesystem) and _installed(packages.provider)):
        raise RingEventsConfigError(
            f"`{parameter}` {parsed.uri!r} needs a filesystem for {parsed.scheme}://, which is not installed. "
            f"{install_hint(parsed.scheme)}",
            parameter=parameter,
        )
    if packages.minimum_version and (found := _too_old(packages.filesystem, packages.minimum_version)):
        raise RingEventsConfigError(
            f"`{parameter}` {parsed.uri!r} needs {packages.filesystem} {packages.minimum_version} or later, got"
            f" {found}: earlier releases lose objects, mix overlapping writers or ignore content types. "
            f"{install_hint(parsed.scheme)}",
            parameter=parameter,
        )


def is_supported_scheme(scheme: str) -> bool:
    """Return True if the packages that a scheme needs are known."""
    return scheme in _PACKAGES


def install_hint(scheme: str) -> str:
    """Return a sentence that says which package to install for a scheme."""
    if packages := _PACKAGES.get(scheme):
        return f"Install it with: pip install 'airflow-provider-ringevents[{packages.extra}]'"
    return "Install the Airflow provider that supports it, or use s3://, gs://, abfs:// or file://."


@cache
def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # a parent package is missing
        return False


@cache
def _too_old(package: str, minimum_version: str) -> str | None:
    """Return the version of an installed package if it is older than ``minimum_version``."""
    try:
        found = installed_version(package)
    except PackageNotFoundError:  # from a checkout, perhaps: its version is not known
        return None
    return found if _numbers(found) < _numbers(minimum_version) else None


def _numbers(version: str) -> list[int]:
    return [int(number) for number in [*re.findall(r"\d+", version), "0", "0"][:3]]
