"""The order of work in decoding: the coarser levels, then bands of the finest and the picture."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gfwx import kernels, scratch, threads
from gfwx.coefficients import Coding, coefficient_type, join_band, join_coarser
from gfwx.errors import MalformedError
from gfwx.header import Encoder
from gfwx.layout import Blocks, Queue
from gfwx.memory import memory_for
from gfwx.tasks import Tasks, add_in_turn


def decode_picture(
    data: memoryview, blocks: Blocks, coding: Coding, image: NDArray[Any], workers: int
) -> None:
    """Decode the blocks that are there, and make the picture.

    Parameters
    ----------
    data : memoryview
        The file or its beginning.
    blocks : Blocks
        What `Layout.find_blocks` found in it.
    coding : Coding
        How.
    image : ndarray, (L, H, W, C)
        Receives the samples; in native byte order, any strides.
    workers : int
        Threads to use.

    Raises
    ------
    MalformedError
        The bits of a block run out.
    """
    layout = coding.layout
    dtype = coefficient_type(image.itemsize)
    contextual = coding.header.encoder == Encoder.CONTEXTUAL
    memory = memory_for(
        layout,
        np.dtype(dtype).itemsize,
        workers,
        shares_bands=True,
        copies_parents=contextual,
    )
    with scratch.coefficients(memory.size, dtype) as coefficients:
        reader = _BlockReader(data, blocks, coding, coefficients)
        free = list(memory.places)  # append and pop are atomic
        place = free[0]
        missing = blocks.next is not None
        if missing:
            coefficients[:] = 0

        def join(part: tuple[int, int]) -> None:
            join_coarser(coding, coefficients, place, part)

        def keep_parents(piece: tuple[int, int]) -> None:
            coefficients[memory.parents][slice(*piece)] = coefficients[memory.coarse][slice(*piece)]

        def decode_bands(numbers: range) -> None:
            if missing:
                for number in numbers:
                    for part in memory.band_slices(number):
                        coefficients[part] = 0
            queue = layout.band_queue(blocks.levels, *memory.rows_of(numbers))
            for work in reader.workers(queue, place, 1):
                work()

        def make_bands(numbers: range) -> None:
            # With Bayer, one by one: rows between its two sweeps are in memory too.
            runs = [range(n, n + 1) for n in numbers] if layout.is_bayer else [numbers]
            own = free.pop()
            try:
                for run in runs:
                    join_band(coding, coefficients, own, image, memory.rows_of(run))
            finally:
                free.append(own)

        tasks = Tasks()
        alone = len(memory.bands) == 1
        decoded: list[int] = []
        for queue in layout.queues(blocks.levels, with_finest=alone, by_level=contextual):
            work = reader.workers(queue, memory.before_copy, workers)
            decoded = [tasks.add(one, decoded) for one in work]
        if contextual and not alone:
            pieces = threads.bands(memory.coarse.stop, workers, 1 << 16)
            decoded = [tasks.add(partial(keep_parents, piece), decoded) for piece in pieces]
        # Planes seldom share out evenly: who gets none decodes the first bands already.
        pieces = threads.bands(layout.planes * len(layout.components), workers, 1)
        joins = [tasks.add(partial(join, piece), decoded) for piece in pieces]
        if alone:
            tasks.add(partial(make_bands, range(1)), joins)
        else:
            add_in_turn(
                tasks,
                decode_bands,
                make_bands,
                len(memory.bands),
                memory.group,
                memory.ring,
                workers,
                first_needs=decoded if contextual else (),
                second_needs=joins,
            )
        tasks.run(workers)


class _BlockReader:
    """Decodes blocks."""

    def __init__(
        self, data: memoryview, blocks: Blocks, coding: Coding, coefficients: NDArray[Any]
    ) -> None:
        self._data, self._blocks = data, blocks
        self._coding = coding
        self._coefficients = coefficients
        module = kernels.block_decoder
        self._decode = module.decode_16bit if coefficients.itemsize == 4 else module.decode_8bit

    def workers(
        self, queue: Queue, place: NDArray[np.int64], count: int
    ) -> list[Callable[[], None]]:
        """Make functions that decode the blocks of a queue together, one for each thread."""
        next_item = np.zeros(1, np.int64)

        def work() -> None:
            fine: bool = self._decode(
                self._data,
                self._blocks.offsets,
                self._blocks.lengths,
                self._coefficients,
                place,
                self._coding.tables,
                queue.runs,
                queue.count,
                next_item,
            )
            if not fine:
                raise MalformedError("the bits of a block run out before its coefficients")

        return [work] * min(count, queue.count)
