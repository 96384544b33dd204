"""GFWX files in Pillow: importing this module lets `PIL.Image` open and save them.

>>> import gfwx.plugins.pillow
>>> PIL.Image.open("picture.gfwx").convert("L").save("grey.gfwx", quality=256)  # doctest: +SKIP
"""

from __future__ import annotations

import inspect
from typing import IO, Any, BinaryIO, Final, cast

import numpy as np
from PIL import Image, ImageFile

from gfwx.codec import encode
from gfwx.errors import (
    ArgumentError,
    GfwxError,
    IncompleteDataError,
    MalformedError,
    UnsupportedError,
)
from gfwx.files import read_metadata
from gfwx.header import Header, Intent
from gfwx.layout import layout_of, most_downsampling
from gfwx.metadata import Metadata, checksum
from gfwx.reading import PictureReader

FORMAT: Final = "GFWX"
EXTENSION: Final = ".gfwx"
MIME: Final = "image/x-gfwx"

_MAGIC: Final = b"GFWX"
_BYTE_MODES: Final[dict[Intent, tuple[str, str]]] = {
    Intent.RGB: ("RGB", "RGB"),
    Intent.BGR: ("RGB", "BGR"),
    Intent.RGBA: ("RGBA", "RGBA"),
    Intent.BGRA: ("RGBA", "BGRA"),
    Intent.RGBA_PREMULTIPLIED: ("RGBa", "RGBa"),
    Intent.CMYK: ("CMYK", "CMYK"),
}
"""Pillow's mode, and its name for the order of the bytes, of pictures of several channels."""

_INTENTS: Final[dict[str, Intent]] = {
    "L": Intent.MONO,
    "I;16": Intent.MONO,
    "RGB": Intent.RGB,
    "RGBA": Intent.RGBA,
    "RGBa": Intent.RGBA_PREMULTIPLIED,
    "CMYK": Intent.CMYK,
}
"""What Pillow's modes mean; others would lose something, and are refused."""

_OPTIONS: Final = sorted(set(inspect.signature(encode).parameters) - {"image", "metadata"})


class GfwxImageFile(ImageFile.ImageFile):
    """A GFWX file that Pillow has opened: its header is read, the pixels are when they are needed.

    `info` has "exif", "icc_profile" and "xmp" where the file has them, the named values of its
    metadata as "gfwx_values", and its intent.
    """

    format = FORMAT
    format_description = "GFWX, good fast wavelet codec"

    def _open(self) -> None:
        try:
            self._reader = PictureReader(cast(BinaryIO, self.fp))
        except (MalformedError, IncompleteDataError) as error:
            # By which Pillow knows that a plugin cannot identify a file.
            raise SyntaxError(str(error)) from error
        header = self._reader.header
        self._mode, self._raw_mode = _modes(header)
        self._size = header.width, header.height
        self._downsampling = 0
        known = read_metadata(header)
        for name, value in (
            ("exif", known.exif),
            ("icc_profile", known.icc),
            ("xmp", known.xmp),
            ("gfwx_values", dict(known.values)),
        ):
            if value:
                self.info[name] = value
        self.info["intent"] = str(header.intent)
        # Pillow takes a file without tiles for one that is loaded.
        self.tile = [ImageFile._Tile("gfwx", (0, 0, *self.size), 0, self._raw_mode)]

    def draft(
        self, mode: str | None, size: tuple[int, int] | None
    ) -> tuple[str, tuple[int, int, float, float]] | None:
        """Make the picture smaller by a power of two, but not smaller than `size`.

        Parameters
        ----------
        mode : str or None
            Not used: the mode stays as it is.
        size : tuple of int or None
            Width and height that will do.

        Returns
        -------
        tuple or None
            Mode, and the box of the old picture in pixels of the new one; None if it stays as it
            is.
        """
        if not self.tile or size is None:
            return None
        header = self._reader.header
        for downsampling in range(most_downsampling(header), self._downsampling, -1):
            smaller = layout_of(header, downsampling)
            if smaller.columns >= size[0] and smaller.rows >= size[1]:
                break
        else:
            return None
        self._downsampling = downsampling
        self._size = smaller.columns, smaller.rows
        self.tile = [ImageFile._Tile("gfwx", (0, 0, *self.size), 0, self._raw_mode)]
        scale = 2.0**downsampling
        return self.mode, (0, 0, header.width / scale, header.height / scale)

    def load(self) -> Any:
        """Decode the picture, the first time.

        Returns
        -------
        PixelAccess
            As Pillow's images return it.

        Raises
        ------
        OSError
            The file ends early (unless `PIL.ImageFile.LOAD_TRUNCATED_IMAGES`), or is damaged.
        """
        if self.tile:
            pixels = self._decoded()
            loaded = Image.frombuffer(self.mode, self.size, pixels, "raw", self._raw_mode, 0, 1)
            # Where the pixels are shared, Pillow copies them before it writes to them.
            self.im, self.readonly = loaded.im, loaded.readonly
            self.tile = []
            if self._exclusive_fp and self.fp is not None:
                self.fp.close()
            self.fp = None
        return super().load()

    def load_seek(self, pos: int) -> None:
        """Do nothing: by this method Pillow's parser knows that tiles are not for it to decode."""

    def _decoded(self) -> np.ndarray[Any, Any]:
        header = self._reader.header
        options = {
            "downsampling": self._downsampling,
            # Pillow has its own limit, and has held the size against it.
            "max_pixels": header.width * header.height * header.channels,
        }
        try:
            if not ImageFile.LOAD_TRUNCATED_IMAGES:
                return self._reader.decode(**options)
            found = self._reader.decode_partially(**options)
        except IncompleteDataError as error:
            raise OSError(f"image file is truncated: {error}") from error
        except GfwxError as error:
            raise OSError(f"image file is damaged: {error}") from error
        if found is None:
            raise OSError("image file is truncated: nothing of the picture is there")
        return found


def _modes(header: Header) -> tuple[str, str]:
    """Return Pillow's mode for a file, and its name for the order of the bytes."""
    samples = f"{header.channels} channels of {header.dtype}, intent '{header.intent}'"
    hint = "gfwx.imread reads it as an array"
    if header.layers != 1:
        raise UnsupportedError(f"Pillow holds no picture of {header.layers} layers; {hint}")
    if header.channels == 1 and not header.signed:
        return ("L", "L") if header.dtype.itemsize == 1 else ("I;16", "I;16N")
    modes = _BYTE_MODES.get(header.intent)
    if header.dtype != np.uint8 or modes is None or len(modes[1]) != header.channels:
        raise UnsupportedError(f"Pillow holds no picture of {samples}; {hint}")
    return modes


def _save(image: Image.Image, file: IO[bytes], filename: str | bytes) -> None:
    """Save as Pillow asks of a plugin: the options of `encode`, and exif, icc_profile, xmp."""
    if image.mode not in _INTENTS:
        modes = ", ".join(_INTENTS)
        raise OSError(f"cannot write mode {image.mode} as GFWX: the modes are {modes}")
    given = dict(image.encoderinfo)
    # As Pillow's other formats do: the profile is kept, since pixels mean little without it; what
    # may no longer be true is written where it is given.
    icc = given.pop("icc_profile", image.info.get("icc_profile")) or b""
    exif = given.pop("exif", None) or b""
    if isinstance(exif, Image.Exif):
        exif = exif.tobytes()
    xmp = given.pop("xmp", None) or b""
    values = given.pop("gfwx_values", None) or {}
    for option in given:
        if option not in _OPTIONS:
            raise ArgumentError(
                f"unknown option '{option}' for GFWX; the options are {', '.join(_OPTIONS)}, and "
                "exif, icc_profile, xmp, gfwx_values"
            )
    given.setdefault("intent", _INTENTS[image.mode])
    pixels = np.asarray(image)
    is_lossless = given.get("quality", 1024) == 1024 and given.get("chroma_scale", 1) == 1
    known = Metadata(exif, icc, xmp, values, checksum(pixels) if is_lossless else None)
    file.write(encode(pixels, metadata=known, **given))


def _accept(prefix: bytes) -> bool:
    return prefix.startswith(_MAGIC)


Image.register_open(FORMAT, GfwxImageFile, _accept)
Image.register_save(FORMAT, _save)
Image.register_extension(FORMAT, EXTENSION)
Image.register_mime(FORMAT, MIME)
