"""How rows enter the sweep of synthesis: dequantized, in halves."""
from libc.stdint cimport int32_t, int64_t, uint8_t

from gfwx.kernels.geometry cimport LEVELS, Memory, Rows, coefficient_t, place_of, zero_flag
from gfwx.kernels.lifting cimport deinterleave
from gfwx.kernels.quantization cimport dequantize_row
from gfwx.kernels.ring cimport Ring, ring_row
from gfwx.kernels.rows cimport copy_row, set_zero


cdef struct Sweep:  # what one level of unlifting does to its planes
    int64_t planes
    int64_t rows            # that are made
    int64_t columns
    int64_t low_n           # columns of the low half, and of the high half
    int64_t high_n
    bint split              # rows come in pairs
    bint cubic
    bint vertical
    bint quarters           # Bayer's last join: each half row is a component of its own
    Rows parts[4]           # low even, low (or whole) odd, high even, high odd rows
    Rows target             # where rows go, if not to the picture
    const int32_t* factors  # by chroma flag and level, LEVELS apart
    const uint8_t* chroma   # of each plane; NULL where all are of one kind
    const Memory* memory
    int component           # of ``components``
    int components
    int level
    int shift


cdef inline coefficient_t* scratch_of(const Ring* ring, coefficient_t* unit) noexcept nogil:
    return <coefficient_t*>ring.memory + ring.planes * ring.plane_stride


cdef inline void enter(
    const Sweep* sweep, const coefficient_t* coefficients, const Ring* ring, coefficient_t* unit,
    bint odd, int64_t pair,
) noexcept nogil:
    """Row ``2 pair + odd`` of every plane, dequantized, into the ring in halves."""
    cdef int64_t plane, first, last
    cdef int32_t factor
    cdef coefficient_t* low
    cdef coefficient_t* high
    cdef const coefficient_t* source
    cdef const coefficient_t* zeros = NULL
    for plane in range(sweep.planes):
        low = ring_row(ring, unit, plane, odd, pair)
        high = low + ring.high
        source = coefficients + place_of(&sweep.parts[odd], plane, pair)
        if sweep.quarters:
            copy_row(source, low, sweep.low_n)
            copy_row(
                coefficients + place_of(&sweep.parts[2 + odd], plane, pair), high, sweep.high_n)
            continue
        factor = sweep.factors[
            (LEVELS if sweep.chroma != NULL and sweep.chroma[plane] else 0) + sweep.level]
        if not odd:
            copy_row(source, low, sweep.low_n)
            source = coefficients + place_of(&sweep.parts[2], plane, pair)
        if sweep.level == 0:
            zeros = coefficients + zero_flag(
                sweep.memory, plane * sweep.components + sweep.component, 2 * pair + odd)
        first = 0
        while first < sweep.columns:
            last = sweep.columns
            if zeros != NULL:
                last = columns_alike(zeros, first, last, sweep.memory.block_bits)
            if zeros != NULL and zeros[first >> sweep.memory.block_bits]:
                set_zero(high + (first >> 1), (last >> 1) - (first >> 1))
                if odd:
                    set_zero(low + (first >> 1), ((last + 1) >> 1) - (first >> 1))
            elif odd:
                enter_whole(
                    source + first, low + (first >> 1), high + (first >> 1),
                    scratch_of(ring, unit), last - first, factor, sweep.shift)
            else:
                dequantize_row(
                    source + (first >> 1), high + (first >> 1), (last >> 1) - (first >> 1),
                    factor, sweep.shift)
            first = last


cdef inline int64_t columns_alike(
    const coefficient_t* zeros, int64_t first, int64_t columns, int64_t block_bits
) noexcept nogil:
    """Where the blocks end that have coefficients, or have not, as the one at ``first``."""
    cdef int64_t x = first >> block_bits
    while (x + 1) << block_bits < columns and (zeros[x + 1] != 0) == (zeros[x] != 0):
        x += 1
    return min((x + 1) << block_bits, columns)


cdef inline void enter_whole(
    const coefficient_t* source, coefficient_t* low, coefficient_t* high, coefficient_t* scratch,
    int64_t n, int32_t factor, int shift,
) noexcept nogil:
    if factor != 0:
        dequantize_row(source, scratch, n, factor, shift)
        source = scratch
    deinterleave(source, low, high, n)
