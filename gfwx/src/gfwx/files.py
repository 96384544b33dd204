"""Pictures to and from files on disk."""

from __future__ import annotations

import contextlib
import mmap
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gfwx.codec import decode, encode

if TYPE_CHECKING:
    import os

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
        As `decode` does.
    OSError
        The file cannot be read.
    """
    with Path(path).open("rb") as file:
        try:
            # Not closed here: an error on its way to the caller may still refer to the mapping.
            data: mmap.mmap | bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (ValueError, OSError):  # empty, or a pipe and the like
            data = file.read()
    return decode(data, **options)


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
    data = encode(image, **options)
    target = Path(path).resolve()
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
