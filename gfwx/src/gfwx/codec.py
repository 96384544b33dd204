"""Encoding and decoding: check the arguments, then the stages of the format in order."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from gfwx import kernels, transforms
from gfwx import threads as thread_pool
from gfwx.errors import (
    ArgumentError,
    ArgumentTypeError,
    IncompleteDataError,
    LimitError,
    MalformedError,
)
from gfwx.header import Encoder, Filter, Header, Intent, byte_view, choose_bit_depth
from gfwx.kernels import program_bits
from gfwx.layout import Layout, LevelData
from gfwx.limits import DEFAULT_MAX_PIXELS, MAX_PLANES, MAX_PROGRAM_LENGTH

if TYPE_CHECKING:
    from typing_extensions import Buffer

_BLOCKS_PER_TASK: Final = 8  # so that threads share a level evenly, at little cost for each task

_CLEANED_INTENTS: Final = {  # Bayer patterns, and the parity of row + column at their green sites
    Intent.BAYER_RGGB: 1,
    Intent.BAYER_BGGR: 1,
    Intent.BAYER_GRBG: 0,
    Intent.BAYER_GBRG: 0,
}


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
    metadata: bytes = b"",
    threads: int | None = None,
) -> bytes:
    """Encode an image as a GFWX file.

    Parameters
    ----------
    image : array_like
        Samples, uint8, int8, uint16 or int16, of shape (H, W), (H, W, C) or (L, H, W, C): height,
        width, channels, layers. Any strides and byte order.
    quality : int, default 1024
        1 to 1024; 1024 is lossless.
    encoder : {"auto", "fast", "contextual", "high-bitrate"}, default "auto"
        Entropy coder. "auto" takes Fast or High-bitrate, whichever suits type and quality.
        Contextual makes somewhat smaller files and is slower.
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
        What the channels mean: see `Intent`. By default (H, W) is "mono", 3 and 4 channels are
        "rgb" and "rgba", other numbers "generic".
    transform : str, sequence of int, sequence of Step, or None, default "auto"
        Channel transform: "auto", "uyv", "a710", a program (see `transforms`), or None.
    bit_depth : int, optional
        Bits that the samples use, told to readers; by default all of their type.
    metadata : bytes, default b""
        Stored as they are; zero-padded to a multiple of four.
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
    array = _as_samples(image)
    header = _make_header(
        array,
        quality=quality,
        encoder=encoder,
        filter=filter,
        vertical_levels=vertical_levels,
        chroma_scale=chroma_scale,
        block_size=block_size,
        intent=intent,
        bit_depth=bit_depth,
        metadata=metadata,
    )
    start = header.pack()
    program = transforms.resolve(transform, header.intent, header.channels, header.layers)
    workers = thread_pool.resolve(threads, array.size)
    layout = Layout(header)
    chroma = _chroma_flags(program, header.planes)
    coefficients = _analyze(array, header, layout, program, chroma, workers)
    parts = [start, program_bits.write_program(program)]
    parts += _encode_levels(coefficients, layout, chroma, workers)
    return b"".join(parts)


@overload
def decode(
    data: Buffer,
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
    data: Buffer,
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
    data: Buffer,
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
        Refuse to make pictures of more samples (layers x height x width x channels).
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
        program, start = _read_program(view, header)
    except IncompleteDataError as error:
        if partial:
            return None, error.next
        raise
    layout = Layout(header, _index("downsampling", downsampling))
    _check_limits(header, layout, _index("max_pixels", max_pixels))
    sample_type = _output_type(header, dtype)
    shape = header.layers, layout.rows, layout.columns, header.channels
    image = _prepare_output(out, shape, sample_type, keep_dims, view)
    workers = thread_pool.resolve(threads, header.layers * layout.rows * layout.columns * header.channels)

    found, following = layout.find_blocks(view, start)
    if following is not None and not partial:
        raise IncompleteDataError(
            f"the data end after {len(view)} bytes, before the picture does", following
        )
    chroma = _chroma_flags(program, header.planes)
    coefficients = _decode_levels(view, found, layout, chroma, sample_type.itemsize, workers)
    if image is None:
        image = np.empty(shape, sample_type)
    direct = image if _fits_kernels(image) else np.empty(shape, sample_type)
    _synthesize(coefficients, direct, header, layout, program, chroma, workers)
    if direct is not image:
        image[...] = direct
    result = out if out is not None else image.reshape(_presented(shape, keep_dims))
    return (result, following) if partial else result


# --- Arguments ------------------------------------------------------------------------------------


def _as_samples(image: ArrayLike) -> NDArray[Any]:
    """Image as an array (L, H, W, C) that the kernels can read."""
    array = np.asarray(image)
    choose_bit_depth(array.dtype)  # refuses other types
    if array.ndim == 2:
        array = array[np.newaxis, :, :, np.newaxis]
    elif array.ndim == 3:
        array = array[np.newaxis]
    elif array.ndim != 4:
        raise ArgumentError(
            f"image must have 2 to 4 dimensions, (H, W), (H, W, C) or (L, H, W, C), "
            f"got {array.ndim}"
        )
    if array.size == 0:
        raise ArgumentError(f"image must have at least one sample, got shape {np.shape(image)}")
    if _fits_kernels(array):
        return array
    return array.astype(array.dtype.newbyteorder("="), order="C")


def _fits_kernels(array: NDArray[Any]) -> bool:
    return array.dtype.isnative and array.flags.aligned


def _make_header(
    array: NDArray[Any],
    *,
    encoder: str,
    intent: str | None,
    bit_depth: int | None,
    metadata: bytes,
    **options: Any,
) -> Header:
    layers, height, width, channels = array.shape
    depth = choose_bit_depth(array.dtype, bit_depth)
    if encoder == "turbo":
        raise ArgumentError("encoder 'turbo' can only be read; 'fast' has replaced it")
    if encoder == "auto":
        encoder = _choose_encoder(array.dtype)
    if intent is None:
        intent = _infer_intent(array)
    header = Header(
        width=width,
        height=height,
        layers=layers,
        channels=channels,
        bit_depth=depth,
        signed=array.dtype.kind == "i",
        encoder=encoder,  # type: ignore[arg-type]
        intent=intent,  # type: ignore[arg-type]
        metadata=metadata,
        **options,
    )
    header.check()
    if header.planes > MAX_PLANES:
        raise ArgumentError(f"an image can have {MAX_PLANES} planes, got {header.planes}")
    return header


def _choose_encoder(dtype: np.dtype[Any]) -> Encoder:
    return Encoder.FAST if dtype.itemsize == 1 else Encoder.HIGH_BITRATE


def _infer_intent(array: NDArray[Any]) -> Intent:
    return {1: Intent.MONO, 3: Intent.RGB, 4: Intent.RGBA}.get(array.shape[3], Intent.GENERIC)


def _index(name: str, value: int) -> int:
    try:
        return operator.index(value)
    except TypeError:
        raise ArgumentTypeError(f"{name} must be an integer, got {value!r}") from None


def _read_program(view: memoryview, header: Header) -> tuple[transforms.Program, int]:
    program, end = program_bits.read_program(view, header.size, MAX_PROGRAM_LENGTH)
    if end == 0:
        raise IncompleteDataError("the data end inside the channel transform", len(view) + 1024)
    if end < 0:
        raise MalformedError(
            f"the channel transform is damaged, or longer than {MAX_PROGRAM_LENGTH} integers"
        )
    transforms.check_decodable(program, header.planes)
    return program, end


def _check_limits(header: Header, layout: Layout, max_pixels: int) -> None:
    samples = header.planes * layout.rows * layout.columns
    if samples > max_pixels:
        raise LimitError(
            f"the picture has {samples} samples (layers x height x width x channels), "
            f"more than max_pixels={max_pixels}; raise it if you trust the file"
        )
    if header.planes > MAX_PLANES:
        raise LimitError(f"the picture has {header.planes} planes, more than {MAX_PLANES}")


def _output_type(header: Header, dtype: DTypeLike | None) -> np.dtype[Any]:
    own = header.dtype
    if dtype is None:
        return own
    try:
        wanted = np.dtype(dtype)
    except TypeError:
        raise ArgumentTypeError(f"dtype must be a NumPy type, got {dtype!r}") from None
    wider = np.dtype(f"{own.kind}2")
    if wanted not in (own, wider):
        raise ArgumentError(f"dtype must be {own} or {wider} for this file, got {wanted}")
    return wanted


def _presented(shape: tuple[int, ...], keep_dims: bool) -> tuple[int, ...]:
    layers, rows, columns, channels = shape
    if keep_dims or layers > 1:
        return shape
    return (rows, columns, channels) if channels > 1 else (rows, columns)


def _prepare_output(
    out: NDArray[Any] | None,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    keep_dims: bool,
    view: memoryview,
) -> NDArray[Any] | None:
    """View ``out`` as (L, H, W, C)."""
    if out is None:
        return None
    if not isinstance(out, np.ndarray):
        raise ArgumentTypeError(f"out must be a NumPy array, got {type(out).__name__}")
    presented = _presented(shape, keep_dims)
    if out.shape != presented:
        raise ArgumentError(f"out must have shape {presented}, got {out.shape}")
    if out.dtype.newbyteorder("=") != dtype:
        raise ArgumentError(f"out must have dtype {dtype}, got {out.dtype}")
    if not out.flags.writeable:
        raise ArgumentError("out must be writeable")
    if np.may_share_memory(out, np.frombuffer(view, np.uint8)):
        raise ArgumentError("out must not overlap the data that are decoded")
    if len(presented) == 2:
        return out[np.newaxis, :, :, np.newaxis]
    return out[np.newaxis] if len(presented) == 3 else out


# --- Encoding -------------------------------------------------------------------------------------


@lru_cache(maxsize=64)
def _chroma_flags(program: transforms.Program, planes: int) -> NDArray[np.uint8]:
    return np.array(transforms.chroma_planes(program, planes), np.uint8)


def _unsigned(array: NDArray[Any]) -> NDArray[Any]:
    return array.view(f"u{array.itemsize}")


def _analyze(
    image: NDArray[Any],
    header: Header,
    layout: Layout,
    program: transforms.Program,
    chroma: NDArray[np.uint8],
    workers: int,
) -> NDArray[Any]:
    """Color transform, lifting and quantization: sections 5 to 7."""
    wide = image.itemsize == 2
    coefficients = np.empty(
        (header.planes, *layout.buffer_shape), np.int32 if wide else np.int16
    )
    cubic = header.filter == Filter.CUBIC
    module = kernels.analysis
    finest = module.finest_16bit if wide else module.finest_8bit
    coarser = module.coarser_16bit if wide else module.coarser_8bit
    steps = np.array(program, np.int32)
    samples = _unsigned(image)

    def split_finest(band: tuple[int, int]) -> None:
        finest(
            samples,
            header.signed,
            header.boost,
            coefficients,
            steps,
            layout.components,
            header.is_bayer,
            layout.factors,
            chroma,
            cubic,
            layout.shift,
            *band,
        )

    def split_coarser(plane_and_component: tuple[int, int]) -> None:
        plane, component = plane_and_component
        coarser(
            coefficients[plane],
            layout.components[component],
            layout.factors[component, _is_chroma(header, chroma, plane, component)],
            cubic,
            layout.shift,
            0 if header.is_bayer else 1,
            layout.levels,
        )

    thread_pool.run(split_finest, thread_pool.bands((layout.rows + 1) // 2, workers), workers)
    thread_pool.run(split_coarser, _planes_and_components(layout), workers)
    return coefficients


def _is_chroma(header: Header, chroma: NDArray[np.uint8], plane: int, component: int) -> int:
    """Row of factors: in Bayer mode all but the first component count as chroma."""
    return int(component > 0) if header.is_bayer else int(chroma[plane])


def _planes_and_components(layout: Layout) -> list[tuple[int, int]]:
    components = range(len(layout.components))
    return [(plane, part) for plane in range(layout.header.planes) for part in components]


def _block_tasks(items: Sequence[tuple[Any, int]], workers: int) -> list[tuple[Any, int, int]]:
    """Cut the blocks of each item into tasks: (item, first, last + 1)."""
    tasks = []
    for item, blocks in items:
        size = max(1, blocks) if workers == 1 else _BLOCKS_PER_TASK
        tasks += [(item, at, min(at + size, blocks)) for at in range(0, blocks, size)]
    return tasks


def _encode_levels(
    coefficients: NDArray[Any], layout: Layout, chroma: NDArray[np.uint8], workers: int
) -> list[bytes]:
    """Tables of lengths and blocks, in the order of the file: sections 8 and 9."""
    module = kernels.block_encoder
    encode_blocks = module.encode_16bit if coefficients.itemsize == 4 else module.encode_8bit
    levels = list(layout.each_level())
    lengths = [np.empty(level.blocks, np.uint32) for level in levels]
    fields = [layout.describe(level) for level in levels]

    def encode_task(task: tuple[int, int, int]) -> bytes:
        index, first, last = task
        data: bytes = encode_blocks(
            coefficients, layout.components, chroma, fields[index], first, last, lengths[index]
        )
        return data

    tasks = _block_tasks([(at, level.blocks) for at, level in enumerate(levels)], workers)
    # The finest levels, which have the most to do, come first, so that threads end together.
    encoded = thread_pool.run(encode_task, tasks[::-1], workers)[::-1]
    parts: list[bytes] = []
    for (index, first, _), data in zip(tasks, encoded, strict=True):
        if first == 0:
            parts.append(lengths[index].astype("<u4", copy=False).tobytes())
        parts.append(data)
    return parts


# --- Decoding -------------------------------------------------------------------------------------


def _decode_levels(
    view: memoryview,
    found: list[LevelData],
    layout: Layout,
    chroma: NDArray[np.uint8],
    itemsize: int,
    workers: int,
) -> NDArray[Any]:
    """Coefficients from all blocks that are there, zeros elsewhere: sections 8 and 9."""
    coefficients = np.zeros(
        (layout.header.planes, *layout.buffer_shape), np.int32 if itemsize == 2 else np.int16
    )
    module = kernels.block_decoder
    decode_blocks = module.decode_16bit if itemsize == 2 else module.decode_8bit

    def decode_task(task: tuple[LevelData, int, int]) -> None:
        level, first, last = task
        if not decode_blocks(
            view,
            level.offsets,
            level.lengths,
            coefficients,
            layout.components,
            chroma,
            layout.describe(level.level),
            first,
            last,
        ):
            raise MalformedError("the bits of a block run out before its coefficients")

    for stage in _stages(found, layout.header.encoder):
        thread_pool.run(
            decode_task, _block_tasks([(level, level.present) for level in stage], workers), workers
        )
    return coefficients


def _stages(found: list[LevelData], encoder: Encoder) -> list[list[LevelData]]:
    """Levels that can be decoded at the same time: for contexts, only those of one step."""
    if encoder != Encoder.CONTEXTUAL:
        return [found[::-1]]
    stages: dict[int, list[LevelData]] = {}
    for item in found:
        stages.setdefault(item.level.level, []).append(item)
    return [stages[level] for level in sorted(stages, reverse=True)]


def _synthesize(
    coefficients: NDArray[Any],
    image: NDArray[Any],
    header: Header,
    layout: Layout,
    program: transforms.Program,
    chroma: NDArray[np.uint8],
    workers: int,
) -> None:
    """Inverse quantization, lifting, color transform and clean-up: sections 5 to 7 and 10."""
    wide = image.itemsize == 2
    cubic = header.filter == Filter.CUBIC
    module = kernels.synthesis
    finest = module.finest_16bit if wide else module.finest_8bit
    coarser = module.coarser_16bit if wide else module.coarser_8bit
    steps = np.array(transforms.in_reverse(program), np.int32)
    samples = _unsigned(image)
    tolerance = _clean_up_tolerance(header)
    green_parity = _CLEANED_INTENTS.get(header.intent, 0)

    def join_coarser(plane_and_component: tuple[int, int]) -> None:
        plane, component = plane_and_component
        coarser(
            coefficients[plane],
            layout.components[component],
            layout.factors[component, _is_chroma(header, chroma, plane, component)],
            cubic,
            layout.shift,
            0 if header.is_bayer else 1,
            layout.levels,
        )

    def join_finest(band: tuple[int, int]) -> None:
        finest(
            coefficients,
            samples,
            header.signed,
            header.boost,
            steps,
            layout.components,
            header.is_bayer,
            layout.factors,
            chroma,
            cubic,
            layout.shift,
            tolerance,
            green_parity,
            2 * band[0],
            min(2 * band[1], layout.rows),
        )

    thread_pool.run(join_coarser, _planes_and_components(layout), workers)
    thread_pool.run(join_finest, thread_pool.bands((layout.rows + 1) // 2, workers), workers)


def _clean_up_tolerance(header: Header) -> int:
    """T of section 10; 0 where there is no clean-up."""
    if header.intent not in _CLEANED_INTENTS or header.quality == 1024:
        return 0
    quality, chroma_quality = header.quality, header.chroma_quality
    return 2 * (
        (1024 + quality // 2) // quality + (1024 + chroma_quality // 2) // chroma_quality
    )
