"""How chunks of arrays are coded as GFWX files: what the codecs for numcodecs and Zarr share."""

from __future__ import annotations

import operator
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from math import prod
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from gfwx import threads as thread_pool
from gfwx import transforms
from gfwx.arguments import make_header
from gfwx.codec import decode, encode
from gfwx.errors import ArgumentError, ArgumentTypeError, MalformedError
from gfwx.header import BytesLike, Header, choose_bit_depth
from gfwx.limits import MAX_PLANES

_AXES: Final = re.compile("([a-z]*)yx(c?)")
_NUMBERS: Final = ("quality", "vertical_levels", "chroma_scale", "block_size", "bit_depth")
_NAMES: Final = ("encoder", "filter", "intent")


@dataclass(frozen=True, kw_only=True)
class ChunkCoding:
    """How the chunks of an array are coded; each becomes a GFWX file of its own.

    Parameters
    ----------
    axes : str
        What the axes of a chunk are, a letter each and in their order: any number of axes that
        become layers (as "z", "t"), then "yx", then "c" where the last axis has channels. So "yx",
        "yxc", "zyx", "zyxc". Layers are coded apart from each other. A "c" before "yx" is an axis
        like "z", and its channels are coded apart, without a color transform.
    quality, encoder, filter, vertical_levels, chroma_scale, block_size
        As for `gfwx.encode`.
    intent, transform, bit_depth
        As for `gfwx.encode`.
    threads : int or None, default 1
        Threads that code a chunk; None for all cores where it is large. One, since the libraries
        that read and write chunks do so with several at the same time. It is of a process, not of
        the data, so that it is not stored with the other options, nor compared.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        An option cannot be used.
    """

    axes: str
    quality: int = 1024
    encoder: str = "auto"
    filter: str = "linear"
    vertical_levels: int | None = None
    chroma_scale: int = 1
    block_size: int = 7
    intent: str | None = None
    transform: transforms.Transform = "auto"
    bit_depth: int | None = None
    threads: int | None = field(default=1, compare=False)

    def __post_init__(self) -> None:
        self._check_axes()
        channels = 3 if self.has_channels else 1
        header = make_header(
            np.zeros((1, 1, 1, channels), np.uint16 if _wide(self.bit_depth) else np.uint8),
            metadata=b"",
            **{name: getattr(self, name) for name in (*_NUMBERS, *_NAMES)},
        )
        thread_pool.resolve(self.threads, 1)
        # The number of planes is the chunk's, against which `encode` holds the numbers.
        named = self.transform is None or isinstance(self.transform, str)
        program = transforms.resolve(
            self.transform, header.intent, channels if named else MAX_PLANES, 1
        )
        # As JSON gives them back.
        for name in _NUMBERS:
            if (number := getattr(self, name)) is not None:
                object.__setattr__(self, name, operator.index(number))
        for name in _NAMES:
            if (value := getattr(self, name)) is not None:
                object.__setattr__(self, name, str(value))
        if not named:
            object.__setattr__(self, "transform", program)

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> Self:
        """Make one of what `options` gave, or of options that someone else wrote.

        Raises
        ------
        ArgumentError, ArgumentTypeError
            "axes" are missing, or an option is unknown or cannot be used.
        """
        known = [one.name for one in fields(cls)]
        if unknown := sorted(set(options) - set(known)):
            raise ArgumentError(
                f"unknown options {', '.join(map(repr, unknown))}; there are {', '.join(known)}"
            )
        if "axes" not in options:
            raise ArgumentError("the option axes is missing: 'yx', 'yxc', 'zyx', 'zyxc' and so on")
        return cls(**options)

    def options(self) -> dict[str, Any]:
        """Options as they are stored with an array: all but `threads`, of JSON's types."""
        stored = {one.name: getattr(self, one.name) for one in fields(self) if one.compare}
        if isinstance(stored["transform"], tuple):
            stored["transform"] = list(stored["transform"])
        return stored

    @property
    def has_channels(self) -> bool:
        """Whether the last axis has channels."""
        return self.axes.endswith("c")

    @property
    def layer_axes(self) -> int:
        """Number of axes, the first ones, that become layers."""
        return len(self.axes) - 2 - self.has_channels

    def check_array(self, dtype: np.dtype[Any], dimensions: int) -> None:
        """Check that arrays of a type and number of dimensions have chunks that can be coded.

        Raises
        ------
        ArgumentTypeError
            The type is none of uint8, int8, uint16 and int16.
        ArgumentError
            The number of dimensions is not that of `axes`, or the type not that of `bit_depth`.
        """
        choose_bit_depth(dtype, self.bit_depth)
        if dimensions != len(self.axes):
            raise ArgumentError(
                f"axes '{self.axes}' are for {len(self.axes)} dimensions, got {dimensions}"
            )

    def encode_chunk(self, chunk: NDArray[Any]) -> bytes:
        """Encode a chunk.

        Raises
        ------
        ArgumentError, ArgumentTypeError
            As `check_array` and `gfwx.encode` do.
        """
        self.check_array(chunk.dtype, chunk.ndim)
        options = {name: getattr(self, name) for name in (*_NUMBERS, *_NAMES)}
        image = chunk.reshape(self._picture_shape(chunk.shape))
        return encode(image, transform=self.transform, threads=self.threads, **options)

    def decode_chunk(
        self, data: BytesLike, shape: tuple[int, ...], dtype: np.dtype[Any]
    ) -> NDArray[Any]:
        """Decode a chunk whose shape and type are known.

        Raises
        ------
        MalformedError
            The chunk is of another shape or type, or no GFWX file.
        GfwxError
            As `gfwx.decode` does.
        """
        header = Header.parse(data)
        expected = self._picture_shape(shape)
        if header.shape != expected or header.dtype != dtype.newbyteorder("="):
            raise MalformedError(
                f"the chunk holds {header.dtype} samples of shape {header.shape}, but the array's "
                f"chunks have {dtype.newbyteorder('=')} samples of shape {expected} (layers, "
                "height, width, channels)"
            )
        image = decode(data, keep_dims=True, threads=self.threads, max_pixels=prod(expected))
        return image.reshape(shape)

    def chunk_shape(self, header: Header) -> tuple[int, ...]:
        """Shape of the chunk in a file, for `axes` with one axis of layers at most.

        Raises
        ------
        MalformedError
            The file has layers or channels for which `axes` have no place.
        """
        if header.layers > 1 and self.layer_axes == 0:
            raise MalformedError(
                f"the chunk has {header.layers} layers, for which axes '{self.axes}' have no place"
            )
        if header.channels > 1 and not self.has_channels:
            raise MalformedError(
                f"the chunk has {header.channels} channels, for which axes '{self.axes}' have no "
                "place"
            )
        shape = header.shape if self.layer_axes else header.shape[1:]
        return shape if self.has_channels else shape[:-1]

    def _check_axes(self) -> None:
        if not isinstance(self.axes, str):
            raise ArgumentTypeError(f"axes must be a string, got {self.axes!r}")
        if not _AXES.fullmatch(self.axes) or len(set(self.axes)) < len(self.axes):
            raise ArgumentError(
                "axes must be different letters: layers, if any, then 'yx', then 'c' for channels, "
                f"as 'yx', 'yxc', 'zyx', 'zyxc', 'tczyx'; got '{self.axes}'"
            )

    def _picture_shape(self, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
        layers = prod(shape[: self.layer_axes])
        height, width = shape[self.layer_axes : self.layer_axes + 2]
        return layers, height, width, shape[-1] if self.has_channels else 1


def _wide(bit_depth: int | None) -> bool:
    """Whether a bit depth is one of 16-bit types."""
    try:
        return bit_depth is not None and operator.index(bit_depth) > 8
    except TypeError:
        return False  # for `make_header` to refuse
