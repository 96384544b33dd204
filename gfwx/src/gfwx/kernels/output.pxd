"""How rows leave synthesis for the picture: colors, Bayer clean-up (format, sections 5 and 10)."""
from libc.stdint cimport int32_t, int64_t

from gfwx.kernels.geometry cimport coefficient_t
from gfwx.kernels.planes cimport Picture, apply_program, store_row


cdef struct Output:  # where the finest level's rows go
    Picture picture
    const int32_t* program
    int64_t row_stride
    int64_t plane_stride    # four rows, so that clean-up sees those above and below
    void* rows
    void* total             # a row for the color program
    void* cleaned           # rows of all planes
    int tolerance           # T of the Bayer clean-up; 0: none
    int green_parity        # of x + y at green sites
    int64_t first_row       # of the band
    int64_t last_row


cdef inline void finish_row(Output* output, coefficient_t* unit, int64_t y) noexcept nogil:
    """Row y is in the output's rows: invert the color program; store it, or clean the row above."""
    cdef coefficient_t* rows = <coefficient_t*>output.rows
    apply_program(
        rows + (y & 3) * output.row_stride, output.plane_stride, output.picture.columns,
        output.program, <coefficient_t*>output.total, True)
    if output.tolerance == 0:
        store(output, unit, y, y)
        return
    if y > 0:
        clean(output, unit, y - 1)
    if y == output.picture.rows - 1:
        clean(output, unit, y)


cdef inline void store(Output* output, coefficient_t* unit, int64_t y, int64_t slot) noexcept nogil:
    if output.first_row <= y < output.last_row:
        store_row(
            <coefficient_t*>output.rows + (slot & 3) * output.row_stride, output.plane_stride,
            &output.picture, y)


cdef inline void clean(Output* output, coefficient_t* unit, int64_t y) noexcept nogil:
    """Bayer clean-up of row y, the rows above and below being there (section 10)."""
    cdef int64_t plane, x, i
    cdef int32_t tolerance = output.tolerance
    cdef int32_t boost = output.picture.boost
    cdef int32_t s, total, n
    cdef int32_t diagonal[4]
    cdef const coefficient_t* above
    cdef const coefficient_t* row
    cdef const coefficient_t* below
    cdef coefficient_t* cleaned
    cdef Output aside = output[0]
    if not output.first_row <= y < output.last_row:
        return
    if y == 0 or y == output.picture.rows - 1:
        store(output, unit, y, y)
        return
    for plane in range(output.picture.layers * output.picture.channels):
        row = <coefficient_t*>output.rows + plane * output.plane_stride
        above = row + ((y - 1) & 3) * output.row_stride
        below = row + ((y + 1) & 3) * output.row_stride
        row += (y & 3) * output.row_stride
        cleaned = <coefficient_t*>output.cleaned + plane * output.plane_stride
        for x in range(output.picture.columns):
            cleaned[x] = row[x]
        x = 1 if (1 + y) & 1 == output.green_parity else 2
        while x < output.picture.columns - 1:
            s = row[x]
            diagonal[0] = above[x - 1]
            diagonal[1] = above[x + 1]
            diagonal[2] = below[x - 1]
            diagonal[3] = below[x + 1]
            total = 4 * s
            n = 4
            for i in range(4):
                if -tolerance <= s - diagonal[i] <= tolerance:
                    total += diagonal[i]
                    n += 1
            # Divided by the boost here, the remainder lost toward zero as the format has it;
            # multiplied again so that every row is stored in one way.
            cleaned[x] = <coefficient_t>((total + n / 2) / (n * boost) * boost)
            x += 2
    aside.rows = output.cleaned
    store(&aside, unit, y, 0)
