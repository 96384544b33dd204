"""Coefficients to the blocks of a file and back (format, sections 8 and 9)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gfwx import kernels, threads
from gfwx.coefficients import Coding, coefficient_type
from gfwx.errors import MalformedError
from gfwx.header import Encoder
from gfwx.layout import LevelData

_BLOCKS_PER_TASK: Final = 8  # so that threads share a level evenly, at little cost for each task


def _block_tasks(items: Sequence[tuple[Any, int]], workers: int) -> list[tuple[Any, int, int]]:
    """Cut the blocks of each item into tasks: (item, first, last + 1)."""
    tasks = []
    for item, blocks in items:
        size = max(1, blocks) if workers == 1 else _BLOCKS_PER_TASK
        tasks += [(item, at, min(at + size, blocks)) for at in range(0, blocks, size)]
    return tasks


def encode_levels(coefficients: NDArray[Any], coding: Coding, workers: int) -> list[bytes]:
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
    list of bytes
        Tables of lengths and blocks' data, in the order of the file.
    """
    layout = coding.layout
    module = kernels.block_encoder
    encode_blocks = module.encode_16bit if coefficients.itemsize == 4 else module.encode_8bit
    levels = list(layout.each_level())
    lengths = [np.empty(level.blocks, np.uint32) for level in levels]
    fields = [np.array(layout.describe(level), np.int64) for level in levels]

    def encode_task(task: tuple[int, int, int]) -> bytes:
        index, first, last = task
        encoded: bytes = encode_blocks(
            coefficients,
            layout.components,
            coding.chroma,
            fields[index],
            first,
            last,
            lengths[index],
        )
        return encoded

    tasks = _block_tasks([(at, level.blocks) for at, level in enumerate(levels)], workers)
    # The finest levels, which have the most to do, come first, so that threads end together.
    encoded = threads.run(encode_task, tasks[::-1], workers)[::-1]
    parts: list[bytes] = []
    for (index, first, _), data in zip(tasks, encoded, strict=True):
        if first == 0:
            parts.append(lengths[index].astype("<u4", copy=False).tobytes())
        parts.append(data)
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
