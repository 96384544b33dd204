"""Contexts of the Contextual encoder (format, section 9).

A context sums weighted neighbors. All that does not lie to the left in the same row is summed
for a row at a time, in loops that vectorize; the rest, up to three neighbors, is added as the
coder reaches the coefficient. Within a row, neighbors two positions away in the lattice are
``distance`` coefficients away: 1 where only odd columns are coded, else 2.
"""
from libc.stdint cimport int32_t, int64_t, uint32_t
from libc.stdlib cimport malloc

from gfwx.kernels.adaptive cimport saturated_square
from gfwx.kernels.blocks cimport Block, is_whole_row, row_length, row_start
from gfwx.kernels.geometry cimport Component, coefficient_t, halved
from gfwx.kernels.golomb_rice cimport magnitude


cdef struct ContextRow:
    void* memory
    uint32_t* sums      # of weighted magnitudes, squares, and weights: three arrays
    uint32_t* squares
    uint32_t* weights
    void* parents       # scratch: the ancestor of each coefficient
    int64_t distance
    bint near           # whether the row two above counts, and so the left neighbor
    bint far            # likewise four above
    bint whole


cdef inline int make_context(
    ContextRow* context, int64_t columns, coefficient_t unit
) noexcept nogil:
    """Memory for blocks of up to so many columns, to be freed; -1 if there is none."""
    cdef int64_t n = columns + 64
    context.memory = malloc(n * (3 * sizeof(uint32_t) + sizeof(coefficient_t)))
    if context.memory == NULL:
        return -1
    context.sums = <uint32_t*>context.memory
    context.squares = context.sums + n
    context.weights = context.squares + n
    context.parents = context.weights + n
    return 0


cdef inline coefficient_t coefficient_at(
    const coefficient_t* coefficients, const Block* block, int level, int64_t row, int64_t column
) noexcept nogil:
    """The coefficient at a position of a level's lattice, whichever level it is of."""
    cdef const Component* component = block.component
    cdef int64_t split_levels = component.split_levels
    cdef const coefficient_t* plane = coefficients + block.plane + component.offset
    cdef int64_t place
    while level < block.levels:
        place = (row << min(<int64_t>level, split_levels)) * component.row_stride
        if level < split_levels and row & 1:
            return plane[place + column]
        if column & 1:
            return plane[place + halved(component.columns, level + 1) + (column >> 1)]
        if level < split_levels:
            row >>= 1
        column >>= 1
        level += 1
    return plane[(row << min(<int64_t>level, split_levels)) * component.row_stride + column]


cdef inline void find_parents(
    const coefficient_t* coefficients, const Block* block, int64_t row, coefficient_t* parents
) noexcept nogil:
    cdef int64_t i, y, x, parent_row, parent_column, place
    cdef int64_t n = row_length(block, row)
    cdef int64_t regular_n = 0
    cdef int64_t columns = block.last_column - block.first_column
    cdef bint whole = is_whole_row(block, row)
    cdef int64_t split_levels = block.component.split_levels
    cdef int level = block.level + 1
    cdef const coefficient_t* source

    parent_row = row  # above the tranches' height rows are not halved
    if block.lattice.split:
        y = row - block.first_row
        parent_row = 2 * (y >> 2) + (y & 1)
        if 2 * parent_row >= block.last_row - block.first_row:
            parent_row -= 1
        parent_row += block.first_row >> 1

    # Regular: parents are of the level above and of the same kind, and lie side by side.
    if (
        level < block.levels and block.block_bits >= 2
        and (level < split_levels or not block.lattice.split)
        and (not whole or parent_row & 1)
    ):
        place = (
            block.plane + block.component.offset
            + (parent_row << min(<int64_t>level, split_levels)) * block.component.row_stride)
        if whole:
            source = coefficients + place + (block.first_column >> 1)
            regular_n = n & ~3
            for i in range(regular_n >> 2):
                parents[4 * i] = parents[4 * i + 2] = source[2 * i]
                parents[4 * i + 1] = parents[4 * i + 3] = source[2 * i + 1]
        else:
            source = (
                coefficients + place + halved(block.component.columns, level + 1)
                + (block.first_column >> 2))
            regular_n = n & ~1
            for i in range(regular_n >> 1):
                parents[2 * i] = parents[2 * i + 1] = source[i]

    for i in range(regular_n, n):
        x = i if whole else 2 * i + 1
        parent_column = 2 * (x >> 2) + (x & 1)
        if 2 * parent_column >= columns:
            parent_column -= 1
        parents[i] = coefficient_at(
            coefficients, block, level, parent_row, (block.first_column >> 1) + parent_column)


cdef inline void add_neighbors(
    ContextRow* context, const coefficient_t* row, int64_t first, int64_t last, uint32_t weight,
) noexcept nogil:
    """Add ``weight`` times row[i] to context i for first <= i < last."""
    cdef int64_t i
    cdef uint32_t m
    for i in range(first, last):
        m = magnitude(row[i])
        context.sums[i] += weight * m
        context.squares[i] += weight * saturated_square(m)
        context.weights[i] += weight


cdef inline void prepare_row(
    const coefficient_t* coefficients, const Block* block, int64_t row, ContextRow* context,
    coefficient_t unit,
) noexcept nogil:
    """Sum all but the left neighbors for the coded coefficients of a row."""
    cdef int64_t i
    cdef int64_t n = row_length(block, row)
    cdef int64_t d
    cdef int64_t y = row - block.first_row
    cdef coefficient_t* parents = <coefficient_t*>context.parents
    cdef const coefficient_t* sibling
    cdef const coefficient_t* above
    cdef uint32_t m
    context.whole = is_whole_row(block, row)
    context.distance = d = 2 if context.whole else 1
    context.near = y >= 2
    context.far = y >= 4

    find_parents(coefficients, block, row, parents)
    for i in range(n):
        m = magnitude(parents[i])
        context.sums[i] = 2 * m
        context.squares[i] = 2 * saturated_square(m)
        context.weights[i] = 2
    if context.whole:
        sibling = coefficients + row_start(block, row - 1)
        for i in range(n & ~1):
            m = magnitude(sibling[i >> 1])
            context.sums[i] += 2 * m
            context.squares[i] += 2 * saturated_square(m)
            context.weights[i] += 2 + 2 * (i & 1)
    if context.near:
        above = coefficients + row_start(block, row - 2)
        add_neighbors(context, above, d, n, 4)
        add_neighbors(context, above - d, d, n, 2)
        add_neighbors(context, above + d, d, n - d, 2)
        for i in range(d, n):
            context.weights[i] += 4
    if context.far:
        above = coefficients + row_start(block, row - 4)
        add_neighbors(context, above, 2 * d, n, 2)
        add_neighbors(context, above - 2 * d, 2 * d, n, 1)
        add_neighbors(context, above + 2 * d, 2 * d, n - 2 * d, 1)
        for i in range(2 * d, n):
            context.weights[i] += 2


cdef inline void add_left(
    uint32_t* sum, uint32_t* square, int32_t value, uint32_t weight
) noexcept nogil:
    cdef uint32_t m = magnitude(value)
    sum[0] += weight * m
    square[0] += weight * saturated_square(m)


cdef inline uint32_t mean_of(uint32_t sum, uint32_t weight) noexcept nogil:
    """``(16 sum + weight / 2) / weight``; the usual weights are constants that multiply."""
    sum *= 16
    if weight == 20:
        return (sum + 10) // 20
    if weight == 22:
        return (sum + 11) // 22
    if weight == 24:
        return (sum + 12) // 24
    return (sum + (weight >> 1)) // weight


cdef inline void context_at(
    const ContextRow* context, const coefficient_t* row, int64_t i, uint32_t* mean,
    uint32_t* square,
) noexcept nogil:
    cdef uint32_t sum = context.sums[i]
    cdef uint32_t squares = context.squares[i]
    cdef int64_t d = context.distance
    if context.whole and i & 1:
        add_left(&sum, &squares, row[i - 1], 2)
    if context.near and i >= d:
        add_left(&sum, &squares, row[i - d], 4)
    if context.far and i >= 2 * d:
        add_left(&sum, &squares, row[i - 2 * d], 2)
    mean[0] = mean_of(sum, context.weights[i])
    square[0] = mean_of(squares, context.weights[i])


cdef inline void add_row(
    ContextRow* context, const coefficient_t* row, int64_t first, int64_t last, uint32_t weight,
    uint32_t odd_only,
) noexcept nogil:
    """Add ``weight`` times row[i] to context i, or to odd ones only, whose weights are counted."""
    cdef int64_t i
    cdef uint32_t m, w
    for i in range(first, last):
        m = magnitude(row[i])
        w = weight & (-<uint32_t>(i & 1) | ~odd_only)
        context.sums[i] += w * m
        context.squares[i] += w * saturated_square(m)


cdef inline void complete_row(
    ContextRow* context, const coefficient_t* row, int64_t n, int32_t* means, int32_t* squares,
) noexcept nogil:
    """All contexts of a row whose coefficients are known, after prepare_row."""
    cdef int64_t i
    cdef int64_t d = context.distance
    cdef int64_t first = n  # where the weights begin to be the usual ones, and where they end
    cdef int64_t last = n
    if context.whole:
        add_row(context, row - 1, 1, n, 2, ~<uint32_t>0)
    if context.near:
        add_row(context, row - d, d, n, 4, 0)
    if context.far:
        add_row(context, row - 2 * d, 2 * d, n, 2, 0)
        first = min(2 * d, n)
        last = max(n - 2 * d, first)
    for i in range(first):
        means[i] = <int32_t>mean_of(context.sums[i], context.weights[i])
        squares[i] = <int32_t>mean_of(context.squares[i], context.weights[i])
    if context.whole:
        for i in range(first, last):
            means[i] = mean_of_22_or_24(context.sums[i], i & 1)
            squares[i] = mean_of_22_or_24(context.squares[i], i & 1)
    else:
        for i in range(first, last):
            means[i] = <int32_t>((16 * context.sums[i] + 10) // 20)
            squares[i] = <int32_t>((16 * context.squares[i] + 10) // 20)
    for i in range(last, n):
        means[i] = <int32_t>mean_of(context.sums[i], context.weights[i])
        squares[i] = <int32_t>mean_of(context.squares[i], context.weights[i])


cdef inline int32_t mean_of_22_or_24(uint32_t sum, uint32_t odd) noexcept nogil:
    cdef uint32_t even_mean = (16 * sum + 11) // 22
    cdef uint32_t odd_mean = (16 * sum + 12) // 24
    return <int32_t>((odd_mean & -odd) | (even_mean & (odd - 1)))
