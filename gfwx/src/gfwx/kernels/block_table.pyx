"""Tables of lengths: finding the blocks of a file, and putting a file together (section 8)."""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport INT64_MAX, int32_t, int64_t, uint8_t, uint32_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy

import numpy as np

from gfwx.kernels.bits cimport get_word, put_word
from gfwx.kernels.block_data cimport BlockData
from gfwx.kernels.pages cimport prefer_huge_pages

cdef enum:
    LEVEL_FIELDS = 7
    FIRST_BLOCK = 4


cdef struct Picture:
    int64_t width
    int64_t height
    int64_t planes
    int64_t tranche_height
    int64_t tranches
    int64_t levels
    int64_t block_size


cdef struct Table:  # grows as levels are found
    int64_t* levels
    int64_t level_count
    int64_t level_room
    int64_t* offsets
    uint32_t* lengths
    int64_t block_count
    int64_t block_room


cdef inline int64_t blocks_across(int64_t size, int64_t level, int64_t block_size) noexcept nogil:
    cdef int64_t shift = min(level + block_size, <int64_t>62)
    return (size + ((<int64_t>1) << shift) - 1) >> shift


cdef int make_room(Table* table, int64_t blocks) noexcept nogil:
    """For one level more, of so many blocks; -1 if there is no memory."""
    cdef int64_t room
    cdef void* memory
    if table.level_count == table.level_room:
        room = 2 * table.level_room + 16
        memory = realloc(table.levels, room * LEVEL_FIELDS * sizeof(int64_t))
        if memory == NULL:
            return -1
        table.levels = <int64_t*>memory
        table.level_room = room
    if table.block_room - table.block_count < blocks:
        room = 2 * table.block_room + blocks
        memory = realloc(table.offsets, room * sizeof(int64_t))
        if memory == NULL:
            return -1
        table.offsets = <int64_t*>memory
        memory = realloc(table.lengths, room * sizeof(uint32_t))
        if memory == NULL:
            return -1
        table.lengths = <uint32_t*>memory
        table.block_room = room
    return 0


cdef int64_t find_level(
    Table* table, const uint8_t* data, int64_t size, int64_t position, int64_t blocks,
    int64_t* present,
) noexcept nogil:
    """Read a table that is wholly there; where the level ends, held to half of what an integer
    holds."""
    cdef int64_t block
    cdef int64_t end = position + 4 * blocks
    cdef uint32_t length
    present[0] = 0
    for block in range(blocks):
        length = get_word(data + position + 4 * block)
        if table != NULL:
            table.offsets[table.block_count + block] = end
            table.lengths[table.block_count + block] = length
        end = min(end + 4 * <int64_t>length, INT64_MAX >> 1)
        present[0] += end <= size
    return end


cdef int64_t find_levels(
    Table* table, const uint8_t* data, int64_t size, int64_t position, const Picture* picture,
    int64_t downsampling, bint* missing,
) noexcept nogil:
    """Fill the table. Returns -2 without memory, -1 if the tables of all levels that are needed
    are there, else where the first table ends that is not."""
    cdef int64_t tranche, level, rows, columns, block_rows, blocks, end
    cdef int64_t present = 0
    cdef int64_t* fields
    missing[0] = False
    for tranche in range(picture.tranches):
        rows = min(
            picture.tranche_height, picture.height - tranche * picture.tranche_height)
        level = picture.levels - 1
        while level >= 0:
            columns = blocks_across(picture.width, level, picture.block_size)
            block_rows = blocks_across(rows, level, picture.block_size)
            blocks = columns * block_rows
            if position > size or blocks > ((size - position) >> 2) // picture.planes:
                if level >= downsampling or tranche + 1 < picture.tranches:
                    # Held to what an integer holds: at most 65536 planes.
                    blocks = min(blocks, <int64_t>1 << 40)
                    return position + 4 * blocks * picture.planes
                return -1
            blocks *= picture.planes
            if level >= downsampling:
                if make_room(table, blocks):
                    return -2
                end = find_level(table, data, size, position, blocks, &present)
                fields = table.levels + LEVEL_FIELDS * table.level_count
                fields[0] = tranche
                fields[1] = level
                fields[2] = columns
                fields[3] = block_rows
                fields[FIRST_BLOCK] = table.block_count
                fields[5] = present
                fields[6] = end
                table.level_count += 1
                table.block_count += blocks
                missing[0] = missing[0] or end > size
            else:
                end = find_level(NULL, data, size, position, blocks, &present)
            position = end
            level -= 1
    return -1


def find_blocks(
    const uint8_t[::1] data, int64_t start, int64_t width, int64_t height, int64_t planes,
    int64_t tranche_height, int64_t levels, int64_t block_size, int64_t downsampling,
):
    """Find the blocks that a picture needs in a file or its beginning.

    Parameters
    ----------
    data
        The bytes.
    start
        Where the first level begins.
    width, height, planes, tranche_height, levels, block_size
        Geometry of the full-size picture.
    downsampling
        Logarithm of the factor by which the picture is made smaller.

    Returns
    -------
    levels : ndarray of int64, (levels, 7)
        The needed levels whose table is there, in the order of the file: tranche, level, block
        columns, block rows of a plane, blocks before it in `offsets`, how many of its blocks, from
        the first, are wholly there, byte after the last.
    offsets : ndarray of int64
        Byte at which each block begins.
    lengths : ndarray of uint32
        Words in each block.
    complete : bool
        Whether nothing is missing.
    table_end : int
        Where the first table ends that is missing and has to be read, be it of a level to pass
        over; -1 if there is none.
    """
    cdef Table table = Table(NULL, 0, 0, NULL, NULL, 0, 0)
    cdef Picture picture = Picture(
        width, height, planes, tranche_height, (height + tranche_height - 1) // tranche_height,
        levels, block_size)
    cdef int64_t result
    cdef bint missing = False
    cdef int64_t[:, ::1] found_levels
    cdef int64_t[::1] found_offsets
    cdef uint32_t[::1] found_lengths
    try:
        with nogil:
            result = find_levels(
                &table, &data[0], data.shape[0], start, &picture, downsampling, &missing)
        if result == -2:
            raise MemoryError
        level_array = np.empty((table.level_count, LEVEL_FIELDS), np.int64)
        offset_array = np.empty(table.block_count, np.int64)
        length_array = np.empty(table.block_count, np.uint32)
        if table.level_count > 0:
            found_levels = level_array
            found_offsets = offset_array
            found_lengths = length_array
            memcpy(
                &found_levels[0, 0], table.levels,
                table.level_count * LEVEL_FIELDS * sizeof(int64_t))
            memcpy(&found_offsets[0], table.offsets, table.block_count * sizeof(int64_t))
            memcpy(&found_lengths[0], table.lengths, table.block_count * sizeof(uint32_t))
    finally:
        free(table.levels)
        free(table.offsets)
        free(table.lengths)
    return level_array, offset_array, length_array, result == -1 and not missing, result


def new_file(bytes start, const uint32_t[::1] lengths):
    """Make a file with room for the tables and data of levels, which `write_blocks` writes.

    Parameters
    ----------
    start
        All that comes before the first level.
    lengths
        For each block, how many words it has.

    Returns
    -------
    bytes
        The file; not to be used before all blocks are written.
    """
    cdef int64_t block
    cdef int64_t size = PyBytes_GET_SIZE(start)
    for block in range(lengths.shape[0]):
        size += 4 + 4 * <int64_t>lengths[block]
    file = PyBytes_FromStringAndSize(NULL, size)
    cdef char* place = PyBytes_AS_STRING(file)
    prefer_huge_pages(place, size)
    memcpy(place, PyBytes_AS_STRING(start), PyBytes_GET_SIZE(start))
    return file


def write_blocks(
    bytes file, int64_t start_size, const int64_t[:, ::1] levels, list chunks,
    const int32_t[::1] chunk_of, const int64_t[::1] offsets, const uint32_t[::1] lengths,
    int64_t first_block, int64_t last_block,
):
    """Write some blocks of a new file, and their part of the tables.

    Parameters
    ----------
    file
        From `new_file`.
    start_size
        Bytes before the first level.
    levels
        All levels, as `find_blocks` finds them in the file.
    chunks
        BlockData.
    chunk_of, offsets, lengths
        For each block, in the order of the file: in which chunk it is, at which byte it begins
        there, and how many words it has.
    first_block, last_block
        Which blocks.
    """
    cdef int64_t level, block, first, last
    cdef int64_t words = 0  # of all blocks before
    cdef Py_ssize_t number
    cdef uint8_t* levels_start = <uint8_t*>PyBytes_AS_STRING(file) + start_size
    cdef uint8_t* table
    cdef const uint8_t** sources = <const uint8_t**>malloc(
        max(1, len(chunks)) * sizeof(uint8_t*))
    if sources == NULL:
        raise MemoryError
    try:
        for number in range(len(chunks)):
            sources[number] = (<BlockData>chunks[number]).memory
        with nogil:
            for level in range(levels.shape[0]):
                first = levels[level, FIRST_BLOCK]
                last = lengths.shape[0]
                if level + 1 < levels.shape[0]:
                    last = levels[level + 1, FIRST_BLOCK]
                table = levels_start + 4 * (first + words)
                for block in range(first, min(last, last_block)):
                    if block >= first_block:
                        put_word(table + 4 * (block - first), lengths[block])
                        memcpy(
                            levels_start + 4 * (last + words),
                            sources[chunk_of[block]] + offsets[block],
                            4 * <int64_t>lengths[block])
                    words += lengths[block]
    finally:
        free(sources)
