"""The format of a file, from its suffix or an argument. DAGs import this module, so it imports little."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Final, Literal, get_args

from airflow_provider_ringevents.client.errors import invalid_argument
from airflow_provider_ringevents.client.types import validate_choice

Format = Literal["jsonl", "csv", "parquet"]

FORMATS: Final[tuple[Format, ...]] = get_args(Format)

_BY_SUFFIX: Final[dict[str, Format]] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".csv": "csv",
    ".parquet": "parquet",
}
_CONTENT_TYPES: Final[dict[Format, str]] = {
    "jsonl": "application/x-ndjson",
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
}
# Names that promise what is not written: refused, so that no reader is misled.
_OTHER_COMPRESSIONS: Final = frozenset(
    {
        ".7z",
        ".br",
        ".bz2",
        ".lz4",
        ".lzma",
        ".lzo",
        ".snappy",
        ".sz",
        ".tar",
        ".tgz",
        ".xz",
        ".z",
        ".zip",
        ".zst",
        ".zstd",
    }
)
_OTHER_FORMATS: Final = frozenset({".avro", ".feather", ".orc", ".pdf", ".tsv", ".xls", ".xlsx"})


@dataclass(frozen=True, slots=True)
class FileFormat:
    """The format of a file, and its compression.

    :ivar gzip: the whole file is compressed; never so for Parquet, which compresses inside.
    """

    format: Format
    gzip: bool = False

    @classmethod
    def from_destination(cls, destination: str, format: str | None) -> FileFormat:
        """Read the kind from the destination's suffix; where that says nothing, ``format`` does, or else JSON Lines.

        :param destination: a path or URI; one that ends in ``/`` is a folder. Upper case counts like lower case.
        :param format: one of :data:`FORMATS`, or None.
        :raises RingEventsConfigError: the format is unknown or contradicts the suffix, or the suffix stands for a
            format or a compression that is not written.
        """
        if format is not None:
            validate_choice("format", format, FORMATS, closed=True)
        wanted = next((known for known in FORMATS if known == format), None)
        name, gzip = destination.rpartition("/")[2].lower(), False
        if name.endswith(".gz"):
            name, gzip = name.removesuffix(".gz"), True
        suffix = f".{name.rpartition('.')[2]}" if "." in name else ""
        if suffix in _OTHER_COMPRESSIONS:
            plain = ", ".join(known for known in _BY_SUFFIX if known != ".parquet")
            raise invalid_argument("destination", f"without compression, or with .gz after {plain}", destination)
        if suffix in _OTHER_FORMATS:
            raise invalid_argument("destination", f"one that ends in {', '.join(_BY_SUFFIX)}", destination)
        implied = _BY_SUFFIX.get(suffix)
        if implied and wanted and implied != wanted:
            suffixes = " or ".join(known for known, meant in _BY_SUFFIX.items() if meant == wanted)
            raise invalid_argument(
                "format",
                f"{implied!r} or left out for the suffix of the destination {destination!r}",
                format,
                hint=f"For {format!r} end the destination in {suffixes}.",
            )
        chosen = implied or wanted or "jsonl"
        if gzip and chosen == "parquet":
            raise invalid_argument("destination", "without .gz, since Parquet is compressed internally", destination)
        return cls(chosen, gzip)

    @property
    def suffix(self) -> str:
        """The end of a file name of this kind: ``.csv.gz``."""
        return f".{self.format}.gz" if self.gzip else f".{self.format}"

    @property
    def content_type(self) -> str:
        """Return the media type of the object, with ``application/gzip`` for compressed files."""
        return "application/gzip" if self.gzip else _CONTENT_TYPES[self.format]

    def check_installed(self) -> None:
        """See, without importing it, that what the format needs is installed.

        :raises RingEventsConfigError: pyarrow is missing; the message names the extra that brings it.
        """
        if self.format == "parquet" and find_spec("pyarrow") is None:
            raise invalid_argument(
                "format",
                "jsonl or csv, since pyarrow is not installed",
                self.format,
                hint="Parquet requires pip install 'airflow-provider-ringevents[parquet]'.",
            )
