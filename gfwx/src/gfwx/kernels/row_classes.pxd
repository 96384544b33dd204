"""Classes of the coefficients of a row, all of which are known, for the Contextual encoder."""
from libc.stdint cimport int64_t, uint32_t

from gfwx.kernels.adaptive cimport LOSSLESS, saturated_square
from gfwx.kernels.blocks cimport Block, is_whole_row, row_length, row_start
from gfwx.kernels.context cimport find_parents
from gfwx.kernels.context_rows cimport (
    ABOVE, Contexts, ContextRows, Neighbors, find_contexts, magnitudes_of, neighbors_from,
    numbers_t, row_of,
)
from gfwx.kernels.geometry cimport coefficient_t
from gfwx.kernels.golomb_rice cimport magnitude
from gfwx.kernels.lane_codes cimport classify
from gfwx.kernels.lane_steps cimport LANES


cdef inline void find_magnitudes(
    const coefficient_t* row, numbers_t magnitudes, int64_t n
) noexcept nogil:
    cdef int64_t i
    for i in range(n):
        magnitudes[i] = magnitude(row[i])


cdef inline void find_squares(
    const uint32_t* magnitudes, numbers_t squares, int64_t n
) noexcept nogil:
    cdef int64_t i
    for i in range(n):
        squares[i] = saturated_square(magnitudes[i])


cdef inline void add_siblings(
    const uint32_t* siblings, const uint32_t* row, numbers_t above, int64_t n
) noexcept nogil:
    """Add to a whole row what else has the weight of a parent: the sibling, and to an odd
    column's the neighbor just left."""
    cdef int64_t i
    for i in range(n >> 1):
        above[2 * i] += siblings[i]
        above[2 * i + 1] += siblings[i] + row[2 * i]


cdef inline void classify_row(
    ContextRows* context, const coefficient_t* coefficients, const Block* block, int64_t row,
    coefficient_t* parents, coefficient_t* classes,
) noexcept nogil:
    """Rows come in order; ``parents`` is scratch. Up to fifteen classes too many are written."""
    cdef int64_t n = row_length(block, row)
    cdef int64_t y = row - block.first_row
    cdef int64_t distance = 2 if y & 1 else 1
    cdef int64_t q = context.square_distance
    cdef int64_t place = 0
    cdef uint32_t first_threshold = 250 if block.chroma else 100
    cdef uint32_t* magnitudes = magnitudes_of(context, y)
    cdef uint32_t* above = row_of(context, ABOVE + (y & 1))
    cdef const uint32_t* siblings
    cdef const uint32_t* zeros
    cdef Neighbors neighbors
    cdef Contexts contexts
    find_magnitudes(coefficients + row_start(block, row), magnitudes, n)
    find_squares(magnitudes, magnitudes + q, n)
    find_parents(coefficients, block, row, parents)
    find_magnitudes(parents, above, n)
    find_squares(above, above + q, n)
    if y & 1:
        siblings = magnitudes_of(context, y - 1)
        add_siblings(siblings, magnitudes, above, n)
        add_siblings(siblings + q, magnitudes + q, above + q, n)
    while place < n:
        # The first columns have fewer neighbors; what is too many is done again.
        if place <= 2 * distance:
            neighbors = neighbors_from(context, y, place)
            zeros = neighbors.zeros
        find_contexts(&neighbors, place, above + place, zeros, zeros, &contexts)
        classify(
            contexts.means, contexts.mean_squares, classes + place, first_threshold,
            block.quality == LOSSLESS)
        place += distance if place < 2 * distance else LANES
