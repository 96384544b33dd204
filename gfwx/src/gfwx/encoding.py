"""The order of work in encoding: bands of the finest level, the coarser levels, the file."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
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
from gfwx.memory import Band, Memory, memory_for
from gfwx.tasks import Tasks

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
    if workers > 1:
        # More than there are blocks would get memory, and nothing to do.
        workers = max(1, min(workers, layout.block_count(layout.all_levels())))
    dtype = coefficient_type(image.itemsize)
    memory = memory_for(layout, np.dtype(dtype).itemsize, workers)
    checked = transforms.may_overflow(coding.program, coding.header.boost, image.itemsize)
    alone = len(memory.bands) == 1
    twice = coding.header.encoder == Encoder.CONTEXTUAL and not alone
    with (
        scratch.coefficients(memory.size, dtype) as coefficients,
        scratch.block_data(workers) as chunks,
    ):
        writer = _BlockWriter(coding, coefficients, chunks)
        bands = _Bands(image, coding, coefficients, memory, writer, checked=checked)
        tasks = Tasks()
        splits: list[int] = []
        if twice:
            splits += [tasks.add(partial(bands.split_for_coarser, band)) for band in memory.bands]
        else:
            *others, last = memory.bands
            for band in others:
                splits.append(tasks.add_event())
                then = partial(tasks.signal, splits[-1])
                tasks.add(partial(bands.split_and_write, band, then=then))
            splits.append(tasks.add(partial(bands.split, last)))
        pieces = threads.bands(layout.planes * len(layout.components), workers, 1)
        parts = [tasks.add(partial(bands.split_coarser, piece), splits) for piece in pieces]
        if checked:
            check = partial(_check_storable, coefficients[memory.coarse])
            parts = [tasks.add(check, parts)]
        if twice:
            for band in memory.bands:
                tasks.add(partial(bands.split_and_write, band, keeps_low=False), parts)
        elif not alone:
            # Left until now for threads that get no plane: these seldom share out evenly.
            tasks.add(partial(bands.write, last), splits[-1:])
        for queue in layout.queues(writer.levels, with_finest=alone, by_level=False):
            for work in writer.workers(queue, memory.places[0], workers):
                tasks.add(work, parts)
        tasks.run(workers)
        return writer.file(start, workers)


class _Bands:
    """Makes and encodes bands of the finest level, as many at a time as there are places."""

    def __init__(
        self,
        image: NDArray[Any],
        coding: Coding,
        coefficients: NDArray[Any],
        memory: Memory,
        writer: _BlockWriter,
        *,
        checked: bool,
    ) -> None:
        self._image, self._coding, self._coefficients = image, coding, coefficients
        self._memory, self._writer, self._checked = memory, writer, checked
        self._free = list(memory.places)  # append and pop are atomic
        self._places: dict[Band, NDArray[np.int64]] = {}

    def split(self, band: Band, *, keeps_low: bool = True) -> None:
        """Make a band, which keeps its place until it is encoded."""
        place = self._places[band] = self._free.pop()
        finest = self._coefficients[self._memory.finest(place)]
        if self._checked:
            finest[:] = 0
        split_band(self._image, self._coding, self._coefficients, place, band, keeps_low=keeps_low)
        if self._checked:
            _check_storable(finest)

    def write(self, band: Band) -> None:
        """Encode a band that is made."""
        place = self._places.pop(band)
        queue = self._coding.layout.band_queue(self._writer.levels, *band)
        for work in self._writer.workers(queue, place, 1):
            work()
        self._free.append(place)

    def split_and_write(
        self, band: Band, *, keeps_low: bool = True, then: Callable[[], None] | None = None
    ) -> None:
        """Make and encode a band; call something in between."""
        self.split(band, keeps_low=keeps_low)
        if then is not None:
            then()
        self.write(band)

    def split_for_coarser(self, band: Band) -> None:
        """Make a band for what the coarser levels need of it."""
        self.split(band)
        self._free.append(self._places.pop(band))

    def split_coarser(self, part: tuple[int, int]) -> None:
        """Make the coarser levels, all bands being made."""
        split_coarser(self._coding, self._coefficients, self._memory.places[0], part)


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

    def workers(
        self, queue: Queue, place: NDArray[np.int64], count: int
    ) -> list[Callable[[], None]]:
        """Make functions that encode the blocks of a queue together, one for each thread.

        As many may run at a time as there are chunks.
        """
        next_item = np.zeros(1, np.int64)

        def work() -> None:
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

        return [work] * min(count, queue.count)

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
