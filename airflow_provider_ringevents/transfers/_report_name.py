"""The names that fit a report: suffixes that promise what it is not, and first bytes that tell what it is. Pure."""

from __future__ import annotations

from typing import Final

from airflow_provider_ringevents.client.errors import invalid_argument

_GZIP_MAGIC: Final = b"\x1f\x8b\x08"
_NOT_CSV: Final = (
    ".parquet",
    ".json",
    ".jsonl",
    ".avro",
    ".orc",
    ".xlsx",
    ".xls",
    ".zip",
    ".bz2",
    ".xz",
    ".zst",
    ".pdf",
)
_BINARY: Final = {
    b"PK\x03\x04": ("a ZIP or Excel file", (".zip", ".xlsx")),
    b"PK\x05\x06": ("an empty ZIP file", (".zip",)),
    b"7z\xbc\xaf\x27\x1c": ("a 7z file", ()),
    b"\xd0\xcf\x11\xe0": ("an Excel file", (".xls",)),
    b"%PDF": ("a PDF document", (".pdf",)),
    b"PAR1": ("a Parquet file", (".parquet",)),
    b"Obj\x01": ("an Avro file", (".avro",)),
    b"ORC": ("an ORC file", (".orc",)),
    b"BZh": ("a bzip2 file", (".bz2",)),
    b"\xfd7zXZ": ("an xz file", (".xz",)),
    b"\x28\xb5\x2f\xfd": ("a zstd file", (".zst",)),
    _GZIP_MAGIC: ("gzip within gzip", ()),
}
"""First bytes -> the kind of file that has them, and its suffixes."""


def validate_report_suffix(destination: str, parameter: str = "destination") -> None:
    """Refuse a destination whose suffix promises what a report in CSV is not.

    :raises RingEventsConfigError: the suffix is that of another format.
    """
    name = destination.rpartition("/")[2].lower()
    name = name.removesuffix(".gz")
    if suffix := next((suffix for suffix in _NOT_CSV if name.endswith(suffix)), None):
        raise invalid_argument(
            parameter,
            f"a name that fits a report, which is CSV, and not one in {suffix}",
            destination,
            hint="End it in .csv, or in .csv.gz to compress it.",
        )


def is_gzip(content: bytes) -> bool:
    """Return True if the content of a file begins as gzip does."""
    return content.startswith(_GZIP_MAGIC)


def true_name(name: str, content: bytes) -> str:
    """Return the server's name for a file, without a ``.gz`` and beside a suffix that its content does not justify.

    :param content: the beginning of the file.
    """
    if name.lower().endswith(".gz") and not is_gzip(content) and len(name) > len(".gz"):
        name = name[: -len(".gz")]
    claimed = next((suffix for suffix in _NOT_CSV if name.lower().endswith(suffix)), None)
    if claimed is None or any(claimed in suffixes for _, suffixes in matching_formats(content)):
        return name
    return f"{name}.csv"


def matching_formats(content: bytes) -> list[tuple[str, tuple[str, ...]]]:
    """Return the formats other than CSV whose first bytes a file has, each with its suffixes."""
    return [found for magic, found in _BINARY.items() if content.startswith(magic)]
