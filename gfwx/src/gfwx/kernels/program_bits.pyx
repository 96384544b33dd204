"""Channel-transform programs to bits and back (format, sections 4 and 5)."""
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport int32_t, int64_t, uint8_t
from libc.stdlib cimport free

from gfwx.kernels.bits cimport BitReader, BitWriter, overrun, pad_word, reader_of, reserve
from gfwx.kernels.golomb_rice cimport CODE_BYTES, get_signed, put_signed

cdef enum:
    CODE_BITS = 2  # k of every integer

cdef enum:  # what comes next in a program; a mark may stand for the first two
    TARGET
    SOURCE
    FACTOR
    DENOMINATOR
    FLAG


def read_program(const uint8_t[::1] data, int64_t offset, int64_t longest):
    """Read a channel-transform program.

    Parameters
    ----------
    data
        The file.
    offset
        Where the program begins.
    longest
        The number of integers that it may have.

    Returns
    -------
    program : tuple of int or None
        The integers, end mark included; None if there is no whole program.
    end : int
        Where what follows begins; -1 if the program is malformed or too long, 0 if the data end
        before it does.
    """
    cdef BitReader reader
    cdef int32_t value = 0
    cdef int64_t words = (data.shape[0] - offset) >> 2
    cdef int64_t used
    cdef int state = TARGET
    if words <= 0:
        return None, 0
    reader = reader_of(&data[offset], words)
    program = []
    while True:
        fine = get_signed(&reader, CODE_BITS, &value)
        if overrun(&reader):
            return None, 0
        if not fine or len(program) == longest:
            return None, -1
        program.append(value)
        if state == TARGET:
            if value == -1:
                break
            state = SOURCE
        elif state == SOURCE:
            state = DENOMINATOR if value == -1 else FACTOR
        elif state == FACTOR:
            state = SOURCE
        elif state == DENOMINATOR:
            state = FLAG
        else:
            state = TARGET
    used = 32 * (words - reader.words) - reader.count
    return tuple(program), offset + ((used + 31) >> 5 << 2)


def write_program(tuple program):
    """The bits of a channel-transform program, padded to a word.

    Parameters
    ----------
    program
        Its integers, end mark included.

    Returns
    -------
    bytes
    """
    cdef BitWriter writer
    cdef int32_t value
    writer.data = writer.next = writer.end = NULL
    writer.pending = 0
    writer.count = 0
    try:
        if reserve(&writer, (len(program) + 1) * CODE_BYTES):
            raise MemoryError
        for value in program:
            put_signed(&writer, CODE_BITS, value)
        pad_word(&writer)
        return PyBytes_FromStringAndSize(<char*>writer.data, writer.next - writer.data)
    finally:
        free(writer.data)
