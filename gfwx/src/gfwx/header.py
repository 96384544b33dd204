"""The header of a GFWX file: what it says, reading it, writing it (format, sections 1-3)."""

from __future__ import annotations

import contextlib
import operator
import os
import struct
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from gfwx.errors import (
    ArgumentError,
    ArgumentTypeError,
    IncompleteDataError,
    MalformedError,
    UnsupportedError,
)
from gfwx.limits import HEADER_SIZE, MAX_CHANNELS, MAX_LAYERS, MAX_METADATA_WORDS, MAX_SIDE

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from typing_extensions import Buffer

BytesLike: TypeAlias = "Buffer | NDArray[Any]"
"""bytes, bytearray, memoryview, mmap, uint8 array: anything contiguous with the buffer protocol."""


class Encoder(StrEnum):
    """Entropy coders (format, section 9), in the order of their codes."""

    TURBO = "turbo"
    FAST = "fast"
    CONTEXTUAL = "contextual"
    HIGH_BITRATE = "high-bitrate"


class Filter(StrEnum):
    """Wavelet filters (format, section 6), in the order of their codes."""

    LINEAR = "linear"
    CUBIC = "cubic"


class Intent(StrEnum):
    """What the channels mean (format, section 3), in the order of their codes."""

    GENERIC = "generic"
    MONO = "mono"
    BAYER_RGGB = "bayer-rggb"
    BAYER_BGGR = "bayer-bggr"
    BAYER_GRBG = "bayer-grbg"
    BAYER_GBRG = "bayer-gbrg"
    BAYER_GENERIC = "bayer-generic"
    RGB = "rgb"
    RGBA = "rgba"
    RGBA_PREMULTIPLIED = "rgba-premultiplied"
    BGR = "bgr"
    BGRA = "bgra"
    BGRA_PREMULTIPLIED = "bgra-premultiplied"
    CMYK = "cmyk"


_ENCODERS: Final = tuple(Encoder)
_INTENTS: Final = tuple(Intent)
# A plain string finds its entry too, since a StrEnum hashes and compares as its value.
_ENCODER_CODES: Final = {encoder: code for code, encoder in enumerate(Encoder)}
_FILTER_CODES: Final = {wavelet: code for code, wavelet in enumerate(Filter)}
_INTENT_CODES: Final = {intent: code for code, intent in enumerate(Intent)}
_RANGES: Final = (
    ("width", 1, MAX_SIDE),
    ("height", 1, MAX_SIDE),
    ("layers", 1, MAX_LAYERS),
    ("channels", 1, MAX_CHANNELS),
    ("bit_depth", 1, 16),
    ("quality", 1, 1024),
    ("chroma_scale", 1, 256),
    ("block_size", 2, 30),
)
_INTEGERS: Final = (*(name for name, *_ in _RANGES), "vertical_levels")
_integers: Final = operator.attrgetter(*_INTEGERS)
_NAMES: Final[dict[str, dict[str, StrEnum]]] = {
    name: {member.value: member for member in names}
    for name, names in (("filter", Filter), ("encoder", Encoder), ("intent", Intent))
}
_FILTERS: Final = (
    (Filter.LINEAR, None),
    (Filter.CUBIC, None),
    *((Filter.LINEAR, levels) for levels in range(2, 9)),
)
_BAYER: Final = frozenset(_INTENTS[2:7])

_UINT8, _INT8, _UINT16, _INT16 = (np.dtype(t) for t in (np.uint8, np.int8, np.uint16, np.int16))
_DEFAULT_BIT_DEPTHS: Final = {_UINT8: 8, _INT8: 7, _UINT16: 16, _INT16: 15}

_MAGIC: Final = b"GFWX"
_WORDS: Final = struct.Struct("<4s7I")
_SMALLEST: Final = _WORDS.pack(_MAGIC, 1, 1, 1, 0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Header:
    """What the header of a file says. Any values can be held; `check` and `pack` refuse bad ones.

    Attributes
    ----------
    width, height : int
        Columns and rows, 1 to 2**30.
    layers, channels : int
        1 to 65536 each. A plane is one channel of one layer.
    bit_depth : int
        Bits that the samples use; together with `signed` it also tells their type.
    signed : bool
        Whether the samples are signed.
    quality : int
        1 to 1024; 1024 is lossless where `chroma_scale` is 1.
    chroma_scale : int
        1 to 256: by how much the quality of chroma planes is divided.
    block_size : int
        Logarithm of the size of blocks, 2 to 30 (33 when read from a file).
    filter : Filter
        Wavelet filter.
    vertical_levels : int or None
        2 to 8 for files cut into bands of rows ("tranches", linear filter only), else None.
    encoder : Encoder
        Entropy coder; Turbo can only be decoded.
    intent : Intent
        What the channels mean. Only the Bayer intents change the coding.
    metadata : bytes
        Bytes of the application's own; in a file they are zero-padded to a multiple of four.
    """

    width: int
    height: int
    layers: int = 1
    channels: int = 1
    bit_depth: int = 8
    signed: bool = False
    quality: int = 1024
    chroma_scale: int = 1
    block_size: int = 7
    filter: Filter = Filter.LINEAR
    vertical_levels: int | None = None
    encoder: Encoder = Encoder.FAST
    intent: Intent = Intent.GENERIC
    metadata: bytes = b""

    def __post_init__(self) -> None:
        # NumPy's integers would overflow in the arithmetic below, and plain strings are welcome.
        # Headers from files, which are many, have neither.
        for name, value in zip(_INTEGERS, _integers(self), strict=True):
            if type(value) not in (int, bool) and hasattr(value, "__index__"):
                with contextlib.suppress(TypeError):  # left to `check`: an array has no index
                    object.__setattr__(self, name, operator.index(value))
        if str in (type(self.filter), type(self.encoder), type(self.intent)):
            for name, names in _NAMES.items():
                value = getattr(self, name)
                if type(value) is str:
                    object.__setattr__(self, name, names.get(value, value))
        if type(self.metadata) is not bytes and isinstance(self.metadata, bytearray | memoryview):
            object.__setattr__(self, "metadata", bytes(self.metadata))

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(layers, height, width, channels) of the picture at full size."""
        return self.layers, self.height, self.width, self.channels

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the samples: the least that holds `bit_depth` (format, section 1)."""
        if self.signed:
            return _INT8 if self.bit_depth <= 8 else _INT16
        return _UINT8 if self.bit_depth <= 8 else _UINT16

    @property
    def default_bit_depth(self) -> int:
        """Bit depth of samples of this type that use their whole range."""
        return _DEFAULT_BIT_DEPTHS[self.dtype]

    @property
    def planes(self) -> int:
        """Number of planes, layers x channels."""
        return self.layers * self.channels

    @property
    def is_bayer(self) -> bool:
        """Whether every plane is a color filter mosaic and coded as one."""
        return self.intent in _BAYER

    @property
    def is_lossless(self) -> bool:
        """Whether decoding gives back the samples that were encoded."""
        return self.quality == 1024 and self.chroma_quality == 1024

    @property
    def chroma_quality(self) -> int:
        """Quality of chroma planes (format, section 1)."""
        return max(1, (self.quality + self.chroma_scale // 2) // self.chroma_scale)

    @property
    def boost(self) -> int:
        """Factor on samples while they are coded: 8, or 1 at quality 1024 (format, section 1)."""
        return 1 if self.quality == 1024 else 8

    @property
    def filter_code(self) -> int:
        """0 linear, 1 cubic, 2 to 8 linear with so many vertical levels (format, section 3)."""
        return self.vertical_levels or _FILTER_CODES[self.filter]

    @property
    def size(self) -> int:
        """Bytes from the start of the file to the end of the padded metadata."""
        return HEADER_SIZE + (len(self.metadata) + 3) // 4 * 4

    @classmethod
    def parse(cls, data: BytesLike) -> Header:
        """Read a header and its metadata from the start of a file.

        Faults are found from the words that are wholly there, so that no prefix of a bad header
        passes for an incomplete one. Metadata are copied only once they are known to be all there.

        Parameters
        ----------
        data : bytes-like
            A file or the beginning of one.

        Returns
        -------
        Header
            What it says.

        Raises
        ------
        IncompleteDataError
            Header or metadata are not wholly there; `next` is where they end.
        MalformedError
            The magic is wrong, or a size is out of range.
        UnsupportedError
            Version, bit depth, filter, quantization, encoder or intent are unknown.
        ArgumentTypeError
            `data` is not contiguous and bytes-like.
        """
        view = byte_view(data)
        present = len(view)
        if present >= HEADER_SIZE:
            words = _WORDS.unpack_from(view)
        else:
            # Words that are not there yet take values in which there is nothing to find fault with.
            start = bytes(view)
            if not _MAGIC.startswith(start[:4]):
                raise MalformedError("not a GFWX file: it does not start with 'GFWX'")
            start = start[: present // 4 * 4]
            words = _WORDS.unpack(start + _SMALLEST[len(start) :])
        magic, version, width, height, counts, coding, codes, metadata_words = words
        if magic != _MAGIC:
            raise MalformedError("not a GFWX file: it does not start with 'GFWX'")
        if version > 1:
            raise UnsupportedError(f"files of version {version} are not supported, only version 1")
        if not 1 <= width <= MAX_SIDE:
            raise MalformedError(f"the header's width is {width}, which is not 1 to {MAX_SIDE}")
        if not 1 <= height <= MAX_SIDE:
            raise MalformedError(f"the header's height is {height}, which is not 1 to {MAX_SIDE}")
        bit_depth = (coding >> 24) + 1
        if bit_depth > 16:
            raise UnsupportedError(f"bit depth {bit_depth} is not supported, only 1 to 16")
        filter_code, quantization, encoder_code, intent_code = codes.to_bytes(4, "big")
        if filter_code >= len(_FILTERS):
            raise UnsupportedError(f"filter {filter_code} is not supported, only 0 to 8")
        if quantization != 0:
            raise UnsupportedError(f"quantization {quantization} is not supported, only 0")
        if encoder_code >= len(_ENCODERS):
            raise UnsupportedError(f"encoder {encoder_code} is not supported, only 0 to 3")
        if intent_code >= len(_INTENTS):
            raise UnsupportedError(f"intent {intent_code} is not supported, only 0 to 13")
        if present < HEADER_SIZE:
            raise IncompleteDataError(
                f"the header has {HEADER_SIZE} bytes, but only {present} are there", HEADER_SIZE
            )
        end = HEADER_SIZE + 4 * metadata_words
        if present < end:
            raise IncompleteDataError(
                f"header and metadata have {end} bytes, but only {present} are there", end
            )
        wavelet, vertical_levels = _FILTERS[filter_code]
        return cls(
            width,
            height,
            (counts >> 16) + 1,
            (counts & 0xFFFF) + 1,
            bit_depth,
            bool(coding >> 23 & 1),
            (coding >> 13 & 0x3FF) + 1,
            (coding >> 5 & 0xFF) + 1,
            (coding & 0x1F) + 2,
            wavelet,
            vertical_levels,
            _ENCODERS[encoder_code],
            _INTENTS[intent_code],
            bytes(view[HEADER_SIZE:end]) if metadata_words else b"",
        )

    def check(self) -> None:
        """Check that these values can be written to a file.

        Raises
        ------
        ArgumentError
            A value is out of range or unknown.
        ArgumentTypeError
            A value has the wrong type.
        """
        for (name, least, most), value in zip(_RANGES, _integers(self), strict=False):
            if type(value) is not int or not least <= value <= most:
                _check_range(name, value, least, most)
        _check_name("filter", self.filter, _FILTER_CODES)
        _check_name("encoder", self.encoder, _ENCODER_CODES)
        _check_name("intent", self.intent, _INTENT_CODES)
        if self.vertical_levels is not None:
            _check_range("vertical_levels", self.vertical_levels, 2, 8)
            if self.filter != Filter.LINEAR:
                raise ArgumentError(f"vertical_levels needs filter 'linear', got '{self.filter}'")
        if not isinstance(self.metadata, bytes | bytearray | memoryview):
            raise ArgumentTypeError(f"metadata must be bytes, got {type(self.metadata).__name__}")
        if self.size > HEADER_SIZE + 4 * MAX_METADATA_WORDS:
            raise ArgumentError("metadata must be shorter than 16 GiB")

    def pack(self) -> bytes:
        """Write the header and its metadata as a file starts with them (format, section 3).

        Returns
        -------
        bytes
            `size` bytes.

        Raises
        ------
        ArgumentError, ArgumentTypeError
            As `check` does.
        """
        self.check()
        start = _WORDS.pack(
            _MAGIC,
            1,
            self.width,
            self.height,
            (self.layers - 1) << 16 | (self.channels - 1),
            (self.bit_depth - 1) << 24
            | bool(self.signed) << 23
            | (self.quality - 1) << 13
            | (self.chroma_scale - 1) << 5
            | (self.block_size - 2),
            self.filter_code << 24 | _ENCODER_CODES[self.encoder] << 8 | _INTENT_CODES[self.intent],
            (len(self.metadata) + 3) // 4,
        )
        if not self.metadata:
            return start
        return b"".join((start, self.metadata, b"\0" * (-len(self.metadata) % 4)))


def choose_bit_depth(dtype: np.dtype[Any], bit_depth: int | None = None) -> int:
    """Bit depth to write into the header of a file with samples of a type.

    Parameters
    ----------
    dtype : numpy.dtype
        uint8, int8, uint16 or int16, of any byte order.
    bit_depth : int, optional
        The caller's wish; by default 8, 7, 16 and 15 for these types.

    Returns
    -------
    int
        The bit depth.

    Raises
    ------
    ArgumentTypeError
        The type is none of the four, or `bit_depth` is no integer.
    ArgumentError
        A reader would take samples of this bit depth for another type (format, section 1).
    """
    default = _DEFAULT_BIT_DEPTHS.get(dtype.newbyteorder("="))
    if default is None:
        raise ArgumentTypeError(f"samples must be uint8, int8, uint16 or int16, got {dtype}")
    if bit_depth is None:
        return default
    least = 1 if dtype.itemsize == 1 else 9
    name = f"bit_depth of {dtype.newbyteorder('=')} samples"
    _check_range(name, bit_depth, least, least + 7)
    return operator.index(bit_depth)


def byte_view(data: BytesLike) -> memoryview:
    """View of any contiguous buffer as bytes, without a copy.

    Parameters
    ----------
    data : bytes-like
        bytes, bytearray, memoryview, mmap, uint8 array.

    Returns
    -------
    memoryview
        One dimension, format "B".

    Raises
    ------
    ArgumentTypeError
        `data` is not bytes-like, or not contiguous.
    """
    try:
        view = memoryview(data)  # type: ignore[arg-type,unused-ignore]
        # `cast` knows no arrays without elements.
        return view.cast("B") if view.nbytes else memoryview(b"")
    except (TypeError, ValueError, BufferError):
        hint = "; imread takes the path of a file" if isinstance(data, str | os.PathLike) else ""
        raise ArgumentTypeError(
            f"data must be contiguous and bytes-like, got {type(data).__name__}{hint}"
        ) from None


def _check_range(name: str, value: int, least: int, most: int) -> None:
    try:
        index = operator.index(value)
    except TypeError:
        raise ArgumentTypeError(f"{name} must be an integer, got {value!r}") from None
    if value is True or value is False:  # meant for another argument
        raise ArgumentTypeError(f"{name} must be an integer, got {value!r}")
    if not least <= index <= most:
        raise ArgumentError(f"{name} must be {least}..{most}, got {index}")


def _check_name(name: str, value: str, codes: dict[Any, int]) -> None:
    if not isinstance(value, str):
        raise ArgumentTypeError(f"{name} must be a string, got {value!r}")
    if value not in codes:
        known = ", ".join(f"'{known}'" for known in codes)
        raise ArgumentError(f"{name} must be one of {known}, got '{value}'")
