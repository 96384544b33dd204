"""The order of work in encoding: bands of the finest level, the coarser levels, the file."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gfwx import kernels, scratch, threads, transforms
from gfwx.coefficients import Coding, coefficient_type, split_band, split_coarser
from gfwx.errors import ArgumentError
from gfwx.header import Encoder
from gfwx.kernels import block_table
from gfwx.kernels.block_data import BlockData
from gfwx.layout import Queue
from gfwx.memory import memory_for

_LEAST_BLOCKS: Final = 256
"""Blocks that a thread copies at a time, at least."""


def encode_picture(image: NDArray[Any], coding: Coding, start: bytes, workers: int) -> bytes:
    """Encode samples.

    A band of the finest level is encoded as soon as it is made, while the caches hold it. Contexts
    look up coarser levels, so with Contextual all bands are made twice: at first for the coarser
    levels only, which costs less than to keep the finest level in memory.

    Parameters
    ----------
    image : ndarray, (L, H, W, C)
        Samples in native byte order.
    coding : Coding
        How.
    start : bytes
        Header and channel transform.
    workers : int
        Threads to use.

    Returns
    -------
    bytes
        The file.

    Raises
    ------
    ArgumentError
        There is no code for a coefficient.
    """
    layout = coding.layout
    dtype = coefficient_type(image.itemsize)
    memory = memory_for(layout, np.dtype(dtype).itemsize, workers)
    contextual = coding.header.encoder == Encoder.CONTEXTUAL
    checked = transforms.may_overflow(coding.program, coding.header.boost, image.itemsize)
    parts = layout.planes * len(layout.components)
    with (
        scratch.coefficients(memory.size, dtype) as coefficients,
        scratch.block_data(workers) as chunks,
    ):
        writer = _BlockWriter(coding, coefficients, chunks)
        free = list(memory.places)  # append and pop are atomic

        def work_on_band(band: tuple[int, int], *, keeps_low: bool, writes: bool) -> None:
            place = free.pop()
            try:
                if checked:
                    coefficients[memory.finest(place)] = 0
                split_band(image, coding, coefficients, place, band, keeps_low=keeps_low)
                if checked:
                    _check_storable(coefficients[memory.finest(place)])
                if writes:
                    writer.write(layout.band_queue(writer.levels, *band), place)
            finally:
                free.append(place)

        def split(part: tuple[int, int]) -> None:
            split_coarser(coding, coefficients, memory.places[0], part)

        alone = len(memory.bands) == 1
        threads.run(
            lambda band: work_on_band(band, keeps_low=True, writes=not (alone or contextual)),
            memory.bands,
            workers,
        )
        threads.run(split, threads.bands(parts, workers, 1), workers)
        if checked:
            _check_storable(coefficients[memory.coarse])
        if contextual and not alone:
            threads.run(
                lambda band: work_on_band(band, keeps_low=False, writes=True),
                memory.bands,
                workers,
            )
        for queue in layout.queues(writer.levels, with_finest=alone, by_level=False):
            writer.write(queue, memory.places[0], workers)
        return writer.file(start, workers)


class _BlockWriter:
    """Encodes blocks and keeps their data until the file is put together."""

    def __init__(self, coding: Coding, coefficients: NDArray[Any], chunks: list[BlockData]) -> None:
        self._coding = coding
        self._coefficients = coefficients
        module = kernels.block_encoder
        self._encode = module.encode_16bit if coefficients.itemsize == 4 else module.encode_8bit
        self.levels = coding.layout.all_levels()
        blocks = coding.layout.block_count(self.levels)
        self._chunks = chunks
        self._free = list(enumerate(chunks))  # append and pop are atomic
        self._chunk_of = np.empty(blocks, np.int32)
        self._offsets = np.empty(blocks, np.int64)
        self._lengths = np.empty(blocks, np.uint32)

    def write(self, queue: Queue, place: NDArray[np.int64], workers: int = 1) -> None:
        """Encode the blocks of a queue. As many threads may call this as there are chunks."""
        next_item = np.zeros(1, np.int64)

        def work(_: int) -> None:
            number, chunk = self._free.pop()
            try:
                self._encode(
                    self._coefficients,
                    place,
                    self._coding.tables,
                    queue.runs,
                    queue.count,
                    next_item,
                    chunk,
                    number,
                    self._chunk_of,
                    self._offsets,
                    self._lengths,
                )
            finally:
                self._free.append((number, chunk))

        threads.run(work, range(min(workers, queue.count)), workers)

    def file(self, start: bytes, workers: int) -> bytes:
        """Put the file together, all blocks being encoded."""
        file = block_table.new_file(start, self._lengths)

        def write(blocks: tuple[int, int]) -> None:
            block_table.write_blocks(
                file,
                len(start),
                self.levels,
                self._chunks,
                self._chunk_of,
                self._offsets,
                self._lengths,
                *blocks,
            )

        threads.run(write, threads.bands(len(self._lengths), workers, _LEAST_BLOCKS), workers)
        return file


def _check_storable(coefficients: NDArray[Any]) -> None:
    """Refuse the one number for which there is no code: -2^31, whose double does not fit a word."""
    if (coefficients == np.iinfo(np.int32).min).any():
        raise ArgumentError("the transform's factors are too large for this image")
