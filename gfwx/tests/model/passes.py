"""Coding one pass (section 9).

A pass sees its part of a plane as a list of rows, `rows[y][x]`, with (0, 0) at the start of its
rectangle.
"""

from __future__ import annotations

from collections.abc import Iterator

from .arithmetic import UINT32, wrap
from .bits import Reader, interleaved, signed, unsigned
from .levels import Pass

TURBO, FAST, CONTEXTUAL, HIGH_BITRATE = range(4)

Rows = list[list[int]]


def positions(rows: Rows, step: int) -> Iterator[tuple[int, int]]:
    """(x, y) of the coefficients of a pass, in the order of the file."""
    for y in range(0, len(rows), step):
        on_coarser_row = y % (2 * step) == 0
        for x in range(0, len(rows[0]), step):
            if not (on_coarser_row and x % (2 * step) == 0):
                yield x, y


def encode_pass(rows: Rows, this: Pass, encoder: int) -> str:
    """The bits of one pass."""
    bits = []
    if this.has_dc and rows and rows[0]:
        bits.append(signed(4, rows[0][0]))
    m1 = m2 = run = 0
    k = turbo_run_coder(this) if encoder == TURBO else 0
    for x, y in positions(rows, this.step):
        s = rows[y][x]
        if k != 0 and s == 0:
            run += 1
            continue
        if encoder == HIGH_BITRATE:
            bits.append(interleaved(max(0, m1.bit_length() - 4), s))
            m1 = decayed(m1, abs(s))
            continue
        if k != 0:
            bits.append(unsigned(k, run))
            run = 0
            if s < 0:
                s += 1
        if encoder == TURBO:
            bits.append(interleaved(1, s))
            continue
        if encoder == CONTEXTUAL:
            m1, m2 = context(rows, x, y, this.step)
        shift, is_signed = code_class(m1, m2, this.chroma)
        bits.append(signed(shift, s) if is_signed else interleaved(shift, s))
        if encoder == FAST:
            m1, m2 = decayed(m1, abs(s)), decayed(m2, min(abs(s), 4096) ** 2)
        if (s == 0) == (k == 0):
            k = run_coder(m1, m2, this.quality, encoder)
    if run > 0:
        bits.append(unsigned(k, run))
    return "".join(bits)


def decode_pass(reader: Reader, rows: Rows, this: Pass, encoder: int, plane_bits: int) -> None:
    """Read one pass into `rows`, whose values wrap to `plane_bits`."""
    if this.has_dc and rows and rows[0]:
        rows[0][0] = wrap(reader.signed(4), plane_bits)
    m1 = m2 = 0
    k = turbo_run_coder(this) if encoder == TURBO else 0
    pending: int | None = None
    for x, y in positions(rows, this.step):
        if k != 0 and pending is None:
            pending = reader.unsigned(k)
        if pending is not None and pending > 0:
            pending -= 1
            rows[y][x] = 0
            continue
        if encoder == HIGH_BITRATE:
            s = reader.interleaved(max(0, m1.bit_length() - 4))
            m1 = decayed(m1, abs(s))
        elif encoder == TURBO:
            s = reader.interleaved(1)
        else:
            if encoder == CONTEXTUAL:
                m1, m2 = context(rows, x, y, this.step)
            shift, is_signed = code_class(m1, m2, this.chroma)
            s = reader.signed(shift) if is_signed else reader.interleaved(shift)
            if encoder == FAST:
                m1, m2 = decayed(m1, abs(s)), decayed(m2, min(abs(s), 4096) ** 2)
            if (s == 0) == (k == 0):
                k = run_coder(m1, m2, this.quality, encoder)
        if pending == 0 and s <= 0:
            s -= 1
        pending = None
        rows[y][x] = wrap(s, plane_bits)


def turbo_run_coder(this: Pass) -> int:
    """k of Turbo, the same throughout the pass."""
    return 1 if this.quality * this.step < 2048 else 0


def decayed(m: int, term: int) -> int:
    """The running mean `m` after one more term, times 16."""
    return (((15 * m + 7 & UINT32) >> 4) + term) & UINT32


def code_class(m1: int, m2: int, chroma: bool) -> tuple[int, bool]:
    """Which code a coefficient is written in: k, and whether it is S(k, .) or I(k, .)."""
    e = m1 * m1 & UINT32

    def below(factor: int, term: int) -> bool:
        return e < (factor * m2 + term & UINT32)

    if below(2, 250 if chroma else 100):
        return 0, False
    if below(2, 950):
        return 1, False
    if below(3, 3000):
        return (1, True) if below(5, 400) else (2, False)
    if below(3, 12000):
        return (2, True) if below(5, 3000) else (3, False)
    if below(4, 44000):
        return (3, True) if below(6, 12000) else (4, False)
    return 4, True


def run_coder(m1: int, m2: int, quality: int, encoder: int) -> int:
    """k anew."""
    if encoder == FAST:
        return 4 if m1 < 1 else 3 if m1 < 2 else 2 if m1 < 4 else 1 if m1 < 8 else 0
    if quality == 1024:
        return 1 if m1 < 2 else 0
    if m1 < 4 and m2 < 2:
        return 4
    if m1 < 8 and m2 < 4:
        return 3
    twice_e = 2 * m1 * m1 & UINT32
    if twice_e < (3 * m2 + 48 & UINT32):
        return 2
    return 1 if twice_e < (5 * m2 + 32 & UINT32) else 0


def context(rows: Rows, x: int, y: int, s: int) -> tuple[int, int]:
    """m1 and m2 of Contextual at a position, from values that are already known."""
    height, width = len(rows), len(rows[0])
    ancestor_x = 4 * s * (x // (4 * s)) + (2 * s if x & s else 0)
    if ancestor_x >= width:
        ancestor_x -= 2 * s
    ancestor_y = 4 * s * (y // (4 * s)) + (2 * s if y & s else 0)
    if ancestor_y >= height:
        ancestor_y -= 2 * s
    terms = [(rows[ancestor_y][ancestor_x], 2)]
    if y & s and (x | s) < width:
        terms.append((rows[y - s][x | s], 2))
        if x & s:
            terms.append((rows[y][x - s], 2))
    if x >= 2 * s and y >= 2 * s:
        terms.append((rows[y - 2 * s][x], 4))
        terms.append((rows[y][x - 2 * s], 4))
        terms.append((rows[y - 2 * s][x - 2 * s], 2))
        if x + 2 * s < width:
            terms.append((rows[y - 2 * s][x + 2 * s], 2))
        if x >= 4 * s and y >= 4 * s:
            terms.append((rows[y - 4 * s][x], 2))
            terms.append((rows[y][x - 4 * s], 2))
            terms.append((rows[y - 4 * s][x - 4 * s], 1))
            if x + 4 * s < width:
                terms.append((rows[y - 4 * s][x + 4 * s], 1))
    s1 = s2 = n = 0
    for value, weight in terms:
        size = abs(value)
        s1 += weight * size
        s2 += weight * (size if size < 4096 else 4096) ** 2
        n += weight
    m1 = (16 * s1 + n // 2 & UINT32) // n
    m2 = (16 * s2 + n // 2 & UINT32) // n
    return m1, m2
