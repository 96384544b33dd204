"""Everything that gfwx raises on purpose, all of it a `GfwxError` and so also a `ValueError`."""

from __future__ import annotations


class GfwxError(ValueError):
    """Base class of the errors of gfwx."""


class MalformedError(GfwxError):
    """The data are not a GFWX file, or contradict themselves."""


class UnsupportedError(GfwxError):
    """The file asks for something that version 1 of the format does not define."""


class LimitError(GfwxError):
    """The picture or the file is larger than the limits in force (see `gfwx.limits`)."""


class IncompleteDataError(GfwxError):
    """The data end before the picture does.

    Parameters
    ----------
    message : str
        What is missing.
    next : int
        Number of bytes, counted from the start of the file, with which it is worth trying again.

    Attributes
    ----------
    next : int
        As above: the next point of interest (format, section 10).
    """

    def __init__(self, message: str, next: int) -> None:
        super().__init__(message)
        self.next = next

    def __reduce__(self) -> tuple[type[IncompleteDataError], tuple[str, int]]:
        # The default would call the class with the message alone, and fail in process pools.
        return type(self), (str(self), self.next)


class ArgumentError(GfwxError):
    """An argument of the caller cannot be used."""


class ArgumentTypeError(ArgumentError, TypeError):
    """An argument of the caller has the wrong type."""
