"""Bit strings in 32-bit little-endian words, filled from the top (format, section 2)."""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport realloc

from gfwx.kernels.pages cimport prefer_huge_pages

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>
    static inline void gfwx_put_word(uint8_t *data, uint32_t word)
    {
    #if defined(_WIN32) || (defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
        memcpy(data, &word, 4);  /* of bytes out of a shifted number gcc does not make one store */
    #else
        data[0] = word & 255;
        data[1] = (word >> 8) & 255;
        data[2] = (word >> 16) & 255;
        data[3] = word >> 24;
    #endif
    }
    """
    void put_word "gfwx_put_word"(uint8_t* data, uint32_t word) noexcept nogil


cdef struct BitWriter:
    uint8_t* data       # owned by the caller, grown by reserve()
    uint8_t* next       # where the next word goes
    uint8_t* end
    uint64_t pending    # the last ``count`` bits written, count < 32
    int count


cdef inline int reserve(BitWriter* writer, int64_t size) noexcept nogil:
    """Make room for ``size`` more bytes; -1 if there is no memory."""
    cdef int64_t used = writer.next - writer.data
    cdef int64_t room = writer.end - writer.data
    cdef uint8_t* data
    if room - used >= size:
        return 0
    room = 2 * room + size
    data = <uint8_t*>realloc(writer.data, room)
    if data == NULL:
        return -1
    prefer_huge_pages(data, room)
    writer.data = data
    writer.next = data + used
    writer.end = data + room
    return 0


cdef inline void put_bits(BitWriter* writer, uint32_t value, int n) noexcept nogil:
    """Append the low n bits of ``value``, which has no others; n <= 32.

    A word is stored each time and stays once it is full: whether it is could not be foreseen.
    """
    writer.pending = (writer.pending << n) | value
    writer.count += n
    put_word(writer.next, <uint32_t>(writer.pending << 1 << (63 - writer.count) >> 32))
    writer.next += writer.count >> 5 << 2
    writer.count &= 31


cdef inline void pad_word(BitWriter* writer) noexcept nogil:
    if writer.count > 0:
        put_bits(writer, 0, 32 - writer.count)


cdef struct BitReader:
    const uint8_t* next  # the next word to take in
    int64_t words        # left to take in; negative: zeros have been taken in past the end
    uint64_t window      # the next bits, from the top
    int count            # how many of them are valid


cdef inline uint32_t get_word(const uint8_t* data) noexcept nogil:
    return (
        <uint32_t>data[0] | (<uint32_t>data[1] << 8)
        | (<uint32_t>data[2] << 16) | (<uint32_t>data[3] << 24)
    )


cdef inline BitReader reader_of(const uint8_t* data, int64_t words) noexcept nogil:
    cdef BitReader reader
    reader.next = data
    reader.words = words
    reader.window = 0
    reader.count = 0
    return reader


cdef inline void refill(BitReader* reader) noexcept nogil:
    """At least 33 bits in the window; zeros after the end."""
    if reader.count <= 32:
        if reader.words > 0:
            reader.window |= <uint64_t>get_word(reader.next) << (32 - reader.count)
            reader.next += 4
        reader.words -= 1
        reader.count += 32


cdef inline void skip_bits(BitReader* reader, int n) noexcept nogil:
    reader.window <<= n
    reader.count -= n


cdef inline BitReader reader_at(const uint8_t* data, int64_t words, int64_t bit) noexcept nogil:
    """Reader of so many words that goes on from a bit in them."""
    cdef BitReader reader = reader_of(data + 4 * (bit >> 5), words - (bit >> 5))
    refill(&reader)
    skip_bits(&reader, bit & 31)
    return reader


cdef inline int64_t bits_read(const BitReader* reader, int64_t words) noexcept nogil:
    """Where a reader of so many words stands: the reverse of reader_at."""
    return 32 * (words - reader.words) - reader.count


cdef inline bint overrun(const BitReader* reader) noexcept nogil:
    """Whether more bits were used than there are."""
    return reader.words < 0 and -32 * reader.words > reader.count
