"""A small streaming Parquet writer with only what the probe needs (parquet.thrift, Encodings.md).

The usual libraries take 45 to 60 MB of memory before the first row. This writer supports flat columns of the kinds in
`faultprint.tables`, version 1 data pages, dictionaries for strings, plain values for other kinds, and gzip. It collects
a row group as compressed pages, so the memory grows only by about 2 kB of footer for each row group.
"""

from __future__ import annotations

import sys
import zlib
from array import array
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import BinaryIO, Final, NamedTuple, cast

from faultprint.probe.output import thrift
from faultprint.tables import Column, ColumnKind

PAGE_ROWS: Final = 2048
GROUP_ROWS: Final = 32 * PAGE_ROWS
_MAGIC: Final = b"PAR1"
_LEVEL: Final = 1
"""zlib level. The pages are small, and speed matters more than size."""
_UNCOMPRESSED, _GZIP = 0, 2
_PLAIN, _RLE, _RLE_DICTIONARY = 0, 3, 8
_DATA_PAGE, _DICTIONARY_PAGE = 0, 2
_INT32, _INT64, _FLOAT, _BYTE_ARRAY = 1, 2, 4, 6
_REQUIRED, _OPTIONAL = 0, 1

Value = str | int | float | None


class _Physical(NamedTuple):
    """How a kind of column is stored. `code`: type code of `array` for plain values, empty for a dictionary."""

    type: int
    code: str
    logical: thrift.Field | None
    converted: int | None


def _unsigned(bits: int) -> thrift.Field:
    return thrift.nested(10, thrift.nested(10, thrift.byte(1, bits), thrift.boolean(2, False)))


_INT_CODE: Final = "i" if array("i").itemsize == 4 else "l"
_KINDS: Final[Mapping[ColumnKind, _Physical]] = {
    "string": _Physical(_BYTE_ARRAY, "", thrift.nested(10, thrift.nested(1)), 0),
    "timestamp": _Physical(
        _INT64,
        "q",
        thrift.nested(10, thrift.nested(8, thrift.boolean(1, True), thrift.nested(2, thrift.nested(2)))),
        10,
    ),
    "int64": _Physical(_INT64, "q", None, None),
    "uint64": _Physical(_INT64, "Q", _unsigned(64), 14),
    "uint32": _Physical(_INT32, _INT_CODE.upper(), _unsigned(32), 13),
    "uint16": _Physical(_INT32, _INT_CODE.upper(), _unsigned(16), 12),
    "float32": _Physical(_FLOAT, "f", None, None),
}


class _ColumnChunk:
    """One column of the present row group, as compressed pages."""

    def __init__(self, column: Column) -> None:
        self.column = column
        self.physical = _KINDS[column.kind]
        # The unsigned 64-bit columns are hashes, which cannot be compressed.
        self.codec = _UNCOMPRESSED if column.kind == "uint64" else _GZIP
        self.clear()

    def clear(self) -> None:
        """Start a new row group."""
        self.pages = bytearray()
        self.uncompressed_size = 0
        self._dictionary: dict[str, int] = {}

    def add(self, values: Sequence[Value]) -> None:
        """Append a data page of these values."""
        levels = b""
        rows = len(values)
        if self.column.nullable:
            nulls = values.count(None)
            levels = _levels(values, nulls)
            if nulls:
                values = [value for value in values if value is not None]
        if self.physical.code:
            body = _plain(self.physical.code, values)
        else:
            dictionary = self._dictionary
            body = _indices([dictionary.setdefault(str(value), len(dictionary)) for value in values])
        header = thrift.nested(
            5,
            thrift.i32(1, rows),
            thrift.i32(2, _PLAIN if self.physical.code else _RLE_DICTIONARY),
            thrift.i32(3, _RLE),
            thrift.i32(4, _RLE),
        )
        self.pages += self._page(_DATA_PAGE, levels + body, header)

    def dictionary_page(self) -> bytes:
        """The page before the data pages. Empty for a column without a dictionary."""
        if self.physical.code:
            return b""
        values = [value.encode() for value in self._dictionary]
        body = b"".join(len(value).to_bytes(4, "little") + value for value in values)
        return self._page(_DICTIONARY_PAGE, body, thrift.nested(7, thrift.i32(1, len(values)), thrift.i32(2, _PLAIN)))

    def _page(self, kind: int, body: bytes, header: thrift.Field) -> bytes:
        compressed = body
        if self.codec == _GZIP:
            compressor = zlib.compressobj(_LEVEL, wbits=31)
            compressed = compressor.compress(body) + compressor.flush()
        head = thrift.struct(thrift.i32(1, kind), thrift.i32(2, len(body)), thrift.i32(3, len(compressed)), header)
        self.uncompressed_size += len(head) + len(body)
        return head + compressed


def _plain(code: str, values: Sequence[Value]) -> bytes:
    numbers: array[int] = array(code, cast("Sequence[int]", values))
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()


def _levels(values: Sequence[Value], nulls: int) -> bytes:
    """Definition levels, one bit each: 1 for a value, 0 for one of the `nulls` missing values."""
    if nulls in (0, len(values)):
        runs = thrift.varint(len(values) << 1) + (b"\x00" if nulls else b"\x01")
    else:
        groups = (len(values) + 7) // 8
        bits = "".join(["0" if value is None else "1" for value in reversed(values)])
        runs = thrift.varint(groups << 1 | 1) + int(bits, 2).to_bytes(groups, "little")
    return len(runs).to_bytes(4, "little") + runs


def _indices(indices: list[int]) -> bytes:
    """Bit-packed dictionary indices. Their width is whole bytes, so packing only copies; gzip removes the rest."""
    width = 1 if max(indices, default=0) < 256 else 4
    groups = (len(indices) + 7) // 8
    indices.extend([0] * (groups * 8 - len(indices)))
    body = bytes(indices) if width == 1 else _plain(_INT_CODE.upper(), indices)
    return bytes((8 * width,)) + thrift.varint(groups << 1 | 1) + body


class ParquetWriter:
    """Writes rows (tuples in the order of `columns`) to an open binary file. Call `close` or use a `with` block."""

    def __init__(self, file: BinaryIO, columns: Sequence[Column], metadata: Mapping[str, str] | None = None) -> None:
        self.metadata = dict(metadata or {})
        """Key-value pairs for the footer. They may change until `close`."""
        self.rows = 0
        self._file = file
        self._chunks = [_ColumnChunk(column) for column in columns]
        self._page: list[tuple[Value, ...]] = []
        self._group_rows = 0
        self._groups: list[bytes] = []
        self._offset = len(_MAGIC)
        file.write(_MAGIC)

    def __enter__(self) -> ParquetWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()

    def append(self, row: tuple[Value, ...]) -> None:
        """Add one row."""
        self._page.append(row)
        if len(self._page) >= PAGE_ROWS:
            self._flush_page()
            if self._group_rows >= GROUP_ROWS:
                self._flush_group()

    def close(self) -> None:
        """Write the last rows and the footer. The file itself stays open."""
        self._flush_page()
        self._flush_group()
        footer = self._footer()
        self._file.write(footer + len(footer).to_bytes(4, "little") + _MAGIC)

    def _flush_page(self) -> None:
        if not self._page:
            return
        for chunk, values in zip(self._chunks, zip(*self._page, strict=True), strict=True):
            chunk.add(values)
        self._group_rows += len(self._page)
        self.rows += len(self._page)
        self._page = []

    def _flush_group(self) -> None:
        if not self._group_rows:
            return
        begin, uncompressed_size = self._offset, 0
        columns = []
        for chunk in self._chunks:
            columns.append(self._write_chunk(chunk))
            uncompressed_size += chunk.uncompressed_size
            chunk.clear()
        self._groups.append(
            thrift.struct(
                thrift.sequence(1, thrift.STRUCT, columns),
                thrift.i64(2, uncompressed_size),
                thrift.i64(3, self._group_rows),
                thrift.i64(5, begin),
                thrift.i64(6, self._offset - begin),
            )
        )
        self._group_rows = 0

    def _write_chunk(self, chunk: _ColumnChunk) -> bytes:
        dictionary = chunk.dictionary_page()
        begin, size = self._offset, len(dictionary) + len(chunk.pages)
        self._file.write(dictionary)
        self._file.write(chunk.pages)
        self._offset += size
        encodings = [_PLAIN, _RLE] if chunk.physical.code else [_PLAIN, _RLE, _RLE_DICTIONARY]
        fields = [
            thrift.i32(1, chunk.physical.type),
            thrift.sequence(2, thrift.I32, [thrift.zigzag(encoding) for encoding in encodings]),
            thrift.sequence(3, thrift.BINARY, [thrift.string(chunk.column.name)]),
            thrift.i32(4, chunk.codec),
            thrift.i64(5, self._group_rows),
            thrift.i64(6, chunk.uncompressed_size),
            thrift.i64(7, size),
            thrift.i64(9, begin + len(dictionary)),
        ]
        if dictionary:
            fields.append(thrift.i64(11, begin))
        return thrift.struct(thrift.i64(2, begin), thrift.nested(3, *fields))

    def _footer(self) -> bytes:
        root = thrift.struct(thrift.text(4, "schema"), thrift.i32(5, len(self._chunks)))
        pairs = [thrift.struct(thrift.text(1, key), thrift.text(2, value)) for key, value in self.metadata.items()]
        return thrift.struct(
            thrift.i32(1, 1),
            thrift.sequence(2, thrift.STRUCT, [root, *(_schema_element(chunk) for chunk in self._chunks)]),
            thrift.i64(3, self.rows),
            thrift.sequence(4, thrift.STRUCT, self._groups),
            thrift.sequence(5, thrift.STRUCT, pairs),
            thrift.text(6, "faultprint"),
        )


def _schema_element(chunk: _ColumnChunk) -> bytes:
    physical = chunk.physical
    fields = [
        thrift.i32(1, physical.type),
        thrift.i32(3, _OPTIONAL if chunk.column.nullable else _REQUIRED),
        thrift.text(4, chunk.column.name),
    ]
    if physical.converted is not None and physical.logical is not None:
        fields += [thrift.i32(6, physical.converted), physical.logical]
    return thrift.struct(*fields)
