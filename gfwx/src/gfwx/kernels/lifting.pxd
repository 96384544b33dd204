"""Wavelet lifting of rows (format, section 6). Every sum is made in int32 and wraps.

A row is lifted from its interleaved form into halves: low, the even columns, and high, the odd
ones. Outside neighbors repeat the last inside one, which is what the format's replacements come
to; so the halves are padded by copies and the loops need no special ends.
"""
from libc.stdint cimport int16_t, int32_t, uint16_t
from gfwx.kernels.geometry cimport coefficient_t

cdef inline coefficient_t half(coefficient_t n) noexcept nogil:
    """n / 2, toward zero."""
    return <coefficient_t>(<coefficient_t>(n + ((n >> (8 * sizeof(coefficient_t) - 1)) & 1)) >> 1)


cdef inline coefficient_t average(coefficient_t a, coefficient_t b) noexcept nogil:
    """(a + b) / 2, toward zero.

    For int16 without a wider sum, so that twice as many fit a vector: rounded down it is
    ``(a & b) + ((a ^ b) >> 1)``, and one more where it is negative and the sum odd.
    """
    cdef int16_t different, down
    cdef int32_t total
    if coefficient_t is int16_t:
        different = a ^ b
        down = <int16_t>((a & b) + <int16_t>(different >> 1))
        return <int16_t>(down + <int16_t>(different & <int16_t>(<uint16_t>down >> 15)))
    else:
        total = a + b
        return (total + ((total >> 31) & 1)) >> 1


cdef inline coefficient_t interpolate(
    coefficient_t a, coefficient_t b, coefficient_t c, coefficient_t d
) noexcept nogil:
    """The cubic: (9 (b + c) - a - d) / 16 rounded, held between b and c."""
    cdef int32_t n = 9 * (<int32_t>b + <int32_t>c) - <int32_t>a - <int32_t>d
    cdef int32_t sign = n >> 31
    n += (8 ^ sign) - sign
    cdef coefficient_t t = <coefficient_t>((n + ((n >> 31) & 15)) >> 4)
    cdef coefficient_t least = b if b < c else c
    cdef coefficient_t most = c if b < c else b
    t = t if t < most else most
    return t if t > least else least


cdef inline void predict_linear(
    coefficient_t* odd, const coefficient_t* left, const coefficient_t* right, Py_ssize_t n,
    bint inverse,
) noexcept nogil:
    cdef Py_ssize_t i
    if inverse:
        for i in range(n):
            odd[i] = <coefficient_t>(odd[i] + average(left[i], right[i]))
    else:
        for i in range(n):
            odd[i] = <coefficient_t>(odd[i] - average(left[i], right[i]))


cdef inline void update_linear(
    const coefficient_t* even, coefficient_t* target, const coefficient_t* left,
    const coefficient_t* right, Py_ssize_t n, bint inverse,
) noexcept nogil:
    """``target`` may be ``even``."""
    cdef Py_ssize_t i
    if inverse:
        for i in range(n):
            target[i] = <coefficient_t>(even[i] - half(average(left[i], right[i])))
    else:
        for i in range(n):
            target[i] = <coefficient_t>(even[i] + half(average(left[i], right[i])))


cdef inline void predict_cubic(
    coefficient_t* odd, const coefficient_t* a, const coefficient_t* b, const coefficient_t* c,
    const coefficient_t* d, Py_ssize_t n, bint inverse,
) noexcept nogil:
    cdef Py_ssize_t i
    if inverse:
        for i in range(n):
            odd[i] = <coefficient_t>(odd[i] + interpolate(a[i], b[i], c[i], d[i]))
    else:
        for i in range(n):
            odd[i] = <coefficient_t>(odd[i] - interpolate(a[i], b[i], c[i], d[i]))


cdef inline void update_cubic(
    const coefficient_t* even, coefficient_t* target, const coefficient_t* a,
    const coefficient_t* b, const coefficient_t* c, const coefficient_t* d, Py_ssize_t n,
    bint inverse,
) noexcept nogil:
    cdef Py_ssize_t i
    if inverse:
        for i in range(n):
            target[i] = <coefficient_t>(even[i] - half(interpolate(a[i], b[i], c[i], d[i])))
    else:
        for i in range(n):
            target[i] = <coefficient_t>(even[i] + half(interpolate(a[i], b[i], c[i], d[i])))


cdef inline void pad(coefficient_t* values, Py_ssize_t n) noexcept nogil:
    """Repeat the ends of ``values``, n > 0, twice outside."""
    cdef coefficient_t* before = values - 2
    before[0] = before[1] = values[0]
    values[n] = values[n + 1] = values[n - 1]


cdef inline void deinterleave(
    const coefficient_t* row, coefficient_t* low, coefficient_t* high, Py_ssize_t n
) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n >> 1):
        low[i] = row[2 * i]
        high[i] = row[2 * i + 1]
    if n & 1:
        low[n >> 1] = row[n - 1]


cdef inline void interleave(
    const coefficient_t* low, const coefficient_t* high, coefficient_t* row, Py_ssize_t n
) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n >> 1):
        row[2 * i] = low[i]
        row[2 * i + 1] = high[i]
    if n & 1:
        row[n - 1] = low[n >> 1]


cdef inline void lift_row(
    const coefficient_t* row, coefficient_t* low, coefficient_t* high, Py_ssize_t n, bint cubic
) noexcept nogil:
    """From ``row`` into halves that have room for two more values on either side."""
    cdef Py_ssize_t low_n = (n + 1) >> 1
    cdef Py_ssize_t high_n = n >> 1
    cdef Py_ssize_t inner = (n - 1) >> 1  # odd columns with an even one on either side
    cdef Py_ssize_t i
    if cubic:
        deinterleave(row, low, high, n)
        pad(low, low_n)
        predict_cubic(high, low - 1, low, low + 1, low + 2, high_n, False)
    else:  # both in one go
        for i in range(inner):
            low[i] = row[2 * i]
            high[i] = <coefficient_t>(row[2 * i + 1] - average(row[2 * i], row[2 * i + 2]))
        low[inner] = row[2 * inner]
        if inner < high_n:
            high[inner] = <coefficient_t>(row[n - 1] - average(row[n - 2], row[n - 2]))
    if n == 1:
        return
    pad(high, high_n)
    if cubic:  # the first column is never updated
        update_cubic(
            low + 1, low + 1, high - 1, high, high + 1, high + 2, low_n - 1, False)
    else:
        update_linear(low + 1, low + 1, high, high + 1, low_n - 1, False)


cdef inline void unlift_row(
    const coefficient_t* low, coefficient_t* high, coefficient_t* row, coefficient_t* scratch,
    Py_ssize_t n, bint cubic,
) noexcept nogil:
    """From halves with such room, which stay as they are, into ``row``. ``scratch`` is for a low
    half, with such room too."""
    cdef Py_ssize_t low_n = (n + 1) >> 1
    cdef Py_ssize_t high_n = n >> 1
    cdef Py_ssize_t i
    if n == 1:
        row[0] = low[0]
        return
    pad(high, high_n)
    scratch[0] = low[0]
    if cubic:
        for i in range(1, low_n):
            scratch[i] = <coefficient_t>(
                low[i] - half(interpolate(high[i - 2], high[i - 1], high[i], high[i + 1])))
    else:
        for i in range(1, low_n):
            scratch[i] = <coefficient_t>(low[i] - half(average(high[i - 1], high[i])))
    pad(scratch, low_n)
    if cubic:
        for i in range(high_n):
            row[2 * i] = scratch[i]
            row[2 * i + 1] = <coefficient_t>(
                high[i]
                + interpolate(scratch[i - 1], scratch[i], scratch[i + 1], scratch[i + 2]))
    else:
        for i in range(high_n):
            row[2 * i] = scratch[i]
            row[2 * i + 1] = <coefficient_t>(high[i] + average(scratch[i], scratch[i + 1]))
    if n & 1:
        row[n - 1] = scratch[low_n - 1]
