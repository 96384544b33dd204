"""How rows enter the sweep of synthesis: dequantized, in halves."""
from libc.stdint cimport int32_t, int64_t, uint8_t

from gfwx.kernels.geometry cimport LEVELS, Memory, Rows, coefficient_t, place_of, zero_flag
from gfwx.kernels.lifting cimport deinterleave
from gfwx.kernels.quantization cimport dequantize_row
from gfwx.kernels.ring cimport Ring, has_update, ring_row, scratch_of, update_part
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


cdef inline void enter(
    const Sweep* sweep, const coefficient_t* coefficients, const Ring* ring, coefficient_t* unit,
    bint odd, int64_t pair,
) noexcept nogil:
    """Row ``2 pair + odd`` of every plane, dequantized, into the ring in halves. Of even rows the
    update is undone on the way, for which odd rows are there already."""
    cdef int64_t plane
    for plane in range(sweep.planes):
        if sweep.quarters:
            enter_quarters(sweep, coefficients, ring, unit, plane, odd, pair)
        else:
            enter_coded(sweep, coefficients, ring, unit, plane, odd, pair)


cdef inline void enter_even(
    const Sweep* sweep, const Ring* ring, coefficient_t* low, int64_t plane, int64_t pair,
    int64_t first, int64_t n, const coefficient_t* source,
) noexcept nogil:
    """Part of an even row, ``first`` behind ``low``, its place in the ring."""
    if sweep.vertical and has_update(sweep.rows, pair):
        update_part(ring, sweep.rows, plane, pair, first, n, source, low + first, True)
    elif source != low + first:
        copy_row(source, low + first, n)


cdef inline void enter_quarters(
    const Sweep* sweep, const coefficient_t* coefficients, const Ring* ring, coefficient_t* unit,
    int64_t plane, bint odd, int64_t pair,
) noexcept nogil:
    cdef coefficient_t* low = ring_row(ring, unit, plane, odd, pair)
    cdef const coefficient_t* first = coefficients + place_of(&sweep.parts[odd], plane, pair)
    cdef const coefficient_t* second = coefficients + place_of(&sweep.parts[2 + odd], plane, pair)
    if odd:
        copy_row(first, low, sweep.low_n)
        copy_row(second, low + ring.high, sweep.high_n)
    else:
        enter_even(sweep, ring, low, plane, pair, 0, sweep.low_n, first)
        enter_even(sweep, ring, low, plane, pair, ring.high, sweep.high_n, second)


cdef inline void enter_coded(
    const Sweep* sweep, const coefficient_t* coefficients, const Ring* ring, coefficient_t* unit,
    int64_t plane, bint odd, int64_t pair,
) noexcept nogil:
    """Block by block, as far as they differ in being zeros."""
    cdef int64_t last, high_first, high_n
    cdef int64_t first = 0
    cdef int32_t factor = sweep.factors[
        (LEVELS if sweep.chroma != NULL and sweep.chroma[plane] else 0) + sweep.level]
    cdef coefficient_t* low = ring_row(ring, unit, plane, odd, pair)
    cdef coefficient_t* high = low + ring.high
    cdef const coefficient_t* part
    cdef const coefficient_t* source = coefficients + place_of(&sweep.parts[odd], plane, pair)
    cdef const coefficient_t* zeros = NULL
    cdef bint zero = False
    if not odd:
        enter_even(sweep, ring, low, plane, pair, 0, sweep.low_n, source)
        source = coefficients + place_of(&sweep.parts[2], plane, pair)
    if sweep.level == 0:
        zeros = coefficients + zero_flag(
            sweep.memory, plane * sweep.components + sweep.component, 2 * pair + odd)
    while first < sweep.columns:
        last = sweep.columns
        if zeros != NULL:
            zero = zeros[first >> sweep.memory.block_bits] != 0
            last = columns_alike(zeros, first, last, sweep.memory.block_bits)
        high_first = first >> 1
        high_n = (last >> 1) - high_first
        if zero:
            set_zero(high + high_first, high_n)
        if not odd:
            part = source + high_first
            if factor != 0 and not zero:
                dequantize_row(part, high + high_first, high_n, factor, sweep.shift)
            if factor != 0 or zero:
                part = high + high_first
            enter_even(sweep, ring, low, plane, pair, ring.high + high_first, high_n, part)
        elif zero:
            set_zero(low + high_first, ((last + 1) >> 1) - high_first)
        else:
            enter_whole(
                source + first, low + high_first, high + high_first, scratch_of(ring, unit),
                last - first, factor, sweep.shift)
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
