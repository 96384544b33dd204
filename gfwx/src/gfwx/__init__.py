"""GFWX: a fast wavelet codec for images, lossless and lossy, 8 and 16 bits, color and Bayer.

>>> import gfwx
>>> data = gfwx.encode(image)  # doctest: +SKIP
>>> same = gfwx.decode(data)  # doctest: +SKIP
"""

from importlib.metadata import version as _version

from gfwx import transforms
from gfwx.codec import decode, encode
from gfwx.errors import (
    ArgumentError,
    ArgumentTypeError,
    GfwxError,
    IncompleteDataError,
    LimitError,
    MalformedError,
    UnsupportedError,
)
from gfwx.files import imread, imwrite, read_header, read_metadata
from gfwx.header import Encoder, Filter, Header, Intent
from gfwx.metadata import Metadata, MetadataWarning, checksum
from gfwx.scratch import release_memory
from gfwx.sequences import SequenceReader, SequenceWriter

__version__ = _version("gfwx")

__all__ = [
    "ArgumentError",
    "ArgumentTypeError",
    "Encoder",
    "Filter",
    "GfwxError",
    "Header",
    "IncompleteDataError",
    "Intent",
    "LimitError",
    "MalformedError",
    "Metadata",
    "MetadataWarning",
    "SequenceReader",
    "SequenceWriter",
    "UnsupportedError",
    "__version__",
    "checksum",
    "decode",
    "encode",
    "imread",
    "imwrite",
    "read_header",
    "read_metadata",
    "release_memory",
    "transforms",
]
