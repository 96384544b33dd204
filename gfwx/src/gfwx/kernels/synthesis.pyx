"""From quantized coefficients to samples: the reverse of analysis.pyx, in the same sweeps.

Each level of unlifting runs down the rows once. Rows enter a ring of eight (four even, four odd)
dequantized, are unlifted vertically inside it and horizontally as they leave it: into their place
in the plane, or at the finest level, through the inverse color transform, into the picture. With
Bayer two sweeps make a band of the picture: the first makes rows of the four components, which the
second joins.
"""
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint16_t

from gfwx.kernels.aligned cimport Aligned, allocate, release
from gfwx.kernels.coding cimport Coding, CodingTables, Part, factors_of, part_at
from gfwx.kernels.geometry cimport (
    Component, Lattice, LEVELS, Memory, Rows, coarse_row_stride, coarse_rows, coefficient_t,
    lattice_at, place_of, quality_level, quarter_rows,
)
from gfwx.kernels.lifting cimport interleave, unlift_row
from gfwx.kernels.output cimport Output, finish_row
from gfwx.kernels.planes cimport Picture, picture_of
from gfwx.kernels.quantization cimport dequantize_row
from gfwx.kernels.ring cimport (
    Ring, allocate_ring, padded, padding_for, predict_ring_row, ring_for, ring_row, scratch_of,
)
from gfwx.kernels.rows cimport copy_row
from gfwx.kernels.sweep cimport Sweep, enter


cdef void leave(
    const Sweep* sweep, coefficient_t* coefficients, Output* output, const Ring* ring,
    coefficient_t* unit, bint odd, int64_t pair,
) noexcept nogil:
    """Row ``2 pair + odd`` of every plane from the ring to its place, unlifted horizontally."""
    cdef int64_t plane
    cdef int64_t y = 2 * pair + odd
    cdef coefficient_t* row
    cdef coefficient_t* low
    for plane in range(sweep.planes):
        low = ring_row(ring, unit, plane, odd, pair)
        if output != NULL:
            row = (
                <coefficient_t*>output.rows + plane * output.plane_stride
                + (y & 3) * output.row_stride)
        else:
            row = coefficients + place_of(&sweep.target, plane, y)
        unlift_row(
            low, low + ring.high, row, scratch_of(ring, unit) + ring.padding, sweep.columns,
            sweep.cubic)
    if output != NULL:
        finish(output, unit, y)


cdef void finish(Output* output, coefficient_t* unit, int64_t y) noexcept nogil:
    """Not inlined: with it the loops of `leave` are slower (q 256: 1200 instead of 1310 MB/s)."""
    finish_row(output, unit, y)


cdef int join_pairs(
    const Sweep* sweep, coefficient_t* coefficients, Output* output, int64_t first_pair,
    int64_t last_pair,
) except -1 nogil:
    """Join the row pairs of a band.

    The update of even row k is undone in turn k, from the odd rows k - 1 and k (cubic: k - 2 to
    k + 1). In the next turn (cubic: the one after) the prediction of odd row k is undone, from the
    even rows k and k + 1 (cubic: k - 1 to k + 2), and the pair leaves.
    """
    cdef int64_t even_n = (sweep.rows + 1) >> 1
    cdef int64_t odd_n = sweep.rows >> 1
    cdef int64_t lag = 2 if sweep.cubic else 1
    cdef int64_t ahead = 1 if sweep.cubic else 0
    cdef int64_t turn, pair, odd
    cdef Ring ring
    cdef coefficient_t* unit
    make_ring(sweep, &ring, <coefficient_t>0)
    unit = <coefficient_t*>ring.memory
    turn = max(first_pair - ahead, 0)
    odd = max(turn - lag, 0)
    while turn < last_pair + lag:
        while odd <= min(turn + ahead, odd_n - 1):
            enter(sweep, coefficients, &ring, unit, True, odd)
            odd += 1
        if turn < even_n:
            enter(sweep, coefficients, &ring, unit, False, turn)
        pair = turn - lag
        if first_pair <= pair < last_pair:
            leave(sweep, coefficients, output, &ring, unit, False, pair)
            if pair < odd_n:
                if sweep.vertical:
                    predict_ring_row(&ring, unit, sweep.rows, pair, True)
                leave(sweep, coefficients, output, &ring, unit, True, pair)
        turn += 1
    release(&ring.room)
    return 0


cdef int make_ring(const Sweep* sweep, Ring* ring, coefficient_t unit) except -1 nogil:
    """With a row in halves and a whole one of scratch behind it."""
    ring[0] = ring_for(sweep.planes, sweep.low_n, sweep.high_n, sweep.cubic)
    if not allocate_ring(ring, ring.row_stride + sweep.columns, unit):
        with gil:
            raise MemoryError
    return 0


cdef int join_columns(
    const Sweep* sweep, const Component* component, coefficient_t* coefficients, Output* output,
    int64_t first_row, int64_t last_row,
) except -1 nogil:
    """A level above the tranches' height; the reverse of split_columns."""
    cdef int64_t plane, row
    cdef int64_t step = (<int64_t>1) << (sweep.level - component.split_levels)
    cdef int32_t factor
    cdef coefficient_t* place
    cdef coefficient_t* low
    cdef Ring ring
    make_ring(sweep, &ring, <coefficient_t>0)
    low = <coefficient_t*>ring.memory + ring.padding
    for row in range(first_row, last_row):
        for plane in range(sweep.planes):
            factor = sweep.factors[
                (LEVELS if sweep.chroma != NULL and sweep.chroma[plane] else 0)
                + quality_level(component, sweep.level, row)]
            copy_row(coefficients + place_of(&sweep.parts[0], plane, row), low, sweep.low_n)
            dequantize_row(
                coefficients + place_of(&sweep.parts[2], plane, row), low + ring.high,
                sweep.high_n, factor, sweep.shift)
            if output != NULL:
                place = (
                    <coefficient_t*>output.rows + plane * output.plane_stride
                    + (row & 3) * output.row_stride)
            else:
                place = coefficients + place_of(&sweep.target, plane, row)
            if row % step == 0:
                unlift_row(
                    low, low + ring.high, place, scratch_of(&ring, low) + ring.padding,
                    sweep.columns, sweep.cubic)
            else:
                interleave(low, low + ring.high, place, sweep.columns)
        if output != NULL:
            finish(output, low, row)
    release(&ring.room)
    return 0


cdef int join(
    const Sweep* sweep, const Component* component, coefficient_t* coefficients, Output* output,
    int64_t first_row, int64_t last_row,
) except -1 nogil:
    """Make rows of a level, of which an even one is the first."""
    if sweep.split:
        return join_pairs(sweep, coefficients, output, first_row >> 1, (last_row + 1) >> 1)
    return join_columns(sweep, component, coefficients, output, first_row, last_row)


cdef void dequantize_dc(
    const Part* part, coefficient_t* coefficients, int shift
) noexcept nogil:
    """The first coefficient of each tranche; the very first is never quantized."""
    cdef Lattice lattice = lattice_at(&part.memory, part.component, LEVELS - 1)
    cdef int64_t row
    cdef coefficient_t* place
    for row in range(1, lattice.kept_rows):
        place = coefficients + place_of(&lattice.low, 0, row)
        dequantize_row(
            place, place, 1, part.factors[quality_level(part.component, LEVELS - 1, row)], shift)


cdef void place_level(
    Sweep* sweep, const Memory* memory, const Component* component, int level
) noexcept nogil:
    cdef Lattice lattice = lattice_at(memory, component, level)
    sweep.memory = memory
    sweep.level = level
    sweep.rows = lattice.kept_rows
    sweep.columns = lattice.kept_columns
    sweep.low_n = (sweep.columns + 1) >> 1
    sweep.high_n = sweep.columns >> 1
    sweep.split = lattice.split
    sweep.vertical = level < component.lifted_levels
    sweep.quarters = False
    sweep.parts[0] = lattice.low
    sweep.parts[1] = lattice.odd
    sweep.parts[2] = lattice.high
    sweep.parts[3] = lattice.odd  # not used


cdef int synthesize_coarser(
    coefficient_t* coefficients, const Memory* memory, const Coding* coding, int64_t first_part,
    int64_t last_part,
) except -1 nogil:
    """All levels but the finest, of some components of planes."""
    cdef Part part
    cdef int64_t index
    for index in range(first_part, last_part):
        part = part_at(coding, memory, index)
        synthesize_part(coefficients, &part, coding)
    return 0


cdef int synthesize_part(
    coefficient_t* coefficients, const Part* part, const Coding* coding
) except -1 nogil:
    cdef Sweep sweep
    cdef int level = coding.levels - 1
    sweep.planes = 1
    sweep.cubic = coding.cubic
    sweep.factors = part.factors
    sweep.chroma = NULL
    sweep.shift = coding.shift
    dequantize_dc(part, coefficients, coding.shift)
    while level >= 1:
        place_level(&sweep, &part.memory, part.component, level)
        if sweep.rows == 0 or sweep.columns == 0:
            return 0
        sweep.target = coarse_rows(
            &part.memory, part.component, 0, coarse_row_stride(part.component, level))
        join(&sweep, part.component, coefficients, <Output*>NULL, 0, sweep.rows)
        level -= 1
    return 0


cdef int synthesize_finest(
    coefficient_t* coefficients, const Memory* memory, const Picture* picture,
    const Coding* coding, int64_t first_row, int64_t last_row,
) except -1 nogil:
    """A band of the picture; with Bayer, after as many rows of the components as that needs."""
    cdef Sweep sweep
    cdef Output output
    cdef int64_t planes = picture.layers * picture.channels
    cdef int64_t first = first_row
    cdef int64_t last = last_row
    cdef Aligned room
    cdef coefficient_t* rows
    output.picture = picture[0]
    output.program = coding.reversed_steps
    output.tolerance = coding.tolerance
    output.green_parity = coding.green_parity
    output.first_row = first_row
    output.last_row = last_row
    if output.tolerance:  # rows outside the band are needed to clean those inside
        first = max(first - 1, 0)
        last = min(last + 1, picture.rows)
    sweep.planes = planes
    sweep.component = 0
    sweep.components = coding.component_count
    sweep.cubic = coding.cubic
    sweep.shift = coding.shift
    sweep.factors = coding.factors
    sweep.chroma = coding.chroma
    if coding.component_count > 1:
        make_quarters(&sweep, coefficients, memory, coding, first, last)
        sweep.rows = picture.rows
        sweep.columns = picture.columns
        sweep.low_n = (sweep.columns + 1) >> 1
        sweep.high_n = sweep.columns >> 1
        sweep.split = True
        sweep.vertical = True
        sweep.quarters = True
    else:
        place_level(&sweep, memory, coding.components, 0)
    output.row_stride = padded(sweep.columns, padding_for(sweep.columns))
    output.plane_stride = 4 * output.row_stride
    room = allocate(
        ((2 if output.tolerance else 1) * planes * output.plane_stride + output.row_stride)
        * sizeof(coefficient_t))
    rows = <coefficient_t*>room.memory
    if rows == NULL:
        with gil:
            raise MemoryError
    output.rows = rows
    output.total = rows + planes * output.plane_stride
    output.cleaned = <coefficient_t*>output.total + output.row_stride  # if there is clean-up
    try:
        join(&sweep, coding.components, coefficients, &output, first, last)
    finally:
        release(&room)
    return 0


cdef int make_quarters(
    Sweep* sweep, coefficient_t* coefficients, const Memory* memory, const Coding* coding,
    int64_t first_row, int64_t last_row,
) except -1 nogil:
    """Rows of the four components from which rows of the picture can be joined."""
    cdef int part
    cdef Rows quarters[4]
    # The joining sweep reads one pair (cubic: three) before the band and one (three) behind it.
    cdef int64_t margin = 3 if sweep.cubic else 1
    cdef int64_t first = max((first_row >> 1) - margin, 0) & ~1
    cdef int64_t last = ((last_row + 1) >> 1) + margin
    sweep.chroma = NULL
    for part in range(4):
        place_level(sweep, memory, &coding.components[part], 0)
        sweep.component = part
        quarters[part] = quarter_rows(memory, &coding.components[part], first)
        sweep.target = quarters[part]
        sweep.factors = factors_of(coding, part, part > 0)
        if sweep.columns > 0 and sweep.rows > first:
            join(
                sweep, &coding.components[part], coefficients, <Output*>NULL, first,
                min(last, sweep.rows))
    for part in range(4):
        sweep.parts[part] = quarters[part]
    return 0


def finest_8bit(
    int16_t[::1] coefficients, const int64_t[::1] memory, uint8_t[:, :, :, :] image,
    CodingTables tables not None, int64_t first_row, int64_t last_row,
):
    """Make a band of the picture, the coarser levels being joined.

    Parameters
    ----------
    coefficients
        Of the finest level around the band, and the low halves.
    memory
        Where in `coefficients` (see ``Memory`` in geometry.pxd).
    image
        Receives the samples, (layers, rows, columns, channels); signed ones viewed as unsigned.
    tables
        Description of the coding.
    first_row, last_row
        The band, in rows of the picture; its first row is even.
    """
    cdef Picture picture = picture_of(
        <char*>&image[0, 0, 0, 0], image.shape, image.strides, tables.coding.signed,
        tables.coding.boost)
    with nogil:
        synthesize_finest(
            &coefficients[0], <const Memory*>&memory[0], &picture, &tables.coding, first_row,
            last_row)


def finest_16bit(
    int32_t[::1] coefficients, const int64_t[::1] memory, uint16_t[:, :, :, :] image,
    CodingTables tables not None, int64_t first_row, int64_t last_row,
):
    """As finest_8bit, from int32 to 16-bit samples."""
    cdef Picture picture = picture_of(
        <char*>&image[0, 0, 0, 0], image.shape, image.strides, tables.coding.signed,
        tables.coding.boost)
    with nogil:
        synthesize_finest(
            &coefficients[0], <const Memory*>&memory[0], &picture, &tables.coding, first_row,
            last_row)


def coarser_8bit(
    int16_t[::1] coefficients, const int64_t[::1] memory, CodingTables tables not None,
    int64_t first_part, int64_t last_part,
):
    """Join all levels but the finest, in place.

    Parameters
    ----------
    coefficients, memory, tables
        As in finest_8bit.
    first_part, last_part
        The components to join, counted from the first of the first plane.
    """
    with nogil:
        synthesize_coarser(
            &coefficients[0], <const Memory*>&memory[0], &tables.coding, first_part, last_part)


def coarser_16bit(
    int32_t[::1] coefficients, const int64_t[::1] memory, CodingTables tables not None,
    int64_t first_part, int64_t last_part,
):
    """As coarser_8bit, for int32."""
    with nogil:
        synthesize_coarser(
            &coefficients[0], <const Memory*>&memory[0], &tables.coding, first_part, last_part)
