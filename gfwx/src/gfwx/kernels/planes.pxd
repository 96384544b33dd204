"""Rows of samples to rows of planes and back (format, sections 1 and 5)."""
from libc.stdint cimport int8_t, int16_t, int32_t, uint8_t, uint16_t

from gfwx.kernels.geometry cimport coefficient_t

ctypedef fused sample_t:
    uint8_t
    int8_t
    uint16_t
    int16_t


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
    const char* source, Py_ssize_t stride, coefficient_t* row, Py_ssize_t n, int boost,
    sample_t unit,
) noexcept nogil:
    """``boost`` times each sample. Constant strides let the compiler vectorize."""
    cdef Py_ssize_t i
    cdef Py_ssize_t size = sizeof(sample_t)
    cdef const sample_t* samples = <const sample_t*>source
    if stride == size:
        for i in range(n):
            row[i] = <coefficient_t>(samples[i] * boost)
    elif stride == 3 * size:
        for i in range(n):
            row[i] = <coefficient_t>(samples[3 * i] * boost)
    elif stride == 4 * size:
        for i in range(n):
            row[i] = <coefficient_t>(samples[4 * i] * boost)
    else:
        for i in range(n):
            row[i] = <coefficient_t>((<const sample_t*>(source + i * stride))[0] * boost)


cdef inline void store_samples(
    const coefficient_t* row, char* target, Py_ssize_t stride, Py_ssize_t n, int boost,
    sample_t unit,
) noexcept nogil:
    """Each value divided by ``boost``, toward zero, and held to the range of a sample."""
    cdef Py_ssize_t i
    cdef Py_ssize_t size = sizeof(sample_t)
    cdef sample_t* samples = <sample_t*>target
    if stride == size:
        for i in range(n):
            samples[i] = clamped(row[i], boost, unit)
    elif stride == 3 * size:
        for i in range(n):
            samples[3 * i] = clamped(row[i], boost, unit)
    elif stride == 4 * size:
        for i in range(n):
            samples[4 * i] = clamped(row[i], boost, unit)
    else:
        for i in range(n):
            (<sample_t*>(target + i * stride))[0] = clamped(row[i], boost, unit)


cdef inline sample_t clamped(coefficient_t value, int boost, sample_t unit) noexcept nogil:
    cdef int32_t least, most
    cdef int32_t v = value
    if sample_t is uint8_t:
        least, most = 0, 255
    elif sample_t is int8_t:
        least, most = -128, 127
    elif sample_t is uint16_t:
        least, most = 0, 65535
    else:
        least, most = -32768, 32767
    if boost == 8:
        v = (v + ((v >> 31) & 7)) >> 3
    v = v if v > least else least
    return <sample_t>(v if v < most else most)


cdef inline void load_row(
    const Picture* picture, Py_ssize_t y, coefficient_t* rows, Py_ssize_t row_stride
) noexcept nogil:
    """Row y of every plane, plane after plane ``row_stride`` apart."""
    cdef Py_ssize_t layer, channel
    cdef const char* source
    for layer in range(picture.layers):
        for channel in range(picture.channels):
            source = (
                picture.data + layer * picture.strides[0] + y * picture.strides[1]
                + channel * picture.strides[3]
            )
            if coefficient_t is int16_t:
                if picture.signed:
                    load_samples[int16_t, int8_t](
                        source, picture.strides[2], rows, picture.columns, picture.boost, 0)
                else:
                    load_samples[int16_t, uint8_t](
                        source, picture.strides[2], rows, picture.columns, picture.boost, 0)
            else:
                if picture.signed:
                    load_samples[int32_t, int16_t](
                        source, picture.strides[2], rows, picture.columns, picture.boost, 0)
                else:
                    load_samples[int32_t, uint16_t](
                        source, picture.strides[2], rows, picture.columns, picture.boost, 0)
            rows += row_stride


cdef inline void store_row(
    const coefficient_t* rows, Py_ssize_t row_stride, const Picture* picture, Py_ssize_t y
) noexcept nogil:
    """The reverse of load_row."""
    cdef Py_ssize_t layer, channel
    cdef char* target
    for layer in range(picture.layers):
        for channel in range(picture.channels):
            target = (
                picture.data + layer * picture.strides[0] + y * picture.strides[1]
                + channel * picture.strides[3]
            )
            if coefficient_t is int16_t:
                if picture.signed:
                    store_samples[int16_t, int8_t](
                        rows, target, picture.strides[2], picture.columns, picture.boost, 0)
                else:
                    store_samples[int16_t, uint8_t](
                        rows, target, picture.strides[2], picture.columns, picture.boost, 0)
            else:
                if picture.signed:
                    store_samples[int32_t, int16_t](
                        rows, target, picture.strides[2], picture.columns, picture.boost, 0)
                else:
                    store_samples[int32_t, uint16_t](
                        rows, target, picture.strides[2], picture.columns, picture.boost, 0)
            rows += row_stride


cdef inline void apply_program(
    coefficient_t* rows, Py_ssize_t row_stride, Py_ssize_t n, const int32_t* program,
    coefficient_t* total, bint inverse,
) noexcept nogil:
    """Run a channel-transform program on one row of every plane.

    For the inverse the program's steps stand in reverse order. ``total`` is a row of scratch.
    """
    cdef Py_ssize_t i
    cdef coefficient_t* target
    cdef const coefficient_t* source
    cdef coefficient_t factor, denominator
    while program[0] >= 0:
        target = rows + program[0] * row_stride
        program += 1
        for i in range(n):
            total[i] = 0
        while program[0] >= 0:
            source = rows + program[0] * row_stride
            factor = <coefficient_t>program[1]
            program += 2
            for i in range(n):
                total[i] = <coefficient_t>(total[i] + source[i] * factor)
        denominator = <coefficient_t>program[1]
        program += 3
        divide_row(total, n, denominator)
        if inverse:
            for i in range(n):
                target[i] = <coefficient_t>(target[i] - total[i])
        else:
            for i in range(n):
                target[i] = <coefficient_t>(target[i] + total[i])


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
