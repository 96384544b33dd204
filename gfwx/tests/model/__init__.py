"""A slow, plain model of the whole GFWX format: the tests' second opinion.

It follows the text of the format section by section and shares no code with the `gfwx` package.
Coefficients live in full-size planes, addressed by x, y and step as in the text; only lifting and
quantization are vectorized. Arguments are taken to be valid. Integer codes (filter, encoder,
intent) are those of the header.

========================  ============================================================
`arithmetic`              C's integers
`bits`                    words, bits and codes for numbers (sections 2 and 4)
`header`                  the header and what follows from it (sections 1 and 3)
`transforms`              channel-transform programs (section 5)
`wavelet`, `quantization` sections 6 and 7
`levels`                  tranches, levels and blocks (section 8)
`passes`                  coding one pass (section 9)
`codec`                   encode and decode, also in part and downsampled (section 10)
========================  ============================================================
"""

from .arithmetic import MalformedError
from .codec import decode, encode

__all__ = ["MalformedError", "decode", "encode"]
