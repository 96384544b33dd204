"""Sixteen Contextual blocks decoded side by side; see lane_contextual.pxd for each step.

Sixteen blocks are taken from the queue at a time and decoded together, row by row and column by
column; lanes whose block is smaller wait for the others. Events that a step does not take are left
to the scalar decoder's functions, so that they alone know the rare rules.
"""
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint32_t
from libc.stdlib cimport free, malloc

from gfwx.kernels.adaptive cimport CONTEXTUAL, LOSSLESS, Pass, saturated_square, start_pass
from gfwx.kernels.bits cimport BitReader, bits_read, overrun, reader_at, reader_of
from gfwx.kernels.blocks cimport (
    Block, Level, block_at, dc_place, mark_zeros, pass_length, row_length, row_start,
)
from gfwx.kernels.context cimport ContextRow, find_parents, mean_of
from gfwx.kernels.context_rows cimport (
    ABOVE, Contexts, ContextRows, Neighbors, any_bits, begin_contexts, find_contexts,
    magnitudes_of, make_contexts, neighbors_from, row_of,
)
from gfwx.kernels.geometry cimport coefficient_t
from gfwx.kernels.golomb_rice cimport get_signed, get_unsigned, magnitude
from gfwx.kernels.lane_contextual cimport (
    ContextualLanes, choose_run_bits, load_bits, step_contextual,
)
from gfwx.kernels.lane_steps cimport LANES, LANES_PAY, LEAST_PASS
from gfwx.kernels.pass_decoder cimport decode_coefficient, decode_pass
from gfwx.kernels.queue cimport Queue, take_block
from gfwx.kernels.scalar_contextual cimport step_contextual_lanes

cdef enum:
    EVENTS = 4            # between two loads of bits
    LONGEST_RUN = 1 << 30
    MOST_WORDS = 1 << 26  # in a block, so that its bits can be counted in 32 bits


cdef struct Lane:  # what is not needed at every step
    Level level
    int64_t index
    const uint8_t* data
    int64_t words


cdef inline int64_t bits_used(const ContextualLanes* lanes, int l) noexcept nogil:
    return <int64_t>lanes.bit[l] + 64 - (lanes.bit[l] & 31) - lanes.left[l]


cdef inline void hold(ContextualLanes* lanes, int l, int64_t bit) noexcept nogil:
    """Keep a lane from moving until its bits are loaded anew, from ``bit`` on."""
    lanes.bit[l] = <uint32_t>bit
    lanes.left[l] = 64 - (lanes.bit[l] & 31)
    lanes.high[l] = lanes.low[l] = 0


cdef inline bint begin_lane(
    const Lane* lane, ContextualLanes* lanes, int l, const Block* block,
    coefficient_t* coefficients,
) noexcept nogil:
    """Begin a lane's next pass; False if the block is malformed."""
    cdef BitReader reader
    cdef int32_t dc = 0
    lanes.run_bits[l] = lanes.pending[l] = 0
    lanes.first_threshold[l] = 250 if block.chroma else 100
    lanes.lossless[l] = -<uint32_t>(block.quality == LOSSLESS)
    if block.has_dc:
        if bits_used(lanes, l) > 32 * lane.words:
            return False
        reader = reader_at(lane.data, lane.words, bits_used(lanes, l))
        if not get_signed(&reader, 4, &dc) or overrun(&reader):
            return False
        coefficients[dc_place(block)] = <coefficient_t>dc
        hold(lanes, l, bits_read(&reader, lane.words))
    return True


cdef inline bint take_event(
    const Lane* lane, ContextualLanes* lanes, int l, const Block* block, uint32_t sum,
    uint32_t squares, uint32_t weight, int32_t* value,
) noexcept nogil:
    """Decode the next coefficient of a lane; False if the block is malformed."""
    cdef Pass state = start_pass(CONTEXTUAL, block.quality, lane.level.step, block.chroma)
    cdef int64_t bit = bits_used(lanes, l)
    cdef BitReader reader
    value[0] = 0
    if bit > 32 * lane.words:
        return False
    reader = reader_at(lane.data, lane.words, bit)
    state.run_bits = <int>lanes.run_bits[l]
    state.run_read = lanes.pending[l] > 0
    state.run = lanes.pending[l] - 1 if state.run_read else 0
    if state.run_bits and not state.run_read:
        if not get_unsigned(&reader, state.run_bits, &state.run):
            return False
        state.run_read = True
    if state.run > 0:
        state.run -= 1
    else:
        state.mean = mean_of(sum, weight)
        state.square = mean_of(squares, weight)
        if not decode_coefficient(&reader, &state, value, CONTEXTUAL):
            return False
    if overrun(&reader):
        return False
    lanes.run_bits[l] = <uint32_t>state.run_bits
    # A run beyond the end of the pass may be shortened.
    lanes.pending[l] = min(state.run, <uint32_t>LONGEST_RUN) + 1 if state.run_read else 0
    hold(lanes, l, bits_read(&reader, lane.words))
    return True


cdef inline bint take_events(
    ContextualLanes* lanes, const Lane* lane, const Block* blocks, const Contexts* contexts,
    const uint32_t* weights, int32_t* values, uint32_t* magnitudes, uint32_t* squares, bint narrow,
) noexcept nogil:
    """Decode the coefficients that lanes wait for; False if a block is malformed. ``narrow`` if
    they wrap to 16 bits."""
    cdef int l
    for l in range(LANES):
        if lanes.waiting[l]:
            if not take_event(
                &lane[l], lanes, l, &blocks[l], contexts.sums[l], contexts.squares[l],
                weights[l], &values[l]
            ):
                return False
            if narrow:
                values[l] = <int16_t>values[l]
            magnitudes[l] = magnitude(values[l])
            squares[l] = saturated_square(magnitudes[l])
    return True


cdef inline bint decode_row(
    ContextualLanes* lanes, const Lane* lane, const Block* blocks, const uint32_t* words,
    const ContextRows* context, const int32_t* lengths, int64_t y, int32_t* values,
    bint narrow,
) noexcept nogil:
    """Row y of all lanes; False if a block is malformed."""
    cdef int l
    cdef int64_t i
    cdef int64_t loaded = -EVENTS  # the column at which bits were loaded
    cdef int64_t distance = 2 if y & 1 else 1
    cdef int64_t columns = context.columns[y & 1]
    cdef Neighbors neighbors
    cdef Contexts contexts
    cdef uint32_t* magnitudes = magnitudes_of(context, y)
    cdef uint32_t* squares = magnitudes + context.square_distance
    cdef int32_t value[LANES]
    cdef bint lossless = True
    for l in range(LANES):
        lossless &= lanes.lossless[l] != 0 or lengths[l] == 0
    for i in range(columns):
        if i == 0 or i == distance or i == 2 * distance:
            neighbors = neighbors_from(context, y, i)
        if LANES_PAY and i - loaded >= EVENTS:
            load_bits(lanes, words)
            loaded = i
        for l in range(LANES):
            lanes.waiting[l] = -<uint32_t>(i < lengths[l])
        find_contexts(
            &neighbors, LANES * i, neighbors.above + LANES * parent_place(i, y & 1),
            neighbors.sibling + LANES * (i >> 1),
            neighbors.beside + LANES * (i - 1) if i & 1 else neighbors.zeros, &contexts)
        if LANES_PAY:
            step_contextual(lanes, contexts.means, contexts.mean_squares)
        else:
            step_contextual_lanes(lanes, words, contexts.means, contexts.mean_squares)
        for l in range(LANES):
            value[l] = lanes.value[l]
        for l in range(LANES):
            values[LANES * i + l] = value[l]
        for l in range(LANES):
            magnitudes[LANES * i + l] = magnitude(value[l])
        for l in range(LANES):
            squares[LANES * i + l] = saturated_square(magnitude(value[l]))
        choose_run_bits(lanes, contexts.means, contexts.mean_squares, lossless)
        if any_bits(lanes.waiting, 1):
            if not take_events(
                lanes, lane, blocks, &contexts, neighbors.weights + LANES * i,
                values + LANES * i, magnitudes + LANES * i, squares + LANES * i,
                narrow
            ):
                return False
            loaded = -EVENTS
    return True


cdef inline int64_t parent_place(int64_t i, bint whole) noexcept nogil:
    """Where the parent of column i stands: every other one is that of the one before."""
    return ((i >> 1) & ~<int64_t>1) | (i & 1) if whole else i >> 1


cdef inline void find_lane_parents(
    ContextRows* context, const coefficient_t* coefficients, const Block* blocks,
    const int32_t* lengths, int count, int64_t y, coefficient_t* scratch,
) noexcept nogil:
    """The parents of row y; the row two below has the same in every other case."""
    cdef bint whole = y & 1
    cdef int64_t i, place
    cdef int l
    cdef uint32_t* above = row_of(context, ABOVE + whole)
    if y & 2:
        return
    for l in range(count):
        if lengths[l] == 0:
            continue
        find_parents(coefficients, &blocks[l], blocks[l].first_row + y, scratch)
        i = 0
        while i < lengths[l]:
            place = LANES * parent_place(i, whole) + l
            above[place] = magnitude(scratch[i])
            i += 3 if whole and i & 1 else 1 if whole else 2
    for i in range(LANES * ((context.columns[whole] + 2) >> 1)):
        (above + context.square_distance)[i] = saturated_square(above[i])


cdef inline bint decode_passes(
    ContextualLanes* lanes, const Lane* lane, const Block* blocks, int count,
    const uint32_t* words, ContextRows* context, int32_t* values, coefficient_t* scratch,
    coefficient_t* coefficients,
) noexcept nogil:
    """One component of the lanes' blocks; False if one is malformed."""
    cdef int l
    cdef int64_t y, i
    cdef int64_t rows = 0
    cdef bint narrow = sizeof(coefficient_t) == sizeof(int16_t)
    cdef int32_t lengths[LANES]
    cdef coefficient_t* target
    for l in range(LANES):
        lengths[l] = 0
    for l in range(count):
        rows = max(rows, blocks[l].last_row - blocks[l].first_row)
        mark_zeros(&blocks[l], coefficients, False)
        if not begin_lane(&lane[l], lanes, l, &blocks[l], coefficients):
            return False
    begin_contexts(context, blocks, count)
    for y in range(rows):
        for l in range(count):
            lengths[l] = 0
            if y < blocks[l].last_row - blocks[l].first_row:
                lengths[l] = <int32_t>row_length(&blocks[l], blocks[l].first_row + y)
        find_lane_parents(context, coefficients, blocks, lengths, count, y, scratch)
        if not decode_row(lanes, lane, blocks, words, context, lengths, y, values, narrow):
            return False
        for l in range(count):
            if lengths[l] > 0:
                target = coefficients + row_start(&blocks[l], blocks[l].first_row + y)
                for i in range(lengths[l]):
                    target[i] = <coefficient_t>values[LANES * i + l]
    return True


cdef inline bint decode_alone(
    const Lane* lane, coefficient_t* coefficients, ContextRow* context
) noexcept nogil:
    """A block that lanes cannot take, or that is not worth it; False if it is malformed."""
    cdef int component
    cdef Block block
    cdef BitReader reader = reader_of(lane.data, lane.words)
    for component in range(lane.level.component_count):
        block = block_at(&lane.level, lane.index, component)
        if not decode_pass(
            &reader, coefficients, &block, lane.level.encoder, lane.level.step, context
        ):
            return False
    return True


cdef inline bint decode_group(
    Lane* lane, int count, const uint8_t* data, ContextRows* context, int32_t* values,
    coefficient_t* scratch, coefficient_t* coefficients,
) noexcept nogil:
    """Blocks side by side; False if one is malformed."""
    cdef ContextualLanes lanes
    cdef Block blocks[LANES]
    cdef int l, component
    for l in range(LANES):  # lanes that have no block never move
        lanes.word[l] = 0
        lanes.limit[l] = 0
        lanes.run_bits[l] = lanes.pending[l] = lanes.lossless[l] = 0
        lanes.first_threshold[l] = 100
        hold(&lanes, l, 0)
    for l in range(count):
        lanes.word[l] = <int32_t>((lane[l].data - data) >> 2)
        lanes.limit[l] = <uint32_t>(32 * lane[l].words)
    for component in range(lane[0].level.component_count):
        for l in range(count):
            blocks[l] = block_at(&lane[l].level, lane[l].index, component)
        if not decode_passes(
            &lanes, lane, blocks, count, <const uint32_t*>data, context, values, scratch,
            coefficients
        ):
            return False
    for l in range(count):
        if bits_used(&lanes, l) > 32 * lane[l].words:
            return False
    return True


cdef inline int64_t decode_side_by_side(
    Queue* queue, const uint8_t* data, int64_t size, const int64_t* offsets,
    const uint32_t* lengths, coefficient_t* coefficients, int64_t columns, ContextRow* row,
) noexcept nogil:
    """Decode the queue's blocks, of up to so many columns: 0, -1 without memory, -2 if one is
    malformed. ``row`` is for those that go alone."""
    cdef ContextRows context
    cdef Lane lane[LANES]
    cdef Block block
    cdef int count
    cdef int64_t item = 0
    cdef bint fine = True
    cdef bint left = True
    cdef int32_t* values = <int32_t*>malloc((LANES + 1) * (columns + 64) * sizeof(int32_t))
    cdef coefficient_t* scratch = <coefficient_t*>(values + LANES * (columns + 64))
    if values == NULL:
        return -1
    if make_contexts(&context, LANES, columns):
        free(values)
        return -1
    while left and fine:
        count = 0
        while fine and count < LANES:
            left = take_block(queue, &lane[count].level, &lane[count].index, &item)
            if not left:
                break
            lane[count].data = data + offsets[item]
            lane[count].words = lengths[item]
            block = block_at(&lane[count].level, lane[count].index, 0)
            if (
                pass_length(&block) >= LEAST_PASS and lane[count].words < MOST_WORDS
                and offsets[item] + 4 * (lane[count].words + 2) <= size
            ):
                count += 1
            else:
                fine = decode_alone(&lane[count], coefficients, row)
        if fine and count == 1:
            fine = decode_alone(&lane[0], coefficients, row)
        elif fine and count > 1:
            fine = decode_group(
                lane, count, data, &context, values, scratch, coefficients)
    free(context.memory)
    free(values)
    return 0 if fine else -2
