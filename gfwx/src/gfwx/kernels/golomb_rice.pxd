"""Golomb-Rice codes of limited length (format, section 4)."""
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

from gfwx.kernels.bits cimport BitReader, BitWriter, put_bits, refill, skip_bits

cdef extern from *:
    """
    #if defined(__GNUC__)
    #define gfwx_leading_zeros(x) __builtin_clzll(x)
    #else
    static int gfwx_leading_zeros(unsigned long long x)
    { int n = 0; while (!(x >> 63)) { x <<= 1; ++n; } return n; }
    #endif
    """
    int leading_zeros "gfwx_leading_zeros"(uint64_t) noexcept nogil  # of x > 0

cdef enum:
    ESCAPE = 12      # zeros that stand for "longer"
    MOST_BITS = 24   # that follow a prefix
    MOST_SHORT = 20  # likewise in codes that 33 bits are enough for
    MOST_ESCAPED = 108  # k after which no escape makes sense: all of 32 bits are reached before
    CODE_BYTES = 52  # at most in one code, 6 + 21 escapes and 37 bits, and in the word stored ahead


cdef inline uint32_t magnitude(int32_t x) noexcept nogil:
    return <uint32_t>(-x if x < 0 else x)


cdef inline int bit_width(uint32_t x) noexcept nogil:
    return 64 - leading_zeros((<uint64_t>x << 1) | 1) - 1


cdef inline void put_unsigned(BitWriter* writer, int k, uint32_t x) noexcept nogil:
    """U(k, x). A k over 24 is taken as 24, as readers do."""
    if k > MOST_BITS:
        k = MOST_BITS
    while x >> k >= ESCAPE:
        put_bits(writer, 0, ESCAPE)
        x -= <uint32_t>ESCAPE << k
        k = k + 4 if k < 20 else MOST_BITS
    if k <= MOST_SHORT:
        put_bits(
            writer, (<uint32_t>1 << k) | (x & ((<uint32_t>1 << k) - 1)), <int>(x >> k) + 1 + k)
        return
    put_bits(writer, 1, <int>(x >> k) + 1)
    put_bits(writer, x & ((<uint32_t>1 << k) - 1), k)


cdef inline void put_number(
    BitWriter* writer, int bits, bint is_signed, uint32_t y
) noexcept nogil:
    """What put_value makes of a coefficient, if it is short in one piece and without branches."""
    cdef uint32_t one = <uint32_t>1 << bits
    if y >> bits < ESCAPE and bits <= MOST_SHORT:
        put_bits(writer, one | (y & (one - 1)), <int>(y >> bits) + 1 + bits)
    elif is_signed:
        put_unsigned(writer, bits - 1, y >> 1)
        put_bits(writer, y & 1, 1)  # zeros are short
    else:
        put_unsigned(writer, bits, y)


cdef inline void put_value(BitWriter* writer, int bits, bint is_signed, int32_t x) noexcept nogil:
    """I(bits, x) or S(bits - 1, x).

    As a sign comes last in S, and the lowest bit of I is one, both are bits after a prefix.
    """
    cdef uint32_t m = magnitude(x)
    cdef uint32_t positive = x > 0
    if is_signed and m >> 31:  # of which the double does not fit
        put_unsigned(writer, bits - 1, m)
        put_bits(writer, 0, 1)
    else:  # a zero has no sign
        put_number(
            writer, bits - (is_signed & (m == 0)), is_signed,
            2 * m + (positive if is_signed else -positive))


cdef inline void put_interleaved(BitWriter* writer, int k, int32_t x) noexcept nogil:
    """I(k, x)."""
    put_value(writer, k, False, x)


cdef inline void put_signed(BitWriter* writer, int k, int32_t x) noexcept nogil:
    """S(k, x)."""
    put_value(writer, k + 1, True, x)


cdef inline int prefix(BitReader* reader) noexcept nogil:
    """The number of zeros ahead, at most ESCAPE; the window must be full."""
    return leading_zeros(reader.window | (<uint64_t>1 << (63 - ESCAPE)))


cdef inline uint32_t take_bits(BitReader* reader, int n) noexcept nogil:
    """The next n bits, n <= 32, of a full window."""
    cdef uint32_t value = <uint32_t>(reader.window >> 1 >> (63 - n))
    skip_bits(reader, n)
    return value


cdef inline bint get_unsigned(BitReader* reader, int k, uint32_t* x) noexcept nogil:
    """U(k); False if it is malformed."""
    cdef int zeros
    x[0] = 0
    while True:
        refill(reader)
        zeros = prefix(reader)
        if zeros < ESCAPE:
            break
        if k > MOST_ESCAPED:
            return False
        skip_bits(reader, ESCAPE)
        x[0] += <uint32_t>ESCAPE << min(k, MOST_BITS)
        k += 4
    skip_bits(reader, zeros + 1)
    k = min(k, MOST_BITS)
    refill(reader)
    x[0] += (<uint32_t>zeros << k) + take_bits(reader, k)
    return True


cdef inline bint get_short(
    BitReader* reader, int bits, bint is_signed, int32_t* x
) noexcept nogil:
    """I(bits) or S(bits - 1) without branches on what is read; False where the code is too long.

    As a sign comes last in S, and the lowest bit of I is one, both are bits after a prefix.
    """
    cdef int zeros
    cdef uint32_t y, m, negative
    refill(reader)
    zeros = prefix(reader)
    if zeros == ESCAPE or bits > MOST_SHORT:
        return False
    y = (<uint32_t>(zeros - 1) << bits) + <uint32_t>(reader.window >> (63 - zeros - bits))
    m = (y + (not is_signed)) >> 1
    skip_bits(reader, zeros + 1 + bits - (is_signed & (m == 0)))  # a zero has no sign
    negative = (y & 1) - 1
    x[0] = <int32_t>((m ^ negative) - negative)
    return True


cdef inline bint get_interleaved(BitReader* reader, int k, int32_t* x) noexcept nogil:
    """I(k)."""
    cdef uint32_t y
    if get_short(reader, k, False, x):
        return True
    if not get_unsigned(reader, k, &y):
        return False
    x[0] = <int32_t>((y >> 1) + 1) if y & 1 else -<int32_t>(y >> 1)
    return True


cdef inline bint get_signed(BitReader* reader, int k, int32_t* x) noexcept nogil:
    """S(k)."""
    cdef uint32_t y
    if get_short(reader, k + 1, True, x):
        return True
    if not get_unsigned(reader, k, &y):
        return False
    x[0] = <int32_t>y
    if y != 0:
        refill(reader)
        if not take_bits(reader, 1):
            x[0] = -x[0]
    return True
