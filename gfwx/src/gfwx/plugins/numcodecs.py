"""Codec for numcodecs, and by that for Zarr's format 2: ``numcodecs.get_codec({"id": "gfwx"})``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numcodecs.abc import Codec
from numpy.typing import NDArray

from gfwx.codec import decode
from gfwx.errors import ArgumentError, ArgumentTypeError
from gfwx.header import BytesLike, Header
from gfwx.plugins.chunks import ChunkCoding


class Gfwx(ChunkCoding, Codec):
    """Codec of numcodecs for arrays of 2 to 4 dimensions, uint8, int8, uint16 or int16.

    Parameters
    ----------
    axes : str
        As for `ChunkCoding`, with one axis of layers at most: "yx", "yxc", "zyx", "zyxc".
    **options
        As for `ChunkCoding`.
    """

    codec_id = "gfwx"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.layer_axes > 1:
            raise ArgumentError(
                f"numcodecs chunks have one axis of layers at most, got axes '{self.axes}'"
            )

    def get_config(self) -> dict[str, Any]:
        """Return the options, of JSON's types, without `threads`."""
        return {"id": self.codec_id, **self.options()}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Make a codec of its options.

        Parameters
        ----------
        config : mapping
            Of `get_config`, without the "id".

        Raises
        ------
        ArgumentError, ArgumentTypeError
            "axes" are missing, or an option is unknown or cannot be used.
        """
        return cls.from_options(config)

    def encode(self, buf: NDArray[Any]) -> bytes:
        """Encode a chunk.

        Parameters
        ----------
        buf : ndarray
            Chunk with the dimensions that `axes` name. 16-bit samples must be little-endian, and
            the chunk not in Fortran order: decoding cannot know of either, and an array of Zarr's
            format 2 that has them would silently get other samples back.

        Returns
        -------
        bytes
            A GFWX file.

        Raises
        ------
        ArgumentError, ArgumentTypeError
            The chunk cannot be encoded.
        """
        if not isinstance(buf, np.ndarray):
            raise ArgumentTypeError(
                f"a chunk must be a NumPy array with its shape, got {type(buf).__name__}"
            )
        self.check_array(buf.dtype, buf.ndim)
        if buf.dtype != buf.dtype.newbyteorder("<"):
            raise ArgumentError(f"samples must be little-endian, got {buf.dtype.str!r}")
        if buf.flags.fnc:
            raise ArgumentError("a chunk must be in C order, got one in Fortran order")
        return self.encode_chunk(buf)

    def decode(self, buf: BytesLike, out: Any = None) -> Any:
        """Decode a chunk.

        Parameters
        ----------
        buf : bytes-like
            A GFWX file.
        out : ndarray or writable buffer, optional
            Where to write: an array of the chunk's shape and type, or a contiguous buffer of as
            many bytes, which gets the samples in C order.

        Returns
        -------
        ndarray
            The chunk, of the shape and type that the file tells, little-endian; or `out`.

        Raises
        ------
        GfwxError
            As `gfwx.decode` does; ArgumentError if `out` does not fit, and MalformedError if the
            file has layers or channels for which `axes` have no place.
        """
        header = Header.parse(buf)
        shape, dtype = self.chunk_shape(header), header.dtype.newbyteorder("<")
        if out is None:
            image = decode(buf, keep_dims=True, threads=self.threads)
            return image.astype(dtype, copy=False).reshape(shape)
        target = _target(out, shape, dtype)
        layered = target if self.layer_axes else target[np.newaxis]
        decode(
            buf,
            out=layered if self.has_channels else layered[..., np.newaxis],
            keep_dims=True,
            threads=self.threads,
        )
        return out


def _target(out: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """View of the caller's buffer as an array of this shape and type."""
    if isinstance(out, np.ndarray) and (out.shape, out.dtype) == (shape, dtype):
        return out
    try:
        view = memoryview(out).cast("B")
    except (TypeError, ValueError):
        raise ArgumentTypeError(
            f"out must be a contiguous buffer, got {type(out).__name__}"
        ) from None
    size = dtype.itemsize * int(np.prod(shape))
    if view.nbytes != size:
        raise ArgumentError(
            f"out must have {size} bytes, for {dtype} samples of shape {shape}, got {view.nbytes}"
        )
    return np.frombuffer(view, dtype).reshape(shape)
