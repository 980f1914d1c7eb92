"""Reading a destination as the user wrote it: pure, so that it can run whenever a DAG file is parsed."""

from __future__ import annotations

import importlib.util
import os.path
import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version

from airflow_provider_ringevents.client.errors import RingEventsConfigError

LOCAL_SCHEMES = frozenset({"file", "local"})
S3_SCHEMES = frozenset({"s3", "s3a", "s3n"})
GCS_SCHEMES = frozenset({"gs", "gcs"})
AZURE_SCHEMES = frozenset({"abfs", "abfss", "adl"})

_ALLOWED = "an absolute path or a URI such as s3://bucket/report.csv, or one that ends in / to take the file's own name"
_URI = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Packages:
    """What must be installed before Airflow knows a scheme.

    :ivar minimum_version: the first version of the filesystem that replaces objects as a whole.
    """

    extra: str
    provider: str
    filesystem: str
    minimum_version: str | None = None


_AMAZON = _Packages("amazon", "airflow.providers.amazon", "s3fs")
_GOOGLE = _Packages("google", "airflow.providers.google", "gcsfs")
# Until 2024.12 adlfs deleted the object before it wrote, and until 2025.8 the first blocks of all writers had one name.
_AZURE = _Packages("azure", "airflow.providers.microsoft.azure", "adlfs", "2025.8.0")
_PACKAGES = {
    **dict.fromkeys(S3_SCHEMES, _AMAZON),
    **dict.fromkeys(GCS_SCHEMES, _GOOGLE),
    **dict.fromkeys(AZURE_SCHEMES, _AZURE),
}


@dataclass(frozen=True, slots=True)
class ParsedUri:
    """A destination taken apart.

    :ivar scheme: in small letters; ``file`` for a plain path.
    :ivar conn_id: the connection that the URI itself names, if it does.
    :ivar path: what follows ``://``, without the connection.
    """

    scheme: str
    conn_id: str | None
    path: str

    @property
    def is_local(self) -> bool:
        """Whether it is a file of the machine that runs the task."""
        return self.scheme in LOCAL_SCHEMES

    @property
    def uri(self) -> str:
        """The URI without the connection."""
        return f"{'file' if self.is_local else self.scheme}://{self.path}"


def check_destination(uri: str, *, parameter: str = "destination") -> None:
    """Refuse at parse time what could never be published to. Imports no filesystem and looks no connection up.

    A value with Jinja in it can only be judged when it is rendered: here it just must not be empty. A scheme that is
    not known here is left to execution, where Airflow may know it from another provider.

    :param uri: the destination as the user gave it.
    :param parameter: the argument's name, for the error.
    :raises RingEventsConfigError: it is not a string, is empty, or cannot name an object; or the filesystem package
        for its scheme is not installed (the error names the extra that has it).
    """
    if isinstance(uri, str) and uri.strip() and ("{{" in uri or "{%" in uri):
        return
    require_packages(parse(uri, parameter), parameter)


def parse(uri: str, parameter: str) -> ParsedUri:
    """Take a rendered destination apart.

    :raises RingEventsConfigError: it can name no object.
    """
    if not isinstance(uri, str):
        raise RingEventsConfigError(f"{parameter} is a {type(uri).__name__}: it must be a string, {_ALLOWED}.")
    if not uri.strip():
        raise RingEventsConfigError(f"{parameter} is empty: give {_ALLOWED}.")
    if any(unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"} for c in uri):
        raise RingEventsConfigError(f"{parameter} {uri!r} holds a line break or another control character.")
    if uri != uri.strip() or uri.endswith(("?", "#")):
        raise RingEventsConfigError(f"{parameter} {uri!r} starts or ends with a blank, or ends with '?' or '#'.")
    scheme, rest = "file", uri
    if found := _URI.fullmatch(uri):
        scheme, rest = found.group(1).lower(), found.group(2)
    authority = re.match(r"[^/?#]*", rest)
    head = authority.group() if authority else ""
    conn_id, at, host = head.rpartition("@")
    if ":" in conn_id:
        raise RingEventsConfigError(
            f"{parameter} holds a user name and a password before its '@'. Only the id of an Airflow connection goes "
            "there; put the credentials into that connection."
        )
    parsed = ParsedUri(scheme, conn_id or None, host + rest[len(head) :] if at else rest)
    _require_object_path(parsed, uri, parameter)
    return parsed


def _require_object_path(parsed: ParsedUri, uri: str, parameter: str) -> None:
    if parsed.is_local:
        if not os.path.isabs(parsed.path):
            raise RingEventsConfigError(
                f"{parameter} {uri!r} is not absolute, and the working folder of a task is not known beforehand: "
                f"give {_ALLOWED}. A local file has three slashes: file:///data/report.csv."
            )
    elif parsed.scheme in _PACKAGES:
        container, _, key = parsed.path.partition("/")
        if not container:
            raise RingEventsConfigError(f"{parameter} {uri!r} names no bucket: give {_ALLOWED}.")
        if not key and not parsed.path.endswith("/"):
            raise RingEventsConfigError(
                f"{parameter} {uri!r} names a bucket but no key: add one, or end it in / to take the file's own name."
            )
        if {".", ".."} & set(key.split("/")):
            raise RingEventsConfigError(
                f"{parameter} {uri!r} has a part '.' or '..': object stores have no such thing."
            )
        if "?versionid=" in key.lower():
            raise RingEventsConfigError(f"{parameter} {uri!r} asks for a version: only a new one can be written.")


def require_packages(parsed: ParsedUri, parameter: str) -> None:
    """Check that the filesystem package of a known scheme is installed and can be trusted, without importing it.

    :raises RingEventsConfigError: it is not; the error names the extra that has it.
    """
    packages = _PACKAGES.get(parsed.scheme)
    if packages is None:
        return
    if not (_installed(packages.filesystem) and _installed(packages.provider)):
        raise RingEventsConfigError(
            f"{parameter} {parsed.uri!r}: the filesystem for {parsed.scheme}:// is not installed. "
            f"{install_hint(parsed.scheme)}"
        )
    if packages.minimum_version and (found := _too_old(packages.filesystem, packages.minimum_version)):
        raise RingEventsConfigError(
            f"{parameter} {parsed.uri!r}: {packages.filesystem} {found} can lose what is there while it writes, or mix "
            f"two writers; {packages.minimum_version} and later do not. {install_hint(parsed.scheme)}"
        )


def is_supported_scheme(scheme: str) -> bool:
    """Whether it is known here which packages a scheme needs."""
    return scheme in _PACKAGES


def install_hint(scheme: str) -> str:
    """Say what to install for a scheme, as far as it is known."""
    if packages := _PACKAGES.get(scheme):
        return f"Install it with: pip install 'airflow-provider-ringevents[{packages.extra}]'"
    return "Install the Airflow provider that has it, or use s3://, gs://, abfs:// or file://."


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
