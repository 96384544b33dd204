"""Sixteen Fast blocks encoded row by row, for processors without shifts by vectors (format,
sections 4 and 9).

What a coefficient's code is depends on the coefficients before it, but not on their bits. So the
classes of a row of each block are found first, for all blocks at once, in vectors; then each row
is encoded by scalar instructions, none of which waits for a state.
"""
from libc.stdint cimport int32_t, int64_t, uint32_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

from gfwx.kernels.adaptive cimport FAST, Pass, saturated_square, start_pass
from gfwx.kernels.bits cimport BitWriter, pad_word, reserve
from gfwx.kernels.blocks cimport Block, Level, block_at, dc_place, row_length, row_start
from gfwx.kernels.context cimport ContextRow
from gfwx.kernels.geometry cimport coefficient_t
from gfwx.kernels.golomb_rice cimport CODE_BYTES, magnitude, put_signed, put_unsigned
from gfwx.kernels.lane_encoder cimport encode_block, tell
from gfwx.kernels.lane_steps cimport LANES, MOST_MEAN
from gfwx.kernels.pass_encoder cimport encode_classified, encode_fast
from gfwx.kernels.queue cimport Blocks, Queue, take_block

cdef enum:
    FEWEST_ROWS = 4  # with fewer blocks the scalar encoder is faster


cdef struct States:  # as in Pass
    uint32_t mean[LANES]
    uint32_t square[LANES]
    uint32_t run_bits[LANES]
    uint32_t means[LANES]   # all bits of all means in the row
    uint32_t first_threshold[LANES]
    int32_t columns[LANES]  # of the row


cdef struct RowLane:
    Level level
    int64_t index
    int64_t item
    Block block
    Pass state
    BitWriter writer


cdef inline void classify_column(
    States* states, const coefficient_t* column, coefficient_t* classes, int32_t index
) noexcept nogil:
    """The class of a coefficient of each row, as in row_classes.pxd."""
    cdef int l
    cdef uint32_t k, mean, square, row, m, new_mean, new_square, new_k
    cdef int32_t s, excess, limit, sq
    cdef bint counted, coded, reached
    cdef int32_t value[LANES]
    cdef int32_t number[LANES]
    for l in range(LANES):
        value[l] = column[l]
    for l in range(LANES):
        s = value[l]
        k = states.run_bits[l]
        mean = states.mean[l]
        square = states.square[l]
        counted = k != 0
        coded = (not (counted & (s == 0))) & (index < states.columns[l])
        # See code_of. Differences do not overflow, as means are small.
        sq = <int32_t>square
        excess = <int32_t>(mean * mean) - (sq << 1)
        row = 1 if excess >= <int32_t>states.first_threshold[l] else 0
        reached = excess >= 950
        row += reached
        limit = 400 if reached else -0x80000000
        excess -= sq
        reached = excess >= 3000
        row += reached
        limit = 3000 if reached else limit
        reached = excess >= 12000
        row += reached
        limit = 12000 + sq if reached else limit
        excess -= sq
        reached = excess >= 44000
        row += reached
        limit = 0x7fffffff if reached else limit
        excess -= sq
        row += 8 if excess < limit else 0
        # The state.
        s = s + 1 if counted & (s < 0) else s
        m = magnitude(s)
        new_mean = mean + m - ((mean + 8) >> 4)
        new_square = square + saturated_square(m) - ((square + 8) >> 4)
        new_k = (new_mean < 1) + (new_mean < 2) + (new_mean < 4) + (new_mean < 8)
        number[l] = <int32_t>(row + 16 * new_k)
        states.mean[l] = new_mean if coded else mean
        states.square[l] = new_square if coded else square
        states.run_bits[l] = new_k if coded & ((m == 0) == (k == 0)) else k
        states.means[l] |= states.mean[l]
    for l in range(LANES):
        classes[l] = <coefficient_t>number[l]


cdef inline int encode_row(
    RowLane* lane, States* states, const States* before, int l, const coefficient_t* values,
    const coefficient_t* classes,
) noexcept nogil:
    """-1 if there is no memory."""
    cdef int64_t n = states.columns[l]
    if reserve(&lane.writer, n * 2 * CODE_BYTES):  # a run and a coefficient each
        return -1
    if (states.means[l] | before.mean[l]) <= MOST_MEAN:
        encode_classified(&lane.writer, &lane.state, values, classes, LANES, n)
        return 0
    lane.state.mean = before.mean[l]
    lane.state.square = before.square[l]
    encode_fast(&lane.writer, &lane.state, values, n)
    states.mean[l] = lane.state.mean
    states.square[l] = lane.state.square
    states.run_bits[l] = lane.state.run_bits
    return 0


cdef inline int begin_pass(
    RowLane* lane, States* states, int l, int component, const coefficient_t* coefficients
) noexcept nogil:
    lane.block = block_at(&lane.level, lane.index, component)
    lane.state = start_pass(FAST, lane.block.quality, lane.level.step, lane.block.chroma)
    states.mean[l] = lane.state.mean
    states.square[l] = lane.state.square
    states.run_bits[l] = lane.state.run_bits
    states.first_threshold[l] = 250 if lane.state.chroma else 100
    if lane.block.has_dc:
        if reserve(&lane.writer, CODE_BYTES):
            return -1
        put_signed(&lane.writer, 4, coefficients[dc_place(&lane.block)])
    return 0


cdef inline int end_pass(RowLane* lane) noexcept nogil:
    if lane.state.run > 0:
        if reserve(&lane.writer, CODE_BYTES):
            return -1
        put_unsigned(&lane.writer, lane.state.run_bits, lane.state.run)
    return 0


cdef inline int encode_passes(
    RowLane* lane, int count, int component, const coefficient_t* coefficients,
    coefficient_t* memory, int64_t side,
) noexcept nogil:
    """A component of the blocks; -1 if there is no memory."""
    cdef States states, before
    cdef const coefficient_t* values[LANES]
    cdef coefficient_t* classes = memory + side * LANES
    cdef int64_t i, j, row, n
    cdef int64_t rows = 0
    cdef int64_t columns
    cdef int l
    memset(&states, 0, sizeof(States))
    for l in range(count):
        if begin_pass(&lane[l], &states, l, component, coefficients):
            return -1
        rows = max(rows, lane[l].block.last_row - lane[l].block.first_row)
    for i in range(rows):
        columns = 0
        for l in range(count):
            row = lane[l].block.first_row + i
            n = row_length(&lane[l].block, row) if row < lane[l].block.last_row else 0
            states.columns[l] = <int32_t>n
            if n == 0:
                continue
            values[l] = coefficients + row_start(&lane[l].block, row)
            for j in range(n):
                memory[j * LANES + l] = values[l][j]
            columns = max(columns, n)
        memset(states.means, 0, sizeof(states.means))
        before = states
        for j in range(columns):
            classify_column(&states, memory + j * LANES, classes + j * LANES, <int32_t>j)
        for l in range(count):
            if states.columns[l] > 0 and encode_row(
                &lane[l], &states, &before, l, values[l], classes + l
            ):
                return -1
    for l in range(count):
        if end_pass(&lane[l]):
            return -1
    return 0


cdef inline int finish_block(BitWriter* writer, RowLane* lane, Blocks* blocks) noexcept nogil:
    """Move a block to the thread's buffer; -1 if there is no memory."""
    cdef int64_t size
    cdef int64_t start = writer.next - writer.data
    if reserve(&lane.writer, 4):
        return -1
    pad_word(&lane.writer)
    size = lane.writer.next - lane.writer.data
    if reserve(writer, size):
        return -1
    memcpy(writer.next, lane.writer.data, size)
    writer.next += size
    tell(blocks, lane.item, start, start + size)
    return 0


cdef inline int encode_row_by_row(
    BitWriter* writer, const coefficient_t* coefficients, Queue* queue, Blocks* blocks,
    int64_t side, ContextRow* context,
) noexcept nogil:
    """Encode the queue's blocks; -1 if there is no memory."""
    cdef RowLane lane[LANES]
    cdef int l, component, count
    cdef int failed = 0
    cdef coefficient_t* memory = <coefficient_t*>calloc(2 * side * LANES, sizeof(coefficient_t))
    memset(lane, 0, sizeof(lane))
    if memory == NULL:
        return -1
    while not failed:
        count = 0
        while count < LANES and take_block(
            queue, &lane[count].level, &lane[count].index, &lane[count].item
        ):
            lane[count].writer.next = lane[count].writer.data
            count += 1
        if count == 0:
            break
        if count < FEWEST_ROWS:
            for l in range(count):
                if not failed:
                    failed = encode_block(
                        writer, coefficients, &lane[l].level, lane[l].index, lane[l].item, blocks,
                        context)
            continue
        for component in range(queue.component_count):
            if not failed:
                failed = encode_passes(lane, count, component, coefficients, memory, side)
        for l in range(count):
            if not failed:
                failed = finish_block(writer, &lane[l], blocks)
    for l in range(LANES):
        free(lane[l].writer.data)
    free(memory)
    return failed
