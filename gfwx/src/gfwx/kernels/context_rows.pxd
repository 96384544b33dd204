"""Contexts sixteen at a time (format, section 9; see context.pxd).

What a context needs of the rows above is kept as rows of magnitudes and, at a distance, of their
squares: either of one pass, or of sixteen side by side, where a row has sixteen numbers for
each column, one of each pass. Around the rows are zeros, and neighbors that do not count are read
from a row of zeros, so that every context is the same sum. Rows of odd columns and whole rows
meet only as siblings: each kind has a ring of three rows.

A mean ``(16 sum + weight / 2) / weight`` is had in floating point: the number before truncation
is made to lie half a unit of the numerator above the true quotient, so that it is at least 1/48
from any integer (weights are at most 24), and while it is below 2^16 its error is below
3 2^16 / 2^24.
Larger means are had by dividing in double precision, which is exact.
"""
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t, uintptr_t
from libc.stdlib cimport calloc
from libc.string cimport memcpy, memset

from gfwx.kernels.adaptive cimport saturated_square
from gfwx.kernels.blocks cimport Block, row_length
from gfwx.kernels.context cimport find_parents, total_weight
from gfwx.kernels.geometry cimport coefficient_t
from gfwx.kernels.golomb_rice cimport magnitude
from gfwx.kernels.lane_steps cimport LANES

cdef extern from *:
    """
    #if defined(__GNUC__)
    typedef uint32_t *__restrict__ gfwx_numbers;
    #else
    typedef uint32_t *gfwx_numbers;
    #endif
    """
    ctypedef uint32_t* numbers_t "gfwx_numbers"  # a result that does not lie in what is read

cdef enum:
    MARGIN = 4   # columns of zeros on either side of a row: as far as neighbors are away
    CACHE_LINE = 64
    RING = 3     # rows of a kind: the current one, two above, four above
    ZEROS = 2 * RING       # the row of zeros, after both rings
    ABOVE = ZEROS + 1      # rows of parents and the like, one of each kind
    ROWS = ABOVE + 2       # all of these; their squares follow
    STAGES = 3             # of weights: the rows above do not count, two above does, both do
    WEIGHTS = 2 * ROWS     # rows of weights, for each stage one of each kind, and
    FACTORS = WEIGHTS + 2 * STAGES  # rows of floats, by which sums are multiplied
    OFFSETS = FACTORS + 2 * STAGES  # and to which they are added
    ALL_ROWS = OFFSETS + 2 * STAGES


cdef struct ContextRows:
    void* memory
    uint32_t* rows
    int64_t abreast         # passes side by side
    int64_t row_size        # in numbers
    int64_t square_distance
    int64_t columns[2]      # of the widest pass, in rows of odd columns and in whole rows
    int64_t lengths[2][LANES]  # of the rows of each pass


cdef struct Neighbors:  # of the coefficients in a part of a row; each may be the row of zeros
    const uint32_t* above      # parents; of a single pass, all that have weight 2 and no column
    const uint32_t* sibling
    const uint32_t* near       # the row two above
    const uint32_t* far        # the row four above
    const uint32_t* left       # this row, for what lies left of the coefficient
    const uint32_t* far_left
    const uint32_t* beside     # this row, for what lies just left in whole rows
    const uint32_t* zeros
    const uint32_t* weights
    const float* factors
    const float* offsets
    int64_t square_distance
    int64_t away               # how far neighbors two positions away are


cdef struct Contexts:  # sixteen
    uint32_t sums[LANES]     # of magnitudes, weighted, and of squares
    uint32_t squares[LANES]
    uint32_t means[LANES]
    uint32_t mean_squares[LANES]


cdef inline int make_contexts(
    ContextRows* context, int64_t abreast, int64_t columns
) noexcept nogil:
    """Memory for blocks of up to so many columns, to be freed; -1 if there is none."""
    context.abreast = abreast
    context.row_size = (abreast * (columns + 2 * MARGIN) + 2 * LANES - 1) // LANES * LANES
    context.square_distance = ROWS * context.row_size
    context.memory = calloc(
        ALL_ROWS * context.row_size * sizeof(uint32_t) + CACHE_LINE, 1)
    if context.memory == NULL:
        return -1
    context.rows = <uint32_t*>(
        <char*>context.memory + (-<uintptr_t>context.memory & (CACHE_LINE - 1)))
    memset(context.lengths, 255, sizeof(context.lengths))
    return 0


cdef inline uint32_t* row_of(const ContextRows* context, int64_t number) noexcept nogil:
    return context.rows + number * context.row_size + context.abreast * MARGIN


cdef inline uint32_t* magnitudes_of(const ContextRows* context, int64_t y) noexcept nogil:
    """Row y of the blocks, while it is one of the last six."""
    return row_of(context, RING * (y & 1) + (y >> 1) % RING)


cdef inline void begin_contexts(
    ContextRows* context, const Block* blocks, int count
) noexcept nogil:
    """Begin so many passes."""
    cdef int64_t kind, slot, length
    cdef int l
    cdef bint changed
    cdef uint32_t* end
    for kind in range(2):
        changed = False
        context.columns[kind] = 0
        for l in range(context.abreast):
            length = 0
            if l < count and kind < blocks[l].last_row - blocks[l].first_row:
                length = row_length(&blocks[l], blocks[l].first_row + kind)
            changed |= context.lengths[kind][l] != length
            context.lengths[kind][l] = length
            context.columns[kind] = max(context.columns[kind], length)
        if changed:
            find_weights(context, kind)
        for slot in range(RING):  # what the passes before have left where there are zeros now
            end = row_of(context, RING * kind + slot) + context.abreast * context.columns[kind]
            memset(end, 0, context.abreast * MARGIN * sizeof(uint32_t))
            memset(end + context.square_distance, 0, context.abreast * MARGIN * sizeof(uint32_t))


cdef inline void find_weights(ContextRows* context, int64_t kind) noexcept nogil:
    cdef int64_t i, stage, place
    cdef int l
    cdef uint32_t weight
    cdef uint32_t* weights
    cdef float* factors
    cdef float* offsets
    for stage in range(STAGES):
        weights = row_of(context, WEIGHTS + 2 * stage + kind)
        factors = <float*>row_of(context, FACTORS + 2 * stage + kind)
        offsets = <float*>row_of(context, OFFSETS + 2 * stage + kind)
        for i in range(context.columns[kind]):
            for l in range(context.abreast):
                place = context.abreast * i + l
                weight = total_weight(i, context.lengths[kind][l], kind, stage >= 1, stage >= 2)
                weights[place] = weight
                factors[place] = <float>16 / <float>weight
                offsets[place] = (<float>(weight >> 1) + <float>0.5) / <float>weight


cdef inline Neighbors neighbors_from(
    const ContextRows* context, int64_t y, int64_t column
) noexcept nogil:
    """Of the coefficients in row y from a column on: 0, or the first for which the neighbors
    above count, or the first for which all do."""
    cdef Neighbors neighbors
    cdef const uint32_t* zeros = row_of(context, ZEROS)
    cdef const uint32_t* row = magnitudes_of(context, y)
    cdef bint whole = y & 1
    cdef int64_t distance = 2 if whole else 1
    cdef bint near = y >= 2 and column >= distance
    cdef bint far = y >= 4 and column >= 2 * distance
    cdef int64_t table = 2 * min(y >> 1, <int64_t>STAGES - 1) + whole
    neighbors.above = row_of(context, ABOVE + whole)
    neighbors.sibling = magnitudes_of(context, y - 1) if whole else zeros
    neighbors.near = magnitudes_of(context, y - 2) if near else zeros
    neighbors.far = magnitudes_of(context, y - 4) if far else zeros
    neighbors.left = row if near else zeros
    neighbors.far_left = row if far else zeros
    neighbors.beside = row if whole else zeros
    neighbors.zeros = zeros
    neighbors.weights = row_of(context, WEIGHTS + table)
    neighbors.factors = <const float*>row_of(context, FACTORS + table)
    neighbors.offsets = <const float*>row_of(context, OFFSETS + table)
    neighbors.square_distance = context.square_distance
    neighbors.away = distance * context.abreast
    return neighbors


cdef inline void sum_neighbors(
    const Neighbors* neighbors, int64_t place, const uint32_t* above, const uint32_t* sibling,
    const uint32_t* beside, numbers_t sums,
) noexcept nogil:
    """The weighted sums of sixteen numbers of a row from ``place`` on."""
    cdef int l
    cdef int64_t away = neighbors.away
    cdef const uint32_t* near = neighbors.near + place
    cdef const uint32_t* near_before = near - away
    cdef const uint32_t* near_after = near + away
    cdef const uint32_t* far = neighbors.far + place
    cdef const uint32_t* far_before = far - 2 * away
    cdef const uint32_t* far_after = far + 2 * away
    cdef const uint32_t* left = neighbors.left + place - away
    cdef const uint32_t* far_left = neighbors.far_left + place - 2 * away
    for l in range(LANES):
        sums[l] = (
            4 * (near[l] + left[l])
            + 2 * (above[l] + sibling[l] + beside[l] + near_before[l] + near_after[l] + far[l]
                   + far_left[l])
            + far_before[l] + far_after[l])


cdef inline void find_means(
    const float* factors, const float* offsets, const uint32_t* sums, numbers_t means
) noexcept nogil:
    cdef int l
    for l in range(LANES):
        means[l] = <uint32_t><int32_t>(<float><int32_t>sums[l] * factors[l] + offsets[l])


cdef inline void find_contexts(
    const Neighbors* neighbors, int64_t place, const uint32_t* above, const uint32_t* sibling,
    const uint32_t* beside, Contexts* contexts,
) noexcept nogil:
    """The contexts of sixteen numbers of a row from ``place`` on; what lies at ``above``,
    ``sibling`` and ``beside`` has the weight 2."""
    cdef int l
    cdef int64_t q = neighbors.square_distance
    cdef const float* factors = neighbors.factors + place
    cdef const float* offsets = neighbors.offsets + place
    cdef uint32_t either[LANES]
    sum_neighbors(neighbors, place, above, sibling, beside, contexts.sums)
    sum_neighbors(neighbors, place + q, above + q, sibling + q, beside + q, contexts.squares)
    find_means(factors, offsets, contexts.sums, contexts.means)
    find_means(factors, offsets, contexts.squares, contexts.mean_squares)
    for l in range(LANES):
        either[l] = contexts.means[l] | contexts.mean_squares[l]
    if any_bits(either, ~<uint32_t>0xffff):
        divide_sums(contexts.sums, neighbors.weights + place, contexts.means)
        divide_sums(contexts.squares, neighbors.weights + place, contexts.mean_squares)


cdef inline bint any_bits(const uint32_t* numbers, uint32_t bits) noexcept nogil:
    """Whether one of sixteen numbers has one of some bits."""
    cdef int l
    cdef uint64_t pair
    cdef uint64_t either = 0
    for l in range(0, LANES, 2):
        memcpy(&pair, numbers + l, sizeof(pair))
        either |= pair
    return <uint32_t>(either | (either >> 32)) & bits != 0


cdef inline void divide_sums(
    const uint32_t* sums, const uint32_t* weights, numbers_t means
) noexcept nogil:
    """Whatever the sums are. The means fit 31 bits, as weights are at least 2."""
    cdef int l
    for l in range(LANES):
        means[l] = <uint32_t><int32_t>(
            <double>(16 * sums[l] + (weights[l] >> 1)) / <double><int32_t>weights[l])
