"""GFWX files through Pillow's own functions."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

import documented
import numpy as np
import pytest
from chunk_cases import damaged, flipped, modules_after, scene
from PIL import Image, ImageFile

import gfwx
import gfwx.plugins.pillow  # what a user imports

HEIGHT, WIDTH = 300, 410


PICTURES = {
    "L": scene((HEIGHT, WIDTH), "uint8"),
    "I;16": scene((HEIGHT, WIDTH), "uint16"),
    "RGB": scene((HEIGHT, WIDTH, 3), "uint8"),
    "RGBA": scene((HEIGHT, WIDTH, 4), "uint8"),
    "CMYK": scene((HEIGHT, WIDTH, 4), "uint8"),
}


class Counted(io.BytesIO):
    """A file that counts what is read of it."""

    bytes_read = 0

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self.bytes_read += len(data)
        return data


def saved(image: Image.Image, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, "GFWX", **options)
    return file.getvalue()


def picture(mode: str) -> Image.Image:
    return Image.frombytes(mode, (WIDTH, HEIGHT), PICTURES[mode].tobytes())


@pytest.mark.parametrize("mode", PICTURES)
def test_a_picture_comes_back(mode: str, tmp_path: Path) -> None:
    path = tmp_path / "picture.gfwx"
    picture(mode).save(path)
    with Image.open(path) as found:
        assert (found.format, found.mode, found.size) == ("GFWX", mode, (WIDTH, HEIGHT))
        assert found.get_format_mimetype() == "image/x-gfwx"
        np.testing.assert_array_equal(np.asarray(found), PICTURES[mode])
        found.verify()
    np.testing.assert_array_equal(gfwx.imread(path), PICTURES[mode])


@pytest.mark.parametrize("intent", ["bgr", "bgra"])
def test_other_orders_of_channels(intent: str) -> None:
    pixels = PICTURES[intent.replace("bgr", "rgb").upper()]
    order = [2, 1, 0, 3][: len(intent)]
    data = gfwx.encode(pixels[..., order], intent=intent)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(data))), pixels)


def test_what_is_loaded_can_be_changed() -> None:
    for mode in PICTURES:
        file = io.BytesIO(saved(picture(mode)))
        image = Image.open(file)
        image.putpixel((3, 5), 0 if len(image.getbands()) == 1 else (0,) * len(image.getbands()))
        assert not np.asarray(image)[5, 3].any()
        np.testing.assert_array_equal(np.asarray(Image.open(file)), PICTURES[mode])


def test_options_of_encode() -> None:
    image = picture("RGB")
    data = saved(image, quality=128, chroma_scale=8, encoder="contextual", filter="cubic")
    expected = gfwx.encode(
        PICTURES["RGB"], 128, chroma_scale=8, encoder="contextual", filter="cubic"
    )
    assert data == expected
    with pytest.raises(gfwx.ArgumentError, match="unknown option 'qualty' for GFWX"):
        saved(image, qualty=5)
    with pytest.raises(gfwx.ArgumentError, match="quality must be"):
        saved(image, quality=5000)


def test_metadata() -> None:
    exif = Image.Exif()
    exif[0x010F] = "maker"
    data = saved(
        picture("RGB"), exif=exif, icc_profile=b"profile", xmp=b"<x/>", gfwx_values={"a": 1}
    )
    known = gfwx.read_metadata(data)
    assert known.exif.startswith((b"II", b"MM"))
    assert known.checksum == gfwx.checksum(PICTURES["RGB"])
    found = Image.open(io.BytesIO(data))
    assert found.getexif()[0x010F] == "maker"
    assert found.info["icc_profile"] == b"profile"
    assert found.info["xmp"] == b"<x/>"
    assert found.info["gfwx_values"] == {"a": 1}
    assert found.info["intent"] == "rgb"
    # A profile is what the pixels mean, and is kept; the rest is written where it is given.
    again = gfwx.read_metadata(saved(found))
    assert again == gfwx.Metadata(icc=b"profile", checksum=known.checksum)
    assert gfwx.read_metadata(saved(found, quality=100)).checksum is None


def test_damaged_metadata_still_give_the_picture() -> None:
    data = gfwx.encode(PICTURES["L"], metadata=b"GFWXMETAEXIF\xff\xff\xff\xff")
    with pytest.warns(gfwx.MetadataWarning, match="metadata are left out"):
        found = Image.open(io.BytesIO(data))
    np.testing.assert_array_equal(np.asarray(found), PICTURES["L"])
    foreign = gfwx.encode(PICTURES["L"], metadata=b"something else")
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(foreign))), PICTURES["L"])


def test_opening_reads_the_header_alone() -> None:
    file = Counted(saved(picture("RGB"), exif=b"II*\0" + bytes(400)))
    with Image.open(file) as found:
        size = gfwx.read_header(file.getvalue()).size
        # Pillow itself reads 16 bytes, to choose the plugin.
        assert file.bytes_read <= size + 16
        found.load()
        assert file.bytes_read == len(file.getvalue()) + 16


@pytest.mark.parametrize("mode", PICTURES)
def test_drafts_are_the_downsampled_picture(mode: str) -> None:
    data = saved(picture(mode))
    for wanted, downsampling in (((410, 300), 0), ((205, 150), 1), ((100, 70), 2), ((1, 1), 8)):
        file = Counted(data)
        found = Image.open(file)
        drafted = found.draft(mode, wanted)
        expected = gfwx.decode(data, downsampling=downsampling)
        assert (drafted is None) == (downsampling == 0)
        if drafted is not None:
            scale = 2**downsampling
            assert drafted == (mode, (0, 0, WIDTH / scale, HEIGHT / scale))
        assert found.size == expected.shape[1::-1]
        np.testing.assert_array_equal(np.asarray(found), expected)
        # No further than the finest level that is shown.
        _, following = gfwx.decode(
            data[: file.bytes_read - 16], downsampling=downsampling, partial=True
        )
        assert following is None
        if downsampling:
            assert file.bytes_read < max(len(data) / 2**downsampling, 1200)


def test_thumbnails_read_little() -> None:
    y, x = np.mgrid[:3000, :4000]
    pixels = np.stack([x // 16, y // 12, (x * y) >> 16], -1).astype(np.uint8)
    pixels += np.random.default_rng(0).integers(0, 4, pixels.shape, np.uint8)
    file = Counted(gfwx.encode(pixels))
    image = Image.open(file)
    image.thumbnail((200, 200))
    assert image.size == (200, 150)
    assert file.bytes_read < len(file.getvalue()) / 10
    reference = Image.fromarray(pixels).resize((200, 150), Image.Resampling.BOX)
    assert np.abs(np.asarray(image, float) - np.asarray(reference, float)).mean() < 3


def test_files_that_end_early(monkeypatch: pytest.MonkeyPatch) -> None:
    data = saved(picture("RGB"))
    half = data[: len(data) // 2]
    with pytest.raises(OSError, match="image file is truncated"):
        Image.open(io.BytesIO(half)).load()
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    found = np.asarray(Image.open(io.BytesIO(half)))
    np.testing.assert_array_equal(found, gfwx.decode(half, partial=True)[0])
    error = np.abs(found.astype(int) - PICTURES["RGB"]).mean()
    assert 0 < error < 20
    with pytest.raises(OSError, match="nothing of the picture is there"):
        Image.open(io.BytesIO(data[: gfwx.read_header(data).size + 1])).load()


def test_incremental_parser() -> None:
    data = saved(picture("RGB"))
    parser = ImageFile.Parser()
    for at in range(0, len(data), 1000):
        parser.feed(data[at : at + 1000])
    np.testing.assert_array_equal(np.asarray(parser.close()), PICTURES["RGB"])
    parser = ImageFile.Parser()
    parser.feed(data[:1000])
    with pytest.raises(OSError, match="truncated"):
        parser.close()


def test_what_pillow_cannot_hold_is_refused() -> None:
    cases: list[tuple[tuple[int, ...], str, dict[str, Any], str]] = [
        ((20, 30, 3), "uint16", {}, "3 channels of uint16, intent 'rgb'"),
        ((20, 30, 2), "uint8", {}, "2 channels of uint8, intent 'generic'"),
        ((20, 30, 4), "uint8", {"intent": "generic"}, "4 channels of uint8, intent 'generic'"),
        ((20, 30), "int8", {}, "1 channels of int8"),
        ((20, 30), "int16", {}, "1 channels of int16"),
        ((3, 20, 30, 1), "uint8", {}, "3 layers"),
    ]
    for shape, dtype, options, message in cases:
        data = gfwx.encode(scene(shape, dtype), **options)
        with pytest.raises(gfwx.UnsupportedError, match=f"Pillow holds no picture of {message}"):
            Image.open(io.BytesIO(data))


@pytest.mark.parametrize("mode", ["1", "P", "LA", "PA", "I", "F", "YCbCr", "LAB", "HSV"])
def test_modes_that_would_lose_something_are_refused(mode: str, tmp_path: Path) -> None:
    path = tmp_path / "no.gfwx"
    with pytest.raises(OSError, match=f"cannot write mode {mode} as GFWX: the modes are L, I;16"):
        Image.new(mode, (5, 5)).save(path)
    assert not path.exists()


def test_damaged_files() -> None:
    data = saved(picture("RGB"))
    for wrong in damaged(data):
        with pytest.raises((OSError, gfwx.UnsupportedError, Image.DecompressionBombError)):
            Image.open(io.BytesIO(wrong)).load()
    for wrong in flipped(data, 200):
        # What must not come is anything else.
        with contextlib.suppress(OSError, gfwx.GfwxError, Image.DecompressionBombError):
            Image.open(io.BytesIO(wrong)).load()


def test_the_bomb_limit_of_pillow_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    data = saved(picture("RGB"))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", WIDTH * HEIGHT // 4)
    with pytest.raises(Image.DecompressionBombError):
        Image.open(io.BytesIO(data))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", WIDTH * HEIGHT - 1)
    with pytest.warns(Image.DecompressionBombWarning):
        Image.open(io.BytesIO(data))


def test_gfwx_alone_does_not_import_pillow() -> None:
    assert "PIL" not in modules_after("import gfwx")


def test_the_readme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    picture("RGB").save("photo.png")
    assert documented.run("README.md", "python pillow") == 1
