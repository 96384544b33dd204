"""Words and bits (section 2), codes for numbers (section 4).

Bits are Python strings of "0" and "1": slow, but there is nothing to get wrong.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .arithmetic import UINT32, MalformedError, wrap


class OutOfBitsError(Exception):
    """A reader wanted more bits than there are."""


def to_words(bits: str) -> NDArray[Any]:
    """Words, little-endian, of bits padded with zeros to whole words."""
    count = (len(bits) + 31) // 32
    value = int(bits.ljust(32 * count, "0") or "0", 2)
    return np.frombuffer(value.to_bytes(4 * count, "big"), ">u4").astype("<u4")


def from_words(words: NDArray[Any]) -> str:
    """The bits of words, each from its most significant bit down."""
    if len(words) == 0:
        return ""
    value = int.from_bytes(words.astype(">u4").tobytes(), "big")
    return format(value, f"0{32 * len(words)}b")


def bit_field(value: int, width: int) -> str:
    """The `width` low bits of a number."""
    return format(value & ((1 << width) - 1), f"0{width}b") if width else ""


def unsigned(k: int, x: int) -> str:
    """U(k, x)."""
    k = min(k, 24)  # as readers take it; only HighBitrate with coefficients over 2^24 gets there
    bits = ""
    while x >> k >= 12:
        bits += "0" * 12
        x -= 12 << k
        k = k + 4 if k < 20 else 24
    return bits + "0" * (x >> k) + "1" + bit_field(x, k)


def interleaved(k: int, x: int) -> str:
    """I(k, x)."""
    return unsigned(k, (-2 * x if x <= 0 else 2 * x - 1) & UINT32)


def signed(k: int, x: int) -> str:
    """S(k, x)."""
    sign = "" if x == 0 else "1" if x > 0 else "0"
    return unsigned(k, abs(x)) + sign


class Reader:
    """Reads codes from a string of bits."""

    def __init__(self, bits: str) -> None:
        self.bits = bits
        self.position = 0

    def bit_field(self, width: int) -> int:
        end = self.position + width
        if end > len(self.bits):
            raise OutOfBitsError
        field = self.bits[self.position : end]
        self.position = end
        return int(field, 2) if width else 0

    def unsigned(self, k: int) -> int:
        x = 0
        while True:
            one = self.bits.find("1", self.position, self.position + 12)
            if one >= 0:
                zeros = one - self.position
                self.position = one + 1
                shift = min(k, 24)
                return (x + (zeros << shift) + self.bit_field(shift)) & UINT32
            if self.position + 12 > len(self.bits):
                raise OutOfBitsError
            if k > 108:
                raise MalformedError("a code for a number does not end")
            self.position += 12
            x += 12 << min(k, 24)
            k += 4

    def interleaved(self, k: int) -> int:
        x = self.unsigned(k)
        return wrap((x + 1) // 2 if x & 1 else -(x // 2), 32)

    def signed(self, k: int) -> int:
        x = self.unsigned(k)
        return wrap(x if x == 0 or self.bit_field(1) else -x, 32)
