"""What the kernels need to know of a picture's coding, handed to them in one piece."""
from libc.stdint cimport int32_t, int64_t, uint8_t

from gfwx.kernels.geometry cimport Component


cdef class CodingTables:
    """Description of a picture's coding.

    Parameters
    ----------
    components : ndarray of int64, (1 or 4, 12)
        The table of ``layout.py``: one row, or four in Bayer mode.
    levels : int
        Number of levels of the picture being made, the finest included.
    factors : ndarray of int32, (1 or 4, 2, 32)
        Quantization by component, chroma flag and level.
    shift : int
        Factors are in units of 1 / 2^shift.
    cubic : bool
        The filter.
    chroma : ndarray of uint8, (planes,)
        Flag of each plane.
    steps, reversed_steps : ndarray of int32
        Channel-transform program, and with its steps in reverse order; end mark included.
    signed : bool
        Whether the samples are signed.
    boost : int
        What each sample is multiplied by, 1 or 8.
    tolerance : int
        Of the Bayer clean-up; 0 for none.
    green_parity : int
        Of row + column where the clean-up works.
    """

    def __init__(
        self, const int64_t[:, ::1] components, int levels, const int32_t[:, :, ::1] factors,
        int shift, bint cubic, const uint8_t[::1] chroma, const int32_t[::1] steps,
        const int32_t[::1] reversed_steps, bint signed, int boost, int tolerance,
        int green_parity,
    ):
        self.arrays = components, factors, chroma, steps, reversed_steps
        self.coding = Coding(
            <const Component*>&components[0, 0], components.shape[0], levels, &factors[0, 0, 0],
            shift, cubic, &chroma[0], &steps[0], &reversed_steps[0], signed, boost, tolerance,
            green_parity)
