"""Sixteen Fast blocks encoded row by row, for processors without shifts by vectors (format,
sections 4 and 9).

What a coefficient's code is depends on the coefficients before it, but not on their bits. So the
classes of a row of each block are found first, for all blocks at once, in vectors; then each row
is encoded by scalar instructions, none of which waits for a state.
"""
from libc.stdint cimport int32_t, int64_t, uint32_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, memset

from gfwx.kernels.adaptive cimport (
    FAST, SIGNED_CLASS, Class, Pass, class_of, saturated_square, small_run_bits, start_pass,
)
from gfwx.kernels.bits cimport BitWriter, pad_word, reserve
from gfwx.kernels.blocks cimport Block, Level, block_at, dc_place, row_length, row_start
from gfwx.kernels.context cimport ContextRow
from gfwx.kernels.geometry cimport coefficient_t
from gfwx.kernels.golomb_rice cimport CODE_BYTES, magnitude, put_number, put_signed, put_unsigned
from gfwx.kernels.lane_encoder cimport encode_block, tell
from gfwx.kernels.lane_steps cimport LANES, MOST_MEAN
from gfwx.kernels.pass_encoder cimport encode_fast
from gfwx.kernels.queue cimport Blocks, Queue, take_block

cdef enum:
    FEWEST_ROWS = 4  # with fewer blocks the scalar encoder is faster
    # Where k of the run is in a code, 0 if there is none. Below are the class and the bits after
    # the prefix, as many as its row but for a zero's sign.
    RUN_BITS = 4
    ZERO = 1 << 7    # it is only counted
    COUNTED = 15 << RUN_BITS  # any of these two
    NUMBER = 8       # where the number is; so small means have no larger than 16 bits


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


cdef inline void find_codes(
    States* states, const coefficient_t* column, uint32_t* codes, int32_t index
) noexcept nogil:
    """How a coefficient of each row is coded, and the states after it."""
    cdef int l
    cdef uint32_t k, mean, square, m, y, one, number, new_mean, new_square, new_k
    cdef int32_t s
    cdef bint counted, coded, is_signed
    cdef Class chosen
    cdef int32_t value[LANES]
    for l in range(LANES):
        value[l] = column[l]
    for l in range(LANES):
        s = value[l]
        k = states.run_bits[l]
        mean = states.mean[l]
        square = states.square[l]
        counted = k != 0
        coded = (not (counted & (s == 0))) & (index < states.columns[l])
        chosen = class_of(mean, square, states.first_threshold[l])
        is_signed = chosen.signed
        # The number: see put_value.
        one = 1 if s > 0 else 0
        s = s + 1 if counted & (s < 0) else s
        m = magnitude(s)
        y = 2 * m
        y = y + one if is_signed else y - one
        number = chosen.row + (SIGNED_CLASS if is_signed else 0)
        number = number - 1 if is_signed & (m == 0) else number
        codes[l] = (y << NUMBER) + (k << RUN_BITS) + number if coded else ZERO
        # The state.
        new_mean = mean + m - ((mean + 8) >> 4)
        new_square = square + saturated_square(m) - ((square + 8) >> 4)
        new_k = small_run_bits(new_mean)
        states.mean[l] = new_mean if coded else mean
        states.square[l] = new_square if coded else square
        states.run_bits[l] = new_k if coded & ((m == 0) == (k == 0)) else k
        states.means[l] |= states.mean[l]


cdef inline void put_codes(
    BitWriter* writer, uint32_t* run, const uint32_t* codes, int64_t n
) noexcept nogil:
    """A lane's codes of a row."""
    cdef int64_t i
    cdef uint32_t code
    cdef uint32_t zeros = run[0]
    cdef BitWriter bits = writer[0]  # a copy, of which no store of a word can change anything
    for i in range(n):
        code = codes[i * LANES]
        if code & COUNTED:
            if code == ZERO:
                zeros += 1
                continue
            put_unsigned(&bits, code >> RUN_BITS & 7, zeros)
            zeros = 0
        put_number(&bits, code & 7, code & SIGNED_CLASS, code >> NUMBER)
    writer[0] = bits
    run[0] = zeros


cdef inline int encode_row(
    RowLane* lane, States* states, const States* before, int l, const coefficient_t* values,
    const uint32_t* codes,
) noexcept nogil:
    """-1 if there is no memory."""
    cdef int64_t n = states.columns[l]
    if reserve(&lane.writer, n * 2 * CODE_BYTES):  # a run and a coefficient each
        return -1
    if (states.means[l] | before.mean[l]) <= MOST_MEAN:
        put_codes(&lane.writer, &lane.state.run, codes, n)
        return 0
    lane.state.mean = before.mean[l]
    lane.state.square = before.square[l]
    lane.state.run_bits = <int>before.run_bits[l]
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


cdef inline int end_pass(RowLane* lane, int run_bits) noexcept nogil:
    if lane.state.run > 0:
        if reserve(&lane.writer, CODE_BYTES):
            return -1
        put_unsigned(&lane.writer, run_bits, lane.state.run)
    return 0


cdef inline int encode_passes(
    RowLane* lane, int count, int component, const coefficient_t* coefficients,
    coefficient_t* columns, uint32_t* codes,
) noexcept nogil:
    """A component of the blocks; -1 if there is no memory."""
    cdef States states, before
    cdef const coefficient_t* values[LANES]
    cdef int64_t i, j, row, n, most
    cdef int64_t rows = 0
    cdef int l
    memset(&states, 0, sizeof(States))
    for l in range(count):
        if begin_pass(&lane[l], &states, l, component, coefficients):
            return -1
        rows = max(rows, lane[l].block.last_row - lane[l].block.first_row)
    for i in range(rows):
        most = 0
        for l in range(count):
            row = lane[l].block.first_row + i
            n = row_length(&lane[l].block, row) if row < lane[l].block.last_row else 0
            states.columns[l] = <int32_t>n
            if n == 0:
                continue
            values[l] = coefficients + row_start(&lane[l].block, row)
            for j in range(n):
                columns[j * LANES + l] = values[l][j]
            most = max(most, n)
        memset(states.means, 0, sizeof(states.means))
        before = states
        for j in range(most):
            find_codes(&states, columns + j * LANES, codes + j * LANES, <int32_t>j)
        for l in range(count):
            if states.columns[l] > 0 and encode_row(
                &lane[l], &states, &before, l, values[l], codes + l
            ):
                return -1
    for l in range(count):
        if end_pass(&lane[l], <int>states.run_bits[l]):
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
    cdef coefficient_t* columns = <coefficient_t*>calloc(side * LANES, sizeof(coefficient_t))
    cdef uint32_t* codes = <uint32_t*>malloc(side * LANES * sizeof(uint32_t))
    memset(lane, 0, sizeof(lane))
    if columns == NULL or codes == NULL:
        failed = -1
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
                failed = encode_passes(lane, count, component, coefficients, columns, codes)
        for l in range(count):
            if not failed:
                failed = finish_block(writer, &lane[l], blocks)
    for l in range(LANES):
        free(lane[l].writer.data)
    free(codes)
    free(columns)
    return failed
