"""Rows -> the bytes of a file: JSON Lines, CSV, Parquet.

Whoever imports this pays for none of them until one is opened: DAGs are parsed often.
"""

from __future__ import annotations

from airflow_provider_ringevents.exports.formats.base import RowWriter, Write, ZoneOf
from airflow_provider_ringevents.exports.formats.file_format import FileFormat, Format

__all__ = ["FileFormat", "Format", "RowWriter", "open_row_writer"]


def open_row_writer(
    kind: FileFormat, collection: str, write: Write, zone_of: ZoneOf, *, escape_formulas: bool = False
) -> RowWriter:
    """Begin a file.

    :param collection: the list that the rows come from, a name of the catalog.
    :param write: takes the bytes of the file, in order; what it raises comes out of the row writer's methods.
    :param zone_of: where a row's times without an offset are local. JSON Lines and CSV leave times as they are.
    :param escape_formulas: put an apostrophe before text that a spreadsheet would take for a formula. CSV only.
    :return: takes rows as the client's pages have them: flat, with ``id``. What must not be exported has been removed.
        Numbers may be ``msgspec.Raw``, whose digits are kept.
    :raises RingEventsConfigError: there is no such list, or what the format needs is not installed.
    """
    kind.check_installed()
    if kind.format == "parquet":
        from airflow_provider_ringevents.exports.formats.parquet import ParquetWriter

        return ParquetWriter(write, collection, zone_of)

    from airflow_provider_ringevents.exports.formats.compression import GzipStream, OutputStream, PlainStream

    sink: OutputStream = GzipStream(write) if kind.gzip else PlainStream(write)
    if kind.format == "csv":
        from airflow_provider_ringevents.exports.formats.csv import CsvWriter

        return CsvWriter(sink, collection, escape_formulas=escape_formulas)

    from airflow_provider_ringevents.exports.formats.jsonl import JsonLinesWriter

    return JsonLinesWriter(sink)
