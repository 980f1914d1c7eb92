"""The content of a report on its way to the store: checked, inspected as CSV, and packed as its name says. Pure."""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import json
import operator
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from airflow_provider_ringevents.client.errors import RingEventsTransferError
from airflow_provider_ringevents.client.transport.redaction import hide_secrets
from airflow_provider_ringevents.exports.formats.compression import GzipStream
from airflow_provider_ringevents.transfers._report_name import is_gzip, matching_formats

MAX_HEADER_BYTES: Final = 1024 * 1024
"""Bytes of the longest header of a CSV file that is read."""

_PIECE_BYTES: Final = 1024 * 1024
_GZIP_SUFFIXES: Final = (".gz", ".tgz")
_CSV_SUFFIXES: Final = (".csv", ".tsv", ".txt")
_LONE_CARRIAGE_RETURN: Final = re.compile(rb"\r(?!\n|$)")
_QUOTED: Final = re.compile(rb'"[^"]*(?:"|$)')
_NEITHER_QUOTE_NOR_LINE_FEED: Final = bytes(set(range(256)) - set(b'"\n'))
_LINES_BYTES: Final = 64 * 1024
"""Bytes of the lines that are held at a time: memory that is used again at once."""
_LONGEST_BLANK_LINE: Final = 3
_BLANK_LINES: Final = frozenset(b"\r" * returns + b"\n" for returns in range(_LONGEST_BLANK_LINE))
_DELIMITERS: Final = ",;\t"
_WELL_QUOTED: Final = re.compile(
    rb'(?:[^"]++|(?<![^,;\t|\r\n])"[^"]*+"(?![^,;\t|\r\n]))*+(?:(?<![^,;\t|\r\n])"[^"]*+)?'
)
"""A part of a CSV file, without doubled quotes: before and after a quoted cell there is a separator, or an end."""
_BLANK: Final = re.compile(
    rb"(?:[\s\0\xff\xfe]|\xef\xbb\xbf|\xc2[\x85\xa0]|\xe2\x80[\x80-\x8f\xa8-\xaf]|\xe2\x81\xa0|\xe3\x80\x80)++"
)
"""Byte order marks and white space of any kind in UTF-8, and those of ASCII in UTF-16 and UTF-32.

Possessive, since a place to go back to for each of a million blanks is 120 MiB."""
_START_BYTES: Final = 1024
"""Bytes after blanks that are examined for an error document."""
_MARKUP: Final = re.compile(rb"<(?:!|\?\w|%|[A-Za-z][\w:.-]*[\s/>])", re.IGNORECASE)
_JSON: Final = re.compile(
    rb"\{\s*(?:\"|\}|$)|\[\s*(?:[\[{\"\]]|$|(?:null|true|false)\b)|(?:null|true|false)\s*$|\)\]\}'"
)
"""JSON, also with the prefix by which services keep browsers from running it."""
_NUMBERS: Final = re.compile(
    rb"\[(?:\s*+(?:-?\d[\d.eE+-]*+|null|true|false)\s*+,)++(?:\s*+(?:[-\d.eE+]*+|[ntf][a-z]*+)\s*+|\s*+\{\s*\".*)",
    re.DOTALL,
)
"""The beginning of a JSON array that begins with numbers. A header such as ``[1] Name,[2] Age`` is another thing."""
_JSONP: Final = re.compile(
    rb"(?:/\*.*?\*/\s*)?(?:typeof [\w.$]+ *===? *.function. *&& *)?[A-Za-z_$][\w.$]*\(\s*(?:\{\s*[\"}]|\[\s*[\[{\"])",
    re.DOTALL,
)
"""A call with JSON: in CSV a quote does not stand within a cell that has none around it."""
_UTF7: Final = re.compile(rb"\+(?:/v[89+/]|A(?:Dw|Hs|Fs))")
"""``<``, ``{``, ``[`` or a byte order mark in UTF-7, in which browsers once ran scripts."""


class ReportPipeline:
    """The way of a report's bytes from the download to the writer of the object.

    :ivar passes_through: the bytes of the download are the bytes of the object.
    :ivar inspector: the columns and rows of the report.

    :param name: the name of the object: with ``.gz`` it is compressed, without it is not.
    :param head: the beginning of the file, as it is downloaded.
    :param required_columns: names of columns that the report must have.
    """

    def __init__(self, name: str, head: bytes, required_columns: Sequence[str] = ()) -> None:
        keeps_gzip = name.lower().endswith(_GZIP_SUFFIXES)
        self.inspector = CsvInspector()
        self.passes_through = is_gzip(head) == keeps_gzip
        self._required = tuple(required_columns)
        self._keeps_gzip = keeps_gzip
        self._is_named_csv = name.lower().removesuffix(".gz").endswith(_CSV_SUFFIXES)
        self._start: bytes | None = b""
        self._unpacker = _Gunzip() if is_gzip(head) else None
        self._packer: GzipStream | None = None
        self._write: Callable[[bytes], None]

    def content_type(self, sent: str) -> str:
        """Return the media type of the object.

        :param sent: the media type that the server sent, which may be that of the file before it was packed.
        """
        if self._keeps_gzip:
            return "application/gzip"
        if self._unpacker is not None or (self._is_named_csv and not sent):
            return "text/csv"
        return sent or "application/octet-stream"

    def open(self, write: Callable[[bytes], None]) -> None:
        """Begin the object.

        :param write: takes its bytes.
        """
        self._write = write
        if self._keeps_gzip and self._unpacker is None:
            self._packer = GzipStream(write)

    def write(self, block: bytes) -> None:
        """Take the next bytes of the file.

        :raises RingEventsTransferError: they are not a report, or a required column is missing.
        """
        if self.passes_through:
            self._write(block)
        for plain in self._unpacker.decompress(block) if self._unpacker is not None else (block,):
            self._inspect(plain)
            if self._packer is not None:
                self._packer.write(plain)
            elif not self.passes_through:
                self._write(plain)

    def finish(self, *, allow_empty: bool) -> None:
        """Check the whole file, and write the end of the compressed one.

        :raises RingEventsTransferError: the file is empty, cut, or lacks a required column.
        """
        if self._unpacker is not None:
            self._unpacker.finish()
        self._check_start(at_end=True)
        self.inspector.finish()
        if self.inspector.is_empty:
            if not allow_empty:
                raise RingEventsTransferError(
                    "The report is empty: not even a header came. Nothing was published. With `allow_empty=True` an"
                    " empty report is published."
                )
        else:
            self._require_columns()
        if self._packer is not None:
            self._packer.finish()

    def _inspect(self, plain: bytes) -> None:
        if self._start is not None:
            self._start = _without_blanks(self._start + plain)
            if len(self._start) >= _START_BYTES:
                self._check_start()
        header_was_complete = self.inspector.has_header
        self.inspector.feed(plain)
        if self.inspector.has_header and not header_was_complete and not self.inspector.is_empty:
            self._require_columns()

    def _check_start(self, *, at_end: bool = False) -> None:
        """Refuse an error document, once its beginning is complete: blocks and gzip members may be of any size."""
        if self._start is None:
            return
        start, self._start = self._start, None
        _refuse_error_document(start, is_whole=at_end and len(start) < _START_BYTES)
        if self._is_named_csv:
            _refuse_binary(start)

    def _require_columns(self) -> None:
        if not self._required:
            return
        self._check_start()
        columns = self.inspector.columns
        if columns is None:
            raise RingEventsTransferError(
                "`required_columns` must be in the header of the report, which cannot be read. Nothing was published.",
                retryable=False,
            )
        if missing := [name for name in self._required if name not in columns]:
            raise RingEventsTransferError(
                f"`required_columns` must be in the header of the report, which lacks {', '.join(map(repr, missing))};"
                f" its columns are {hide_secrets(', '.join(map(repr, columns)))[:1000]}. Nothing was published.",
                retryable=False,
            )


def _without_blanks(content: bytes) -> bytes:
    blank = _BLANK.match(content)
    return content[blank.end() if blank else 0 :][:_START_BYTES]


def _refuse_error_document(start: bytes, *, is_whole: bool) -> None:
    start = start.replace(b"\0", b"")
    if _UTF7.match(start):
        start = start.decode("utf-7", "ignore").lstrip("\ufeff").encode()
    is_cut = len(start) >= _START_BYTES // 2  # half, after the zeros of UTF-16
    kind = None
    if _MARKUP.match(start[:200]):
        kind = "an HTML or XML document"
    elif (
        _JSON.match(start[:200])
        or _JSONP.match(start)
        or (is_whole and _is_json(start))
        or (is_cut and _NUMBERS.fullmatch(start))
    ):
        kind = "a JSON document"
    if kind is not None:
        raise RingEventsTransferError(
            f"The server sent {kind} in place of the report, which is CSV. Nothing was published.", retryable=True
        )


def _is_json(content: bytes) -> bool:
    """Tell whether a whole file is JSON and cannot be CSV: one number or one plain string is a header, too."""
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return False
    # CSV doubles the quotes within a text; JSON escapes them.
    return isinstance(value, list | dict) or (isinstance(value, str) and b'\\"' in content)


def _refuse_binary(content: bytes) -> None:
    for kind, _ in matching_formats(content):
        raise RingEventsTransferError(
            f"The server sent {kind} in place of the report, which is CSV as its destination. Nothing was published."
        )


class _Gunzip:
    """A decompressor of all members of a gzip file, in pieces of bounded size."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(16 + zlib.MAX_WBITS)
        self._between_members = False

    def decompress(self, data: bytes) -> Iterator[bytes]:
        """Yield the content of the next bytes.

        :raises RingEventsTransferError: they are not gzip.
        """
        while data:
            if self._between_members:
                data = data.lstrip(b"\0")  # padding, as tapes and some tools leave it
                if not data:
                    return
                self._stream, self._between_members = zlib.decompressobj(16 + zlib.MAX_WBITS), False
            try:
                piece = self._stream.decompress(data, _PIECE_BYTES)
            except zlib.error as error:
                raise RingEventsTransferError(
                    f"The report is not a valid gzip file ({error}). Nothing was published."
                ) from error
            if piece:
                yield piece
            if self._stream.eof:
                self._between_members, data = True, self._stream.unused_data
            else:
                data = self._stream.unconsumed_tail
                if not data and len(piece) == _PIECE_BYTES:
                    # Everything is read, but more may be waiting inside.
                    yield from self._drain()

    def _drain(self) -> Iterator[bytes]:
        while piece := self._stream.decompress(b"", _PIECE_BYTES):
            yield piece

    def finish(self) -> None:
        """Refuse a file that ends in the middle of a member.

        :raises RingEventsTransferError: the end is missing.
        """
        if not self._between_members:
            raise RingEventsTransferError(
                "The report is a gzip file that ends in the middle. Nothing was published.", retryable=True
            )


class CsvInspector:
    """A reader of the header and the number of rows of a CSV file, in constant memory.

    :ivar columns: the names in the header; None until it is complete, and where it cannot be read.
    :ivar has_header: the header is complete, or cannot be read.
    :ivar is_empty: nothing but white space came.
    """

    def __init__(self) -> None:
        self.columns: tuple[str, ...] | None = None
        self.has_header = False
        self.is_empty = True
        self._start = b""
        self._is_text = True
        self._records = 0
        self._inside_quotes = False
        self._last_byte = b""  # empty for a quote, which is counted already, and at the start
        self._has_content = False  # the record that is being read is no blank line

    @property
    def rows(self) -> int | None:
        """Return the number of records after the header; None where its lines or its quotes leave them open."""
        return max(0, self._records - 1) if self._is_text else None

    def feed(self, block: bytes) -> None:
        """Take the next bytes of the file."""
        if self.is_empty and block.strip(b"\xef\xbb\xbf \t\r\n"):
            self.is_empty = False
        if not self.has_header:
            self._start += block
            self._read_header(at_end=False)
        if self._is_text:
            self._count(block)
            last = block[-1:] or self._last_byte
            self._last_byte = b"" if last == b'"' or self.is_empty else last

    def finish(self) -> None:
        """Take the end of the file."""
        if not self.has_header:
            self._read_header(at_end=True)
        if self._has_content:
            self._records += 1
            self._has_content = False
        if self._inside_quotes:
            self._is_text = False

    def _read_header(self, *, at_end: bool) -> None:
        start = self._start.removeprefix(codecs.BOM_UTF8)
        if b"\0" in start or start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            self._is_text = False
            self._close_header(None)
            return
        line = _first_record(start)
        if line is None and at_end:
            line = start
        if line is None and len(start) <= MAX_HEADER_BYTES:
            return
        header = start[:MAX_HEADER_BYTES] if line is None else line
        if _LONE_CARRIAGE_RETURN.search(_QUOTED.sub(b"", header)):
            self._is_text = False  # lines end in carriage returns, which are not counted
        self._close_header(_columns(header) if line is not None and len(line) <= MAX_HEADER_BYTES else None)

    def _close_header(self, columns: tuple[str, ...] | None) -> None:
        self.columns, self.has_header, self._start = columns, True, b""

    def _count(self, block: bytes) -> None:
        """Count the line feeds outside quotes, but for blank lines."""
        if not block:
            return
        marks = block.translate(None, _NEITHER_QUOTE_NOR_LINE_FEED) if b'"' in block else b""
        if marks and not self._inside_quotes and self._count_quoted_lines(block, marks):
            return
        if marks and self._inside_quotes:
            head, line_feed, rest = block.partition(b"\n")
            if rest and head.count(b'"') & 1:
                # A block mostly begins within a cell; the rest of it may have the usual form.
                self._count(head + line_feed)
                self._last_byte = line_feed
                self._count(rest)
                return
        if marks and any(len(line) & 1 for line in set(marks.split(b"\n"))):
            self._is_text = not self._has_stray_quote(self._last_byte + block)
        inside, lines, last = int(self._inside_quotes), 0, b""
        # Searching for each line feed is several times as fast as counting them or looking for two in a row.
        stream = io.BytesIO(block)
        while found := stream.readlines(_LINES_BYTES):
            if min(map(len, found)) <= _LONGEST_BLANK_LINE and not _BLANK_LINES.isdisjoint(found):
                self._count_line_by_line(block)
                return
            lines, last = lines + len(found), found[-1]
        ends_line = last.endswith(b"\n")
        if not marks:
            self._records += 0 if inside else lines - (not ends_line)
        else:
            # Neighbouring quotes cancel each other, so that nearly nothing is left to split.
            parts = marks.replace(b'""', b"").split(b'"')
            self._records += sum(map(len, parts[inside::2]))
            inside ^= (len(parts) - 1) & 1
            self._inside_quotes = bool(inside)
        continues = self._has_content and lines == 1
        self._has_content = bool(inside) or (not ends_line and (continues or bool(last.strip(b"\r"))))

    def _count_quoted_lines(self, block: bytes, marks: bytes) -> bool:
        """Count the lines of a block in which each has an even number of quotes, and none has no quote.

        :param marks: the quotes and line feeds of the block.
        :returns: False if it is another block; nothing is counted then.
        """
        *lines, rest = marks.split(b"\n")
        if any(quotes == 0 or quotes & 1 for quotes in set(map(len, lines))):
            return False
        last = block.rpartition(b"\n")[2]
        if len(rest) & 1 and self._has_stray_quote(last if lines else self._last_byte + last):
            self._is_text = False
        self._records += len(lines)
        self._inside_quotes = bool(len(rest) & 1)
        self._has_content = bool(last) and ((not lines and self._has_content) or bool(last.strip(b"\r")))
        return True

    def _has_stray_quote(self, text: bytes) -> bool:
        """Return True if a quote stands within a cell that has none around it, as in ``a,19" rack,b``."""
        plain = text.removeprefix(codecs.BOM_UTF8).replace(b'""', b"")
        return _WELL_QUOTED.fullmatch(b'"' + plain if self._inside_quotes else plain) is None

    def _count_line_by_line(self, block: bytes) -> None:
        lines = block.split(b"\n")
        inside = [int(self._inside_quotes)] * (len(lines) + 1)
        if b'"' in block:
            # A line with an odd number of quotes begins or ends a quoted part.
            odd = [line.count(b'"') & 1 for line in lines]
            if any(odd):
                inside = list(itertools.accumulate(odd, operator.xor, initial=inside[0]))
        self._records += inside[1:-1].count(0)
        if not _BLANK_LINES.isdisjoint(line + b"\n" for line in lines):
            self._records -= sum(
                not line.strip(b"\r") and not inside[place] and (place > 0 or not self._has_content)
                for place, line in enumerate(lines[:-1])
            )
        continues = bool(inside[-2]) if len(lines) > 1 else self._has_content
        self._has_content = continues or bool(lines[-1].strip(b"\r"))
        self._inside_quotes = bool(inside[-1])


def _first_record(text: bytes) -> bytes | None:
    """Return the first record that is no blank line, without its end; None where it is not complete."""
    start = len(text) - len(text.lstrip(b"\r\n"))
    inside, place = False, start
    for found in re.finditer(rb'["\n]', text[start : start + MAX_HEADER_BYTES + 1]):
        place = start + found.start()
        if found[0] == b'"':
            inside = not inside
        elif not inside:
            return text[start:place].rstrip(b"\r")
    return None


def _columns(line: bytes) -> tuple[str, ...] | None:
    try:
        text = line.decode()
    except UnicodeDecodeError:
        return None
    if text.count('"') % 2:
        return None
    bare = re.sub(r'"[^"]*"', "", text)
    delimiter = max(_DELIMITERS, key=bare.count)
    try:
        return tuple(next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True), ())) or None
    except csv.Error:
        return None
