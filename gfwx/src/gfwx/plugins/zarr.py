"""Array-to-bytes codec for Zarr's format 3: the serializer of an array.

>>> from gfwx.plugins.zarr import GfwxCodec
>>> zarr.create_array(..., serializer=GfwxCodec(axes="zyx"), compressors=None)  # doctest: +SKIP
"""

from __future__ import annotations

import asyncio
from math import prod
from typing import TYPE_CHECKING, Any, Final, Self

from zarr.abc.codec import ArrayBytesCodec

from gfwx.errors import ArgumentError
from gfwx.limits import DEFAULT_MAX_PIXELS
from gfwx.plugins.chunks import ChunkCoding

if TYPE_CHECKING:
    from zarr.core.array_spec import ArraySpec
    from zarr.core.buffer import Buffer, NDBuffer

NAME: Final = "gfwx.image"
"""Name of the codec in the metadata of arrays."""


class GfwxCodec(ChunkCoding, ArrayBytesCodec):
    """Codec of Zarr's format 3 for arrays of uint8, int8, uint16 or int16.

    Parameters
    ----------
    axes : str
        As for `ChunkCoding`: what the axes of a chunk are when it comes to this codec, thus after
        a transpose codec.
    **options
        As for `ChunkCoding`.
    """

    is_fixed_size = False

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Make a codec of what an array's metadata say.

        Raises
        ------
        ArgumentError, ArgumentTypeError
            It is not this codec, "axes" are missing, or an option is unknown or cannot be used.
        """
        if data.get("name") != NAME:
            raise ArgumentError(f"the codec's name must be '{NAME}', got {data.get('name')!r}")
        return cls.from_options(data.get("configuration", {}))

    def to_dict(self) -> dict[str, Any]:
        """Name and options as an array's metadata store them."""
        return {"name": NAME, "configuration": self.options()}

    def evolve_from_array_spec(self, array_spec: ArraySpec) -> Self:
        """Check the array's type and number of dimensions, and return this codec.

        Here rather than in `validate`, which is not called for the codecs of a shard.
        """
        self.check_array(array_spec.dtype.to_native_dtype(), len(array_spec.shape))
        return self

    def validate(self, *, shape: tuple[int, ...], dtype: Any, chunk_grid: Any) -> None:
        """Check that chunks are not larger than the limits of gfwx.

        The shape is checked no further, as it may be one before a transpose codec.
        """
        chunk = getattr(chunk_grid, "chunk_shape", ())
        if prod(chunk) > DEFAULT_MAX_PIXELS:
            raise ArgumentError(
                f"a chunk can have {DEFAULT_MAX_PIXELS} samples, got {prod(chunk)} in {chunk}"
            )

    def compute_encoded_size(self, input_byte_length: int, chunk_spec: ArraySpec) -> int:
        """Not known before a chunk is encoded."""
        raise NotImplementedError

    async def _encode_single(self, chunk_data: NDBuffer, chunk_spec: ArraySpec) -> Buffer:
        data = await asyncio.to_thread(self.encode_chunk, chunk_data.as_numpy_array())
        return chunk_spec.prototype.buffer.from_bytes(data)

    async def _decode_single(self, chunk_data: Buffer, chunk_spec: ArraySpec) -> NDBuffer:
        chunk: Any = await asyncio.to_thread(
            self.decode_chunk,
            chunk_data.as_numpy_array(),
            chunk_spec.shape,
            chunk_spec.dtype.to_native_dtype(),
        )
        return chunk_spec.prototype.nd_buffer.from_ndarray_like(chunk)
