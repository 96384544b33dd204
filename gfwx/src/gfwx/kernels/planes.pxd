"""Rows of samples to rows of planes and back (format, sections 1 and 5)."""
from libc.stdint cimport int8_t, int16_t, int32_t, uint8_t, uint16_t

from gfwx.kernels.geometry cimport coefficient_t

ctypedef fused sample_t:
    uint8_t
    int8_t
    uint16_t
    int16_t


cdef enum:
    PIECE = 1024  # coefficients


cdef struct Picture:  # the caller's array; strides in bytes
    char* data
    Py_ssize_t layers
    Py_ssize_t rows
    Py_ssize_t columns
    Py_ssize_t channels
    Py_ssize_t strides[4]
    bint signed
    int boost


cdef inline Picture picture_of(
    char* data, const Py_ssize_t* shape, const Py_ssize_t* strides, bint signed, int boost
) noexcept nogil:
    cdef Picture picture
    cdef int axis
    picture.data = data
    picture.layers = shape[0]
    picture.rows = shape[1]
    picture.columns = shape[2]
    picture.channels = shape[3]
    for axis in range(4):
        picture.strides[axis] = strides[axis]
    picture.signed = signed
    picture.boost = boost
    return picture


cdef inline void load_samples(
    const char* source, Py_ssize_t stride, coefficient_t* row, Py_ssize_t n, coefficient_t boost,
    sample_t unit,
) noexcept nogil:
    """``boost`` times each sample. Constant strides let the compiler vectorize."""
    cdef Py_ssize_t i
    cdef const sample_t* samples = <const sample_t*>source
    if stride == sizeof(sample_t):
        for i in range(n):
            row[i] = <coefficient_t>(samples[i] * boost)
    else:
        for i in range(n):
            row[i] = <coefficient_t>((<const sample_t*>(source + i * stride))[0] * boost)


cdef inline void load_pixels(
    const char* source, int channels, coefficient_t* rows, Py_ssize_t row_stride, Py_ssize_t n,
    coefficient_t boost, sample_t unit,
) noexcept nogil:
    """Interleaved samples: all channels in one loop, which the compiler turns into permutations.

    ``channels``, 3 or 4, is a constant where this is called.
    """
    cdef Py_ssize_t i
    cdef const sample_t* samples = <const sample_t*>source
    cdef coefficient_t* second = rows + row_stride
    cdef coefficient_t* third = second + row_stride
    cdef coefficient_t* fourth = third + row_stride
    for i in range(n):
        rows[i] = <coefficient_t>(samples[channels * i] * boost)
        second[i] = <coefficient_t>(samples[channels * i + 1] * boost)
        third[i] = <coefficient_t>(samples[channels * i + 2] * boost)
        if channels == 4:
            fourth[i] = <coefficient_t>(samples[channels * i + 3] * boost)


cdef inline void store_samples(
    const coefficient_t* row, char* target, Py_ssize_t stride, Py_ssize_t n, bint boosted,
    sample_t unit,
) noexcept nogil:
    """The reverse of load_samples."""
    cdef Py_ssize_t i
    cdef sample_t* samples = <sample_t*>target
    if stride == sizeof(sample_t):
        for i in range(n):
            samples[i] = clamped(row[i], boosted, unit)
    else:
        for i in range(n):
            (<sample_t*>(target + i * stride))[0] = clamped(row[i], boosted, unit)


cdef inline void store_pixels(
    const coefficient_t* rows, Py_ssize_t row_stride, char* target, int channels, Py_ssize_t n,
    bint boosted, sample_t unit,
) noexcept nogil:
    """The reverse of load_pixels."""
    cdef Py_ssize_t i
    cdef sample_t* samples = <sample_t*>target
    cdef const coefficient_t* second = rows + row_stride
    cdef const coefficient_t* third = second + row_stride
    cdef const coefficient_t* fourth = third + row_stride
    for i in range(n):
        samples[channels * i] = clamped(rows[i], boosted, unit)
        samples[channels * i + 1] = clamped(second[i], boosted, unit)
        samples[channels * i + 2] = clamped(third[i], boosted, unit)
        if channels == 4:
            samples[channels * i + 3] = clamped(fourth[i], boosted, unit)


cdef inline sample_t clamped(coefficient_t v, bint boosted, sample_t unit) noexcept nogil:
    """Divided by the boost, if there is one of 8, toward zero, and held to the sample's range."""
    cdef coefficient_t least, most
    if sample_t is uint8_t:
        least, most = 0, 255
    elif sample_t is int8_t:
        least, most = -128, 127
    elif sample_t is uint16_t:
        least, most = 0, 65535
    else:
        least, most = -32768, 32767
    if boosted:
        v = <coefficient_t>((v + ((v >> (8 * sizeof(coefficient_t) - 1)) & 7)) >> 3)
    v = v if v > least else least
    return <sample_t>(v if v < most else most)


cdef inline void load_as(
    const Picture* picture, Py_ssize_t y, coefficient_t* rows, Py_ssize_t row_stride,
    sample_t unit,
) noexcept nogil:
    cdef Py_ssize_t layer, channel
    cdef Py_ssize_t size = sizeof(sample_t)
    cdef Py_ssize_t n = picture.columns
    cdef coefficient_t boost = <coefficient_t>picture.boost
    cdef const char* source
    cdef bint packed = picture.strides[3] == size
    for layer in range(picture.layers):
        source = picture.data + layer * picture.strides[0] + y * picture.strides[1]
        if packed and picture.channels == 3 and picture.strides[2] == 3 * size:
            load_pixels(source, 3, rows, row_stride, n, boost, unit)
            rows += 3 * row_stride
        elif packed and picture.channels == 4 and picture.strides[2] == 4 * size:
            load_pixels(source, 4, rows, row_stride, n, boost, unit)
            rows += 4 * row_stride
        else:
            for channel in range(picture.channels):
                load_samples(
                    source + channel * picture.strides[3], picture.strides[2], rows, n, boost,
                    unit)
                rows += row_stride


cdef inline void store_as(
    const coefficient_t* rows, Py_ssize_t row_stride, const Picture* picture, Py_ssize_t y,
    sample_t unit,
) noexcept nogil:
    cdef Py_ssize_t layer, channel
    cdef Py_ssize_t size = sizeof(sample_t)
    cdef Py_ssize_t n = picture.columns
    cdef bint boosted = picture.boost == 8
    cdef char* target
    cdef bint packed = picture.strides[3] == size
    for layer in range(picture.layers):
        target = picture.data + layer * picture.strides[0] + y * picture.strides[1]
        if packed and picture.channels == 3 and picture.strides[2] == 3 * size:
            store_pixels(rows, row_stride, target, 3, n, boosted, unit)
            rows += 3 * row_stride
        elif packed and picture.channels == 4 and picture.strides[2] == 4 * size:
            store_pixels(rows, row_stride, target, 4, n, boosted, unit)
            rows += 4 * row_stride
        else:
            for channel in range(picture.channels):
                store_samples(
                    rows, target + channel * picture.strides[3], picture.strides[2], n, boosted,
                    unit)
                rows += row_stride


cdef inline void load_row(
    const Picture* picture, Py_ssize_t y, coefficient_t* rows, Py_ssize_t row_stride
) noexcept nogil:
    """Row y of every plane, plane after plane ``row_stride`` apart."""
    if coefficient_t is int16_t:
        if picture.signed:
            load_as(picture, y, rows, row_stride, <int8_t>0)
        else:
            load_as(picture, y, rows, row_stride, <uint8_t>0)
    elif picture.signed:
        load_as(picture, y, rows, row_stride, <int16_t>0)
    else:
        load_as(picture, y, rows, row_stride, <uint16_t>0)


cdef inline void store_row(
    const coefficient_t* rows, Py_ssize_t row_stride, const Picture* picture, Py_ssize_t y
) noexcept nogil:
    """The reverse of load_row."""
    if coefficient_t is int16_t:
        if picture.signed:
            store_as(rows, row_stride, picture, y, <int8_t>0)
        else:
            store_as(rows, row_stride, picture, y, <uint8_t>0)
    elif picture.signed:
        store_as(rows, row_stride, picture, y, <int16_t>0)
    else:
        store_as(rows, row_stride, picture, y, <uint16_t>0)


cdef inline void apply_program(
    coefficient_t* rows, Py_ssize_t row_stride, Py_ssize_t n, const int32_t* program,
    coefficient_t* total, bint inverse,
) noexcept nogil:
    """Run a channel-transform program on one row of every plane.

    For the inverse the program's steps stand in reverse order. ``total`` is a row of scratch. Long
    rows are done in pieces that stay in the innermost cache from step to step.
    """
    cdef Py_ssize_t first = 0
    while first < n:
        run_program(rows + first, row_stride, min(n - first, PIECE), program, total, inverse)
        first += PIECE


cdef inline void run_program(
    coefficient_t* rows, Py_ssize_t row_stride, Py_ssize_t n, const int32_t* program,
    coefficient_t* total, bint inverse,
) noexcept nogil:
    cdef Py_ssize_t i
    cdef coefficient_t* target
    cdef const coefficient_t* source
    cdef coefficient_t factor
    cdef coefficient_t sign = -1 if inverse else 1
    while program[0] >= 0:
        target = rows + program[0] * row_stride
        source = rows + program[1] * row_stride
        program += 1
        if program[0] >= 0 and program[2] < 0 and program[3] < 2:  # the most usual kind of step
            factor = <coefficient_t>(program[1] * sign)
            for i in range(n):
                target[i] = <coefficient_t>(target[i] + source[i] * factor)
            program += 5
            continue
        for i in range(n):
            total[i] = 0
        while program[0] >= 0:
            source = rows + program[0] * row_stride
            factor = <coefficient_t>program[1]
            program += 2
            for i in range(n):
                total[i] = <coefficient_t>(total[i] + source[i] * factor)
        divide_row(total, n, <coefficient_t>program[1])
        program += 3
        for i in range(n):
            target[i] = <coefficient_t>(target[i] + total[i] * sign)


cdef inline void divide_row(
    coefficient_t* row, Py_ssize_t n, coefficient_t denominator
) noexcept nogil:
    """Powers of two up to 8 shift, other denominators over 1 divide, the rest do nothing."""
    cdef Py_ssize_t i
    cdef int shift = 1 if denominator == 2 else 2 if denominator == 4 else 3
    if denominator == 2 or denominator == 4 or denominator == 8:
        for i in range(n):
            row[i] = row[i] >> shift
    elif denominator > 1:
        for i in range(n):
            row[i] = row[i] / denominator
