"""The file of a sequence: records one after the other, and an index (docs/sequences.md)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import BinaryIO, Final

from gfwx.errors import MalformedError

MAGIC: Final = b"GFWXSEQ1"
"""The first bytes of a sequence."""

METADATA: Final = b"META"
GROUP: Final = b"GRUP"

_INDEX: Final = b"INDX"
_RECORD: Final = struct.Struct("<4sIQ")
_ENTRY: Final = struct.Struct("<QI")
_CHECKSUM: Final = struct.Struct("<I")
_END: Final = struct.Struct("<Q8s")
_END_MARK: Final = b"GFWXSEQE"


@dataclass(frozen=True, slots=True)
class Group:
    """Where the picture of a group of frames is, and how many frames that is."""

    offset: int
    frames: int


@dataclass(frozen=True, slots=True)
class Contents:
    """What is in a file: its groups, its metadata as stored, and whether it was closed."""

    groups: tuple[Group, ...]
    metadata: bytes
    is_complete: bool


def write_start(file: BinaryIO, metadata: bytes) -> None:
    """Write what comes before the frames."""
    file.write(MAGIC)
    if metadata:
        write_record(file, METADATA, 0, metadata)


def write_record(file: BinaryIO, tag: bytes, frames: int, data: bytes) -> int:
    """Write a record; return where its data begin."""
    start = file.tell() + _RECORD.size
    file.write(_RECORD.pack(tag, frames, len(data)))
    file.write(data)
    return start


def write_index(file: BinaryIO, groups: list[Group]) -> None:
    """Write what comes after the frames: where they are."""
    start = file.tell()
    entries = b"".join(_ENTRY.pack(group.offset, group.frames) for group in groups)
    write_record(file, _INDEX, 0, entries + _CHECKSUM.pack(zlib.crc32(entries)))
    file.write(_END.pack(start, _END_MARK))


def read_contents(file: BinaryIO) -> Contents:
    """Find the groups of a file: by its index, or, if it has none, from record to record.

    Raises
    ------
    MalformedError
        The file is no sequence.
    """
    size = file.seek(0, 2)
    file.seek(0)
    if file.read(len(MAGIC)) != MAGIC:
        raise MalformedError(f"not a sequence of GFWX: it does not start with {MAGIC.decode()!r}")
    metadata = b""
    groups = []
    indexed = _read_index(file, size)
    for tag, frames, start, length in _records(file, size):
        if tag == METADATA:
            file.seek(start)
            metadata = file.read(length)
        elif tag == GROUP:
            if indexed is not None:  # metadata come before all frames
                return Contents(indexed, metadata, is_complete=True)
            groups.append(Group(start, frames))
    found = tuple(groups) if indexed is None else indexed
    return Contents(found, metadata, is_complete=indexed is not None)


def _records(file: BinaryIO, size: int) -> Iterator[tuple[bytes, int, int, int]]:
    """Tag, number of frames, start and length of data of the records that are wholly there."""
    at = len(MAGIC)
    while at + _RECORD.size <= size:
        file.seek(at)
        tag, frames, length = _RECORD.unpack(file.read(_RECORD.size))
        start = at + _RECORD.size
        if length > size - start or tag == _INDEX or (tag == GROUP and frames == 0):
            return
        yield tag, frames, start, length
        at = start + length


def _read_index(file: BinaryIO, size: int) -> tuple[Group, ...] | None:
    """Read the index; None if there is none that can be used."""
    if size < len(MAGIC) + _RECORD.size + _CHECKSUM.size + _END.size:
        return None
    file.seek(size - _END.size)
    start, mark = _END.unpack(file.read(_END.size))
    end = size - _END.size
    if mark != _END_MARK or not len(MAGIC) <= start <= end - _RECORD.size - _CHECKSUM.size:
        return None
    file.seek(start)
    tag, _, length = _RECORD.unpack(file.read(_RECORD.size))
    if tag != _INDEX or length != end - start - _RECORD.size:
        return None
    data = file.read(length)
    entries, checksum = data[: -_CHECKSUM.size], data[-_CHECKSUM.size :]
    if len(entries) % _ENTRY.size or _CHECKSUM.pack(zlib.crc32(entries)) != checksum:
        return None
    groups = tuple(Group(*entry) for entry in _ENTRY.iter_unpack(entries))
    bounds = [len(MAGIC), *(group.offset for group in groups), start]
    in_order = all(before < after for before, after in pairwise(bounds)) if groups else True
    return groups if in_order and all(group.frames for group in groups) else None
