"""Pictures from binary files that somebody else has opened, reading no more than they need."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, BinaryIO, Final, TypeVar

from numpy.typing import NDArray

from gfwx.codec import decode
from gfwx.errors import IncompleteDataError
from gfwx.header import Header
from gfwx.limits import HEADER_SIZE

Result = TypeVar("Result")

_PIECE: Final = 1 << 20
"""Most bytes that are asked for at a time, since files make room for what they are asked for."""


class PictureReader:
    """One picture in a binary file, from where the file stands.

    Parameters
    ----------
    file : binary file
        Can be read and sought; it is not closed.

    Attributes
    ----------
    header : Header
        Of the picture. It has been read, and nothing else.

    Raises
    ------
    GfwxError
        As `Header.parse` does: the file ends early, or is no GFWX file.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._start = file.tell()
        self._data = b""
        self.header: Header = self._with_enough(Header.parse, HEADER_SIZE)

    @property
    def bytes_read(self) -> int:
        """Number of bytes that have been read so far."""
        return len(self._data)

    def decode(self, **options: Any) -> NDArray[Any]:
        """Decode the picture, reading what that needs.

        Parameters
        ----------
        **options
            As for the function `decode`, but `partial`.

        Returns
        -------
        ndarray
            As the function `decode` returns it.

        Raises
        ------
        GfwxError
            As the function `decode` does.
        """
        return self._with_enough(lambda data: decode(data, **options), len(self._data))

    def decode_partially(self, **options: Any) -> NDArray[Any] | None:
        """Decode what there is of the picture, if the file ends early.

        Parameters
        ----------
        **options
            As for the function `decode`, but `partial`.

        Returns
        -------
        ndarray or None
            As the function `decode` returns it; None if there is nothing.

        Raises
        ------
        GfwxError
            As the function `decode` does.
        """
        try:
            return self.decode(**options)
        except IncompleteDataError:
            return decode(self._data, partial=True, **options)[0]

    def _with_enough(self, function: Callable[[bytes], Result], needed: int) -> Result:
        """Call a function with the beginning of the file, longer until it has enough."""
        while True:
            self._read_to(needed)
            try:
                return function(self._data)
            except IncompleteDataError as error:
                if len(self._data) < needed:  # the file has no more
                    raise
                needed = max(error.next, needed + 1)

    def _read_to(self, needed: int) -> None:
        self._file.seek(self._start + len(self._data))
        parts, missing = [self._data], needed - len(self._data)
        while missing > 0 and (part := self._file.read(min(missing, _PIECE))):
            parts.append(part)
            missing -= len(part)
        self._data = b"".join(parts)
