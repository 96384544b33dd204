"""Encoding and decoding: check the arguments, then the stages of the format in order."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from gfwx import scratch, transforms
from gfwx import threads as thread_pool
from gfwx.arguments import (
    as_samples,
    check_limits,
    fits_kernels,
    index,
    make_header,
    output_type,
    prepare_output,
    presented,
)
from gfwx.choice import choose, may_choose_transform
from gfwx.coefficients import Coding
from gfwx.decoding import decode_picture
from gfwx.encoding import encode_picture
from gfwx.errors import IncompleteDataError, MalformedError
from gfwx.header import BytesLike, Header, byte_view
from gfwx.kernels import program_bits
from gfwx.layout import layout_of
from gfwx.limits import DEFAULT_MAX_PIXELS, MAX_PROGRAM_LENGTH
from gfwx.metadata import Metadata


def encode(
    image: ArrayLike,
    quality: int = 1024,
    *,
    encoder: str = "auto",
    filter: str = "linear",
    vertical_levels: int | None = None,
    chroma_scale: int = 1,
    block_size: int = 7,
    intent: str | None = None,
    transform: transforms.Transform = "auto",
    bit_depth: int | None = None,
    metadata: bytes | Metadata = b"",
    threads: int | None = None,
) -> bytes:
    """Encode an image as a GFWX file.

    Parameters
    ----------
    image : array_like
        Samples, uint8, int8, uint16 or int16, of shape (H, W), (H, W, C) or (L, H, W, C): height,
        width, channels, layers. Any strides and byte order.
    quality : int, default 1024
        1 to 1024; 1024 is lossless, if `chroma_scale` is 1. Errors are in units of the sample,
        whatever its type.
    encoder : {"auto", "fast", "contextual", "high-bitrate"}, default "auto"
        Entropy coder. "auto" takes Fast or High-bitrate, whichever suits a sample of the picture.
        Contextual is slower; its files are smaller for 8-bit photographs, but often much larger for
        12 bits and more.
    filter : {"linear", "cubic"}, default "linear"
        Wavelet. Cubic is for lossy data: smoother, and slower.
    vertical_levels : int, optional
        2 to 8: cut the picture into bands of 2 to this power rows that can be decoded one by one.
        Linear filter only.
    chroma_scale : int, default 1
        1 to 256: quality is divided by it for chroma planes. Over 1 is lossy.
    block_size : int, default 7
        2 to 30, logarithm of the side of the blocks that threads work on.
    intent : str, optional
        What the channels mean: see `Intent`. By default 1 channel is "mono", 3 and 4 channels are
        "rgb" and "rgba", other numbers "generic". Bayer intents are for one channel; the others are
        not held against the number of channels.
    transform : str, sequence of int, sequence of Step, or None, default "auto"
        Channel transform: "auto", "uyv", "a710", a program (see `transforms`), or None. "auto" is
        for red, green and blue: whichever of the three suits a sample of the picture, without loss;
        else UYV.
    bit_depth : int, optional
        Bits that the samples use, told to readers; by default all of their type. Not held against
        the samples.
    metadata : bytes or Metadata, default b""
        Bytes are stored as they are; zero-padded to a multiple of four.
    threads : int, optional
        Number of threads; by default all cores for large images, one for small ones. The bytes are
        the same for any number.

    Returns
    -------
    bytes
        The file.

    Raises
    ------
    ArgumentError
        An argument cannot be used.
    ArgumentTypeError
        An argument has the wrong type.
    """
    array = as_samples(image)
    header = make_header(
        array,
        quality=quality,
        encoder=encoder,
        filter=filter,
        vertical_levels=vertical_levels,
        chroma_scale=chroma_scale,
        block_size=block_size,
        intent=intent,
        bit_depth=bit_depth,
        metadata=metadata.to_bytes() if isinstance(metadata, Metadata) else metadata,
    )
    workers = thread_pool.resolve(threads, array.size)
    if encoder == "auto" or may_choose_transform(header, transform):
        suitable, transform = choose(array, header, transform, workers)
        if encoder == "auto" and suitable != header.encoder:
            header = replace(header, encoder=suitable)
    start = header.pack()
    program = transforms.resolve(transform, header.intent, header.channels, header.layers)
    coding = Coding(header, layout_of(header), program)
    return encode_picture(array, coding, start + program_bits.write_program(program), workers)


@overload
def decode(
    data: BytesLike,
    *,
    downsampling: int = ...,
    dtype: DTypeLike | None = ...,
    out: NDArray[Any] | None = ...,
    keep_dims: bool = ...,
    threads: int | None = ...,
    max_pixels: int = ...,
    partial: Literal[False] = ...,
) -> NDArray[Any]: ...


@overload
def decode(
    data: BytesLike,
    *,
    downsampling: int = ...,
    dtype: DTypeLike | None = ...,
    out: NDArray[Any] | None = ...,
    keep_dims: bool = ...,
    threads: int | None = ...,
    max_pixels: int = ...,
    partial: Literal[True],
) -> tuple[NDArray[Any] | None, int | None]: ...


def decode(
    data: BytesLike,
    *,
    downsampling: int = 0,
    dtype: DTypeLike | None = None,
    out: NDArray[Any] | None = None,
    keep_dims: bool = False,
    threads: int | None = None,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    partial: bool = False,
) -> NDArray[Any] | tuple[NDArray[Any] | None, int | None]:
    """Decode a GFWX file, or the beginning of one.

    Parameters
    ----------
    data : bytes-like
        bytes, bytearray, memoryview, mmap or uint8 array; it is not copied.
    downsampling : int, default 0
        Make the picture smaller by two to this power, reading only what that needs.
    dtype : dtype, optional
        uint16 or int16 to decode 8-bit files to the wider type. By default the file's own type.
    out : ndarray, optional
        Array to write into, of the shape and type that would be returned.
    keep_dims : bool, default False
        Return (layers, height, width, channels) always. Otherwise a file of one layer gives
        (H, W, C), and one of one layer and one channel (H, W).
    threads : int, optional
        Number of threads; by default all cores for large images, one for small ones.
    max_pixels : int, default 2**30
        Refuse to make pictures of more samples (layers x height x width x channels). Beside the
        picture, decoding takes up to 2 bytes of memory a sample for 8-bit and 4 for 16-bit types.
    partial : bool, default False
        Accept incomplete data: missing coefficients are zero.

    Returns
    -------
    image : ndarray
        The picture; `out` where it was given. With ``partial=True`` None while there is no picture.
    next : int or None
        Only with ``partial=True``: number of bytes, from the start of the file, with which the next
        refinement can be decoded; None if nothing is missing.

    Raises
    ------
    IncompleteDataError
        The data end too early, and `partial` is False.
    MalformedError
        The data are not a GFWX file, or contradict themselves.
    UnsupportedError
        The file asks for something that version 1 of the format does not define.
    LimitError
        The picture is larger than `max_pixels`, or has more planes than `limits.MAX_PLANES`.
    ArgumentError, ArgumentTypeError
        An argument cannot be used.
    """
    view = byte_view(data)
    try:
        header = Header.parse(view)
        layout = layout_of(header, index("downsampling", downsampling))
        check_limits(header, layout, index("max_pixels", max_pixels))
        program, start = read_program(view, header)
    except IncompleteDataError as error:
        if partial:
            return None, error.next
        raise
    sample_type = output_type(header, dtype)
    shape = header.layers, layout.rows, layout.columns, header.channels
    image = prepare_output(out, shape, sample_type, keep_dims, view)
    workers = thread_pool.resolve(
        threads, header.layers * layout.rows * layout.columns * header.channels
    )

    blocks = layout.find_blocks(view, start)
    if blocks.next is not None and not partial:
        raise IncompleteDataError(
            f"the data end after {len(view)} bytes, before the picture does; "
            "partial=True decodes what is there",
            blocks.next,
        )
    if image is None:
        image = scratch.picture(shape, sample_type)
    direct = image if fits_kernels(image) else np.empty(shape, sample_type)
    decode_picture(view, blocks, Coding(header, layout, program), direct, workers)
    if direct is not image:
        image[...] = direct
    result = out if out is not None else image.reshape(presented(shape, keep_dims))
    return (result, blocks.next) if partial else result


def read_program(view: memoryview, header: Header) -> tuple[transforms.Program, int]:
    """Channel transform of a file, checked, and where the first level begins."""
    program, end = program_bits.read_program(view, header.size, MAX_PROGRAM_LENGTH)
    if program is None:
        if end == 0:
            raise IncompleteDataError("the data end inside the channel transform", len(view) + 1024)
        raise MalformedError(
            f"the channel transform is damaged, or longer than {MAX_PROGRAM_LENGTH} integers"
        )
    transforms.check_decodable(program, header.planes)
    return program, end
