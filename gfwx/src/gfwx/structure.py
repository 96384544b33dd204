"""What a file consists of: header, channel transform, and where each level of detail ends."""

from __future__ import annotations

from dataclasses import dataclass

from gfwx import transforms
from gfwx.codec import read_program
from gfwx.header import BytesLike, Header, byte_view
from gfwx.layout import layout_of, most_downsampling


@dataclass(frozen=True)
class Level:
    """A level of detail that is wholly there.

    Attributes
    ----------
    downsampling : int
        With which the picture of this level and the coarser ones is decoded.
    width, height : int
        Of that picture.
    end : int
        Number of bytes, from the start of the file, that it takes.
    """

    downsampling: int
    width: int
    height: int
    end: int


@dataclass(frozen=True)
class Structure:
    """What a file, or its beginning, consists of.

    Attributes
    ----------
    header : Header
        With the metadata.
    program : Program
        Channel transform: flat integers (see `transforms`).
    levels : tuple of Level
        From coarse to fine, those that are wholly there.
    next : int or None
        Number of bytes with which the next refinement can be decoded; None if the file is complete.
    """

    header: Header
    program: transforms.Program
    levels: tuple[Level, ...]
    next: int | None

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing."""
        return self.next is None

    @property
    def transform(self) -> str:
        """Name of the channel transform: "none", one of `transforms.NAMED`, or "other"."""
        header = self.header
        if self.program == transforms.NONE:
            return "none"
        if header.channels >= 3:
            for name in transforms.NAMED:
                shape = header.channels, header.layers
                if self.program == transforms.resolve(name, header.intent, *shape):
                    return name
        return "other"


def read_structure(data: BytesLike) -> Structure:
    """Find out what a file consists of, without decoding it.

    Parameters
    ----------
    data : bytes-like
        A file or the beginning of one, header and channel transform at least.

    Returns
    -------
    Structure
        What is there.

    Raises
    ------
    GfwxError
        As `decode` does for data without a whole header and channel transform, or damaged ones.
    """
    view = byte_view(data)
    header = Header.parse(view)
    program, start = read_program(view, header)
    levels: list[Level] = []
    following: int | None = None
    for downsampling in range(most_downsampling(header), -1, -1):
        layout = layout_of(header, downsampling)
        blocks = layout.find_blocks(view, start)
        following = blocks.next
        if following is not None:
            break
        end = start
        if len(blocks.offsets):
            end = int((blocks.offsets + 4 * blocks.lengths.astype(int)).max())
        levels.append(Level(downsampling, layout.columns, layout.rows, end))
    return Structure(header, program, tuple(levels), following)
