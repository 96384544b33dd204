"""Pictures to and from files on disk."""

from __future__ import annotations

import contextlib
import mmap
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gfwx.codec import decode, encode
from gfwx.errors import ArgumentError, ArgumentTypeError, GfwxError
from gfwx.header import BytesLike, Header
from gfwx.metadata import Metadata, readable

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def imread(path: str | os.PathLike[str], **options: Any) -> Any:
    """Read a picture from a file.

    The file is mapped into memory where the system allows it, so that a downsampled picture costs
    only the part of the file that it needs.

    Parameters
    ----------
    path : str or os.PathLike
        File to read.
    **options
        As for `decode`.

    Returns
    -------
    numpy.ndarray, or tuple with ``partial=True``
        As `decode` returns it.

    Raises
    ------
    GfwxError
        As `decode` does; the message begins with the path.
    OSError
        The file cannot be read.
    """
    source = _as_path(path, "imread takes the path of a file, decode takes its bytes")
    with _naming(source):
        return decode(contents(source), **options)


def read_header(source: str | os.PathLike[str] | BytesLike) -> Header:
    """Read the header of a file, and its metadata, without decoding the picture.

    The size of the picture is not held against any limit: `decode` does that before it allocates.

    Parameters
    ----------
    source : str, os.PathLike, or bytes-like
        Path of a file, or a file or the beginning of one: bytes, bytearray, memoryview, mmap,
        uint8 array.

    Returns
    -------
    Header
        What the header says.

    Raises
    ------
    IncompleteDataError, MalformedError, UnsupportedError, ArgumentTypeError
        As `Header.parse` does; the message begins with the path where one was given.
    OSError
        The file cannot be read.
    """
    if not isinstance(source, str | os.PathLike):
        return Header.parse(source)
    path = _as_path(source, "read_header takes the path of a file, or its bytes")
    with _naming(path):
        return Header.parse(contents(path))


def read_metadata(source: str | os.PathLike[str] | BytesLike | Header) -> Metadata:
    """Read the metadata of a file, as far as they follow the convention.

    Damaged ones are no reason not to have the picture: a `MetadataWarning` tells of them, and none
    are returned.

    Parameters
    ----------
    source : str, os.PathLike, bytes-like, or Header
        Path of a file, a file or the beginning of one, or its header.

    Returns
    -------
    Metadata
        What is known of the picture.

    Raises
    ------
    GfwxError, OSError
        As `read_header` does.
    """
    header = source if isinstance(source, Header) else read_header(source)
    return readable(header.metadata)


def imwrite(path: str | os.PathLike[str], image: ArrayLike, **options: Any) -> None:
    """Write a picture to a file.

    The file appears complete or not at all: the bytes go to a temporary file beside it, which then
    takes its name.

    Parameters
    ----------
    path : str or os.PathLike
        File to write; one that exists is replaced.
    image : array_like
        Picture, as for `encode`.
    **options
        As for `encode`.

    Raises
    ------
    GfwxError
        As `encode` does; nothing is written then.
    OSError
        The file cannot be written.
    """
    target = _as_path(path, "imwrite takes the path, then the image")
    data = encode(image, **options)
    with _naming(target):
        write_whole(target.resolve(), data)


def write_whole(target: Path, data: bytes) -> None:
    """Write a file that appears complete or not at all; raises OSError if it cannot."""
    if target.exists() and not target.is_file():  # a pipe or device keeps its place
        target.write_bytes(data)
        return
    # Without the target's name, which may be as long as names can be.
    temporary = target.with_name(f".gfwx-{secrets.token_hex(8)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(data)
        if target.exists():
            temporary.chmod(target.stat().st_mode & 0o7777)
        temporary.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def _as_path(path: str | os.PathLike[str], hint: str) -> Path:
    try:
        source = Path(path)
    except TypeError:
        kind = type(path).__name__
        raise ArgumentTypeError(f"path must be a str or os.PathLike, got {kind}; {hint}") from None
    if not os.fspath(path):
        raise ArgumentError("path must not be empty")
    return source


def contents(path: Path) -> mmap.mmap | bytes:
    """Map a file into memory, or read it where it cannot be mapped; raises OSError."""
    with path.open("rb") as file:
        try:
            # Not closed here: an error on its way to the caller may still refer to the mapping.
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (ValueError, OSError):  # empty, or a pipe and the like
            return file.read()


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Let errors tell which file they are about, in the caller's words."""
    try:
        yield
    except GfwxError as error:
        error.args = (f"{path}: {error}",)
        raise
    except OSError as error:
        if error.errno is None:  # the message is all there is
            raise
        raise OSError(error.errno, error.strerror, str(path)) from None
