"""Coefficients to the blocks of a file and back (format, sections 8 and 9)."""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gfwx import kernels, threads
from gfwx.coefficients import Coding, coefficient_type
from gfwx.errors import MalformedError
from gfwx.header import Encoder
from gfwx.layout import LevelData


def encode_levels(
    coefficients: NDArray[Any], coding: Coding, workers: int
) -> list[bytes | memoryview]:
    """Encode all blocks.

    Parameters
    ----------
    coefficients : ndarray of int16 or int32
        What `analyze` made.
    coding : Coding
        How.
    workers : int
        Threads to use.

    Returns
    -------
    list of bytes-like
        Tables of lengths and blocks' data, in the order of the file.
    """
    layout = coding.layout
    module = kernels.block_encoder
    encode_blocks = module.encode_16bit if coefficients.itemsize == 4 else module.encode_8bit
    levels = list(layout.each_level())
    # The finest levels, which have the most to do, come first, so that threads end together.
    queued = levels[::-1]
    firsts = [0, *accumulate(level.blocks for level in queued)]
    fields = [layout.describe(level, first) for level, first in zip(queued, firsts, strict=False)]
    count = firsts[-1]
    queue = np.array(fields, np.int64), np.zeros(1, np.int64)
    encoders = np.empty(count, np.int32)
    offsets = np.empty(count, np.int64)
    lengths = np.empty(count, np.uint32)

    def work(worker: int) -> bytes:
        encoded: bytes = encode_blocks(
            coefficients,
            layout.components,
            coding.chroma,
            *queue,
            worker,
            encoders,
            offsets,
            lengths,
        )
        return encoded

    buffers = [
        memoryview(buffer) for buffer in threads.run(work, range(min(workers, count)), workers)
    ]
    ends = offsets + 4 * lengths.astype(np.int64)
    places = list(zip(encoders.tolist(), offsets.tolist(), ends.tolist(), strict=True))
    parts: list[bytes | memoryview] = []
    for level, first in zip(levels, firsts[-2::-1], strict=True):
        blocks = slice(first, first + level.blocks)
        parts.append(lengths[blocks].astype("<u4", copy=False).tobytes())
        parts += [buffers[worker][start:end] for worker, start, end in places[blocks]]
    return parts


def decode_levels(
    data: memoryview, found: list[LevelData], coding: Coding, itemsize: int, workers: int
) -> NDArray[Any]:
    """Decode all blocks that are there.

    Parameters
    ----------
    data : memoryview
        The file or its beginning.
    found : list of LevelData
        What `Layout.find_blocks` found in it.
    coding : Coding
        How.
    itemsize : int
        Bytes of a sample, by which the type of the coefficients is chosen.
    workers : int
        Threads to use.

    Returns
    -------
    ndarray of int16 or int32
        Coefficients; zero where blocks are missing.

    Raises
    ------
    MalformedError
        The bits of a block run out.
    """
    layout = coding.layout
    coefficients = np.zeros(
        (coding.header.planes, *layout.buffer_shape), coefficient_type(itemsize)
    )
    module = kernels.block_decoder
    decode_blocks = module.decode_16bit if itemsize == 2 else module.decode_8bit

    for stage in _stages(found, coding.header.encoder):
        _decode_stage(decode_blocks, data, stage, coefficients, coding, workers)
    return coefficients


def _decode_stage(
    decode_blocks: Callable[..., bool],
    data: memoryview,
    stage: list[LevelData],
    coefficients: NDArray[Any],
    coding: Coding,
    workers: int,
) -> None:
    """Decode the blocks of some levels, from one queue that all threads take from."""
    layout = coding.layout
    firsts = [0, *accumulate(item.present for item in stage)]
    if firsts[-1] == 0:
        return
    levels = [
        layout.describe(item.level, first) for item, first in zip(stage, firsts, strict=False)
    ]
    queue = (
        np.concatenate([item.offsets[: item.present] for item in stage]),
        np.concatenate([item.lengths[: item.present] for item in stage]),
        np.array(levels, np.int64),
        np.zeros(1, np.int64),
    )

    def work(_: int) -> bool:
        return decode_blocks(data, *queue, coefficients, layout.components, coding.chroma)

    if not all(threads.run(work, range(min(workers, firsts[-1])), workers)):
        raise MalformedError("the bits of a block run out before its coefficients")


def _stages(found: list[LevelData], encoder: Encoder) -> list[list[LevelData]]:
    """Levels that can be decoded at the same time: for contexts, only those of one step."""
    if encoder != Encoder.CONTEXTUAL:
        return [found[::-1]]
    stages: dict[int, list[LevelData]] = {}
    for item in found:
        stages.setdefault(item.level.level, []).append(item)
    return [stages[level] for level in sorted(stages, reverse=True)]
