"""What is known of a picture besides its pixels, inside a file's metadata (docs/metadata.md).

>>> import gfwx
>>> data = gfwx.encode(image, metadata=gfwx.Metadata(values={"lens": 50}))  # doctest: +SKIP
>>> gfwx.read_metadata(data).values["lens"]  # doctest: +SKIP
50
"""

from __future__ import annotations

import json
import struct
import warnings
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike

from gfwx.arguments import as_samples
from gfwx.errors import ArgumentError, ArgumentTypeError, MalformedError
from gfwx.header import BytesLike, byte_view

MAGIC: Final = b"GFWXMETA"
"""The first bytes of metadata that follow the convention."""

_EXIF: Final = b"EXIF"
_ICC: Final = b"ICCP"
_XMP: Final = b"XMP "
_VALUES: Final = b"JSON"
_CHECKSUM: Final = b"CRC "
_ENTRY: Final = struct.Struct("<4sI")
_JPEG_PREFIX: Final = b"Exif\0\0"
_LONGEST: Final = 2**32 - 1


class MetadataWarning(UserWarning):
    """A file's metadata cannot be read, though its picture can."""


@dataclass(frozen=True, slots=True)
class Metadata:
    r"""Metadata of a picture, as `encode` stores them and `read_metadata` finds them.

    Parameters
    ----------
    exif : bytes, default b""
        EXIF: a TIFF structure. The prefix ``Exif\0\0`` that JPEG gives it is taken off.
    icc : bytes, default b""
        ICC profile.
    xmp : bytes, default b""
        XMP packet, UTF-8.
    values : mapping of str to JSON values, default {}
        Anything else, by name.
    checksum : int, optional
        Of the pixels as they are decoded: see the function `checksum`.

    Raises
    ------
    ArgumentTypeError
        Something has the wrong type.
    ArgumentError
        The values are not what JSON can hold, or the checksum has more than 32 bits.
    """

    exif: bytes = b""
    icc: bytes = b""
    xmp: bytes = b""
    values: Mapping[str, Any] = field(default_factory=dict)
    checksum: int | None = None

    def __post_init__(self) -> None:
        for name in ("exif", "icc", "xmp"):
            value = getattr(self, name)
            if not isinstance(value, bytes | bytearray | memoryview):
                raise ArgumentTypeError(f"{name} must be bytes, got {type(value).__name__}")
            if len(value) > _LONGEST:
                raise ArgumentError(f"{name} must be shorter than 4 GiB")
            object.__setattr__(self, name, bytes(value))
        object.__setattr__(self, "exif", self.exif.removeprefix(_JPEG_PREFIX))
        if not isinstance(self.values, Mapping) or any(
            not isinstance(name, str) for name in self.values
        ):
            raise ArgumentTypeError(f"values must map strings to JSON values, got {self.values!r}")
        # What is stored is what comes back, and cannot change any more.
        object.__setattr__(self, "values", MappingProxyType(json.loads(_json(self.values))))
        if self.checksum is not None:
            if isinstance(self.checksum, bool) or not isinstance(self.checksum, int):
                raise ArgumentTypeError(f"checksum must be an int, got {self.checksum!r}")
            if not 0 <= self.checksum < 2**32:
                raise ArgumentError(f"checksum must have 32 bits, got {self.checksum}")

    def __reduce__(self) -> tuple[type[Metadata], tuple[Any, ...]]:
        # A mapping proxy cannot be pickled.
        return type(self), (self.exif, self.icc, self.xmp, dict(self.values), self.checksum)

    def to_bytes(self) -> bytes:
        """Return them as `encode` stores them; b"" if there are none.

        Returns
        -------
        bytes
            Of a length that is a multiple of four (docs/metadata.md).
        """
        entries = [(_EXIF, self.exif), (_ICC, self.icc), (_XMP, self.xmp)]
        if self.values:
            entries.append((_VALUES, _json(self.values).encode()))
        if self.checksum is not None:
            entries.append((_CHECKSUM, self.checksum.to_bytes(4, "little")))
        parts = [
            _ENTRY.pack(tag, len(data)) + data + b"\0" * (-len(data) % 4)
            for tag, data in entries
            if data
        ]
        return b"".join((MAGIC, *parts)) if parts else b""

    @classmethod
    def from_bytes(cls, block: BytesLike) -> Metadata:
        """Read the metadata of a file's header.

        Parameters
        ----------
        block : bytes-like
            `Header.metadata`.

        Returns
        -------
        Metadata
            What is known. Nothing, if the block is empty or does not follow the convention; tags
            that are not known are passed over.

        Raises
        ------
        MalformedError
            The block follows the convention, but is cut off or damaged.
        """
        view = byte_view(block)
        if bytes(view[: len(MAGIC)]) != MAGIC:
            return cls()
        found: dict[bytes, bytes] = {}
        for tag, data in _entries(view[len(MAGIC) :]):
            if tag in found:
                raise MalformedError(f"the metadata have two entries {tag!r}")
            found[tag] = data
        checksum = found.get(_CHECKSUM)
        if checksum is not None and len(checksum) != 4:
            raise MalformedError(f"the checksum has {len(checksum)} bytes instead of 4")
        return cls(
            exif=found.get(_EXIF, b""),
            icc=found.get(_ICC, b""),
            xmp=found.get(_XMP, b""),
            values=_parsed(found[_VALUES]) if _VALUES in found else {},
            checksum=None if checksum is None else int.from_bytes(checksum, "little"),
        )


def readable(block: BytesLike) -> Metadata:
    """Read the metadata of a header; none, with a `MetadataWarning`, if they are damaged."""
    try:
        return Metadata.from_bytes(block)
    except MalformedError as error:
        # To the caller of the function that calls this one.
        warnings.warn(f"metadata are left out: {error}", MetadataWarning, stacklevel=3)
        return Metadata()


def checksum(image: ArrayLike) -> int:
    """Return the checksum of a picture's pixels, by which `Metadata` tell whether they came back.

    A lossless file decodes to the pixels that it was made of. For a lossy one, take the checksum of
    what it decodes to.

    Parameters
    ----------
    image : array_like
        Picture, as for `encode`.

    Returns
    -------
    int
        CRC-32, as zlib has it, of the samples in the order of layers, rows, columns and channels,
        those of 16 bits as two bytes with the lower one first.
    """
    samples = as_samples(image)
    little = samples.dtype.newbyteorder("<")
    value = 0
    for layer in samples:
        for row in layer:  # not all at once: a picture need not lie in memory in this order
            value = zlib.crc32(np.ascontiguousarray(row, little).data, value)
    return value


def _entries(view: memoryview) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at < len(view):
        if len(view) - at < _ENTRY.size:
            raise MalformedError("the metadata end within an entry")
        tag, length = _ENTRY.unpack_from(view, at)
        at += _ENTRY.size
        if length > len(view) - at:
            raise MalformedError(
                f"the entry {tag!r} of the metadata has {length} bytes, but {len(view) - at} are "
                "there"
            )
        yield tag, bytes(view[at : at + length])
        at += length + -length % 4


def _json(values: Mapping[str, Any]) -> str:
    try:
        text = json.dumps(dict(values), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ArgumentError(f"values must be what JSON can hold: {error}") from None
    return text


def _parsed(data: bytes) -> dict[str, Any]:
    try:
        values = json.loads(data.decode(), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"the values in the metadata are not JSON: {error}") from None
    if not isinstance(values, dict):
        raise MalformedError("the values in the metadata are not a JSON object")
    return values


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not a number of JSON")
