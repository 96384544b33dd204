"""Bits to blocks of coefficients (format, sections 4, 8 and 9).

Coefficients that a block does not hold, and zeros in runs, are not written: the planes are zero
to begin with. Blocks of the Fast and HighBitrate encoders are decoded sixteen at a time where
that pays, all others one by one.
"""
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint32_t, uintptr_t
from libc.stdlib cimport free

from gfwx.kernels.adaptive cimport CONTEXTUAL, FAST, HIGH_BITRATE
from gfwx.kernels.bits cimport BitReader, reader_of
from gfwx.kernels.blocks cimport Block, Level, block_at
from gfwx.kernels.context cimport ContextRow, make_context
from gfwx.kernels.geometry cimport Component, coefficient_t
from gfwx.kernels.lane_decoder cimport decode_in_lanes
from gfwx.kernels.lane_steps cimport FEWEST_BLOCKS, LANES_PAY, MOST_BLOCK_BITS
from gfwx.kernels.pass_decoder cimport decode_pass
from gfwx.kernels.queue cimport Queue, queue_of, take_block

cdef enum:
    NO_MEMORY = -1
    MALFORMED = -2


cdef int64_t decode_one_by_one(
    Queue* queue, const uint8_t* data, const int64_t* offsets, const uint32_t* lengths,
    coefficient_t* coefficients, int encoder,
) noexcept nogil:
    """Decode the queue's blocks: 0, NO_MEMORY or MALFORMED."""
    cdef int64_t index = 0
    cdef int64_t item = 0
    cdef int component
    cdef int64_t result = 0
    cdef Level level
    cdef Block block
    cdef BitReader reader
    cdef ContextRow context
    context.memory = NULL
    if encoder == CONTEXTUAL and make_context(
        &context, queue.components[0].columns, <coefficient_t>0
    ):
        return NO_MEMORY
    while result == 0 and take_block(queue, &level, &index, &item):
        reader = reader_of(data + offsets[item], lengths[item])
        for component in range(level.component_count):
            block = block_at(&level, index, component)
            if not decode_pass(
                &reader, coefficients, &block, level.encoder, level.step, &context
            ):
                result = MALFORMED
                break
    free(context.memory)
    return result


cdef int64_t decode_blocks(
    Queue* queue, const uint8_t* data, int64_t size, const int64_t* offsets,
    const uint32_t* lengths, coefficient_t* coefficients,
) noexcept nogil:
    # Of each level, the encoder and the size of blocks are the same.
    cdef int block_bits = <int>queue.levels[5]
    cdef int encoder = <int>queue.levels[6]
    cdef int64_t side = (<int64_t>1) << block_bits
    if (
        LANES_PAY and (encoder == FAST or encoder == HIGH_BITRATE)
        and block_bits <= MOST_BLOCK_BITS and queue.count >= FEWEST_BLOCKS
        and <uintptr_t>data % sizeof(uint32_t) == 0 and size >> 2 < 1 << 30
    ):
        return decode_in_lanes(
            queue, data, size, offsets, lengths, coefficients, encoder, side * side)
    return decode_one_by_one(queue, data, offsets, lengths, coefficients, encoder)


cdef bint checked(int64_t result) except -1:
    if result == NO_MEMORY:
        raise MemoryError
    return result == 0


def decode_8bit(
    const uint8_t[::1] data, const int64_t[::1] offsets, const uint32_t[::1] lengths,
    const int64_t[:, ::1] levels, int64_t[::1] next_block, int16_t[:, :, ::1] coefficients,
    const int64_t[:, ::1] components, const uint8_t[::1] chroma,
):
    """Decode blocks from a queue until it is empty.

    Any number of threads may call this with the same arguments to share the work.

    Parameters
    ----------
    data
        The file.
    offsets, lengths
        Of each block in the queue: where its data begin, in bytes, and how many words they are.
        All must lie inside ``data``.
    levels
        Rows of ``Layout.describe``, of the same encoder, by first block.
    next_block
        One number, 0 to begin with: the next block in the queue.
    coefficients
        The planes, zero to begin with, of 8-bit samples.
    components
        The table of ``layout.py``.
    chroma
        Flag of each plane.

    Returns
    -------
    bool
        False if a block is malformed.
    """
    cdef int64_t result
    cdef Queue queue = queue_of(
        &next_block[0], offsets.shape[0], &levels[0, 0], levels.shape[0],
        <const Component*>&components[0, 0], components.shape[0],
        coefficients.shape[1] * coefficients.shape[2], &chroma[0])
    with nogil:
        result = decode_blocks(
            &queue, &data[0], data.shape[0], &offsets[0], &lengths[0], &coefficients[0, 0, 0])
    return checked(result)


def decode_16bit(
    const uint8_t[::1] data, const int64_t[::1] offsets, const uint32_t[::1] lengths,
    const int64_t[:, ::1] levels, int64_t[::1] next_block, int32_t[:, :, ::1] coefficients,
    const int64_t[:, ::1] components, const uint8_t[::1] chroma,
):
    """As decode_8bit, into planes of 16-bit samples."""
    cdef int64_t result
    cdef Queue queue = queue_of(
        &next_block[0], offsets.shape[0], &levels[0, 0], levels.shape[0],
        <const Component*>&components[0, 0], components.shape[0],
        coefficients.shape[1] * coefficients.shape[2], &chroma[0])
    with nogil:
        result = decode_blocks(
            &queue, &data[0], data.shape[0], &offsets[0], &lengths[0], &coefficients[0, 0, 0])
    return checked(result)
