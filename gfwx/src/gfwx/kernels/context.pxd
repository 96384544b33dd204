"""Contexts of the Contextual encoder (format, section 9).

A context sums weighted neighbors. All that does not lie to the left in the same row is summed
for a row at a time, in loops that vectorize; the rest, up to three neighbors, is added as the
coder reaches the coefficient. Within a row, neighbors two positions away in the lattice are
``distance`` coefficients away: 1 where only odd columns are coded, else 2. Where blocks are coded
sixteen at a time, context_rows.pxd has the same sums for sixteen coefficients at a time.
"""
from libc.stdint cimport int32_t, int64_t, uint32_t
from libc.stdlib cimport malloc

from gfwx.kernels.adaptive cimport saturated_square
from gfwx.kernels.blocks cimport Block, is_whole_row, row_length, row_start
from gfwx.kernels.geometry cimport Component, coarse_row_stride, coefficient_t, halved
from gfwx.kernels.golomb_rice cimport magnitude


cdef struct ContextRow:
    void* memory
    uint32_t* sums      # of weighted magnitudes, and of squares, of all but the left neighbors
    uint32_t* squares
    void* parents       # scratch: the ancestor of each coefficient
    int64_t n           # coefficients
    int64_t distance
    bint whole          # all columns are coded, not the odd ones only
    bint near           # whether the row two above counts, and so the left neighbor
    bint far            # likewise four above
    int64_t first       # from here on all neighbors of an inner coefficient count
    int64_t last        # and up to here


cdef inline int make_context(
    ContextRow* context, int64_t columns, coefficient_t unit
) noexcept nogil:
    """Memory for blocks of up to so many columns, to be freed; -1 if there is none."""
    cdef int64_t n = columns + 64
    context.memory = malloc(n * (2 * sizeof(uint32_t) + sizeof(coefficient_t)))
    if context.memory == NULL:
        return -1
    context.sums = <uint32_t*>context.memory
    context.squares = context.sums + n
    context.parents = context.squares + n
    return 0


cdef inline coefficient_t coefficient_at(
    const coefficient_t* coefficients, const Block* block, int level, int64_t row, int64_t column
) noexcept nogil:
    """The coefficient at a position of a coarser level's lattice, whichever level it is of."""
    cdef const Component* component = block.component
    cdef int64_t split_levels = component.split_levels
    cdef const coefficient_t* plane = coefficients + parent_plane(block)
    while level < block.levels:
        if level < split_levels and row & 1:
            return plane[row * coarse_row_stride(component, level) + column]
        if column & 1:
            return plane[
                row * coarse_row_stride(component, level)
                + halved(component.columns, level + 1) + (column >> 1)]
        if level < split_levels:
            row >>= 1
        column >>= 1
        level += 1
    return plane[row * coarse_row_stride(component, level) + column]


cdef inline int64_t parent_plane(const Block* block) noexcept nogil:
    return (
        block.memory.parents + block.plane * block.memory.coarse_stride + block.component.offset)


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
        place = parent_plane(block) + parent_row * coarse_row_stride(block.component, level)
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


cdef inline void add(
    uint32_t* sum, uint32_t* square, int32_t value, uint32_t weight
) noexcept nogil:
    cdef uint32_t m = magnitude(value)
    sum[0] += weight * m
    square[0] += weight * saturated_square(m)


cdef inline void sum_at_edge(
    ContextRow* context, const coefficient_t* sibling, const coefficient_t* near,
    const coefficient_t* far, int64_t i,
) noexcept nogil:
    """Sum neighbors one by one, each if it is there."""
    cdef uint32_t sum = 0
    cdef uint32_t square = 0
    cdef int64_t d = context.distance
    add(&sum, &square, (<coefficient_t*>context.parents)[i], 2)
    if context.whole and (i | 1) < context.n:
        add(&sum, &square, sibling[i >> 1], 2)
    if context.near and i >= d:
        add(&sum, &square, near[i], 4)
        add(&sum, &square, near[i - d], 2)
        if i + d < context.n:
            add(&sum, &square, near[i + d], 2)
    if context.far and i >= 2 * d:
        add(&sum, &square, far[i], 2)
        add(&sum, &square, far[i - 2 * d], 1)
        if i + 2 * d < context.n:
            add(&sum, &square, far[i + 2 * d], 1)
    context.sums[i] = sum
    context.squares[i] = square


cdef inline void sum_inside(
    ContextRow* context, const coefficient_t* near, const coefficient_t* far, int64_t d
) noexcept nogil:
    """Sum all neighbors but siblings; a loop that vectorizes."""
    cdef int64_t i
    cdef uint32_t p, a, b, c, e, f, g
    cdef const coefficient_t* parents = <coefficient_t*>context.parents
    cdef uint32_t* sums = context.sums
    cdef uint32_t* squares = context.squares
    for i in range(context.first, context.last):
        p = magnitude(parents[i])
        a = magnitude(near[i])
        b = magnitude(near[i - d])
        c = magnitude(near[i + d])
        e = magnitude(far[i])
        f = magnitude(far[i - 2 * d])
        g = magnitude(far[i + 2 * d])
        sums[i] = 4 * a + 2 * (p + b + c + e) + f + g
        squares[i] = (
            4 * saturated_square(a)
            + 2 * (saturated_square(p) + saturated_square(b) + saturated_square(c)
                   + saturated_square(e))
            + saturated_square(f) + saturated_square(g)
        )


cdef inline void prepare_row(
    const coefficient_t* coefficients, const Block* block, int64_t row, ContextRow* context,
    coefficient_t unit,
) noexcept nogil:
    """Sum all but the left neighbors for the coded coefficients of a row."""
    cdef int64_t i
    cdef int64_t n = row_length(block, row)
    cdef int64_t y = row - block.first_row
    cdef const coefficient_t* sibling = NULL
    cdef const coefficient_t* near = NULL
    cdef const coefficient_t* far = NULL
    cdef uint32_t m
    context.n = n
    context.whole = is_whole_row(block, row)
    context.distance = 2 if context.whole else 1
    context.near = y >= 2
    context.far = y >= 4
    context.first = min(2 * context.distance, n) if context.far else n
    context.last = max(n - 2 * context.distance, context.first)
    find_parents(coefficients, block, row, <coefficient_t*>context.parents)
    if context.whole:
        sibling = coefficients + row_start(block, row - 1)
    if context.near:
        near = coefficients + row_start(block, row - 2)
    if context.far:
        far = coefficients + row_start(block, row - 4)
    for i in range(context.first):
        sum_at_edge(context, sibling, near, far, i)
    if context.whole:
        sum_inside(context, near, far, 2)
        for i in range(context.first, context.last):
            m = magnitude(sibling[i >> 1])
            context.sums[i] += 2 * m
            context.squares[i] += 2 * saturated_square(m)
    else:
        sum_inside(context, near, far, 1)
    for i in range(context.last, n):
        sum_at_edge(context, sibling, near, far, i)


cdef inline uint32_t total_weight(
    int64_t i, int64_t n, bint whole, bint near, bint far
) noexcept nogil:
    """The sum of the weights of all neighbors of a coefficient in a row of n."""
    cdef int64_t d = 2 if whole else 1
    cdef uint32_t weight = 2
    if whole and (i | 1) < n:
        weight += 4 if i & 1 else 2
    if near and i >= d:
        weight += 12 if i + d < n else 10
    if far and i >= 2 * d:
        weight += 6 if i + 2 * d < n else 5
    return weight


cdef inline uint32_t weight_at(const ContextRow* context, int64_t i) noexcept nogil:
    if context.first <= i < context.last:
        return (24 if i & 1 else 22) if context.whole else 20
    return total_weight(i, context.n, context.whole, context.near, context.far)


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
    """The context of a coefficient, those to its left being known."""
    cdef uint32_t sum = context.sums[i]
    cdef uint32_t squares = context.squares[i]
    cdef int64_t d = context.distance
    cdef uint32_t weight = weight_at(context, i)
    if context.whole and i & 1:
        add(&sum, &squares, row[i - 1], 2)
    if context.near and i >= d:
        add(&sum, &squares, row[i - d], 4)
    if context.far and i >= 2 * d:
        add(&sum, &squares, row[i - 2 * d], 2)
    mean[0] = mean_of(sum, weight)
    square[0] = mean_of(squares, weight)
