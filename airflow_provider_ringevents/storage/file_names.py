"""Names of objects: safe file names, and names of unpublished parts."""

from __future__ import annotations

import hashlib
import re
import unicodedata

MAX_NAME_BYTES = 200
"""Bytes of UTF-8 of the longest safe name: file systems take 255, and the name of a part file is longer."""

_MAX_IDENTIFIER_BYTES = 100
"""Bytes of an id that stands in a name as it is: much longer than those of the API, and short enough to be one part."""
_FILE_SYSTEM_LIMIT = 255
_PART_SUFFIX = ".ringevents-part"
_SUFFIX = re.compile(r"(?:\.[A-Za-z0-9]{1,10}){1,2}$")
_RESERVED = re.compile(r"(?:con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])\s*(?:\.|$)", re.IGNORECASE)
_FORBIDDEN = re.compile(r'[<>:"|?*]')
_LEADING = re.compile(r"^[\s.]+")
# A "#" at the end would be lost: ObjectStoragePath takes it for an empty fragment.
_TRAILING = re.compile(r"[\s.#]+$")
_JOINERS = "\u200c\u200d"  # invisible, but emoji and several scripts are spelled with them


def safe_file_name(name: str, fallback: str) -> str:
    """Return a name that is safe as the last part of a path, on any store and any operating system.

    Only the part after the last slash or backslash is kept, without control and formatting characters, leading dots and
    white space at either end, and not as one of the names that Windows reserves. Letters of any script are kept. A name
    longer than 200 bytes of UTF-8 is cut before its suffix.

    :param name: the name as it came.
    :param fallback: the name to make safe where nothing is left of ``name``.
    :returns: a name that is never empty.
    """
    return _clean(name) or _clean(fallback) or "download"


def identifier_file_name(identifier: str) -> str:
    """Return a safe name that no other id has: the id itself, or what is left of it and a digest."""
    name = safe_file_name(identifier, "id")
    if name == identifier and len(name.encode()) <= _MAX_IDENTIFIER_BYTES:
        return name
    digest = hashlib.sha256(identifier.encode()).hexdigest()[:16]
    return f"{name.encode()[: _MAX_IDENTIFIER_BYTES - 17].decode(errors='ignore')}-{digest}"


def _clean(name: str) -> str:
    last = name.replace("\\", "/").rpartition("/")[2]
    visible = "".join(c for c in last if c in _JOINERS or unicodedata.category(c) not in {"Cc", "Cf", "Cs", "Zl", "Zp"})
    cleaned = _TRAILING.sub("", _LEADING.sub("", _FORBIDDEN.sub("_", visible)))
    if not cleaned.strip("_"):
        return ""
    if _RESERVED.match(cleaned):
        cleaned = "_" + cleaned
    return _shortened(cleaned)


def _shortened(name: str) -> str:
    if len(name.encode()) <= MAX_NAME_BYTES:
        return name
    found = _SUFFIX.search(name)
    suffix = found.group() if found else ""
    stem = name[: len(name) - len(suffix)].encode()[: MAX_NAME_BYTES - len(suffix)]
    return _TRAILING.sub("", stem.decode(errors="ignore")) + suffix


def temporary_name(name: str) -> str:
    """Return the hidden name of the unpublished part of an object.

    The same name gives the same part name, so that a try finds the remains of a killed one.
    """
    part = f".{name}{_PART_SUFFIX}"
    if len(part.encode()) <= _FILE_SYSTEM_LIMIT:
        return part
    return f".{hashlib.sha256(name.encode()).hexdigest()}{_PART_SUFFIX}"
