"""Raw files of cameras, read through rawpy, to GFWX and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import documented
import numpy as np
import pytest
import rawpy
from chunk_cases import damaged, modules_after
from dng import write_dng
from numpy.typing import NDArray

import gfwx
from gfwx import raw

HEIGHT, WIDTH = 241, 322
BLACK = (60, 64, 66, 70)
WHITE = 3900
NEUTRAL = (0.5, 1.0, 0.625)


def sensor(pattern: str) -> NDArray[np.uint16]:
    """What a sensor sees of a scene whose colors change from place to place."""
    y, x = np.mgrid[:HEIGHT, :WIDTH] / 320
    scene = {
        "R": 0.5 + 0.4 * np.sin(7 * x),
        "G": 0.5 + 0.4 * np.cos(5 * y + 2 * x),
        "B": 0.45 + 0.4 * np.sin(6 * y - 3 * x),
    }
    mosaic = np.empty((HEIGHT, WIDTH))
    for place, color in enumerate(pattern):
        rows, columns = slice(place // 2, None, 2), slice(place % 2, None, 2)
        light = scene[color][rows, columns] * NEUTRAL["RGB".index(color)]
        mosaic[rows, columns] = BLACK[place] + light * (WHITE - BLACK[place])
    noise = np.random.default_rng(0).normal(0, 4, mosaic.shape)
    return (mosaic + noise).round().clip(0, 4095).astype(np.uint16)


@pytest.fixture(params=raw.PATTERNS)
def pattern(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def path(pattern: str, tmp_path: Path) -> Path:
    path = tmp_path / "photo.dng"
    write_dng(path, sensor(pattern), pattern, BLACK, WHITE, NEUTRAL, orientation=6)
    return path


def test_a_cameras_file_comes_back(path: Path, pattern: str) -> None:
    image = raw.read(path)
    np.testing.assert_array_equal(image.mosaic, sensor(pattern), strict=True)
    data = raw.encode(image)
    header = gfwx.read_header(data)
    assert (header.intent, header.bit_depth) == (f"bayer-{pattern.lower()}", 12)
    back = raw.decode(data)
    np.testing.assert_array_equal(back.mosaic, image.mosaic, strict=True)
    assert back.description() == image.description()
    assert (back.pattern, back.orientation, back.bit_depth) == (pattern, 6, 12)
    assert back.black_levels == BLACK
    assert back.white_level == WHITE
    np.testing.assert_allclose(back.white_balance, [2, 1, 1.6], rtol=1e-4)
    # Rows of a matrix that keeps white have the sum 1.
    np.testing.assert_allclose(np.sum(back.color_matrix, 1), 1, atol=1e-4)
    assert gfwx.read_metadata(data).checksum == gfwx.checksum(image.mosaic)


def developed(path: Path, **options: Any) -> NDArray[np.uint8]:
    """What LibRaw itself makes of a file, each four samples one pixel."""
    with rawpy.imread(str(path)) as opened:
        return opened.postprocess(
            half_size=True,
            use_camera_wb=True,
            no_auto_bright=True,
            adjust_maximum_thr=0,
            gamma=(2.4, 12.92),
            **options,
        )


def test_previews_are_as_libraw_develops(pattern: str, tmp_path: Path) -> None:
    path = tmp_path / "photo.dng"
    write_dng(path, sensor(pattern)[:240, :320], pattern, BLACK, WHITE, NEUTRAL)
    data = raw.encode(raw.read(path))
    expected = developed(path).astype(float)
    half = raw.preview(data)
    assert (half.shape, half.dtype) == ((120, 160, 3), np.uint8)
    assert np.abs(half - expected).mean() < 1
    for downsampling, bound in ((2, 4), (3, 9)):
        step = 2 ** (downsampling - 1)
        small = raw.preview(data, downsampling)
        assert small.shape == (120 // step, 160 // step, 3)
        mean = expected.reshape(120 // step, step, 160 // step, step, 3).mean((1, 3))
        # Colors mix a little in small mosaics, most at the edges, and lie a little aside.
        inside = np.s_[2:-2, 2:-2]
        assert np.abs(small[inside] - mean[inside]).mean() < bound
        assert np.abs(small[inside] - mean[inside][..., ::-1]).mean() > 3 * bound


def test_small_previews_need_the_beginning_of_the_file(path: Path) -> None:
    data = raw.encode(raw.read(path))
    expected = raw.preview(data, 3)
    np.testing.assert_array_equal(raw.preview(data[: len(data) // 4], 3), expected)
    with pytest.raises(gfwx.IncompleteDataError):
        raw.preview(data[: len(data) // 4], 1)


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_orientations(orientation: int, tmp_path: Path) -> None:
    path = tmp_path / "photo.dng"
    write_dng(path, sensor("RGGB")[:240, :320], black_levels=BLACK, orientation=orientation)
    data = raw.encode(raw.read(path))
    assert raw.decode(data).orientation == orientation
    assert raw.preview(data).shape == developed(path).shape
    difference = raw.preview(data).astype(float) - developed(path)
    assert np.abs(difference).mean() < 2


def test_files_and_options(path: Path, tmp_path: Path, pattern: str) -> None:
    target = tmp_path / "photo.gfwx"
    image = raw.read(path)
    known = gfwx.Metadata(xmp=b"<x/>", values={"lens": 50})
    data = raw.encode(image, quality=200, encoder="fast", metadata=known)
    target.write_bytes(data)
    found = gfwx.read_metadata(target)
    assert (found.xmp, found.values["lens"], found.checksum) == (b"<x/>", 50, None)
    small = raw.decode(target, downsampling=2)
    np.testing.assert_array_equal(small.mosaic, gfwx.imread(target, downsampling=2))
    np.testing.assert_array_equal(raw.preview(target), raw.preview(data))
    for options in ({"intent": "mono"}, {"bit_depth": 12}):
        with pytest.raises(gfwx.ArgumentError, match="cannot be given"):
            raw.encode(image, **options)
    with pytest.raises(gfwx.ArgumentError, match="cannot be given"):
        raw.decode(data, partial=True)
    with pytest.raises(gfwx.ArgumentError, match="downsampling must be at least 1"):
        raw.preview(data, 0)


def test_arrays_need_no_camera() -> None:
    mosaic = sensor("GRBG")
    image = raw.RawImage(mosaic, "GRBG")
    assert (image.bit_depth, image.white_level) == (12, 4095)
    back = raw.decode(raw.encode(image))
    np.testing.assert_array_equal(back.mosaic, mosaic)
    small = raw.RawImage((mosaic >> 4).astype(np.uint8), "GRBG")
    assert raw.decode(raw.encode(small)).mosaic.dtype == np.uint8


@pytest.mark.parametrize(
    "metadata",
    [
        b"",
        b"GFWXMETA\xff\xff",
        gfwx.Metadata(values={"raw": 5}),
        gfwx.Metadata(values={"raw": {"white_level": "high"}}),
        gfwx.Metadata(values={"raw": {"unknown": 1}}),
        gfwx.Metadata(values={"raw": {"black_levels": [9999] * 4}}),
    ],
)
@pytest.mark.filterwarnings("ignore::gfwx.MetadataWarning")
def test_other_metadata_still_give_the_picture(metadata: Any) -> None:
    mosaic = sensor("RGGB")
    data = gfwx.encode(mosaic, intent="bayer-rggb", bit_depth=12, metadata=metadata)
    image = raw.decode(data)
    np.testing.assert_array_equal(image.mosaic, mosaic)
    assert (image.black_levels, image.white_level) == ((0, 0, 0, 0), 4095)


def test_what_is_no_raw_image(tmp_path: Path) -> None:
    mosaic = sensor("RGGB")
    for image, intent in (
        (mosaic, "mono"),
        (mosaic, "bayer-generic"),
        (mosaic.astype(np.int16), "bayer-rggb"),
        (np.stack([mosaic] * 2)[..., None], "bayer-rggb"),
    ):
        with pytest.raises(gfwx.UnsupportedError, match="no raw image: the picture has intent"):
            raw.decode(gfwx.encode(image, intent=intent))
    path = tmp_path / "no.dng"
    for wrong in (b"", b"not a raw file" * 100):
        path.write_bytes(wrong)
        with pytest.raises(gfwx.MalformedError, match=r"no\.dng: LibRaw cannot read it"):
            raw.read(path)
    with pytest.raises(FileNotFoundError):
        raw.read(tmp_path / "missing.dng")
    data = raw.encode(raw.RawImage(mosaic, "RGGB"))
    for wrong in damaged(data):
        with pytest.raises(gfwx.GfwxError):
            raw.decode(wrong)


def test_linear_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "photo.dng"
    write_dng(path, sensor("RGGB"), "RGBG")
    with pytest.raises(gfwx.UnsupportedError, match="no Bayer pattern"):
        raw.read(path)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"mosaic": np.zeros((4, 4))}, "mosaic must be uint8 or uint16"),
        ({"mosaic": np.zeros((4, 4, 3), np.uint8)}, "mosaic must be uint8 or uint16"),
        ({"mosaic": np.zeros((1, 4), np.uint8)}, "mosaic must have 2 rows"),
        ({"pattern": "RGBG"}, "pattern must be one of RGGB, BGGR, GRBG, GBRG"),
        ({"black_levels": (0, 0)}, "black_levels must be 4 finite numbers"),
        ({"black_levels": "dark"}, "black_levels must be numbers"),
        ({"white_level": 0}, "white_level must be above the black levels"),
        ({"white_balance": (1, 1, float("nan"))}, "white_balance must be 3 finite"),
        ({"color_matrix": ((1, 0), (0, 1))}, "color_matrix must be 3 x 3 finite"),
        ({"orientation": 9}, "orientation must be 1 to 8"),
    ],
)
def test_wrong_arguments(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(gfwx.ArgumentError, match=message):
        raw.RawImage(**{"mosaic": np.zeros((4, 4), np.uint8), "pattern": "RGGB", **wrong})


def test_gfwx_alone_does_not_import_rawpy() -> None:
    assert "rawpy" not in modules_after("import gfwx.raw")


def test_the_readme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_dng(tmp_path / "photo.dng", sensor("RGGB"), "RGGB", BLACK, WHITE, NEUTRAL)
    assert documented.run("README.md", "python raw") == 1
