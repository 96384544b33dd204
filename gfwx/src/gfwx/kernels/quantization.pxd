"""Quantization of rows (format, section 7).

A factor is the quality q of a level, in units of 1 / 2^shift where 2^shift = 1024 * boost;
0 leaves the row as it is. int16 products are made in int32, int32 products in int64.
"""
from libc.stdint cimport int16_t, int32_t, int64_t

from gfwx.kernels.geometry cimport coefficient_t


cdef inline void quantize_row(
    const coefficient_t* source, coefficient_t* target, Py_ssize_t n, int32_t factor, int shift
) noexcept nogil:
    """``a * factor / 2^shift``, toward zero. Source and target may be the same."""
    cdef Py_ssize_t i
    cdef int32_t product32
    cdef int64_t product64
    if factor == 0:
        if source != target:
            for i in range(n):
                target[i] = source[i]
        return
    for i in range(n):
        if coefficient_t is int16_t:
            product32 = <int32_t>source[i] * factor
            target[i] = <int16_t>((product32 + ((product32 >> 31) & ((1 << shift) - 1))) >> shift)
        else:
            product64 = <int64_t>source[i] * factor
            target[i] = <int32_t>((product64 + ((product64 >> 63) & ((1 << shift) - 1))) >> shift)


cdef inline void dequantize_row(
    const coefficient_t* source, coefficient_t* target, Py_ssize_t n, int32_t factor, int shift
) noexcept nogil:
    """``(a * 2^shift + sign(a) * 2^(shift - 1)) / factor``, toward zero.

    The quotient is made in double precision, which vectorizes: with a numerator n below 2^50,
    ``(n + 1/2) * (1 / factor)`` is farther from every integer than its rounding error.
    """
    cdef Py_ssize_t i
    cdef int64_t magnitude, quotient
    cdef int32_t magnitude32, quotient32
    cdef double reciprocal
    if factor == 0:
        if source != target:
            for i in range(n):
                target[i] = source[i]
        return
    reciprocal = 1.0 / factor
    for i in range(n):
        if coefficient_t is int16_t:
            magnitude32 = -<int32_t>source[i] if source[i] < 0 else source[i]
            magnitude32 = (magnitude32 << shift) + ((1 << (shift - 1)) if source[i] else 0)
            quotient32 = <int32_t>((magnitude32 + 0.5) * reciprocal)
            target[i] = <int16_t>(-quotient32 if source[i] < 0 else quotient32)
        else:
            magnitude = -<int64_t>source[i] if source[i] < 0 else source[i]
            magnitude = (magnitude << shift) + ((1 << (shift - 1)) if source[i] else 0)
            quotient = <int64_t>((magnitude + 0.5) * reciprocal)
            target[i] = <int32_t>(-quotient if source[i] < 0 else quotient)
