"""The header (section 3) and the quantities that follow from it (section 1)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .arithmetic import MalformedError
from .bits import Reader, bit_field, from_words, to_words

MAGIC = int.from_bytes(b"GFWX", "little")
SIZE_IN_WORDS = 8


@dataclass(frozen=True)
class Header:
    """The fields of a header, as values: what is stored as n - 1 is n here."""

    width: int
    height: int
    layers: int
    channels: int
    bit_depth: int
    signed: bool
    quality: int
    chroma_scale: int
    block_size: int
    filter: int
    encoder: int
    intent: int
    metadata_words: int

    @property
    def planes(self) -> int:
        return self.layers * self.channels

    @property
    def dtype(self) -> np.dtype[Any]:
        """The sample type that a decoder picks by itself."""
        if self.signed:
            return np.dtype(np.int8 if self.bit_depth - 1 <= 7 else np.int16)
        return np.dtype(np.uint8 if self.bit_depth <= 8 else np.uint16)

    @property
    def boost(self) -> int:
        return 1 if self.quality == 1024 else 8

    @property
    def chroma_quality(self) -> int:
        return max(1, (self.quality + self.chroma_scale // 2) // self.chroma_scale)

    @property
    def is_bayer(self) -> bool:
        return 2 <= self.intent <= 6


def default_bit_depth(dtype: np.dtype[Any]) -> int:
    return {"uint8": 8, "int8": 7, "uint16": 16, "int16": 15}[dtype.name]


def pack(header: Header) -> NDArray[Any]:
    """The eight words of the header."""
    bits = (
        struct.pack(">I", MAGIC),
        struct.pack(">III", 1, header.width, header.height),
        struct.pack(">HH", header.layers - 1, header.channels - 1),
    )
    coding = (
        bit_field(header.bit_depth - 1, 8)
        + bit_field(header.signed, 1)
        + bit_field(header.quality - 1, 10)
        + bit_field(header.chroma_scale - 1, 8)
        + bit_field(header.block_size - 2, 5)
        + bit_field(header.filter, 8)
        + bit_field(0, 8)
        + bit_field(header.encoder, 8)
        + bit_field(header.intent, 8)
        + bit_field(header.metadata_words, 32)
    )
    words = np.frombuffer(b"".join(bits), ">u4").astype("<u4")
    return np.concatenate([words, to_words(coding)])


def parse(words: NDArray[Any]) -> Header:
    """The header in the first eight words."""
    reader = Reader(from_words(words[:SIZE_IN_WORDS]))
    if reader.bit_field(32) != MAGIC or reader.bit_field(32) > 1:
        raise MalformedError("not a GFWX file of version 1")
    width, height = reader.bit_field(32), reader.bit_field(32)
    layers, channels = reader.bit_field(16) + 1, reader.bit_field(16) + 1
    bit_depth, signed = reader.bit_field(8) + 1, bool(reader.bit_field(1))
    quality, chroma_scale = reader.bit_field(10) + 1, reader.bit_field(8) + 1
    block_size = reader.bit_field(5) + 2
    filter_, quantization = reader.bit_field(8), reader.bit_field(8)
    encoder, intent = reader.bit_field(8), reader.bit_field(8)
    if not (1 <= width <= 1 << 30 and 1 <= height <= 1 << 30):
        raise MalformedError("width and height must be 1..2^30")
    if (
        filter_ > 8
        or quantization != 0
        or encoder > 3
        or bit_depth - signed > (15 if signed else 16)
    ):
        raise MalformedError("filter, quantization, encoder or bit depth are not of this format")
    return Header(
        width,
        height,
        layers,
        channels,
        bit_depth,
        signed,
        quality,
        chroma_scale,
        block_size,
        filter_,
        encoder,
        intent,
        metadata_words=reader.bit_field(32),
    )
