"""The codecs that are compared, each as the options with which zarr creates an array."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from zarr.abc.codec import ArrayBytesCodec
from zarr.codecs import BloscCodec

from gfwx.plugins.zarr import GfwxCodec

Array = NDArray[Any]


@dataclass(frozen=True)
class PlaneCodec(ArrayBytesCodec):  # type: ignore[misc,unused-ignore]
    """A lossless codec of imagecodecs for chunks of one plane, on one thread."""

    name: str
    encode_plane: Callable[[Array], bytes]
    decode_plane: Callable[[Any], Array]

    is_fixed_size = False

    def to_dict(self) -> dict[str, Any]:
        return {"name": f"bench.{self.name}", "configuration": {}}

    def compute_encoded_size(self, input_byte_length: int, chunk_spec: Any) -> int:
        raise NotImplementedError

    async def _encode_single(self, chunk_data: Any, chunk_spec: Any) -> Any:
        (plane,) = chunk_data.as_numpy_array()
        data = await asyncio.to_thread(self.encode_plane, plane)
        return chunk_spec.prototype.buffer.from_bytes(data)

    async def _decode_single(self, chunk_data: Any, chunk_spec: Any) -> Any:
        plane = await asyncio.to_thread(self.decode_plane, chunk_data.as_numpy_array())
        return chunk_spec.prototype.nd_buffer.from_ndarray_like(plane[np.newaxis])


def jpeg2000_encode(plane: Array) -> bytes:
    return bytes(imagecodecs.jpeg2k_encode(plane, reversible=True, numthreads=1))


def jpeg2000_decode(data: Any) -> Array:
    return np.asarray(imagecodecs.jpeg2k_decode(data, numthreads=1))


def jpegxl_1_encode(plane: Array) -> bytes:
    return bytes(imagecodecs.jpegxl_encode(plane, effort=1, lossless=True, numthreads=1))


def jpegxl_3_encode(plane: Array) -> bytes:
    return bytes(imagecodecs.jpegxl_encode(plane, effort=3, lossless=True, numthreads=1))


def jpegxl_decode(data: Any) -> Array:
    return np.asarray(imagecodecs.jpegxl_decode(data, numthreads=1))


UNCOMPRESSED: Final[dict[str, Any]] = {"compressors": None}

CODECS: Final[dict[str, dict[str, Any]]] = {
    "uncompressed": UNCOMPRESSED,
    "gfwx": {"serializer": GfwxCodec(axes="zyx"), "compressors": None},
    "blosc-zstd, bitshuffle": {
        "compressors": [BloscCodec(cname="zstd", clevel=5, shuffle="bitshuffle", typesize=2)]
    },
    "zstd, zarr's default": {"compressors": "auto"},
    "JPEG XL, effort 1": {
        "serializer": PlaneCodec("jpegxl", jpegxl_1_encode, jpegxl_decode),
        "compressors": None,
    },
    "JPEG XL, effort 3": {
        "serializer": PlaneCodec("jpegxl", jpegxl_3_encode, jpegxl_decode),
        "compressors": None,
    },
    "JPEG 2000": {
        "serializer": PlaneCodec("jpeg2000", jpeg2000_encode, jpeg2000_decode),
        "compressors": None,
    },
}
