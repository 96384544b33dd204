"""Samples to coefficients and back, by band or component (format, sections 1 and 5 to 7)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gfwx import kernels, transforms
from gfwx.header import Filter, Header, Intent
from gfwx.kernels.coding import CodingTables
from gfwx.layout import Layout

_CLEANED_INTENTS: Final = {  # Bayer patterns, and the parity of row + column at their green sites
    Intent.BAYER_RGGB: 1,
    Intent.BAYER_BGGR: 1,
    Intent.BAYER_GRBG: 0,
    Intent.BAYER_GBRG: 0,
}


class Coding:
    """All that the stages need to know of a file.

    Parameters
    ----------
    header : Header
        Checked or parsed.
    layout : Layout
        Its geometry.
    program : Program
        Channel transform, checked.

    Attributes
    ----------
    tables : CodingTables
        All this for the kernels.
    """

    __slots__ = ("header", "layout", "program", "tables")

    def __init__(self, header: Header, layout: Layout, program: transforms.Program) -> None:
        self.header = header
        self.layout = layout
        self.program = program
        chroma, steps, reversed_steps = _program_arrays(program, header.planes)
        self.tables = CodingTables(
            layout.components,
            layout.levels,
            layout.factors,
            layout.shift,
            header.filter == Filter.CUBIC,
            chroma,
            steps,
            reversed_steps,
            header.signed,
            header.boost,
            _clean_up_tolerance(header),
            _CLEANED_INTENTS.get(header.intent, 0),
        )


@lru_cache(maxsize=16)  # of programs that may be long
def _program_arrays(
    program: transforms.Program, planes: int
) -> tuple[NDArray[np.uint8], NDArray[np.int32], NDArray[np.int32]]:
    return (
        np.array(transforms.chroma_planes(program, planes), np.uint8),
        np.array(program, np.int32),
        np.array(transforms.in_reverse(program), np.int32),
    )


def coefficient_type(itemsize: int) -> type[np.int16] | type[np.int32]:
    """Type of the coefficients for samples of so many bytes (format, section 1)."""
    return np.int32 if itemsize == 2 else np.int16


def split_band(
    image: NDArray[Any],
    coding: Coding,
    coefficients: NDArray[Any],
    place: NDArray[np.int64],
    band: tuple[int, int],
    *,
    keeps_low: bool = True,
) -> None:
    """Transform, lift and quantize a band of the picture to the finest level.

    Parameters
    ----------
    image : ndarray, (L, H, W, C)
        Samples in native byte order.
    coding : Coding
        How.
    coefficients : ndarray of int16 or int32
        Receives the finest level, and what the coarser levels are made of.
    place : ndarray of int64
        Where: one of `Memory.places`.
    band : (int, int)
        One of `Memory.bands`.
    keeps_low : bool, default True
        Whether what the coarser levels are made of is wanted.
    """
    module = kernels.analysis
    finest = module.finest_16bit if image.itemsize == 2 else module.finest_8bit
    finest(unsigned(image), coefficients, place, coding.tables, *band, keeps_low)


def split_coarser(
    coding: Coding, coefficients: NDArray[Any], place: NDArray[np.int64], parts: tuple[int, int]
) -> None:
    """Lift and quantize all levels but the finest, of some components of planes.

    Parameters
    ----------
    coding, coefficients, place
        As for `split_band`.
    parts : (int, int)
        First and last + 1 component, counted from the first of the first plane.
    """
    _all_but_finest(kernels.analysis, coding, coefficients, place, parts)


def join_coarser(
    coding: Coding, coefficients: NDArray[Any], place: NDArray[np.int64], parts: tuple[int, int]
) -> None:
    """Undo what `split_coarser` does, at the layout's downsampling."""
    _all_but_finest(kernels.synthesis, coding, coefficients, place, parts)


def join_band(
    coding: Coding,
    coefficients: NDArray[Any],
    place: NDArray[np.int64],
    image: NDArray[Any],
    band: tuple[int, int],
) -> None:
    """Make a band of the picture from the finest level and the joined coarser ones.

    With Bayer clean-up (format, section 10).

    Parameters
    ----------
    coding, coefficients, place
        As for `split_band`; the finest level of the bands before and after is needed too.
    image : ndarray, (L, H, W, C)
        Receives the samples; in native byte order, any strides.
    band : (int, int)
        One of `Memory.bands`.
    """
    module = kernels.synthesis
    finest = module.finest_16bit if image.itemsize == 2 else module.finest_8bit
    scale = 2 if coding.layout.is_bayer else 1
    last_row = min(scale * band[1], coding.layout.rows)
    finest(coefficients, place, unsigned(image), coding.tables, scale * band[0], last_row)


def _all_but_finest(
    module: Any,
    coding: Coding,
    coefficients: NDArray[Any],
    place: NDArray[np.int64],
    parts: tuple[int, int],
) -> None:
    kernel = module.coarser_16bit if coefficients.itemsize == 4 else module.coarser_8bit
    kernel(coefficients, place, coding.tables, *parts)


def unsigned(array: NDArray[Any]) -> NDArray[Any]:
    """View of samples as unsigned ones, which is how the kernels take them."""
    return array if array.dtype.kind == "u" else array.view(f"u{array.itemsize}")


def _clean_up_tolerance(header: Header) -> int:
    """T of section 10; 0 where there is no clean-up."""
    if header.quality == 1024 or header.intent not in _CLEANED_INTENTS:
        return 0
    quality, chroma_quality = header.quality, header.chroma_quality
    return 2 * ((1024 + quality // 2) // quality + (1024 + chroma_quality // 2) // chroma_quality)
