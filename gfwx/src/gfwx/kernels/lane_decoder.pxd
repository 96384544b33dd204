"""32 blocks decoded side by side; see lane_steps.pxd for what happens at each step. Without shifts
by vectors they are sixteen: see scalar_steps.pxd.

A lane decodes a pass into memory of its own, in coding order, from where whole rows are copied to
the plane. Passes are begun and ended one lane at a time. A lane in which a step met something
unusual goes back to before it and leaves the step's events to the scalar decoder, so that this
alone knows the rare rules. A lane that has ended its block takes the next from the queue; the
last few blocks are finished by the scalar decoder.
"""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memset

from gfwx.kernels.adaptive cimport FAST, HIGH_BITRATE, Pass, start_pass
from gfwx.kernels.bits cimport BitReader, bits_read, overrun, reader_at, reader_of
from gfwx.kernels.blocks cimport (
    Block, Level, block_at, dc_place, mark_zeros, pass_length, row_length, row_start,
)
from gfwx.kernels.context cimport ContextRow
from gfwx.kernels.geometry cimport coefficient_t
from gfwx.kernels.golomb_rice cimport get_signed
from gfwx.kernels.lane_steps cimport (
    DECODER_LANES, EVENTS, LANES_PAY, LEAST_PASS, STAGGER, Lanes, copy, step, store_values,
    trailing_zeros, unusual_lanes,
)
from gfwx.kernels.pages cimport prefetch, prefetch_for_writing
from gfwx.kernels.pass_decoder cimport decode_high_bitrate, decode_pass, decode_runs
from gfwx.kernels.queue cimport Queue, take_block
from gfwx.kernels.rows cimport all_zero
from gfwx.kernels.scalar_steps cimport take_steps

cdef enum:
    ROWS_AHEAD = 8        # fetched while a row is copied
    NEAR_END = 2048       # coefficients before the end of a pass, from where on rows are fetched
    ROWS_A_TURN = 12      # fetched so many at a time
    WORDS_AHEAD = 64      # of a block's data, which are fetched once in so many steps as lanes
    MOST_AHEAD = 2560     # coefficients to which a step may write beyond the end of a pass
    FEWEST_LANES = 4      # with fewer blocks at work the scalar decoder is faster
    MOST_WORDS = 1 << 26  # in a block, so that its bits can be counted in 32 bits


cdef struct Lane:  # what is not needed at every step
    bint active
    Level level
    int64_t index
    int component
    Block block
    const uint8_t* data
    int64_t words
    int64_t base          # of its memory
    int64_t fetched_row   # up to which rows of the pass were fetched


cdef inline void park(Lanes* lanes, int l, int64_t base) noexcept nogil:
    """Make a lane idle."""
    lanes.now.place[l] = lanes.end[l] = <int32_t>base
    lanes.word[l] = 0
    lanes.limit[l] = 0
    lanes.now.mean[l] = lanes.now.square[l] = lanes.now.run_bits[l] = lanes.now.bit[l] = 0
    lanes.first_threshold[l] = 100


cdef inline void fetch_rows(
    Lane* lane, coefficient_t* coefficients, int64_t last
) noexcept nogil:
    """Fetch rows of the plane up to ``last``, which will be written, into the caches."""
    cdef int64_t i
    cdef const char* place
    last = min(last, lane.block.last_row)
    while lane.fetched_row < last:
        place = <const char*>(coefficients + row_start(&lane.block, lane.fetched_row))
        for i in range(0, row_length(&lane.block, lane.fetched_row) * sizeof(coefficient_t), 64):
            prefetch_for_writing(place + i)
        lane.fetched_row += 1


cdef inline void fetch_near_end(
    Lane* lane, coefficient_t* coefficients, int64_t left, uint32_t mean
) noexcept nogil:
    """Fetch rows shortly before the pass is copied there: not all of a sudden, which would have to
    wait, nor so early that they have left the second cache. A pass of zeros is not copied."""
    if lane.active and left < NEAR_END and (mean > 0 or lane.block.zero_flag < 0):
        fetch_rows(lane, coefficients, lane.fetched_row + ROWS_A_TURN)


cdef inline void deliver(
    Lane* lane, const coefficient_t* memory, coefficient_t* coefficients, uint32_t mean
) noexcept nogil:
    """Copy a decoded pass to its rows, or tell that all of it is zeros.

    Only where the mean is still 0 can it be.
    """
    cdef int64_t row, n
    cdef const coefficient_t* source = memory + lane.base
    cdef bint zeros = (
        lane.block.zero_flag >= 0 and mean == 0 and all_zero(source, pass_length(&lane.block)))
    mark_zeros(&lane.block, coefficients, zeros)
    if zeros:
        return
    for row in range(lane.block.first_row, lane.block.last_row):
        n = row_length(&lane.block, row)
        fetch_rows(lane, coefficients, row + ROWS_AHEAD)
        copy(coefficients + row_start(&lane.block, row), source, n)
        source += n


cdef inline bint begin_pass(
    Lane* lane, Lanes* lanes, int l, coefficient_t* memory, coefficient_t* coefficients,
    int64_t bit, bint* begun,
) noexcept nogil:
    """Begin the lane's next pass that has coefficients; False if the block is malformed."""
    cdef BitReader reader
    cdef int64_t n
    cdef int32_t dc = 0
    cdef Pass state
    begun[0] = False
    while lane.component < lane.level.component_count:
        lane.block = block_at(&lane.level, lane.index, lane.component)
        if lane.block.has_dc:
            reader = reader_at(lane.data, lane.words, bit)
            if not get_signed(&reader, 4, &dc) or overrun(&reader):
                return False
            coefficients[dc_place(&lane.block)] = <coefficient_t>dc
            bit = bits_read(&reader, lane.words)
        n = pass_length(&lane.block)
        if n > 0:
            state = start_pass(
                lane.level.encoder, lane.block.quality, lane.level.step, lane.block.chroma)
            lanes.now.bit[l] = <uint32_t>bit
            lanes.now.place[l] = <int32_t>lane.base
            lanes.now.mean[l] = state.mean
            lanes.now.square[l] = state.square
            lanes.now.run_bits[l] = state.run_bits
            lanes.first_threshold[l] = 250 if state.chroma else 100
            lanes.end[l] = <int32_t>(lane.base + n)
            lane.fetched_row = lane.block.first_row
            memset(memory + lane.base, 0, n * sizeof(coefficient_t))
            begun[0] = True
            return True
        lane.component += 1
    return True


cdef inline bint take_event(
    const Lane* lane, BitReader* reader, Pass* state, coefficient_t* memory, int64_t* place,
    int64_t end,
) noexcept nogil:
    """Decode an event by the scalar decoder; False if the block is malformed."""
    cdef int64_t run
    if lane.level.encoder != FAST:
        if not decode_high_bitrate(reader, state, memory + place[0], 1):
            return False
    else:
        if not decode_runs(
            reader, state, <const ContextRow*>NULL, memory + place[0], 1, FAST
        ):
            return False
        if state.run_read:  # the run goes on, or has just ended
            run = min(<int64_t>state.run, end - place[0] - 1)
            place[0] += 1 + run
            if place[0] == end:
                return True
            state.run = 0
            if not decode_runs(
                reader, state, <const ContextRow*>NULL, memory + place[0], 1, FAST
            ):
                return False
    place[0] += 1
    return True


cdef inline bint take_events(
    Lane* lane, Lanes* lanes, int l, coefficient_t* memory, int64_t events,
) noexcept nogil:
    """Decode up to so many events of a lane's pass, from where it was before the last step;
    False if the block is malformed."""
    cdef Pass state = start_pass(
        lane.level.encoder, lane.block.quality, lane.level.step, lane.block.chroma)
    cdef int64_t bit = lanes.before.bit[l]
    cdef int64_t place = lanes.before.place[l]
    cdef int64_t end = lanes.end[l]
    cdef int64_t _
    cdef BitReader reader
    if bit > 32 * lane.words:
        return False
    # What the step wrote, beyond the end maybe, is nothing.
    memset(memory + place, 0, (lanes.now.place[l] - place) * sizeof(coefficient_t))
    reader = reader_at(lane.data, lane.words, bit)
    state.mean = lanes.before.mean[l]
    state.square = lanes.before.square[l]
    state.run_bits = <int>lanes.before.run_bits[l]
    for _ in range(events):
        if place == end:
            break
        if not take_event(lane, &reader, &state, memory, &place, end):
            return False
    if overrun(&reader):
        return False
    lanes.now.bit[l] = <uint32_t>bits_read(&reader, lane.words)
    lanes.now.place[l] = <int32_t>place
    lanes.now.mean[l] = state.mean
    lanes.now.square[l] = state.square
    lanes.now.run_bits[l] = <uint32_t>state.run_bits
    return True


cdef inline bint fill_lane(
    Lane* lane, Lanes* lanes, int l, Queue* queue, const uint8_t* data, int64_t size,
    const int64_t* offsets, const uint32_t* lengths, coefficient_t* memory,
    coefficient_t* coefficients,
) noexcept nogil:
    """Give a lane a block from the queue, or park it; False if a block is malformed.

    Blocks that lanes cannot take, or that are too small to be worth it, are decoded at once.
    """
    cdef int64_t item = 0
    cdef int component
    cdef bint begun = False
    cdef Block block
    cdef BitReader reader
    while take_block(queue, &lane.level, &lane.index, &item):
        lane.data = data + offsets[item]
        lane.words = lengths[item]
        block = block_at(&lane.level, lane.index, 0)
        if (
            pass_length(&block) >= LEAST_PASS and lane.words < MOST_WORDS
            and offsets[item] + 4 * (lane.words + 2) <= size
        ):
            lane.component = 0
            lanes.word[l] = <int32_t>(offsets[item] >> 2)
            lanes.limit[l] = <uint32_t>(32 * lane.words)
            if not begin_pass(lane, lanes, l, memory, coefficients, 0, &begun):
                return False
            lane.active = begun
            return True
        reader = reader_of(lane.data, lane.words)
        for component in range(lane.level.component_count):
            block = block_at(&lane.level, lane.index, component)
            if not decode_pass(
                &reader, coefficients, &block, lane.level.encoder, lane.level.step, NULL
            ):
                return False
    lane.active = False
    park(lanes, l, lane.base)
    return True


cdef inline int64_t decode_in_lanes(
    Queue* queue, const uint8_t* data, int64_t size, const int64_t* offsets,
    const uint32_t* lengths, coefficient_t* coefficients, int encoder, int64_t most_coefficients,
) noexcept nogil:
    """Decode the queue's blocks: 0, -1 without memory, -2 if one is malformed."""
    cdef Lanes lanes
    cdef Lane lane[DECODER_LANES]
    cdef int l
    cdef int active = 0
    cdef int turn = 0
    cdef uint32_t unusual
    cdef bint begun = False
    cdef int64_t stride = most_coefficients + MOST_AHEAD + STAGGER
    cdef const uint32_t* words = <const uint32_t*>data
    cdef coefficient_t* memory = <coefficient_t*>malloc(
        DECODER_LANES * stride * sizeof(coefficient_t))
    if memory == NULL:
        return -1
    for l in range(DECODER_LANES):
        lane[l].base = l * stride
        if not fill_lane(
            &lane[l], &lanes, l, queue, data, size, offsets, lengths, memory, coefficients
        ):
            free(memory)
            return -2
        active += lane[l].active
    while active > 0:
        turn = (turn + 1) % DECODER_LANES
        fetch_near_end(
            &lane[turn], coefficients, lanes.end[turn] - lanes.now.place[turn],
            lanes.now.mean[turn])
        prefetch(words + lanes.word[turn] + (lanes.now.bit[turn] >> 5) + WORDS_AHEAD)
        if not LANES_PAY:
            unusual = take_steps(&lanes, words, memory, encoder)
        elif encoder == FAST:
            step(&lanes, words, FAST, sizeof(coefficient_t) == 4)
            store_values(&lanes, memory, FAST)
            unusual = unusual_lanes(&lanes)
        else:
            step(&lanes, words, HIGH_BITRATE, sizeof(coefficient_t) == 4)
            store_values(&lanes, memory, HIGH_BITRATE)
            unusual = unusual_lanes(&lanes)
        while unusual != 0:
            l = trailing_zeros(unusual)
            unusual &= unusual - 1
            if not lane[l].active:
                park(&lanes, l, lane[l].base)
                continue
            if lanes.before.place[l] < lanes.end[l]:
                if not take_events(
                    &lane[l], &lanes, l, memory,
                    EVENTS if active >= FEWEST_LANES else lanes.end[l] - lanes.before.place[l]
                ):
                    free(memory)
                    return -2
            else:
                deliver(&lane[l], memory, coefficients, lanes.before.mean[l])
                lane[l].component += 1
                if lanes.before.bit[l] > 32 * lane[l].words or not begin_pass(
                    &lane[l], &lanes, l, memory, coefficients, lanes.before.bit[l], &begun
                ):
                    free(memory)
                    return -2
                if begun:
                    continue
                if not fill_lane(
                    &lane[l], &lanes, l, queue, data, size, offsets, lengths, memory,
                    coefficients
                ):
                    free(memory)
                    return -2
                active -= not lane[l].active
    free(memory)
    return 0
