"""GFWX files through imageio's own functions."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

import documented
import imageio.v3 as iio
import numpy as np
import pytest
from chunk_cases import DTYPES, damaged, flipped, modules_after, scene

import gfwx
import gfwx.plugins.imageio  # what a user imports

SHAPES = ((33, 47), (33, 47, 2), (33, 47, 3), (33, 47, 4), (33, 47, 7))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_an_image_comes_back(shape: tuple[int, ...], dtype: str, tmp_path: Path) -> None:
    image, path = scene(shape, dtype), tmp_path / "image.gfwx"
    iio.imwrite(path, image)
    np.testing.assert_array_equal(iio.imread(path), image, strict=True)
    np.testing.assert_array_equal(iio.imread(path, index=0), image, strict=True)
    every: Any = ...
    np.testing.assert_array_equal(iio.imread(path, index=every), image[None], strict=True)
    properties = iio.improps(path)
    assert (properties.shape, properties.dtype, properties.is_batch) == (shape, image.dtype, False)
    np.testing.assert_array_equal(gfwx.imread(path), image, strict=True)


@pytest.mark.parametrize("shape", SHAPES)
def test_layers_are_images(shape: tuple[int, ...], tmp_path: Path) -> None:
    stack, path = scene((5, *shape), "uint16"), tmp_path / "stack.gfwx"
    iio.imwrite(path, list(stack))
    data = path.read_bytes()
    iio.imwrite(path, stack, is_batch=True)
    assert path.read_bytes() == data
    np.testing.assert_array_equal(iio.imread(path), stack, strict=True)
    np.testing.assert_array_equal(iio.imread(path, index=3), stack[3], strict=True)
    np.testing.assert_array_equal(list(iio.imiter(path)), stack)
    properties = iio.improps(path)
    assert (properties.shape, properties.n_images, properties.is_batch) == (stack.shape, 5, True)
    assert iio.improps(path, index=2).shape == shape
    for index in (5, -1):
        with pytest.raises(ValueError, match=r"index must be 0\.\.4"):
            iio.imread(path, index=index)


def test_options_and_metadata(tmp_path: Path) -> None:
    path = tmp_path / "image.gfwx"
    image = scene((100, 120, 3), "uint8")
    known = gfwx.Metadata(exif=b"II*\0", icc=b"profile", xmp=b"<x/>", values={"a": 1})
    iio.imwrite(path, image, quality=64, encoder="contextual", metadata=known)
    assert path.read_bytes() == gfwx.encode(image, 64, encoder="contextual", metadata=known)
    assert iio.immeta(path) == {
        "intent": "rgb",
        "bit_depth": 8,
        "quality": 64,
        "exif": b"II*\0",
        "icc_profile": b"profile",
        "xmp": b"<x/>",
        "values": {"a": 1},
    }
    small = iio.imread(path, downsampling=2)
    np.testing.assert_array_equal(small, gfwx.imread(path, downsampling=2))
    with pytest.raises(ValueError, match="partial cannot be given"):
        iio.imread(path, partial=True)
    with pytest.raises(ValueError, match="quality must be"):
        iio.imwrite(path, image, quality=5000)


def test_bytes_and_open_files() -> None:
    image = scene((33, 47, 3), "uint8")
    data = iio.imwrite("<bytes>", image, extension=".gfwx")
    assert data == gfwx.encode(image)
    np.testing.assert_array_equal(iio.imread(data, extension=".gfwx"), image)
    np.testing.assert_array_equal(iio.imread(data, plugin="gfwx"), image)
    file = io.BytesIO(data)
    np.testing.assert_array_equal(iio.imread(file, extension=".gfwx"), image)


def test_red_comes_before_blue(tmp_path: Path) -> None:
    path = tmp_path / "image.gfwx"
    for intent in ("bgr", "bgra", "bgra-premultiplied"):
        image = scene((20, 30, 3 if intent == "bgr" else 4), "uint8")
        gfwx.imwrite(path, image, intent=intent)
        expected = image.copy()
        expected[..., :3] = image[..., 2::-1]
        np.testing.assert_array_equal(iio.imread(path), expected)


def test_damaged_metadata_still_give_the_picture(tmp_path: Path) -> None:
    path, image = tmp_path / "image.gfwx", scene((20, 30), "uint8")
    gfwx.imwrite(path, image, metadata=b"GFWXMETAEXIF\xff\xff\xff\xff")
    np.testing.assert_array_equal(iio.imread(path), image)
    with pytest.warns(gfwx.MetadataWarning, match="metadata are left out"):
        assert "exif" not in iio.immeta(path)


def test_damaged_files(tmp_path: Path) -> None:
    path = tmp_path / "image.gfwx"
    data = gfwx.encode(scene((33, 47, 3), "uint8"))
    for wrong in damaged(data):
        path.write_bytes(wrong)
        with pytest.raises((OSError, gfwx.GfwxError)):
            iio.imread(path, plugin="gfwx")
    for wrong in flipped(data, 100):
        path.write_bytes(wrong)
        with contextlib.suppress(OSError, gfwx.GfwxError):  # what must not come is anything else
            iio.imread(path, plugin="gfwx", max_pixels=10**6)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((3, 4)), "float64"),
        ([np.zeros((3, 4), np.uint8), np.zeros((4, 4), np.uint8)], "must have the same shape"),
        ([np.zeros(3, np.uint8)] * 2, "a stack must have 3 or 4 dimensions"),
    ],
)
def test_what_cannot_be_written(image: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        iio.imwrite(tmp_path / "no.gfwx", image)


def test_other_extensions_are_left_to_others(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"`gfwx` can not handle the given uri"):
        iio.imwrite(tmp_path / "image.png", np.zeros((3, 4), np.uint8), plugin="gfwx")


def test_gfwx_alone_does_not_import_imageio() -> None:
    assert "imageio" not in modules_after("import gfwx")


def test_the_readme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert documented.run("README.md", "python imageio") == 1
