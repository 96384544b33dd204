"""How large the coefficients of the finest level are, from a few places of the picture.

At each place rows are loaded and go through the channel transform as in encoding; coefficients of
the three high-pass kinds are made for every column of a short stretch.
"""
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

from gfwx.kernels.geometry cimport coefficient_t
from gfwx.kernels.planes cimport Picture, apply_program, load_row, picture_of

cdef enum:
    RUN = 8
    STRETCH = 32  # columns, at most: products of 4 coefficients are floats, of 32 doubles
    FARTHEST = 2  # neighbor: 2 columns in mosaics, else 1
    STRIDE = STRETCH + 2 * FARTHEST
    CHANNELS = 4  # at most
    AREA = 8192  # samples of a plane for each place
    PLACES = 128  # at most


cdef struct Tally:
    int64_t bits
    int64_t zero_runs
    int64_t runs


cdef inline void count_stretch(
    Tally* tally, const int32_t* coefficients, int n, int32_t most
) noexcept nogil:
    """Add the logarithms of magnitudes + 1, as that of a product, and the runs of zeros."""
    cdef float products[RUN]
    cdef double product = 1
    cdef uint64_t representation
    cdef int32_t magnitude, others
    cdef int i, run
    for i in range(RUN):
        products[i] = 1
    for run in range(n // RUN):
        others = 0
        for i in range(RUN):
            magnitude = coefficients[RUN * run + i]
            magnitude = (magnitude ^ (magnitude >> 31)) - (magnitude >> 31)
            others |= most - magnitude  # negative from one on
            products[i] *= <float>(magnitude + 1)
        tally.zero_runs += others >= 0
        tally.runs += 1
    for i in range(RUN):
        product *= products[i]
    memcpy(&representation, &product, sizeof(product))
    tally.bits += <int64_t>(representation >> 52) - 1023  # the exponent


cdef inline void count_place(
    Tally* tally, const Picture* picture, const int32_t* program, const int32_t* zeros,
    int distance, int n, bint vertically, coefficient_t unit,
) noexcept nogil:
    """Add the coefficients of the row in the middle: of a whole picture of a few rows."""
    cdef coefficient_t rows[3][CHANNELS * STRIDE]
    cdef coefficient_t total[STRIDE]
    cdef int32_t across[3][STRETCH]
    cdef int32_t along[STRETCH]
    cdef int32_t both[STRETCH]
    cdef const coefficient_t* row
    cdef int first = 0 if vertically else 1
    cdef int last = 3 if vertically else 2
    cdef int r, i, channel
    for r in range(first, last):
        load_row(picture, (r - first) * distance, rows[r], STRIDE)
        apply_program(rows[r], STRIDE, n + 2 * distance, program, total, False)
    for channel in range(picture.channels):
        for r in range(first, last):
            row = rows[r] + channel * STRIDE
            for i in range(n):
                across[r][i] = row[i + distance] - ((row[i] + row[i + 2 * distance]) >> 1)
        count_stretch(tally, across[1], n, zeros[channel])
        if not vertically:
            continue
        for i in range(n):
            r = channel * STRIDE + distance + i
            along[i] = rows[1][r] - ((rows[0][r] + rows[2][r]) >> 1)
            both[i] = across[1][i] - ((across[0][i] + across[2][i]) >> 1)
        count_stretch(tally, along, n, zeros[channel])
        count_stretch(tally, both, n, zeros[channel])


cdef Tally sample(
    const Picture* picture, const int32_t* program, const int32_t* zeros, int distance,
    coefficient_t unit,
) noexcept nogil:
    """Visit places that are evenly spaced down all layers, and spread over the columns."""
    cdef Tally tally = [0, 0, 0]
    cdef Picture place
    cdef int64_t count = picture.layers * picture.rows * picture.columns // AREA
    cdef bint vertically = picture.rows > 2 * distance
    cdef int64_t tops = picture.rows - 2 * distance if vertically else picture.rows
    cdef int64_t k, down, top, left
    cdef int n = <int>min(<Py_ssize_t>STRETCH, (picture.columns - 2 * distance) // RUN * RUN)
    if n <= 0 or picture.channels > CHANNELS:
        return tally
    count = max(<int64_t>1, min(count, <int64_t>PLACES))
    for k in range(count):
        down = (2 * k + 1) * picture.layers * tops // (2 * count)
        top = down % tops
        if top > 0:
            top -= (top ^ k) & 1  # the two kinds of a mosaic's rows in turn
        # Multiples of the golden ratio, of which no number's lie close together.
        left = <int64_t>(<uint64_t>(<uint32_t>(k * <int64_t>2654435769))
                         * <uint64_t>(picture.columns - n - 2 * distance + 1) >> 32)
        place = picture[0]
        place.layers = 1
        place.rows = 2 * distance + 1 if vertically else 1
        place.columns = n + 2 * distance
        place.data += (
            down // tops * picture.strides[0] + top * picture.strides[1]
            + left * picture.strides[2])
        count_place(&tally, &place, program, zeros, distance, n, vertically, unit)
    return tally


def sample_8bit(
    const uint8_t[:, :, :, :] image, bint signed, const int32_t[::1] program,
    const int32_t[::1] zeros, int distance,
):
    """Measure a sample of the coefficients of 8-bit samples.

    Parameters
    ----------
    image
        Samples, (layers, rows, columns, channels), of 4 channels at most; signed ones viewed as
        unsigned.
    signed
        Whether the samples are signed.
    program
        Channel-transform program for one layer, end mark included.
    zeros
        The largest magnitude that quantization makes zero, of each channel.
    distance
        Columns and rows between neighbors, 1 or 2.

    Returns
    -------
    bits : int
        Sum of log2(magnitude + 1) over the sample.
    zero_runs, runs : int
        Number of runs of 8 coefficients beside each other that are all zero, and of all runs; 0
        where the picture is too narrow for any.
    """
    cdef Tally tally
    cdef Picture picture = picture_of(
        <char*>&image[0, 0, 0, 0], image.shape, image.strides, signed, 1)
    with nogil:
        tally = sample(&picture, &program[0], &zeros[0], distance, <int16_t>0)
    return tally.bits, tally.zero_runs, tally.runs


def sample_16bit(
    const uint16_t[:, :, :, :] image, bint signed, const int32_t[::1] program,
    const int32_t[::1] zeros, int distance,
):
    """As sample_8bit, of 16-bit samples."""
    cdef Tally tally
    cdef Picture picture = picture_of(
        <char*>&image[0, 0, 0, 0], image.shape, image.strides, signed, 1)
    with nogil:
        tally = sample(&picture, &program[0], &zeros[0], distance, <int32_t>0)
    return tally.bits, tally.zero_runs, tally.runs
