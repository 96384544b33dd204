"""From samples to quantized coefficients: color, lifting and quantization in one sweep.

Each level of lifting runs down the rows once. Rows are lifted horizontally as they enter a ring of
eight (four even, four odd), vertically inside it, and leave it for their place. The finest level
reads the picture, and any band of its rows can be made by itself, after a few rows more at its
edges; the coarser levels work in place. With Bayer two sweeps make the finest level of a band: the
first leaves rows of the four components, which the second splits.
"""
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint16_t

from gfwx.kernels.aligned cimport Aligned, allocate, release
from gfwx.kernels.coding cimport Coding, CodingTables, Part, factors_of, part_at
from gfwx.kernels.geometry cimport (
    Component, Lattice, LEVELS, Memory, Rows, coarse_row_stride, coarse_rows, coefficient_t,
    lattice_at, place_of, quality_level, quarter_rows,
)
from gfwx.kernels.lifting cimport deinterleave, interleave, lift_row
from gfwx.kernels.planes cimport Picture, apply_program, load_row, picture_of
from gfwx.kernels.quantization cimport quantize_row
from gfwx.kernels.ring cimport (
    Ring, allocate_ring, has_update, padded, padding_for, predict_ring_row, ring_for, ring_row,
    scratch_of, update_part,
)
from gfwx.kernels.rows cimport copy_row


cdef struct Sweep:  # what one level of lifting does to its planes
    int64_t planes
    Lattice lattice         # where its coefficients go
    Rows source             # where its rows are, if not in the picture
    bint cubic
    bint vertical
    bint keeps_low          # low halves are wanted too
    const int32_t* factors  # by chroma flag and level, LEVELS apart
    const uint8_t* chroma   # of each plane; NULL where all are of one kind
    int level
    int shift
    bint quarters           # Bayer's first split: each half row goes to a component of its own
    Rows quarter[4]


cdef void enter(
    const Sweep* sweep, coefficient_t* coefficients, const Picture* picture, const int32_t* program,
    coefficient_t* scratch, int64_t scratch_stride, const Ring* ring, bint odd, int64_t pair,
) noexcept nogil:
    """Row ``2 pair + odd`` of every plane, lifted horizontally, into the ring."""
    cdef int64_t plane
    cdef int64_t y = 2 * pair + odd
    cdef coefficient_t* low
    cdef const coefficient_t* row
    if picture != NULL:
        load_row(picture, y, scratch, scratch_stride)
        apply_program(
            scratch, scratch_stride, sweep.lattice.columns, program,
            scratch + sweep.planes * scratch_stride, False)
    for plane in range(sweep.planes):
        low = ring_row(ring, scratch, plane, odd, pair)
        if picture != NULL:
            row = scratch + plane * scratch_stride
        else:
            row = coefficients + place_of(&sweep.source, plane, y)
        lift_row(row, low, low + ring.high, sweep.lattice.columns, sweep.cubic)


cdef inline void leave_even(
    const Sweep* sweep, const Ring* ring, int64_t plane, int64_t pair, int64_t first, int64_t n,
    coefficient_t* target,
) noexcept nogil:
    """Part of an even row, ``first`` behind its low half, updated on its way."""
    cdef const coefficient_t* row = ring_row(ring, target, plane, False, pair) + first
    if sweep.vertical and has_update(sweep.lattice.rows, pair):
        update_part(
            ring, sweep.lattice.rows, plane, pair, first, n, row, target, False)
    else:
        copy_row(row, target, n)


cdef void leave(
    const Sweep* sweep, coefficient_t* coefficients, const Ring* ring, coefficient_t* scratch,
    int64_t pair,
) noexcept nogil:
    """Rows ``2 pair`` and ``2 pair + 1`` of every plane to their places, quantized."""
    cdef int64_t plane
    cdef int64_t columns = sweep.lattice.columns
    cdef int64_t low_n = sweep.lattice.low_columns
    cdef int32_t factor
    cdef coefficient_t* low
    cdef coefficient_t* row
    for plane in range(sweep.planes):
        factor = sweep.factors[
            (LEVELS if sweep.chroma != NULL and sweep.chroma[plane] else 0) + sweep.level]
        if sweep.keeps_low:
            row = coefficients + place_of(&sweep.lattice.low, plane, pair)
            leave_even(sweep, ring, plane, pair, 0, low_n, row)
        row = coefficients + place_of(&sweep.lattice.high, plane, pair)
        leave_even(sweep, ring, plane, pair, ring.high, columns - low_n, row)
        quantize_row(row, row, columns - low_n, factor, sweep.shift)
        if 2 * pair + 1 == sweep.lattice.rows:
            continue
        row = coefficients + place_of(&sweep.lattice.odd, plane, pair)
        low = ring_row(ring, scratch, plane, True, pair)
        interleave(low, low + ring.high, row, columns)
        quantize_row(row, row, columns, factor, sweep.shift)


cdef void leave_in_quarters(
    const Sweep* sweep, coefficient_t* coefficients, const Ring* ring, coefficient_t* scratch,
    int64_t pair,
) noexcept nogil:
    """The same two rows as rows of four components."""
    cdef int64_t plane
    cdef int64_t low_n = sweep.lattice.low_columns
    cdef int64_t high_n = sweep.lattice.columns - low_n
    cdef coefficient_t* low
    for plane in range(sweep.planes):
        leave_even(
            sweep, ring, plane, pair, 0, low_n,
            coefficients + place_of(&sweep.quarter[0], plane, pair))
        leave_even(
            sweep, ring, plane, pair, ring.high, high_n,
            coefficients + place_of(&sweep.quarter[2], plane, pair))
        if 2 * pair + 1 == sweep.lattice.rows:
            continue
        low = ring_row(ring, scratch, plane, True, pair)
        copy_row(low, coefficients + place_of(&sweep.quarter[1], plane, pair), low_n)
        copy_row(
            low + ring.high, coefficients + place_of(&sweep.quarter[3], plane, pair), high_n)


cdef int split_pairs(
    const Sweep* sweep, coefficient_t* coefficients, const Picture* picture, const int32_t* program,
    int64_t first_pair, int64_t last_pair,
) except -1 nogil:
    """Split the row pairs of a band.

    Odd row k is predicted in turn k, from the even rows k and k + 1 (cubic: k - 1 to k + 2). In the
    same turn (cubic: the next) even row k can be updated, and the pair leaves.
    """
    cdef int64_t even_n = (sweep.lattice.rows + 1) >> 1
    cdef int64_t odd_n = sweep.lattice.rows >> 1
    cdef int64_t ahead = 2 if sweep.cubic else 1
    cdef int64_t lag = 1 if sweep.cubic else 0
    cdef int64_t turn, pair, even
    cdef int64_t scratch_stride = padded(
        sweep.lattice.columns, padding_for(sweep.lattice.columns))
    cdef int64_t scratch_rows = sweep.planes + 1 if picture != NULL else 1
    cdef coefficient_t* scratch
    cdef Ring ring = ring_for(
        sweep.planes, sweep.lattice.low_columns,
        sweep.lattice.columns - sweep.lattice.low_columns, sweep.cubic)
    if not allocate_ring(&ring, scratch_rows * scratch_stride, <coefficient_t>0):
        with gil:
            raise MemoryError
    scratch = scratch_of(&ring, coefficients)
    turn = max(first_pair - (2 if sweep.cubic else 1), 0)
    even = max(turn - lag, 0)
    while turn < last_pair + lag:
        while even <= min(turn + ahead, even_n - 1):
            enter(
                sweep, coefficients, picture, program, scratch, scratch_stride, &ring, False, even)
            even += 1
        if turn < odd_n:
            enter(sweep, coefficients, picture, program, scratch, scratch_stride, &ring, True, turn)
            if sweep.vertical:
                predict_ring_row(&ring, scratch, sweep.lattice.rows, turn, False)
        pair = turn - lag
        if first_pair <= pair < last_pair:
            if sweep.quarters:
                leave_in_quarters(sweep, coefficients, &ring, scratch, pair)
            else:
                leave(sweep, coefficients, &ring, scratch, pair)
        turn += 1
    release(&ring.room)
    return 0


cdef int split_columns(
    const Sweep* sweep, const Component* component, coefficient_t* coefficients,
) except -1 nogil:
    """A level above the tranches' height: rows are halved where they are multiples of the step,
    and only taken apart elsewhere."""
    cdef int64_t row, level
    cdef int64_t columns = sweep.lattice.columns
    cdef int64_t low_n = sweep.lattice.low_columns
    cdef int64_t padding = padding_for(columns)
    cdef int64_t high = padded(low_n, padding)
    cdef int64_t step = (<int64_t>1) << (sweep.level - component.split_levels)
    cdef Aligned room = allocate((high + padded(columns, padding)) * sizeof(coefficient_t))
    cdef coefficient_t* low = <coefficient_t*>room.memory + padding
    cdef const coefficient_t* source
    if room.memory == NULL:
        with gil:
            raise MemoryError
    for row in range(sweep.lattice.rows):
        source = coefficients + place_of(&sweep.source, 0, row)
        if row % step == 0:
            lift_row(source, low, low + high, columns, sweep.cubic)
        else:
            deinterleave(source, low, low + high, columns)
        level = quality_level(component, sweep.level, row)
        copy_row(low, coefficients + place_of(&sweep.lattice.low, 0, row), low_n)
        quantize_row(
            low + high, coefficients + place_of(&sweep.lattice.high, 0, row), columns - low_n,
            sweep.factors[level], sweep.shift)
    release(&room)
    return 0


cdef void quantize_dc(
    const Part* part, coefficient_t* coefficients, int shift
) noexcept nogil:
    """The first coefficient of each tranche; the very first is never quantized."""
    cdef Lattice lattice = lattice_at(&part.memory, part.component, LEVELS - 1)
    cdef int64_t row
    cdef coefficient_t* place
    for row in range(1, lattice.rows):
        place = coefficients + place_of(&lattice.low, 0, row)
        quantize_row(
            place, place, 1, part.factors[quality_level(part.component, LEVELS - 1, row)], shift)


cdef int analyze_coarser(
    coefficient_t* coefficients, const Memory* memory, const Coding* coding, int64_t first_part,
    int64_t last_part,
) except -1 nogil:
    """All levels but the finest, of some components of planes."""
    cdef Part part
    cdef int64_t index
    for index in range(first_part, last_part):
        part = part_at(coding, memory, index)
        analyze_part(coefficients, &part, coding)
    return 0


cdef int analyze_part(
    coefficient_t* coefficients, const Part* part, const Coding* coding
) except -1 nogil:
    cdef Sweep sweep
    cdef int level
    sweep.planes = 1
    sweep.cubic = coding.cubic
    sweep.keeps_low = True
    sweep.factors = part.factors
    sweep.chroma = NULL
    sweep.shift = coding.shift
    sweep.quarters = False
    for level in range(1, coding.levels):
        sweep.level = level
        sweep.lattice = lattice_at(&part.memory, part.component, level)
        sweep.source = coarse_rows(
            &part.memory, part.component, 0, coarse_row_stride(part.component, level))
        sweep.vertical = level < part.component.lifted_levels
        if sweep.lattice.rows == 0 or sweep.lattice.columns == 0:
            return 0
        if sweep.lattice.split:
            split_pairs(
                &sweep, coefficients, <const Picture*>NULL, NULL,
                0, (sweep.lattice.rows + 1) >> 1)
        else:
            split_columns(&sweep, part.component, coefficients)
    quantize_dc(part, coefficients, coding.shift)
    return 0


cdef void place_finest(
    Sweep* sweep, const Memory* memory, const Component* component, const int32_t* factors
) noexcept nogil:
    sweep.lattice = lattice_at(memory, component, 0)
    sweep.vertical = component.lifted_levels > 0
    sweep.quarters = False
    sweep.factors = factors


cdef int analyze_finest(
    coefficient_t* coefficients, const Memory* memory, const Picture* picture,
    const Coding* coding, int64_t first_row, int64_t last_row, bint keeps_low,
) except -1 nogil:
    """The finest level of a band of rows of the components; with Bayer, after the first split of
    as many rows of the picture as that needs."""
    cdef Sweep sweep
    cdef int part
    cdef int64_t first, last
    cdef const Component* components = coding.components
    sweep.planes = picture.layers * picture.channels
    sweep.cubic = coding.cubic
    sweep.keeps_low = keeps_low
    sweep.chroma = coding.chroma
    sweep.level = 0
    sweep.shift = coding.shift
    if coding.component_count == 1:
        place_finest(&sweep, memory, components, coding.factors)
        return split_pairs(
            &sweep, coefficients, picture, coding.steps, first_row >> 1, (last_row + 1) >> 1)
    first = max(first_row - (6 if coding.cubic else 2), 0)
    last = min(last_row + (5 if coding.cubic else 1), components[0].rows)
    sweep.quarters = True
    sweep.vertical = True
    sweep.lattice.rows = picture.rows
    sweep.lattice.columns = picture.columns
    sweep.lattice.low_columns = components[0].columns
    for part in range(4):
        sweep.quarter[part] = quarter_rows(memory, &components[part], first)
    split_pairs(&sweep, coefficients, picture, coding.steps, first, last)
    sweep.chroma = NULL
    for part in range(4):
        last = min(last_row, components[part].rows)
        if last <= first_row or components[part].columns == 0:
            continue
        place_finest(&sweep, memory, &components[part], factors_of(coding, part, part > 0))
        sweep.source = sweep.quarter[part]
        split_pairs(
            &sweep, coefficients, <const Picture*>NULL, NULL, first_row >> 1, (last + 1) >> 1)
    return 0


def finest_8bit(
    const uint8_t[:, :, :, :] image, int16_t[::1] coefficients, const int64_t[::1] memory,
    CodingTables tables not None, int64_t first_row, int64_t last_row, bint keeps_low,
):
    """Transform a band of rows to the finest level, from 8-bit samples to int16.

    Parameters
    ----------
    image
        Samples, (layers, rows, columns, channels); signed ones viewed as unsigned.
    coefficients
        Receives the finest level, and the low halves that the coarser levels are made of.
    memory
        Where in `coefficients` (see ``Memory`` in geometry.pxd).
    tables
        Description of the coding.
    first_row, last_row
        The band, in rows of a component; `first_row` is even.
    keeps_low
        Whether the low halves are wanted.
    """
    cdef Picture picture = picture_of(
        <char*>&image[0, 0, 0, 0], image.shape, image.strides, tables.coding.signed,
        tables.coding.boost)
    with nogil:
        analyze_finest(
            &coefficients[0], <const Memory*>&memory[0], &picture, &tables.coding, first_row,
            last_row, keeps_low)


def finest_16bit(
    const uint16_t[:, :, :, :] image, int32_t[::1] coefficients, const int64_t[::1] memory,
    CodingTables tables not None, int64_t first_row, int64_t last_row, bint keeps_low,
):
    """As finest_8bit, from 16-bit samples to int32."""
    cdef Picture picture = picture_of(
        <char*>&image[0, 0, 0, 0], image.shape, image.strides, tables.coding.signed,
        tables.coding.boost)
    with nogil:
        analyze_finest(
            &coefficients[0], <const Memory*>&memory[0], &picture, &tables.coding, first_row,
            last_row, keeps_low)


def coarser_8bit(
    int16_t[::1] coefficients, const int64_t[::1] memory, CodingTables tables not None,
    int64_t first_part, int64_t last_part,
):
    """Transform all levels but the finest, in place.

    Parameters
    ----------
    coefficients, memory, tables
        As in finest_8bit.
    first_part, last_part
        The components to transform, counted from the first of the first plane.
    """
    with nogil:
        analyze_coarser(
            &coefficients[0], <const Memory*>&memory[0], &tables.coding, first_part, last_part)


def coarser_16bit(
    int32_t[::1] coefficients, const int64_t[::1] memory, CodingTables tables not None,
    int64_t first_part, int64_t last_part,
):
    """As coarser_8bit, for int32."""
    with nogil:
        analyze_coarser(
            &coefficients[0], <const Memory*>&memory[0], &tables.coding, first_part, last_part)
