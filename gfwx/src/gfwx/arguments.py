"""What callers give to encode and decode: checked, completed, and brought into form."""

from __future__ import annotations

import operator
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from gfwx.errors import ArgumentError, ArgumentTypeError, LimitError
from gfwx.header import Encoder, Header, Intent, choose_bit_depth
from gfwx.layout import Layout
from gfwx.limits import MAX_PLANES

_ENCODERS: Final = ("auto", Encoder.FAST, Encoder.CONTEXTUAL, Encoder.HIGH_BITRATE)


def as_samples(image: ArrayLike) -> NDArray[Any]:
    """Image as an array (L, H, W, C) that the kernels can read."""
    if isinstance(image, np.ma.MaskedArray):
        raise ArgumentTypeError("image must not have a mask, which a file cannot hold: fill it")
    try:
        array = np.asarray(image)
    except (TypeError, ValueError):
        raise _no_image(image) from None
    if array.ndim == 0 and not isinstance(image, np.ndarray):  # a path, for one
        raise _no_image(image)
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
    if fits_kernels(array):
        return array
    return array.astype(array.dtype.newbyteorder("="), order="C")


def _no_image(image: object) -> ArgumentTypeError:
    return ArgumentTypeError(f"image must be an array of samples, got {type(image).__name__}")


def fits_kernels(array: NDArray[Any]) -> bool:
    """Whether the kernels can read and write an array: native byte order, aligned, any strides."""
    return array.dtype.isnative and array.flags.aligned


def make_header(
    array: NDArray[Any],
    *,
    encoder: str,
    intent: str | None,
    bit_depth: int | None,
    metadata: bytes,
    **options: Any,
) -> Header:
    """Header of a file with these samples, from what the caller of `encode` wants; checked."""
    layers, height, width, channels = array.shape
    depth = choose_bit_depth(array.dtype, bit_depth)
    if not isinstance(encoder, str):  # arrays, for one, compare element by element
        raise ArgumentTypeError(f"encoder must be a string, got {encoder!r}")
    if encoder == "turbo":
        raise ArgumentError("encoder 'turbo' can only be read; 'fast' has replaced it")
    if encoder not in _ENCODERS:
        known = ", ".join(f"'{name}'" for name in _ENCODERS)
        raise ArgumentError(f"encoder must be one of {known}, got {encoder!r}")
    if intent is None:
        intent = infer_intent(array)
    header = Header(
        width=width,
        height=height,
        layers=layers,
        channels=channels,
        bit_depth=depth,
        signed=array.dtype.kind == "i",
        encoder=Encoder.FAST if encoder == "auto" else encoder,  # type: ignore[arg-type]
        intent=intent,  # type: ignore[arg-type]
        metadata=metadata,
        **options,
    )
    if header.planes > MAX_PLANES:
        raise ArgumentError(f"an image can have {MAX_PLANES} planes, got {header.planes}")
    header.check()
    # Other intents are names only; these change the coding.
    if header.is_bayer and channels > 1:
        raise ArgumentError(
            f"intent '{header.intent}' is for mosaics of shape (H, W) or (L, H, W, 1), "
            f"got an image of {channels} channels"
        )
    return header


def infer_intent(array: NDArray[Any]) -> Intent:
    """Intent of an image (L, H, W, C) by its number of channels."""
    return {1: Intent.MONO, 3: Intent.RGB, 4: Intent.RGBA}.get(array.shape[3], Intent.GENERIC)


def index(name: str, value: int) -> int:
    """Argument as an int; ArgumentTypeError if it is none. A bool was meant for another."""
    try:
        if not isinstance(value, bool | np.bool_):
            return operator.index(value)
    except TypeError:
        pass
    raise ArgumentTypeError(f"{name} must be an integer, got {value!r}")


def check_limits(header: Header, layout: Layout, max_pixels: int) -> None:
    """Raise LimitError if the picture is too large to be made."""
    samples = header.planes * layout.rows * layout.columns
    if samples > max_pixels:
        raise LimitError(
            f"the picture has {samples} samples (layers x height x width x channels), "
            f"more than max_pixels={max_pixels}; raise it if you trust the file"
        )
    if header.planes > MAX_PLANES:
        raise LimitError(f"the picture has {header.planes} planes, more than {MAX_PLANES}")


def output_type(header: Header, dtype: DTypeLike | None) -> np.dtype[Any]:
    """Type to decode to: the file's, or the wider one if the caller asks for it."""
    own = header.dtype
    if dtype is None:
        return own
    try:
        wanted = np.dtype(dtype)
    except TypeError:
        raise ArgumentTypeError(f"dtype must be a NumPy type, got {dtype!r}") from None
    wider = _wider(own)
    if wanted not in (own, wider):
        known = f"{own}" if own == wider else f"{own} or {wider}"
        raise ArgumentError(f"dtype must be {known} for this file, got {wanted}")
    return wanted


def _wider(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """16-bit type with the same sign."""
    return np.dtype(f"{dtype.kind}2")


def presented(shape: tuple[int, ...], keep_dims: bool) -> tuple[int, ...]:
    """Shape in which `decode` returns a picture of shape (L, H, W, C)."""
    layers, rows, columns, channels = shape
    if keep_dims or layers > 1:
        return shape
    return (rows, columns, channels) if channels > 1 else (rows, columns)


def prepare_output(
    out: NDArray[Any] | None,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    keep_dims: bool,
    view: memoryview,
) -> NDArray[Any] | None:
    """View of the caller's ``out`` as (L, H, W, C), once it is checked; None if there is none."""
    if out is None:
        return None
    if not isinstance(out, np.ndarray):
        raise ArgumentTypeError(f"out must be a NumPy array, got {type(out).__name__}")
    expected = presented(shape, keep_dims)
    if out.shape != expected:
        other = "" if expected == shape else f" (or {shape} with keep_dims=True)"
        raise ArgumentError(f"out must have shape {expected}{other}, got {out.shape}")
    if out.dtype.newbyteorder("=") != dtype:
        wider = _wider(dtype)
        other = "" if dtype == wider else f" (or {wider} with dtype='{wider}')"
        raise ArgumentError(f"out must have dtype {dtype}{other}, got {out.dtype}")
    if not out.flags.writeable:
        raise ArgumentError("out must be writeable")
    if _overlaps_itself(out):
        raise ArgumentError("out must not overlap itself: each sample needs a place of its own")
    if np.may_share_memory(out, np.frombuffer(view, np.uint8)):
        raise ArgumentError("out must not overlap the data that are decoded")
    out = out.view(np.ndarray)  # subclasses may have rules of their own for what follows
    if len(expected) == 2:
        return out[np.newaxis, :, :, np.newaxis]
    return out[np.newaxis] if len(expected) == 3 else out


def _overlaps_itself(array: NDArray[Any]) -> bool:
    """Whether two elements of an array may lie in the same place, as broadcasting makes them."""
    reach = array.itemsize  # of the axes seen so far, from the least stride up
    for stride, length in sorted(zip(map(abs, array.strides), array.shape, strict=True)):
        if length > 1:
            if stride < reach:
                return True
            reach += stride * (length - 1)
    return False
