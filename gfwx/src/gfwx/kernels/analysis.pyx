"""From samples to quantized coefficients: color, lifting and quantization in one sweep.

Each level of lifting runs down the rows once. Rows are lifted horizontally as they enter a ring of
eight (four even, four odd), vertically inside it, and leave it in their place in the plane, so
that a sample passes through the cache once per level and a plane needs no second copy. The finest
level reads the picture, and any band of its rows can be made by itself, after a few rows more at
its edges; the coarser levels work within a plane.
"""
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint16_t
from libc.stdlib cimport free, malloc

from gfwx.kernels.geometry cimport (
    Component, Lattice, LEVELS, coefficient_t, lattice_at, quality_level,
)
from gfwx.kernels.lifting cimport deinterleave, interleave, lift_row
from gfwx.kernels.planes cimport Picture, apply_program, load_row, picture_of
from gfwx.kernels.quantization cimport quantize_row
from gfwx.kernels.ring cimport Ring, lift_ring_row, padded, padding_for, ring_for, ring_row


cdef struct Sweep:  # what one level of lifting does to its planes
    int64_t planes
    int64_t plane_stride
    Lattice lattice
    bint cubic
    bint vertical
    bint quarters           # Bayer's first split: odd rows stay in halves
    const int32_t* factors  # by chroma flag and level, LEVELS apart
    const uint8_t* chroma   # of each plane; NULL where all are of one kind
    int level
    int shift


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
            row = (
                coefficients + plane * sweep.plane_stride + sweep.lattice.offset
                + y * sweep.lattice.row_stride
            )
        lift_row(row, low, low + ring.high, sweep.lattice.columns, sweep.cubic)


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
        factor = 0
        if not sweep.quarters:
            factor = sweep.factors[
                (LEVELS if sweep.chroma != NULL and sweep.chroma[plane] else 0) + sweep.level]
        row = (
            coefficients + plane * sweep.plane_stride + sweep.lattice.offset
            + 2 * pair * sweep.lattice.row_stride
        )
        low = ring_row(ring, scratch, plane, False, pair)
        quantize_row(low, row, low_n, 0, 0)
        quantize_row(low + ring.high, row + low_n, columns - low_n, factor, sweep.shift)
        if 2 * pair + 1 == sweep.lattice.rows:
            continue
        row += sweep.lattice.row_stride
        low = ring_row(ring, scratch, plane, True, pair)
        if sweep.quarters:
            quantize_row(low, row, low_n, 0, 0)
            quantize_row(low + ring.high, row + low_n, columns - low_n, 0, 0)
        else:
            interleave(low, low + ring.high, row, columns)
            quantize_row(row, row, columns, factor, sweep.shift)


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
    ring.memory = malloc(
        (sweep.planes * ring.plane_stride + scratch_rows * scratch_stride) * sizeof(coefficient_t))
    if ring.memory == NULL:
        with gil:
            raise MemoryError
    scratch = <coefficient_t*>ring.memory + sweep.planes * ring.plane_stride
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
                lift_ring_row(&ring, scratch, sweep.lattice.rows, True, turn, False)
        pair = turn - lag
        if first_pair <= pair < last_pair:
            if sweep.vertical and pair > 0 and odd_n > 0:
                lift_ring_row(&ring, scratch, sweep.lattice.rows, False, pair, False)
            leave(sweep, coefficients, &ring, scratch, pair)
        turn += 1
    free(ring.memory)
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
    cdef coefficient_t* memory = <coefficient_t*>malloc(
        (high + padded(columns, padding)) * sizeof(coefficient_t))
    cdef coefficient_t* low = memory + padding
    cdef coefficient_t* place
    if memory == NULL:
        with gil:
            raise MemoryError
    for row in range(sweep.lattice.rows):
        place = coefficients + sweep.lattice.offset + row * sweep.lattice.row_stride
        if row % step == 0:
            lift_row(place, low, low + high, columns, sweep.cubic)
        else:
            deinterleave(place, low, low + high, columns)
        level = quality_level(component, sweep.level, row)
        quantize_row(low, place, low_n, 0, 0)
        quantize_row(low + high, place + low_n, columns - low_n, sweep.factors[level], sweep.shift)
    free(memory)
    return 0


cdef void quantize_dc(
    const Component* component, coefficient_t* coefficients, const int32_t* factors, int shift,
) noexcept nogil:
    """The first coefficient of each tranche; the very first is never quantized."""
    cdef Lattice lattice = lattice_at(component, LEVELS - 1)
    cdef int64_t row
    cdef coefficient_t* place
    for row in range(1, lattice.rows):
        place = coefficients + lattice.offset + row * lattice.row_stride
        quantize_row(
            place, place, 1, factors[quality_level(component, LEVELS - 1, row)], shift)


cdef int analyze_finest(
    coefficient_t* coefficients, int64_t plane_stride, const Picture* picture,
    const int32_t* program, const Component* components, bint bayer, const int32_t* factors,
    const uint8_t* chroma, bint cubic, int shift, int64_t first_pair, int64_t last_pair,
) except -1 nogil:
    cdef Sweep sweep
    cdef Component whole = components[0]
    if bayer:  # the four components together
        whole.row_stride //= 2
        whole.rows += components[1].rows
        whole.columns += components[2].columns
    sweep.planes = picture.layers * picture.channels
    sweep.plane_stride = plane_stride
    sweep.lattice = lattice_at(&whole, 0)
    sweep.cubic = cubic
    sweep.vertical = True
    sweep.quarters = bayer
    sweep.factors = factors
    sweep.chroma = chroma
    sweep.level = 0
    sweep.shift = shift
    return split_pairs(&sweep, coefficients, picture, program, first_pair, last_pair)


cdef int analyze_coarser(
    coefficient_t* coefficients, const Component* component, const int32_t* factors, bint cubic,
    int shift, int first_level, int levels,
) except -1 nogil:
    cdef Sweep sweep
    cdef int level
    sweep.planes = 1
    sweep.plane_stride = 0
    sweep.cubic = cubic
    sweep.quarters = False
    sweep.factors = factors
    sweep.chroma = NULL
    sweep.shift = shift
    for level in range(first_level, levels):
        sweep.level = level
        sweep.lattice = lattice_at(component, level)
        sweep.vertical = level < component.lifted_levels
        if sweep.lattice.rows == 0 or sweep.lattice.columns == 0:
            return 0
        if sweep.lattice.split:
            split_pairs(
                &sweep, coefficients, <const Picture*>NULL, NULL,
                0, (sweep.lattice.rows + 1) >> 1)
        else:
            split_columns(&sweep, component, coefficients)
    quantize_dc(component, coefficients, factors, shift)
    return 0


def finest_8bit(
    const uint8_t[:, :, :, :] image, bint signed, int boost, int16_t[:, :, ::1] coefficients,
    const int32_t[::1] program, const int64_t[:, ::1] components, bint bayer,
    const int32_t[:, :, ::1] factors, const uint8_t[::1] chroma, bint cubic, int shift,
    int64_t first_pair, int64_t last_pair,
):
    """Transform the row pairs of a band at the finest level, from 8-bit samples to int16.

    Parameters
    ----------
    image
        Samples, (layers, rows, columns, channels); signed ones viewed as unsigned.
    signed
        Whether the samples are signed.
    boost
        What each sample is multiplied by, 1 or 8.
    coefficients
        One plane for each layer and channel, laid out as ``components`` says.
    program
        Channel-transform program, end mark included.
    components
        The table of ``layout.py``: one row, or four in Bayer mode.
    factors
        Quantization by component, chroma flag and level.
    chroma
        Flag of each plane.
    cubic
        The filter.
    shift
        Factors are in units of 1 / 2^shift.
    first_pair, last_pair
        The band: rows 2 first_pair to 2 last_pair.
    """
    cdef Picture picture = picture_of(
        <char*>&image[0, 0, 0, 0], image.shape, image.strides, signed, boost)
    with nogil:
        analyze_finest(
            &coefficients[0, 0, 0], coefficients.shape[1] * coefficients.shape[2], &picture,
            &program[0], <const Component*>&components[0, 0], bayer, &factors[0, 0, 0], &chroma[0],
            cubic, shift, first_pair, last_pair)


def finest_16bit(
    const uint16_t[:, :, :, :] image, bint signed, int boost, int32_t[:, :, ::1] coefficients,
    const int32_t[::1] program, const int64_t[:, ::1] components, bint bayer,
    const int32_t[:, :, ::1] factors, const uint8_t[::1] chroma, bint cubic, int shift,
    int64_t first_pair, int64_t last_pair,
):
    """As finest_8bit, from 16-bit samples to int32."""
    cdef Picture picture = picture_of(
        <char*>&image[0, 0, 0, 0], image.shape, image.strides, signed, boost)
    with nogil:
        analyze_finest(
            &coefficients[0, 0, 0], coefficients.shape[1] * coefficients.shape[2], &picture,
            &program[0], <const Component*>&components[0, 0], bayer, &factors[0, 0, 0], &chroma[0],
            cubic, shift, first_pair, last_pair)


def coarser_8bit(
    int16_t[:, ::1] plane, const int64_t[::1] component, const int32_t[::1] factors, bint cubic,
    int shift, int first_level, int levels,
):
    """Transform a component of a plane from ``first_level`` up, in place.

    Parameters
    ----------
    plane
        Coefficients, the levels below already split.
    component
        Its row of the table.
    factors
        Quantization by level.
    cubic, shift
        As in finest_8bit.
    first_level, levels
        The levels to split.
    """
    with nogil:
        analyze_coarser(
            &plane[0, 0], <const Component*>&component[0], &factors[0], cubic, shift,
            first_level, levels)


def coarser_16bit(
    int32_t[:, ::1] plane, const int64_t[::1] component, const int32_t[::1] factors, bint cubic,
    int shift, int first_level, int levels,
):
    """As coarser_8bit, for int32."""
    with nogil:
        analyze_coarser(
            &plane[0, 0], <const Component*>&component[0], &factors[0], cubic, shift,
            first_level, levels)
