"""Samples to coefficients and back, band by band (format, sections 1 and 5 to 7)."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gfwx import kernels, threads, transforms
from gfwx.header import Filter, Header, Intent
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
    chroma : ndarray of uint8
        Chroma flag of each plane.
    """

    __slots__ = ("chroma", "header", "layout", "program")

    def __init__(self, header: Header, layout: Layout, program: transforms.Program) -> None:
        self.header = header
        self.layout = layout
        self.program = program
        self.chroma = _chroma_flags(program, header.planes)


@lru_cache(maxsize=16)  # of programs that may be long
def _chroma_flags(program: transforms.Program, planes: int) -> NDArray[np.uint8]:
    return np.array(transforms.chroma_planes(program, planes), np.uint8)


def coefficient_type(itemsize: int) -> type[np.int16] | type[np.int32]:
    """Type of the coefficients for samples of so many bytes (format, section 1)."""
    return np.int32 if itemsize == 2 else np.int16


def analyze(image: NDArray[Any], coding: Coding, workers: int) -> NDArray[Any]:
    """Transform, lift and quantize.

    Parameters
    ----------
    image : ndarray, (L, H, W, C)
        Samples in native byte order.
    coding : Coding
        How.
    workers : int
        Threads to use.

    Returns
    -------
    ndarray of int16 or int32
        Coefficients of each plane, laid out as `Layout` says.
    """
    header, layout = coding.header, coding.layout
    wide = image.itemsize == 2
    coefficients = np.empty((header.planes, *layout.buffer_shape), coefficient_type(image.itemsize))
    cubic = header.filter == Filter.CUBIC
    module = kernels.analysis
    finest = module.finest_16bit if wide else module.finest_8bit
    coarser = module.coarser_16bit if wide else module.coarser_8bit
    program = np.array(coding.program, np.int32)
    samples = _unsigned(image)

    def split_finest(band: tuple[int, int]) -> None:
        finest(
            samples,
            header.signed,
            header.boost,
            coefficients,
            program,
            layout.components,
            header.is_bayer,
            layout.factors,
            coding.chroma,
            cubic,
            layout.shift,
            *band,
        )

    def split_coarser(part: tuple[int, int]) -> None:
        _lift_coarser(coarser, coefficients, coding, *part)

    threads.run(split_finest, threads.bands((layout.rows + 1) // 2, workers), workers)
    threads.run(split_coarser, _parts(layout), workers)
    return coefficients


def synthesize(
    coefficients: NDArray[Any], image: NDArray[Any], coding: Coding, workers: int
) -> None:
    """Undo what `analyze` does, at the layout's downsampling, with Bayer clean-up (section 10).

    Parameters
    ----------
    coefficients : ndarray of int16 or int32
        Overwritten.
    image : ndarray, (L, H, W, C)
        Receives the samples; in native byte order, any strides.
    coding : Coding
        How.
    workers : int
        Threads to use.
    """
    header, layout = coding.header, coding.layout
    wide = image.itemsize == 2
    cubic = header.filter == Filter.CUBIC
    module = kernels.synthesis
    finest = module.finest_16bit if wide else module.finest_8bit
    coarser = module.coarser_16bit if wide else module.coarser_8bit
    program = np.array(transforms.in_reverse(coding.program), np.int32)
    samples = _unsigned(image)
    tolerance = _clean_up_tolerance(header)
    green_parity = _CLEANED_INTENTS.get(header.intent, 0)

    def join_coarser(part: tuple[int, int]) -> None:
        _lift_coarser(coarser, coefficients, coding, *part)

    def join_finest(band: tuple[int, int]) -> None:
        finest(
            coefficients,
            samples,
            header.signed,
            header.boost,
            program,
            layout.components,
            header.is_bayer,
            layout.factors,
            coding.chroma,
            cubic,
            layout.shift,
            tolerance,
            green_parity,
            2 * band[0],
            min(2 * band[1], layout.rows),
        )

    threads.run(join_coarser, _parts(layout), workers)
    threads.run(join_finest, threads.bands((layout.rows + 1) // 2, workers), workers)


def _unsigned(array: NDArray[Any]) -> NDArray[Any]:
    return array.view(f"u{array.itemsize}")


def _parts(layout: Layout) -> list[tuple[int, int]]:
    """All planes and their components: what can be lifted separately above the finest level."""
    components = range(len(layout.components))
    return [(plane, component) for plane in range(layout.header.planes) for component in components]


def _lift_coarser(
    kernel: Callable[..., None],
    coefficients: NDArray[Any],
    coding: Coding,
    plane: int,
    component: int,
) -> None:
    """Run a kernel on all levels of a component but the finest, which Bayer mode does not count."""
    header, layout = coding.header, coding.layout
    chroma = int(component > 0) if header.is_bayer else int(coding.chroma[plane])
    kernel(
        coefficients[plane],
        layout.components[component],
        layout.factors[component, chroma],
        header.filter == Filter.CUBIC,
        layout.shift,
        0 if header.is_bayer else 1,
        layout.levels,
    )


def _clean_up_tolerance(header: Header) -> int:
    """T of section 10; 0 where there is no clean-up."""
    if header.intent not in _CLEANED_INTENTS or header.quality == 1024:
        return 0
    quality, chroma_quality = header.quality, header.chroma_quality
    return 2 * ((1024 + quality // 2) // quality + (1024 + chroma_quality // 2) // chroma_quality)
