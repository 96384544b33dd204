"""Quantization of rows (format, section 7).

A factor is the quality q of a level, in units of 1 / 2^shift where 2^shift = 1024 * boost;
0 leaves the row as it is. int16 products are made in int32, int32 products in int64.
"""
from libc.math cimport fabs
from libc.stdint cimport int16_t, int32_t, int64_t, uint16_t, uint32_t, uint64_t

from gfwx.kernels.geometry cimport coefficient_t

cdef extern from *:
    """
    #include <string.h>
    #define GFWX_ROUNDER 6755399441055744.0
    static inline int32_t gfwx_low_bits(double x)
    {
        uint64_t bits;
        memcpy(&bits, &x, 8);
        return (int32_t)(uint32_t)bits;
    }
    """
    double ROUNDER "GFWX_ROUNDER"
    int32_t low_bits "gfwx_low_bits"(double) noexcept nogil


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
    """``(a * 2^shift + sign(a) * 2^(shift - 1)) / factor``, toward zero."""
    cdef Py_ssize_t i
    if factor == 0:
        if source != target:
            for i in range(n):
                target[i] = source[i]
    elif coefficient_t is int16_t:
        dequantize_short(source, target, n, factor, shift)
    else:
        dequantize_long(source, target, n, factor, shift)


cdef inline uint16_t high_product(uint16_t x, uint16_t y) noexcept nogil:
    return <uint16_t>((<uint32_t>x * y) >> 16)


cdef inline void dequantize_short(
    const int16_t* source, int16_t* target, Py_ssize_t n, uint32_t factor, int shift
) noexcept nogil:
    """In integers of 16 bits, of which a vector holds most.

    With h = 2^(shift - 1), the quotient is ``floor((2 h a + h) / factor)`` where a = |value| > 0.
    Whole parts of 2 h / factor and h / factor are taken as they are. Of the rest, (a p + r) /
    factor, p / factor is taken as m / 2^32 and r / factor as c / 2^16, both rounded up, and
    the low half of a times the low half of m is left out, for which c is greater by 1. The sum is
    then too large by less than a / 2^32 + 2 / 2^16 < 2^-14 < 1 / factor, and its floor is right.
    """
    cdef Py_ssize_t i
    cdef uint32_t h = <uint32_t>1 << (shift - 1)
    cdef uint64_t m = ((<uint64_t>(2 * h % factor) << 32) + factor - 1) // factor
    cdef uint16_t c = <uint16_t>((((h % factor) << 16) + factor - 1) // factor + 1)
    cdef uint16_t m_high = <uint16_t>(m >> 16)
    cdef uint16_t m_low = <uint16_t>m
    cdef uint16_t whole = <uint16_t>(2 * h // factor)
    cdef uint16_t whole_half = <uint16_t>(h // factor)
    cdef uint16_t a, negative, low, part, quotient
    for i in range(n):
        negative = <uint16_t>(source[i] >> 15)
        a = <uint16_t>((<uint16_t>source[i] ^ negative) - negative)
        part = high_product(a, m_low)
        low = <uint16_t>(a * m_high + part)
        quotient = <uint16_t>(a * whole + whole_half + high_product(a, m_high))
        quotient = <uint16_t>(quotient + (low < part))
        low = <uint16_t>(low + c)
        quotient = <uint16_t>(quotient + (low < c))
        quotient = quotient if a != 0 else 0
        target[i] = <int16_t>((quotient ^ negative) - negative)


cdef inline void dequantize_long(
    const int32_t* source, int32_t* target, Py_ssize_t n, int32_t factor, int shift
) noexcept nogil:
    """In double precision, which vectorizes.

    With the numerator x below 2^46, ``(x + 1/2) / factor`` is at least 1 / (2 factor) from every
    integer, farther than it is from its rounded value; so is what is left when one half is
    subtracted from the nearest integer. To add 1.5 * 2^52 rounds to an integer and puts its low
    bits into those of the sum.
    """
    cdef Py_ssize_t i
    cdef double x
    cdef double reciprocal = 1.0 / factor
    cdef double scale = <double>((<int64_t>1) << shift)
    cdef int32_t half = 1 << (shift - 1)
    cdef int32_t negative, quotient, value
    for i in range(n):
        value = source[i]
        negative = value >> 31
        x = fabs(<double>value) * scale + <double>(half & -<int32_t>(value != 0))
        quotient = low_bits((x + 0.5) * reciprocal - 0.5 + ROUNDER)
        target[i] = (quotient ^ negative) - negative
