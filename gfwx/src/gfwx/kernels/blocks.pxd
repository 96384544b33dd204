"""Blocks of a level and the coefficients inside (format, section 8)."""
from libc.stdint cimport int64_t, uint8_t

from gfwx.kernels.geometry cimport (
    Component, Lattice, Memory, coefficient_t, lattice_at, place_of, zero_flag,
)


cdef struct Level:  # one level of one tranche, for all planes
    int level               # in the picture being made
    int levels              # that a component has there
    int64_t tranche
    int64_t block_columns   # blocks across, and down
    int64_t block_rows
    int block_bits          # a component's block has 2^block_bits rows and columns of the lattice
    int encoder
    int quality
    int chroma_quality
    int64_t step            # in the full-size picture, doubled in Bayer mode
    const Memory* memory
    const Component* components
    int component_count     # 1, or 4 in Bayer mode, in coding order
    const uint8_t* chroma   # of each plane


cdef inline Level level_of(
    const int64_t* fields, const Memory* memory, const Component* components, int component_count,
    const uint8_t* chroma,
) noexcept nogil:
    """From the fields that ``Layout.describe`` gives."""
    cdef Level level
    level.level = <int>fields[0]
    level.levels = <int>fields[1]
    level.tranche = fields[2]
    level.block_columns = fields[3]
    level.block_rows = fields[4]
    level.block_bits = <int>fields[5]
    level.encoder = <int>fields[6]
    level.quality = <int>fields[7]
    level.chroma_quality = <int>fields[8]
    level.step = fields[9]
    level.memory = memory
    level.components = components
    level.component_count = component_count
    level.chroma = chroma
    return level


cdef struct Block:  # the part of a block that lies in one component
    const Memory* memory
    const Component* component
    Lattice lattice
    int level
    int levels
    int64_t plane
    int64_t first_row   # of the lattice
    int64_t last_row
    int64_t first_column
    int64_t last_column
    int64_t high_start  # of the first row's coded coefficients
    int64_t odd_start   # of the second row's, if rows are split into pairs
    int block_bits
    bint has_dc
    int64_t zero_flag   # its place at the finest level, if it is split; else -1
    bint chroma
    int quality


cdef inline int64_t row_or_pair(const Lattice* lattice, int64_t row) noexcept nogil:
    return row >> 1 if lattice.split else row


cdef inline Block block_at(const Level* level, int64_t index, int component) noexcept nogil:
    """Block ``index`` in the order plane, block row, block column."""
    cdef Block block
    cdef int64_t x = index % level.block_columns
    cdef int64_t y = index // level.block_columns % level.block_rows
    cdef int64_t plane = index // (level.block_columns * level.block_rows)
    cdef int64_t size = (<int64_t>1) << level.block_bits
    cdef int64_t tranche_rows = 1
    block.memory = level.memory
    block.component = level.components + component
    block.lattice = lattice_at(level.memory, block.component, level.level)
    if block.lattice.split:
        tranche_rows = (<int64_t>1) << (block.component.split_levels - level.level)
    block.level = level.level
    block.levels = level.levels
    block.plane = plane
    block.first_row = level.tranche * tranche_rows + y * size
    block.last_row = min(
        block.first_row + size, min((level.tranche + 1) * tranche_rows, block.lattice.rows))
    block.first_column = x * size
    block.last_column = min(block.first_column + size, block.lattice.columns)
    block.high_start = (block.first_column >> 1) + place_of(
        &block.lattice.high, plane, row_or_pair(&block.lattice, block.first_row))
    block.odd_start = 0
    if block.lattice.split:
        block.odd_start = block.first_column + place_of(
            &block.lattice.odd, plane, block.first_row >> 1)
    block.block_bits = level.block_bits
    block.zero_flag = -1
    if level.level == 0 and block.lattice.split:
        block.zero_flag = x + zero_flag(
            level.memory, plane * level.component_count + component, block.first_row)
    block.chroma = component > 0 if level.component_count > 1 else level.chroma[plane]
    block.quality = level.chroma_quality if block.chroma else level.quality
    block.has_dc = (
        level.level == level.levels - 1 and x == 0 and y == 0
        and block.first_row < block.last_row and block.first_column < block.last_column)
    return block


cdef inline bint is_whole_row(const Block* block, int64_t row) noexcept nogil:
    """Whether all columns of this row are coded at this level, else the odd ones."""
    return block.lattice.split and row & 1


cdef inline int64_t row_start(const Block* block, int64_t row) noexcept nogil:
    """Where the coded coefficients of a row lie. A ring ends with a block, never within one."""
    cdef int64_t start = block.odd_start if is_whole_row(block, row) else block.high_start
    return start + row_or_pair(&block.lattice, row - block.first_row) * block.lattice.high.stride


cdef inline int64_t row_length(const Block* block, int64_t row) noexcept nogil:
    if block.last_column <= block.first_column:
        return 0
    if is_whole_row(block, row):
        return block.last_column - block.first_column
    return (block.last_column >> 1) - (block.first_column >> 1)


cdef inline int64_t pass_length(const Block* block) noexcept nogil:
    """Coefficients of a pass."""
    cdef int64_t rows = block.last_row - block.first_row
    cdef int64_t whole_rows = rows >> 1 if block.lattice.split else 0
    if rows <= 0 or block.last_column <= block.first_column:
        return 0
    return (
        (rows - whole_rows) * row_length(block, block.first_row)
        + (whole_rows * row_length(block, block.first_row + 1) if whole_rows > 0 else 0))


cdef inline int64_t most_in_pass(int block_bits) noexcept nogil:
    """Coefficients of a pass at most, three in four, rounded up."""
    return ((<int64_t>3 << 2 * block_bits >> 2) + 63) & ~63


cdef inline void mark_zeros(
    const Block* block, coefficient_t* coefficients, bint zeros
) noexcept nogil:
    """Tell, if it is to be told, whether all of a decoded pass is zeros."""
    if block.zero_flag >= 0:
        coefficients[block.zero_flag] = zeros


cdef inline int64_t dc_place(const Block* block) noexcept nogil:
    return place_of(
        &block.lattice.low, block.plane, row_or_pair(&block.lattice, block.first_row))
