"""GFWX files in imageio: importing this module lets `imageio.v3` read and write them.

>>> import gfwx.plugins.imageio
>>> imageio.v3.imwrite("picture.gfwx", image, quality=256)  # doctest: +SKIP
>>> imageio.v3.imread("picture.gfwx", downsampling=2)  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Iterator
from types import EllipsisType
from typing import Any, Final

import numpy as np
from imageio.config import known_extensions, known_plugins
from imageio.config.extensions import FileExtension, extension_list
from imageio.config.plugins import PluginConfig
from imageio.core.request import RETURN_BYTES, InitializationError, IOMode, Request
from imageio.core.v3_plugin_api import ImageProperties, PluginV3
from numpy.typing import ArrayLike, NDArray

from gfwx.codec import encode
from gfwx.errors import ArgumentError, IncompleteDataError, MalformedError
from gfwx.files import read_metadata
from gfwx.header import Intent
from gfwx.reading import PictureReader

NAME: Final = "gfwx"
EXTENSION: Final = ".gfwx"

_BLUE_FIRST: Final = (Intent.BGR, Intent.BGRA, Intent.BGRA_PREMULTIPLIED)

Index = int | EllipsisType | None


class GfwxPlugin(PluginV3):
    """A GFWX file as imageio sees it; each layer is an image of shape (H, W) or (H, W, C).

    An index is the number of a layer, ``...`` for all layers along a new first axis, or None for
    the image of a file of one layer and all layers otherwise.

    Parameters
    ----------
    request : imageio.core.Request
        What is to be read or written.
    """

    def __init__(self, request: Request) -> None:
        super().__init__(request)
        if request.mode.io_mode == IOMode.write:
            if request.extension != EXTENSION:
                raise InitializationError(f"gfwx writes {EXTENSION}, not {request.extension}")
            return
        try:
            self._reader = PictureReader(request.get_file())
        except (MalformedError, IncompleteDataError) as error:
            raise InitializationError(str(error)) from error

    def read(self, *, index: Index = None, **options: Any) -> NDArray[Any]:
        """Read one layer, or all of them.

        Parameters
        ----------
        index : int, ..., or None
            See the class.
        **options
            As for `gfwx.decode`, but `keep_dims`, `out` and `partial`; `downsampling` reads only
            what it needs.

        Returns
        -------
        ndarray
            Shape (H, W) or (H, W, C), with the layers before it if there are several or `index` is
            ``...``; red comes before blue.

        Raises
        ------
        ArgumentError
            There is no such layer.
        GfwxError
            As `gfwx.decode` does.
        """
        self._check(index)
        for option in ("keep_dims", "out", "partial"):
            if option in options:
                raise ArgumentError(f"{option} cannot be given when reading through imageio")
        header = self._reader.header
        image = self._reader.decode(keep_dims=True, **options)
        if header.intent in _BLUE_FIRST:
            image = image[..., [2, 1, 0, *range(3, header.channels)]]
        if header.channels == 1:
            image = image[..., 0]
        return image[self._selected(index)]

    def iter(self, **options: Any) -> Iterator[NDArray[Any]]:
        """Read the layers one by one.

        Parameters
        ----------
        **options
            As for `read`.

        Yields
        ------
        ndarray
            Shape (H, W) or (H, W, C).
        """
        yield from self.read(index=..., **options)

    def write(
        self,
        ndimage: ArrayLike | list[ArrayLike],
        *,
        is_batch: bool = False,
        **options: Any,
    ) -> bytes | None:
        """Write an image, or several of the same shape as layers.

        Parameters
        ----------
        ndimage : array_like or list of array_like
            Image of shape (H, W) or (H, W, C); a list of these; or with `is_batch`, or four
            dimensions, a stack of them.
        is_batch : bool, default False
            Whether an array of three dimensions is a stack of (H, W).
        **options
            As for `gfwx.encode`.

        Returns
        -------
        bytes or None
            The file if the target is ``"<bytes>"``.

        Raises
        ------
        GfwxError
            As `gfwx.encode` does.
        """
        if isinstance(ndimage, list | tuple):
            try:
                image = np.stack(ndimage)
            except ValueError:
                raise ArgumentError("images that become layers must have the same shape") from None
            is_batch = True
        else:
            image = np.asarray(ndimage)
        if is_batch and image.ndim == 3:
            image = image[..., np.newaxis]
        elif is_batch and image.ndim != 4:
            raise ArgumentError(f"a stack must have 3 or 4 dimensions, got {image.ndim}")
        data = encode(image, **options)
        self.request.get_file().write(data)
        return data if self.request.raw_uri == RETURN_BYTES else None

    def properties(self, index: Index = None) -> ImageProperties:
        """Shape and type of what `read` returns, from the header.

        Parameters
        ----------
        index : int, ..., or None
            See the class.

        Returns
        -------
        ImageProperties
            As imageio defines them.
        """
        self._check(index)
        header = self._reader.header
        shape: tuple[int, ...] = header.shape[1:]
        if header.channels == 1:
            shape = shape[:-1]
        is_batch = index is ... or (index is None and header.layers > 1)
        return ImageProperties(
            shape=(header.layers, *shape) if is_batch else shape,
            dtype=np.dtype(header.dtype),
            n_images=header.layers if is_batch else None,
            is_batch=is_batch,
        )

    def metadata(self, index: Index = None, exclude_applied: bool = True) -> dict[str, Any]:
        """What the file says of the picture beside its pixels.

        Parameters
        ----------
        index : int, ..., or None
            See the class; the metadata are of all layers.
        exclude_applied : bool, default True
            Not used: nothing is applied.

        Returns
        -------
        dict
            "intent", "bit_depth", "quality"; and where the file has them "exif", "icc_profile",
            "xmp", and its named values as "values".
        """
        self._check(index)
        header = self._reader.header
        known = read_metadata(header)
        found = {
            "intent": str(header.intent),
            "bit_depth": header.bit_depth,
            "quality": header.quality,
        }
        for name, value in (
            ("exif", known.exif),
            ("icc_profile", known.icc),
            ("xmp", known.xmp),
            ("values", dict(known.values)),
        ):
            if value:
                found[name] = value
        return found

    def _check(self, index: Index) -> None:
        layers = self._reader.header.layers
        if isinstance(index, int) and not 0 <= index < layers:
            raise ArgumentError(f"index must be 0..{layers - 1}, got {index}")

    def _selected(self, index: Index) -> int | slice:
        if index is ... or (index is None and self._reader.header.layers > 1):
            return slice(None)
        return index or 0


known_plugins[NAME] = PluginConfig(NAME, GfwxPlugin.__name__, __name__, install_name=NAME)
if EXTENSION not in known_extensions:
    _extension = FileExtension(name="GFWX", extension=EXTENSION, priority=[NAME])
    extension_list.append(_extension)
    known_extensions[EXTENSION] = [_extension]
