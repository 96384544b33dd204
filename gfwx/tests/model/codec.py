"""Encode, and decode whole, downsampled and incomplete files (sections 1, 8 and 10)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from . import header as headers
from . import transforms
from .arithmetic import MalformedError, Plane, ceil_div, divide, int32, wide
from .bits import OutOfBitsError, Reader, from_words, to_words
from .header import Header
from .levels import Block, greatest_step, levels
from .passes import Rows, decode_pass, encode_pass
from .quantization import dequantize, quantize
from .wavelet import lift, unlift

Image = NDArray[Any]

CUBIC = 1
SUBLATTICES = ((0, 0), (0, 1), (1, 0), (1, 1))  # (ox, oy) in the order of the passes


def working_type(samples: np.dtype[Any]) -> np.dtype[Any]:
    """A of section 1."""
    return np.dtype(np.int16 if samples.itemsize == 1 else np.int32)


def encode(
    image: Image,
    *,
    quality: int = 1024,
    chroma_scale: int = 1,
    block_size: int = 7,
    filter: int = 0,
    encoder: int = 1,
    intent: int = 0,
    transform: list[int] | None = None,
    metadata: list[int] | None = None,
    bit_depth: int = 0,
) -> bytes:
    """The file of an image (layers, height, width, channels); a `bit_depth` of 0 is the default.

    `transform` is a program as in section 5, end mark included, `metadata` a list of words.
    """
    layer_count, height, width, channels = image.shape
    words = np.array(metadata or [], "<u4")
    header = Header(
        width,
        height,
        layer_count,
        channels,
        bit_depth or headers.default_bit_depth(image.dtype),
        image.dtype.kind == "i",
        quality,
        chroma_scale,
        block_size,
        filter,
        encoder,
        intent,
        len(words),
    )
    program_bits = transforms.write_program(transform)
    steps = transforms.read_program(Reader(program_bits), header.planes)
    chroma = transforms.chroma_planes(steps, header.planes)

    boosted = image.astype(working_type(image.dtype)) * header.boost
    planes = [boosted[c // channels, :, :, c % channels].copy() for c in range(header.planes)]
    transforms.forward(steps, planes)
    for plane, is_chroma in zip(planes, chroma, strict=True):
        lift_plane(header, plane)
        quantize_plane(header, plane, is_chroma)

    parts = [headers.pack(header), words, to_words(program_bits)]
    for level in levels(header, chroma):
        data = [encode_block(planes[block.plane], block, encoder) for block in level.blocks]
        parts.append(np.array([len(block) for block in data], "<u4"))
        parts.extend(data)
    return np.concatenate(parts).tobytes()


def lift_plane(header: Header, plane: Plane) -> None:
    v, v_bayer = vertical_levels(header, 0)
    cubic = header.filter == CUBIC
    lift(plane, 1, v, cubic)
    if header.is_bayer:
        for ox, oy in SUBLATTICES[1:]:
            lift(plane[oy:, ox:], 2, v_bayer, cubic)


def vertical_levels(header: Header, downsampling: int) -> tuple[int, int]:
    """v and v' of section 6, less `downsampling` (section 10); 30 means no limit."""
    if header.filter < 2:
        return 30, 30
    return header.filter - downsampling, header.filter - 1 - downsampling


def quantize_plane(header: Header, plane: Plane, chroma: bool) -> None:
    quality, chroma_quality, boost = header.quality, header.chroma_quality, header.boost
    if header.is_bayer:
        for ox, oy in SUBLATTICES:
            here = chroma_quality if ox or oy else quality
            quantize(plane[oy:, ox:], 2, here, min_q=quality, boost=boost)
    else:
        quantize(plane, 1, chroma_quality if chroma else quality, min_q=0, boost=boost)


def encode_block(plane: Plane, block: Block, encoder: int) -> NDArray[Any]:
    """The words of one block."""
    bits = ""
    for this in block.passes:
        rows: Rows = plane[this.y0 : this.y1, this.x0 : this.x1].tolist()
        bits += encode_pass(rows, this, encoder)
    return to_words(bits)


def decode(
    data: bytes, downsampling: int = 0, dtype: DTypeLike | None = None
) -> tuple[Image | None, int | None]:
    """The image (layers, height, width, channels) of a whole or cut file, and `next`.

    `next` is the next point of interest in bytes, None when nothing is missing; the image is
    None while there is none. `dtype` asks for the wider sample type.
    """
    words = np.frombuffer(data, "<u4", count=len(data) // 4)
    if len(words) < headers.SIZE_IN_WORDS:
        return None, 4 * headers.SIZE_IN_WORDS
    header = headers.parse(words)
    check_downsampling(header, downsampling)
    position = headers.SIZE_IN_WORDS + header.metadata_words
    if len(words) < position:
        return None, 4 * position

    reader = Reader(from_words(words[position:]))
    try:
        steps = transforms.read_program(reader, header.planes)
    except OutOfBitsError:
        return None, len(data) + 1024
    position += ceil_div(reader.position, 32)
    chroma = transforms.chroma_planes(steps, header.planes)

    samples = np.dtype(dtype) if dtype is not None else header.dtype
    shape = (header.height, header.width)
    planes = [np.zeros(shape, working_type(samples)) for _ in range(header.planes)]
    next_point = decode_levels(header, chroma, words, position, downsampling, planes)
    if next_point == 0:
        next_point = len(data) + 1024

    planes = [small_plane(header, plane, downsampling) for plane in planes]
    for plane, is_chroma in zip(planes, chroma, strict=True):
        dequantize_plane(header, plane, is_chroma, downsampling)
        unlift_plane(header, plane, downsampling)
    transforms.inverse(steps, planes)
    height, width = planes[0].shape
    image = np.empty((header.layers, height, width, header.channels), samples)
    for c, plane in enumerate(planes):
        values = divide(wide(plane), header.boost)
        if header.quality < 1024 and 2 <= header.intent <= 5:
            clean_up(header, plane, values)
        limits = np.iinfo(samples)
        layer, channel = divmod(c, header.channels)
        image[layer, :, :, channel] = np.clip(values, limits.min, limits.max)
    return image, next_point


def check_downsampling(header: Header, d: int) -> None:
    most = header.filter - 1 if header.is_bayer else header.filter
    if greatest_step(header) >> d < 1 or (header.filter >= 2 and d > most):
        raise ValueError(f"the file cannot be downsampled by 2^{d}")


def decode_levels(
    header: Header,
    chroma: list[bool],
    words: NDArray[Any],
    position: int,
    downsampling: int,
    planes: list[Plane],
) -> int | None:
    """Read the blocks that are there into full-size planes.

    Returns None when none is missing, else the next point of interest, 0 if no table was read.
    """
    in_file = list(levels(header, chroma))
    needed = [level.step >> downsampling >= 1 for level in in_file]
    last_needed = len(needed) - 1 - needed[::-1].index(True)
    next_point = 0
    missing = False
    for index in range(last_needed + 1):
        blocks = in_file[index].blocks
        table_end = position + len(blocks)
        if table_end > len(words):
            missing = True
            # Beyond levels that are passed over.
            if 0 < next_point <= 4 * len(words):
                next_point = 4 * table_end
            break
        start = table_end
        for block, length in zip(blocks, words[position:table_end].tolist(), strict=True):
            end = start + length
            if needed[index] and end > len(words):
                missing = True
            elif needed[index]:
                decode_block(words[start:end], planes[block.plane], block, header.encoder)
            start = end
        position = start
        if needed[index]:
            next_point = 4 * position
            if index < last_needed:
                next_point += 16 * len(blocks)
    return next_point if missing else None


def decode_block(words: NDArray[Any], plane: Plane, block: Block, encoder: int) -> None:
    """Read one block into its plane."""
    reader = Reader(from_words(words))
    for this in block.passes:
        part = plane[this.y0 : this.y1, this.x0 : this.x1]
        rows: Rows = part.tolist()
        try:
            decode_pass(reader, rows, this, encoder, 8 * plane.itemsize)
        except OutOfBitsError:
            raise MalformedError("a block ends before its pass") from None
        part[...] = np.array(rows, plane.dtype).reshape(part.shape)


def small_plane(header: Header, plane: Plane, d: int) -> Plane:
    """The positions of a full-size plane that the downsampled planes have."""
    if not header.is_bayer:
        return plane[:: 2**d, :: 2**d].copy()
    height, width = plane.shape
    small = np.zeros((ceil_div(height, 2**d), ceil_div(width, 2**d)), plane.dtype)
    for ox, oy in SUBLATTICES:
        part = small[oy::2, ox::2]
        spread = plane[oy :: 2 ** (d + 1), ox :: 2 ** (d + 1)]
        part[...] = spread[: part.shape[0], : part.shape[1]]
    return small


def dequantize_plane(header: Header, plane: Plane, chroma: bool, d: int) -> None:
    quality, chroma_quality, boost = header.quality, header.chroma_quality, header.boost
    if header.is_bayer:
        for ox, oy in SUBLATTICES:
            here = chroma_quality if ox or oy else quality
            dequantize(plane[oy:, ox:], 2, here << d, min_q=quality, boost=boost)
    else:
        here = chroma_quality if chroma else quality
        dequantize(plane, 1, here << d, min_q=0, boost=boost)


def unlift_plane(header: Header, plane: Plane, d: int) -> None:
    v, v_bayer = vertical_levels(header, d)
    cubic = header.filter == CUBIC
    if header.is_bayer:
        for ox, oy in SUBLATTICES[1:]:
            unlift(plane[oy:, ox:], 2, v_bayer, cubic)
    unlift(plane, 1, v, cubic)


def clean_up(header: Header, plane: Plane, values: NDArray[np.int64]) -> None:
    """Bayer clean-up: smooth the green sites of `values`, which are yet to be clamped."""
    quality, chroma_quality = header.quality, header.chroma_quality
    threshold = 2 * (
        (1024 + quality // 2) // quality + (1024 + chroma_quality // 2) // chroma_quality
    )
    odd = header.intent in (2, 3)  # RGGB and BGGR: green where x + y is odd
    height, width = plane.shape
    for y in range(1, height - 1):
        for x in range(1, width - 1):
            if (x + y) % 2 != odd:
                continue
            s = int(plane[y, x])
            total, n = 4 * s, 4
            for dy, dx in ((-1, -1), (-1, 1), (1, -1), (1, 1)):
                t = int(plane[y + dy, x + dx])
                if abs(s - t) <= threshold:
                    total += t
                    n += 1
            rounded = np.array([total + n // 2])
            values[y, x] = divide(int32(rounded), n * header.boost)[0]
