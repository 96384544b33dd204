"""Writing a sequence, frame by frame."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gfwx.arguments import as_samples, index
from gfwx.errors import ArgumentError, ArgumentTypeError
from gfwx.metadata import Metadata
from gfwx.sequences import container
from gfwx.sequences.groups import GroupEncoder

MAX_GROUP_SAMPLES: Final = 2**27
"""Groups have fewer frames if they would have more samples."""


class SequenceWriter:
    """Write frames to a file one by one, holding a group of them in memory.

    Lossless frames of a group are predicted from each other where that pays. Whatever groups have
    been written can be read, also if the program ends before `close`.

    Parameters
    ----------
    path : str or os.PathLike
        File to write; one that exists is replaced.
    prediction : {"auto", "previous", "mean"} or None, default "auto"
        Predict a frame from the one before it, or from the mean of up to four. "auto" finds out,
        now and then, which makes some tiles of a group smallest, and predicts nothing where that is
        not 3 % smaller than without, or frames are lossy. What is not predicted is decoded frame by
        frame, else group by group.
    group_size : int, default 8
        Frames in a group; fewer if these would have more than 2**27 samples.
    metadata : Metadata, optional
        Of the whole sequence.
    **options
        As for `encode`, but `metadata`; the `transform` is that of one frame.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        An argument cannot be used.
    OSError
        The file cannot be written.

    Examples
    --------
    >>> with SequenceWriter("film.gfwxs") as writer:  # doctest: +SKIP
    ...     for number, frame in enumerate(camera):
    ...         writer.append(frame, {"seconds": number / 25})
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        prediction: str | None = "auto",
        group_size: int = 8,
        metadata: Metadata | None = None,
        **options: Any,
    ) -> None:
        self._group_size = index("group_size", group_size)
        if self._group_size < 1:
            raise ArgumentError(f"group_size must be at least 1, got {group_size}")
        if not isinstance(metadata, Metadata | None):
            raise ArgumentTypeError(f"metadata must be a Metadata, got {type(metadata).__name__}")
        self._encoder = GroupEncoder(prediction, **options)
        self._frames: NDArray[Any] = np.empty(0)
        self._values: list[Mapping[str, Any]] = []
        self._groups: list[container.Group] = []
        self._kind: tuple[Any, ...] | None = None
        self._count = 0
        self._file = Path(path).open("wb")  # noqa: SIM115 - `close` closes it
        container.write_start(self._file, metadata.to_bytes() if metadata else b"")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __len__(self) -> int:
        """Count the frames that have been appended."""
        return self._count

    def append(self, frame: ArrayLike, values: Mapping[str, Any] | None = None) -> None:
        """Add a frame.

        Parameters
        ----------
        frame : array_like
            Picture, as for `encode`, of the shape and type of the first one. It is copied.
        values : mapping of str to JSON values, optional
            What else is known of it, such as its time.

        Raises
        ------
        GfwxError
            The frame cannot be used. It is left out, and the sequence can go on.
        OSError
            The file cannot be written.
        """
        if self._file.closed:
            raise ArgumentError("the sequence has been closed, so that no frame can be appended")
        array = as_samples(frame)
        known = Metadata(values={} if values is None else values).values
        kind = (*array.shape, array.dtype)
        if self._kind is None:
            self._encoder.check(array)
            self._kind = kind
            most = max(1, MAX_GROUP_SAMPLES // array.size)
            self._frames = np.empty((min(self._group_size, most), *array.shape), array.dtype)
        if kind != self._kind:
            raise ArgumentError(
                f"all frames must be as the first one, {_described(self._kind)}, got "
                f"{_described(kind)}"
            )
        self._frames[len(self._values)] = array
        self._values.append(known)
        self._count += 1
        if len(self._values) == len(self._frames):
            self._write_group()

    def close(self) -> None:
        """Write the frames that are left, and the index. A second time nothing happens."""
        if self._file.closed:
            return
        try:
            self._write_group()
            container.write_index(self._file, self._groups)
        finally:
            self._file.close()

    def _write_group(self) -> None:
        if not self._values:
            return
        values, self._values = self._values, []
        for count, data in self._encoder.encode(self._frames[: len(values)], values):
            offset = container.write_record(self._file, container.GROUP, count, data)
            self._groups.append(container.Group(offset, count))
        self._file.flush()


def _described(kind: tuple[Any, ...]) -> str:
    *shape, dtype = kind
    return f"{dtype} of {' x '.join(map(str, shape))} (layers, height, width, channels)"
