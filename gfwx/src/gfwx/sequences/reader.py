"""Reading any frame of a sequence."""

from __future__ import annotations

import operator
import os
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from itertools import accumulate
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from gfwx.arguments import presented
from gfwx.errors import ArgumentError, ArgumentTypeError, MalformedError
from gfwx.header import Header
from gfwx.metadata import Metadata, readable
from gfwx.reading import PictureReader
from gfwx.sequences import container
from gfwx.sequences.groups import FRAMES_KEY


class SequenceReader:
    """Read frames of a sequence, in any order, holding a group of them in memory.

    It can be indexed and sliced as an array of its `shape`, may be used by several threads, and
    also reads a file that was not closed, as far as it was written.

    Parameters
    ----------
    path : str or os.PathLike
        File to read.

    Attributes
    ----------
    shape : tuple of int
        Number of frames, and the shape of one as `decode` would return it.
    dtype : numpy.dtype
        Of the samples.
    is_complete : bool
        Whether the sequence was closed. If not, frames that were to come may be missing.

    Raises
    ------
    MalformedError
        The file is no sequence.
    OSError
        The file cannot be read.

    Examples
    --------
    >>> with SequenceReader("film.gfwxs") as film:  # doctest: +SKIP
    ...     print(len(film), film[100].mean(), film.values(100)["seconds"])
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._lock = Lock()
        self._cached: tuple[Any, NDArray[Any]] | None = None
        self._file = Path(path).open("rb")  # noqa: SIM115 - `close` closes it
        try:
            contents = container.read_contents(self._file)
            self._groups = contents.groups
            self._metadata = contents.metadata
            self.is_complete = contents.is_complete
            self._ends = list(accumulate(group.frames for group in self._groups))
            *shape, self.dtype = self._kind = self._kind_of_first()
            count = self._ends[-1] if self._ends else 0
            self.shape = (count, *presented(tuple(shape), keep_dims=False)) if count else (0,)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        self._cached = None

    @property
    def metadata(self) -> Metadata:
        """Metadata of the whole sequence; none, with a `MetadataWarning`, if they are damaged."""
        return readable(self._metadata)

    @property
    def ndim(self) -> int:
        """Number of dimensions of `shape`."""
        return len(self.shape)

    def __len__(self) -> int:
        """Count the frames."""
        return self.shape[0]

    def __iter__(self) -> Iterator[NDArray[Any]]:
        """Iterate over the frames."""
        return map(self.decode, range(len(self)))

    def __getitem__(self, key: Any) -> NDArray[Any]:
        """Decode a frame, or those of a slice as one array; more indices go to the result."""
        first, *rest = key if isinstance(key, tuple) else (key,)
        if isinstance(first, slice):
            numbers = range(len(self))[first]
            frames = np.empty((len(numbers), *self.shape[1:]), self.dtype)
            for place, number in enumerate(numbers):
                frames[place] = self.decode(number)
            return frames[(slice(None), *rest)]
        frame: NDArray[Any] = self.decode(first)[tuple(rest)]
        return frame

    def decode(self, number: int, *, downsampling: int = 0, **options: Any) -> NDArray[Any]:
        """Decode a frame.

        Parameters
        ----------
        number : int
            Of the frame; negative ones count from the end.
        downsampling : int, default 0
            Make it smaller by two to this power, reading only what that needs.
        **options
            As for the function `decode`, but `out` and `partial`.

        Returns
        -------
        ndarray
            The frame, as the function `decode` would return it.

        Raises
        ------
        IndexError
            There is no such frame.
        GfwxError, OSError
            As the function `decode` does.
        """
        for name in ("out", "partial"):
            if name in options:
                raise ArgumentError(f"{name} cannot be given for frames")
        keep_dims = options.pop("keep_dims", False)
        group, place = self._find(number)
        settings = (group, downsampling, tuple(sorted(options.items(), key=lambda item: item[0])))
        with self._lock:
            if self._cached is None or self._cached[0] != settings:
                self._cached = None  # so that there are never two of them
                frames = self._decode_group(group, downsampling=downsampling, **options)
                self._cached = settings, frames
            frame: NDArray[Any] = self._cached[1][place].copy()
        return frame.reshape(presented(frame.shape, keep_dims))

    def values(self, number: int) -> Mapping[str, Any]:
        """Find what else is known of a frame.

        Parameters
        ----------
        number : int
            Of the frame; negative ones count from the end.

        Returns
        -------
        mapping of str to JSON values
            As it was given to `SequenceWriter.append`; none, with a `MetadataWarning`, if the
            metadata are damaged.

        Raises
        ------
        IndexError
            There is no such frame.
        GfwxError, OSError
            As `read_header` does.
        """
        group, place = self._find(number)
        with self._lock:
            header = self._open(group).header
        known = readable(header.metadata).values.get(FRAMES_KEY)
        found = known[place] if isinstance(known, list) and place < len(known) else {}
        return found if isinstance(found, dict) else {}

    def _find(self, number: int) -> tuple[container.Group, int]:
        """Group of a frame, and its place there."""
        try:
            wanted = operator.index(number)
        except TypeError:
            kind = type(number).__name__
            raise ArgumentTypeError(f"the number of a frame must be an int, got {kind}") from None
        count = len(self)
        if not -count <= wanted < count:
            raise IndexError(f"there is no frame {wanted}: the sequence has {count}")
        wanted %= count
        which = bisect_right(self._ends, wanted)
        group = self._groups[which]
        return group, wanted - (self._ends[which] - group.frames)

    def _open(self, group: container.Group) -> PictureReader:
        if self._file.closed:
            raise ArgumentError("the sequence has been closed")
        self._file.seek(group.offset)
        return PictureReader(self._file)

    def _decode_group(self, group: container.Group, **options: Any) -> NDArray[Any]:
        """Frames of a group, (frames, layers, height, width, channels)."""
        reader = self._open(group)
        self._check(reader.header, group)
        image = reader.decode(keep_dims=True, **options)
        return image.reshape(group.frames, -1, *image.shape[1:])

    def _check(self, header: Header, group: container.Group) -> None:
        """Raise MalformedError if the frames of a group are not as the first ones."""
        layers, *others = header.shape
        found = (layers / group.frames, *others, header.dtype)
        if found != self._kind:
            raise MalformedError(
                f"the sequence is damaged: its frames at byte {group.offset} are not as the first"
            )

    def _kind_of_first(self) -> tuple[Any, ...]:
        """Layers, height, width, channels and type of the first group's frames."""
        if not self._groups:
            return 0, 0, 0, 0, np.dtype(np.uint8)
        first = self._groups[0]
        header = self._open(first).header
        layers, remainder = divmod(header.layers, first.frames)
        if remainder:
            raise MalformedError(
                f"the sequence is damaged: {header.layers} layers are no {first.frames} frames"
            )
        return layers, *header.shape[1:], header.dtype
